//! A data set from a folder, in the layout that the harness documents.

use std::fs::File;
use std::path::Path;

use annvil::io::{Format, RowReader};
use annvil::{AlignedRows, Metric};

use crate::Stop;
use crate::workload::Set;

/// Neighbours that are asked for, where the ground truth has as many.
const K: usize = 10;

/// Reads base, queries and the distances of their nearest rows.
pub(crate) fn open(dir: &Path) -> Result<Set, Stop> {
    let base = load(dir, "base")?;
    let query = load(dir, "query")?;
    let truth = load(dir, "groundtruth_dist")?;
    if query.dim() != base.dim() || truth.len() != query.len() {
        return Err(Stop::failed(format!(
            "{}: base, query and groundtruth_dist do not fit together; fetch the set again",
            dir.display()
        )));
    }
    let k = K.min(truth.dim()).min(base.len());
    let roots = |i| truth.row(i).iter().take(k).map(|d| d.sqrt());
    let distances = (0..truth.len()).flat_map(roots).collect();
    let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy().into_owned();
    // Ground truth may have equal distances, so row numbers are not compared.
    Ok(Set { name, metric: Metric::L2, base, query, k, distances, ids: None })
}

fn load(dir: &Path, stem: &str) -> Result<AlignedRows, Stop> {
    let paths = Format::ALL.map(|f| (f, dir.join(stem).with_extension(f.extension())));
    let Some((format, path)) = paths.into_iter().find(|(_, p)| p.is_file()) else {
        return Err(Stop::missing(format!(
            "{}: no {stem}.* here; give the folder of a data set, such as harness/data/digits",
            dir.display()
        )));
    };
    let named = |e: std::io::Error| Stop::failed(format!("{}: {e}", path.display()));
    let file = File::open(&path).map_err(named)?;
    let len = file.metadata().map_err(named)?.len();
    let reader = RowReader::new(file, len, format, &path).map_err(Stop::failed)?;
    reader.load().map_err(Stop::failed)
}
