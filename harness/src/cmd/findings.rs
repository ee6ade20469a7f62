//! `findings`: the performance report's list, row by row.

use std::path::Path;

use annvil_harness::env;
use annvil_harness::findings::{Accepted, Lab, ROWS, table};
use annvil_reports::findings::{Findings, SCHEMA};
use annvil_reports::schema::write_atomically;

use super::{on_interrupt, selected};
use crate::cli::FindingsArgs;
use crate::progress::{Progress, note, out};
use crate::stop::{INTERRUPTED, Stop};

/// A row that passed before clearly falls short.
const FALLEN: u8 = 3;

pub(crate) fn run(args: &FindingsArgs) -> Result<(), Stop> {
    let stop = on_interrupt()?;
    let root = env::workspace_root();
    let at = |path: &str| root.as_deref().unwrap_or(Path::new(".")).join(path);
    let accepted_at = at("reports/record/findings.json");
    let mut accepted = Accepted::load(&accepted_at).map_err(Stop::failed)?;
    let rows: Vec<_> = ROWS.iter().filter(|r| selected(&args.filter, r.id)).collect();
    if rows.is_empty() {
        let ids: Vec<&str> = ROWS.iter().map(|r| r.id).collect();
        return Err(Stop::usage(format!("no finding of that name; there are {}", ids.join(", "))));
    }
    if args.record && !args.filter.is_empty() {
        return Err(Stop::usage("--record takes all findings; name none"));
    }
    let lab = Lab { quick: args.quick, seed: args.seed, stop, root: root.clone() };
    let mut run = Findings {
        schema: SCHEMA.to_owned(),
        created: env::now_rfc3339(),
        command: command(args),
        mode: if args.quick { "quick" } else { "full" }.to_owned(),
        host: env::host(),
        toolchain: env::toolchain(),
        source: root.as_deref().map(env::source).unwrap_or_default(),
        findings: Vec::new(),
        notes: vec![
            "The form that was found and ours run in one process, in random order round by round. \
             Intervals cover the median over rounds with 95 %; they do not cover what differs \
             between processes. PASS takes the whole interval."
                .to_owned(),
        ],
    };
    let mut progress = Progress::new(rows.len());
    for row in rows {
        progress.begin(row.id);
        let found = row.run(&lab);
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            break;
        }
        run.findings.push(found);
        progress.end();
    }
    progress.finish();
    let interrupted = stop.load(std::sync::atomic::Ordering::Relaxed);
    let text = serde_json::to_string_pretty(&run).map_err(Stop::failed)? + "\n";
    out(&if args.json { text.clone() } else { table(&run) });
    if interrupted {
        return Err(Stop::new(INTERRUPTED, "interrupted; nothing was written"));
    }
    let dir = args.out.clone().unwrap_or_else(|| at("reports/out/findings"));
    write(&dir.join("findings.json"), &text)?;
    write(&dir.join("findings.html"), &run.page())?;
    note(&format!("{}\n", dir.join("findings.html").display()));
    if args.record {
        accepted.record(&run);
        accepted.save(&accepted_at).map_err(Stop::failed)?;
        return Ok(());
    }
    if !accepted.knows(&run) {
        note("no accepted rows are recorded for this machine and mode (--record)\n");
    }
    let fallen = accepted.fallen(&run);
    if fallen.is_empty() {
        return Ok(());
    }
    Err(Stop::new(FALLEN, format!("passed before, falls short now: {}", fallen.join(", "))))
}

fn command(args: &FindingsArgs) -> String {
    let quick = if args.quick { " --quick" } else { "" };
    let filter: String = args.filter.iter().map(|f| format!(" {f}")).collect();
    format!("cargo xtask findings{filter}{quick} --seed {}", args.seed)
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    let failed = |e: std::io::Error| Stop::failed(format!("{}: {e}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    write_atomically(path, text.as_bytes()).map_err(failed)
}
