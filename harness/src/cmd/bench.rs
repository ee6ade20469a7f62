//! `bench`: plan, measure cell by cell, keep each, write the record and the page.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use annvil_harness::env::{self, CpuTicks};
use annvil_harness::limits;
use annvil_harness::measure::{self, Policy};
use annvil_harness::protocol::{CacheSizes, CellSpec, Crew, Residence};
use annvil_harness::store::{self, Plan, REPORT_FILE, RESULTS_FILE, State};
use annvil_harness::suite::{Suite, matches};
use annvil_kernels::AnyOp;
use annvil_reports::page;
use annvil_reports::schema::{Mode, Run, Verdict};

use super::search::{self, Searches};
use super::{on_interrupt, summary};
use crate::cli::BenchArgs;
use crate::progress::{Progress, human_time, note, out};
use crate::stop::{INTERRUPTED, MISSING, Stop, UNDECIDED, WRONG};

/// Where results go unless told otherwise, from the workspace's root.
const DEFAULT_OUT: &str = "reports/out/latest";
/// Seed unless told otherwise.
pub(super) const SEED: u64 = 20_260_101;

pub(crate) fn run(args: &BenchArgs) -> Result<(), Stop> {
    if args.build.is_some() {
        return Err(Stop::usage(format!(
            "--build is for `cargo xtask bench`, which makes the build; this program is {}",
            env::build_name()
        )));
    }
    if args.rivals && !cfg!(feature = "rivals") {
        return Err(Stop::usage(
            "--rivals is for `cargo xtask bench`, which builds them; this program has none",
        ));
    }
    if args.builds.is_some() {
        return Err(Stop::usage("--builds is for --suite engine; this one has --processes"));
    }
    let exe = std::env::current_exe()
        .map_err(|e| Stop::failed(format!("cannot find this program's file: {e}")))?;
    let out_dir = out_dir(args)?;
    if args.list || args.dry_run {
        return show_plan(args, &plan(args, String::new())?, &out_dir);
    }
    let host = env::host();
    let fingerprint = store::fingerprint(&exe, &host.cpu)
        .map_err(|e| Stop::failed(format!("cannot read {}: {e}", exe.display())))?;
    let (mut state, searches) = open_state(args, fingerprint, &out_dir)?;
    let plan = state.header().plan.clone();
    let policy = policy(&plan);
    let stop = on_interrupt()?;

    let ticks = CpuTicks::now();
    let mut crew = Crew::new(exe, plan.seed);
    let finished = measure_all(&mut crew, &mut state, &plan, &policy, stop)?;
    // Workers hold memory and are not needed any more.
    drop(crew);
    if !finished {
        return Err(interrupted(&out_dir));
    }

    let mut run = record(&state, &plan, &policy);
    searches.run(&mut run, stop)?;
    if stop.load(Ordering::Relaxed) {
        return Err(interrupted(&out_dir));
    }
    run.host = host;
    run.host.steal_pct =
        ticks.zip(CpuTicks::now()).and_then(|(before, now)| now.steal_pct_since(before));
    run.command = command_line(&plan);
    let results = out_dir.join(RESULTS_FILE);
    run.save(&results).map_err(Stop::failed)?;
    // The record's figures are rounded; the page and the table shall show those and no others.
    let run = Run::load(&results).map_err(Stop::failed)?;
    let report = out_dir.join(REPORT_FILE);
    page::write(&run, &report).map_err(Stop::failed)?;
    if args.json {
        out(&run.to_json().map_err(Stop::failed)?);
    } else {
        out(&summary::table(&run));
        out(&format!("record {}\nreport {}\n", results.display(), report.display()));
    }
    verdict_of(args, &state, &run)
}

/// The end of a run that can go on later: every finished cell is kept.
fn interrupted(out_dir: &Path) -> Stop {
    let place = out_dir.display();
    note(&format!("interrupted; go on with: cargo xtask bench --resume {place}\n"));
    Stop { code: INTERRUPTED, why: String::new() }
}

/// The folder of the results.
fn out_dir(args: &BenchArgs) -> Result<PathBuf, Stop> {
    if let Some(run) = &args.resume {
        // The folder, or any file in it.
        let parent = run.parent().filter(|_| run.is_file());
        return Ok(parent.unwrap_or(run).to_path_buf());
    }
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    let root = env::workspace_root().ok_or_else(|| {
        Stop::usage("no workspace here: say --out DIR, or run inside the source tree")
    })?;
    Ok(root.join(DEFAULT_OUT))
}

