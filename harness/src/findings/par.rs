//! OPT-PAR-1 to 4: two threads against one, and the loads.

use std::sync::atomic::{AtomicU64, Ordering};

use annvil::quant::{Pq, PqOptions};
use annvil::scorer::{F32Rows, Scorer};
use annvil::{AlignedRows, Flat, Forced, Graph, HnswOptions, Metric, Scratch, exact};
use annvil_kernels::{F32Kernels, Metric as Kernel};
use annvil_reports::findings::Check;

use super::alloc::{Who, counted};
use super::check::{at_least, at_most, count, missing, shown};
use super::interval::Interval;
use super::{Lab, mem, pool, scaling, two_cores, two_threads_give};
use crate::baseline::{store, training};
use crate::rounds::Contestant;

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}

fn scorer(rows: AlignedRows) -> Result<F32Rows, String> {
    F32Rows::new(rows, Metric::L2, &Forced::default()).map_err(text)
}

fn build(rows: &impl Scorer, threads: Option<&rayon::ThreadPool>) -> Result<Graph, String> {
    let mut graph = Graph::new(HnswOptions::default()).map_err(text)?;
    match threads {
        Some(pool) => graph.extend_in(pool, rows),
        None => graph.extend(rows),
    }
    .map_err(text)?;
    Ok(graph)
}

/// The ids that a graph finds for each query.
fn answers(graph: &Graph, rows: &F32Rows, queries: &AlignedRows, from: usize) -> Vec<Vec<u32>> {
    let (mut query, mut scratch, mut found) = (Vec::new(), Scratch::default(), Vec::new());
    (from..queries.len())
        .map(|q| {
            rows.prepare(queries.row(q), &mut query);
            graph.search(rows, &query, 100, &mut scratch, &mut found);
            found.iter().take(10).map(|(_, slot)| *slot).collect()
        })
        .collect()
}

fn recall(found: &[Vec<u32>], rows: &F32Rows, queries: &AlignedRows, from: usize) -> f64 {
    let (mut query, mut truth, mut hits) = (Vec::new(), Vec::new(), 0);
    for (q, found) in (from..queries.len()).zip(found) {
        rows.prepare(queries.row(q), &mut query);
        exact::nearest(rows, &query, 10, &|_| true, &mut truth);
        hits += truth.iter().filter(|(_, slot)| found.contains(slot)).count();
    }
    hits as f64 / (10 * found.len()) as f64
}

pub(super) fn insert(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    two_cores()?;
    let before = two_threads_give()?;
    let two = pool(2)?;
    let n = lab.size(4_000, 20_000);
    let all = lab.rows(n + 100, 128)?;
    let part = |len| -> Result<F32Rows, String> {
        let mut rows = all.clone();
        rows.truncate(len);
        scorer(rows)
    };
    let rows = part(n)?;
    let (mut serial, mut shared) = (Err(String::new()), Err(String::new()));
    let race = lab.long_race(
        lab.size(3, 7),
        &mut [&mut || serial = build(&rows, None), &mut || shared = build(&rows, Some(&two))],
    )?;
    let (serial, shared) = (serial?, shared?);
    let (one, other) = (answers(&serial, &rows, &all, n), answers(&shared, &rows, &all, n));
    let recalls = (recall(&one, &rows, &all, n), recall(&other, &rows, &all, n));
    let small = part(2_000)?;
    let batch = lab.long_race(
        lab.size(5, 7),
        &mut [&mut || drop(std::hint::black_box(build(&small, None))), &mut || {
            drop(std::hint::black_box(build(&small, Some(&two))))
        }],
    )?;
    let give = before.min(two_threads_give()?);
    let mut recalled = shown("recall@10 at ef 100", Interval::exact(recalls.1), "");
    recalled.note = format!("graphs are equal: {}", serial.to_parts() == shared.to_parts());
    Ok(vec![
        scaling(format!("{n} x 128: one thread over two"), race.ratio(0, 1), 1.6, give),
        shown("two threads", race.time(1).map(|t| t / 1e9), "s"),
        count("recall lost", recalls.0 - recalls.1, "", 0.01),
        recalled,
        scaling("2,000 rows: one thread over two".to_owned(), batch.ratio(0, 1), 1.0, give),
        shown("plain arithmetic: one thread over two", Interval::exact(give), "x"),
    ])
}

