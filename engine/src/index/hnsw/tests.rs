//! The graph against exact search, and against itself.

use proptest::prelude::*;

use super::*;
use crate::scorer::Scorer;

/// Rows around a few centres, some of them equal, from a seed.
fn rows(n: usize, dim: usize, centres: usize, seed: u64) -> AlignedRows {
    let mut state = seed;
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    let middles: Vec<f32> = (0..centres * dim).map(|_| 4.0 * next()).collect();
    let mut rows = AlignedRows::with_capacity(n, dim).unwrap();
    for i in 0..n {
        let at = (i * centres / n.max(1)) * dim;
        // Given centre by centre: the worst order for batches.
        let row: Vec<f32> = (0..dim).map(|d| middles[at + d] + 0.5 * next()).collect();
        if i % 10 == 9 {
            let twin = rows.row(i - 1).to_vec();
            rows.push(&twin).unwrap();
        } else {
            rows.push(&row).unwrap();
        }
    }
    rows
}

fn exact(rows: &F32Rows, query: &[f32], k: usize) -> Vec<f32> {
    let mut prepared = Vec::new();
    rows.prepare(query, &mut prepared);
    let mut ranks = vec![0.0; rows.len()];
    rows.score_range(&prepared, 0, &mut ranks);
    ranks.sort_by(f32::total_cmp);
    ranks.truncate(k);
    ranks
}

/// The share of the true `k` that is found, by distance, over every 37th row as a query.
fn recall(index: &Hnsw, k: usize, ef: usize) -> f64 {
    let mut scratch = HnswScratch::default();
    let (mut hit, mut all) = (0, 0);
    for slot in (0..index.rows().len()).step_by(37) {
        let query: Vec<f32> = index.rows().view().row(slot).iter().map(|v| v + 0.01).collect();
        let truth = exact(index.rows(), &query, k);
        let worst = index.rows().metric().distance(truth[truth.len() - 1]);
        let found = index.search(&query, k, ef, &mut scratch).unwrap();
        assert_eq!(found.len(), truth.len());
        assert!(found.windows(2).all(|w| w[0].distance <= w[1].distance));
        hit += found.iter().filter(|n| n.distance <= worst + 1e-5 * worst.abs()).count();
        all += truth.len();
    }
    hit as f64 / all as f64
}

fn built(n: usize, dim: usize, centres: usize, metric: Metric) -> Hnsw {
    let options = HnswOptions { ef_construction: 100, ..HnswOptions::default() };
    Hnsw::new(rows(n, dim, centres, 7), metric, options).unwrap()
}

#[test]
fn near_rows_are_found_in_every_metric() {
    for metric in [Metric::L2, Metric::Dot, Metric::L1, Metric::Linf] {
        let index = built(3000, 16, 20, metric);
        let report = index.graph().check();
        assert!(report.is_sound(), "{metric}: {report:?}");
        let found = recall(&index, 10, 100);
        // The inner product is no distance: long rows hide the others.
        let floor = if metric == Metric::Dot { 0.90 } else { 0.97 };
        assert!(found >= floor, "{metric}: {found}");
    }
}

#[test]
fn cosine_finds_unit_rows_and_zero_rows_are_at_one() {
    let mut data = rows(500, 8, 5, 3);
    data.row_mut(17).fill(0.0);
    let index = Hnsw::new(data, Metric::Cosine, HnswOptions::default()).unwrap();
    let mut scratch = HnswScratch::default();
    let all = index.search(&[1.0; 8], 500, 500, &mut scratch).unwrap();
    assert_eq!(all.len(), 500);
    assert_eq!(all.iter().find(|n| n.id == 17).unwrap().distance, 1.0);
    assert!(
        index.search(&[0.0; 8], 5, 10, &mut scratch).unwrap().iter().all(|n| n.distance == 1.0)
    );
}

#[test]
fn every_row_can_be_found_among_many_equal_ones() {
    for distinct in [1, 2, 7] {
        let mut data = AlignedRows::with_capacity(700, 4).unwrap();
        for i in 0..700 {
            data.push(&[(i % distinct) as f32; 4]).unwrap();
        }
        let index =
            Hnsw::new(data, Metric::L2, HnswOptions { m: 4, ..HnswOptions::default() }).unwrap();
        let report = index.graph().check();
        assert!(report.is_sound(), "{distinct}: {report:?}");
        let all = index.search(&[0.0; 4], 700, 700, &mut HnswScratch::default()).unwrap();
        assert_eq!(all.len(), 700);
    }
}

#[test]
fn the_graph_does_not_depend_on_the_number_of_threads() {
    let build = |threads: usize| {
        let data = rows(1200, 12, 9, 5);
        let options = HnswOptions { m: 8, ef_construction: 40, seed: 3 };
        if threads == 0 {
            return Hnsw::new(data, Metric::L2, options).unwrap().graph().to_parts();
        }
        #[cfg(feature = "parallel")]
        {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let index = Hnsw::new_in(&pool, data, Metric::L2, options).unwrap();
            index.graph().to_parts()
        }
        #[cfg(not(feature = "parallel"))]
        Hnsw::new(data, Metric::L2, options).unwrap().graph().to_parts()
    };
    let one = build(0);
    for threads in [1, 2, 4] {
        assert!(build(threads) == one, "{threads} threads");
    }
}

