//! `cargo xtask doctor`: what this machine has, what it lacks, and the line that installs it.

use crate::exit::{MISSING, Outcome, Stop};
use crate::llvm::{self, Found, numbers, value};
use crate::shell;
use serde_json::json;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::read_to_string;

pub(crate) const HELP: &str = "\
cargo xtask doctor [--json]

Checks the toolchain, the CPU, the quiet of the machine and the tools that some verbs need. Ends with code 6 only if
something is missing that `cargo xtask bench` and `cargo xtask test` cannot do without.
";

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    /// Works, but measurements may suffer or something optional is out of step.
    Note,
    /// Optional, and absent.
    Missing,
    /// Needed, and absent.
    Needed,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Missing => "missing",
            Self::Needed => "NEEDED",
        }
    }
}

struct Check {
    name: &'static str,
    state: State,
    found: String,
    /// What to type, or what the finding means; empty where there is nothing to do.
    advice: String,
}

impl Check {
    fn new(
        name: &'static str,
        state: State,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { name, state, found: found.into(), advice: advice.into() }
    }
}

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    let json = match shell::texts(&args).as_slice() {
        [] => false,
        [one] if one == "--json" => true,
        other => {
            return Err(Stop::usage(format!(
                "`{}` is not understood; there is only --json",
                other.join(" ")
            )));
        }
    };
    let checks = checks();
    if json {
        println!("{:#}", as_json(&checks));
    } else {
        print!("{}", as_table(&checks));
    }
    let needed: Vec<_> = checks.iter().filter(|c| c.state == State::Needed).collect();
    if needed.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = needed.iter().map(|c| format!("{}: {}", c.name, c.advice)).collect();
    Err(Stop { code: MISSING, why: lines.join("; ") })
}

