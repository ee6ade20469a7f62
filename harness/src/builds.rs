//! Builds of one program against each other: the same workloads, processes alternated.
//!
//! Each round starts every build once, forward in even rounds and backward in odd ones, so drift
//! hits all alike. A round gives one log ratio to the first build for each workload; Student's t
//! over rounds gives the interval. Answers must be the same in every build.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use crate::verdict::quantile_upper;

/// A program to start.
#[derive(Debug, Clone)]
pub struct Program {
    /// The build's name.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
}

/// What a program prints about one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// Which workload.
    pub name: String,
    /// What was waited or worked for it.
    pub seconds: f64,
    /// Of what: `cpu` on one thread, `wall` on several.
    pub clock: String,
    /// A hash of all answers.
    pub answers: String,
}

#[derive(Debug, Deserialize)]
struct Printed {
    schema: String,
    workloads: Vec<Timed>,
}

/// The format of what the programs print.
pub const SCHEMA: &str = "annvil.pgo/2";

/// Why builds cannot be judged.
#[derive(Debug)]
pub enum BuildsError {
    /// A program that does not start, fails, or prints something else.
    Program {
        /// The build.
        name: String,
        /// What happened.
        why: String,
    },
    /// Two builds answer differently.
    Answers {
        /// The build.
        name: String,
        /// The workload.
        workload: String,
    },
}

impl fmt::Display for BuildsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program { name, why } => write!(f, "build {name}: {why}"),
            Self::Answers { name, workload } => write!(
                f,
                "build {name} answers {workload} differently than the first build; a faster wrong \
                 answer is no gain"
            ),
        }
    }
}

impl std::error::Error for BuildsError {}

/// What is said of a build and a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Change {
    /// The whole interval is below 1 by more than the margin.
    Faster,
    /// The whole interval is above 1 by more than the margin.
    Slower,
    /// The whole interval is within twice the margin of 1.
    Same,
    /// None of these; more processes may tell.
    Undecided,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Faster => "FASTER",
            Self::Slower => "SLOWER",
            Self::Same => "SAME",
            Self::Undecided => "UNDECIDED",
        })
    }
}

/// A build against the first one, in one workload: time over time, below 1 is faster.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// The build.
    pub build: String,
    /// The workload.
    pub workload: String,
    /// Of what: `cpu` or `wall`.
    pub clock: String,
    /// The geometric mean.
    pub ratio: f64,
    /// Lower end of the 95 % interval.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
    /// In a word.
    pub change: Change,
}

/// The smallest relative difference that counts.
pub const MARGIN: f64 = 0.01;

/// The ratio of paired times with its interval. At least two pairs of positive times.
#[must_use]
pub fn ratio(build: &str, workload: &str, clock: &str, pairs: &[(f64, f64)]) -> Ratio {
    let logs: Vec<f64> = pairs.iter().map(|(base, new)| (new / base).ln()).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let half = quantile_upper(0.025, n - 1.0) * (variance / n).sqrt();
    let (lo, hi) = ((mean - half).exp(), (mean + half).exp());
    let change = if hi < 1.0 - MARGIN {
        Change::Faster
    } else if lo > 1.0 + MARGIN {
        Change::Slower
    } else if lo > 1.0 - 2.0 * MARGIN && hi < 1.0 + 2.0 * MARGIN {
        Change::Same
    } else {
        Change::Undecided
    };
    Ratio {
        build: build.to_owned(),
        workload: workload.to_owned(),
        clock: clock.to_owned(),
        ratio: mean.exp(),
        lo,
        hi,
        change,
    }
}

/// Whether a build loses more than `max_regress` (a share), and not by chance alone.
#[must_use]
pub fn regressed(ratio: &Ratio, max_regress: f64) -> bool {
    ratio.ratio > 1.0 + max_regress && ratio.lo > 1.0
}

/// Starts every program `processes` times and compares all with the first. `None` if `stop` was set
/// meanwhile. `tell` hears of every start: how many are done, of how many, and which is next.
///
/// # Errors
/// A program that fails, or whose answers differ from the first one's.
pub fn contest(
    programs: &[Program],
    args: &[String],
    folder: &Path,
    processes: usize,
    stop: &AtomicBool,
    mut tell: impl FnMut(usize, usize, &str),
) -> Result<Option<Vec<Ratio>>, BuildsError> {
    let mut times: BTreeMap<(usize, String), Vec<f64>> = BTreeMap::new();
    let mut first: Vec<Timed> = Vec::new();
    let total = processes * programs.len();
    for round in 0..processes {
        let mut order: Vec<usize> = (0..programs.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (done, &i) in order.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let program = &programs[i];
            tell(round * programs.len() + done, total, &program.name);
            let timed = start(program, args, folder)?;
            if first.is_empty() {
                first.clone_from(&timed);
            }
            agree(program, &first, &timed)?;
            for t in timed {
                times.entry((i, t.name)).or_default().push(t.seconds);
            }
        }
    }
    let mut ratios = Vec::new();
    for (i, program) in programs.iter().enumerate().skip(1) {
        for workload in &first {
            let of = |i: usize| times.get(&(i, workload.name.clone()));
            let (Some(base), Some(new)) = (of(0), of(i)) else { continue };
            let pairs: Vec<_> = base.iter().copied().zip(new.iter().copied()).collect();
            ratios.push(ratio(&program.name, &workload.name, &workload.clock, &pairs));
        }
    }
    Ok(Some(ratios))
}

