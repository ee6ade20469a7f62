//! k-means and product quantisation against definitions in f64.
#![cfg(feature = "pq")]
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use annvil::quant::{Init, KMeansOptions, Pq, PqError, PqOptions, Sdc, TrainError, kmeans};
use annvil::scorer::{PqRows, Rows, Scorer};
use annvil::{AlignedRows, Forced, Metric, exact};
use proptest::prelude::*;

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 ^ self.0 >> 29) >> 11 & ((1 << 40) - 1)) as f64 / (1u64 << 40) as f64
    }

    fn normal(&mut self) -> f32 {
        ((0..12).map(|_| self.unit()).sum::<f64>() - 6.0) as f32
    }

    /// `n` rows around `centres` centres.
    fn clusters(&mut self, n: usize, dim: usize, centres: usize) -> AlignedRows {
        let centre: Vec<f32> = (0..centres * dim).map(|_| 4.0 * self.normal()).collect();
        let row = |i: usize, random: &mut Self| -> Vec<f32> {
            (0..dim).map(|d| centre[i % centres * dim + d] + random.normal()).collect()
        };
        let data: Vec<f32> = (0..n).flat_map(|i| row(i, self)).collect();
        AlignedRows::from_packed(&data, dim).unwrap()
    }
}

fn l2sq(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// The rank by definition, of vectors that are unit or zero for cosine.
fn rank(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    match metric {
        Metric::L2 => l2sq(a, b),
        Metric::Dot => -dot(a, b),
        _ => (1.0 - dot(a, b)).clamp(0.0, 2.0),
    }
}

/// The mean squared distance to the nearest centroid.
fn distortion(rows: &AlignedRows, centroids: &AlignedRows) -> f64 {
    let nearest = |row: &[f32]| {
        (0..centroids.len()).map(|c| l2sq(row, centroids.row(c))).fold(f64::INFINITY, f64::min)
    };
    (0..rows.len()).map(|i| nearest(rows.row(i))).sum::<f64>() / rows.len() as f64
}

/// Lloyd's iteration as it is told, from these centroids: its distortion.
fn naive(rows: &AlignedRows, mut centroids: AlignedRows, iterations: usize) -> f64 {
    let (k, dim) = (centroids.len(), rows.dim());
    for _ in 0..iterations {
        let mut sums = vec![vec![0.0f64; dim + 1]; k];
        for i in 0..rows.len() {
            let at = |c: &usize| l2sq(rows.row(i), centroids.row(*c));
            let nearest = (0..k).min_by(|a, b| at(a).total_cmp(&at(b))).unwrap();
            for (sum, &x) in sums[nearest].iter_mut().zip(rows.row(i).iter().chain([&1.0])) {
                *sum += f64::from(x);
            }
        }
        for (c, sums) in sums.iter().enumerate().filter(|(_, s)| s[dim] > 0.0) {
            for d in 0..dim {
                centroids.row_mut(c)[d] = (sums[d] / sums[dim]) as f32;
            }
        }
    }
    distortion(rows, &centroids)
}

#[test]
fn no_worse_than_the_naive_iteration() {
    for (n, dim, k, centres) in [(3000, 16, 32, 40), (5000, 3, 16, 400), (2100, 33, 64, 16)] {
        let rows = Random(n as u64).clusters(n, dim, centres);
        for init in [Init::Sample, Init::PlusPlus] {
            let options = KMeansOptions { init, sample: n, ..KMeansOptions::new(k) };
            for seed in 0..3 {
                let of = |iterations| {
                    let options = KMeansOptions { seed, iterations, ..options };
                    kmeans(rows.view(), &options, &Forced::default()).unwrap()
                };
                let ours = of(20);
                let exact = distortion(&rows, &ours.centroids);
                assert!((ours.distortion - exact).abs() <= 1e-3 * exact, "{ours:?} {exact}");
                let theirs = naive(&rows, of(0).centroids, 20);
                assert!(exact <= 1.01 * theirs, "{init:?} {n}x{dim}, {k}: {exact} above {theirs}");
            }
        }
    }
}

#[test]
fn a_spread_start_is_better_than_an_even_one() {
    let rows = Random(21).clusters(4000, 8, 64);
    let of = |init| {
        let one = |seed| KMeansOptions { init, seed, iterations: 0, ..KMeansOptions::new(64) };
        let found = |seed| kmeans(rows.view(), &one(seed), &Forced::default()).unwrap();
        (0..5).map(|seed| found(seed).distortion).sum::<f64>()
    };
    assert!(of(Init::PlusPlus) < 0.9 * of(Init::Sample));
}

#[test]
fn an_iteration_never_makes_it_worse() {
    let rows = Random(3).clusters(1500, 8, 30);
    let mut last = f64::INFINITY;
    for iterations in 0..8 {
        let options = KMeansOptions { iterations, ..KMeansOptions::new(20) };
        let found = kmeans(rows.view(), &options, &Forced::default()).unwrap();
        assert!(found.iterations <= iterations && found.distortion <= last * (1.0 + 1e-6));
        last = found.distortion;
    }
}

#[test]
fn centroids_without_rows_start_anew_and_duplicates_are_no_trouble() {
    // Ten different rows, the first of them nine times out of ten; an even draw takes it often.
    let data: Vec<f32> =
        (0..4000).map(|i| if i % 10 == 0 { (i / 10 % 10) as f32 } else { 0.0 }).collect();
    let rows = AlignedRows::from_packed(&data, 1).unwrap();
    for (init, k) in
        [(Init::Sample, 10), (Init::Sample, 16), (Init::PlusPlus, 10), (Init::PlusPlus, 40)]
    {
        for seed in 0..20 {
            let options = KMeansOptions { init, seed, iterations: 40, ..KMeansOptions::new(k) };
            let found = kmeans(rows.view(), &options, &Forced::default()).unwrap();
            assert!(found.distortion < 1e-9, "{init:?} {k} {seed}: {}", found.distortion);
        }
    }
    let same = AlignedRows::from_packed(&[2.5; 300], 3).unwrap();
    let found = kmeans(same.view(), &KMeansOptions::new(7), &Forced::default()).unwrap();
    assert_eq!((found.distortion, found.centroids.row(6)), (0.0, &[2.5; 3][..]));
}

#[test]
fn as_many_centroids_as_rows_are_the_rows() {
    let rows = Random(8).clusters(60, 5, 60);
    let found = kmeans(rows.view(), &KMeansOptions::new(60), &Forced::default()).unwrap();
    assert!(distortion(&rows, &found.centroids) < 1e-9);
}

#[test]
fn bad_input_is_named() {
    let rows = AlignedRows::from_packed(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
    let of = |rows: &AlignedRows, options: KMeansOptions| {
        kmeans(rows.view(), &options, &Forced::default()).unwrap_err()
    };
    assert_eq!(of(&rows, KMeansOptions::new(0)), TrainError::NoCentroids);
    assert_eq!(of(&rows, KMeansOptions::new(3)), TrainError::TooFewRows { rows: 2, k: 3 });
    let tolerance = KMeansOptions { tolerance: -1.0, ..KMeansOptions::new(1) };
    assert_eq!(of(&rows, tolerance), TrainError::Tolerance { tolerance: -1.0 });
    let sample = KMeansOptions { sample: 1, ..KMeansOptions::new(2) };
    assert_eq!(of(&rows, sample), TrainError::TooFewRows { rows: 1, k: 2 });
    let nan = AlignedRows::from_packed(&[1.0, 2.0, f32::NAN, 4.0], 2).unwrap();
    let found = of(&nan, KMeansOptions::new(1));
    assert!(matches!(found, TrainError::NotFinite { row: 1, position: 0, .. }), "{found}");
    let huge = AlignedRows::from_packed(&[3e38, -3e38, -3e38, 3e38], 2).unwrap();
    assert_eq!(of(&huge, KMeansOptions::new(1)), TrainError::Overflow { position: 0 });
    let empty = AlignedRows::zeroed(0, 2).unwrap();
    assert_eq!(of(&empty, KMeansOptions::new(1)), TrainError::TooFewRows { rows: 0, k: 1 });

    let pq = |options: PqOptions| Pq::train(rows.view(), &options, &Forced::default()).unwrap_err();
    assert_eq!(pq(PqOptions { nbits: 6, ..PqOptions::new(1) }), PqError::Bits { nbits: 6 });
    assert_eq!(pq(PqOptions::new(0)), PqError::Parts { dim: 2, m: 0, instead: 0 });
    assert_eq!(pq(PqOptions::new(3)), PqError::Parts { dim: 2, m: 3, instead: 0 });
    let few = PqError::Train(TrainError::TooFewRows { rows: 2, k: 256 });
    assert_eq!(pq(PqOptions::new(1)), few);
    let nine = AlignedRows::zeroed(300, 9).unwrap();
    let parts = Pq::train(nine.view(), &PqOptions::new(6), &Forced::default()).unwrap_err();
    assert_eq!(parts, PqError::Parts { dim: 9, m: 6, instead: 5 });
    let trained = Pq::train(nine.view(), &PqOptions::new(5), &Forced::default()).unwrap();
    for metric in [Metric::L1, Metric::Linf] {
        let refused = PqRows::new(trained.clone(), metric, &Forced::default()).unwrap_err();
        assert_eq!(refused, PqError::Metric { metric });
    }
    let mut book = trained.book().to_vec();
    book[7] = f32::INFINITY;
    let refused = Pq::from_book(book, 9, 5, 8, &Forced::default()).unwrap_err();
    assert_eq!(refused, PqError::NotFinite { position: 7 });
    assert!(Pq::from_book(vec![0.0; 9], 9, 5, 8, &Forced::default()).is_err());
}

#[cfg(feature = "parallel")]
#[test]
fn threads_change_no_bit() {
    use annvil::quant::kmeans_in;

    let rows = Random(5).clusters(9000, 13, 300);
    let options = KMeansOptions { iterations: 6, seed: 3, ..KMeansOptions::new(50) };
    let sampled = KMeansOptions { sample: 4500, ..options };
    let eight = PqOptions { iterations: 3, seed: 4, sample: 5000, ..PqOptions::new(4) };
    let four = PqOptions { nbits: 4, sample: 9000, ..eight };
    let bits = |x: &[f32]| x.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let forced = Forced::default();
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for options in [options, sampled] {
            let alone = kmeans(rows.view(), &options, &forced).unwrap();
            let shared = kmeans_in(&pool, rows.view(), &options, &forced).unwrap();
            for c in 0..50 {
                assert_eq!(bits(alone.centroids.row(c)), bits(shared.centroids.row(c)));
            }
            assert_eq!(alone.distortion.to_bits(), shared.distortion.to_bits());
        }
        for options in [eight, four] {
            let alone = Pq::train(rows.view(), &options, &forced).unwrap();
            let shared = Pq::train_in(&pool, rows.view(), &options, &forced).unwrap();
            assert_eq!(bits(alone.book()), bits(shared.book()), "{threads} threads");
        }
    }
}

/// A quantiser and the rows that it was trained on; unit rows for cosine.
fn trained(metric: Metric, dim: usize, m: usize, nbits: u8) -> (AlignedRows, Pq) {
    let mut rows = Random(dim as u64).clusters(700, dim, 50);
    if metric == Metric::Cosine {
        for i in 0..rows.len() {
            let norm = dot(rows.row(i), rows.row(i)).sqrt() as f32;
            rows.row_mut(i).iter_mut().for_each(|x| *x /= norm);
        }
    }
    let options = PqOptions { nbits, iterations: 4, ..PqOptions::new(m) };
    let pq = Pq::train(rows.view(), &options, &Forced::default()).unwrap();
    (rows, pq)
}

#[test]
fn a_code_names_the_nearest_centroids_and_decodes_to_them() {
    for (dim, m, nbits) in [(24, 6, 8), (25, 4, 4), (7, 7, 4), (10, 1, 8)] {
        let (rows, pq) = trained(Metric::L2, dim, m, nbits);
        let (k, dsub) = (1usize << nbits, dim.div_ceil(m));
        assert_eq!((pq.m(), pq.nbits(), pq.dim(), pq.bytes()), (m, nbits, dim, dim * k * 4));
        let (mut code, mut back) = (vec![0; m], vec![0.0; dim]);
        let mut total = 0.0;
        for i in 0..rows.len() {
            let row = rows.row(i);
            pq.encode(row, &mut code);
            pq.decode(&code, &mut back);
            total += l2sq(row, &back);
            for (s, &named) in code.iter().enumerate() {
                let part = s * dsub..((s + 1) * dsub).min(dim);
                let to = |c: usize| -> f64 {
                    let centroid: Vec<f32> = part.clone().map(|d| pq.book()[d * k + c]).collect();
                    l2sq(&row[part.clone()], &centroid)
                };
                let least = (0..k).map(to).fold(f64::INFINITY, f64::min);
                assert!(to(usize::from(named)) <= least * (1.0 + 1e-5) + 1e-9);
                assert_eq!(back[part.clone()][0], pq.book()[part.start * k + usize::from(named)]);
            }
        }
        let mean = total / rows.len() as f64;
        assert!((mean - pq.distortion().unwrap()).abs() <= 2e-3 * mean + 1e-9);
    }
}

#[test]
fn ranks_are_those_of_what_codes_stand_for() {
    for metric in [Metric::L2, Metric::Dot, Metric::Cosine] {
        for (dim, m, nbits) in [(24, 6, 8), (25, 5, 4), (14, 7, 4), (19, 19, 8), (12, 1, 4)] {
            let (rows, pq) = trained(metric, dim, m, nbits);
            let mut coded = PqRows::new(pq.clone(), metric, &Forced::default()).unwrap();
            let mut blocked = PqRows::with_blocks(pq.clone(), metric, &Forced::default()).unwrap();
            for rows_of in [&mut coded, &mut blocked] {
                rows_of.reserve(200).unwrap();
                (0..200).for_each(|i| rows_of.push(rows.row(i)).unwrap());
            }
            let bytes = if nbits == 4 { m.div_ceil(2) } else { m };
            assert_eq!(coded.bytes(), (200 * bytes).next_multiple_of(64));
            let mut decoded = vec![vec![0.0; dim]; 200];
            for (i, vector) in decoded.iter_mut().enumerate() {
                coded.decode(i as u32, vector);
            }
            for q in 200..203 {
                let query = rows.row(q);
                let truth: Vec<f64> = decoded.iter().map(|v| rank(metric, query, v)).collect();
                ranks_near(&coded, query, &truth, 1e-4, "table");
                let entries = |s: usize| {
                    let part = s * dim.div_ceil(m)..((s + 1) * dim.div_ceil(m)).min(dim);
                    let entry = |v: &Vec<f32>| match metric {
                        Metric::L2 => l2sq(&query[part.clone()], &v[part.clone()]),
                        _ => dot(&query[part.clone()], &v[part.clone()]),
                    };
                    decoded.iter().map(entry).fold(0.0f64, |a, b| a.max(b.abs()))
                };
                // A byte is half a step off, and a step is a 255th of the largest span of entries.
                let span = (0..m).map(entries).fold(0.0, f64::max) * 4.0;
                let slack = if blocked.has_blocks() { m as f64 * span / 255.0 } else { 1e-4 };
                ranks_near(&blocked, query, &truth, slack, "bytes");
            }
            let mut query = Default::default();
            coded.prepare_slot(17, &mut query);
            let mut ranks = [0.0; 200];
            coded.score_range(&query, 0, &mut ranks);
            for (i, &found) in ranks.iter().enumerate() {
                let exact = rank(metric, &decoded[17], &decoded[i]);
                assert!((f64::from(found) - exact).abs() <= 1e-4 * (1.0 + exact.abs()));
            }
            if nbits == 8 {
                let sdc = Sdc::new(&pq, metric, &Forced::default()).unwrap();
                let mut between = [0.0; 200];
                sdc.ranks(coded.codes().row(17), coded.codes(), &mut between);
                for (a, b) in ranks.iter().zip(between) {
                    assert!((a - b).abs() <= 1e-4 * (1.0 + a.abs()), "ADC {a}, SDC {b}");
                }
            } else {
                assert!(matches!(
                    Sdc::new(&pq, metric, &Forced::default()),
                    Err(PqError::NoSdc { .. })
                ));
            }
        }
    }
}

/// Listed slots by the `f32` table, and ranges to `slack`.
fn ranks_near(rows: &PqRows, vector: &[f32], truth: &[f64], slack: f64, what: &str) {
    let mut query = Default::default();
    rows.prepare(vector, &mut query);
    let slots: Vec<u32> = (0..200).rev().step_by(3).collect();
    let mut ranks = vec![0.0; slots.len()];
    rows.score_ids(&query, &slots, &mut ranks);
    for (&slot, &found) in slots.iter().zip(&ranks) {
        let exact = truth[slot as usize];
        assert!((f64::from(found) - exact).abs() <= 1e-4 * (1.0 + exact.abs()), "{found} {exact}");
    }
    for (from, len) in [(0, 200), (1, 198), (63, 2), (64, 64), (199, 1), (70, 0), (31, 97)] {
        let mut ranks = vec![0.0; len];
        rows.score_range(&query, from as u32, &mut ranks);
        for (i, &found) in ranks.iter().enumerate() {
            let exact = truth[from + i];
            let off = (f64::from(found) - exact).abs();
            assert!(off <= slack * (1.0 + exact.abs()), "{what}: {found} {exact}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Rows that come, change and go are what they would be if they had only come.
    #[test]
    fn rows_are_kept(
        nbits in prop_oneof![Just(4u8), Just(8u8)],
        m in prop_oneof![Just(1usize), Just(2), Just(3), Just(5), Just(9)],
        steps in prop::collection::vec((0u8..4, 0usize..300), 1..40),
    ) {
        let book: Vec<f32> = (0..9 << nbits).map(|i| ((i * 37) % 101) as f32).collect();
        let pq = Pq::from_book(book, 9, m, nbits, &Forced::default()).unwrap();
        let new = || PqRows::with_blocks(pq.clone(), Metric::L2, &Forced::default()).unwrap();
        let (mut rows, mut model) = (new(), Vec::<Vec<f32>>::new());
        let vector = |i: usize| (0..9).map(|d| ((i * 31 + d * 7) % 97) as f32).collect::<Vec<f32>>();
        for (step, i) in steps {
            match step {
                0 if !model.is_empty() => {
                    let slot = i % model.len();
                    model[slot] = vector(i + 1000);
                    rows.set(slot as u32, &model[slot]);
                }
                1 => {
                    model.truncate(i);
                    rows.truncate(i);
                }
                _ => for j in 0..=i {
                    model.push(vector(j));
                    rows.push(&vector(j)).unwrap();
                },
            }
        }
        let mut fresh = new();
        model.iter().for_each(|v| fresh.push(v).unwrap());
        prop_assert_eq!(rows.len(), model.len());
        let (mut a, mut b) = (vec![0.0; model.len()], vec![0.0; model.len()]);
        let mut query = Default::default();
        rows.prepare(&vector(5), &mut query);
        rows.score_range(&query, 0, &mut a);
        fresh.score_range(&query, 0, &mut b);
        prop_assert_eq!(&a, &b);
        let slots: Vec<u32> = (0..model.len() as u32).collect();
        rows.score_ids(&query, &slots, &mut a);
        fresh.score_ids(&query, &slots, &mut b);
        prop_assert_eq!(&a, &b);
        prop_assert!(rows.push(&[0.0; 8]).is_err());
        prop_assert_eq!(rows.len(), model.len());
    }
}

#[test]
fn a_table_that_overflows_is_scanned_in_f32() {
    let book: Vec<f32> = (0..2 * 256).map(|i| if i % 256 == 3 { 3e38 } else { 1.0 }).collect();
    let pq = Pq::from_book(book, 2, 2, 8, &Forced::default()).unwrap();
    let mut rows = PqRows::with_blocks(pq, Metric::L2, &Forced::default()).unwrap();
    rows.push(&[3e38, 3e38]).unwrap();
    rows.push(&[1.0, 1.0]).unwrap();
    let mut query = Default::default();
    rows.prepare(&[-3e38, 1.0], &mut query);
    let mut ranks = [0.0; 2];
    rows.score_range(&query, 0, &mut ranks);
    assert_eq!(ranks[0], f32::INFINITY);
}

/// What tables of bytes find, ranked again by the table in f32: nearly all of the nearest.
#[test]
fn scan_bytes_and_rank_again() {
    for (nbits, m) in [(8, 8), (4, 16)] {
        let rows = Random(77).clusters(4000, 32, 100);
        let options = PqOptions { nbits, iterations: 5, ..PqOptions::new(m) };
        let pq = Pq::train(rows.view(), &options, &Forced::default()).unwrap();
        let mut coded = PqRows::with_blocks(pq, Metric::L2, &Forced::default()).unwrap();
        (100..4000).for_each(|i| coded.push(rows.row(i)).unwrap());
        let slots: Vec<u32> = (0..3900).collect();
        let (mut query, mut bytes, mut table) = (Default::default(), Vec::new(), Vec::new());
        let mut lost = 0;
        for q in 0..100 {
            coded.prepare(rows.row(q), &mut query);
            exact::nearest(&coded, &query, 50, &|_| true, &mut bytes);
            exact::nearest_of(&coded, &query, 10, &slots, &mut table);
            lost += table.iter().filter(|(_, slot)| bytes.iter().all(|b| b.1 != *slot)).count();
        }
        assert!(lost <= 10, "{lost} of 1,000 lost at {nbits} bits");
    }
}
