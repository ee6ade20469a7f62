use proptest::prelude::*;

use super::*;

fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }
}

/// Rows around 20 centres; under cosine of unit length.
fn rows(n: usize, dim: usize, metric: Metric) -> AlignedRows {
    let mut next = random(9);
    let centres: Vec<f32> = (0..20 * dim).map(|_| 3.0 * next()).collect();
    let mut rows = AlignedRows::with_capacity(n, dim).unwrap();
    for i in 0..n {
        let centre = &centres[(i % 20) * dim..][..dim];
        let mut row: Vec<f32> = centre.iter().map(|c| c + next()).collect();
        if metric == Metric::Cosine {
            unit(&mut row);
        }
        rows.push(&row).unwrap();
    }
    rows
}

fn unit(vector: &mut [f32]) {
    let norm = vector.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    vector.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
}

fn filled(n: usize, metric: Metric, options: TierOptions) -> (TieredRows, AlignedRows) {
    let data = rows(n, 16, metric);
    let mut tiers = TieredRows::train(&data, metric, options, 1).unwrap();
    (0..n).for_each(|i| assert_eq!(tiers.push(data.row(i)), Ok(i as u32)));
    (tiers, data)
}

/// An oracle of its own, in f64.
fn rank(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)));
    match metric {
        Metric::L2 => pairs().map(|(x, y)| (x - y) * (x - y)).sum(),
        Metric::Cosine => 1.0 - pairs().map(|(x, y)| x * y).sum::<f64>(),
        _ => -pairs().map(|(x, y)| x * y).sum::<f64>(),
    }
}

fn exact_ranks(metric: Metric, data: &AlignedRows, q: &[f32], k: usize) -> Vec<f64> {
    let mut all: Vec<f64> = (0..data.len()).map(|i| rank(metric, data.row(i), q)).collect();
    all.sort_by(f64::total_cmp);
    all.truncate(k);
    all
}

/// Whether what was found is the truth, rank by rank, and each rank is its row's.
fn assert_exact(found: &[(f32, u32)], metric: Metric, data: &AlignedRows, q: &[f32], k: usize) {
    let truth = exact_ranks(metric, data, q, k);
    assert_eq!(found.len(), truth.len());
    for (&(rank_found, slot), truth) in found.iter().zip(truth) {
        let own = rank(metric, data.row(slot as usize), q);
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-4 * (1.0 + b.abs());
        assert!(
            near(f64::from(rank_found), own) && near(own, truth),
            "{rank_found}, {own}, {truth}"
        );
    }
}

/// Everything that has to be true of the tiers at any time.
fn assert_sound(tiers: &TieredRows) {
    let stats = tiers.stats();
    assert_eq!(stats.iter().map(|s| s.rows).sum::<usize>(), tiers.len());
    for (s, shelf) in stats.iter().zip(&tiers.shelves) {
        let here = (0..tiers.len() as u32).filter(|&slot| tiers.tier(slot) == s.tier).count();
        assert_eq!((s.rows, shelf.rows.len()), (here, here), "{}", s.tier);
    }
    for slot in 0..tiers.len() as u32 {
        let shelf = &tiers.shelves[tiers.tier(slot) as usize];
        assert_eq!(shelf.owners[tiers.places[slot as usize] as usize], slot);
    }
}

#[test]
fn rows_that_nobody_asks_for_shrink_and_are_found_all_the_same() {
    for metric in [Metric::L2, Metric::Dot, Metric::Cosine] {
        let (mut tiers, data) = filled(1000, metric, TierOptions::default());
        let bytes = |tiers: &TieredRows| tiers.stats().iter().map(|s| s.bytes).sum::<usize>();
        let learnt: usize = tiers.stats()[1..].iter().map(|s| s.bytes).sum();
        let full = bytes(&tiers) - learnt;
        for _ in 0..5 {
            for slot in 0..50 {
                tiers.search(&data, data.row(slot * 3), 10, 4);
            }
            tiers.advance_epoch();
            while tiers.migrate(&data, 100).unwrap().left > 0 {}
            assert_sound(&tiers);
        }
        let stats = tiers.stats();
        assert!(stats[4].rows > 300 && stats[0].rows > 10, "{stats:?}");
        // Without what was learnt, which a set as small as this one is not worth.
        let now = bytes(&tiers) - learnt;
        assert!(now * 10 < full * 7, "{now} of {full}, {learnt} learnt");
        let (mut hit, mut all) = (0, 0);
        for slot in (0..1000).step_by(40) {
            let mut q: Vec<f32> = data.row(slot).iter().map(|v| v + 0.02).collect();
            if metric == Metric::Cosine {
                unit(&mut q);
            }
            let (found, truth) =
                (tiers.search(&data, &q, 10, 10), exact_ranks(metric, &data, &q, 10));
            assert_eq!(found.len(), 10);
            for f in &found {
                let own = rank(metric, data.row(f.1 as usize), &q);
                assert!((f64::from(f.0) - own).abs() <= 1e-4 * (1.0 + own.abs()), "exactly ranked");
            }
            let worst = truth[9] + 1e-5 * truth[9].abs() + 1e-6;
            hit += found.iter().filter(|f| f64::from(f.0) <= worst).count();
            all += 10;
        }
        assert!(f64::from(hit as u32) / f64::from(all) >= 0.95, "{metric}: {hit} of {all}");
    }
}

#[test]
fn the_budget_is_kept() {
    let (mut tiers, data) = filled(300, Metric::L2, TierOptions::default());
    tiers.advance_epoch();
    assert_eq!(tiers.migrate(&data, 40).unwrap(), Migration { moved: 40, left: 260 });
    assert_eq!(tiers.stats()[4].rows, 40);
    assert_eq!(tiers.migrate(&data, 0).unwrap().moved, 0);
    let found = tiers.search(&data, data.row(299), 300, 1);
    assert_eq!(found.len(), 300);
}

