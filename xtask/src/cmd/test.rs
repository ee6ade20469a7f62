//! `cargo xtask test`: every test, lane by lane, and what each lane covered.

use crate::exit::{MISSING, Outcome, Stop};
use crate::ledger;
use crate::shell;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask test [--lane native|aarch64|wasm|asan|loom|all] [ARGS]

Runs the tests of a lane, then prints per op which variants ran, and which did not and why. ARGS go to `cargo test`
as they are; with any, the lane is a part of itself and its coverage is not checked.

  native    the whole workspace with its doctests; the engine without default features, and with each alone   (the default)
  aarch64   the kernels on two emulated CPUs, cortex-a72 and neoverse-n1, under qemu
  wasm      the kernels and the engine in node's WASI, with and without simd128
  asan      the kernels under AddressSanitizer, on a nightly toolchain
  loom      models of what threads of the engine share: every order in which they can meet
  all       each of them; one that cannot run here is reported, and the exit code is then 6

Examples
  cargo xtask test
  cargo xtask test every_length
  cargo xtask test --lane aarch64 -- --nocapture
";

/// What lanes other than the native one build of the kernels: rivals without C code where there is no C compiler.
const FEATURES: &str = "testkit,rivals";
const FEATURES_WITHOUT_C: &str = "testkit,autovec,pulp,wide";

/// Turns a level that the tests do not find into a failure: an emulated lane must not pass by running nothing.
const REQUIRED: &str = "ANNVIL_REQUIRE_LEVEL";

/// A way of running tests that needs its own tools.
struct Lane {
    name: &'static str,
    /// Each tool that has to be there: how to find out, and the line that installs it.
    needs: &'static [Need],
    run: fn(&[OsString]) -> Outcome,
}

struct Need {
    what: &'static str,
    is_here: fn() -> bool,
    install: &'static str,
}

const CROSS_PACKAGES: &str = "apt-get install -y --no-install-recommends qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross";
const AARCH64: &str = "aarch64-unknown-linux-gnu";
const WASM: &str = "wasm32-wasip1";
const ASAN: &str = "x86_64-unknown-linux-gnu";

const LANES: &[Lane] = &[
    Lane { name: "native", needs: &[], run: native },
    Lane {
        name: "aarch64",
        needs: &[
            Need {
                what: "the target aarch64-unknown-linux-gnu",
                is_here: || shell::has_target(AARCH64),
                install: "rustup target add aarch64-unknown-linux-gnu",
            },
            Need {
                what: "aarch64-linux-gnu-gcc",
                is_here: || shell::which("aarch64-linux-gnu-gcc").is_some(),
                install: CROSS_PACKAGES,
            },
            Need {
                what: "qemu-aarch64-static",
                is_here: || shell::which("qemu-aarch64-static").is_some(),
                install: CROSS_PACKAGES,
            },
        ],
        run: aarch64,
    },
    Lane {
        name: "wasm",
        needs: &[
            Need {
                what: "the target wasm32-wasip1",
                is_here: || shell::has_target(WASM),
                install: "rustup target add wasm32-wasip1",
            },
            Need {
                what: "node 20 or later",
                is_here: || node_major().is_some_and(|n| n >= 20),
                install: "apt-get install -y --no-install-recommends nodejs",
            },
        ],
        run: wasm,
    },
    Lane {
        name: "asan",
        needs: &[
            Need {
                what: "an x86-64 machine with Linux",
                is_here: || cfg!(all(target_os = "linux", target_arch = "x86_64")),
                install: "run this lane on such a machine",
            },
            Need {
                what: "a nightly toolchain",
                is_here: || {
                    shell::output("rustup", &["run", "nightly", "rustc", "--version"]).is_some()
                },
                install: "rustup toolchain install nightly --profile minimal",
            },
        ],
        run: asan,
    },
    Lane { name: "loom", needs: &[], run: loom },
];

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    let (asked, rest) = parse(args)?;
    let mut reports: Vec<(&str, String)> = Vec::new();
    let mut worst: Option<Stop> = None;
    for lane in LANES {
        if !asked.contains(&lane.name) {
            let tools = lacking(lane).unwrap_or_else(|| "its tools are here".to_owned());
            reports.push((
                lane.name,
                format!("not run: not asked for (--lane {}); {tools}", lane.name),
            ));
            continue;
        }
        let end = match lacking(lane) {
            Some(lacking) => {
                Err(Stop::missing(format!("lane {} cannot run: {lacking}", lane.name)))
            }
            None => (lane.run)(&rest),
        };
        match end {
            Ok(()) => reports.push((lane.name, "passed".to_owned())),
            Err(stop) => {
                let word = if stop.code == MISSING { "not run" } else { "FAILED" };
                reports.push((lane.name, format!("{word}: {}", stop.why)));
                // A lane that failed says more than one that could not start.
                if worst.as_ref().is_none_or(|w| w.code == MISSING) {
                    worst = Some(stop);
                }
            }
        }
    }
    println!("\nlane      result");
    for (lane, report) in reports {
        println!("{lane:<9} {report}");
    }
    worst.map_or(Ok(()), Err)
}

