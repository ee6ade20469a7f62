//! The flat index against distances computed one by one in f64.
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use annvil::{AlignedRows, BindError, Flat, Forced, InputError, Metric, Neighbor, QueryError};
use proptest::prelude::*;

/// The definition, in f64.
fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)));
    let dot = |v: &[f32], w: &[f32]| -> f64 {
        v.iter().zip(w).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
    };
    match metric {
        Metric::L2 => pairs().map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
        Metric::Dot => -dot(a, b),
        Metric::Cosine => {
            let (na, nb) = (dot(a, a).sqrt(), dot(b, b).sqrt());
            if na == 0.0 || nb == 0.0 { 1.0 } else { 1.0 - dot(a, b) / na / nb }
        }
        Metric::L1 => pairs().map(|(x, y)| (x - y).abs()).sum(),
        Metric::Linf => pairs().map(|(x, y)| (x - y).abs()).fold(0.0, f64::max),
        Metric::Hamming => unreachable!("rows of f32 have no such kernels"),
    }
}

/// What rounding to f32 may change, for vectors of at most 70 elements below 4.
fn slack(metric: Metric) -> f64 {
    match metric {
        Metric::Cosine => 1e-5,
        _ => 2e-3,
    }
}

/// `found` must be the nearest rows: each distance right, in order, each row once, and none of the
/// rows left out nearer than the last one.
fn check(metric: Metric, rows: &AlignedRows, query: &[f32], k: usize, found: &[Neighbor]) {
    assert_eq!(found.len(), k.min(rows.len()));
    let mut seen = vec![false; rows.len()];
    for pair in found.windows(2) {
        let nearer = pair[0].distance < pair[1].distance;
        assert!(nearer || pair[0].distance == pair[1].distance, "out of order");
    }
    for n in found {
        let row = n.id as usize;
        assert!(!std::mem::replace(&mut seen[row], true), "row {row} twice");
        let exact = distance(metric, query, rows.row(row));
        assert!((f64::from(n.distance) - exact).abs() <= slack(metric), "{metric} {n:?} {exact}");
    }
    if let Some(last) = found.last() {
        for row in (0..rows.len()).filter(|&r| !seen[r]) {
            let exact = distance(metric, query, rows.row(row));
            assert!(
                exact + slack(metric) >= f64::from(last.distance),
                "{metric}: row {row} missed"
            );
        }
    }
}

