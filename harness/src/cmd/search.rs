//! The second half of `bench`: exact search over every data set at hand.

use std::env::VarError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use annvil::{BindError, FORCE_VAR, Forced};
use annvil_harness::data::{self, DataError, Dataset, sha256_file};
use annvil_harness::store::Plan;
use annvil_harness::workload;
use annvil_reports::schema::{Dataset as DatasetRecord, NotRun, Run, Workload};

use super::bench::quoted;
use super::data::{pool, roots};
use crate::progress::{Progress, note};
use crate::stop::{MISSING, Stop, WRONG};

/// What to search, found before anything is measured: a wrong folder is said at once.
pub(crate) struct Searches {
    sets: Vec<Result<Dataset, DataError>>,
    forced: Forced,
    command: String,
    left_out: Option<NotRun>,
}

impl Searches {
    /// The built-in sets and those of the plan's folder; none if the plan is of certain cells.
    pub(crate) fn find(plan: &Plan) -> Result<Self, Stop> {
        let forced = forced(&plan.force)?;
        let data = plan.data.as_ref().map(|dir| format!(" --data {}", quoted(dir)));
        let build = annvil_harness::env::build_option();
        let command = format!("{}{}{build}", bench_command(&plan.force), data.unwrap_or_default());
        let mut sets = Vec::new();
        let mut left_out = None;
        if !plan.is_narrowed() {
            for root in roots(plan.data.as_ref().map(PathBuf::from)) {
                // A set of the same name as a built-in one is the same set, or the one to use.
                let found = sets_of(&root)?;
                let known = |name: &str| found.iter().flatten().any(|set| set.name() == name);
                sets.retain(|set: &Result<Dataset, _>| {
                    !set.as_ref().is_ok_and(|s| known(s.name()))
                });
                sets.extend(found);
            }
        } else if let Some(dir) = &plan.data {
            let why = format!(
                "a run of certain cells or variants searches no data sets; this does: {command}"
            );
            note(&format!("{dir} is not searched: {why}\n"));
            left_out = Some(NotRun { what: format!("exact search over {dir}"), why });
        }
        Ok(Self { sets, forced, command, left_out })
    }

    /// Searches every set, and puts what came out into `run`. A set that cannot be used becomes a
    /// row that says why.
    pub(crate) fn run(self, run: &mut Run, stop: &AtomicBool) -> Result<(), Stop> {
        run.not_run.extend(self.left_out);
        let threads = pool()?;
        let mut progress = Progress::new(self.sets.len());
        for set in &self.sets {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let set = match set {
                Ok(set) => set,
                Err(e) => {
                    progress.end();
                    run.workloads.push(not_run("a data set", &e.to_string(), &self.command));
                    continue;
                }
            };
            progress.begin(&format!("exact search over {}", set.name()));
            run.datasets.push(describe(set));
            match workload::search(set, &self.forced, &threads, &self.command, stop) {
                Ok(rows) => run.workloads.extend(rows),
                Err(e) => {
                    run.workloads.push(not_run(set.name(), &e.to_string(), &self.command));
                }
            }
            progress.end();
        }
        progress.finish();
        Ok(())
    }
}

/// The text of `ANNVIL_FORCE`; empty where it is not set.
pub(crate) fn force_spec() -> Result<String, Stop> {
    match std::env::var(FORCE_VAR) {
        Ok(spec) => Ok(spec),
        Err(VarError::NotPresent) => Ok(String::new()),
        Err(VarError::NotUnicode(text)) => {
            Err(Stop::usage(format!("{FORCE_VAR}: {} is not UTF-8", text.display())))
        }
    }
}

/// The first words of a command that repeats a run.
pub(crate) fn bench_command(force: &str) -> String {
    let command = "cargo xtask bench";
    if force.is_empty() {
        command.to_owned()
    } else {
        format!("{FORCE_VAR}={} {command}", quoted(force))
    }
}

/// The choices of a spec; a name that is unknown or cannot run here ends the run.
fn forced(spec: &str) -> Result<Forced, Stop> {
    Forced::parse(spec).map_err(|e| match e {
        BindError::NotRun { .. } => Stop::new(MISSING, format!("{FORCE_VAR}: {e}")),
        _ => Stop::usage(format!("{FORCE_VAR}: {e}")),
    })
}

/// The sets below `root`, or `root` itself if it is one.
pub(super) fn sets_of(root: &Path) -> Result<Vec<Result<Dataset, DataError>>, Stop> {
    let found = data::discover(root).map_err(|e| Stop::new(MISSING, e))?;
    if !found.is_empty() {
        return Ok(found);
    }
    match Dataset::open(root) {
        Ok(set) => Ok(vec![Ok(set)]),
        Err(e) => Err(Stop::new(
            MISSING,
            format!("no data set in {} (a set is a folder with base.*): {e}", root.display()),
        )),
    }
}

pub(super) fn describe(set: &Dataset) -> DatasetRecord {
    let base = set.base();
    let file = &base.path;
    let origin = data::origin(set);
    let or_unknown = |text: Option<String>| {
        text.unwrap_or_else(|| "not stated in a README of the set".to_owned())
    };
    DatasetRecord {
        name: set.name().to_owned(),
        rows: base.rows as u64,
        dim: base.dim,
        queries: set.query().rows as u64,
        dtype: file.extension().and_then(|e| e.to_str()).unwrap_or("").to_owned(),
        source: or_unknown(origin.source),
        licence: or_unknown(origin.licence),
        sha256: sha256_file(file).ok(),
    }
}

fn not_run(dataset: &str, why: &str, command: &str) -> Workload {
    Workload {
        dataset: dataset.to_owned(),
        index: "flat".to_owned(),
        not_run: Some(why.to_owned()),
        command: command.to_owned(),
        ..Workload::default()
    }
}

/// Ends the run if an answer was wrong or a set could not be used.
pub(crate) fn verdict(run: &Run) -> Result<(), Stop> {
    for w in &run.workloads {
        if let Some(why) = &w.not_run {
            note(&format!("NOT RUN {}: {why}\n", w.dataset));
        } else if w.recall != Some(1.0) {
            note(&format!(
                "WRONG {} {} {}: recall {:?} of an exact search\n",
                w.dataset, w.metric, w.index, w.recall
            ));
        }
    }
    let wrong =
        run.workloads.iter().filter(|w| w.not_run.is_none() && w.recall != Some(1.0)).count();
    if wrong > 0 {
        return Err(Stop::new(WRONG, format!("{wrong} exact searches gave wrong answers")));
    }
    let missing = run.workloads.iter().filter(|w| w.not_run.is_some()).count();
    if missing > 0 {
        return Err(Stop::new(MISSING, format!("{missing} data sets could not be used")));
    }
    Ok(())
}
