//! `cargo xtask fuzz`: the fuzz targets of `kernels/fuzz`, one process each.

mod log;

use crate::exit::{Outcome, Stop};
use crate::shell;
use log::{excerpt, executions, stat};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

pub(crate) const HELP: &str = "\
cargo xtask fuzz [TARGET..] [--seconds N] [--list] [--random [--seed N]]

Gives each target N seconds (10, if not said): every shape of the registry, where all variants that run here are held
to the oracle on operands of any kind, place and length, and refuse lengths that do not fit; `entries`, the resolved
kernels under hostile lengths and ids; `forced`, the text of a forced choice; `layout`, rows of any layout.

libFuzzer is guided by coverage, and AddressSanitizer watches: that needs Linux on x86-64, a nightly toolchain and a
C++ compiler. What it learned stays in target/fuzz/corpus, and the next run begins there. A crash is described, with the
command that repeats it, and the exit code is then 5. Ctrl-C ends the target at work; what it learned is kept.

  --random   inputs at random on this toolchain: no coverage, no sanitizer, nothing to install
  --seed N   where the random inputs begin (1, if not said)
  --list     print the targets

Examples
  cargo xtask fuzz
  cargo xtask fuzz gather layout --seconds 600
  cargo xtask fuzz --random --seed 7
";

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// AddressSanitizer, and the coverage that libFuzzer reads. With a target named, build scripts are built without.
const FLAGS: &str = "-Zsanitizer=address -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// The code with which libFuzzer ends when it is interrupted.
const INTERRUPTED: i32 = 72;

/// What a build machine has to have: how to find out, and the line that installs it.
type Need = (&'static str, fn() -> bool, &'static str);

const NEEDS: &[Need] = &[
    (
        "an x86-64 machine with Linux",
        || cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "run it on such a machine",
    ),
    (
        "a nightly toolchain",
        || shell::output("rustup", &["run", "nightly", "rustc", "--version"]).is_some(),
        "rustup toolchain install nightly --profile minimal",
    ),
    (
        "a C++ compiler",
        || match std::env::var_os("CXX").filter(|named| !named.is_empty()) {
            Some(named) => shell::output(named, &["--version"]).is_some(),
            None => ["c++", "g++", "clang++"].iter().any(|name| shell::which(name).is_some()),
        },
        "apt-get install -y --no-install-recommends g++",
    ),
];

/// The command line.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    targets: Vec<String>,
    seconds: u64,
    seed: u64,
    random: bool,
    list: bool,
}

/// What is built, and where things are kept.
struct Bench {
    dir: PathBuf,
    cases: PathBuf,
    /// `None` where inputs come at random.
    cover: Option<PathBuf>,
    seconds: u64,
    seed: u64,
}

/// How a target came out.
struct Row {
    target: String,
    executions: u64,
    new_units: Option<u64>,
    end: End,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Clean,
    Interrupted,
    /// What was found, with the command that repeats it where an input was kept.
    Found {
        repeat: Option<String>,
    },
}

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    let asked = parse(&shell::texts(&args))?;
    let lacking = lacking();
    if let (Some(lacking), false, false) = (&lacking, asked.random, asked.list) {
        let why = format!("cannot fuzz with coverage: {lacking}; or go without: --random");
        return Err(Stop::missing(why));
    }
    let bench = build(&asked, asked.random || lacking.is_some())?;
    let known = targets(&bench)?;
    if asked.list {
        known.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    }
    if let Some(odd) = asked.targets.iter().find(|t| known.iter().all(|(name, _)| name != *t)) {
        return Err(Stop::usage(format!(
            "no target `{odd}`; `cargo xtask fuzz --list` names them"
        )));
    }
    let chosen =
        known.iter().filter(|(name, _)| asked.targets.is_empty() || asked.targets.contains(name));
    let mut rows = Vec::new();
    for (name, max_len) in chosen {
        let row = session(&bench, name, max_len)?;
        let interrupted = row.end == End::Interrupted;
        rows.push(row);
        if interrupted {
            break;
        }
    }
    print!("\n{}", table(&rows));
    let found = rows.iter().filter(|row| matches!(row.end, End::Found { .. })).count();
    if found > 0 {
        return Err(Stop::wrong(format!("{found} targets found something; it is described above")));
    }
    match rows.last() {
        Some(row) if row.end == End::Interrupted => {
            Err(Stop { code: 130, why: "interrupted; the corpus is kept".to_owned() })
        }
        _ => Ok(()),
    }
}

