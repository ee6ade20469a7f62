//! Rows of `f16`: IEEE 754 half precision.

use half::f16;

use super::half::scalar::Scalar;
use super::half::{Half, autovec, simsimd};
use super::{at, plain};
use crate::isa::half::{AHEAD, Wide, Ymm};
use crate::isa::tokens::{Avx2, Avx512, Neon, Simd128, Sse42};
use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::ops::f32::metric::{Cosine, Dot, L2Sq, Step};
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

/// The operations on `f16`.
pub(crate) static OPS: &[&dyn AnyOp] = half_ops!(f16);

/// Metric `M` of two vectors of `f16`, `R` registers at once.
type Two<S, M, const R: usize> = Wide<S, M, f16, f16, R>;
/// Metric `M` of a query of `f32` and rows of `f16`.
type Rows<S, M, const R: usize, const AHEAD: usize = 0> =
    Wide<S, <M as Step>::Rows, f32, f16, R, AHEAD>;

/// The accumulators of a pair and of each of four rows, at the levels with 16 and 32 registers.
macro_rules! metrics {
    ($($m:ident $metric:literal pair $p16:literal $p32:literal rows $r16:literal $r32:literal;)*) => {$(
        half_op! { f16 $m Pair<f16, f16, f32>: $metric, [
            plain::pair::<Self, Scalar<$m, f16, f16>>(),
            autovec::pair::<Self, f16, $m>(),
            simsimd::pair::<Self, f16, $m>(),
            at::sse42::pair::<Self, Two<Sse42, $m, 2>, $p16>(),
            at::avx2::pair::<Self, Two<Avx2, $m, 1>, 4>(),
            at::avx512::pair::<Self, Two<Avx512, $m, 1>, $p32>(),
            at::avx512::pair::<Self, Two<Ymm, $m, 1>, $p32>().named("avx512-y-x4"),
            at::neon::pair::<Self, Two<Neon, $m, 2>, $p32>(),
            at::simd128::pair::<Self, Two<Simd128, $m, 2>, $p16>(),
        ] }

        half_op! { f16 $m Scan<f32, f16, f32>: $metric, [
            plain::scan::<Self, Scalar<$m, f32, f16>>(),
            autovec::scan::<Self, f16, $m>(),
            simsimd::scan::<Self, f16, $m>(),
            at::sse42::scan::<Self, Rows<Sse42, $m, 2>, $r16>(),
            at::sse42::stream::<Self, Rows<Sse42, $m, 2>, 4>(),
            at::avx2::scan::<Self, Rows<Avx2, $m, 1>, $r16>(),
            at::avx2::stream::<Self, Rows<Avx2, $m, 1>, 4>(),
            at::avx512::scan::<Self, Rows<Avx512, $m, 1>, $r32>(),
            at::avx512::scan8::<Self, Rows<Avx512, $m, 1>, 1>(),
            at::avx512::stream::<Self, Rows<Avx512, $m, 1>, 4>(),
            at::avx512::stream::<Self, Rows<Avx512, $m, 2, AHEAD>, 4>().named("avx512-stream-pf"),
            at::avx512::scan::<Self, Rows<Ymm, $m, 1>, $r32>().named("avx512-y-r4"),
            at::avx512::scan8::<Self, Rows<Ymm, $m, 1>, 1>().named("avx512-y-r8"),
            at::avx512::stream::<Self, Rows<Ymm, $m, 1>, 4>().named("avx512-y-stream"),
            at::neon::scan::<Self, Rows<Neon, $m, 2>, $r32>(),
            at::neon::stream::<Self, Rows<Neon, $m, 2>, 4>(),
            at::simd128::scan::<Self, Rows<Simd128, $m, 2>, $r16>(),
            at::simd128::stream::<Self, Rows<Simd128, $m, 2>, 4>(),
        ] }

        half_op! { f16 $m Gather<f32, f16, f32>: $metric, [
            plain::gather::<Self, Scalar<$m, f32, f16>>(),
            autovec::gather::<Self, f16, $m>(),
            simsimd::gather::<Self, f16, $m>(),
            at::sse42::gather::<Self, Rows<Sse42, $m, 2>, $r16>(),
            at::sse42::gather_pf4::<Self, Rows<Sse42, $m, 2>, $r16>(),
            at::avx2::gather::<Self, Rows<Avx2, $m, 1>, $r16>(),
            at::avx2::gather_pf4::<Self, Rows<Avx2, $m, 1>, $r16>(),
            at::avx512::gather::<Self, Rows<Avx512, $m, 1>, $r32>(),
            at::avx512::gather_pf4::<Self, Rows<Avx512, $m, 1>, $r32>(),
            at::avx512::gather::<Self, Rows<Ymm, $m, 1>, $r32>().named("avx512-y-r4"),
            at::avx512::gather_pf4::<Self, Rows<Ymm, $m, 1>, $r32>().named("avx512-y-r4-pf4"),
            at::neon::gather::<Self, Rows<Neon, $m, 2>, $r32>(),
            at::neon::gather_pf4::<Self, Rows<Neon, $m, 2>, $r32>(),
            at::simd128::gather::<Self, Rows<Simd128, $m, 2>, $r16>(),
        ] }
    )*};
}

