//! `bench --suite engine`: the engine against other engines, set by set; the record and the page are
//! written after each.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use annvil_harness::data::Dataset;
use annvil_harness::engine::{self, ChildPlan, EF_CONSTRUCTION, EnginePlan, M, Watch, clock};
use annvil_harness::env::{self, CpuTicks};
use annvil_harness::store::{REPORT_FILE, RESULTS_FILE};
use annvil_reports::engine_text;
use annvil_reports::page;
use annvil_reports::schema::{Engine, Mode, NotRun, Run};

use super::bench::{SEED, quoted};
use super::data::{pool, roots};
use super::search::{describe, sets_of};
use super::{on_interrupt, selected};
use crate::cli::{BenchArgs, EngineBuildArgs};
use crate::progress::{Progress, human_time, note, out};
use crate::stop::{INTERRUPTED, MISSING, Stop};

/// Where results go unless told otherwise, from the workspace's root.
const DEFAULT_OUT: &str = "reports/out/engine";
/// Rounds over each build unless told otherwise: quick, full.
const ROUNDS: (usize, usize) = (5, 7);
/// Builds unless told otherwise: quick, full.
const BUILDS: (usize, usize) = (1, 3);

pub(crate) fn run(args: &BenchArgs) -> Result<(), Stop> {
    check(args)?;
    let (plan, sets) = (plan(args), sets(args)?);
    let out_dir = out_dir(args)?;
    if args.list || args.dry_run {
        show(args, &plan, &sets, &out_dir);
        return Ok(());
    }
    let exe = std::env::current_exe()
        .map_err(|e| Stop::failed(format!("cannot find this program's file: {e}")))?;
    std::fs::create_dir_all(&out_dir)
        .map_err(|e| Stop::failed(format!("cannot make {}: {e}", out_dir.display())))?;
    let stop = on_interrupt()?;
    let ticks = CpuTicks::now();
    let threads = pool()?;
    let mut record = record(args, &plan);
    record.not_run.extend(left_out());
    let mut watch = Steps {
        progress: Progress::new(plan.steps() * sets.len()),
        stop,
        begun: 0,
        steps: plan.steps(),
    };
    let (mut stopped, mut failed) = (false, 0);
    for set in &sets {
        if stopped {
            break;
        }
        record.datasets.push(describe(set));
        match engine::run_set(set, &plan, Some(&exe), &threads, &mut watch) {
            Ok(part) => {
                stopped = part.stopped || stop.load(Ordering::Relaxed);
                record.not_run.extend(part.not_run);
                if let Some(engine) = &mut record.engine {
                    add(engine, part.engine);
                }
            }
            Err(e) => {
                failed += 1;
                watch.progress.finish();
                note(&format!("NOT RUN {}: {e}\n", set.name()));
                record.not_run.push(NotRun { what: set.name().to_owned(), why: e.to_string() });
            }
        }
        watch.set_done();
        if stopped {
            record.notes.push("interrupted: the last set is not whole".to_owned());
        }
        record.host.steal_pct =
            ticks.zip(CpuTicks::now()).and_then(|(before, now)| now.steal_pct_since(before));
        save(&record, &out_dir)?;
    }
    watch.progress.finish();
    finish(args, &out_dir, stopped, failed)
}

fn finish(args: &BenchArgs, out_dir: &Path, stopped: bool, failed: usize) -> Result<(), Stop> {
    let (results, report) = (out_dir.join(RESULTS_FILE), out_dir.join(REPORT_FILE));
    let run = Run::load(&results).map_err(Stop::failed)?;
    if args.json {
        out(&run.to_json().map_err(Stop::failed)?);
    } else {
        out(&engine_text::summary(&run));
        out(&format!("record {}\nreport {}\n", results.display(), report.display()));
    }
    if stopped {
        note("interrupted; what was done is in the record, and this suite starts over\n");
        return Err(Stop { code: INTERRUPTED, why: String::new() });
    }
    if failed > 0 {
        return Err(Stop::new(MISSING, format!("{failed} data sets could not be used")));
    }
    Ok(())
}

