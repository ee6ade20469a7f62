//! Instruction counts under Valgrind's callgrind: the pair kernels, and what choosing one costs.
//!
//! ```text
//! apt-get install -y --no-install-recommends valgrind
//! cargo install iai-callgrind-runner@0.16.1
//! cargo bench -p annvil-harness --features callgrind --bench instructions
//! ```
//!
//! The runner's version must be the library's. x86-64 only. Another profile than cargo's own for
//! benches counts its overflow checks and missing inlining, and is compared with whatever was
//! counted last.
//!
//! A count is exact and the same in every run, so it finds an added instruction that no timing
//! finds. It is no measure of speed: it knows no latency, no port and no cache. Read it as an
//! alarm; verdicts come from `cargo xtask bench`.
//!
//! Levels: `scalar`, `sse42` and `avx2`. Valgrind decodes no AVX-512 instruction, and hides those
//! features from programs, so nothing here covers `avx512`; the dispatch group resolves for AVX2,
//! whatever the CPU is. Rivals that choose their level themselves are left out, for what they would
//! run is not what they run outside. For the same reason a build with `-C target-cpu=native` must
//! not be counted: it dies of the first AVX-512 instruction.
//!
//! Every kernel is compared with the oracle in the process that counts it, before counting starts.
#![expect(missing_docs, reason = "the macros of iai-callgrind make public items without it")]

use annvil_kernels::testkit::cases::Recipe;
use annvil_kernels::testkit::trial::{Trial, VectorOperands};
use annvil_kernels::{Bound, F32Kernels, Forced, Metric, Pair, find};
use iai_callgrind::{library_benchmark, library_benchmark_group, main};

/// A verified kernel and two vectors. Leaked, so that no count holds their release.
#[derive(Clone, Copy)]
struct Ready {
    pair: Bound<Pair<f32>>,
    a: &'static [f32],
    b: &'static [f32],
}

/// Binds `variant`, compares its values with the oracle, and keeps the first pair.
///
/// # Panics
/// If the variant is unknown, cannot run here, has no form for `dim`, or is wrong.
fn ready(metric: Metric, variant: &str, dim: usize) -> Ready {
    let path = format!("f32/{metric}/pair");
    let op = find(&path).unwrap_or_else(|why| panic!("{why}"));
    let trial = op.trial(&Recipe::plain(dim, 4, 1)).unwrap_or_else(|why| panic!("{why}"));
    let trial: &'static dyn Trial = Box::leak(trial);
    let mut checked = trial.bind(variant).unwrap_or_else(|why| panic!("{why}"));
    if let Err(failure) = checked.verify(0) {
        panic!("wrong, and not counted: variant {variant}: {failure}");
    }
    let operands = trial.operands().downcast_ref::<VectorOperands<f32, f32, f32, f32>>();
    let batch = operands.expect("an operation on f32").batch(0);
    let forced = Forced::parse(&format!("{path}={variant}"));
    let kernels = forced.and_then(|forced| F32Kernels::forced(metric, dim, &forced));
    let pair = kernels.unwrap_or_else(|why| panic!("{why}")).pair;
    assert_eq!(pair.name(), variant, "another kernel than the one that was verified");
    Ready { pair, a: batch.query, b: batch.rows.row(0) }
}

/// One bench function per metric over the same variants and dimensions.
macro_rules! pairs {
    ($($name:ident: $metric:expr;)*) => {
        $(
            #[library_benchmark(setup = ready)]
            #[bench::scalar_100($metric, "scalar", 100)]
            #[bench::scalar_768($metric, "scalar", 768)]
            #[bench::sse42_x4_100($metric, "sse42-x4", 100)]
            #[bench::sse42_x4_768($metric, "sse42-x4", 768)]
            #[bench::avx2_x4_100($metric, "avx2-x4", 100)]
            #[bench::avx2_x4_768($metric, "avx2-x4", 768)]
            #[bench::avx2_fixed_100($metric, "avx2-fixed", 100)]
            fn $name(ready: Ready) -> f32 {
                ready.pair.call(ready.a, ready.b)
            }
        )*
    };
}

pairs! {
    l2sq: Metric::L2Sq;
    dot: Metric::Dot;
    cosine: Metric::Cosine;
    l1: Metric::L1;
    linf: Metric::Linf;
}

/// The dimension, once the CPU's features have been asked for: the answer is kept by the standard
/// library, and only the first resolution in a process pays for it.
fn asked(dim: usize) -> usize {
    let _ = annvil_kernels::Level::best();
    dim
}

/// The kernel that a user gets, with the smallest vectors: what is left is the call.
fn chosen(dim: usize) -> Ready {
    let kernels = F32Kernels::new(Metric::L2Sq, dim).unwrap_or_else(|why| panic!("{why}"));
    ready(Metric::L2Sq, kernels.pair.name(), dim)
}

#[library_benchmark(setup = asked)]
#[bench::dim_100(100)]
#[bench::dim_768(768)]
fn resolve(dim: usize) -> Option<F32Kernels> {
    F32Kernels::new(Metric::L2Sq, dim).ok()
}

#[library_benchmark(setup = chosen)]
#[bench::dim_1(1)]
fn bound_call(ready: Ready) -> f32 {
    ready.pair.call(ready.a, ready.b)
}

library_benchmark_group!(name = pair; benchmarks = l2sq, dot, cosine, l1, linf);
library_benchmark_group!(name = dispatch; benchmarks = resolve, bound_call);
main!(library_benchmark_groups = pair, dispatch);
