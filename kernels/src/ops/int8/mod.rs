//! Rows of bytes, `i8` and `u8`: the operations of both encodings. See the README beside this.

mod autovec;
mod norms;
mod rows;
mod scalar;
mod simsimd;
#[cfg(feature = "testkit")]
mod subject;
#[cfg(test)]
mod tests;

use core::marker::PhantomData;

use super::at;
use super::plain;
use crate::isa::int8::{Byte, Cosine, Dot, L1, L2Sq, Norms, Rows, Sads, Sums, Vnni, VnniNorms};
use crate::isa::tokens::{Avx2, Avx512, Neon, NeonDot, Simd128, Sse42};
use crate::kernel::{Op, Variant};
use crate::shape::{CodeNorms, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};
use autovec::Autovec;
use scalar::Scalar;
use simsimd::Simsimd;

/// The operation of metric `M` in shape `S` on rows of `E`.
pub(crate) struct Int8<E, M, S>(PhantomData<(E, M, S)>);

/// A metric on an element: what a pair and many rows compute, and how many accumulators a row at
/// levels of 16 registers and of 32.
macro_rules! metric {
    (
        $e:ty, $m:ty, $name:literal, $v:ty, rows $rows:ty, vnni $vnni:ty,
        pair $p16:literal, scan $s16:literal $s32:literal
    ) => {
        impl Op for Int8<$e, $m, Pair<$e, $e, $v>> {
            type Shape = Pair<$e, $e, $v>;
            const ENCODING: &'static str = <$e as Byte>::NAME;
            const METRIC: &'static str = $name;
            const VARIANTS: &'static [Variant<Self>] = &[
                plain::pair::<Self, Scalar<$m, $e>>(),
                rows::autovec::pair::<Self, Autovec<$m, $e>>(),
                rows::simsimd::pair::<Self, Simsimd<$m, $e>>(),
                at::sse42::pair::<Self, Sums<Sse42, $m, $e>, $p16>(),
                at::avx2::pair::<Self, Sums<Avx2, $m, $e>, $p16>(),
                at::avx512::pair::<Self, Sums<Avx512, $m, $e>, $p16>(),
                at::avx512vnni::pair::<Self, Vnni<$m, $e>, 4>(),
                at::neon::pair::<Self, Sums<Neon, $m, $e>, 4>(),
                at::neondot::pair::<Self, Sums<NeonDot, $m, $e>, 4>(),
                at::simd128::pair::<Self, Sums<Simd128, $m, $e>, $p16>(),
            ];
        }

        impl Op for Int8<$e, $m, Scan<$e, $e, $v>> {
            type Shape = Scan<$e, $e, $v>;
            const ENCODING: &'static str = <$e as Byte>::NAME;
            const METRIC: &'static str = $name;
            const VARIANTS: &'static [Variant<Self>] = &[
                plain::scan::<Self, Scalar<$m, $e>>(),
                rows::autovec::scan::<Self, Autovec<$m, $e>>(),
                rows::simsimd::scan::<Self, Simsimd<$m, $e>>(),
                at::sse42::scan::<Self, Sums<Sse42, $rows, $e>, $s16>(),
                at::sse42::stream::<Self, Sums<Sse42, $rows, $e>, 4>(),
                at::avx2::scan::<Self, Sums<Avx2, $rows, $e>, $s16>(),
                at::avx2::stream::<Self, Sums<Avx2, $rows, $e>, 4>(),
                at::avx512::scan::<Self, Sums<Avx512, $rows, $e>, $s32>(),
                at::avx512::scan8::<Self, Sums<Avx512, $rows, $e>, 1>(),
                at::avx512::stream::<Self, Sums<Avx512, $rows, $e>, 4>(),
                at::avx512vnni::scan::<Self, Vnni<$vnni, $e>, $s32>(),
                at::avx512vnni::scan8::<Self, Vnni<$vnni, $e>, 1>(),
                at::avx512vnni::stream::<Self, Vnni<$vnni, $e>, 4>(),
                at::neon::scan::<Self, Sums<Neon, $rows, $e>, $s32>(),
                at::neon::stream::<Self, Sums<Neon, $rows, $e>, 4>(),
                at::neondot::scan::<Self, Sums<NeonDot, $rows, $e>, $s32>(),
                at::neondot::stream::<Self, Sums<NeonDot, $rows, $e>, 4>(),
                at::simd128::scan::<Self, Sums<Simd128, $rows, $e>, $s16>(),
                at::simd128::stream::<Self, Sums<Simd128, $rows, $e>, 4>(),
            ];
        }

        impl Op for Int8<$e, $m, Gather<$e, $e, $v>> {
            type Shape = Gather<$e, $e, $v>;
            const ENCODING: &'static str = <$e as Byte>::NAME;
            const METRIC: &'static str = $name;
            const VARIANTS: &'static [Variant<Self>] = &[
                plain::gather::<Self, Scalar<$m, $e>>(),
                rows::autovec::gather::<Self, Autovec<$m, $e>>(),
                rows::simsimd::gather::<Self, Simsimd<$m, $e>>(),
                at::sse42::gather::<Self, Sums<Sse42, $rows, $e>, $s16>(),
                at::sse42::gather_pf4::<Self, Sums<Sse42, $rows, $e>, $s16>(),
                at::avx2::gather::<Self, Sums<Avx2, $rows, $e>, $s16>(),
                at::avx2::gather_pf4::<Self, Sums<Avx2, $rows, $e>, $s16>(),
                at::avx512::gather::<Self, Sums<Avx512, $rows, $e>, $s32>(),
                at::avx512::gather_pf4::<Self, Sums<Avx512, $rows, $e>, $s32>(),
                at::avx512vnni::gather::<Self, Vnni<$vnni, $e>, $s32>(),
                at::avx512vnni::gather_pf4::<Self, Vnni<$vnni, $e>, $s32>(),
                at::neon::gather::<Self, Sums<Neon, $rows, $e>, $s32>(),
                at::neon::gather_pf4::<Self, Sums<Neon, $rows, $e>, $s32>(),
                at::neondot::gather::<Self, Sums<NeonDot, $rows, $e>, $s32>(),
                at::neondot::gather_pf4::<Self, Sums<NeonDot, $rows, $e>, $s32>(),
                at::simd128::gather::<Self, Sums<Simd128, $rows, $e>, $s16>(),
            ];
        }
    };
}

