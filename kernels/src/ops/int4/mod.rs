//! Rows of 4-bit codes, two a byte.
//!
//! `int4` is codes against codes; `int4_i8` a query of signed bytes, put into the order of the rows
//! once by [`int4_query`].

mod arith;
#[macro_use]
mod autovec;
mod layout;
mod metric;
mod scalar;
#[cfg(feature = "testkit")]
mod subject;

use core::marker::PhantomData;

use self::arith::{Packed, Split};
use self::metric::{Dot, L2Norms, L2Pair, L2Rows, L2Signed};
use super::{at, plain};
use crate::isa::tokens::{Avx2, Avx512, Avx512Vnni, Neon, NeonDot, Simd128, Sse42};
use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::shape::{CodeNorms, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

pub use layout::{int4_pack, int4_query, int4_unpack};

/// The inner product, as an operation's name.
pub(crate) struct DotOp;
/// The squared distance, as an operation's name.
pub(crate) struct L2SqOp;

/// The operation of metric `M` in shape `S` on codes; the shape says what the query is.
pub(crate) struct Int4<M, S>(PhantomData<fn() -> (M, S)>);

/// The operations on 4-bit codes.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<Int4<L2SqOp, Pair<u8, u8, u32>>>::new(),
    &Erased::<Int4<L2SqOp, Scan<u8, u8, u32>>>::new(),
    &Erased::<Int4<L2SqOp, Gather<u8, u8, u32>>>::new(),
    &Erased::<Int4<L2SqOp, PairNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int4<L2SqOp, ScanNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int4<L2SqOp, GatherNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int4<DotOp, Pair<u8, u8, u32>>>::new(),
    &Erased::<Int4<DotOp, Scan<u8, u8, u32>>>::new(),
    &Erased::<Int4<DotOp, Gather<u8, u8, u32>>>::new(),
    &Erased::<Int4<L2SqOp, Scan<i8, u8, u32>>>::new(),
    &Erased::<Int4<L2SqOp, Gather<i8, u8, u32>>>::new(),
    &Erased::<Int4<L2SqOp, ScanNorms<i8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int4<L2SqOp, GatherNorms<i8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int4<DotOp, Scan<i8, u8, i32>>>::new(),
    &Erased::<Int4<DotOp, Gather<i8, u8, i32>>>::new(),
];

/// Bytes of a row.
fn packed_len(dim: usize) -> usize {
    dim.div_ceil(2)
}

/// Elements of a query in the order of [`int4_query`].
fn split_len(dim: usize) -> usize {
    2 * dim.div_ceil(2)
}

macro_rules! ops {
    ($($metric:ident $name:literal $encoding:literal $query_len:ident $shape:ty {
        $($variant:expr,)*
    })*) => {$(
        impl Op for Int4<$metric, $shape> {
            type Shape = $shape;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = $name;
            const VARIANTS: &'static [Variant<Self>] = &[$($variant,)*];

            fn query_len(dim: usize) -> usize {
                $query_len(dim)
            }

            fn row_len(dim: usize) -> usize {
                packed_len(dim)
            }
        }
    )*};
}