fn checks() -> Vec<Check> {
    let rustc = llvm::rustc();
    let mut all = vec![
        toolchain(&rustc),
        compiler(),
        cpu(),
        load(),
        steal(),
        huge_pages(),
        component("rustfmt", "rustfmt"),
        component("clippy", "clippy-driver"),
    ];
    all.extend(
        ["aarch64-unknown-linux-gnu", "wasm32-wasip1", "wasm32-unknown-unknown"].map(target),
    );
    all.extend([
        tool("qemu-aarch64-static", "the aarch64 lane", "apt-get install -y --no-install-recommends qemu-user-static"),
        tool(
            "aarch64-linux-gnu-gcc",
            "the aarch64 lane",
            "apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        ),
        tool("node", "the wasm lane", "apt-get install -y --no-install-recommends nodejs"),
        nightly(),
        tool("valgrind", "instruction counts", "apt-get install -y --no-install-recommends valgrind"),
        tool("chromium", "looking at the page", "apt-get install -y --no-install-recommends chromium"),
        llvm_tool("llvm-profdata", "PGO"),
        llvm_tool("llvm-bolt", "BOLT builds"),
        llvm_tool("llvm-mca", "predictions of `asm --mca`"),
    ]);
    all
}

fn toolchain(rustc: &[(String, String)]) -> Check {
    let manifest = read_to_string(shell::root().join("Cargo.toml")).unwrap_or_default();
    let msrv = manifest
        .lines()
        .find_map(|l| l.strip_prefix("rust-version = "))
        .unwrap_or("")
        .trim_matches('"');
    let found = value(rustc, "release");
    match (numbers(found), numbers(msrv)) {
        (have, need) if !have.is_empty() && have >= need => {
            Check::new("rustc", State::Ok, format!("{found}, at least {msrv}"), "")
        }
        (have, _) if have.is_empty() => {
            Check::new("rustc", State::Needed, "none", "install Rust with rustup")
        }
        _ => Check::new(
            "rustc",
            State::Needed,
            format!("{found}, needs {msrv}"),
            "rustup update stable",
        ),
    }
}

fn compiler() -> Check {
    let named = std::env::var("CC").ok().filter(|cc| !cc.is_empty());
    let names = named.as_deref().map_or(vec!["cc", "gcc", "clang"], |cc| vec![cc]);
    let first = names.iter().find_map(|cc| shell::output(cc, &["--version"]));
    match first {
        Some(text) => {
            Check::new("C compiler", State::Ok, text.lines().next().unwrap_or("present"), "")
        }
        None => Check::new(
            "C compiler",
            State::Needed,
            "none",
            "apt-get install -y --no-install-recommends gcc libc6-dev  (the SimSIMD rival is C)",
        ),
    }
}

/// The flags that the kernels' levels ask for.
const FLAGS: &[&str] = &[
    "sse4_2",
    "avx2",
    "fma",
    "avx512f",
    "avx512vl",
    "avx512bw",
    "avx512_vnni",
    "asimd",
    "hypervisor",
];

fn cpu() -> Check {
    let text = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |key: &str| {
        text.lines().find(|l| l.starts_with(key)).and_then(|l| Some(l.split_once(':')?.1.trim()))
    };
    let flags: BTreeSet<&str> =
        field("flags").or_else(|| field("Features")).unwrap_or("").split(' ').collect();
    let known: Vec<&str> = FLAGS.iter().copied().filter(|f| flags.contains(f)).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = field("model name").unwrap_or(std::env::consts::ARCH);
    let state = if known.is_empty() { State::Note } else { State::Ok };
    Check::new("CPU", state, format!("{model}, {cores} cores: {}", known.join(" ")), "")
}

fn load() -> Check {
    let text = read_to_string("/proc/loadavg").unwrap_or_default();
    let one: Option<f64> = text.split(' ').next().and_then(|w| w.parse().ok());
    match one {
        Some(load) if load < 0.5 => Check::new("load", State::Ok, format!("{load}"), ""),
        Some(load) => Check::new(
            "load",
            State::Note,
            format!("{load}"),
            "something else runs: intervals of a bench get wider",
        ),
        None => Check::new("load", State::Note, "unknown", ""),
    }
}

/// The share of time since boot that the hypervisor gave to somebody else.
fn steal() -> Check {
    let text = read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<u64> =
        text.lines().next().unwrap_or("").split_whitespace().skip(1).flat_map(str::parse).collect();
    // user nice system idle iowait irq softirq steal; guest time is already inside user.
    let total: u64 = ticks.iter().take(8).sum();
    match ticks.get(7) {
        Some(&stolen) if total > 0 => {
            let per_mille = stolen * 1000 / total;
            let state = if per_mille < 10 { State::Ok } else { State::Note };
            let advice = if state == State::Ok {
                ""
            } else {
                "other guests share these cores: expect NOISY cells"
            };
            Check::new(
                "steal",
                state,
                format!("{}.{} % since boot", per_mille / 10, per_mille % 10),
                advice,
            )
        }
        _ => Check::new("steal", State::Note, "unknown", ""),
    }
}

fn huge_pages() -> Check {
    let text = read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    match text.split(['[', ']']).nth(1) {
        Some("never") => Check::new(
            "huge pages",
            State::Note,
            "never",
            "DRAM cells also pay for TLB misses; use madvise",
        ),
        Some(mode) => Check::new("huge pages", State::Ok, mode, ""),
        None => Check::new("huge pages", State::Note, "unknown", ""),
    }
}

fn component(name: &'static str, program: &str) -> Check {
    match shell::output(program, &["--version"]) {
        Some(version) => Check::new(name, State::Ok, version.trim(), ""),
        None => Check::new(name, State::Missing, "none", format!("rustup component add {name}")),
    }
}

fn target(triple: &'static str) -> Check {
    if shell::has_target(triple) {
        Check::new(triple, State::Ok, "standard library present", "")
    } else {
        Check::new(
            triple,
            State::Missing,
            "no standard library",
            format!("rustup target add {triple}"),
        )
    }
}

fn tool(name: &'static str, purpose: &str, install: &str) -> Check {
    let Some(path) = shell::which(name) else {
        return Check::new(name, State::Missing, format!("none (for {purpose})"), install);
    };
    let version = shell::output(&path, &["--version"]).unwrap_or_default();
    Check::new(name, State::Ok, version.lines().next().unwrap_or("present").to_owned(), "")
}

fn nightly() -> Check {
    match shell::output("rustup", &["run", "nightly", "rustc", "--version"]) {
        Some(version) => Check::new("nightly", State::Ok, version.trim(), ""),
        None => Check::new(
            "nightly",
            State::Missing,
            "none (for the asan lane and `fuzz`)",
            "rustup toolchain install nightly --profile minimal",
        ),
    }
}

/// A tool of rustc's own LLVM.
fn llvm_tool(name: &'static str, purpose: &str) -> Check {
    let rustc = llvm::rustc();
    let own = value(&rustc, "LLVM version");
    match llvm::find(name) {
        Found::Tool(path, version) => Check::new(
            name,
            State::Ok,
            format!("{version} ({}), rustc has {own}", path.display()),
            "",
        ),
        Found::Rejected(others) if others.is_empty() => Check::new(
            name,
            State::Missing,
            format!("none (for {purpose}); rustc has {own}"),
            llvm::install_line(name),
        ),
        Found::Rejected(others) => Check::new(
            name,
            State::Note,
            format!("{}; rustc has {own}", others.join(", ")),
            llvm::install_line(name),
        ),
    }
}

fn as_table(checks: &[Check]) -> String {
    let mut out = String::new();
    for check in checks {
        out += &format!("{:<26} {:<8} {}\n", check.name, check.state.word(), check.found);
        if !check.advice.is_empty() {
            out += &format!("{:<35} {}\n", "", check.advice);
        }
    }
    out
}

fn as_json(checks: &[Check]) -> serde_json::Value {
    let row = |c: &Check| json!({"name": c.name, "state": c.state.word(), "found": c.found, "advice": c.advice});
    json!({ "schema": "annvil.doctor/1", "checks": checks.iter().map(row).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_or_absent_rustc_is_needed() {
        let of = |release: &str| toolchain(&[("release".to_owned(), release.to_owned())]).state;
        assert_eq!(of("1.60.0"), State::Needed);
        assert_eq!(of(""), State::Needed);
        assert_eq!(of("9.0.0"), State::Ok);
    }

    #[test]
    fn what_is_missing_comes_with_a_line() {
        let gone = tool("no-such-tool-anywhere", "nothing", "install it");
        assert_eq!((gone.state, gone.advice.as_str()), (State::Missing, "install it"));
        assert!(as_table(&[gone]).contains("install it"));
        for check in checks() {
            let silent =
                matches!(check.state, State::Missing | State::Needed) && check.advice.is_empty();
            assert!(!silent, "{} is missing without a line that installs it", check.name);
        }
    }
}