fn parse(words: &[String]) -> Result<Asked, Stop> {
    let mut asked = Asked { targets: Vec::new(), seconds: 10, seed: 1, random: false, list: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (name, mut value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let mut number = || {
            let text = value.take().or_else(|| words.next().cloned()).unwrap_or_default();
            let wrong = |_| Stop::usage(format!("`{name}` needs a number, got `{text}`"));
            text.parse::<u64>().map_err(wrong)
        };
        match name {
            "--seconds" => asked.seconds = number()?,
            "--seed" => asked.seed = number()?,
            "--random" => asked.random = true,
            "--list" => asked.list = true,
            _ if name.starts_with('-') => {
                return Err(Stop::usage(format!(
                    "`{word}` is not understood; see `cargo xtask fuzz --help`"
                )));
            }
            _ => asked.targets.push(word.clone()),
        }
        if value.is_some() {
            return Err(Stop::usage(format!("`{name}` takes no value")));
        }
    }
    // To libFuzzer, no seconds are no limit.
    asked.seconds = asked.seconds.max(1);
    Ok(asked)
}

/// What is missing, with the lines that install it.
fn lacking() -> Option<String> {
    let gone: Vec<&Need> = NEEDS.iter().filter(|(_, is_here, _)| !is_here()).collect();
    if gone.is_empty() {
        return None;
    }
    let what: Vec<&str> = gone.iter().map(|need| need.0).collect();
    let lines: Vec<&str> = gone.iter().map(|need| need.2).collect();
    Some(format!("missing {}; install with: {}", what.join(", "), lines.join(" && ")))
}

fn build(asked: &Asked, plain: bool) -> Result<Bench, Stop> {
    let dir = shell::target_dir().join("fuzz");
    let manifest = shell::root().join("kernels").join("fuzz").join("Cargo.toml");
    let mut cargo = if plain { shell::cargo() } else { Command::new("rustup") };
    if !plain {
        // Our own cargo set these for the stable toolchain.
        for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "CARGO_ENCODED_RUSTFLAGS"] {
            cargo.env_remove(name);
        }
        cargo.args(["run", "nightly", "cargo"]).env("RUSTFLAGS", FLAGS);
    }
    cargo.args(["build", "--profile", "fuzz", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(&dir);
    if plain {
        cargo.args(["--bin", "cases"]);
    } else {
        cargo.args(["--bins", "--features", "libfuzzer", "--target", TRIPLE]);
    }
    if !shell::status(&mut cargo)?.success() {
        return Err(Stop::failed("the fuzz targets could not be built; the reason is above"));
    }
    let built = if plain { dir.join("fuzz") } else { dir.join(TRIPLE).join("fuzz") };
    let program = |name: &str| built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let cover = (!plain).then(|| program("cover"));
    Ok(Bench { cases: program("cases"), cover, dir, seconds: asked.seconds, seed: asked.seed })
}

/// The names of all targets, with the useful length of their inputs.
fn targets(bench: &Bench) -> Result<Vec<(String, String)>, Stop> {
    let text = shell::output(&bench.cases, &["list"])
        .ok_or_else(|| Stop::failed(format!("`{} list` failed", bench.cases.display())))?;
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs.map(|(name, len)| (name.to_owned(), len.to_owned())).collect())
}

fn folder(path: PathBuf) -> Result<PathBuf, Stop> {
    let made = fs::create_dir_all(&path);
    made.map_err(|why| Stop::failed(format!("{}: {why}", path.display())))?;
    Ok(path)
}

/// The process that tries one target.
fn command(bench: &Bench, target: &str, max_len: &str) -> Result<Command, Stop> {
    let crashes = folder(bench.dir.join("crashes").join(target))?;
    let Some(cover) = &bench.cover else {
        let mut cases = Command::new(&bench.cases);
        let (seconds, seed) = (bench.seconds.to_string(), bench.seed.to_string());
        cases.args(["random", target, &seconds, &seed]).arg(crashes);
        return Ok(cases);
    };
    let corpus = folder(bench.dir.join("corpus").join(target))?;
    if fs::read_dir(&corpus).is_ok_and(|mut files| files.next().is_none()) {
        let seeded = Command::new(&bench.cases).args(["seeds", target]).arg(&corpus).status();
        if !seeded.is_ok_and(|status| status.success()) {
            return Err(Stop::failed(format!("no inputs to begin with for {target}")));
        }
    }
    let mut fuzz = Command::new(cover);
    fuzz.env("ANNVIL_FUZZ_TARGET", target);
    // A refused allocation is an error to be handled; leaks need a debugger's rights to be looked for.
    fuzz.env("ASAN_OPTIONS", "allocator_may_return_null=1:detect_leaks=0");
    fuzz.arg(&corpus).arg(format!("-max_total_time={}", bench.seconds));
    fuzz.arg(format!("-artifact_prefix={}/", crashes.display())).arg(format!("-max_len={max_len}"));
    fuzz.args(["-len_control=0", "-timeout=60", "-print_final_stats=1", "-detect_leaks=0"]);
    Ok(fuzz)
}

/// Runs a target, saying how far it is.
fn session(bench: &Bench, target: &str, max_len: &str) -> Result<Row, Stop> {
    println!("{target}: {} seconds", bench.seconds);
    let path = folder(bench.dir.join("log"))?.join(format!("{target}.txt"));
    let log = fs::File::create(&path);
    let log = log.map_err(|why| Stop::failed(format!("{}: {why}", path.display())))?;
    let mut command = command(bench, target, max_len)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let cannot = |why| Stop::failed(format!("{target} cannot run: {why}"));
    let mut child = command.spawn().map_err(cannot)?;
    let read = || String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
    let (begun, mut said) = (Instant::now(), Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(100));
        if said.elapsed() >= Duration::from_secs(5) {
            said = Instant::now();
            let (after, count) = (begun.elapsed().as_secs(), executions(&read()));
            println!("{target}: {after} s, {count} executions so far");
        }
    };
    let log = read();
    let end = end_of(bench, target, &log, status);
    if matches!(end, End::Found { .. }) {
        println!("{target}: FOUND (the whole log is {})\n{}", path.display(), excerpt(&log));
    }
    if let End::Found { repeat: Some(repeat) } = &end {
        println!("repeat with: {repeat}");
    }
    let new_units = stat(&log, "new_units_added");
    Ok(Row { target: target.to_owned(), executions: executions(&log), new_units, end })
}