/// The plan that the command line describes.
fn plan(args: &BenchArgs, fingerprint: String) -> Result<Plan, Stop> {
    let mode = args.mode();
    let suite = Suite::of(mode).map_err(Stop::failed)?;
    let selection = args.selection();
    let ops: Vec<String> = annvil_kernels::ops().iter().map(|op| op.path()).collect();
    let cells = suite.cells(&selection, &ops).map_err(Stop::usage)?;
    check_variants(&selection.variants, &cells)?;
    Ok(Plan {
        mode,
        selection,
        processes: args.processes.map_or(suite.processes, usize::from),
        rounds: args.rounds.map_or(suite.rounds, usize::from),
        extra_looks: suite.extra_looks,
        seed: args.seed.unwrap_or(SEED),
        fingerprint,
        cells,
        data: args.data.as_deref().map(absolute).transpose()?,
        force: search::force_spec()?,
        load_width: 0,
    })
}

/// A folder as the plan keeps it: the same from wherever the run is resumed.
fn absolute(dir: &Path) -> Result<String, Stop> {
    let whole = std::path::absolute(dir)
        .map_err(|e| Stop::usage(format!("--data {}: {e}", dir.display())))?;
    let text = whole.into_os_string().into_string();
    text.map_err(|_| Stop::usage(format!("--data {}: not UTF-8", dir.display())))
}

/// Every variant that was asked for has to exist, and at least one of each pattern has to run here.
fn check_variants(patterns: &[String], cells: &[CellSpec]) -> Result<(), Stop> {
    for pattern in patterns {
        let metas: Vec<_> = annvil_kernels::ops()
            .iter()
            .filter(|op| cells.iter().any(|c| c.op == op.path()))
            .flat_map(|op| measure::variants(*op))
            .filter(|v| matches(pattern, v.name))
            .collect();
        let Some(first) = metas.first() else {
            return Err(Stop::usage(format!(
                "no variant of these ops matches {pattern:?}; `cargo xtask kernels` lists them"
            )));
        };
        if let (true, Some(why)) = (metas.iter().all(|m| m.not_run.is_some()), &first.not_run) {
            return Err(Stop::new(MISSING, format!("{} cannot run here: {why}", first.name)));
        }
    }
    Ok(())
}

/// A fresh state, or the one to resume, and what is to be searched by its plan.
fn open_state(
    args: &BenchArgs,
    fingerprint: String,
    out_dir: &Path,
) -> Result<(State, Searches), Stop> {
    if args.resume.is_none() {
        let plan = plan(args, fingerprint)?;
        // Before an older run is replaced: a wrong folder is said at once.
        let searches = Searches::find(&plan)?;
        let plan = Plan { load_width: limits::load_width(), ..plan };
        let state = State::create(out_dir, env::now_rfc3339(), plan).map_err(Stop::failed)?;
        return Ok((state, searches));
    }
    let state = State::resume(out_dir).map_err(Stop::usage)?;
    let begun = state.header().plan.clone();
    let searches = Searches::find(&begun)?;
    let force = search::force_spec()?;
    // What is not said again is taken over.
    let data = args.data.as_deref().map(absolute).transpose()?.or_else(|| begun.data.clone());
    let force = if force.is_empty() { begun.force.clone() } else { force };
    let asked = if args.shapes_plan() { plan(args, fingerprint.clone())? } else { begun };
    let wanted = Plan { fingerprint, data, force, ..asked };
    state.check_plan(&wanted).map_err(Stop::usage)?;
    note(&format!(
        "resuming: {} of {} cells are done\n",
        state.finished().len(),
        state.header().plan.cells.len()
    ));
    Ok((state, searches))
}

fn policy(plan: &Plan) -> Policy {
    let set = CacheSizes::detect().working_set(Residence::Dram) as u64;
    // Half of the free memory may stay with the workers; one more holds its set for a while.
    let kept = |free: u64| {
        usize::try_from(free / 2 / set.max(1)).map_or(usize::MAX, |n| n.saturating_sub(1))
    };
    Policy {
        processes: plan.processes,
        rounds: plan.rounds,
        extra_looks: plan.extra_looks,
        keep_memory: env::memory_available().map_or(usize::MAX, kept),
        // An older state file has none.
        load_width: if plan.load_width == 0 { limits::load_width() } else { plan.load_width },
    }
}

/// Measures what is left; false if interrupted.
fn measure_all(
    crew: &mut Crew,
    state: &mut State,
    plan: &Plan,
    policy: &Policy,
    stop: &AtomicBool,
) -> Result<bool, Stop> {
    let cells = state.remaining();
    let mut progress = Progress::new(cells.len());
    for cell in &cells {
        progress.begin(&cell.to_string());
        let op = find(cell)?;
        let measured = measure::cell(crew, op, cell, &plan.selection, policy, stop);
        let finished = match measured {
            Ok(Some(finished)) => finished,
            Ok(None) => {
                progress.finish();
                return Ok(false);
            }
            // A worker that shares the terminal may have died of the same Ctrl-C.
            Err(_) if stop.load(Ordering::Relaxed) => {
                progress.finish();
                return Ok(false);
            }
            Err(e) => {
                progress.finish();
                return Err(Stop::failed(format!("{cell}: {e}")));
            }
        };
        for wrong in &finished.wrong {
            progress.finish();
            note(&format!("WRONG {wrong}\n"));
        }
        state.append(finished).map_err(Stop::failed)?;
        progress.end();
    }
    progress.finish();
    Ok(true)
}