/// Builds what a parent asks for, and says what it took.
pub(crate) fn build(args: EngineBuildArgs) -> Result<(), Stop> {
    let EngineBuildArgs { set, contestant, number, seed, threads } = args;
    let plan = ChildPlan { set, contestant, build: number, seed, threads };
    let said = plan.build().map_err(Stop::failed)?;
    out(&format!("{}\n", serde_json::to_string(&said).map_err(Stop::failed)?));
    Ok(())
}

/// What this suite has no use for.
fn check(args: &BenchArgs) -> Result<(), Stop> {
    let no = |given: bool, what: &str| match given {
        true => Err(Stop::usage(format!("{what} is not for --suite engine"))),
        false => Ok(()),
    };
    no(!args.op.is_empty(), "--op")?;
    no(!args.dim.is_empty(), "--dim")?;
    no(!args.residence.is_empty(), "--residence")?;
    no(!args.align.is_empty(), "--align")?;
    no(args.processes.is_some(), "--processes (this one has --builds)")?;
    no(args.resume.is_some(), "--resume")?;
    if args.build.is_some() || (args.rivals && !cfg!(feature = "rivals")) {
        return Err(Stop::usage(
            "--build and --rivals are for `cargo xtask bench`, which makes the build",
        ));
    }
    Ok(())
}

fn plan(args: &BenchArgs) -> EnginePlan {
    let by_mode = |(quick, full)| if args.full { full } else { quick };
    EnginePlan {
        builds: args.builds.map_or(by_mode(BUILDS), usize::from),
        rounds: args.rounds.map_or(by_mode(ROUNDS), usize::from),
        seed: args.seed.unwrap_or(SEED),
        only: args.variant.clone(),
        full: args.full,
    }
}

/// The built-in sets and those of the folder, by the filters.
fn sets(args: &BenchArgs) -> Result<Vec<Dataset>, Stop> {
    let mut sets: Vec<Dataset> = Vec::new();
    for root in roots(args.data.clone()) {
        for set in sets_of(&root)? {
            let set = set.map_err(|e| Stop::new(MISSING, e))?;
            // A set of the same name as a built-in one is the same set, or the one to use.
            sets.retain(|s| s.name() != set.name());
            sets.push(set);
        }
    }
    sets.retain(|s| selected(&args.filter, s.name()));
    sets.sort_by_key(|s| s.base().rows * s.base().dim);
    match sets.is_empty() {
        true => Err(Stop::usage("no data set matches; `cargo xtask data list` names them")),
        false => Ok(sets),
    }
}

fn out_dir(args: &BenchArgs) -> Result<PathBuf, Stop> {
    let root = || {
        env::workspace_root().ok_or_else(|| {
            Stop::usage("no workspace here: say --out DIR, or run inside the source tree")
        })
    };
    args.out.clone().map_or_else(|| Ok(root()?.join(DEFAULT_OUT)), Ok)
}

fn record(args: &BenchArgs, plan: &EnginePlan) -> Run {
    let mut notes = Vec::new();
    if plan.builds == 1 {
        notes.push(
            "one build of each contestant: intervals span rounds over it and say nothing about \
             other builds; --full makes three"
                .to_owned(),
        );
    }
    Run {
        created: env::now_rfc3339(),
        command: command(args, plan),
        mode: if args.full { Mode::Full } else { Mode::Quick },
        host: env::host(),
        toolchain: env::toolchain(),
        source: env::workspace_root().as_deref().map(env::source).unwrap_or_default(),
        notes,
        engine: Some(Engine {
            k: engine::K,
            m: M,
            ef_construction: EF_CONSTRUCTION,
            builds: plan.builds,
            rounds: plan.rounds,
            clock: if clock::counts_cpu() { "thread CPU" } else { "wall" }.to_owned(),
            ..Engine::default()
        }),
        ..Run::default()
    }
}

