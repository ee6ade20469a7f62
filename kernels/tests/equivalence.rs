//! Every variant of every operation against the oracle: a loop over the registry. A new variant
//! is tested by being in the list.

use annvil_kernels::testkit::Report;
use annvil_kernels::testkit::cases::{Family, Place, Recipe, Stride};
use annvil_kernels::testkit::claims::held;
use annvil_kernels::testkit::guard::Edge;
use annvil_kernels::testkit::ledger::{self, LEDGER_VAR};
use annvil_kernels::testkit::trial::{Trial, VectorOperands, Work};
use annvil_kernels::{AnyOp, BindError, Level, RowsRef, Technique, ops};
use proptest::prelude::*;

/// Lengths beyond the sweep: real embeddings, powers of two and their neighbours, the largest.
const LARGE: [usize; 12] = [300, 384, 511, 768, 769, 960, 1023, 1024, 1536, 2048, 3072, 4099];

/// Binds a variant; `None` if it has no form for the length.
fn bind<'t>(trial: &'t dyn Trial, variant: &str) -> Option<Box<dyn Work + 't>> {
    match trial.bind(variant) {
        Ok(work) => Some(work),
        Err(BindError::NoForm { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn trial(op: &dyn AnyOp, recipe: &Recipe) -> Box<dyn Trial> {
    op.trial(recipe).expect("a small case fits into memory")
}

fn check(trial: &dyn Trial, variant: &str) -> Option<Report> {
    // SimSIMD takes two empty vectors for equal; here they are zero vectors, at cosine distance 1.
    if variant == "simsimd" && trial.recipe().dim == 0 {
        return None;
    }
    let mut work = bind(trial, variant)?;
    Some(work.verify(0).unwrap_or_else(|failure| panic!("#{variant}: {failure}")))
}

/// A variant that can run here, and the families that it is held to.
type Held = (&'static str, Vec<Family>);

/// Every operation with its variants.
fn available() -> Vec<(&'static dyn AnyOp, Vec<Held>)> {
    let mut all = Vec::new();
    for &op in ops() {
        let mut variants = Vec::new();
        for meta in op.variants() {
            if meta.not_run.is_none() {
                let held = |f: &Family| held(meta.technique, *f, 1);
                let families = op.families().iter().copied().filter(held).collect();
                variants.push((meta.name, families));
            }
        }
        all.push((op, variants));
    }
    all
}

/// Checks every available variant of every operation on what `recipes` makes of its families;
/// counts cases by operation and variant. A case in which nothing could be judged is no case.
fn check_all(recipes: impl Fn(Family) -> Vec<Recipe>) -> std::collections::HashMap<String, u64> {
    let mut passed = std::collections::HashMap::new();
    for (op, variants) in available() {
        for &family in op.families() {
            for recipe in recipes(family) {
                let trial = trial(op, &recipe);
                for (variant, families) in &variants {
                    if families.contains(&family) {
                        let report = check(&*trial, variant);
                        let name = format!("{}#{variant}", op.path());
                        *passed.entry(name).or_insert(0) +=
                            u64::from(report.is_some_and(|r| r.values > 0));
                    }
                }
            }
        }
    }
    passed
}

#[test]
fn every_length_and_family_and_the_ledger() {
    let passed = check_all(|family| {
        let recipe = |dim: usize| {
            let i = family as usize;
            Recipe {
                family,
                stride: Stride::Pad((dim + i) % 3),
                query_at: Place::Offset((dim * 3 + i) % 64),
                rows_at: Place::Offset((dim * 5 + 2 * i) % 64),
                ..Recipe::plain(dim, 1 + (dim + i) % 9, (dim * 31 + i) as u64)
            }
        };
        (0..=257).chain(LARGE).map(recipe).collect()
    });
    let mut rows = Vec::new();
    for &op in ops() {
        for variant in op.variants() {
            let cases =
                passed.get(&format!("{}#{}", op.path(), variant.name)).copied().unwrap_or(0);
            assert!(
                cases > 0 || variant.not_run.is_some(),
                "{}#{} ran nothing",
                op.path(),
                variant.name
            );
            #[expect(clippy::print_stdout, reason = "the run says what ran and what did not")]
            {
                println!(
                    "{}#{}: {}",
                    op.path(),
                    variant.name,
                    variant
                        .not_run
                        .as_deref()
                        .map_or(format!("{cases} cases"), |w| format!("NOT RUN: {w}"))
                );
            }
            rows.push(ledger::Row { op: op.path(), variant, cases });
        }
    }
    if let Some(path) = std::env::var_os(LEDGER_VAR) {
        ledger::write(std::path::Path::new(&path), &rows).expect("the ledger can be written");
    }
    required_level_is_there();
}

/// `ANNVIL_REQUIRE_LEVEL=avx512` turns a missing level into a failure: an emulated lane must not
/// pass because it ran nothing.
fn required_level_is_there() {
    if let Ok(required) = std::env::var("ANNVIL_REQUIRE_LEVEL") {
        let level = Level::from_name(&required).expect("ANNVIL_REQUIRE_LEVEL names a level");
        assert!(level.is_available(), "{required} is required here, and missing");
    }
}

#[test]
fn every_misalignment() {
    check_all(|family| {
        if family != Family::Uniform {
            return Vec::new();
        }
        let places = (0..64).flat_map(|q| (0..64).step_by(5).map(move |r| (q, (r + q) % 64)));
        places
            .flat_map(|(q, r)| {
                [23, 100].map(|dim| Recipe {
                    query_at: Place::Offset(q),
                    rows_at: Place::Offset(r),
                    ..Recipe::plain(dim, 5, r as u64)
                })
            })
            .collect()
    });
}

#[test]
fn nothing_is_read_outside_the_slices() {
    if !cfg!(unix) {
        #[expect(clippy::print_stdout, reason = "what did not run is said")]
        {
            println!("NOT RUN: no guard pages on this platform");
        }
        return;
    }
    // Four rows end with a block, five with a single row.
    let ends = [(Edge::Front, 4), (Edge::Front, 5), (Edge::Back, 4), (Edge::Back, 9)];
    let passed = check_all(|family| {
        if family != Family::Uniform {
            return Vec::new();
        }
        (1..=130)
            .chain([255, 256, 257, 768, 1023])
            .flat_map(|dim| {
                ends.map(|(edge, count)| Recipe {
                    query_at: Place::Edge(edge),
                    rows_at: Place::Edge(edge),
                    ..Recipe::plain(dim, count, dim as u64)
                })
            })
            .collect()
    });
    assert!(passed.values().all(|&n| n > 0));
}

#[test]
fn guards_are_there_where_they_are_asked_for() {
    let edge = Place::Edge(Edge::Back);
    let recipe = Recipe { query_at: edge, rows_at: edge, ..Recipe::plain(7, 3, 1) };
    let op = annvil_kernels::find("f32/l2sq/pair").unwrap();
    let trial = trial(op, &recipe);
    let operands = trial.operands().downcast_ref::<VectorOperands<f32, f32, f32, f32>>().unwrap();
    assert_eq!(operands.is_guarded(), cfg!(unix), "no guard page could be mapped");
}

#[test]
fn positive_sums_are_exact_to_a_few_units() {
    // The error grows with the additions in one lane: 3072 elements over at least 24 partial sums
    // stay within 4 units, over the 12 or 16 of 128-bit registers within 6.
    for &op in ops() {
        for meta in op.variants() {
            let held = meta.technique == Technique::Hand && meta.not_run.is_none();
            if op.encoding() != "f32" || op.metric() != "l2sq" || !held {
                continue;
            }
            let wide = matches!(meta.level, Level::Avx2 | Level::Avx512);
            let limit = if wide { 4.0 } else { 6.0 };
            let mut worst = Report::default();
            for seed in 0..40 {
                let trial = trial(op, &Recipe::plain(3072, 8, seed));
                if let Some(report) = check(&*trial, meta.name) {
                    worst.merge(&report);
                }
            }
            assert!(worst.max_error_ulp <= limit, "{}#{}: {worst:?}", op.path(), meta.name);
        }
    }
}

fn family() -> impl Strategy<Value = Family> {
    prop::sample::select(Family::ALL.to_vec())
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let dim = prop_oneof![3 => 0usize..=257, 1 => 258usize..=2100];
    (family(), dim, 1usize..=11, 0usize..=5, 0usize..64, 0usize..64, any::<u64>()).prop_map(
        |(family, dim, rows, pad, query, row, seed)| Recipe {
            family,
            stride: Stride::Pad(pad),
            query_at: Place::Offset(query),
            rows_at: Place::Offset(row),
            ..Recipe::plain(dim, rows, seed)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_cases(recipe in recipe()) {
        check_all(|family| if family == recipe.family { vec![recipe] } else { Vec::new() });
    }
}

/// d(a, b) = d(b, a), and d(a, a) = 0 for the metrics that are distances.
#[test]
fn symmetry_and_identity() {
    use annvil_kernels::{F32Kernels, Forced, Metric};
    for level in Level::ALL.into_iter().filter(|l| l.is_available() && l.base() == *l) {
        let forced = Forced::parse(&format!("f32/*/*={level}")).unwrap();
        for metric in Metric::ALL {
            for dim in (1..80).chain([128, 255, 300]) {
                let k = F32Kernels::forced(metric, dim, &forced).unwrap();
                let a: Vec<f32> = (0..dim).map(|i| (i * i % 17) as f32 - 8.3).collect();
                let b: Vec<f32> = (0..dim).map(|i| (i * 7 % 23) as f32 / 3.0 - 2.9).collect();
                let (ab, ba) = (k.pair.call(&a, &b), k.pair.call(&b, &a));
                assert_eq!(ab.to_bits(), ba.to_bits(), "{level} {metric} {dim}");
                if matches!(metric, Metric::L2Sq | Metric::L1 | Metric::Linf) {
                    assert_eq!(k.pair.call(&a, &a), 0.0, "{level} {metric} {dim}");
                }
            }
        }
    }
}

#[test]
fn a_zero_vector_hides_no_nan_and_no_infinity() {
    use annvil_kernels::{F32Kernels, Forced, Metric};
    for level in Level::ALL.into_iter().filter(|l| l.is_available() && l.base() == *l) {
        let forced = Forced::parse(&format!("f32/*/*={level}")).unwrap();
        for dim in [1, 7, 64, 131] {
            let k = F32Kernels::forced(Metric::Cosine, dim, &forced).unwrap();
            for (element, want_one) in
                [(0.0, true), (1.0, true), (f32::NAN, false), (f32::INFINITY, false)]
            {
                let (zero, mut row) = (vec![0.0; dim], vec![0.5; dim]);
                row[dim - 1] = element;
                let rows = RowsRef::packed(&row, dim).unwrap();
                let mut out = [k.pair.call(&zero, &row), 0.0, 0.0];
                k.scan_cached.call(&zero, rows, &mut out[1..2]);
                k.gather_cached.call(&zero, rows, &[0], &mut out[2..]);
                for value in out {
                    let ok = if want_one { value == 1.0 } else { value.is_nan() };
                    assert!(ok, "{level} at {dim}, {element}: {value}");
                }
            }
        }
    }
}

#[test]
fn planted_faults_are_caught() {
    let op = annvil_kernels::find("f32/l2sq/pair").unwrap();
    let trial = trial(op, &Recipe::plain(131, 6, 5));
    let operands = trial.operands().downcast_ref::<VectorOperands<f32, f32, f32, f32>>().unwrap();
    let term = |q: &[f32], r: &[f32], i: usize| (q[i] - r[i]) * (q[i] - r[i]);
    let right = |q: &[f32], r: &[f32]| (0..q.len()).map(|i| term(q, r, i)).sum::<f32>();
    let caught =
        |mutant: &dyn Fn(&[f32], &[f32]) -> f32| operands.pairwise(mutant).verify(0).is_err();
    assert!(!caught(&right), "the right kernel must pass");
    assert!(caught(&|q, r| right(q, r) - term(q, r, 130)), "a dropped tail element");
    assert!(caught(&|q, r| right(q, r) - term(q, r, 77)), "a dropped lane");
    assert!(caught(&|q, r| right(q, r) + term(q, r, 130)), "a tail element taken twice");
    assert!(caught(&|q, r| right(q, r) * (1.0 + 2e-5)), "an error just beyond the bound");
    assert!(caught(&|_, _| f32::NAN), "NaN");
    assert!(caught(&|_, _| -12_345.678), "an output never written");

    let op = annvil_kernels::find("i8/dot/pair").unwrap();
    let trial = self::trial(op, &Recipe::plain(131, 6, 5));
    let operands = trial.operands().downcast_ref::<VectorOperands<i8, i8, i32, f32>>().unwrap();
    let dot =
        |q: &[i8], r: &[i8]| q.iter().zip(r).map(|(&x, &y)| i32::from(x) * i32::from(y)).sum();
    assert!(operands.pairwise(dot).verify(0).is_ok(), "the right integers must pass");
    let off: &dyn Fn(&[i8], &[i8]) -> i32 = &|q, r| dot(q, r) + 1;
    assert!(operands.pairwise(off).verify(0).is_err(), "an integer off by one");
}

/// Where a panic can be caught; on WebAssembly it ends the program.
#[cfg(panic = "unwind")]
#[test]
fn a_length_that_does_not_fit_panics() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    for (op, variants) in available() {
        let trial = trial(op, &Recipe::plain(20, 6, 1));
        for (variant, _) in variants {
            if bind(&*trial, variant).is_none() {
                continue;
            }
            let mut tried = 0;
            let checked = trial.misfits(variant, &mut |(what, call)| {
                tried += 1;
                let refused = catch_unwind(AssertUnwindSafe(call)).is_err();
                assert!(refused, "{}#{variant}: {what} was not refused", op.path());
            });
            checked.unwrap();
            assert!(tried >= 2, "{}#{variant}: only {tried} misfits", op.path());
        }
    }
}

#[cfg(panic = "unwind")]
#[test]
fn resolved_kernels_refuse_what_does_not_fit() {
    use annvil_kernels::{F32Kernels, Metric};
    for metric in Metric::ALL {
        let k = F32Kernels::new(metric, 8).unwrap();
        let (short, right) = ([0.0; 7], [0.0; 8]);
        let rows = RowsRef::packed(&right, 8).unwrap();
        let refused =
            |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
        assert!(refused(&|| assert!(k.pair.call(&short, &right).is_nan())));
        assert!(refused(&|| assert!(k.pair.call(&right, &short).is_nan())));
        for scan in [k.scan_cached, k.scan_stream] {
            assert!(refused(&|| scan.call(&short, rows, &mut [0.0])));
            assert!(refused(&|| scan.call(&right, rows, &mut [0.0; 2])));
        }
        for gather in [k.gather_cached, k.gather_far] {
            assert!(refused(&|| gather.call(&right, rows, &[1], &mut [0.0])), "an id out of range");
            assert!(refused(&|| gather.call(&right, rows, &[0, 0], &mut [0.0])));
        }
        assert!(refused(&|| assert!(k.norm_sq.call(&short).is_nan())));
    }
}