fn end_of(bench: &Bench, target: &str, log: &str, status: ExitStatus) -> End {
    if status.success() {
        return End::Clean;
    }
    if status.code() == Some(INTERRUPTED) || interrupted(status) {
        return End::Interrupted;
    }
    let input = log.lines().find_map(|line| Some(line.split_once("Test unit written to ")?.1));
    if let Some(input) = input
        && let Some(text) = shell::output(&bench.cases, &["describe", target, input])
    {
        println!("{target}: {}", text.trim_end());
    }
    let repeat = input.map(|input| match &bench.cover {
        Some(cover) => format!("ANNVIL_FUZZ_TARGET={target} {} {input}", cover.display()),
        None => format!("{} run {target} {input}", bench.cases.display()),
    });
    End::Found { repeat }
}

#[cfg(unix)]
fn interrupted(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(2)
}

#[cfg(not(unix))]
fn interrupted(_: ExitStatus) -> bool {
    false
}

fn table(rows: &[Row]) -> String {
    let mut out = format!("{:<14} {:>12} {:>10}  result\n", "target", "executions", "new units");
    for row in rows {
        let new_units = row.new_units.map_or("-".to_owned(), |n| n.to_string());
        let end = match row.end {
            End::Clean => "clean",
            End::Interrupted => "interrupted",
            End::Found { .. } => "FOUND",
        };
        out += &format!("{:<14} {:>12} {new_units:>10}  {end}\n", row.target, row.executions);
    }
    out
}

#[cfg(test)]
mod tests;
