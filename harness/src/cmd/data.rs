//! `data`: the vector sets.

use std::path::PathBuf;

use annvil_harness::data;

use crate::cli::{DataArgs, DataVerb};
use crate::progress::{note, out};
use crate::stop::{Stop, WRONG};

pub(crate) fn run(args: DataArgs) -> Result<(), Stop> {
    match args.what {
        DataVerb::List { data } => list(data),
        DataVerb::Verify { data, names, queries } => verify(data, &names, queries),
        DataVerb::Slice { src, dst, rows, queries } => {
            let sliced = data::slice(&src, &dst, rows, queries, &pool()?).map_err(Stop::failed)?;
            for f in &sliced.files {
                out(&format!("{:>10} bytes  {}  {}\n", f.bytes, f.sha256, f.name));
            }
            out(&format!("{}\n", sliced.dir.display()));
            Ok(())
        }
    }
}

/// The built-in sets, then those of the user.
pub(crate) fn roots(data: Option<PathBuf>) -> Vec<PathBuf> {
    std::iter::once(data::builtin_root()).chain(data).collect()
}

/// A pool over all cores.
pub(crate) fn pool() -> Result<rayon::ThreadPool, Stop> {
    rayon::ThreadPoolBuilder::new().build().map_err(Stop::failed)
}

fn list(data: Option<PathBuf>) -> Result<(), Stop> {
    out(&format!(
        "{:<22} {:>9} {:>6} {:>8} {:>8} {:>9}  {}\n",
        "set", "rows", "dim", "queries", "truth k", "MiB", "folder"
    ));
    let mut damaged = 0;
    for row in data::list(&roots(data)).map_err(Stop::failed)? {
        match row {
            Ok(r) => out(&format!(
                "{:<22} {:>9} {:>6} {:>8} {:>8} {:>9.1}  {}\n",
                r.name,
                r.rows,
                r.dim,
                r.queries,
                r.truth_k,
                r.bytes as f64 / f64::from(1 << 20),
                r.dir.display()
            )),
            Err(e) => {
                damaged += 1;
                note(&format!("cannot be used: {e}\n"));
            }
        }
    }
    if damaged > 0 { Err(Stop::failed(format!("{damaged} sets cannot be used"))) } else { Ok(()) }
}

fn verify(data: Option<PathBuf>, names: &[String], queries: Option<usize>) -> Result<(), Stop> {
    let pool = pool()?;
    let (mut checked, mut wrong) = (0, 0);
    for root in roots(data) {
        for set in data::discover(&root).map_err(Stop::failed)? {
            let set = set.map_err(Stop::failed)?;
            if !names.is_empty() && !names.iter().any(|n| n == set.name()) {
                continue;
            }
            checked += 1;
            let v = data::verify(set.dir(), queries, &pool).map_err(Stop::failed)?;
            let mark = if v.is_ok() { "ok" } else { "WRONG" };
            out(&format!(
                "{mark:<6} {}: {} rows of {}, {} queries computed anew, {} checksums\n",
                v.name, v.rows, v.dim, v.queries_checked, v.files_hashed
            ));
            for problem in &v.problems {
                out(&format!("       {problem}\n"));
            }
            if v.unlisted > 0 {
                out(&format!("       and {} more\n", v.unlisted));
            }
            wrong += usize::from(!v.is_ok());
        }
    }
    match (checked, wrong) {
        (0, _) => Err(Stop::usage("no data set of that name; `cargo xtask data list` lists them")),
        (_, 0) => Ok(()),
        _ => Err(Stop::new(WRONG, format!("{wrong} data sets are wrong"))),
    }
}