fn rows_strategy() -> impl Strategy<Value = (AlignedRows, Vec<f32>)> {
    (1usize..70, 0usize..120).prop_flat_map(|(dim, len)| {
        // A few coarse values, so that ties and zero vectors are common, and fine ones.
        let value = prop_oneof![3 => (-2i8..3).prop_map(f32::from), 1 => -4.0f32..4.0];
        prop::collection::vec(value, dim * (len + 1)).prop_map(move |data| {
            let (query, rows) = data.split_at(dim);
            (AlignedRows::from_packed(rows, dim).unwrap(), query.to_vec())
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn finds_the_nearest((rows, query) in rows_strategy(), k in 0usize..130) {
        for metric in Metric::DENSE {
            let index = Flat::new(rows.clone(), metric).unwrap();
            check(metric, &rows, &query, k, &index.search(&query, k).unwrap());
        }
    }
}

#[cfg(feature = "parallel")]
mod parallel {
    use super::*;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn sharing_the_work_changes_nothing(
            dim in 1usize..20,
            values in prop::collection::vec(-2i8..3, 1..12_000),
            k in 0usize..40,
            // A whole number makes ties; a third makes sums that depend on their order.
            scale in prop_oneof![Just(1.0f32), Just(1.0 / 3.0)],
        ) {
            let len = values.len() / dim * dim;
            let data: Vec<f32> = values[..len].iter().map(|&v| f32::from(v) * scale).collect();
            let rows = AlignedRows::from_packed(&data, dim).unwrap();
            for metric in [Metric::L2, Metric::Cosine] {
                let index = Flat::new(rows.clone(), metric).unwrap();
                let ask = rows.view().slice(0, rows.len().min(37));
                let serial: Vec<_> =
                    (0..ask.len()).map(|i| index.search(ask.row(i), k).unwrap()).collect();
                let batch = index.search_batch(ask, k).unwrap();
                if scale == 1.0 && metric == Metric::L2 {
                    prop_assert_eq!(&batch, &serial, "sums of whole numbers are exact");
                }
                for threads in [1, 3] {
                    let pool = pool(threads);
                    prop_assert_eq!(&index.search_batch_in(&pool, ask, k).unwrap(), &batch);
                    for (i, alone) in serial.iter().enumerate() {
                        prop_assert_eq!(&index.search_in(&pool, ask.row(i), k).unwrap(), alone);
                    }
                }
            }
        }
    }
}

#[test]
fn batches_of_every_size_find_what_single_searches_find() {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8e6 - 1.0
    };
    let dim = 37;
    let rows: Vec<f32> = (0..1_500 * dim).map(|_| next()).collect();
    let queries: Vec<f32> = (0..150 * dim).map(|_| next()).collect();
    let rows = AlignedRows::from_packed(&rows, dim).unwrap();
    let queries = AlignedRows::from_packed(&queries, dim).unwrap();
    for metric in Metric::DENSE {
        let index = Flat::new(rows.clone(), metric).unwrap();
        for count in (0..=35).chain([63, 64, 65, 70, 80, 129, 150]) {
            let ask = queries.view().slice(0, count);
            let found = index.search_batch(ask, 10).unwrap();
            assert_eq!(found.len(), count);
            for (i, found) in found.iter().enumerate() {
                check(metric, &rows, ask.row(i), 10, found);
            }
            #[cfg(feature = "parallel")]
            for threads in [2, 3, 5] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let shared = index.search_batch_in(&pool, ask, 10).unwrap();
                assert_eq!(shared, found, "{count} queries on {threads} threads");
            }
        }
    }
}

#[test]
fn kernels_can_be_forced_and_an_unknown_one_is_refused() {
    let data: Vec<f32> = (0..900).map(|i| ((i * 37) % 101) as f32 - 50.0).collect();
    let rows = AlignedRows::from_packed(&data, 30).unwrap();
    for metric in Metric::DENSE {
        let chosen = Flat::new(rows.clone(), metric).unwrap();
        let scalar = Forced::parse("*/*/*=scalar").unwrap();
        let scalar = Flat::forced(rows.clone(), metric, &scalar).unwrap();
        let query = rows.row(7);
        check(metric, &rows, query, 10, &chosen.search(query, 10).unwrap());
        check(metric, &rows, query, 10, &scalar.search(query, 10).unwrap());
    }
    assert!(matches!(Forced::parse("f32/l2sq/scan=warp"), Err(BindError::UnknownVariant { .. })));
}

#[test]
fn a_set_that_streams_is_searched_whole() {
    // 1.25 MiB, with a block that is not full; row i is at distance 64 * (i * 7 mod 5003)^2.
    let (len, dim) = (5003usize, 64);
    let data: Vec<f32> = (0..len * dim).map(|i| ((i / dim * 7) % len) as f32).collect();
    let index = index(Metric::L2, &data, dim);
    let expected: Vec<u32> =
        (0..20).map(|v| (0..5003).find(|i| i * 7 % 5003 == v).unwrap()).collect();
    let query = vec![0.0; dim];
    let found = index.search(&query, 20).unwrap();
    assert_eq!(ids(&found), expected);
    assert_eq!(found[19].distance, 8.0 * 19.0);
    let batch = AlignedRows::from_packed(&query, dim).unwrap();
    assert_eq!(index.search_batch(batch.view(), 20).unwrap()[0], found);
    #[cfg(feature = "parallel")]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(index.search_in(&pool, &query, 20).unwrap(), found);
    }
}

fn index(metric: Metric, data: &[f32], dim: usize) -> Flat {
    Flat::new(AlignedRows::from_packed(data, dim).unwrap(), metric).unwrap()
}