/// The lanes asked for, and what belongs to cargo.
fn parse(args: Vec<OsString>) -> Result<(Vec<&'static str>, Vec<OsString>), Stop> {
    let mut asked = Vec::new();
    let mut rest = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy().into_owned();
        let names = match text.strip_prefix("--lane") {
            Some("") => args.next().map(|a| a.to_string_lossy().into_owned()),
            Some(tail) => tail.strip_prefix('=').map(str::to_owned),
            None => {
                rest.push(arg);
                if text == "--" {
                    rest.extend(args);
                    break;
                }
                continue;
            }
        };
        let names = names
            .ok_or_else(|| Stop::usage("`--lane` needs a name; see `cargo xtask test --help`"))?;
        for name in names.split(',') {
            let known: Vec<_> =
                LANES.iter().map(|l| l.name).filter(|l| name == "all" || name == *l).collect();
            if known.is_empty() {
                return Err(Stop::usage(format!(
                    "no lane `{name}`; there are native, aarch64, wasm, asan, loom and all"
                )));
            }
            asked.extend(known);
        }
    }
    if asked.is_empty() {
        asked.push("native");
    }
    Ok((asked, rest))
}

/// What a lane lacks, with the lines that install it.
fn lacking(lane: &Lane) -> Option<String> {
    let gone: Vec<&Need> = lane.needs.iter().filter(|n| !(n.is_here)()).collect();
    let (first, others) = gone.split_first()?;
    let mut lines = vec![first.install];
    lines.extend(others.iter().map(|n| n.install));
    lines.dedup();
    let what: Vec<&str> = gone.iter().map(|n| n.what).collect();
    Some(format!("missing {}; install with: {}", what.join(", "), lines.join(" && ")))
}

fn node_major() -> Option<u32> {
    shell::output("node", &["--version"])?
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()?
        .parse()
        .ok()
}

fn native(args: &[OsString]) -> Outcome {
    let mut all = shell::cargo();
    all.args(["test", "--profile", "quick", "--no-fail-fast", "--manifest-path"]).arg(manifest());
    let names_package = args.iter().take_while(|a| *a != "--").any(|a| {
        let a = a.to_string_lossy();
        a.starts_with("-p") || a == "--package" || a.starts_with("--package=")
    });
    if !names_package {
        all.arg("--workspace");
    }
    covered("native", &mut all, args)?;
    if !args.is_empty() {
        return Ok(());
    }
    let mut small = shell::cargo();
    small.args([
        "test",
        "--profile",
        "quick",
        "--package",
        "annvil",
        "--no-default-features",
        "--manifest-path",
    ]);
    tested(small.arg(manifest()))?;
    // The same tests over the other graph.
    let mut other = shell::cargo();
    other.args(["test", "--profile", "quick", "--package", "annvil", "--features", "hnsw_rs"]);
    other.args(["--test", "collection", "--manifest-path"]);
    tested(other.arg(manifest()))?;
    // Each feature must build without the others; that they work is what the tests above say.
    for feature in engine_features()? {
        let mut check = shell::cargo();
        check.args(["check", "--profile", "quick", "--package", "annvil", "--no-default-features"]);
        check.args(["--features", &feature, "--manifest-path"]);
        tested(check.arg(manifest()))?;
    }
    Ok(())
}

