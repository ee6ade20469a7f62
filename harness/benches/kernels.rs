//! Criterion over the registry: every operation, every variant that can run here.
//!
//! ```text
//! cargo bench -p annvil-harness --bench kernels -- 'f32/l2sq/pair'      one operation
//! cargo bench -p annvil-harness --bench kernels -- 'f32/.*/scan/avx2'   one level's scans
//! cargo bench -p annvil-harness --bench kernels -- --test               each once, no times
//! ```
//!
//! An id is `encoding/metric/shape/variant/dim`. `pair`, `pair_norms` and `row` walk over rows that
//! fit the first-level data cache, `scan` and `gather` over rows that fit the second level, both as
//! large as a cell of `cargo xtask bench`; rows are packed and start on a 64-byte line. One
//! iteration is one batch, an element of the throughput is one value. A variant is compared with
//! the oracle on its own operands before it is timed; a wrong value ends the run.
//!
//! What this is for: the familiar history of one machine, and a profiler's target. What it is not
//! for: saying which variant is faster. Criterion times one variant after the other and compares
//! a run with an earlier one, so that drift of a shared machine passes for a difference: run the
//! first command twice, without a change between, to see it. Verdicts come from
//! `cargo xtask bench`, which times all variants in the same rounds (METHODOLOGY.md).

use std::hint::black_box;
use std::time::Duration;

use annvil_harness::protocol::{CacheSizes, Residence};
use annvil_kernels::testkit::cases::{Case, Recipe};
use annvil_kernels::testkit::verify_batch;
use annvil_kernels::{AnyOp, Batch, BindError, Runner};
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
    let caches = CacheSizes::detect();
    let near = PAIR_DIMS.map(|dim| case(dim, caches.working_set(Residence::L1)));
    let far = ROWS_DIMS.map(|dim| case(dim, caches.working_set(Residence::L2)));
    for op in annvil_kernels::ops() {
        bench_op(&mut criterion, *op, if takes_rows(*op) { &far } else { &near });
    }
    criterion.final_summary();
}

/// A query and as many rows as `bytes` hold.
fn case(dim: usize, bytes: usize) -> Case {
    let rows = (bytes / (dim * size_of::<f32>())).max(1);
    Recipe::plain(dim, rows, SEED).make()
}

/// Whether one call of the kernel takes many rows.
fn takes_rows(op: &dyn AnyOp) -> bool {
    op.shape().starts_with("scan") || op.shape().starts_with("gather")
}

/// The values of one batch: one per row, or one per id.
fn values(op: &dyn AnyOp, batch: &Batch<'_>) -> usize {
    if op.shape().starts_with("scan") { batch.rows.len() } else { batch.ids.len() }
}

fn bench_op(criterion: &mut Criterion, op: &dyn AnyOp, cases: &[Case]) {
    let mut group = criterion.benchmark_group(op.path());
    let mut selected = false;
    let mut not_run = Vec::new();
    for variant in op.variants() {
        if let Some(why) = variant.not_run {
            not_run.push(format!("{}#{}: {why}", op.path(), variant.name));
            continue;
        }
        for case in cases {
            let batch = case.batch();
            let dim = batch.rows.dim();
            let runner = match op.bind(variant.name, dim) {
                Ok(runner) => runner,
                Err(why @ BindError::NoForm { .. }) => {
                    not_run.push(why.to_string());
                    continue;
                }
                Err(why) => panic!("{why}"),
            };
            group.throughput(Throughput::Elements(values(op, &batch) as u64));
            // Criterion calls the closure for selected ids only, and more than once.
            let mut verified = None;
            group.bench_function(BenchmarkId::new(variant.name, dim), |bencher| {
                selected = true;
                let out =
                    verified.get_or_insert_with(|| verify(op, variant.name, &*runner, &batch));
                bencher.iter(|| {
                    runner.run(black_box(&batch), out);
                    black_box(out.as_slice());
                });
            });
        }
    }
    group.finish();
    if selected {
        report(&not_run);
    }
}

/// Runs the batch once and compares every value with the oracle; returns the outputs' memory.
fn verify(op: &dyn AnyOp, variant: &str, runner: &dyn Runner, batch: &Batch<'_>) -> Vec<f32> {
    let mut out = Vec::new();
    match verify_batch(op, runner, batch, &mut out) {
        Ok(report) => assert!(report.values > 0, "{}#{variant}: nothing was compared", op.path()),
        Err(failure) => panic!("wrong, and not timed: variant {variant}: {failure}"),
    }
    out
}

#[expect(clippy::print_stderr, reason = "a bench talks to its terminal")]
fn report(not_run: &[String]) {
    for line in not_run {
        eprintln!("not run: {line}");
    }
}
