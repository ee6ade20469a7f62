//! `data`: the vector sets.

use std::path::PathBuf;

use annvil_harness::data::{self, DataError, Verified};

use crate::cli::{DataArgs, DataVerb};
use crate::progress::{note, out};
use crate::stop::{MISSING, Stop, WRONG};

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
    for row in data::list(&roots(data)).map_err(unlistable)? {
        match row {
            Ok(r) => out(&format!(
                "{:<22} {:>9} {:>6} {:>8} {:>8} {:>9.1}  {}\n    licence: {}\n",
                r.name,
                r.rows,
                r.dim,
                r.queries,
                r.truth_k,
                r.bytes as f64 / f64::from(1 << 20),
                r.dir.display(),
                r.licence.as_deref().unwrap_or("not stated in a README of the set")
            )),
            Err(e) => {
                damaged += 1;
                note(&format!("cannot be used: {e}\n"));
            }
        }
    }
    if damaged > 0 {
        return Err(Stop::new(WRONG, format!("{damaged} data sets cannot be used")));
    }
    Ok(())
}

/// A folder of sets that cannot be listed: it was asked for and is not there.
fn unlistable(error: DataError) -> Stop {
    Stop::new(MISSING, error)
}

fn verify(data: Option<PathBuf>, names: &[String], queries: Option<usize>) -> Result<(), Stop> {
    let pool = pool()?;
    let mut met: Vec<String> = Vec::new();
    let (mut checked, mut wrong, mut damaged) = (0, 0, 0);
    for root in roots(data) {
        for set in data::discover(&root).map_err(unlistable)? {
            if let Ok(set) = &set {
                if !names.is_empty() && !names.iter().any(|n| n == set.name()) {
                    continue;
                }
                met.push(set.name().to_owned());
            }
            // One that is damaged does not hide the others.
            let unreadable = set.is_err();
            let verified = match set.and_then(|set| data::verify(set.dir(), queries, &pool)) {
                Ok(verified) => verified,
                Err(e) => {
                    out(&format!("WRONG  cannot be used: {e}\n"));
                    damaged += usize::from(unreadable);
                    wrong += usize::from(!unreadable);
                    continue;
                }
            };
            checked += 1;
            wrong += usize::from(!show(&verified));
        }
    }
    // A set that cannot be opened has no name; it counts if all were asked for, or one is missing.
    let unmet = names.iter().find(|n| !met.contains(n));
    if names.is_empty() || unmet.is_some() {
        wrong += damaged;
    }
    match (wrong, unmet) {
        (0, Some(name)) => Err(Stop::usage(format!(
            "no data set is called {name:?}; `cargo xtask data list` lists them"
        ))),
        (0, None) if checked == 0 => Err(Stop::new(MISSING, "there is no data set to verify")),
        (0, None) => Ok(()),
        _ => Err(Stop::new(WRONG, format!("{wrong} data sets are wrong"))),
    }
}

/// Prints what was found about a set; whether it is sound.
fn show(v: &Verified) -> bool {
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
    v.is_ok()
}