/// The same with sums and squared norms cached: an inner product, whatever the metric.
macro_rules! metric_norms {
    ($e:ty, $m:ty, $name:literal, $v:ty) => {
        impl Op for Int8<$e, $m, PairNorms<$e, $e, $v, CodeNorms>> {
            type Shape = PairNorms<$e, $e, $v, CodeNorms>;
            const ENCODING: &'static str = <$e as Byte>::NAME;
            const METRIC: &'static str = $name;
            const VARIANTS: &'static [Variant<Self>] = &[
                plain::pair_norms::<Self, Scalar<$m, $e>, CodeNorms>(),
                rows::autovec::pair_norms::<Self, Autovec<$m, $e>, CodeNorms>(),
                rows::simsimd::pair_norms::<Self, Simsimd<$m, $e>, CodeNorms>(),
                at::sse42::pair_norms::<Self, Norms<Sse42, $m, $e>, 4>(),
                at::avx2::pair_norms::<Self, Norms<Avx2, $m, $e>, 4>(),
                at::avx512::pair_norms::<Self, Norms<Avx512, $m, $e>, 4>(),
                at::avx512vnni::pair_norms::<Self, VnniNorms<$m, $e>, 4>(),
                at::neon::pair_norms::<Self, Norms<Neon, $m, $e>, 4>(),
                at::neondot::pair_norms::<Self, Norms<NeonDot, $m, $e>, 4>(),
                at::simd128::pair_norms::<Self, Norms<Simd128, $m, $e>, 4>(),
            ];
        }

        impl Op for Int8<$e, $m, ScanNorms<$e, $e, $v, CodeNorms>> {
            type Shape = ScanNorms<$e, $e, $v, CodeNorms>;
            const ENCODING: &'static str = <$e as Byte>::NAME;
            const METRIC: &'static str = $name;
            const VARIANTS: &'static [Variant<Self>] = &[
                plain::scan_norms::<Self, Scalar<$m, $e>, CodeNorms>(),
                rows::autovec::scan_norms::<Self, Autovec<$m, $e>, CodeNorms>(),
                rows::simsimd::scan_norms::<Self, Simsimd<$m, $e>, CodeNorms>(),
                at::sse42::scan_norms::<Self, Norms<Sse42, $m, $e>, 2>(),
                at::avx2::scan_norms::<Self, Norms<Avx2, $m, $e>, 2>(),
                at::avx2::stream_norms::<Self, Norms<Avx2, $m, $e>, 4>(),
                at::avx512::scan_norms::<Self, Norms<Avx512, $m, $e>, 2>(),
                at::avx512::stream_norms::<Self, Norms<Avx512, $m, $e>, 4>(),
                at::avx512vnni::scan_norms::<Self, VnniNorms<$m, $e>, 2>(),
                at::avx512vnni::scan_norms8::<Self, VnniNorms<$m, $e>, 1>(),
                at::avx512vnni::stream_norms::<Self, VnniNorms<$m, $e>, 4>(),
                at::neon::scan_norms::<Self, Norms<Neon, $m, $e>, 2>(),
                at::neondot::scan_norms::<Self, Norms<NeonDot, $m, $e>, 2>(),
                at::neondot::stream_norms::<Self, Norms<NeonDot, $m, $e>, 4>(),
                at::simd128::scan_norms::<Self, Norms<Simd128, $m, $e>, 2>(),
            ];
        }

        impl Op for Int8<$e, $m, GatherNorms<$e, $e, $v, CodeNorms>> {
            type Shape = GatherNorms<$e, $e, $v, CodeNorms>;
            const ENCODING: &'static str = <$e as Byte>::NAME;
            const METRIC: &'static str = $name;
            const VARIANTS: &'static [Variant<Self>] = &[
                plain::gather_norms::<Self, Scalar<$m, $e>, CodeNorms>(),
                rows::autovec::gather_norms::<Self, Autovec<$m, $e>, CodeNorms>(),
                rows::simsimd::gather_norms::<Self, Simsimd<$m, $e>, CodeNorms>(),
                at::sse42::gather_norms::<Self, Norms<Sse42, $m, $e>, 2>(),
                at::avx2::gather_norms::<Self, Norms<Avx2, $m, $e>, 2>(),
                at::avx2::gather_norms_pf4::<Self, Norms<Avx2, $m, $e>, 2>(),
                at::avx512::gather_norms::<Self, Norms<Avx512, $m, $e>, 2>(),
                at::avx512::gather_norms_pf4::<Self, Norms<Avx512, $m, $e>, 2>(),
                at::avx512vnni::gather_norms::<Self, VnniNorms<$m, $e>, 2>(),
                at::avx512vnni::gather_norms_pf4::<Self, VnniNorms<$m, $e>, 2>(),
                at::neon::gather_norms::<Self, Norms<Neon, $m, $e>, 2>(),
                at::neondot::gather_norms::<Self, Norms<NeonDot, $m, $e>, 2>(),
                at::neondot::gather_norms_pf4::<Self, Norms<NeonDot, $m, $e>, 2>(),
                at::simd128::gather_norms::<Self, Norms<Simd128, $m, $e>, 2>(),
            ];
        }
    };
}

