//! The k smallest of more scores than `equivalence.rs` asks for: several prunes of the scratch,
//! samples that guess right and wrong, orders that hurt, parts that arrive out of order, and
//! searches that are merged.

use annvil_kernels::testkit::cases::{Family, Place, Recipe};
use annvil_kernels::testkit::guard::Edge;
use annvil_kernels::testkit::trial::SelectOperands;
use annvil_kernels::{AnyOp, Scored, TopK, find};

fn op() -> &'static dyn AnyOp {
    find("scores/topk/select").expect("the operation exists")
}

fn variants() -> Vec<&'static str> {
    op().variants().into_iter().filter(|v| v.not_run.is_none()).map(|v| v.name).collect()
}

#[test]
fn many_scores_of_every_family() {
    for (k, n) in [(1, 40_000), (10, 9_001), (100, 20_011), (700, 12_000), (1000, 33_333)] {
        for family in Family::ALL {
            let place = Place::Offset(n % 64);
            let recipe = Recipe { family, rows_at: place, ..Recipe::plain(k, n, n as u64) };
            let trial = op().trial(&recipe).unwrap();
            for variant in variants() {
                let mut work = trial.bind(variant).unwrap();
                work.verify(0).unwrap_or_else(|e| panic!("{variant} of {n} {family:?}: {e}"));
            }
        }
    }
}

#[test]
fn nothing_is_read_outside_the_scores() {
    for edge in [Edge::Front, Edge::Back] {
        for n in (1..300).chain([1023, 8191, 8192, 8193]) {
            let recipe = Recipe { rows_at: Place::Edge(edge), ..Recipe::plain(n / 3, n, 5) };
            let trial = op().trial(&recipe).unwrap();
            for variant in variants() {
                let mut work = trial.bind(variant).unwrap();
                work.verify(0).unwrap_or_else(|e| panic!("{variant} of {n}: {e}"));
            }
        }
    }
}

/// Sorts everything: the definition.
fn by_sorting(scores: &[(u32, f32)], k: usize) -> Vec<Scored> {
    let mut all: Vec<_> = scores.iter().copied().filter(|s| !s.1.is_nan()).collect();
    all.sort_by(|a, b| {
        a.1.partial_cmp(&b.1).unwrap_or(std::cmp::Ordering::Equal).then(a.0.cmp(&b.0))
    });
    all.truncate(k);
    all.into_iter().map(|(id, score)| Scored { id, score }).collect()
}

fn found(top: &mut TopK) -> Vec<Scored> {
    let mut out = vec![Scored::default(); top.k() + 1];
    let count = top.finish(&mut out);
    out.truncate(count);
    out
}

/// Orders of scores that a threshold or a sample meets badly.
fn hostile(n: usize) -> Vec<(&'static str, Vec<f32>)> {
    let step = n / 512;
    let spread = |i: usize| (i * 7919 % n) as f32;
    vec![
        ("rising", (0..n).map(|i| i as f32).collect()),
        ("falling", (0..n).map(|i| (n - i) as f32).collect()),
        ("all equal", vec![1.5; n]),
        ("all infinite", vec![f32::INFINITY; n]),
        ("all NaN", vec![f32::NAN; n]),
        ("few values", (0..n).map(|i| (i * 31 % 3) as f32).collect()),
        ("zeros of both signs", (0..n).map(|i| if i % 2 == 0 { 0.0 } else { -0.0 }).collect()),
        // Every score that a sample looks at is among the smallest: its guess is far too low.
        (
            "a sample that misleads",
            (0..n).map(|i| spread(i) + if i % step == 0 { 0.0 } else { 1e7 }).collect(),
        ),
        (
            "one in a thousand",
            (0..n).map(|i| if i % 1000 == 7 { spread(i) } else { f32::NAN }).collect(),
        ),
        ("negative", (0..n).map(|i| -spread(i)).collect()),
    ]
}

#[test]
fn hostile_orders_in_one_part_and_in_many() {
    let n = 20_480;
    for (name, scores) in hostile(n) {
        let all: Vec<(u32, f32)> = (0..).zip(scores.iter().copied()).collect();
        for k in [1, 10, 100, 1000] {
            let truth = by_sorting(&all, k);
            let recipe = Recipe::plain(k, 1, 1);
            let trial = op().trial(&recipe).unwrap();
            let operands = trial.operands().downcast_ref::<SelectOperands>().unwrap();
            for variant in variants() {
                let kernel = operands.bind(variant).unwrap();
                let mut top = TopK::new(k).unwrap();
                kernel.call(&scores, 0, &mut top);
                assert_eq!(found(&mut top), truth, "{variant}, {name}, k {k}");
                // Parts in the wrong order: a tie may be won by what comes later.
                top.clear();
                let parts: Vec<(usize, &[f32])> = scores.chunks(4099).enumerate().collect();
                for (i, part) in parts.into_iter().rev() {
                    kernel.call(part, (i * 4099) as u32, &mut top);
                }
                assert_eq!(found(&mut top), truth, "{variant}, {name}, k {k}, in parts");
                // Two searches over halves, merged.
                let (low, high) = scores.split_at(n / 3);
                let (mut left, mut right) = (TopK::new(k).unwrap(), TopK::new(k).unwrap());
                kernel.call(high, (n / 3) as u32, &mut left);
                kernel.call(low, 0, &mut right);
                left.merge(&found(&mut right));
                assert_eq!(found(&mut left), truth, "{variant}, {name}, k {k}, merged");
            }
        }
    }
}

#[test]
fn the_limit_is_the_kth_score_once_that_is_known() {
    let mut top = TopK::new(2).unwrap();
    assert_eq!(top.limit(), f32::INFINITY);
    for (id, score) in [(3, 5.0), (1, 4.0), (2, f32::NAN), (0, 4.0)] {
        top.push(id, score);
    }
    let two = [Scored { id: 0, score: 4.0 }, Scored { id: 1, score: 4.0 }];
    assert_eq!((found(&mut top), top.limit()), (two.to_vec(), 4.0));
    top.push(9, 4.5);
    assert_eq!(found(&mut top), two);
    let mut none = TopK::new(0).unwrap();
    none.push(1, 1.0);
    assert_eq!(found(&mut none), []);
    assert!(TopK::new(usize::MAX).is_err());
    assert!(TopK::new(usize::MAX / 2).is_err());
}