/// The same workloads with the same answers.
fn agree(program: &Program, first: &[Timed], timed: &[Timed]) -> Result<(), BuildsError> {
    let differs = |workload: &str| BuildsError::Answers {
        name: program.name.clone(),
        workload: workload.to_owned(),
    };
    for (a, b) in first.iter().zip(timed) {
        if a.name != b.name || a.answers != b.answers {
            return Err(differs(&b.name));
        }
    }
    if first.len() != timed.len() {
        return Err(differs("another number of workloads"));
    }
    Ok(())
}

fn start(program: &Program, args: &[String], folder: &Path) -> Result<Vec<Timed>, BuildsError> {
    let failed = |why: String| BuildsError::Program { name: program.name.clone(), why };
    let mut command = Command::new(&program.path);
    command.args(args).current_dir(folder).stdin(Stdio::null());
    let out = command.output().map_err(|e| failed(format!("{}: {e}", program.path.display())))?;
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        return Err(failed(format!("ended with {}: {said}", out.status)));
    }
    let printed: Printed =
        serde_json::from_slice(&out.stdout).map_err(|e| failed(format!("its output: {e}")))?;
    if printed.schema != SCHEMA {
        return Err(failed(format!("prints {}, not {SCHEMA}: build it again", printed.schema)));
    }
    let bad = |t: &&Timed| !(t.seconds > 0.0 && t.seconds.is_finite());
    if let Some(t) = printed.workloads.iter().find(bad) {
        return Err(failed(format!("{} took {} s: no time", t.name, t.seconds)));
    }
    Ok(printed.workloads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(ratio: f64, noise: f64) -> Vec<(f64, f64)> {
        (0..8).map(|i| (1.0, ratio * (1.0 + noise * (f64::from(i) - 3.5) / 3.5))).collect()
    }

    #[test]
    fn what_is_faster_slower_or_the_same_is_told_apart() {
        let of = |r, noise| ratio("b", "w", "cpu", &pairs(r, noise)).change;
        assert_eq!(of(0.90, 0.02), Change::Faster);
        assert_eq!(of(1.10, 0.02), Change::Slower);
        assert_eq!(of(1.0, 0.005), Change::Same);
        assert_eq!(of(0.98, 0.2), Change::Undecided);
    }

    #[test]
    fn the_interval_holds_the_ratio_and_a_loss_by_chance_is_none() {
        let clear = ratio("b", "w", "cpu", &pairs(1.05, 0.01));
        assert!(clear.lo < 1.05 && 1.05 < clear.hi && (clear.ratio - 1.05).abs() < 0.01);
        assert!(regressed(&clear, 0.02) && !regressed(&clear, 0.06));
        assert!(!regressed(&ratio("b", "w", "cpu", &pairs(1.05, 0.3)), 0.02));
    }

    #[cfg(unix)]
    #[test]
    fn programs_alternate_and_must_agree() {
        let dir = tempfile::tempdir().unwrap();
        let script = |name: &str, seconds: &str, answers: &str| {
            use std::os::unix::fs::PermissionsExt;
            let path = dir.path().join(name);
            let text = format!(
                "#!/bin/sh\necho {name} >> {0}/order\necho '{{\"schema\":\"{SCHEMA}\",\"workloads\":[{{\"name\":\"w\",\
                 \"seconds\":{seconds},\"clock\":\"cpu\",\"answers\":\"{answers}\"}}]}}'\n",
                dir.path().display()
            );
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            Program { name: name.to_owned(), path }
        };
        let (base, fast) = (script("base", "1.0", "x"), script("fast", "0.5", "x"));
        let go = AtomicBool::new(false);
        let run = |programs: &[Program]| contest(programs, &[], dir.path(), 2, &go, |_, _, _| {});
        let ratios = run(&[base.clone(), fast]).unwrap().unwrap();
        assert_eq!((ratios.len(), ratios[0].change), (1, Change::Faster));
        assert!((ratios[0].ratio - 0.5).abs() < 1e-12);
        let order = std::fs::read_to_string(dir.path().join("order")).unwrap();
        assert_eq!(order.split_whitespace().collect::<Vec<_>>(), ["base", "fast", "fast", "base"]);

        let wrong = script("wrong", "0.1", "y");
        assert!(matches!(run(&[base.clone(), wrong]), Err(BuildsError::Answers { .. })));
        let absent = Program { name: "absent".into(), path: dir.path().join("no") };
        assert!(matches!(run(&[base, absent]), Err(BuildsError::Program { .. })));
    }
}