/// Counts what is compared.
struct Watched<'a> {
    rows: &'a F32Rows,
    scored: AtomicU64,
}

impl Scorer for Watched<'_> {
    type Query = <F32Rows as Scorer>::Query;

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut Self::Query) {
        self.rows.prepare(vector, query);
    }

    fn prepare_slot(&self, slot: u32, query: &mut Self::Query) {
        self.rows.prepare_slot(slot, query);
    }

    fn score_ids(&self, query: &Self::Query, slots: &[u32], ranks: &mut [f32]) {
        self.scored.fetch_add(slots.len() as u64, Ordering::Relaxed);
        self.rows.score_ids(query, slots, ranks);
    }

    fn score_range(&self, query: &Self::Query, from: u32, ranks: &mut [f32]) {
        self.scored.fetch_add(ranks.len() as u64, Ordering::Relaxed);
        self.rows.score_range(query, from, ranks);
    }
}

pub(super) fn load(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let two = pool(2)?;
    let sizes = [lab.size(2_500, 10_000), lab.size(10_000, 40_000)];
    let all = lab.rows(sizes[1] + 100, 128)?;
    let mut stored = Vec::new();
    let (mut took, mut mapped, mut compared) = ([0.0; 2], [0.0; 2], 0);
    for (i, n) in sizes.into_iter().enumerate() {
        let mut rows = all.clone();
        rows.truncate(n);
        let rows = scorer(rows)?;
        lab.go_on()?;
        let watched = Watched { rows: &rows, scored: AtomicU64::new(0) };
        let mut graph = Err(String::new());
        let race = lab.long_race(1, &mut [&mut || graph = build(&watched, Some(&two))])?;
        took[i] = race.time(0).median;
        compared = watched.scored.load(Ordering::Relaxed);
        let graph = graph?;
        let answers = answers(&graph, &rows, &all, sizes[1]);
        stored.push((graph.to_parts(), rows, answers));
        let ids: Vec<String> = (0..n).map(|i| format!("vector-{i}")).collect();
        let index: Vec<(String, usize)> = ids.iter().cloned().zip(0..).collect();
        let mut map = || drop(std::hint::black_box(store::map_ids(&index, &ids)));
        mapped[i] = lab.long_race(1, &mut [&mut map])?.time(0).median;
    }
    let load = |i: usize| {
        let parts = &stored[i].0;
        Contestant {
            values_per_iter: 1,
            run: Box::new(move |iters| {
                for _ in 0..iters {
                    drop(std::hint::black_box(Graph::from_parts(parts)));
                }
            }),
        }
    };
    let race = lab.race(&mut [load(0), load(1)]);
    let growth = (sizes[1] as f64 / sizes[0] as f64).ln();
    let exponent = race.ratio(1, 0).map(|r| r.ln() / growth);
    let found = Interval::exact((mapped[1] / mapped[0]).ln() / growth);
    let mut differ = 0;
    for (parts, rows, before) in &stored {
        let again = Graph::from_parts(parts).map_err(text)?;
        let after = answers(&again, rows, &all, sizes[1]);
        differ += before.iter().zip(&after).filter(|(a, b)| a != b).count();
    }
    let faster = race.time(1).map(|t| took[1] / t);
    let watched = Watched { rows: &stored[1].1, scored: AtomicU64::new(0) };
    let again = Graph::from_parts(&stored[1].0).map_err(text)?;
    let scored = watched.scored.load(Ordering::Relaxed) as f64;
    drop((again, watched));
    let mut evaluations = count("distances computed in a load", scored, "", 0.0);
    evaluations.note = format!("a build of {} rows computes {compared}", sizes[1]);
    let what = format!("exponent of a load, {} and {} rows", sizes[0], sizes[1]);
    let mut checks = vec![
        at_most(what, exponent, "", 1.15),
        shown("the same as found, ids only", found, ""),
        shown("ids as found, the larger", Interval::exact(mapped[1] / 1e6), "ms"),
        evaluations,
        at_least("build (two threads) over load", faster, "x", 10.0),
        count("of 200 queries, those answered otherwise after", differ as f64, "", 0.0),
    ];
    checks.extend(super::disk::reopen(lab)?);
    Ok(checks)
}