#[test]
fn rows_that_come_later_are_found_too() {
    let data = rows(1500, 10, 3, 11);
    let mut some =
        F32Rows::new(AlignedRows::with_capacity(0, 10).unwrap(), Metric::L2, &Forced::default())
            .unwrap();
    let mut graph = Graph::new(HnswOptions::default()).unwrap();
    use crate::scorer::Rows;
    // One by one, by tens, and a new cluster at once.
    for (i, step) in [1, 1, 1, 7, 40, 450, 499, 1, 500].into_iter().enumerate() {
        let from = some.len();
        for row in from..from + step {
            some.push(data.row(row)).unwrap();
        }
        graph.extend(&some).unwrap();
        assert_eq!(graph.len(), some.len());
        let report = graph.check();
        assert!(report.is_sound(), "step {i}: {report:?}");
    }
    let index = Hnsw { rows: some, graph };
    let found = recall(&index, 5, 60);
    assert!(found >= 0.97, "{found}");
}

#[test]
fn rows_that_are_not_accepted_are_passed_through() {
    let index = built(2000, 8, 6, Metric::L2);
    let (mut scratch, mut found, mut query) = (Scratch::default(), Vec::new(), Vec::new());
    index.rows().prepare(index.rows().view().row(55), &mut query);
    for every in [1, 2, 10, 100] {
        let accept = |slot: u32| slot.is_multiple_of(every);
        index.graph().search_where(index.rows(), &query, 50, accept, &mut scratch, &mut found);
        assert!(found.iter().all(|(_, slot)| accept(*slot)));
        assert!(found.len() >= 20.min(2000 / every as usize), "1 of {every}: {}", found.len());
        // With room for everything, everything that is accepted comes.
        index.graph().search_where(index.rows(), &query, 2000, accept, &mut scratch, &mut found);
        assert_eq!(found.len(), 2000usize.div_ceil(every as usize));
    }
}

#[test]
fn a_graph_may_be_built_from_other_rows_than_it_is_searched_with() {
    let data = rows(1000, 16, 10, 2);
    let mut coarse = data.clone();
    for i in 0..coarse.len() {
        coarse.row_mut(i).iter_mut().for_each(|v| *v = (*v * 8.0).round() / 8.0);
    }
    let coarse = F32Rows::new(coarse, Metric::L2, &Forced::default()).unwrap();
    let mut graph = Graph::new(HnswOptions::default()).unwrap();
    graph.extend(&coarse).unwrap();
    let rows = F32Rows::new(data, Metric::L2, &Forced::default()).unwrap();
    let index = Hnsw { rows, graph };
    let found = recall(&index, 10, 80);
    assert!(found >= 0.95, "{found}");
}

#[test]
fn odd_requests_have_their_answers() {
    let empty =
        Hnsw::new(AlignedRows::zeroed(0, 3).unwrap(), Metric::L2, HnswOptions::default()).unwrap();
    let mut scratch = HnswScratch::default();
    assert_eq!(empty.search(&[0.0; 3], 5, 10, &mut scratch), Ok(Vec::new()));
    assert!(empty.graph().check().is_sound());
    let one =
        Hnsw::new(AlignedRows::zeroed(1, 3).unwrap(), Metric::L2, HnswOptions::default()).unwrap();
    assert_eq!(one.search(&[0.0, 3.0, 4.0], 9, 0, &mut scratch).unwrap()[0].distance, 5.0);
    assert_eq!(one.search(&[0.0; 3], 0, 10, &mut scratch), Ok(Vec::new()));
    let dim = one.search(&[0.0; 2], 1, 1, &mut scratch);
    assert_eq!(dim, Err(QueryError::DimMismatch { expected: 3, found: 2 }));
    assert!(one.search(&[0.0, f32::NAN, 0.0], 1, 1, &mut scratch).is_err());
    for options in [
        HnswOptions { m: 1, ..HnswOptions::default() },
        HnswOptions { m: MAX_ROWS, ..HnswOptions::default() },
        HnswOptions { ef_construction: 0, ..HnswOptions::default() },
    ] {
        assert!(Graph::new(options).is_err(), "{options:?}");
    }
}

#[test]
fn parts_make_the_same_graph_and_go_on_alike() {
    let mut index = built(600, 6, 4, Metric::L2);
    let parts = index.graph().to_parts();
    let mut again = Graph::from_parts(&parts).unwrap();
    assert_eq!(again.to_parts(), parts);
    use crate::scorer::Rows;
    for i in 0..300 {
        index.rows.push(&[i as f32 * 0.01; 6]).unwrap();
    }
    again.extend(&index.rows).unwrap();
    index.graph.extend(&index.rows).unwrap();
    assert_eq!(again.to_parts(), index.graph.to_parts());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever a file holds: an error with its place, or a graph that can be searched.
    #[test]
    fn damaged_parts_are_refused_or_harmless(
        changes in prop::collection::vec((0usize..4, any::<prop::sample::Index>(), prop_oneof![0u32..80, any::<u32>()]), 1..4),
    ) {
        let index = built(60, 4, 3, Metric::L2);
        let mut parts = index.graph().to_parts();
        for (part, at, value) in changes {
            match part {
                0 => { let i = at.index(parts.base.len()); parts.base[i] = value; }
                1 if !parts.upper.is_empty() => { let i = at.index(parts.upper.len()); parts.upper[i] = value; }
                2 => { let i = at.index(parts.layers.len()); parts.layers[i] = value as u8; }
                _ => parts.entry_point = value,
            }
        }
        if let Ok(graph) = Graph::from_parts(&parts) {
            prop_assert_eq!(graph.check().bad_links, 0);
            let mut found = Vec::new();
            graph.search(index.rows(), &vec![0.0; 4], 10, &mut Scratch::default(), &mut found);
            prop_assert!(found.len() <= 10);
        }
    }
}