fn command(args: &BenchArgs, plan: &EnginePlan) -> String {
    let mut words = vec!["cargo xtask bench --suite engine".to_owned()];
    words.extend(args.filter.iter().map(|f| quoted(f)));
    if args.full {
        words.push("--full".to_owned());
    }
    if !plan.only.is_empty() {
        words.push(format!("--variant {}", quoted(&plan.only.join(","))));
    }
    if let Some(data) = &args.data {
        words.push(format!("--data {}", quoted(&data.display().to_string())));
    }
    words.push(format!(
        "--builds {} --rounds {} --seed {}{}",
        plan.builds,
        plan.rounds,
        plan.seed,
        env::build_option()
    ));
    if cfg!(feature = "rivals") {
        words.push("--rivals".to_owned());
    }
    words.join(" ")
}

/// Rivals that this program does not hold.
fn left_out() -> Vec<NotRun> {
    if cfg!(feature = "rivals") {
        return Vec::new();
    }
    let why =
        "not in this build of the bench; `cargo xtask bench --suite engine --rivals` makes one";
    let names = ["hnsw_rs", "usearch", "ruvector-core, its index", "ruvector-core, its database"];
    names.map(|what| NotRun { what: what.to_owned(), why: why.to_owned() }).into()
}

fn add(all: &mut Engine, part: Engine) {
    all.points.extend(part.points);
    all.at_recall.extend(part.at_recall);
    all.ratios.extend(part.ratios);
    all.build.extend(part.build);
    all.filtered.extend(part.filtered);
    all.latency.extend(part.latency);
}

fn save(run: &Run, out_dir: &Path) -> Result<(), Stop> {
    let results = out_dir.join(RESULTS_FILE);
    run.save(&results).map_err(Stop::failed)?;
    // The page shows the record's figures, which are rounded.
    let run = Run::load(&results).map_err(Stop::failed)?;
    page::write(&run, out_dir.join(REPORT_FILE)).map_err(Stop::failed)
}

fn show(args: &BenchArgs, plan: &EnginePlan, sets: &[Dataset], out_dir: &Path) {
    for set in sets {
        out(&format!("{} ({} x {})\n", set.name(), set.base().rows, set.base().dim));
        if args.list {
            for contestant in plan.contestants() {
                out(&format!("    {}\n", contestant.name()));
            }
        }
    }
    if args.list {
        return;
    }
    let seconds: f64 = sets.iter().map(|s| estimate(s, plan)).sum();
    out(&format!(
        "{} contestants, {} builds, {} rounds over each; seed {}, results in {}\nabout {}\n",
        plan.contestants().len(),
        plan.builds,
        plan.rounds,
        plan.seed,
        out_dir.display(),
        human_time(seconds)
    ));
}

/// Seconds for a set, roughly: builds cost about 2 us a row and element, searches less.
fn estimate(set: &Dataset, plan: &EnginePlan) -> f64 {
    let contestants = plan.contestants().len() as f64;
    let values = (set.base().rows * set.base().dim) as f64;
    let build = contestants * (0.2 + values * 2e-6);
    let pass = set.query().rows as f64 * 12.0 * (50e-6 + set.base().dim as f64 * 2e-7);
    plan.builds as f64 * (build + contestants * pass * (plan.rounds as f64 + 1.0))
}

/// Progress on the terminal.
struct Steps<'a> {
    progress: Progress,
    stop: &'a AtomicBool,
    /// Steps of the set at hand.
    begun: usize,
    steps: usize,
}

impl Steps<'_> {
    /// What a set left out counts as done.
    fn set_done(&mut self) {
        for _ in self.begun..self.steps {
            self.progress.end();
        }
        self.begun = 0;
    }
}

impl Watch for Steps<'_> {
    fn begin(&mut self, what: &str) {
        self.progress.begin(what);
    }

    fn done(&mut self, what: &str) {
        if self.begun < self.steps {
            self.progress.end();
            self.begun += 1;
        }
        self.progress.begin(what);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
