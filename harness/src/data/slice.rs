//! A small set cut from a large one, with ground truth of its own.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use annvil::io::{Element, write_bvecs, write_fvecs, write_ivecs};
use annvil::{AlignedRows, Metric};

use super::checksum::LIST;
use super::{DataError, Dataset, Part, exact_f64, sha256_file};

/// Neighbours per query in a slice's ground truth, where it has as many rows.
const TRUTH_K: usize = 100;

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlicedFile {
    /// Its name in the new folder.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: String,
}

/// A set that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sliced {
    /// The new folder.
    pub dir: PathBuf,
    /// Its files, in the order of their names; the list of checksums is not among them.
    pub files: Vec<SlicedFile>,
}

/// Writes the first `rows` rows of the base and the first `queries` queries of the set `src` into
/// the folder `dst`, with their own exact ground truth (squared L2, computed in f64 on the threads
/// of `pool`, ties to the lower number, rounded to f32) and a `SHA256SUMS`. Rows of u8 stay u8,
/// others become f32. The same arguments write the same bytes.
///
/// # Errors
/// A source that cannot be read or has fewer rows, nothing asked for, a `dst` that has such files.
pub fn slice(
    src: &Path,
    dst: &Path,
    rows: usize,
    queries: usize,
    pool: &rayon::ThreadPool,
) -> Result<Sliced, DataError> {
    if rows == 0 || queries == 0 {
        return Err(DataError::NothingWanted);
    }
    let set = Dataset::open(src)?;
    let base = head(set.base(), rows)?;
    let query = head(set.query(), queries)?;
    let truth = exact_f64(base.view(), query.view(), Metric::L2, TRUTH_K, pool);

    fs::create_dir_all(dst).map_err(DataError::io(dst))?;
    let ids: Vec<i32> = truth.ids.iter().map(|&id| id.cast_signed()).collect();
    let distances: Vec<f32> = truth.values.iter().map(|&v| v as f32).collect();
    let ending = |part: &Part| if part.element == Element::U8 { "bvecs" } else { "fvecs" };
    let base_name = format!("base.{}", ending(set.base()));
    let query_name = format!("query.{}", ending(set.query()));
    let files = [
        write(dst, &base_name, |out| write_rows(out, &base, set.base().element))?,
        write(dst, "groundtruth.ivecs", |out| write_ivecs(out, ids.chunks_exact(truth.k)))?,
        write(dst, "groundtruth_dist.fvecs", |out| {
            write_fvecs(out, distances.chunks_exact(truth.k))
        })?,
        write(dst, &query_name, |out| write_rows(out, &query, set.query().element))?,
    ];
    let sums: String = files.iter().map(|f| format!("{}  {}\n", f.sha256, f.name)).collect();
    write(dst, LIST, |out| out.write_all(sums.as_bytes()))?;
    Ok(Sliced { dir: dst.to_path_buf(), files: files.into() })
}

/// The first `count` rows of a file; no more are read.
fn head(part: &Part, count: usize) -> Result<AlignedRows, DataError> {
    if part.rows < count {
        let path = part.path.clone();
        return Err(DataError::TooFew { path, wanted: count, found: part.rows });
    }
    let mut reader = part.reader()?;
    let mut rows = AlignedRows::zeroed(count, part.dim)
        .map_err(|e| DataError::io(&part.path)(std::io::Error::other(e)))?;
    for i in 0..count {
        reader.next_f32(rows.row_mut(i))?;
    }
    Ok(rows)
}

fn write_rows(
    out: &mut BufWriter<File>,
    rows: &AlignedRows,
    element: Element,
) -> std::io::Result<()> {
    let all = (0..rows.len()).map(|i| rows.row(i));
    if element != Element::U8 {
        return write_fvecs(out, all);
    }
    // Exact: the rows were read from u8.
    let bytes: Vec<u8> = all.flatten().map(|&v| v as u8).collect();
    write_bvecs(out, bytes.chunks_exact(rows.dim()))
}

/// Writes a file that must not exist yet.
fn write(
    dir: &Path,
    name: &str,
    fill: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<SlicedFile, DataError> {
    let path = dir.join(name);
    let file = File::create_new(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::AlreadyExists => DataError::Exists { path: path.clone() },
        _ => DataError::io(&path)(e),
    })?;
    let mut out = BufWriter::new(file);
    fill(&mut out).and_then(|()| out.flush()).map_err(DataError::io(&path))?;
    let bytes = out.get_ref().metadata().map_err(DataError::io(&path))?.len();
    let sha256 = sha256_file(&path)?;
    Ok(SlicedFile { name: name.to_owned(), bytes, sha256 })
}
