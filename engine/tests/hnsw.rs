//! The graph as others use it: topology in one hand, rows in the other.
#![cfg(feature = "hnsw")]
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use annvil::scorer::{F32Rows, Rows, Scorer};
use annvil::{AlignedRows, Forced, Graph, HnswOptions, Metric, Scratch};

/// Numbers in -0.5..0.5 from a seed.
fn drawn(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }
}

/// Rows around centres, given centre by centre; every third is the one before it once more.
fn clustered(n: usize, dim: usize, centres: usize) -> AlignedRows {
    let mut next = drawn(n as u64);
    let middles: Vec<f32> = (0..centres * dim).map(|_| 4.0 * next()).collect();
    let mut rows = AlignedRows::with_capacity(n, dim).unwrap();
    for i in 0..n {
        let at = i * centres / n * dim;
        let row: Vec<f32> = match i % 3 {
            2 => rows.row(i - 1).to_vec(),
            _ => (0..dim).map(|d| middles[at + d] + 0.5 * next()).collect(),
        };
        rows.push(&row).unwrap();
    }
    rows
}

fn scored(rows: AlignedRows, metric: Metric) -> F32Rows {
    F32Rows::new(rows, metric, &Forced::default()).unwrap()
}

fn options() -> HnswOptions {
    HnswOptions { ef_construction: 80, ..HnswOptions::default() }
}

fn at_once(rows: &F32Rows) -> Graph {
    let mut graph = Graph::new(options()).unwrap();
    graph.extend(rows).unwrap();
    graph
}

/// A call for each row, so that each sees all before it.
fn one_by_one(rows: &F32Rows) -> Graph {
    let mut graph = Graph::new(options()).unwrap();
    let mut some =
        scored(AlignedRows::with_capacity(rows.len(), rows.dim()).unwrap(), rows.metric());
    for row in 0..rows.len() {
        some.push(rows.view().row(row)).unwrap();
        graph.extend(&some).unwrap();
    }
    graph
}

/// The share of the 10 nearest accepted rows that is found, by rank.
fn recall(graph: &Graph, rows: &F32Rows, ef: usize, accept: impl Fn(u32) -> bool) -> f64 {
    let (mut scratch, mut found, mut query) = (Scratch::default(), Vec::new(), Vec::new());
    let (mut hit, mut all) = (0, 0);
    for row in (0..rows.len()).step_by(23) {
        let vector: Vec<f32> = rows.view().row(row).iter().map(|v| v + 0.03).collect();
        rows.prepare(&vector, &mut query);
        let mut ranks = vec![0.0; rows.len()];
        rows.score_range(&query, 0, &mut ranks);
        let mut truth: Vec<f32> =
            (0u32..).zip(ranks).filter(|(slot, _)| accept(*slot)).map(|(_, rank)| rank).collect();
        truth.sort_by(f32::total_cmp);
        truth.truncate(10);
        graph.search_where(rows, &query, ef, &accept, &mut scratch, &mut found);
        let worst = truth[truth.len() - 1];
        let near = |&&(rank, slot): &&(f32, u32)| {
            assert!(accept(slot), "{slot} was returned");
            rank <= worst + 1e-5 * worst.abs()
        };
        hit += found.iter().take(10).filter(near).count();
        all += truth.len();
    }
    hit as f64 / all as f64
}

#[test]
fn rows_linked_in_batches_are_found_like_rows_linked_one_by_one() {
    let rows = scored(clustered(3000, 24, 12), Metric::L2);
    let (batches, single) = (at_once(&rows), one_by_one(&rows));
    for ef in [10, 20, 40] {
        let (ours, theirs) =
            (recall(&batches, &rows, ef, |_| true), recall(&single, &rows, ef, |_| true));
        assert!(ours >= theirs - 0.01, "ef {ef}: {ours} in batches, {theirs} one by one");
    }
}

