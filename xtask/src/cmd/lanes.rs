//! `cargo xtask lanes`: no variant that ran nowhere.

use crate::exit::{Outcome, Stop};
use crate::ledger::{self, Row};
use crate::shell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "\
cargo xtask lanes [--excuse NAME[,NAME]]

Merges the coverage ledgers that `cargo xtask test` left, and fails with code 5 if an (op, variant) ran in no lane.
A ledger older than the kernels' sources does not count.

  --excuse NAME   a lane that could not be had here (aarch64, wasm), a level (avx512), or `host` for the levels that
                  this CPU lacks: its variants are listed but do not fail the check

Examples
  cargo xtask test --lane all && cargo xtask lanes
  cargo xtask lanes --excuse aarch64,host
";

/// The levels that run natively on x86-64, with the CPU flag that each needs.
const X86_LEVELS: &[(&str, &str)] = &[
    ("sse42", "sse4_2"),
    ("avx2", "avx2"),
    ("avx512", "avx512f"),
    ("avx512bf16", "avx512_bf16"),
    ("avx512vnni", "avx512_vnni"),
    ("avx512vbmi", "avx512_vbmi2"),
    ("avx512popcnt", "avx512_vpopcntdq"),
];

/// Reasons for which a row can run nowhere, ever: it stands in the registry only to say so.
const IMPOSSIBLE: &[&str] =
    &["SimSIMD has no such metric", "two sums a row do not fit into one output"];

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    let excused = excused_levels(&shell::texts(&args))?;
    let dir = shell::ledger_dir();
    let (current, stale) = ledgers(&dir, &shell::root().join("kernels").join("src"));
    for path in stale {
        println!(
            "{} is older than the kernels and does not count; run its lane again",
            path.display()
        );
    }
    if current.is_empty() {
        return Err(Stop::wrong(format!(
            "no ledger in {}; `cargo xtask test` writes one",
            dir.display()
        )));
    }

    let mut merged = Coverage::default();
    for path in current {
        let lane = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        merged.add(&lane, ledger::read(&path)?);
    }
    let (lost, forgiven): (Vec<_>, Vec<_>) = merged
        .nowhere()
        .into_iter()
        .partition(|(why, row)| !excused.contains(&row.level) && !IMPOSSIBLE.contains(why));
    print!("{}", merged.overview());
    if !forgiven.is_empty() {
        println!(
            "ran in no lane, excused: their lane or level is not to be had here, or they cannot exist:"
        );
        print!("{}", ledger::by_reason(forgiven.into_iter()));
    }
    if lost.is_empty() {
        return Ok(());
    }
    println!("ran in NO lane:");
    let count = lost.len();
    print!("{}", ledger::by_reason(lost.into_iter()));
    Err(Stop::wrong(format!("{count} (op, variant) ran in no lane; they are named above")))
}

/// The ledgers that count, and those that do not because the kernels changed since.
fn ledgers(dir: &Path, kernels: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
    found.sort();
    found.into_iter().partition(|p| ledger::is_current(p, kernels))
}

fn excused_levels(args: &[String]) -> Result<BTreeSet<String>, Stop> {
    let mut levels = BTreeSet::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let list = match arg.strip_prefix("--excuse") {
            Some("") => args.next().cloned(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        let Some(list) = list else {
            return Err(Stop::usage(format!(
                "`{arg}` is not understood; see `cargo xtask lanes --help`"
            )));
        };
        for name in list.split(',').filter(|n| !n.is_empty()) {
            let own = |level: &str| vec![level.to_owned()];
            levels.extend(match name {
                "aarch64" => vec!["neon".to_owned(), "neondot".to_owned()],
                "neon" | "neondot" => own(name),
                "wasm" | "simd128" => own("simd128"),
                "host" => absent_here(),
                level if X86_LEVELS.iter().any(|(l, _)| *l == level) => own(level),
                _ => {
                    return Err(Stop::usage(format!(
                        "`{name}` is neither a lane, a level nor `host`"
                    )));
                }
            });
        }
    }
    Ok(levels)
}

/// The x86-64 levels that this CPU lacks, as the kernel of the system lists its flags.
fn absent_here() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags: BTreeSet<&str> = text
        .lines()
        .find(|l| l.starts_with("flags"))
        .into_iter()
        .flat_map(str::split_whitespace)
        .collect();
    X86_LEVELS
        .iter()
        .filter(|(_, flag)| !flags.contains(flag))
        .map(|(level, _)| (*level).to_owned())
        .collect()
}

/// Every (op, variant) that some lane knows of.
#[derive(Default)]
struct Coverage {
    rows: BTreeMap<(String, String), Row>,
    lanes: BTreeMap<String, usize>,
}

impl Coverage {
    fn add(&mut self, lane: &str, rows: Vec<Row>) {
        let ran = self.lanes.entry(lane.to_owned()).or_default();
        for row in rows {
            *ran += usize::from(row.ran.is_ok());
            let known = self
                .rows
                .entry((row.op.clone(), row.variant.clone()))
                .or_insert_with(|| row.clone());
            // A lane that could run it knows best; then one that knows that none can.
            let settled = |r: &Row| {
                r.ran.as_ref().map_or_else(|why| IMPOSSIBLE.contains(&why.as_str()), |_| true)
            };
            if row.ran.is_ok() || (!settled(known) && settled(&row)) {
                *known = row;
            }
        }
    }

    /// What ran in no lane, with the reason that the first lane gave.
    fn nowhere(&self) -> Vec<(&str, &Row)> {
        self.rows.values().filter_map(|r| Some((r.ran.as_ref().err()?.as_str(), r))).collect()
    }

    fn overview(&self) -> String {
        let lanes: Vec<String> =
            self.lanes.iter().map(|(lane, ran)| format!("{lane} {ran}")).collect();
        let ran = self.rows.len() - self.nowhere().len();
        format!(
            "{ran} of {} (op, variant) ran in some lane: {}\n",
            self.rows.len(),
            lanes.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(variant: &str, ran: Result<u64, String>) -> Row {
        Row { op: "f32/dot/pair".into(), variant: variant.into(), level: "neon".into(), ran }
    }

    #[test]
    fn one_lane_is_enough_and_none_is_named() {
        let mut all = Coverage::default();
        all.add("native", vec![row("neon-x4", Err("no".into())), row("neon-x1", Err("no".into()))]);
        all.add("aarch64", vec![row("neon-x4", Ok(3))]);
        all.add("wasm", vec![row("neon-x4", Err("no".into()))]);
        let lost: Vec<_> = all.nowhere().into_iter().map(|(_, r)| r.variant.as_str()).collect();
        assert_eq!(lost, ["neon-x1"]);
        assert!(all.overview().starts_with("1 of 2 "));
    }

    #[test]
    fn what_cannot_exist_is_known_from_any_lane() {
        let mut all = Coverage::default();
        all.add("wasm", vec![row("simsimd", Err("needs a C compiler".into()))]);
        all.add("native", vec![row("simsimd", Err(IMPOSSIBLE[0].into()))]);
        assert_eq!(all.nowhere()[0].0, IMPOSSIBLE[0]);
    }

    #[test]
    fn excuses_are_named_exactly() {
        let levels = |arg: &str| excused_levels(&[arg.to_owned()]);
        assert_eq!(
            levels("--excuse=aarch64,avx512").unwrap(),
            BTreeSet::from(["neon".into(), "neondot".into(), "avx512".into()])
        );
        assert!(levels("--excuse=everything").is_err());
        assert!(levels("--excuse").is_err());
        assert!(levels("aarch64").is_err());
    }
}