fn find(cell: &CellSpec) -> Result<&'static dyn AnyOp, Stop> {
    annvil_kernels::find(&cell.op).map_err(Stop::usage)
}

/// The record but for the host.
fn record(state: &State, plan: &Plan, policy: &Policy) -> Run {
    let order = |cell: &CellSpec| plan.cells.iter().position(|c| c == cell);
    let mut finished: Vec<_> = state.finished().iter().collect();
    finished.sort_by_key(|f| order(&f.cell));
    let sizes = CacheSizes::detect();
    Run {
        created: state.header().created.clone(),
        mode: plan.mode,
        rule: policy.rule_record(),
        toolchain: env::toolchain(),
        source: env::workspace_root().as_deref().map(env::source).unwrap_or_default(),
        limits: limits::session(
            policy.load_width,
            &Residence::ALL.map(|r| (r, sizes.working_set(r))),
        ),
        cells: finished.iter().flat_map(|f| f.rows.iter().cloned()).collect(),
        ..Run::default()
    }
}

/// The command that repeats the run.
fn command_line(plan: &Plan) -> String {
    let mut words = vec![search::bench_command(&plan.force)];
    words.extend(plan.selection.filters.iter().map(|f| quoted(f)));
    if plan.mode == Mode::Full {
        words.push("--full".to_owned());
    }
    let mut list = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            words.push(format!("--{name} {}", quoted(&values.join(","))));
        }
    };
    let s = &plan.selection;
    list("op", s.ops.clone());
    list("dim", s.dims.iter().map(usize::to_string).collect());
    list("residence", s.residences.iter().map(|r| r.to_string()).collect());
    list("align", s.alignments.iter().map(|a| a.to_string()).collect());
    list("variant", s.variants.clone());
    // Not a list: a comma in it is its own.
    words.extend(plan.data.iter().map(|d| format!("--data {}", quoted(d))));
    words.push(format!(
        "--processes {} --rounds {} --seed {}{}",
        plan.processes,
        plan.rounds,
        plan.seed,
        env::build_option()
    ));
    words.join(" ")
}

/// A word as a shell takes it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._,@-+=:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn show_plan(args: &BenchArgs, plan: &Plan, out_dir: &Path) -> Result<(), Stop> {
    if args.json {
        let text = serde_json::to_string_pretty(&plan).map_err(Stop::failed)?;
        out(&format!("{text}\n"));
        return Ok(());
    }
    if args.list {
        for cell in &plan.cells {
            out(&format!("{cell}\n"));
        }
        return Ok(());
    }
    let seconds: f64 = plan.cells.iter().map(|c| estimate(c, plan)).sum();
    out(&format!(
        "{} suite: {} cells, {} processes of {} rounds each, {} further looks where undecided\n\
         seed {}, results in {}\n\
         about {}\n",
        plan.mode,
        plan.cells.len(),
        plan.processes,
        plan.rounds,
        plan.extra_looks,
        plan.seed,
        out_dir.display(),
        human_time(seconds)
    ));
    Ok(())
}

/// Seconds for a cell: rounds and calibration of every variant, and what preparing costs. A batch
/// lasts 35 us where it can; slow variants on large rows take a few times that.
fn estimate(cell: &CellSpec, plan: &Plan) -> f64 {
    let variants = annvil_kernels::find(&cell.op).map_or(0, |op| {
        let runs =
            |v: &&annvil_kernels::VariantMeta| v.not_run.is_none() && plan.selection.takes(v.name);
        measure::variants(op).iter().filter(runs).count()
    });
    let batches = (plan.rounds + 15) * variants;
    let prepare = match cell.residence {
        Residence::L1 => 0.003,
        Residence::L2 | Residence::L3 => 0.02,
        Residence::Dram => 0.1,
    };
    plan.processes as f64 * (batches as f64 * 50e-6 + prepare)
}

/// The exit that the results deserve.
fn verdict_of(args: &BenchArgs, state: &State, run: &Run) -> Result<(), Stop> {
    let wrong: usize = state.finished().iter().map(|f| f.wrong.len()).sum();
    if wrong > 0 {
        return Err(Stop::new(WRONG, format!("{wrong} wrong answers or dispatches, see above")));
    }
    search::verdict(run)?;
    let open = run
        .groups()
        .iter()
        .filter(|g| matches!(g.verdict(), Some(Verdict::Undecided | Verdict::Noisy)))
        .count();
    if args.fail_noisy && open > 0 {
        return Err(Stop::new(UNDECIDED, format!("{open} cells are undecided or noisy")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("f32/l2sq/pair"), "f32/l2sq/pair");
        assert_eq!(quoted("*/pair"), "'*/pair'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