#[test]
fn a_move_encodes_two_rows_at_most() {
    struct Counted<'a>(&'a AlignedRows, std::cell::Cell<usize>);
    impl Originals for Counted<'_> {
        fn fetch(&self, slot: u32, vector: &mut [f32]) {
            self.1.set(self.1.get() + 1);
            self.0.fetch(slot, vector);
        }
    }
    let (mut tiers, data) = filled(300, Metric::L2, TierOptions::default());
    tiers.advance_epoch();
    let originals = Counted(&data, std::cell::Cell::new(0));
    for budget in [1, 7, 100, 300] {
        originals.1.set(0);
        let moved = tiers.migrate(&originals, budget).unwrap().moved;
        assert!(moved <= budget && originals.1.get() <= 2 * moved);
        assert_sound(&tiers);
    }
}

#[test]
fn rows_that_are_asked_for_by_turns_do_not_flap() {
    let options = TierOptions { residency: 0, ..TierOptions::default() };
    let (mut tiers, data) = filled(300, Metric::L2, options);
    for slot in 0..300u32 {
        (0..=slot).for_each(|_| tiers.touch(slot));
    }
    tiers.migrate(&data, 300).unwrap();
    // Two rows at the threshold between warm and hot change their order with every step.
    let mut moved = 0;
    for step in 0..60 {
        tiers.touch(if step % 2 == 0 { 239 } else { 240 });
        moved += tiers.migrate(&data, 300).unwrap().moved;
    }
    assert!(moved <= 2, "{moved}");
}

#[test]
fn only_what_is_accepted_is_found_in_any_tier() {
    let (mut tiers, data) = filled(400, Metric::L2, TierOptions::default());
    (0..400).filter(|s| s % 3 == 0).for_each(|slot| tiers.touch(slot));
    tiers.advance_epoch();
    tiers.migrate(&data, 400).unwrap();
    let found = tiers.search_where(&data, data.row(7), 400, 1, |slot| slot % 4 == 1);
    let mut slots: Vec<u32> = found.iter().map(|f| f.1).collect();
    slots.sort_unstable();
    assert_eq!(slots, (0..400).filter(|s| s % 4 == 1).collect::<Vec<_>>());
}

#[test]
fn a_warm_search_brings_its_buffers_back() {
    let (tiers, data) = filled(300, Metric::L2, TierOptions::default());
    for slot in 0..100 {
        tiers.search(&data, data.row(slot), 5, 2);
    }
    let stats = tiers.scratch.stats();
    assert_eq!((stats.hits, stats.misses, stats.outstanding), (99, 1, 0));
}

#[test]
fn what_cannot_be_tiered_is_refused() {
    let data = rows(300, 16, Metric::L2);
    assert!(TieredRows::train(&data, Metric::L1, TierOptions::default(), 1).is_err());
    assert!(TieredRows::train(&data, Metric::Hamming, TierOptions::default(), 1).is_err());
    let options = TierOptions { hysteresis: 1.0, ..TierOptions::default() };
    assert!(TieredRows::train(&data, Metric::L2, options, 1).is_err());
    let (mut tiers, _) = filled(300, Metric::L2, TierOptions::default());
    assert!(tiers.push(&[0.0; 3]).is_err());
    assert_eq!(tiers.len(), 300);
    assert!(tiers.search(&data, data.row(0), 0, 3).is_empty());
}

/// What may happen to tiers.
#[derive(Clone, Debug)]
enum Step {
    Ask(usize),
    Touch(u32, u8),
    Epoch,
    Migrate(usize),
    Set(u32),
    Push,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..300usize).prop_map(Step::Ask),
        3 => (0..300u32, 1..40u8).prop_map(|(slot, times)| Step::Touch(slot, times)),
        2 => Just(Step::Epoch),
        4 => (0..200usize).prop_map(Step::Migrate),
        1 => (0..300u32).prop_map(Step::Set),
        1 => Just(Step::Push),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// With every row a candidate the answers are the exact ones, wherever rows are, at any time.
    #[test]
    fn whatever_happens_every_row_is_found(steps in steps(), l2: bool) {
        let metric = if l2 { Metric::L2 } else { Metric::Dot };
        let (mut tiers, mut data) = filled(300, metric, TierOptions::default());
        let mut next = random(5);
        let mut new = || (0..16).map(|_| 3.0 * next()).collect::<Vec<f32>>();
        for step in steps {
            match step {
                Step::Ask(slot) => {
                    let q = data.row(slot).to_vec();
                    let found = tiers.search(&data, &q, 10, data.len());
                    assert_exact(&found, metric, &data, &q, 10);
                }
                Step::Touch(slot, times) => (0..times).for_each(|_| tiers.touch(slot)),
                Step::Epoch => tiers.advance_epoch(),
                Step::Migrate(budget) => {
                    prop_assert!(tiers.migrate(&data, budget).unwrap().moved <= budget);
                }
                Step::Set(slot) => {
                    let vector = new();
                    data.row_mut(slot as usize).copy_from_slice(&vector);
                    tiers.set(slot, &vector);
                }
                Step::Push => {
                    let vector = new();
                    data.push(&vector).unwrap();
                    prop_assert_eq!(tiers.push(&vector).unwrap() as usize, data.len() - 1);
                }
            }
            assert_sound(&tiers);
        }
        let q = new();
        let found = tiers.search(&data, &q, data.len(), 1);
        assert_exact(&found, metric, &data, &q, data.len());
    }
}