metric! { i8, L2Sq, "l2sq", u32, rows L2Sq, vnni Rows<L2Sq>, pair 4, scan 2 2 }
metric! { i8, Dot, "dot", i32, rows Dot, vnni Rows<Dot>, pair 4, scan 2 2 }
metric! { i8, Cosine, "cosine", f32, rows Rows<Cosine>, vnni Rows<Cosine>, pair 2, scan 1 2 }
metric! { u8, L2Sq, "l2sq", u32, rows L2Sq, vnni Rows<L2Sq>, pair 4, scan 2 2 }
metric! { u8, Dot, "dot", u32, rows Dot, vnni Rows<Dot>, pair 4, scan 2 2 }
metric! { u8, Cosine, "cosine", f32, rows Rows<Cosine>, vnni Rows<Cosine>, pair 2, scan 1 2 }

metric_norms! { i8, L2Sq, "l2sq", u32 }
metric_norms! { i8, Dot, "dot", i32 }
metric_norms! { i8, Cosine, "cosine", f32 }
metric_norms! { u8, L2Sq, "l2sq", u32 }
metric_norms! { u8, Dot, "dot", u32 }
metric_norms! { u8, Cosine, "cosine", f32 }

impl Op for Int8<u8, L1, Pair<u8, u8, u32>> {
    type Shape = Pair<u8, u8, u32>;
    const ENCODING: &'static str = "u8";
    const METRIC: &'static str = "l1";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::pair::<Self, Scalar<L1, u8>>(),
        rows::autovec::pair::<Self, Autovec<L1, u8>>(),
        rows::no_l1(),
        at::sse42::pair::<Self, Sads<Sse42>, 4>(),
        at::avx2::pair::<Self, Sads<Avx2>, 4>(),
        at::avx512::pair::<Self, Sads<Avx512>, 4>(),
        at::neon::pair::<Self, Sads<Neon>, 4>(),
        at::neondot::pair::<Self, Sads<NeonDot>, 4>(),
        at::simd128::pair::<Self, Sads<Simd128>, 4>(),
    ];
}

