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
    command.args(args).env_remove("ANNVIL_DATA").env_remove("ANNVIL_FORCE").stdin(Stdio::null());
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
    assert_eq!(code(&["data", "verify", "no-such-set"]), Some(2));
    assert_eq!(code(&["report", "no-such-folder"]), Some(1));
}

#[test]
fn a_variant_that_cannot_run_here_is_a_missing_prerequisite() {
    let foreign = if cfg!(target_arch = "x86_64") { "neon-x4" } else { "avx2-x4" };
    let output = run(&["bench", "--list", "--variant", foreign]);
    assert_eq!(output.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&output.stderr).contains(foreign));
    let output = run(&["verify", &format!("f32/dot/pair#{foreign}")]);
    assert_eq!(output.status.code(), Some(6), "nothing was verified");
    assert!(String::from_utf8_lossy(&output.stdout).contains("not run  f32/dot/pair#"));
}

#[test]
fn a_missing_folder_and_a_damaged_set_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_str().unwrap();
    for verb in ["list", "verify"] {
        let missing = dir.path().join("none");
        assert_eq!(code(&["data", verb, "--data", missing.to_str().unwrap()]), Some(6), "{verb}");
    }
    fs::create_dir(dir.path().join("broken")).unwrap();
    fs::write(dir.path().join("broken/base.fvecs"), [1, 0, 0]).unwrap();
    let list = run(&["data", "list", "--data", root]);
    let text = String::from_utf8_lossy(&list.stdout).into_owned();
    assert!(list.status.code() == Some(5) && text.contains("licence: BSD-3-Clause"), "{text}");
    let args = ["data", "verify", "--queries", "1", "--data", root];
    let output = run(&args);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(5));
    // The built-in sets were checked all the same, and asking for one of them is no failure.
    assert!(text.contains("ok     minilm-2k") && text.contains("WRONG  cannot be used"), "{text}");
    assert_eq!(code(&[&args[..], &["digits"]].concat()), Some(0));
    assert_eq!(code(&[&args[..], &["broken"]].concat()), Some(5));
}

#[test]
fn data_of_a_narrowed_run_is_left_out_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("sets");
    let output =
        bench(dir.path(), &["--dim", "8", "--align", "aligned", "--data", data.to_str().unwrap()]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not searched"));
    let run = Run::load(dir.path().join("results.json")).unwrap();
    assert!(run.not_run.iter().any(|n| n.what.contains("sets")), "{:?}", run.not_run);
    assert!(run.command.contains("--data ") && run.workloads.is_empty());
    let resume = ["bench", "--resume", dir.path().to_str().unwrap()];
    assert_eq!(code(&resume), Some(0), "the folder is taken over");
    assert_eq!(code(&[&resume[..], &["--data", "elsewhere"]].concat()), Some(2), "another folder");
}

#[cfg(unix)]
#[test]
fn a_force_that_is_no_text_is_usage() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let args = [&SMALL[..], &["--out", dir.path().to_str().unwrap(), "--dim", "8"]].concat();
    for bad in [&b"\xff"[..], b"f32/l2sq"] {
        let force = std::ffi::OsStr::from_bytes(bad);
        let output = harness(&args).env("ANNVIL_FORCE", force).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{force:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("ANNVIL_FORCE"));
    }
}

#[test]
fn a_narrowed_run_is_not_promoted() {
    let dir = tempfile::tempdir().unwrap();
    assert!(bench(dir.path(), &["--dim", "8"]).status.success());
    let output = run(&["promote", "--dry-run", "--allow-dirty", dir.path().to_str().unwrap()]);
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    // Tests are not built as releases are, which is said first.
    assert!(why.contains("part of its suite") || why.contains("profile"), "{why}");
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

#[cfg(unix)]
#[test]
fn the_first_interrupt_keeps_the_finished_cells() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let dims = ["--dim", "8,9,10,11,12,13,14,15,16,31,64,96,128,256,384,512"];
    let child = harness(&[&SMALL[..], &["--out", out], &dims[..]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let state = dir.path().join("state.jsonl");
    let lines = || fs::read_to_string(&state).map_or(0, |t| t.lines().count());
    while lines() < 3 {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains(&format!("cargo xtask bench --resume {out}")), "{said}");
    let kept = lines();
    assert!((3..33).contains(&kept), "{kept} lines");
    assert!(!dir.path().join("results.json").exists(), "half a run is no record");
    let output = run(&["bench", "--resume", out]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains(&format!("{} of 32 cells", kept - 1)),
        "{said}"
    );
    assert_eq!(Run::load(dir.path().join("results.json")).unwrap().groups().len(), 32);
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