pub(super) fn flat(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    two_cores()?;
    let before = two_threads_give()?;
    let (n, dim, k) = (lab.size(40_000, 100_000), 128, 10);
    let (one, two) = (pool(1)?, pool(2)?);
    let rows = lab.rows(n + 1, dim)?;
    let query = rows.row(n).to_vec();
    let shards = store::Shards::new();
    for i in 0..=n {
        shards.insert(format!("vector-{i}"), rows.row(i).to_vec());
    }
    let kernel = F32Kernels::new(Kernel::L2Sq, dim).map_err(text)?.pair;
    let index = Flat::new(rows, Metric::L2).map_err(text)?;
    let search = |pool: &rayon::ThreadPool| {
        drop(std::hint::black_box(index.search_in(pool, &query, k)));
    };
    let race = lab.long_race(
        lab.size(25, 51),
        &mut [&mut || search(&one), &mut || search(&two), &mut || {
            let distance = |v: &[f32]| kernel.call(&query, v).sqrt();
            drop(std::hint::black_box(shards.search(&two, k, distance)));
        }],
    )?;
    let (counts, _) = counted(Who::All, 1, || index.search_in(&two, &query, k));
    let distance = |v: &[f32]| kernel.call(&query, v).sqrt();
    let (found, _) = counted(Who::All, 1, || shards.search(&two, k, distance));
    let give = before.min(two_threads_give()?);
    let rate = race.time(1).map(|ns| (n * dim * 4) as f64 / ns);
    let mut checks = vec![
        scaling(format!("{n} x {dim}: one thread over two"), race.ratio(0, 1), 1.6, give),
        shown("two threads read", rate, "GB/s"),
        shown("plain arithmetic: one thread over two", Interval::exact(give), "x"),
        at_least("as found over ours, two threads each", race.ratio(2, 1), "x", 2.0),
    ];
    match (counts, found) {
        (Some(counts), Some(found)) => {
            // k results and a few blocks a thread: the pool's job, a top-k buffer.
            let most = (k + 16 * 2) as f64;
            checks.push(count("blocks a query", counts.blocks as f64, "", most));
            checks.push(shown("the same as found", Interval::exact(found.blocks as f64), ""));
        }
        _ => checks.push(missing("blocks a query", "this program does not count its blocks")),
    }
    Ok(checks)
}

pub(super) fn kmeans(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    two_cores()?;
    let before = two_threads_give()?;
    let (n, dim, m) = (lab.size(8_000, 50_000), 128, 8);
    let iterations = lab.size(4, 10);
    let (one, two) = (pool(1)?, pool(2)?);
    let rows = lab.rows(n, dim)?;
    let options = PqOptions { iterations, ..PqOptions::new(m) };
    let train = |pool| Pq::train_in(pool, rows.view(), &options, &Forced::default());
    let (mut first, mut second) = (None, None);
    let race = lab.long_race(
        lab.size(5, 7),
        &mut [&mut || first = train(&one).ok(), &mut || second = train(&two).ok()],
    )?;
    let give = before.min(two_threads_give()?);
    let (Some(first), Some(second)) = (first, second) else {
        return Err("training failed".to_owned());
    };
    let bits = |pq: &Pq| pq.book().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let differ = bits(&first).iter().zip(bits(&second)).filter(|(a, b)| **a != *b).count();
    let copies = mem::vectors(&rows);
    let mut found = Vec::new();
    let mut slow = || found = training::pq(&copies, m, 256, iterations, lab.seed);
    let slow = lab.long_race(1, &mut [&mut slow])?.time(0).median;
    let theirs = training::distortion(&copies, &found);
    let ours = second.distortion().unwrap_or(f64::NAN);
    let what = format!("{n} x {dim}, m {m}, {iterations} iterations: one thread over two");
    Ok(vec![
        scaling(what, race.ratio(0, 1), 1.7, give),
        shown("plain arithmetic: one thread over two", Interval::exact(give), "x"),
        count("elements of the codebook that differ", differ as f64, "", 0.0),
        at_most("distortion over the found form's", Interval::exact(ours / theirs), "x", 1.0),
        shown("as found over ours, its one thread, our two", race.time(1).map(|t| slow / t), "x"),
    ])
}