metrics! {
    L2Sq "l2sq" pair 4 4 rows 2 2;
    Dot "dot" pair 4 4 rows 2 2;
    Cosine "cosine" pair 2 4 rows 1 2;
}

half_op! { f16 Cosine PairNorms<f16, f16, f32>: "cosine", [
    plain::pair_norms::<Self, Scalar<Cosine, f16, f16>, f32>(),
    simsimd::pair_norms::<Self, f16, Cosine>(),
    at::sse42::pair_norms::<Self, Two<Sse42, Dot, 2>, 4>(),
    at::avx2::pair_norms::<Self, Two<Avx2, Dot, 1>, 4>(),
    at::avx512::pair_norms::<Self, Two<Avx512, Dot, 1>, 4>(),
    at::avx512::pair_norms::<Self, Two<Ymm, Dot, 1>, 4>().named("avx512-y-x4"),
    at::neon::pair_norms::<Self, Two<Neon, Dot, 2>, 4>(),
    at::simd128::pair_norms::<Self, Two<Simd128, Dot, 2>, 4>(),
] }

half_op! { f16 Cosine ScanNorms<f32, f16, f32>: "cosine", [
    plain::scan_norms::<Self, Scalar<Cosine, f32, f16>, f32>(),
    simsimd::scan_norms::<Self, f16, Cosine>(),
    at::sse42::scan_norms::<Self, Rows<Sse42, Dot, 2>, 2>(),
    at::sse42::stream_norms::<Self, Rows<Sse42, Dot, 2>, 4>(),
    at::avx2::scan_norms::<Self, Rows<Avx2, Dot, 1>, 2>(),
    at::avx2::stream_norms::<Self, Rows<Avx2, Dot, 1>, 4>(),
    at::avx512::scan_norms::<Self, Rows<Avx512, Dot, 1>, 2>(),
    at::avx512::stream_norms::<Self, Rows<Avx512, Dot, 1>, 4>(),
    at::avx512::stream_norms::<Self, Rows<Avx512, Dot, 2, AHEAD>, 4>().named("avx512-stream-pf"),
    at::avx512::scan_norms::<Self, Rows<Ymm, Dot, 1>, 2>().named("avx512-y-r4"),
    at::avx512::stream_norms::<Self, Rows<Ymm, Dot, 1>, 4>().named("avx512-y-stream"),
    at::neon::scan_norms::<Self, Rows<Neon, Dot, 2>, 2>(),
    at::neon::stream_norms::<Self, Rows<Neon, Dot, 2>, 4>(),
    at::simd128::scan_norms::<Self, Rows<Simd128, Dot, 2>, 2>(),
    at::simd128::stream_norms::<Self, Rows<Simd128, Dot, 2>, 4>(),
] }

half_op! { f16 Cosine GatherNorms<f32, f16, f32>: "cosine", [
    plain::gather_norms::<Self, Scalar<Cosine, f32, f16>, f32>(),
    simsimd::gather_norms::<Self, f16, Cosine>(),
    at::sse42::gather_norms::<Self, Rows<Sse42, Dot, 2>, 2>(),
    at::sse42::gather_norms_pf4::<Self, Rows<Sse42, Dot, 2>, 2>(),
    at::avx2::gather_norms::<Self, Rows<Avx2, Dot, 1>, 2>(),
    at::avx2::gather_norms_pf4::<Self, Rows<Avx2, Dot, 1>, 2>(),
    at::avx512::gather_norms::<Self, Rows<Avx512, Dot, 1>, 2>(),
    at::avx512::gather_norms_pf4::<Self, Rows<Avx512, Dot, 1>, 2>(),
    at::avx512::gather_norms::<Self, Rows<Ymm, Dot, 1>, 2>().named("avx512-y-r4"),
    at::avx512::gather_norms_pf4::<Self, Rows<Ymm, Dot, 1>, 2>().named("avx512-y-r4-pf4"),
    at::neon::gather_norms::<Self, Rows<Neon, Dot, 2>, 2>(),
    at::neon::gather_norms_pf4::<Self, Rows<Neon, Dot, 2>, 2>(),
    at::simd128::gather_norms::<Self, Rows<Simd128, Dot, 2>, 2>(),
] }
