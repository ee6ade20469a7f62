//! The verbs, one file each.

mod asm;
mod bench;
mod data;
mod db;
mod engine;
mod env;
mod findings;
mod judge_builds;
mod kernels;
mod promote;
mod report;
mod search;
mod selftest;
mod summary;
mod verify;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use annvil_harness::store::RESULTS_FILE;

use crate::cli::{SuiteName, Verb};
use crate::stop::{INTERRUPTED, Stop};

/// Does what the command line says.
pub(crate) fn run(verb: Verb) -> Result<(), Stop> {
    match verb {
        Verb::Asm(args) => asm::run(&args),
        Verb::Bench(args) if args.suite == SuiteName::Engine => engine::run(&args),
        Verb::Bench(args) => bench::run(&args),
        Verb::Kernels(args) => kernels::run(&args),
        Verb::Verify(args) => verify::run(&args),
        Verb::Selftest(args) => selftest::run(&args),
        Verb::Promote(args) => promote::run(&args),
        Verb::Report(args) => report::run(&args),
        Verb::Findings(args) => findings::run(&args),
        Verb::Data(args) => data::run(args),
        Verb::Db(args) => db::run(args),
        Verb::Env(args) => env::run(&args),
        Verb::JudgeBuilds(args) => judge_builds::run(&args),
        Verb::EngineBuild(args) => engine::build(args),
        Verb::Worker(args) => worker::run(&args),
    }
}

/// Set by the first Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// Makes the first Ctrl-C set the returned flag and the second end the process at once.
fn on_interrupt() -> Result<&'static AtomicBool, Stop> {
    ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })
    .map_err(|e| Stop::failed(format!("cannot listen for Ctrl-C: {e}")))?;
    Ok(&STOP)
}

/// The record of a run that was named by its folder or its file.
fn record_path(run: &Path) -> PathBuf {
    if run.is_dir() { run.join(RESULTS_FILE) } else { run.to_path_buf() }
}

/// Whether `name` contains `filter` or matches it as a pattern; true for no filter at all.
fn selected(filters: &[String], name: &str) -> bool {
    let one = |f: &String| name.contains(f.as_str()) || annvil_harness::suite::matches(f, name);
    filters.is_empty() || filters.iter().any(one)
}