#[test]
fn no_row_is_lost_however_they_come() {
    for (centres, dim) in [(1, 2), (40, 8), (300, 3)] {
        let rows = scored(clustered(2400, dim, centres), Metric::L2);
        for (how, graph) in [("at once", at_once(&rows)), ("one by one", one_by_one(&rows))] {
            let report = graph.check();
            assert!(report.is_sound(), "{centres} centres, {how}: {report:?}");
        }
    }
}

#[test]
fn filters_of_every_share_keep_their_recall() {
    let rows = scored(clustered(4000, 16, 10), Metric::L2);
    let graph = at_once(&rows);
    for (every, floor) in [(2, 0.97), (10, 0.97), (100, 0.97)] {
        let found = recall(&graph, &rows, 60, |slot| slot.is_multiple_of(every));
        assert!(found >= floor, "one of {every}: {found}");
    }
}

#[test]
fn the_living_are_found_behind_all_the_dead() {
    let rows = scored(clustered(2000, 8, 20), Metric::L2);
    let graph = at_once(&rows);
    let (mut scratch, mut found, mut query) = (Scratch::default(), Vec::new(), Vec::new());
    // The query's whole neighbourhood is dead; what lives is in the farthest cluster given.
    rows.prepare(rows.view().row(0), &mut query);
    graph.search_where(&rows, &query, 10, |slot| slot >= 1990, &mut scratch, &mut found);
    let mut slots: Vec<u32> = found.iter().map(|f| f.1).collect();
    slots.sort_unstable();
    assert_eq!(slots, (1990..2000).collect::<Vec<_>>());
    graph.search_where(&rows, &query, 10, |_| false, &mut scratch, &mut found);
    assert!(found.is_empty());
}

#[test]
fn accepting_everything_is_no_filter() {
    // A grid of few values: many equal ranks.
    let mut next = drawn(1);
    let grid: Vec<f32> = (0..900 * 3).map(|_| (next() * 4.0).round()).collect();
    // Sums that overflow both ways: ranks that are infinite, and that are no number.
    let huge: Vec<f32> = (0..900 * 3).map(|_| next() * 2.0 * 3e38).collect();
    for (name, data, metric) in [
        ("grid", &grid, Metric::L2),
        ("grid", &grid, Metric::Dot),
        ("grid", &grid, Metric::Linf),
        ("huge", &huge, Metric::Dot),
        ("huge", &huge, Metric::L2),
    ] {
        let rows = scored(AlignedRows::from_packed(data, 3).unwrap(), metric);
        let graph = at_once(&rows);
        let mut scratch = Scratch::default();
        let (mut plain, mut filtered, mut query) = (Vec::new(), Vec::new(), Vec::new());
        let bits = |f: &[(f32, u32)]| f.iter().map(|&(r, s)| (r.to_bits(), s)).collect::<Vec<_>>();
        for slot in (0..900).step_by(31) {
            rows.prepare_slot(slot, &mut query);
            for ef in [1, 10, 300] {
                graph.search(&rows, &query, ef, &mut scratch, &mut plain);
                graph.search_where(&rows, &query, ef, |_| true, &mut scratch, &mut filtered);
                assert_eq!(bits(&filtered), bits(&plain), "{name}, {metric}, {slot}, ef {ef}");
            }
        }
    }
}

#[test]
fn buffers_may_go_from_a_large_graph_to_a_small_one_and_back() {
    let large = scored(clustered(900, 5, 4), Metric::L2);
    let small = scored(clustered(40, 5, 2), Metric::L1);
    let (of_large, of_small) = (at_once(&large), at_once(&small));
    let mut scratch = Scratch::default();
    for _ in 0..3 {
        for (graph, rows) in [(&of_large, &large), (&of_small, &small)] {
            let (mut query, mut fresh, mut used) = (Vec::new(), Vec::new(), Vec::new());
            rows.prepare(&[0.1; 5], &mut query);
            graph.search(rows, &query, 30, &mut Scratch::default(), &mut fresh);
            graph.search(rows, &query, 30, &mut scratch, &mut used);
            assert_eq!(used, fresh);
            assert_eq!(used.len(), 30);
        }
    }
}