impl Op for Int8<u8, L1, Scan<u8, u8, u32>> {
    type Shape = Scan<u8, u8, u32>;
    const ENCODING: &'static str = "u8";
    const METRIC: &'static str = "l1";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::scan::<Self, Scalar<L1, u8>>(),
        rows::autovec::scan::<Self, Autovec<L1, u8>>(),
        rows::no_l1(),
        at::sse42::scan::<Self, Sads<Sse42>, 2>(),
        at::sse42::stream::<Self, Sads<Sse42>, 4>(),
        at::avx2::scan::<Self, Sads<Avx2>, 2>(),
        at::avx2::stream::<Self, Sads<Avx2>, 4>(),
        at::avx512::scan::<Self, Sads<Avx512>, 2>(),
        at::avx512::scan8::<Self, Sads<Avx512>, 1>(),
        at::avx512::stream::<Self, Sads<Avx512>, 4>(),
        at::neon::scan::<Self, Sads<Neon>, 2>(),
        at::neon::stream::<Self, Sads<Neon>, 4>(),
        at::neondot::scan::<Self, Sads<NeonDot>, 2>(),
        at::neondot::stream::<Self, Sads<NeonDot>, 4>(),
        at::simd128::scan::<Self, Sads<Simd128>, 2>(),
        at::simd128::stream::<Self, Sads<Simd128>, 4>(),
    ];
}

impl Op for Int8<u8, L1, Gather<u8, u8, u32>> {
    type Shape = Gather<u8, u8, u32>;
    const ENCODING: &'static str = "u8";
    const METRIC: &'static str = "l1";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::gather::<Self, Scalar<L1, u8>>(),
        rows::autovec::gather::<Self, Autovec<L1, u8>>(),
        rows::no_l1(),
        at::sse42::gather::<Self, Sads<Sse42>, 2>(),
        at::sse42::gather_pf4::<Self, Sads<Sse42>, 2>(),
        at::avx2::gather::<Self, Sads<Avx2>, 2>(),
        at::avx2::gather_pf4::<Self, Sads<Avx2>, 2>(),
        at::avx512::gather::<Self, Sads<Avx512>, 2>(),
        at::avx512::gather_pf4::<Self, Sads<Avx512>, 2>(),
        at::neon::gather::<Self, Sads<Neon>, 2>(),
        at::neon::gather_pf4::<Self, Sads<Neon>, 2>(),
        at::neondot::gather::<Self, Sads<NeonDot>, 2>(),
        at::neondot::gather_pf4::<Self, Sads<NeonDot>, 2>(),
        at::simd128::gather::<Self, Sads<Simd128>, 2>(),
    ];
}
