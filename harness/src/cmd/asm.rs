//! `asm`: the code of a kernel as it ran, its hot loop, and what other CPUs would take for it.

use std::io::Write;
use std::process::{Command, Stdio};

use annvil_harness::asm::{AsmError, Listing, listing};
use annvil_kernels::winners::WINNERS;
use serde_json::json;

use crate::cli::AsmArgs;
use crate::progress::out;
use crate::stop::{MISSING, Stop, WRONG};

pub(crate) fn run(args: &AsmArgs) -> Result<(), Stop> {
    if args.check {
        return check();
    }
    let kernel = args.kernel.as_deref().unwrap_or_default();
    let (path, variant) = kernel.split_once('#').ok_or_else(|| {
        Stop::usage(format!(
            "`{kernel}` is no kernel; give op#variant, such as f32/l2sq/pair#avx512-x4; `cargo xtask \
             kernels` lists them"
        ))
    })?;
    let op = annvil_kernels::find(path).map_err(Stop::usage)?;
    let found = listing(op, variant, args.dim).map_err(|e| stop(&e))?;
    let predictions = args.mca.iter().map(|cpu| mca(cpu, &found)).collect::<Result<Vec<_>, _>>()?;
    if args.json {
        let mix: Vec<_> =
            found.mix().into_iter().map(|(m, n)| json!({"mnemonic": m, "count": n})).collect();
        let cycles: Vec<_> = args
            .mca
            .iter()
            .zip(&predictions)
            .map(|(cpu, p)| json!({"cpu": cpu, "summary": p}))
            .collect();
        let record = json!({
            "schema": "annvil.asm/1", "kernel": kernel, "dim": args.dim, "steps": found.steps,
            "accumulators": found.accumulators(), "calls": found.calls(), "checks": found.checks(),
            "loop": !found.hot.is_empty(), "text": found.text(), "mix": mix, "mca": cycles,
        });
        out(&format!("{record:#}\n"));
        return Ok(());
    }
    out(&found.text());
    out(&summary(kernel, args.dim, &found));
    for (cpu, prediction) in args.mca.iter().zip(predictions) {
        out(&format!(
            "\n{cpu}, one turn of the body (llvm-mca, rows in L1, no jumps):\n{prediction}"
        ));
    }
    Ok(())
}

fn stop(error: &AsmError) -> Stop {
    let code = match error {
        AsmError::Unavailable(_) | AsmError::NoTrace(_) => MISSING,
    };
    Stop::new(code, error)
}

fn summary(kernel: &str, dim: usize, found: &Listing) -> String {
    let what = if found.hot.is_empty() { "straight line" } else { "loop (|)" };
    let mix: Vec<String> = found.mix().iter().take(8).map(|(m, n)| format!("{m} {n}")).collect();
    format!(
        "\n{kernel} @ {dim}: {} instructions ran; {what} of {}; accumulators {}, calls {}, checks that \
         leave the loop {}\n{}\n",
        found.steps,
        found.body().len(),
        found.accumulators(),
        found.calls(),
        found.checks(),
        mix.join(", ")
    )
}

/// Every winner of this CPU at its smallest common dimension: no call in its hot loop.
fn check() -> Result<(), Stop> {
    let (mut checked, mut wrong) = (0, Vec::new());
    let mut seen = std::collections::BTreeSet::new();
    for winner in WINNERS {
        let op = annvil_kernels::find(winner.op).map_err(Stop::failed)?;
        let here = op.variants().iter().any(|v| v.name == winner.variant && v.not_run.is_none());
        if !here || winner.variant == "scalar" || !seen.insert((winner.op, winner.variant)) {
            continue;
        }
        let dim = 768.clamp(winner.min_dim, winner.max_dim).min(if winner.op.starts_with("pq") {
            32
        } else {
            768
        });
        match listing(op, winner.variant, dim) {
            Ok(found) => {
                checked += 1;
                if found.calls() > 0 {
                    wrong.push(format!("{}#{} calls in its loop", winner.op, winner.variant));
                }
            }
            Err(AsmError::NoTrace(why)) => return Err(Stop::new(MISSING, why)),
            Err(AsmError::Unavailable(_)) => {}
        }
    }
    out(&format!(
        "{checked} winners of this CPU looked at, {} with a call in the hot loop\n",
        wrong.len()
    ));
    if wrong.is_empty() { Ok(()) } else { Err(Stop::new(WRONG, wrong.join("; "))) }
}

/// What llvm-mca says of the body on a CPU: its summary.
fn mca(cpu: &str, found: &Listing) -> Result<String, Stop> {
    let names = (18..=30).rev().map(|v| format!("llvm-mca-{v}")).chain(["llvm-mca".to_owned()]);
    for name in names {
        let mut command = Command::new(&name);
        command.args(["-mtriple=x86_64", &format!("-mcpu={cpu}"), "-iterations=100"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let Ok(mut child) = command.spawn() else { continue };
        if let Some(mut stdin) = child.stdin.take() {
            // A tool that ends early says why itself.
            let _ = stdin.write_all(found.gas().as_bytes());
        }
        let done = child.wait_with_output().map_err(Stop::failed)?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
            return Err(Stop::usage(format!("{name} -mcpu={cpu}: {said}")));
        }
        let text = String::from_utf8_lossy(&done.stdout);
        let wanted = ["Instructions:", "Total Cycles:", "IPC:", "Block RThroughput:"];
        let lines = text.lines().filter(|l| wanted.iter().any(|w| l.starts_with(w)));
        return Ok(lines.map(|l| format!("  {l}\n")).collect());
    }
    Err(Stop::new(
        MISSING,
        "llvm-mca is not here; install with: apt-get install -y --no-install-recommends llvm-22",
    ))
}
