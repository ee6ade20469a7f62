//! Every encoding against what its codes stand for, and against the vectors that it stands for.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use annvil::scorer::{AnyQuery, AnyRows, Encoding, EncodingError, Rows, Scorer};
use annvil::{AlignedRows, Forced, Metric, RowsRef};

const ENCODINGS: [Encoding; 8] = [
    Encoding::F32,
    Encoding::F16,
    Encoding::Bf16,
    Encoding::SQ8,
    Encoding::Sq8 { per_dimension: false },
    Encoding::INT4,
    Encoding::Int4 { per_dimension: false },
    Encoding::BINARY,
];

fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }
}

/// Rows around a few centres; the fourth is zero.
fn rows(n: usize, dim: usize, metric: Metric) -> AlignedRows {
    let mut next = numbers(n as u64 * 31 + dim as u64);
    let centres: Vec<f32> = (0..8 * dim).map(|_| 2.0 * next() + 0.3).collect();
    let mut rows = AlignedRows::with_capacity(n, dim).unwrap();
    for i in 0..n {
        let centre = &centres[(i % 8) * dim..][..dim];
        let mut row: Vec<f32> = centre.iter().map(|c| c + 0.6 * next()).collect();
        if i == 3 {
            row.fill(0.0);
        }
        if metric == Metric::Cosine {
            unit(&mut row);
        }
        rows.push(&row).unwrap();
    }
    rows
}

fn unit(row: &mut [f32]) {
    let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    if norm > 0.0 {
        row.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
    }
}

/// Rows of an encoding, learnt from all of `data`.
fn encoded(encoding: Encoding, metric: Metric, data: &AlignedRows) -> AnyRows {
    let mut any = encoding.train(data.dim(), metric, data.view(), 1, &Forced::default()).unwrap();
    any.reserve(data.len()).unwrap();
    (0..data.len()).for_each(|i| any.push(data.row(i)).unwrap());
    any
}

fn ranks_of(any: &AnyRows, q: &[f32]) -> Vec<f32> {
    let (mut query, mut ranks) = (AnyQuery::default(), vec![0.0; any.len()]);
    any.prepare(q, &mut query);
    any.score_range(&query, 0, &mut ranks);
    ranks
}

fn oracle(metric: Metric, q: &[f32], x: &[f32]) -> f64 {
    let pairs = || q.iter().zip(x).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let dot: f64 = pairs().map(|(a, b)| a * b).sum();
    match metric {
        Metric::L2 => pairs().map(|(a, b)| (a - b) * (a - b)).sum(),
        Metric::Dot => -dot,
        Metric::Cosine => 1.0 - dot,
        Metric::L1 => pairs().map(|(a, b)| (a - b).abs()).sum(),
        _ => unreachable!("not asked for"),
    }
}

/// How far a rank may be from that of what the code stands for: the query's own rounding, to signed
/// bytes for integers and to sixteen bits for none; bits estimate an angle and promise no bound.
fn bound(encoding: Encoding, metric: Metric, q: &[f32], x: &[f32]) -> f64 {
    let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let rounding = 1e-5 * (1.0 + norm(q) * norm(x) + norm(q).powi(2) + norm(x).powi(2));
    match encoding {
        Encoding::F32 | Encoding::F16 | Encoding::Bf16 => rounding,
        // Half a step of 127 in every element of the query at the worst; twice that for L2. Steps are
        // of query times scale, so the error is weighed by codes up to 255: bounded by the range.
        _ => {
            let largest = q.iter().fold(0.0f32, |m, v| m.max(v.abs()));
            let reach = x.iter().fold(0.0f32, |m, v| m.max(v.abs())) + 2.0;
            let error = f64::from(largest / 254.0 * reach * 2.0) * q.len() as f64;
            rounding + error * if metric == Metric::L2 { 2.0 } else { 1.0 }
        }
    }
}