fn ids(found: &[Neighbor]) -> Vec<u32> {
    found.iter().map(|n| n.id).collect()
}

#[test]
fn more_rows_than_a_block_and_ties_to_the_lower_number() {
    // Row i is (i mod 1000), so the nearest of 500 are rows 500, 1500, 2500 ...
    let data: Vec<f32> = (0..5000).map(|i| (i % 1000) as f32).collect();
    let found = index(Metric::L1, &data, 1).search(&[500.0], 7).unwrap();
    assert_eq!(ids(&found), [500, 1500, 2500, 3500, 4500, 499, 501]);
    assert_eq!(found[6].distance, 1.0);
}

#[test]
fn nothing_to_find() {
    let empty = Flat::new(AlignedRows::zeroed(0, 3).unwrap(), Metric::L2).unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.search(&[0.0; 3], 5).unwrap(), []);
    let one = index(Metric::L2, &[1.0, 2.0], 2);
    assert_eq!(one.search(&[0.0; 2], 0).unwrap(), []);
    assert_eq!(ids(&one.search(&[0.0; 2], usize::MAX).unwrap()), [0]);
}

#[test]
fn a_zero_vector_has_cosine_distance_one() {
    let found = index(Metric::Cosine, &[0.0, 0.0, 1.0, 1.0, -3.0, -3.0], 2);
    let near = found.search(&[2.0, 2.0], 3).unwrap();
    assert_eq!(ids(&near), [1, 0, 2]);
    assert_eq!(near[1].distance, 1.0);
    assert!(near[0].distance.abs() < 1e-6 && (near[2].distance - 2.0).abs() < 1e-6);
    let from_zero = found.search(&[0.0, 0.0], 3).unwrap();
    assert_eq!(ids(&from_zero), [0, 1, 2]);
    assert!(from_zero.iter().all(|n| n.distance == 1.0));
}

#[test]
fn cosine_does_not_care_for_length() {
    // Squares of these leave f32 on both sides.
    let data = [1e-42, 0.0, 3e38, 3e38, 0.0, 1e-30, -1e30, 0.0];
    let index = index(Metric::Cosine, &data, 2);
    for scale in [1e-40, 1.0, 3e38] {
        let found = index.search(&[scale, 0.0], 4).unwrap();
        assert_eq!(ids(&found), [0, 1, 2, 3], "scale {scale}");
        let expected = [0.0, 1.0 - 0.5f32.sqrt(), 1.0, 2.0];
        for (n, e) in found.iter().zip(expected) {
            assert!((n.distance - e).abs() < 1e-6, "scale {scale}: {n:?}, not {e}");
        }
    }
}

#[test]
fn overflowing_distances_come_last() {
    let far = index(Metric::L2, &[3e38, -3e38, 1.0, 1.0], 2);
    let found = far.search(&[-3e38, 0.0], 2).unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|n| n.distance == f32::INFINITY));
}

#[test]
fn values_that_are_no_numbers_are_named() {
    let rows = AlignedRows::from_packed(&[0.0, 1.0, 2.0, f32::NAN], 2).unwrap();
    let refused = Flat::new(rows, Metric::L2).unwrap_err();
    assert!(
        matches!(refused, InputError::NotFinite { row: 1, position: 1, value } if value.is_nan())
    );
    let good = index(Metric::Dot, &[1.0, 2.0], 2);
    assert_eq!(
        good.search(&[1.0, f32::INFINITY], 1),
        Err(QueryError::NotFinite { query: 0, position: 1, value: f32::INFINITY })
    );
    assert_eq!(good.search(&[1.0], 1), Err(QueryError::DimMismatch { expected: 2, found: 1 }));
    let queries = AlignedRows::from_packed(&[1.0, 1.0, f32::NEG_INFINITY, 0.0], 2).unwrap();
    let refused = good.search_batch(queries.view(), 1).unwrap_err();
    assert!(matches!(refused, QueryError::NotFinite { query: 1, position: 0, .. }));
}
