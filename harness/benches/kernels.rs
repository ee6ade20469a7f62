//! Criterion over the registry: every operation, every variant that can run here.
//!
//! ```text
//! cargo bench -p annvil-harness --bench kernels -- 'f32/l2sq/pair'      one operation
//! cargo bench -p annvil-harness --bench kernels -- 'f32/.*/scan/avx2'   one level's scans
//! cargo bench -p annvil-harness --bench kernels -- --test               each once, no times
//! ```
//!
//! An id is `encoding/metric/shape/variant/dim`. `pair`, `pair_norms` and `row` walk over rows that
//! fit the first-level data cache, the other shapes over rows that fit the second level: the operands
//! of a cell of `cargo xtask bench`. One iteration is one batch, an element of the throughput is one
//! value. A variant is compared with
//! the oracle on its own operands before it is timed; a wrong value ends the run.
//!
//! What this is for: the familiar history of one machine, and a profiler's target. What it is not
//! for: saying which variant is faster. Criterion times one variant after the other and compares
//! a run with an earlier one, so that drift of a shared machine passes for a difference: run the
//! first command twice, without a change between, to see it. Verdicts come from
//! `cargo xtask bench`, which times all variants in the same rounds (METHODOLOGY.md).

use std::time::Duration;

use annvil_harness::protocol::{Alignment, CacheSizes, CellSpec, Residence, recipe};
use annvil_harness::rng::Rng;
use annvil_kernels::testkit::trial::Work;
use annvil_kernels::{AnyOp, BindError};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Dimensions of the shapes that are called vector by vector.
const PAIR_DIMS: [usize; 2] = [96, 768];
/// Dimensions of the shapes that take many rows in a call.
const ROWS_DIMS: [usize; 2] = [128, 768];
/// The seed of the operands.
const SEED: u64 = 0x0a11_0f17;

fn main() {
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000)
        .configure_from_args();
    for op in annvil_kernels::ops() {
        bench_op(&mut criterion, *op);
    }
    criterion.final_summary();
}

/// The cells of an operation: near ones where a call takes one vector.
fn cells(op: &dyn AnyOp) -> [CellSpec; 2] {
    let near = op.shape().starts_with("pair") || op.shape() == "row";
    let (dims, residence) =
        if near { (PAIR_DIMS, Residence::L1) } else { (ROWS_DIMS, Residence::L2) };
    dims.map(|dim| CellSpec { op: op.path(), dim, residence, alignment: Alignment::Aligned })
}

fn bench_op(criterion: &mut Criterion, op: &dyn AnyOp) {
    let mut group = criterion.benchmark_group(op.path());
    let sizes = CacheSizes::detect();
    let mut selected = false;
    let mut not_run = Vec::new();
    for cell in cells(op) {
        let recipe = recipe(op, &cell, &sizes, &mut Rng::new(SEED));
        let trial = op.trial(&recipe).unwrap_or_else(|why| panic!("{cell}: {why}"));
        for variant in op.variants() {
            if let Some(why) = variant.not_run {
                not_run.push(format!("{}#{}: {why}", op.path(), variant.name));
                continue;
            }
            let mut work = match trial.bind(variant.name) {
                Ok(work) => work,
                Err(why @ BindError::NoForm { .. }) => {
                    not_run.push(why.to_string());
                    continue;
                }
                Err(why) => panic!("{why}"),
            };
            group.throughput(Throughput::Elements(trial.values() as u64));
            // Criterion calls the closure for selected ids only, and more than once.
            let (mut verified, mut window) = (false, 0);
            group.bench_function(BenchmarkId::new(variant.name, cell.dim), |bencher| {
                selected = true;
                if !verified {
                    verify(&mut *work, &cell, variant.name);
                    verified = true;
                }
                bencher.iter(|| {
                    work.run(window);
                    window += 1;
                });
            });
        }
    }
    group.finish();
    if selected {
        report(&not_run);
    }
}

/// Runs a window once and compares every value with the oracle.
fn verify(work: &mut dyn Work, cell: &CellSpec, variant: &str) {
    match work.verify(0) {
        Ok(report) => assert!(report.values > 0, "{cell}#{variant}: nothing was compared"),
        Err(failure) => panic!("wrong, and not timed: variant {variant}: {failure}"),
    }
}

#[expect(clippy::print_stderr, reason = "a bench talks to its terminal")]
fn report(not_run: &[String]) {
    for line in not_run {
        eprintln!("not run: {line}");
    }
}
