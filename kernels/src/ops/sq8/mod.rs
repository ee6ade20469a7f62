//! Rows of `u8` codes with a scale and a bias.
//!
//! `sq8` has one of each, `sq8_dim` one for each dimension. The query is `f32`, prepared once by
//! [`Sq8`].

mod arith;
mod query;
mod scalar;
#[cfg(feature = "testkit")]
mod subject;

use core::marker::PhantomData;

use self::arith::{Dot, L2Sq, Lanes, PerDimension};
use super::encode::{Bytes, BytesPerDimension, FromF32};
use super::{at, plain};
use crate::isa::tokens::{Avx2, Avx512, Neon, Simd128, Sse42};
use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::shape::{Gather, Pair, Scan};

pub use query::Sq8;

/// The inner product, as an operation's name.
pub(crate) struct DotOp;
/// The squared distance with one scale, as an operation's name.
pub(crate) struct L2SqOp;
/// The squared distance with a scale for each dimension, as an operation's name.
pub(crate) struct PerDimensionOp;

/// The operation of metric `M` in shape `S`.
pub(crate) struct Sq8Op<M, S>(PhantomData<fn() -> (M, S)>);

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<Sq8Op<L2SqOp, Pair<f32, u8, f32>>>::new(),
    &Erased::<Sq8Op<L2SqOp, Scan<f32, u8, f32>>>::new(),
    &Erased::<Sq8Op<L2SqOp, Gather<f32, u8, f32>>>::new(),
    &Erased::<Sq8Op<DotOp, Pair<f32, u8, f32>>>::new(),
    &Erased::<Sq8Op<DotOp, Scan<f32, u8, f32>>>::new(),
    &Erased::<Sq8Op<DotOp, Gather<f32, u8, f32>>>::new(),
    &Erased::<FromF32<Bytes>>::new(),
    &Erased::<Sq8Op<PerDimensionOp, Pair<f32, u8, f32>>>::new(),
    &Erased::<Sq8Op<PerDimensionOp, Scan<f32, u8, f32>>>::new(),
    &Erased::<Sq8Op<PerDimensionOp, Gather<f32, u8, f32>>>::new(),
    &Erased::<FromF32<BytesPerDimension>>::new(),
];

/// A constant behind the query.
fn one_more(dim: usize) -> usize {
    dim + 1
}

/// A scale beside each value.
fn twice(dim: usize) -> usize {
    2 * dim
}

macro_rules! ops {
    ($($op:ident $encoding:literal $metric:literal $query_len:ident $scalar:ident |$s:ident| $arith:ty;)*) => {$(
        impl Op for Sq8Op<$op, Pair<f32, u8, f32>> {
            type Shape = Pair<f32, u8, f32>;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = $metric;
            const VARIANTS: &'static [Variant<Self>] = {
                type $s<S> = $arith;
                &[
                    plain::pair::<Self, scalar::$scalar>(),
                    at::sse42::pair::<Self, $s<Sse42>, 4>(),
                    at::avx2::pair::<Self, $s<Avx2>, 4>(),
                    at::avx512::pair::<Self, $s<Avx512>, 4>(),
                    at::neon::pair::<Self, $s<Neon>, 4>(),
                    at::simd128::pair::<Self, $s<Simd128>, 4>(),
                ]
            };

            fn query_len(dim: usize) -> usize {
                $query_len(dim)
            }
        }

        impl Op for Sq8Op<$op, Scan<f32, u8, f32>> {
            type Shape = Scan<f32, u8, f32>;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = $metric;
            const VARIANTS: &'static [Variant<Self>] = {
                type $s<S> = $arith;
                &[
                    plain::scan::<Self, scalar::$scalar>(),
                    at::sse42::scan::<Self, $s<Sse42>, 1>(),
                    at::avx2::scan::<Self, $s<Avx2>, 1>(),
                    at::avx2::stream::<Self, $s<Avx2>, 4>(),
                    at::avx512::scan::<Self, $s<Avx512>, 2>(),
                    at::avx512::scan8::<Self, $s<Avx512>, 1>(),
                    at::avx512::stream::<Self, $s<Avx512>, 4>(),
                    at::neon::scan::<Self, $s<Neon>, 2>(),
                    at::simd128::scan::<Self, $s<Simd128>, 1>(),
                ]
            };

            fn query_len(dim: usize) -> usize {
                $query_len(dim)
            }
        }

        impl Op for Sq8Op<$op, Gather<f32, u8, f32>> {
            type Shape = Gather<f32, u8, f32>;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = $metric;
            const VARIANTS: &'static [Variant<Self>] = {
                type $s<S> = $arith;
                &[
                    plain::gather::<Self, scalar::$scalar>(),
                    at::sse42::gather::<Self, $s<Sse42>, 1>(),
                    at::avx2::gather::<Self, $s<Avx2>, 1>(),
                    at::avx512::gather::<Self, $s<Avx512>, 2>(),
                    at::avx512::gather_pf4::<Self, $s<Avx512>, 2>(),
                    at::neon::gather::<Self, $s<Neon>, 2>(),
                    at::simd128::gather::<Self, $s<Simd128>, 1>(),
                ]
            };

            fn query_len(dim: usize) -> usize {
                $query_len(dim)
            }
        }
    )*};
}

ops! {
    L2SqOp "sq8" "l2sq" one_more L2Sq |A| Lanes<S, L2Sq>;
    DotOp "sq8" "dot" one_more Dot |A| Lanes<S, Dot>;
    PerDimensionOp "sq8_dim" "l2sq" twice PerDimension |A| PerDimension<S>;
}