#[test]
fn ranks_are_those_of_what_the_codes_stand_for() {
    for dim in [1, 3, 17, 64, 100, 384] {
        for metric in [Metric::L2, Metric::Dot, Metric::Cosine] {
            let data = rows(200, dim, metric);
            for encoding in ENCODINGS.into_iter().filter(|e| !matches!(e, Encoding::Binary { .. }))
            {
                let sample = data.view();
                let mut any = encoding.train(dim, metric, sample, 1, &Forced::default()).unwrap();
                any.reserve(data.len()).unwrap();
                for i in 0..data.len() {
                    any.push(data.row(i)).unwrap();
                }
                let mut q = data.row(77).iter().map(|v| v * 0.9 + 0.05).collect::<Vec<_>>();
                if metric == Metric::Cosine {
                    unit(&mut q);
                }
                let mut query = AnyQuery::default();
                any.prepare(&q, &mut query);
                let slots: Vec<u32> = (0..200).rev().collect();
                let (mut listed, mut ranged) = (vec![0.0; 200], vec![0.0; 200]);
                any.score_ids(&query, &slots, &mut listed);
                any.score_range(&query, 0, &mut ranged);
                listed.reverse();
                let mut decoded = vec![0.0; dim];
                for slot in 0..200u32 {
                    let (a, b) = (listed[slot as usize], ranged[slot as usize]);
                    assert!(
                        (a - b).abs() <= 1e-5 * (1.0 + a.abs()),
                        "{encoding} {metric} {dim}: {a} {b}"
                    );
                    any.decode(slot, &mut decoded);
                    if metric == Metric::Cosine {
                        if slot == 3 {
                            assert_eq!(a, 1.0, "{encoding} {dim}: a zero row");
                            continue;
                        }
                        if matches!(encoding, Encoding::Sq8 { .. } | Encoding::Int4 { .. }) {
                            unit(&mut decoded);
                        }
                    }
                    let want = oracle(metric, &q, &decoded);
                    let allowed = bound(encoding, metric, &q, &decoded);
                    assert!(
                        (f64::from(a) - want).abs() <= allowed,
                        "{encoding} {metric} {dim} slot {slot}: {a} for {want}, allowed {allowed}"
                    );
                }
            }
        }
    }
}

/// Of the ten nearest, the share among the `wide` nearest by codes.
fn kept(encoding: Encoding, metric: Metric, data: &AlignedRows, wide: usize) -> f64 {
    let any = encoded(encoding, metric, data);
    let mut found = 0;
    for at in (0..2000).step_by(100) {
        let mut q: Vec<f32> = data.row(at).iter().map(|v| v + 0.02).collect();
        if metric == Metric::Cosine {
            unit(&mut q);
        }
        let ranks = ranks_of(&any, &q);
        let mut order: Vec<usize> = (0..data.len()).collect();
        order.sort_by(|a, b| ranks[*a].total_cmp(&ranks[*b]));
        let mut truth: Vec<usize> = (0..data.len()).collect();
        truth.sort_by(|a, b| {
            oracle(metric, &q, data.row(*a)).total_cmp(&oracle(metric, &q, data.row(*b)))
        });
        found += truth[..10].iter().filter(|t| order[..wide].contains(t)).count();
    }
    found as f64 / 200.0
}

#[test]
fn the_nearest_are_among_the_nearest_by_codes() {
    for metric in [Metric::L2, Metric::Dot, Metric::Cosine] {
        let data = rows(2000, 64, metric);
        for (encoding, wide, floor) in [
            (Encoding::F16, 12, 0.99),
            (Encoding::Bf16, 15, 0.97),
            (Encoding::SQ8, 15, 0.98),
            (Encoding::Sq8 { per_dimension: false }, 15, 0.97),
            (Encoding::INT4, 40, 0.95),
            (Encoding::BINARY, 200, 0.9),
            (Encoding::Binary { rotation: None }, 200, 0.85),
        ] {
            let share = kept(encoding, metric, &data, wide);
            assert!(share >= floor, "{encoding} {metric}: {share} of the ten among {wide}");
        }
    }
    let data = rows(2000, 64, Metric::L1);
    assert!(kept(Encoding::Sq8 { per_dimension: false }, Metric::L1, &data, 15) >= 0.97);
}

/// What all rows share says nothing of which is near: neither an element that never changes nor a
/// distance from zero may cost the others their digits.
#[test]
fn what_rows_share_costs_no_digits() {
    let plain = rows(2000, 48, Metric::L2);
    for (elements, offset) in [(1, 1.0), (1, 1e4), (48, 1000.0)] {
        let mut data = AlignedRows::with_capacity(2000, 48).unwrap();
        for i in 0..2000 {
            let mut row = plain.row(i).to_vec();
            match elements {
                1 => row[0] = offset,
                _ => row.iter_mut().for_each(|v| *v += offset),
            }
            data.push(&row).unwrap();
        }
        for (encoding, wide, floor) in [
            (Encoding::SQ8, 15, 0.97),
            (Encoding::INT4, 40, 0.95),
            (Encoding::Int4 { per_dimension: false }, 60, if elements == 1 { 0.0 } else { 0.95 }),
            (Encoding::BINARY, 200, 0.9),
        ] {
            let share = kept(encoding, Metric::L2, &data, wide);
            assert!(share >= floor, "{encoding}, {elements} at {offset}: {share} among {wide}");
        }
    }
}

