//! What goes with the fuzzer: the list of targets, inputs to begin with, an input in words, and a
//! plain random loop for toolchains without a sanitizer.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs};

use annvil_kernels::testkit::fuzz::{self, Target};

const USAGE: &str = "\
cases list                            every target and the useful length of its inputs
cases seeds TARGET FOLDER             inputs to begin with
cases describe TARGET FILE            an input in words
cases run TARGET FILE                 one input
cases random TARGET SECONDS SEED DIR  inputs at random; what crashes is written into DIR
";

/// Inputs between two looks at the clock.
const ROUND: usize = 16;

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    fuzz::silence_wanted_panics();
    let end = match words[..] {
        ["list"] => {
            fuzz::targets().iter().for_each(|t| println!("{} {}", t.name, t.max_len));
            Ok(())
        }
        ["seeds", name, folder] => seeds(name, Path::new(folder)),
        ["describe", name, file] => {
            read(file).map(|input| println!("{}", fuzz::describe(name, &input)))
        }
        ["run", name, file] => read(file).and_then(|input| {
            fuzz::run(name, &input).map(|_| ()).map_err(|crash| crash.to_string())
        }),
        ["random", name, seconds, seed, folder] => random(name, seconds, seed, Path::new(folder)),
        _ => Err(USAGE.to_owned()),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn read(file: &str) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|why| format!("{file}: {why}"))
}

fn target(name: &str) -> Result<Target, String> {
    let found = fuzz::targets().into_iter().find(|target| target.name == name);
    found.ok_or_else(|| format!("no target {name}; `cases list` names them"))
}

fn write(folder: &Path, name: &str, input: &[u8]) -> Result<(), String> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(folder.join(name), input))
        .map_err(|why| format!("{}: {why}", folder.display()))
}

fn seeds(name: &str, folder: &Path) -> Result<(), String> {
    let inputs = fuzz::seeds(&target(name)?);
    inputs
        .iter()
        .enumerate()
        .try_for_each(|(i, input)| write(folder, &format!("seed-{i:02}"), input))
}

/// Reports in the words of libFuzzer, so that one reader understands both.
fn random(name: &str, seconds: &str, seed: &str, folder: &Path) -> Result<(), String> {
    let target = target(name)?;
    let number = |text: &str| text.parse::<u64>().map_err(|why| format!("{text}: {why}"));
    let (seconds, seed) = (Duration::from_secs(number(seconds)?), number(seed)?);
    let begun = Instant::now();
    let mut executions = 0;
    while begun.elapsed() < seconds {
        let round = seed.wrapping_add(executions as u64);
        if let Err(crash) = fuzz::run_random(&target, round, ROUND) {
            let file = format!("crash-random-{round:x}");
            write(folder, &file, &crash.input)?;
            eprintln!("Test unit written to {}", folder.join(file).display());
            return Err(format!("FOUND {crash}"));
        }
        executions += ROUND;
        if (executions / ROUND).is_power_of_two() {
            eprintln!("#{executions}\trandom");
        }
    }
    eprintln!("stat::number_of_executed_units: {executions}");
    Ok(())
}
