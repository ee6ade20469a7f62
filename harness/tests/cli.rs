//! The program from outside: exit codes, files, interruption and resumption.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of the tests' own functions")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use annvil_reports::schema::Run;

/// A small plan: one op, the dimensions given, little of everything.
const SMALL: [&str; 9] =
    ["bench", "--op", "f32/dot/pair", "--residence", "L1", "--processes", "2", "--rounds", "5"];

fn harness(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annvil-harness"));
    command.args(args).env_remove("ANNVIL_DATA").stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    harness(args).output().unwrap()
}

fn code(args: &[&str]) -> Option<i32> {
    run(args).status.code()
}

fn bench(out: &Path, more: &[&str]) -> Output {
    let out = out.to_str().unwrap();
    run(&[&SMALL[..], &["--out", out], more].concat())
}

#[test]
fn help_is_success_and_mistakes_are_usage() {
    for verb in ["bench", "kernels", "verify", "selftest", "promote", "report", "data", "env"] {
        let help = run(&[verb, "--help"]);
        assert!(help.status.success() && !help.stdout.is_empty(), "{verb}");
    }
    assert_eq!(code(&["no-such-verb"]), Some(2));
    assert_eq!(code(&["bench", "--list", "no-such-cell"]), Some(2));
    assert_eq!(code(&["bench", "--list", "--op", "f64/*"]), Some(2));
    assert_eq!(code(&["bench", "--list", "--dim", "0"]), Some(2));
    assert_eq!(code(&["bench", "--list", "--variant", "no-such-variant"]), Some(2));
    assert_eq!(code(&["verify", "no-such-variant"]), Some(2));
    assert_eq!(code(&["report", "no-such-folder"]), Some(1));
}

#[test]
fn a_variant_that_cannot_run_here_is_a_missing_prerequisite() {
    let foreign = if cfg!(target_arch = "x86_64") { "neon-x4" } else { "avx2-x4" };
    let output = run(&["bench", "--list", "--variant", foreign]);
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stderr).contains(foreign));
}

#[test]
fn a_bench_leaves_a_record_and_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(dir.path(), &["--dim", "31,96"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = Run::load(dir.path().join("results.json")).unwrap();
    let groups = run.groups();
    // Two dimensions, both alignments.
    assert_eq!(groups.len(), 4);
    assert!(groups.iter().all(|g| g.timed().count() >= 2 && g.verdict().is_some()));
    for cell in run.cells.iter().filter(|c| c.has_run()) {
        assert!(cell.verified && cell.max_error_ulp.is_some(), "{}", cell.coordinates());
        assert!(cell.ns_p5 <= cell.ns_p50 && cell.ratio_lo <= cell.ratio_hi);
        assert!(cell.command.contains(&format!("--dim {}", cell.dim)));
    }
    assert!(run.cells.iter().any(|c| c.not_run.is_some()), "foreign variants are listed");
    assert!(run.host.cores.is_some() && run.toolchain.rustc.starts_with("rustc"));
    let page = fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("f32/dot/pair"));
}

#[test]
fn the_record_can_be_printed_and_the_plan_shown() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(dir.path(), &["--dim", "8", "--align", "aligned", "--json"]);
    assert!(output.status.success());
    Run::from_json(&output.stdout, Path::new("stdout")).unwrap();
    let list = run(&["bench", "l2sq/pair", "--list"]);
    let text = String::from_utf8(list.stdout).unwrap();
    assert!(text.contains("f32/l2sq/pair@96@L1@aligned\n"), "{text}");
    let dry = run(&["bench", "--dry-run"]);
    assert!(dry.status.success() && String::from_utf8_lossy(&dry.stdout).contains("about"));
}

#[test]
fn a_killed_run_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let dims = ["--dim", "8,16,31,64,96,128,256,384"];
    let mut child = harness(&[&SMALL[..], &["--out", out], &dims[..]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let state = dir.path().join("state.jsonl");
    let lines = || fs::read_to_string(&state).map_or(0, |t| t.lines().count());
    // The plan and two cells; or the run was faster than this loop, which proves less but no lie.
    while lines() < 3 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = lines();
    assert!(before >= 3);

    assert_eq!(code(&["bench", "--resume", out, "--dim", "8"]), Some(2), "another plan");
    let output = run(&["bench", "--resume", out]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = Run::load(dir.path().join("results.json")).unwrap();
    let groups = run.groups();
    assert_eq!(groups.len(), 16, "every cell, none twice");
    let rows: std::collections::HashSet<_> =
        run.cells.iter().map(|c| (c.dim, &c.alignment, &c.variant)).collect();
    assert_eq!(rows.len(), run.cells.len());
}

#[test]
fn nothing_to_resume_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(code(&["bench", "--resume", dir.path().to_str().unwrap()]), Some(2));
}

#[test]
fn a_page_can_be_drawn_again() {
    let dir = tempfile::tempdir().unwrap();
    assert!(bench(dir.path(), &["--dim", "8"]).status.success());
    let page = dir.path().join("again.html");
    let args = ["report", dir.path().to_str().unwrap(), "--out", page.to_str().unwrap()];
    assert_eq!(code(&args), Some(0));
    let first = fs::read(dir.path().join("report.html")).unwrap();
    assert!(fs::read(&page).unwrap() == first, "same record, same bytes");
}

#[test]
fn one_op_verifies_and_the_registry_lists() {
    let output = run(&["verify", "f32/linf/pair"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("ok       f32/linf/pair#scalar"), "{text}");
    let list = run(&["kernels", "--json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&list.stdout).unwrap();
    assert!(rows.iter().any(|r| r["op"] == "f32/l2sq/pair" && r["variant"] == "scalar"));
}