/// Bits against a query in steps: the error of an inner product is not one-sided, and is of the size that
/// the theory gives it, 0.75 |o| |q| / sqrt(dim) at right angles.
#[test]
fn bits_estimate_inner_products_without_bias() {
    for (dim, rotation) in [(100, Some(7)), (384, Some(1)), (384, None)] {
        let mut next = numbers(dim as u64);
        // Sums of three are near enough to normal.
        let data: Vec<f32> = (0..400 * dim).map(|_| next() + next() + next()).collect();
        let data = AlignedRows::from_packed(&data, dim).unwrap();
        let any = encoded(Encoding::Binary { rotation }, Metric::Dot, &data);
        let (mut sum, mut squares) = (0.0, 0.0);
        for q in 0..20 {
            let q: Vec<f32> = data.row(q * 17).iter().map(|v| v + next()).collect();
            let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            for (slot, rank) in ranks_of(&any, &q).into_iter().enumerate() {
                let row = data.row(slot);
                let scale = norm(&q) * norm(row) / (dim as f64).sqrt();
                let error = (f64::from(rank) - oracle(Metric::Dot, &q, row)) / scale;
                (sum, squares) = (sum + error, squares + error * error);
            }
        }
        let (mean, spread) = (sum / 8000.0, (squares / 8000.0f64).sqrt());
        assert!(mean.abs() < 0.05, "{dim} {rotation:?}: {mean}");
        assert!((0.5..0.9).contains(&spread), "{dim} {rotation:?}: {spread}");
    }
}

#[test]
fn codes_take_the_bytes_that_they_promise() {
    let (n, dim) = (1000, 768);
    let data = rows(n, dim, Metric::L2);
    let plain = n * dim * 4;
    for (encoding, times, beside) in [
        (Encoding::F32, 1.0, 0),
        (Encoding::F16, 2.0, 0),
        (Encoding::Bf16, 2.0, 0),
        (Encoding::SQ8, 4.0, 4),
        (Encoding::INT4, 8.0, 4),
        (Encoding::BINARY, 32.0, 8),
    ] {
        let row = encoding.bytes_per_row(dim, Metric::L2);
        assert_eq!((plain / n) as f64 / times, (row - beside) as f64, "{encoding}");
        // What is learnt is held once: eight numbers a dimension.
        let held = encoded(encoding, Metric::L2, &data).bytes();
        assert!(held >= n * row && held <= n * row + 8 * dim * 4, "{encoding}: {held}");
    }
    #[cfg(feature = "pq")]
    assert_eq!(Encoding::Pq { m: 96, nbits: 8 }.bytes_per_row(dim, Metric::L2), 96);
}

#[test]
fn hamming_counts_signs_exactly() {
    let data =
        AlignedRows::from_packed(&[1.0f32, -1.0, 0.0, 2.0, -1.0, -1.0, 5.0, 2.0], 4).unwrap();
    let binary = Encoding::Binary { rotation: Some(3) };
    let mut any = binary.train(4, Metric::Hamming, data.view(), 0, &Forced::default()).unwrap();
    (0..2).for_each(|i| any.push(data.row(i)).unwrap());
    let (mut query, mut ranks) = (AnyQuery::default(), [0.0; 2]);
    any.prepare(&[0.5, 0.5, 0.5, 0.5], &mut query);
    any.score_ids(&query, &[1, 0], &mut ranks);
    assert_eq!(ranks, [2.0, 2.0]);
    any.prepare_slot(0, &mut query);
    any.score_range(&query, 0, &mut ranks);
    assert_eq!(ranks, [0.0, 2.0]);
    assert_eq!(Metric::Hamming.name().parse(), Ok(Metric::Hamming));
    for encoding in ENCODINGS.into_iter().filter(|e| !matches!(e, Encoding::Binary { .. })) {
        assert!(encoding.train(4, Metric::Hamming, data.view(), 0, &Forced::default()).is_err());
    }
}

