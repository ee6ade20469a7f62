//! Findings about the engine as a whole, and about builds.

use std::process::{Command, Stdio};

use annvil::Record;
use annvil_reports::findings::Check;

use super::alloc::{Who, counted};
use super::check::{at_most, count, missing, shown};
use super::interval::Interval;
use super::{Lab, mem, simd};
use crate::asm::listing_of;

pub(super) fn deferred_sqrt(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    simd::deferred(lab)
}

pub(super) fn pgo(_: &Lab<'_>) -> Result<Vec<Check>, String> {
    Err("builds are judged by processes in turn: `cargo xtask pgo verify` has the figures"
        .to_owned())
}

pub(super) fn target_cpu(_: &Lab<'_>) -> Result<Vec<Check>, String> {
    Err("builds are judged by processes in turn: `cargo xtask builds` has the figures".to_owned())
}

pub(super) fn lints(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let root = lab.root.as_ref().ok_or("the sources are not here")?;
    let mut blanket = 0;
    for krate in ["kernels", "engine", "harness", "reports", "pgo", "xtask"] {
        for file in ["src/lib.rs", "src/main.rs"] {
            let text = std::fs::read_to_string(root.join(krate).join(file)).unwrap_or_default();
            blanket += text.lines().filter(|l| l.starts_with("#![allow(")).count();
        }
    }
    Ok(vec![
        count("crates' roots that allow lints", blanket as f64, "", 0.0),
        missing("clippy without a warning", "a build of everything: `cargo xtask ci` has it"),
    ])
}

#[inline(never)]
fn sum(a: u8, b: u8) -> u8 {
    a + b
}

pub(super) fn overflow(_: &Lab<'_>) -> Result<Vec<Check>, String> {
    let profile = crate::env::toolchain().profile;
    let mut out = 0;
    let mut add = || out = sum(std::hint::black_box(1), std::hint::black_box(2));
    let code = listing_of(&mut add).map_err(|e| e.to_string())?;
    let jumps = code.mix().iter().filter(|(name, _)| checks(name)).map(|(_, n)| *n).sum::<usize>();
    let mut checked =
        count("conditional jumps that an addition takes along", jumps as f64, "", 0.0);
    checked.note = format!("profile {profile}");
    let asserted = f64::from(u8::from(cfg!(debug_assertions)));
    Ok(vec![checked, count("debug assertions are on", asserted, "", 0.0)])
}

fn checks(mnemonic: &str) -> bool {
    mnemonic.starts_with('j') && mnemonic != "jmp"
}

/// The house's rule: no loop of a distance outside `kernels`.
pub(super) fn distance_loops(lab: &Lab<'_>) -> Check {
    let what = "the rule `tidy distance`: exit code";
    let Some(root) = lab.root.as_ref() else { return missing(what, "the sources are not here") };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["run", "-q", "-p", "xtask", "--", "tidy", "distance"]).current_dir(root);
    match command.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) => count(what, f64::from(status.code().unwrap_or(-1).abs()), "", 0.0),
        Err(e) => missing(what, format!("cargo cannot be started: {e}")),
    }
}

pub(super) fn redundant(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let ops = annvil_kernels::ops();
    let variants: usize = ops.iter().map(|op| op.variants().len()).sum();
    let mut registry = shown("operations in one registry", Interval::exact(ops.len() as f64), "");
    registry.note = format!("{variants} variants");
    Ok(vec![distance_loops(lab), registry])
}

pub(super) fn duplicates(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim) = (lab.size(4_000, 50_000), 128);
    let (counts, collection) = counted(Who::All, 1, || {
        let rows = lab.rows(n, dim)?;
        lab.go_on()?;
        let collection = mem::hnsw(dim)?;
        let record = |i| Record::new(format!("vector-{i}"), rows.row(i).to_vec());
        let done = collection.insert_batch((0..n).map(record).collect());
        done.map_err(|e| e.to_string())?;
        Ok::<_, String>(collection)
    });
    let collection = collection?;
    let counts = counts.ok_or("this program does not count its blocks")?;
    let graph = collection.stats().bytes.links;
    let held = Interval::exact(counts.held as f64 / (n * (4 * dim + 16) + graph) as f64);
    let each = |bytes| Interval::exact(bytes as f64 / n as f64);
    let what = format!("{n} x {dim}: bytes held over vectors, graph and 16 bytes an id");
    let mut whole = at_most(what, held, "x", 1.15);
    whole.note = format!("{:?}", collection.stats().bytes);
    Ok(vec![
        whole,
        shown("held", each(counts.held as usize), "bytes a row"),
        shown("of these the graph's", each(graph), "bytes a row"),
    ])
}