/// The engine's features, as its manifest lists them.
fn engine_features() -> Result<Vec<String>, Stop> {
    let path = shell::root().join("engine").join("Cargo.toml");
    let read = std::fs::read_to_string(&path);
    let text = read.map_err(|e| Stop::failed(format!("{}: {e}", path.display())))?;
    Ok(features(&text))
}

/// The names in the section `[features]` of a manifest, but for `default`.
fn features(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[features]").skip(1);
    let entries = lines.take_while(|line| !line.starts_with('['));
    let names =
        entries.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    names.map(|(name, _)| name.trim().to_owned()).filter(|name| name != "default").collect()
}

fn aarch64(args: &[OsString]) -> Outcome {
    let mut end = Ok(());
    // Without dot products and with them. No CPU with more: to emulate its signed pointers and its
    // scalable vectors, which rivals would choose, takes several times as long.
    for (name, cpu) in [("cortex-a72", "cortex-a72"), ("neoverse-n1", "neoverse-n1")] {
        let runner = format!("qemu-aarch64-static -cpu {cpu} -L /usr/aarch64-linux-gnu");
        let mut test = kernels(AARCH64, FEATURES);
        test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
        test.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
        // The second CPU is worth running even when the first one failed.
        end = end.and(covered(&format!("aarch64-{name}"), test.env(REQUIRED, "neon"), args));
    }
    end
}

fn wasm(args: &[OsString]) -> Outcome {
    let script = shell::root().join("xtask").join("wasi-runner.mjs");
    // The list form, because the script's folder may have a space in its name.
    // One thread: node 20 may crash if it leaves while others still compile so large a module.
    let runner =
        serde_json::json!(["node", "--no-warnings", "--single-threaded", script.to_string_lossy()]);
    let mut end = Ok(());
    for (name, flags, level) in [
        ("wasm-simd128", "-Ctarget-feature=+simd128", "simd128"),
        ("wasm-scalar", "-Ctarget-feature=-simd128", "scalar"),
    ] {
        let mut test = kernels(WASM, FEATURES_WITHOUT_C);
        test.arg("--config").arg(format!("target.{WASM}.runner={runner}")).env("RUSTFLAGS", flags);
        end = end.and(covered(name, test.env(REQUIRED, level), args));
    }
    if !args.is_empty() {
        return end;
    }
    let mut engine = shell::cargo();
    engine.args(["test", "--package", "annvil", "--no-default-features", "--features", "hnsw,pq"]);
    engine.args(["--profile", "quick", "--no-fail-fast", "--lib", "--tests", "--target", WASM]);
    engine.arg("--manifest-path").arg(manifest());
    engine.arg("--config").arg(format!("target.{WASM}.runner={runner}"));
    end.and(tested(engine.env("RUSTFLAGS", "-Ctarget-feature=+simd128")))
}

fn asan(args: &[OsString]) -> Outcome {
    let mut test = Command::new("rustup");
    test.args(["run", "nightly", "cargo"]);
    kernels_args(&mut test, ASAN, FEATURES);
    // Our own cargo set these for the stable toolchain.
    test.env_remove("CARGO").env_remove("RUSTC").env_remove("RUSTUP_TOOLCHAIN");
    test.env("RUSTFLAGS", "-Zsanitizer=address");
    covered("asan", &mut test, args)
}

/// Without features: nothing that is modelled needs one, and rayon's threads are none of loom's.
fn loom(args: &[OsString]) -> Outcome {
    let mut test = shell::cargo();
    test.args(["test", "--package", "annvil", "--no-default-features", "--profile", "quick"]);
    test.args(["--lib", "--manifest-path"]).arg(manifest()).arg("loom_models");
    tested(test.args(args).env("RUSTFLAGS", "--cfg loom"))
}

