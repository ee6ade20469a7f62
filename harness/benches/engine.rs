//! Criterion over the engine: exact search ([`annvil::Flat`]) on the sets that come with the source.
//!
//! ```text
//! cargo bench -p annvil-harness --bench engine                     both sets, single and batch
//! cargo bench -p annvil-harness --bench engine -- single/digits    one of them
//! cargo bench -p annvil-harness --bench engine -- --test           each once, no times
//! ```
//!
//! An id is `flat/metric/call/set`. `single` searches for one query an iteration, each in turn;
//! `batch` for all of them in one call. An element of the throughput is a query. Before anything is
//! timed, all answers of both calls are compared with the sets' ground truth, rows and distances;
//! a wrong one ends the run.
//!
//! Everything runs on the calling thread. As with the kernels, criterion gives a history of one
//! machine; which of two kernels makes the engine faster is a question for `cargo xtask bench`.

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use annvil::{AlignedRows, Flat, Metric, Neighbor};
use annvil_harness::data::{Dataset, SLACK, Truth, builtin_root, discover, recall};
use criterion::{BenchmarkId, Criterion, Throughput};

/// Neighbours that are asked for.
const K: usize = 10;

#[expect(clippy::print_stderr, reason = "a bench talks to its terminal")]
fn main() -> ExitCode {
    let mut criterion = Criterion::default()
        .without_plots()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .nresamples(10_000)
        .configure_from_args();
    match bench_all(&mut criterion) {
        Ok(()) => {
            criterion.final_summary();
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn bench_all(criterion: &mut Criterion) -> Result<(), Box<dyn Error>> {
    let root = builtin_root();
    let sets = discover(&root)?;
    if sets.is_empty() {
        return Err(
            format!("{}: no data set; restore the sets of the source", root.display()).into()
        );
    }
    for set in sets {
        bench_set(criterion, &set?)?;
    }
    Ok(())
}

fn bench_set(criterion: &mut Criterion, set: &Dataset) -> Result<(), Box<dyn Error>> {
    let (base, queries) = (set.base().load()?, set.query().load()?);
    if queries.is_empty() {
        return Err(format!("{}: no queries; fetch the set again", set.name()).into());
    }
    let index = Flat::new(base.clone(), Metric::L2)?;
    check(set, &base, &queries, &index)?;

    let mut group = criterion.benchmark_group("flat/l2");
    group.throughput(Throughput::Elements(1));
    let mut next = 0;
    group.bench_function(BenchmarkId::new("single", set.name()), |bencher| {
        bencher.iter(|| {
            let query = queries.row(next);
            next = (next + 1) % queries.len();
            index.search(black_box(query), K)
        });
    });
    group.throughput(Throughput::Elements(queries.len() as u64));
    group.bench_function(BenchmarkId::new("batch", set.name()), |bencher| {
        bencher.iter(|| index.search_batch(black_box(queries.view()), K));
    });
    group.finish();
    Ok(())
}

/// Compares what both calls answer with the ground truth.
fn check(
    set: &Dataset,
    base: &AlignedRows,
    queries: &AlignedRows,
    index: &Flat,
) -> Result<(), Box<dyn Error>> {
    let truth = set.load_truth()?;
    let single: Result<Vec<_>, _> =
        (0..queries.len()).map(|i| index.search(queries.row(i), K)).collect();
    for (call, found) in [("single", single?), ("batch", index.search_batch(queries.view(), K)?)] {
        let ids: Vec<Vec<u32>> =
            found.iter().map(|answer| answer.iter().map(|n| n.id).collect()).collect();
        let tally = recall(base.view(), queries.view(), Metric::L2, &truth, K, &ids);
        let wrong = tally.first_wrong.or_else(|| first_wrong_distance(&truth, &found));
        if found.len() != queries.len() || wrong.is_some() {
            let (name, query) = (set.name(), wrong.unwrap_or(found.len()));
            return Err(format!("wrong, and not timed: {call}/{name}: query {query}").into());
        }
    }
    Ok(())
}

/// The first query with a distance that is not the ground truth's, which is squared.
fn first_wrong_distance(truth: &Truth, found: &[Vec<Neighbor>]) -> Option<usize> {
    found.iter().enumerate().position(|(query, answer)| {
        answer.iter().zip(truth.values(query)).any(|(neighbor, &value)| {
            let off = (f64::from(neighbor.distance).powi(2) - value).abs();
            off.is_nan() || off > SLACK * value
        })
    })
}
