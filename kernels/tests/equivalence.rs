//! Every variant of every operation against the oracle: a loop over the registry. A new variant
//! is tested by being in the list.

use annvil_kernels::testkit::cases::{Case, Family, Recipe};
use annvil_kernels::testkit::guard::{Edge, Guarded};
use annvil_kernels::testkit::ledger::{self, LEDGER_VAR};
use annvil_kernels::testkit::{Report, verify_batch};
use annvil_kernels::{AnyOp, Batch, BindError, Level, RowsRef, Runner, Technique, ops};
use proptest::prelude::*;

/// Lengths beyond the sweep: real embeddings, powers of two and their neighbours, the largest.
const LARGE: [usize; 12] = [300, 384, 511, 768, 769, 960, 1023, 1024, 1536, 2048, 3072, 4099];

/// Binds a variant; `None` if it has no form for the length.
fn bind(op: &dyn AnyOp, variant: &str, dim: usize) -> Option<Box<dyn Runner>> {
    match op.bind(variant, dim) {
        Ok(runner) => Some(runner),
        Err(BindError::NoForm { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Whether the kernel is ours, and so held to the rules for NaN, infinities and underflow. A
/// foreign library is held to the value of ordinary numbers; what it does otherwise is its own.
fn ours(technique: Technique) -> bool {
    technique != Technique::Simsimd
}

fn check(op: &dyn AnyOp, variant: &str, case: &Case) -> Option<Report> {
    let batch = case.batch();
    // SimSIMD takes two empty vectors for equal; here they are zero vectors, at cosine distance 1.
    if variant == "simsimd" && batch.rows.dim() == 0 {
        return None;
    }
    let runner = bind(op, variant, batch.rows.dim())?;
    let report = verify_batch(op, &*runner, &batch, &mut Vec::new());
    Some(report.unwrap_or_else(|failure| panic!("#{variant}: {failure}")))
}

/// Every (op, variant) that can run here, with the families it is held to.
fn available() -> Vec<(&'static dyn AnyOp, &'static str, Vec<Family>)> {
    let mut all = Vec::new();
    for &op in ops() {
        for meta in op.variants() {
            if meta.not_run.is_none() {
                let held = |f: &Family| {
                    ours(meta.technique)
                        || matches!(f, Family::Uniform | Family::Lognormal | Family::Cancelling)
                };
                all.push((op, meta.name, Family::ALL.into_iter().filter(held).collect()));
            }
        }
    }
    all
}

#[test]
fn every_length_and_family_and_the_ledger() {
    let mut passed = std::collections::HashMap::new();
    for (op, variant, families) in available() {
        let mut cases = 0u64;
        for dim in (0..=257).chain(LARGE) {
            for (i, &family) in families.iter().enumerate() {
                let seed = (dim * 31 + i) as u64;
                let recipe = Recipe {
                    family,
                    dim,
                    rows: 1 + (dim + i) % 9,
                    pad: (dim + i) % 3,
                    query_offset: (dim * 3 + i) % 16,
                    rows_offset: (dim * 5 + 2 * i) % 16,
                    seed,
                };
                // A case in which nothing could be judged is no case.
                let report = check(op, variant, &recipe.make());
                cases += u64::from(report.is_some_and(|r| r.values > 0));
            }
        }
        assert!(cases > 0, "{}#{variant} ran nothing", op.path());
        passed.insert((op.path(), variant), cases);
    }
    let mut rows = Vec::new();
    for &op in ops() {
        for variant in op.variants() {
            let cases = passed.get(&(op.path(), variant.name)).copied().unwrap_or(0);
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
    for (op, variant, _) in available() {
        for (query_offset, rows_offset) in (0..256).map(|i| (i / 16, i % 16)) {
            for dim in [23, 100] {
                let plain = Recipe::plain(dim, 5, rows_offset as u64);
                check(op, variant, &Recipe { query_offset, rows_offset, ..plain }.make());
            }
        }
    }
}

#[test]
fn nothing_is_read_outside_the_slices() {
    let mut guarded = 0;
    for (op, variant, _) in available() {
        for dim in (1..=130).chain([255, 256, 257, 768, 1023]) {
            // Four rows end with a block, five with a single row.
            for (edge, count) in
                [(Edge::Front, 4), (Edge::Front, 5), (Edge::Back, 4), (Edge::Back, 5)]
            {
                let Some(runner) = bind(op, variant, dim) else { continue };
                let case = Recipe::plain(dim, count, dim as u64).make();
                let plain = case.batch();
                let packed: Vec<f32> =
                    (0..count).flat_map(|i| plain.rows.row(i).to_vec()).collect();
                let (query, rows) = (Guarded::new(plain.query, edge), Guarded::new(&packed, edge));
                let (Some(query), Some(rows)) = (query, rows) else {
                    if cfg!(unix) {
                        panic!("no guard page could be mapped");
                    }
                    continue;
                };
                let rows = RowsRef::packed(rows.values(), dim).unwrap();
                let batch = Batch { query: query.values(), rows, ..plain };
                verify_batch(op, &*runner, &batch, &mut Vec::new())
                    .unwrap_or_else(|failure| panic!("#{variant}: {failure}"));
                guarded += 1;
            }
        }
    }
    if guarded == 0 {
        #[expect(clippy::print_stdout, reason = "what did not run is said")]
        {
            println!("NOT RUN: no guard pages on this platform");
        }
    }
}

#[test]
fn positive_sums_are_exact_to_a_few_units() {
    // The error grows with the additions in one lane: 3072 elements over at least 24 partial sums
    // stay within 4 units, over the 12 or 16 of 128-bit registers within 6.
    for &op in ops() {
        for meta in op.variants() {
            let held = meta.technique == Technique::Hand && meta.not_run.is_none();
            if op.metric() != "l2sq" || !held {
                continue;
            }
            let wide = matches!(meta.level, Level::Avx2 | Level::Avx512);
            let limit = if wide { 4.0 } else { 6.0 };
            let mut worst = Report::default();
            for seed in 0..40 {
                let case = Recipe::plain(3072, 8, seed).make();
                if let Some(report) = check(op, meta.name, &case) {
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
    (family(), dim, 1usize..=11, 0usize..=5, 0usize..16, 0usize..16, any::<u64>()).prop_map(
        |(family, dim, rows, pad, query_offset, rows_offset, seed)| Recipe {
            family,
            dim,
            rows,
            pad,
            query_offset,
            rows_offset,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..Default::default() })]

    #[test]
    fn random_cases(recipe in recipe()) {
        let case = recipe.make();
        for (op, variant, families) in available() {
            if families.contains(&recipe.family) {
                check(op, variant, &case);
            }
        }
    }

    /// d(a, b) = d(b, a), and d(a, a) = 0 for the metrics that are distances.
    #[test]
    fn symmetry_and_identity(dim in 1usize..300, seed in any::<u64>()) {
        let case = Recipe::plain(dim, 1, seed).make();
        let batch = case.batch();
        let (a, b) = (batch.query, batch.rows.row(0));
        let ids = [0];
        for (op, variant, _) in available() {
            if op.shape() != "pair" { continue; }
            let Some(runner) = bind(op, variant, dim) else { continue };
            let value = |q: &[f32], r: &[f32]| {
                let mut out = [0.0];
                let rows = RowsRef::packed(r, dim).unwrap();
                runner.run(&Batch { query: q, rows, ids: &ids, ..batch }, &mut out);
                out[0]
            };
            prop_assert_eq!(value(a, b).to_bits(), value(b, a).to_bits(), "{}#{}", op.path(), variant);
            if matches!(op.metric(), "l2sq" | "l1" | "linf") {
                prop_assert_eq!(value(a, a), 0.0, "{}#{}", op.path(), variant);
            }
        }
    }
}

#[test]
fn a_zero_vector_hides_no_nan_and_no_infinity() {
    for (op, variant, families) in available() {
        if op.metric() != "cosine" || !families.contains(&Family::Nan) {
            continue;
        }
        for dim in [1, 7, 64, 131] {
            let Some(runner) = bind(op, variant, dim) else { continue };
            for (element, want_one) in
                [(0.0, true), (1.0, true), (f32::NAN, false), (f32::INFINITY, false)]
            {
                let (zero, mut row) = (vec![0.0; dim], vec![0.5; dim]);
                row[dim - 1] = element;
                let rows = RowsRef::packed(&row, dim).unwrap();
                let inv_norms = [annvil_kernels::inv_norm(&row)];
                let batch = Batch {
                    query: &zero,
                    query_inv_norm: 0.0,
                    rows,
                    inv_norms: &inv_norms,
                    ids: &[0],
                };
                let mut out = [0.0];
                runner.run(&batch, &mut out);
                let ok = if want_one { out[0] == 1.0 } else { out[0].is_nan() };
                assert!(ok, "{}#{variant} at {dim}, {element}: {}", op.path(), out[0]);
            }
        }
    }
}

/// What `run` makes of its output, wrong in one way.
struct Mutant(fn(&Batch<'_>, usize, f32) -> f32);

impl Runner for Mutant {
    fn run(&self, batch: &Batch<'_>, out: &mut [f32]) {
        for (o, &id) in out.iter_mut().zip(batch.ids) {
            let row = batch.rows.row(id as usize);
            let right = batch.query.iter().zip(row).map(|(x, y)| (x - y) * (x - y)).sum();
            *o = (self.0)(batch, id as usize, right);
        }
    }
}

/// The term of element `i`.
fn term(batch: &Batch<'_>, row: usize, i: usize) -> f32 {
    let d = batch.query[i] - batch.rows.row(row)[i];
    d * d
}

#[test]
fn planted_faults_are_caught() {
    let op = annvil_kernels::find("f32/l2sq/pair").unwrap();
    let caught = |mutant: Mutant| {
        let case = Recipe::plain(131, 6, 5).make();
        verify_batch(op, &mutant, &case.batch(), &mut Vec::new()).is_err()
    };
    assert!(!caught(Mutant(|_, _, right| right)), "the right kernel must pass");
    assert!(caught(Mutant(|b, r, right| right - term(b, r, 130))), "a dropped tail element");
    assert!(caught(Mutant(|b, r, right| right - term(b, r, 77))), "a dropped lane");
    assert!(caught(Mutant(|b, r, right| right + term(b, r, 130))), "a tail element taken twice");
    assert!(caught(Mutant(|_, _, right| right * (1.0 + 2e-5))), "an error just beyond the bound");
    assert!(caught(Mutant(|_, _, _| f32::NAN)), "NaN");
    assert!(caught(Mutant(|_, _, _| -12_345.678)), "an output never written");
}

/// Where a panic can be caught; on WebAssembly it ends the program.
#[cfg(panic = "unwind")]
#[test]
fn a_length_that_does_not_fit_panics() {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let dim = 20;
    let (case, longer) = (Recipe::plain(dim, 6, 1).make(), Recipe::plain(dim + 1, 6, 1).make());
    let (good, other) = (case.batch(), longer.batch());
    for (op, variant, _) in available() {
        let Some(runner) = bind(op, variant, dim) else { continue };
        let scan = op.shape().starts_with("scan");
        let values = if scan { good.rows.len() } else { good.ids.len() };
        let refused = |batch: Batch<'_>, values: usize| {
            let mut out = vec![0.0; values];
            catch_unwind(AssertUnwindSafe(|| runner.run(&batch, &mut out))).is_err()
        };
        let name = format!("{}#{variant}", op.path());
        assert!(!refused(good, values), "{name}: the right lengths");
        assert!(refused(Batch { query: other.query, ..good }, values), "{name}: a longer query");
        assert!(
            refused(Batch { query: &good.query[1..], ..good }, values),
            "{name}: a shorter one"
        );
        assert!(refused(Batch { rows: other.rows, ..good }, values), "{name}: other rows");
        assert!(refused(good, values + 1), "{name}: an output too many");
        assert!(refused(good, values - 1), "{name}: an output too few");
        if !scan {
            let ids = vec![6; values];
            assert!(refused(Batch { ids: &ids, ..good }, values), "{name}: an id out of range");
        }
        if op.shape().ends_with("_norms") {
            let inv_norms = &good.inv_norms[1..];
            assert!(refused(Batch { inv_norms, ..good }, values), "{name}: a norm too few");
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