fn kernels(target: &str, features: &str) -> Command {
    let mut cargo = shell::cargo();
    kernels_args(&mut cargo, target, features);
    cargo
}

/// Unit and integration tests only: doctests do not run under an emulator.
fn kernels_args(cargo: &mut Command, target: &str, features: &str) {
    cargo.args([
        "test",
        "--package",
        "annvil-kernels",
        "--features",
        features,
        "--profile",
        "quick",
    ]);
    cargo
        .args(["--no-fail-fast", "--lib", "--tests", "--target", target, "--manifest-path"])
        .arg(manifest());
}

fn manifest() -> std::path::PathBuf {
    shell::root().join("Cargo.toml")
}

/// Runs a test command that has to leave a coverage ledger, and prints what it covered.
fn covered(name: &str, test: &mut Command, args: &[OsString]) -> Outcome {
    let dir = shell::ledger_dir();
    let path = dir.join(format!("{name}.json"));
    std::fs::create_dir_all(&dir).map_err(|e| Stop::failed(format!("{}: {e}", dir.display())))?;
    // What an earlier run left must not speak for this one.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Stop::failed(format!("{}: {e}", path.display())));
        }
        _ => {}
    }
    let end = tested(test.args(args).env(ledger::VARIABLE, &path));
    let shown = show(name, &path, args.is_empty());
    end.and(shown)
}

/// Runs a test command; what failed stands above in its own words.
fn tested(test: &mut Command) -> Outcome {
    if shell::status(test)?.success() {
        return Ok(());
    }
    Err(Stop::failed("tests failed; the command and its output are above"))
}

fn show(name: &str, path: &Path, whole: bool) -> Outcome {
    if path.exists() {
        print!("\n{}", ledger::summary(name, &ledger::read(path)?));
        return Ok(());
    }
    if whole {
        return Err(Stop::wrong(format!(
            "lane {name} left no coverage ledger: the equivalence suite did not finish"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn lanes_are_ours_and_the_rest_is_cargos() {
        let (lanes, rest) = parse(words(&["name", "--lane", "wasm", "--", "--lane", "x"])).unwrap();
        assert_eq!(lanes, ["wasm"]);
        assert_eq!(rest, words(&["name", "--", "--lane", "x"]));
        assert_eq!(parse(Vec::new()).unwrap().0, ["native"]);
        assert_eq!(parse(words(&["--lane=all"])).unwrap().0.len(), LANES.len());
        assert_eq!(parse(words(&["--lane=arm"])).unwrap_err().code, crate::exit::USAGE);
        assert_eq!(parse(words(&["--lane"])).unwrap_err().code, crate::exit::USAGE);
    }

    #[test]
    fn a_missing_tool_is_named_with_the_line_that_installs_it() {
        let gone = Need { what: "a forge", is_here: || false, install: "build one" };
        let needs: &'static [Need] = Box::leak(Box::new([gone]));
        let lane = Lane { name: "x", needs, run: native };
        assert_eq!(lacking(&lane).unwrap(), "missing a forge; install with: build one");
        assert_eq!(lacking(&Lane { name: "y", needs: &[], run: native }), None);
    }

    #[test]
    fn features_are_read_from_the_manifest() {
        let text = "[package]\nname = \"x\"\n[features]\n# why\ndefault = [\"a\"]\na = []\nb = [\n]\n[dependencies]\nc = 1\n";
        assert_eq!(features(text), ["a", "b"]);
        assert!(engine_features().unwrap().contains(&"parallel".to_owned()));
    }

    #[test]
    fn a_whole_lane_without_a_ledger_is_wrong() {
        let nowhere = Path::new("no-such-folder/none.json");
        assert_eq!(show("x", nowhere, true).unwrap_err().code, crate::exit::WRONG);
        assert!(show("x", nowhere, false).is_ok());
    }
}
