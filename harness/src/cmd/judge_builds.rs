//! `judge-builds`: builds of the training program against each other, for `cargo xtask pgo verify`.

use std::path::{Path, PathBuf};

use annvil_harness::builds::{Change, Program, Ratio, contest, regressed};

use super::on_interrupt;
use crate::cli::JudgeBuildsArgs;
use crate::progress::{Progress, out};
use crate::stop::{INTERRUPTED, Stop, WRONG};

/// A build loses more than it may.
const REGRESSED: u8 = 3;

pub(crate) fn run(args: &JudgeBuildsArgs) -> Result<(), Stop> {
    let programs = args.build.iter().map(|b| program(b)).collect::<Result<Vec<_>, _>>()?;
    if programs.len() < 2 {
        return Err(Stop::usage(
            "at least two builds: the first is what the others are compared with",
        ));
    }
    let stop = on_interrupt()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut progress = Progress::new(usize::from(args.processes) * programs.len());
    let ratios =
        contest(&programs, &args.run, root, args.processes.into(), stop, |done, _, name| {
            if done > 0 {
                progress.end();
            }
            progress.begin(name);
        });
    progress.finish();
    let ratios = ratios.map_err(|e| Stop::new(WRONG, e))?;
    let Some(ratios) = ratios else { return Err(Stop::new(INTERRUPTED, "interrupted")) };
    let max_regress = args.max_regress / 100.0;
    let lost: Vec<&Ratio> = ratios.iter().filter(|r| regressed(r, max_regress)).collect();
    let record = serde_json::json!({
        "schema": "annvil.builds_verdict/1", "base": programs[0].name, "processes": args.processes,
        "run": args.run, "max_regress_pct": args.max_regress, "ratios": ratios,
    });
    write(&args.out, &record)?;
    if args.json {
        out(&format!("{record:#}\n"));
    } else {
        out(&table(&programs[0].name, &ratios));
        out(&said(&ratios));
    }
    if lost.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = lost
        .iter()
        .map(|r| format!("{} in {} by {:.1} %", r.build, r.workload, (r.ratio - 1.0) * 100.0))
        .collect();
    Err(Stop::new(REGRESSED, format!("slower than {}: {}", programs[0].name, names.join("; "))))
}

fn program(text: &str) -> Result<Program, Stop> {
    let (name, path) = text
        .split_once('=')
        .filter(|(n, p)| !n.is_empty() && !p.is_empty())
        .ok_or_else(|| Stop::usage(format!("`{text}`: --build takes NAME=PATH")))?;
    Ok(Program { name: name.to_owned(), path: PathBuf::from(path) })
}

fn write(path: &Path, record: &serde_json::Value) -> Result<(), Stop> {
    let failed = |e: std::io::Error| Stop::failed(format!("{}: {e}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, format!("{record:#}\n")).map_err(failed)
}

fn table(base: &str, ratios: &[Ratio]) -> String {
    let mut text = format!(
        "{:<12} {:<34} {:<5} {:>8} {:>17}  verdict     (time / time of {base}; below 1 is faster)\n",
        "build", "workload", "clock", "ratio", "95 % interval"
    );
    for r in ratios {
        let interval = format!("[{:.3}, {:.3}]", r.lo, r.hi);
        text += &format!(
            "{:<12} {:<34} {:<5} {:>8.3} {interval:>17}  {}\n",
            r.build, r.workload, r.clock, r.ratio, r.change
        );
    }
    text
}

/// Whether the 5 % to 15 % that profile-guided builds are said to bring were seen.
fn said(ratios: &[Ratio]) -> String {
    let mut builds: Vec<&str> = ratios.iter().map(|r| r.build.as_str()).collect();
    builds.dedup();
    let mut text = String::new();
    for build in builds {
        let of: Vec<&Ratio> = ratios.iter().filter(|r| r.build == build).collect();
        let gained =
            of.iter().filter(|r| r.change == Change::Faster && r.ratio <= 1.0 / 1.05).count();
        let slower = of.iter().filter(|r| r.change == Change::Slower).count();
        let mean = (of.iter().map(|r| r.ratio.ln()).sum::<f64>() / of.len() as f64).exp();
        text += &format!(
            "{build}: {gained} of {} workloads gain 5 % or more, {slower} are slower; geometric mean of the ratios {mean:.3}\n",
            of.len()
        );
    }
    text
}