ops! {
    L2SqOp "l2sq" "int4" packed_len Pair<u8, u8, u32> {
        plain::pair::<Self, scalar::L2Sq>(),
        autovec!(pair, L2Sq),
        at::sse42::pair::<Self, Packed<Sse42, L2Pair>, 4>(),
        at::avx2::pair::<Self, Packed<Avx2, L2Pair>, 4>(),
        at::avx512::pair::<Self, Packed<Avx512, L2Pair>, 4>(),
        at::avx512vnni::pair::<Self, Packed<Avx512Vnni, L2Pair>, 4>(),
        at::neon::pair::<Self, Packed<Neon, L2Pair>, 4>(),
        at::neondot::pair::<Self, Packed<NeonDot, L2Pair>, 4>(),
        at::simd128::pair::<Self, Packed<Simd128, L2Pair>, 4>(),
    }
    L2SqOp "l2sq" "int4" packed_len Scan<u8, u8, u32> {
        plain::scan::<Self, scalar::L2Sq>(),
        autovec!(scan, L2Sq),
        at::sse42::scan::<Self, Packed<Sse42, L2Rows>, 1>(),
        at::avx2::scan::<Self, Packed<Avx2, L2Rows>, 1>(),
        at::avx512::scan::<Self, Packed<Avx512, L2Rows>, 2>(),
        at::avx512vnni::scan::<Self, Packed<Avx512Vnni, L2Rows>, 2>(),
        at::avx512vnni::scan8::<Self, Packed<Avx512Vnni, L2Rows>, 1>(),
        at::avx512vnni::stream::<Self, Packed<Avx512Vnni, L2Rows>, 4>(),
        at::neon::scan::<Self, Packed<Neon, L2Rows>, 2>(),
        at::neondot::scan::<Self, Packed<NeonDot, L2Rows>, 2>(),
        at::simd128::scan::<Self, Packed<Simd128, L2Rows>, 1>(),
    }
    L2SqOp "l2sq" "int4" packed_len Gather<u8, u8, u32> {
        plain::gather::<Self, scalar::L2Sq>(),
        autovec!(gather, L2Sq),
        at::sse42::gather::<Self, Packed<Sse42, L2Rows>, 1>(),
        at::avx2::gather::<Self, Packed<Avx2, L2Rows>, 1>(),
        at::avx512::gather::<Self, Packed<Avx512, L2Rows>, 2>(),
        at::avx512vnni::gather::<Self, Packed<Avx512Vnni, L2Rows>, 2>(),
        at::avx512vnni::gather_pf4::<Self, Packed<Avx512Vnni, L2Rows>, 2>(),
        at::neon::gather::<Self, Packed<Neon, L2Rows>, 2>(),
        at::neondot::gather::<Self, Packed<NeonDot, L2Rows>, 2>(),
        at::simd128::gather::<Self, Packed<Simd128, L2Rows>, 1>(),
    }
    L2SqOp "l2sq" "int4" packed_len PairNorms<u8, u8, u32, CodeNorms> {
        plain::pair_norms::<Self, scalar::L2Sq, CodeNorms>(),
        autovec!(pair_norms norms, L2Sq),
        at::sse42::pair_norms::<Self, Packed<Sse42, L2Norms>, 4>(),
        at::avx2::pair_norms::<Self, Packed<Avx2, L2Norms>, 4>(),
        at::avx512::pair_norms::<Self, Packed<Avx512, L2Norms>, 4>(),
        at::avx512vnni::pair_norms::<Self, Packed<Avx512Vnni, L2Norms>, 4>(),
        at::neon::pair_norms::<Self, Packed<Neon, L2Norms>, 4>(),
        at::neondot::pair_norms::<Self, Packed<NeonDot, L2Norms>, 4>(),
        at::simd128::pair_norms::<Self, Packed<Simd128, L2Norms>, 4>(),
    }
    L2SqOp "l2sq" "int4" packed_len ScanNorms<u8, u8, u32, CodeNorms> {
        plain::scan_norms::<Self, scalar::L2Sq, CodeNorms>(),
        autovec!(scan_norms norms, L2Sq),
        at::sse42::scan_norms::<Self, Packed<Sse42, L2Norms>, 1>(),
        at::avx2::scan_norms::<Self, Packed<Avx2, L2Norms>, 1>(),
        at::avx512::scan_norms::<Self, Packed<Avx512, L2Norms>, 2>(),
        at::avx512vnni::scan_norms::<Self, Packed<Avx512Vnni, L2Norms>, 1>(),
        at::avx512vnni::stream_norms::<Self, Packed<Avx512Vnni, L2Norms>, 4>(),
        at::neon::scan_norms::<Self, Packed<Neon, L2Norms>, 2>(),
        at::neondot::scan_norms::<Self, Packed<NeonDot, L2Norms>, 2>(),
        at::simd128::scan_norms::<Self, Packed<Simd128, L2Norms>, 1>(),
    }
    L2SqOp "l2sq" "int4" packed_len GatherNorms<u8, u8, u32, CodeNorms> {
        plain::gather_norms::<Self, scalar::L2Sq, CodeNorms>(),
        autovec!(gather_norms norms, L2Sq),
        at::sse42::gather_norms::<Self, Packed<Sse42, L2Norms>, 1>(),
        at::avx2::gather_norms::<Self, Packed<Avx2, L2Norms>, 1>(),
        at::avx512::gather_norms::<Self, Packed<Avx512, L2Norms>, 2>(),
        at::avx512vnni::gather_norms::<Self, Packed<Avx512Vnni, L2Norms>, 1>(),
        at::avx512vnni::gather_norms_pf4::<Self, Packed<Avx512Vnni, L2Norms>, 1>(),
        at::neon::gather_norms::<Self, Packed<Neon, L2Norms>, 2>(),
        at::neondot::gather_norms::<Self, Packed<NeonDot, L2Norms>, 2>(),
        at::simd128::gather_norms::<Self, Packed<Simd128, L2Norms>, 1>(),
    }
    DotOp "dot" "int4" packed_len Pair<u8, u8, u32> {
        plain::pair::<Self, scalar::Dot>(),
        autovec!(pair, Dot),
        at::sse42::pair::<Self, Packed<Sse42, Dot>, 4>(),
        at::avx2::pair::<Self, Packed<Avx2, Dot>, 4>(),
        at::avx512::pair::<Self, Packed<Avx512, Dot>, 4>(),
        at::avx512vnni::pair::<Self, Packed<Avx512Vnni, Dot>, 4>(),
        at::neon::pair::<Self, Packed<Neon, Dot>, 4>(),
        at::neondot::pair::<Self, Packed<NeonDot, Dot>, 4>(),
        at::simd128::pair::<Self, Packed<Simd128, Dot>, 4>(),
    }
    DotOp "dot" "int4" packed_len Scan<u8, u8, u32> {
        plain::scan::<Self, scalar::Dot>(),
        autovec!(scan, Dot),
        at::sse42::scan::<Self, Packed<Sse42, Dot>, 1>(),
        at::avx2::scan::<Self, Packed<Avx2, Dot>, 1>(),
        at::avx512::scan::<Self, Packed<Avx512, Dot>, 2>(),
        at::avx512vnni::scan::<Self, Packed<Avx512Vnni, Dot>, 1>(),
        at::avx512vnni::scan8::<Self, Packed<Avx512Vnni, Dot>, 1>(),
        at::avx512vnni::stream::<Self, Packed<Avx512Vnni, Dot>, 4>(),
        at::neon::scan::<Self, Packed<Neon, Dot>, 2>(),
        at::neondot::scan::<Self, Packed<NeonDot, Dot>, 2>(),
        at::simd128::scan::<Self, Packed<Simd128, Dot>, 1>(),
    }
    DotOp "dot" "int4" packed_len Gather<u8, u8, u32> {
        plain::gather::<Self, scalar::Dot>(),
        autovec!(gather, Dot),
        at::sse42::gather::<Self, Packed<Sse42, Dot>, 1>(),
        at::avx2::gather::<Self, Packed<Avx2, Dot>, 1>(),
        at::avx512::gather::<Self, Packed<Avx512, Dot>, 2>(),
        at::avx512vnni::gather::<Self, Packed<Avx512Vnni, Dot>, 1>(),
        at::avx512vnni::gather_pf4::<Self, Packed<Avx512Vnni, Dot>, 1>(),
        at::neon::gather::<Self, Packed<Neon, Dot>, 2>(),
        at::neondot::gather::<Self, Packed<NeonDot, Dot>, 2>(),
        at::simd128::gather::<Self, Packed<Simd128, Dot>, 1>(),
    }
    L2SqOp "l2sq" "int4_i8" split_len Scan<i8, u8, u32> {
        plain::scan::<Self, scalar::SignedL2Sq>(),
        at::sse42::scan::<Self, Split<Sse42, L2Signed>, 1>(),
        at::avx2::scan::<Self, Split<Avx2, L2Signed>, 1>(),
        at::avx512::scan::<Self, Split<Avx512, L2Signed>, 1>(),
        at::avx512vnni::scan::<Self, Split<Avx512Vnni, L2Signed>, 1>(),
        at::avx512vnni::stream::<Self, Split<Avx512Vnni, L2Signed>, 4>(),
        at::neon::scan::<Self, Split<Neon, L2Signed>, 1>(),
        at::neondot::scan::<Self, Split<NeonDot, L2Signed>, 1>(),
        at::simd128::scan::<Self, Split<Simd128, L2Signed>, 1>(),
    }
    L2SqOp "l2sq" "int4_i8" split_len Gather<i8, u8, u32> {
        plain::gather::<Self, scalar::SignedL2Sq>(),
        at::sse42::gather::<Self, Split<Sse42, L2Signed>, 1>(),
        at::avx2::gather::<Self, Split<Avx2, L2Signed>, 1>(),
        at::avx512::gather::<Self, Split<Avx512, L2Signed>, 1>(),
        at::avx512vnni::gather::<Self, Split<Avx512Vnni, L2Signed>, 1>(),
        at::avx512vnni::gather_pf4::<Self, Split<Avx512Vnni, L2Signed>, 1>(),
        at::neon::gather::<Self, Split<Neon, L2Signed>, 1>(),
        at::neondot::gather::<Self, Split<NeonDot, L2Signed>, 1>(),
        at::simd128::gather::<Self, Split<Simd128, L2Signed>, 1>(),
    }
    L2SqOp "l2sq" "int4_i8" split_len ScanNorms<i8, u8, u32, CodeNorms> {
        plain::scan_norms::<Self, scalar::SignedL2Sq, CodeNorms>(),
        at::sse42::scan_norms::<Self, Split<Sse42, L2Norms>, 1>(),
        at::avx2::scan_norms::<Self, Split<Avx2, L2Norms>, 1>(),
        at::avx512::scan_norms::<Self, Split<Avx512, L2Norms>, 1>(),
        at::avx512vnni::scan_norms::<Self, Split<Avx512Vnni, L2Norms>, 1>(),
        at::avx512vnni::stream_norms::<Self, Split<Avx512Vnni, L2Norms>, 4>(),
        at::neon::scan_norms::<Self, Split<Neon, L2Norms>, 1>(),
        at::neondot::scan_norms::<Self, Split<NeonDot, L2Norms>, 1>(),
        at::simd128::scan_norms::<Self, Split<Simd128, L2Norms>, 1>(),
    }
    L2SqOp "l2sq" "int4_i8" split_len GatherNorms<i8, u8, u32, CodeNorms> {
        plain::gather_norms::<Self, scalar::SignedL2Sq, CodeNorms>(),
        at::sse42::gather_norms::<Self, Split<Sse42, L2Norms>, 1>(),
        at::avx2::gather_norms::<Self, Split<Avx2, L2Norms>, 1>(),
        at::avx512::gather_norms::<Self, Split<Avx512, L2Norms>, 1>(),
        at::avx512vnni::gather_norms::<Self, Split<Avx512Vnni, L2Norms>, 1>(),
        at::avx512vnni::gather_norms_pf4::<Self, Split<Avx512Vnni, L2Norms>, 1>(),
        at::neon::gather_norms::<Self, Split<Neon, L2Norms>, 1>(),
        at::neondot::gather_norms::<Self, Split<NeonDot, L2Norms>, 1>(),
        at::simd128::gather_norms::<Self, Split<Simd128, L2Norms>, 1>(),
    }
    DotOp "dot" "int4_i8" split_len Scan<i8, u8, i32> {
        plain::scan::<Self, scalar::SignedDot>(),
        at::sse42::scan::<Self, Split<Sse42, Dot>, 1>(),
        at::avx2::scan::<Self, Split<Avx2, Dot>, 1>(),
        at::avx512::scan::<Self, Split<Avx512, Dot>, 1>(),
        at::avx512vnni::scan::<Self, Split<Avx512Vnni, Dot>, 1>(),
        at::avx512vnni::scan8::<Self, Split<Avx512Vnni, Dot>, 1>(),
        at::avx512vnni::stream::<Self, Split<Avx512Vnni, Dot>, 4>(),
        at::neon::scan::<Self, Split<Neon, Dot>, 1>(),
        at::neondot::scan::<Self, Split<NeonDot, Dot>, 1>(),
        at::simd128::scan::<Self, Split<Simd128, Dot>, 1>(),
    }
    DotOp "dot" "int4_i8" split_len Gather<i8, u8, i32> {
        plain::gather::<Self, scalar::SignedDot>(),
        at::sse42::gather::<Self, Split<Sse42, Dot>, 1>(),
        at::avx2::gather::<Self, Split<Avx2, Dot>, 1>(),
        at::avx512::gather::<Self, Split<Avx512, Dot>, 1>(),
        at::avx512vnni::gather::<Self, Split<Avx512Vnni, Dot>, 1>(),
        at::avx512vnni::gather_pf4::<Self, Split<Avx512Vnni, Dot>, 1>(),
        at::neon::gather::<Self, Split<Neon, Dot>, 1>(),
        at::neondot::gather::<Self, Split<NeonDot, Dot>, 1>(),
        at::simd128::gather::<Self, Split<Simd128, Dot>, 1>(),
    }
}