#[test]
fn rows_are_replaced_and_dropped() {
    for encoding in ENCODINGS {
        let data = rows(20, 33, Metric::L2);
        let mut any = encoding.train(33, Metric::L2, data.view(), 1, &Forced::default()).unwrap();
        (0..20).for_each(|i| any.push(data.row(i)).unwrap());
        let (mut query, mut ranks) = (AnyQuery::default(), [0.0; 2]);
        any.prepare(data.row(5), &mut query);
        any.set(1, data.row(5));
        any.score_ids(&query, &[1, 5], &mut ranks);
        assert_eq!(ranks[0], ranks[1], "{encoding}");
        any.truncate(2);
        assert_eq!(any.len(), 2);
        any.push(data.row(9)).unwrap();
        let (mut a, mut b) = (vec![0.0; 33], vec![0.0; 33]);
        any.decode(2, &mut a);
        any.push(data.row(9)).unwrap();
        any.decode(3, &mut b);
        assert_eq!(a, b, "{encoding}");
        assert!(any.push(&[0.0; 32]).is_err());
    }
}

#[test]
fn queries_beyond_what_was_learnt_still_order_the_rows() {
    for encoding in [Encoding::SQ8, Encoding::INT4] {
        let data = rows(500, 32, Metric::L2);
        let mut any = encoding.train(32, Metric::L2, data.view(), 1, &Forced::default()).unwrap();
        (0..500).for_each(|i| any.push(data.row(i)).unwrap());
        let q: Vec<f32> = data.row(9).iter().map(|v| v * 100.0).collect();
        let (mut query, mut ranks) = (AnyQuery::default(), vec![0.0; 500]);
        any.prepare(&q, &mut query);
        any.score_range(&query, 0, &mut ranks);
        let best = (0..500).min_by(|a, b| ranks[*a].total_cmp(&ranks[*b])).unwrap();
        let truth = |i: usize| oracle(Metric::L2, &q, data.row(i));
        let nearest = (0..500).map(truth).fold(f64::INFINITY, f64::min);
        assert!(truth(best) <= nearest * 1.02, "{encoding}");
    }
}

#[test]
fn what_cannot_be_encoded_is_refused() {
    let empty = RowsRef::packed(&[], 4).unwrap();
    for encoding in ENCODINGS {
        for metric in [Metric::L1, Metric::Linf] {
            let got = encoding.train(4, metric, rows(9, 4, metric).view(), 0, &Forced::default());
            let steps = encoding == Encoding::Sq8 { per_dimension: false };
            let has = encoding == Encoding::F32 || (steps && metric == Metric::L1);
            assert_eq!((got.is_ok(), encoding.has(metric)), (has, has), "{encoding} {metric}");
        }
    }
    for encoding in [Encoding::SQ8, Encoding::INT4] {
        assert!(encoding.train(4, Metric::L2, empty, 0, &Forced::default()).is_err());
        let bad = [f32::NAN; 4];
        let bad = RowsRef::packed(&bad, 4).unwrap();
        assert!(encoding.train(4, Metric::L2, bad, 0, &Forced::default()).is_err());
    }
}

#[test]
fn sums_that_would_not_fit_are_refused_before_rows_come() {
    for encoding in [Encoding::SQ8, Encoding::INT4] {
        assert_eq!(encoding.check(131_072, Metric::L2), Ok(()));
        let got = encoding.check(131_073, Metric::L2);
        assert!(matches!(got, Err(EncodingError::TooWide { .. })), "{got:?}");
    }
    // The largest sum there is: a query and rows at the ends of what was learnt.
    let dim = 131_072;
    let data = [vec![-1.0f32; dim], vec![1.0; dim]].concat();
    let any = encoded(Encoding::SQ8, Metric::L2, &AlignedRows::from_packed(&data, dim).unwrap());
    let ranks = ranks_of(&any, &data[..dim]);
    let far = 4.0 * dim as f32;
    assert!(ranks[0] <= far * 1e-4 && (ranks[1] / far - 1.0).abs() < 1e-4, "{ranks:?}");
}

