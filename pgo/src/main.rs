//! The workloads that profile-guided builds are trained on and judged by.
//!
//! `train` and `holdout` do the same work on different halves of the queries: the even ones and the
//! odd ones. Every answer is compared with the ground truth, so a build that is fast and wrong
//! fails here.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line's output")]

mod clock;
mod files;
mod planted;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use workload::{Half, Outcome};

const USAGE: &str = "\
usage: annvil-pgo train|holdout [--data DIR].. [--repeat N] [--threads N] [--json]

  train      search the even queries; run this with an instrumented build
  holdout    search the odd queries; run this with the builds to compare

  --data DIR    also search a data set: base.*, query.*, groundtruth_dist.fvecs; may be
                given several times
  --repeat N    how often each workload is done (default 20)
  --threads N   threads of the shared searches (default 2)
  --json        one JSON object instead of a table

exit codes: 0 ok, 1 failure, 2 usage, 5 wrong answer, 6 data set missing

examples:
  annvil-pgo train --repeat 5
  annvil-pgo holdout --data harness/data/digits --json";

/// Why the command ends early: its exit code and what to say.
#[derive(Debug)]
pub(crate) struct Stop {
    code: u8,
    why: String,
}

impl Stop {
    pub(crate) fn failed(why: impl ToString) -> Self {
        Self { code: 1, why: why.to_string() }
    }

    fn usage(why: impl ToString) -> Self {
        Self { code: 2, why: format!("{}\n\n{USAGE}", why.to_string()) }
    }

    pub(crate) fn wrong(why: impl ToString) -> Self {
        Self { code: 5, why: why.to_string() }
    }

    pub(crate) fn missing(why: impl ToString) -> Self {
        Self { code: 6, why: why.to_string() }
    }
}

struct Options {
    half: Half,
    data: Vec<PathBuf>,
    repeat: usize,
    threads: usize,
    json: bool,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|w| w == "--help" || w == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match parse(words).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            eprintln!("annvil-pgo: {}", stop.why);
            ExitCode::from(stop.code)
        }
    }
}

fn parse(words: Vec<String>) -> Result<Options, Stop> {
    let mut words = words.into_iter();
    let half = match words.next().as_deref() {
        Some("train") => Half::Train,
        Some("holdout") => Half::Holdout,
        Some(other) => return Err(Stop::usage(format!("unknown command {other}"))),
        None => return Err(Stop::usage("a command is needed")),
    };
    let mut options = Options { half, data: Vec::new(), repeat: 20, threads: 2, json: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| Stop::usage(format!("{word} needs a value")));
        match &word[..] {
            "--data" => options.data.push(value()?.into()),
            "--repeat" => options.repeat = count(&word, &value()?)?,
            "--threads" => options.threads = count(&word, &value()?)?,
            "--json" => options.json = true,
            _ => return Err(Stop::usage(format!("unknown option {word}"))),
        }
    }
    Ok(options)
}

fn count(option: &str, value: &str) -> Result<usize, Stop> {
    match value.parse() {
        Ok(n @ 1..=10_000) => Ok(n),
        _ => Err(Stop::usage(format!("{option} {value}: give a number from 1 to 10000"))),
    }
}

fn run(options: &Options) -> Result<(), Stop> {
    let mut sets = planted::sets().map_err(Stop::failed)?;
    for dir in &options.data {
        sets.push(files::open(dir)?);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(Stop::failed)?;
    let mut outcomes = Vec::new();
    for set in sets {
        outcomes.extend(workload::run(set, options.half, options.repeat, &pool)?);
    }
    if options.json {
        print_json(options, &outcomes)
    } else {
        print_table(&outcomes)
    }
    Ok(())
}

fn print_table(outcomes: &[Outcome]) {
    println!(
        "{:<34} {:>7} {:>5} {:>10} {:>9} {:<5} {:>11}",
        "workload", "rows", "dim", "operations", "seconds", "clock", "per second"
    );
    for o in outcomes {
        println!(
            "{:<34} {:>7} {:>5} {:>10} {:>9.4} {:<5} {:>11.0}",
            o.name,
            o.rows,
            o.dim,
            o.operations,
            o.seconds,
            o.clock.name(),
            o.operations as f64 / o.seconds
        );
    }
}

fn print_json(options: &Options, outcomes: &[Outcome]) {
    let workloads: Vec<_> = outcomes
        .iter()
        .map(|o| {
            serde_json::json!({
                "name": o.name, "rows": o.rows, "dim": o.dim, "operations": o.operations,
                "seconds": o.seconds, "clock": o.clock.name(), "answers": format!("{:016x}", o.answers),
            })
        })
        .collect();
    let all = serde_json::json!({
        "schema": "annvil.pgo/2",
        "half": options.half.name(),
        "repeat": options.repeat,
        "threads": options.threads,
        "workloads": workloads,
    });
    println!("{all}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(words: &[&str]) -> u8 {
        let parsed = parse(words.iter().map(|w| (*w).to_owned()).collect());
        parsed.and_then(|options| run(&options)).map_or_else(|stop| stop.code, |()| 0)
    }

    #[test]
    fn both_halves_are_answered_right() {
        assert_eq!(code(&["train", "--repeat", "1"]), 0);
        assert_eq!(code(&["holdout", "--repeat", "1", "--threads", "3", "--json"]), 0);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for words in [
            &[][..],
            &["test"],
            &["train", "--fast"],
            &["train", "--data"],
            &["train", "--repeat", "0"],
            &["train", "--threads", "many"],
        ] {
            assert_eq!(code(words), 2, "{words:?}");
        }
    }

    #[test]
    fn a_missing_data_set_is_said() {
        assert_eq!(code(&["train", "--repeat", "1", "--data", "no/such/folder"]), 6);
    }

    /// The set that comes with the source, also through a copy with one wrong distance.
    #[test]
    fn a_data_set_is_answered_right_or_found_wrong() {
        let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../harness/data/digits");
        assert_eq!(code(&["holdout", "--repeat", "1", "--data", digits]), 0);

        let copy = tempfile::tempdir().unwrap();
        for name in ["base.fvecs", "query.fvecs", "groundtruth_dist.fvecs"] {
            std::fs::copy(format!("{digits}/{name}"), copy.path().join(name)).unwrap();
        }
        let truth = copy.path().join("groundtruth_dist.fvecs");
        let mut bytes = std::fs::read(&truth).unwrap();
        bytes[404 + 4..404 + 8].copy_from_slice(&1.0f32.to_le_bytes());
        std::fs::write(&truth, &bytes).unwrap();
        let dir = copy.path().to_str().unwrap();
        // Query 1 is one of the odd ones.
        assert_eq!(code(&["holdout", "--repeat", "1", "--data", dir]), 5);
        assert_eq!(code(&["train", "--repeat", "1", "--data", dir]), 0);

        std::fs::write(&truth, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(code(&["train", "--repeat", "1", "--data", dir]), 1);
    }
}
