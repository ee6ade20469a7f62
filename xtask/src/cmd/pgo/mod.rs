//! `cargo xtask pgo`: from clean to a verdict: instrument, train, merge, rebuild, judge.

mod provenance;

use crate::cmd::builds::{self, matrix};
use crate::exit::{MISSING, Outcome, Stop};
use crate::{llvm, shell};
use matrix::{Build, Matrix};
use provenance::Provenance;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask pgo [STEP].. [--build NAME[,NAME]] [--processes N] [--json]

Without a step: all of them, from clean.

  train     an instrumented build runs the training workload
  merge     the raw profiles become one; rustc, sources and workload are recorded beside it
  build     the builds of pgo/matrix.toml that use the profile
  bolt      the build that BOLT lays out once more; not run, and said so, where BOLT is absent
  verify    base and the others on other work and other data: processes alternate, a ratio with its interval for each
            workload; ends with code 3 if a build loses more than pgo/matrix.toml allows, 5 if answers differ
  status    what there is, and whether it is of these sources

  --build NAME     judge only these (and base)
  --processes N    starts of each build [default: pgo/matrix.toml]
  --json           verify prints its record

Profiles lie in target/builds/profile and are no part of a commit.

Examples
  cargo xtask pgo
  cargo xtask pgo verify --build pgo,native --processes 15
";

const STEPS: [&str; 6] = ["train", "merge", "build", "bolt", "verify", "status"];

#[derive(Default)]
struct Asked {
    steps: Vec<String>,
    names: Vec<String>,
    processes: Option<u64>,
    json: bool,
}

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    let asked = parse(shell::texts(&args))?;
    let matrix = matrix::load()?;
    matrix.select(&asked.names)?;
    let wants = |step: &str| {
        asked.steps.iter().any(|s| s == step) || (asked.steps.is_empty() && step != "status")
    };
    // Before minutes of building, not after them.
    let profdata = if wants("merge") { Some(llvm::need("llvm-profdata")?) } else { None };
    if wants("train") {
        train(&matrix)?;
    }
    if let Some(tool) = profdata {
        merge(&matrix, &tool)?;
    }
    if wants("build") {
        for build in matrix.builds.iter().filter(|b| b.profile && !b.bolt) {
            make_or_say(build)?;
        }
    }
    if wants("bolt") {
        for build in matrix.builds.iter().filter(|b| b.bolt) {
            make_or_say(build)?;
        }
    }
    if wants("status") {
        status(&matrix)?;
    }
    if wants("verify") {
        return verify(&matrix, &asked);
    }
    Ok(())
}

fn parse(words: Vec<String>) -> Result<Asked, Stop> {
    let mut asked = Asked::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value =
            || words.next().ok_or_else(|| Stop::usage(format!("`{word}` needs a value")));
        match word.as_str() {
            "--json" => asked.json = true,
            "--build" => {
                let list = value()?;
                asked.names.extend(list.split(',').filter(|n| !n.is_empty()).map(str::to_owned));
            }
            "--processes" => {
                let n = value()?.parse().ok().filter(|n| (2..=99).contains(n));
                asked.processes = Some(n.ok_or_else(|| {
                    Stop::usage(
                        "`--processes` is a number from 2 to 99: one process has no interval",
                    )
                })?);
            }
            step if STEPS.contains(&step) => asked.steps.push(word),
            _ => {
                return Err(Stop::usage(format!(
                    "`{word}` is no step; there are {}\n\n{HELP}",
                    STEPS.join(", ")
                )));
            }
        }
    }
    Ok(asked)
}

fn profile_dir() -> PathBuf {
    builds::dir().join("profile")
}

fn profile_path() -> PathBuf {
    profile_dir().join("train.profdata")
}

/// The program with its counters; its times mean nothing.
fn train(matrix: &Matrix) -> Outcome {
    let raw = profile_dir().join("raw");
    // An old profile would be merged in.
    if raw.exists() {
        std::fs::remove_dir_all(&raw)
            .map_err(|e| Stop::failed(format!("{}: {e}", raw.display())))?;
    }
    let flags: Vec<String> =
        matrix.train_flags.iter().map(|f| f.replace("{raw}", &raw.display().to_string())).collect();
    let program = builds::compile(&flags, &builds::dir().join("instrumented"), false)?;
    work(&program, &matrix.train)
}

fn merge(matrix: &Matrix, tool: &Path) -> Outcome {
    let raw = profile_dir().join("raw");
    let files: Vec<PathBuf> = std::fs::read_dir(&raw)
        .map_err(|e| Stop::failed(format!("{}: {e}; first: cargo xtask pgo train", raw.display())))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "profraw"))
        .collect();
    if files.is_empty() {
        return Err(Stop::failed(format!(
            "no profile in {}; first: cargo xtask pgo train",
            raw.display()
        )));
    }
    let mut merge = Command::new(tool);
    merge.args(["merge", "-o"]).arg(profile_path()).args(&files);
    done(&mut merge)?;
    Provenance::now(&matrix.train)?.write(&profile_path())
}

/// Makes a build, or says why it cannot be had: then the others are judged without it.
fn make_or_say(build: &Build) -> Outcome {
    if let Some(why) = build.not_run() {
        eprintln!("xtask: build {} is not run: {why}", build.name);
        return Ok(());
    }
    match builds::make(build) {
        Err(stop) if stop.code == MISSING => {
            eprintln!("xtask: build {} is not run: {}", build.name, stop.why);
            Ok(())
        }
        other => other.map(drop),
    }
}