/// As graphs compare rows when they link them.
#[test]
fn a_row_as_a_query_is_the_vector_that_it_stands_for() {
    for metric in [Metric::L2, Metric::Dot, Metric::Cosine] {
        let data = rows(300, 100, metric);
        for encoding in ENCODINGS {
            let any = encoded(encoding, metric, &data);
            let (mut query, mut ranks) = (AnyQuery::default(), vec![0.0; 300]);
            any.prepare_slot(3, &mut query);
            any.score_range(&query, 0, &mut ranks);
            if metric == Metric::Cosine {
                assert!(ranks.iter().all(|&r| r == 1.0), "{encoding}: a zero row");
            }
            any.prepare_slot(40, &mut query);
            any.score_range(&query, 0, &mut ranks);
            if metric == Metric::Dot {
                continue;
            }
            let spread = ranks.iter().fold(0.0f32, |m, r| m.max(*r));
            let nearest = (0..300).min_by(|a, b| ranks[*a].total_cmp(&ranks[*b])).unwrap();
            // The query is rounded to 127 steps.
            assert!(ranks[40] <= 5e-3 * spread, "{encoding} {metric}: {}", ranks[40]);
            assert_eq!(nearest, 40, "{encoding} {metric}");
        }
    }
}

#[test]
fn a_zero_query_is_at_distance_one_from_all() {
    let data = rows(50, 33, Metric::Cosine);
    for encoding in ENCODINGS {
        let any = encoded(encoding, Metric::Cosine, &data);
        assert!(ranks_of(&any, &[0.0; 33]).iter().all(|&r| r == 1.0), "{encoding}");
    }
}

#[test]
fn absolute_differences_are_exact_in_steps_and_grow_beyond_the_ends() {
    let encoding = Encoding::Sq8 { per_dimension: false };
    for dim in [1, 3, 17, 100, 384] {
        let data = rows(200, dim, Metric::L1);
        let any = encoded(encoding, Metric::L1, &data);
        let AnyRows::Sq8L1(rows) = &any else { panic!("other rows") };
        let step = f64::from(rows.range().at(0).1);
        let mut decoded = vec![0.0; dim];
        for by in [1.0, -3.0, 100.0] {
            let q: Vec<f32> = data.row(77).iter().map(|v| v * by).collect();
            for (slot, rank) in ranks_of(&any, &q).into_iter().enumerate() {
                any.decode(slot as u32, &mut decoded);
                let want = oracle(Metric::L1, &q, &decoded);
                let allowed = 0.51 * step * dim as f64 + 1e-5 * want;
                assert!((f64::from(rank) - want).abs() <= allowed, "{dim}: {rank} for {want}");
            }
        }
        let mut query = AnyQuery::default();
        let (mut listed, slots) = ([0.0; 3], [5, 199, 5]);
        any.prepare_slot(5, &mut query);
        any.score_ids(&query, &slots, &mut listed);
        assert!(listed[0] == 0.0 && listed[2] == 0.0, "{listed:?}");
    }
}

#[test]
fn numbers_beyond_sixteen_bits_are_held_as_the_largest() {
    let data = AlignedRows::from_packed(&[1e5f32, 2.0, -3e38, f32::MAX], 2).unwrap();
    for encoding in [Encoding::F16, Encoding::Bf16] {
        let any = encoded(encoding, Metric::L2, &data);
        let mut back = [0.0; 2];
        any.decode(1, &mut back);
        assert!(back[0] < -6e4 && back[1] > 6e4 && back.iter().all(|v| v.is_finite()), "{back:?}");
        let (mut query, mut ranks) = (AnyQuery::default(), [0.0; 2]);
        any.prepare_slot(0, &mut query);
        any.score_range(&query, 0, &mut ranks);
        assert!(ranks[0] == 0.0 && ranks[1] > 1e9, "{encoding}: {ranks:?}");
    }
}

#[test]
fn names_come_back() {
    for encoding in ENCODINGS.into_iter().chain([Encoding::Binary { rotation: None }]) {
        assert_eq!(encoding.name().parse(), Ok(encoding));
        assert_eq!(encoding.to_string().parse(), Ok(encoding));
    }
    let seeded = Encoding::Binary { rotation: Some(u64::MAX) };
    assert_eq!(seeded.to_string().parse(), Ok(seeded));
    #[cfg(feature = "pq")]
    {
        let four = Encoding::Pq { m: 8, nbits: 4 };
        assert_eq!((four.to_string().as_str(), four.name()), ("pq4:8", "pq4"));
        assert_eq!("pq8:16".parse(), Ok(Encoding::Pq { m: 16, nbits: 8 }));
        assert_eq!("pq4:8".parse(), Ok(Encoding::Pq { m: 8, nbits: 4 }));
    }
    for bad in ["", "pq8", "pq8:", "pq8:-1", "f64", "f32:2", "binary-rotated:x"] {
        assert!(bad.parse::<Encoding>().is_err(), "{bad}");
    }
}