/// The profile that a build uses, absolute; `None` if it uses none. One of other sources, another
/// compiler or another workload is refused.
pub(crate) fn profile_for(build: &Build) -> Result<Option<PathBuf>, Stop> {
    if !build.profile {
        return Ok(None);
    }
    let path = profile_path();
    if !path.is_file() {
        return Err(Stop::failed(format!(
            "build {} needs a profile; make one: cargo xtask pgo train merge",
            build.name
        )));
    }
    let train = matrix::load()?.train;
    match Provenance::read(&path)?.differs(&Provenance::now(&train)?) {
        None => Ok(Some(path)),
        Some(what) => Err(Stop::failed(format!(
            "the profile is of {what}; make a new one: cargo xtask pgo train merge"
        ))),
    }
}

/// Lays a program out by a run of its instrumented self.
pub(crate) fn bolt(program: &Path, out: &Path) -> Result<PathBuf, Stop> {
    let tool = llvm::need("llvm-bolt")?;
    let matrix = matrix::load()?;
    let (instrumented, data) = (out.join("instrumented"), out.join("bolt.fdata"));
    let mut instrument = Command::new(&tool);
    instrument.arg(program).arg("-instrument");
    instrument.arg(format!("--instrumentation-file={}", data.display()));
    done(instrument.arg("-o").arg(&instrumented))?;
    work(&instrumented, &matrix.train)?;
    let made = out.join(format!("{}-bolt", builds::PROGRAM));
    let mut optimise = Command::new(&tool);
    optimise.arg(program).arg("-o").arg(&made).arg(format!("-data={}", data.display()));
    optimise.args(["-reorder-blocks=ext-tsp", "-reorder-functions=cdsort", "-split-functions"]);
    done(optimise.args(["-split-all-cold", "-split-eh"]))?;
    Ok(made)
}

/// Runs a program with the arguments of a workload, from the root of the tree.
fn work(program: &Path, args: &[String]) -> Outcome {
    done(Command::new(program).args(args).current_dir(shell::root()))
}

fn done(command: &mut Command) -> Outcome {
    let status = shell::status(command)?;
    if status.success() {
        return Ok(());
    }
    Err(Stop::failed(format!("`{}` ended with {status}", shell::line(command))))
}

fn status(matrix: &Matrix) -> Outcome {
    for tool in ["llvm-profdata", "llvm-bolt"] {
        match llvm::find(tool) {
            llvm::Found::Tool(path, version) => {
                println!("{tool:<14} {version}  {}", path.display())
            }
            llvm::Found::Rejected(_) => {
                println!("{tool:<14} not here; install with: {}", llvm::install_line(tool));
            }
        }
    }
    let path = profile_path();
    if path.is_file() {
        let had = Provenance::read(&path)?;
        match had.differs(&Provenance::now(&matrix.train)?) {
            None => println!("{:<14} of these sources", "profile"),
            Some(what) => println!("{:<14} stale: of {what}", "profile"),
        }
    } else {
        println!("{:<14} none; cargo xtask pgo train merge", "profile");
    }
    let made = builds::recorded(matrix)?;
    for build in &matrix.builds {
        let state = match (made.iter().find(|b| b.name == build.name), build.not_run()) {
            (_, Some(why)) => format!("not run here: {why}"),
            (Some(built), None) => format!("{} bytes, {}", built.bytes, &built.sha256[..16]),
            (None, None) => "not made".to_owned(),
        };
        println!("{:<14} {state}", build.name);
    }
    Ok(())
}

/// Hands the builds to the harness, which alternates them and judges.
fn verify(matrix: &Matrix, asked: &Asked) -> Outcome {
    let mut judged = Vec::new();
    for build in &matrix.builds {
        let wanted =
            asked.names.is_empty() || asked.names.contains(&build.name) || build.name == "base";
        if wanted {
            make_or_say(build)?;
            judged.push(build.name.as_str());
        }
    }
    let mut args: Vec<OsString> = Vec::new();
    for built in builds::recorded(matrix)?.iter().filter(|b| judged.contains(&b.name.as_str())) {
        args.push("--build".into());
        args.push(format!("{}={}", built.name, built.path.display()).into());
    }
    let processes = asked.processes.unwrap_or(matrix.processes);
    args.extend(["--processes".into(), processes.to_string().into()]);
    args.extend(["--max-regress".into(), matrix.max_regress_pct.to_string().into()]);
    if asked.json {
        args.push("--json".into());
    }
    args.push("--".into());
    args.extend(matrix.judge.iter().map(Into::into));
    crate::cmd::forward::run("judge-builds", args)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn steps_and_options_are_checked() {
        let asked =
            parse(words(&["train", "verify", "--build", "pgo,v3", "--processes", "4"])).unwrap();
        assert_eq!(asked.steps, ["train", "verify"]);
        assert_eq!((asked.names, asked.processes), (words(&["pgo", "v3"]), Some(4)));
        for bad in [&["tarin"][..], &["--processes", "1"], &["--build"]] {
            assert_eq!(parse(words(bad)).map(drop).unwrap_err().code, crate::exit::USAGE);
        }
    }

    #[test]
    fn a_build_without_a_profile_needs_none() {
        let base = matrix::load().unwrap().builds.remove(0);
        assert_eq!(profile_for(&base).unwrap(), None);
    }
}
