//! Rows of bits: bit `i % 8` of byte `i / 8` stands for value `i`, and the bits behind the last are
//! 0. The dimension is the number of bits.

mod autovec;
mod planes;
mod scalar;
#[cfg(feature = "simsimd")]
mod simsimd;
#[cfg(feature = "testkit")]
mod subject;
mod variants;

use core::marker::PhantomData;

use super::{at, plain};
use crate::isa::bits;
use crate::isa::tokens::{Avx2, Avx512, Avx512Popcnt, Neon, Simd128, Sse42};
use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::shape::{EncodeBits, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};
pub use planes::{bits_u4_query, bits_u4_query_len};

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<Bits<Hamming, Pair<u8, u8, u32>>>::new(),
    &Erased::<Bits<Hamming, Scan<u8, u8, u32>>>::new(),
    &Erased::<Bits<Hamming, Gather<u8, u8, u32>>>::new(),
    &Erased::<Bits<Jaccard, Pair<u8, u8, f32>>>::new(),
    &Erased::<Bits<Jaccard, Scan<u8, u8, f32>>>::new(),
    &Erased::<Bits<Jaccard, Gather<u8, u8, f32>>>::new(),
    &Erased::<Bits<Jaccard, PairNorms<u8, u8, f32, u32>>>::new(),
    &Erased::<Bits<Jaccard, ScanNorms<u8, u8, f32, u32>>>::new(),
    &Erased::<Bits<Jaccard, GatherNorms<u8, u8, f32, u32>>>::new(),
    &Erased::<BitsU4<Pair<u8, u8, u32>>>::new(),
    &Erased::<BitsU4<Scan<u8, u8, u32>>>::new(),
    &Erased::<BitsU4<Gather<u8, u8, u32>>>::new(),
    &Erased::<Bits<Sign, EncodeBits>>::new(),
];

/// Bits that differ.
pub(crate) struct Hamming;

/// 1 - shared bits / bits of either.
pub(crate) struct Jaccard;

/// The signs of floats.
pub(crate) struct Sign;

/// The operation of metric `M` in shape `S` on rows of bits.
pub(crate) struct Bits<M, S>(PhantomData<fn() -> (M, S)>);

/// The inner product of rows of bits and a query of 4-bit values, in shape `S`.
pub(crate) struct BitsU4<S>(PhantomData<fn() -> S>);

macro_rules! ops {
    ($($op:ty, $encoding:literal, $metric:literal, $shape:ty,
       query $query_len:expr; [$($variant:expr),* $(,)?])*) => {$(
        impl Op for $op {
            type Shape = $shape;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = $metric;
            const VARIANTS: &'static [Variant<Self>] = &[$($variant),*];

            fn query_len(dim: usize) -> usize {
                $query_len(dim)
            }

            fn row_len(dim: usize) -> usize {
                bytes(dim)
            }
        }
    )*};
}

/// Bytes of a row.
fn bytes(dim: usize) -> usize {
    dim.div_ceil(8)
}

/// Values of a vector that is encoded.
fn values(dim: usize) -> usize {
    dim
}

ops! {
    Bits<Hamming, Pair<u8, u8, u32>>, "bits", "hamming", Pair<u8, u8, u32>, query bytes; [
        plain::pair::<Self, scalar::Hamming>(),
        autovec::hamming_pair(),
        variants::hamming_pair_simsimd(),
        at::sse42::pair::<Self, bits::Hamming<Sse42>, 4>(),
        variants::hamming_words(),
        at::avx2::pair::<Self, bits::Hamming<Avx2>, 4>(),
        at::avx512::pair::<Self, bits::Hamming<Avx512>, 4>(),
        at::avx512popcnt::pair::<Self, bits::Hamming<Avx512Popcnt>, 4>(),
        variants::hamming_fixed(),
        at::neon::pair::<Self, bits::Hamming<Neon>, 4>(),
        at::simd128::pair::<Self, bits::Hamming<Simd128>, 4>(),
    ]

    Bits<Hamming, Scan<u8, u8, u32>>, "bits", "hamming", Scan<u8, u8, u32>, query bytes; [
        plain::scan::<Self, scalar::Hamming>(),
        autovec::hamming_scan(),
        variants::hamming_scan_simsimd(),
        at::sse42::scan::<Self, bits::Hamming<Sse42>, 2>(),
        at::sse42::stream::<Self, bits::Hamming<Sse42>, 4>(),
        at::avx2::scan::<Self, bits::Hamming<Avx2>, 1>(),
        at::avx2::scan8::<Self, bits::Hamming<Avx2>, 1>(),
        at::avx2::stream::<Self, bits::Hamming<Avx2>, 4>(),
        at::avx512::scan::<Self, bits::Hamming<Avx512>, 1>(),
        at::avx512::scan8::<Self, bits::Hamming<Avx512>, 1>(),
        at::avx512::stream::<Self, bits::Hamming<Avx512>, 4>(),
        at::avx512popcnt::scan::<Self, bits::Hamming<Avx512Popcnt>, 1>(),
        at::avx512popcnt::scan8::<Self, bits::Hamming<Avx512Popcnt>, 1>(),
        variants::hamming_r16(),
        at::avx512popcnt::stream::<Self, bits::Hamming<Avx512Popcnt>, 4>(),
        at::neon::scan::<Self, bits::Hamming<Neon>, 2>(),
        at::neon::stream::<Self, bits::Hamming<Neon>, 4>(),
        at::simd128::scan::<Self, bits::Hamming<Simd128>, 1>(),
        at::simd128::stream::<Self, bits::Hamming<Simd128>, 4>(),
    ]

    Bits<Hamming, Gather<u8, u8, u32>>, "bits", "hamming", Gather<u8, u8, u32>, query bytes; [
        plain::gather::<Self, scalar::Hamming>(),
        autovec::hamming_gather(),
        variants::hamming_gather_simsimd(),
        at::sse42::gather::<Self, bits::Hamming<Sse42>, 2>(),
        at::sse42::gather_pf4::<Self, bits::Hamming<Sse42>, 2>(),
        at::avx2::gather::<Self, bits::Hamming<Avx2>, 1>(),
        at::avx2::gather_pf4::<Self, bits::Hamming<Avx2>, 1>(),
        at::avx512::gather::<Self, bits::Hamming<Avx512>, 1>(),
        at::avx512::gather_pf4::<Self, bits::Hamming<Avx512>, 1>(),
        at::avx512popcnt::gather::<Self, bits::Hamming<Avx512Popcnt>, 1>(),
        at::avx512popcnt::gather_pf4::<Self, bits::Hamming<Avx512Popcnt>, 1>(),
        at::neon::gather::<Self, bits::Hamming<Neon>, 2>(),
        at::simd128::gather::<Self, bits::Hamming<Simd128>, 1>(),
    ]

    Bits<Jaccard, Pair<u8, u8, f32>>, "bits", "jaccard", Pair<u8, u8, f32>, query bytes; [
        plain::pair::<Self, scalar::Jaccard>(),
        autovec::jaccard_pair(),
        variants::jaccard_pair_simsimd(),
        at::sse42::pair::<Self, bits::Jaccard<Sse42>, 4>(),
        variants::jaccard_words(),
        at::avx2::pair::<Self, bits::Jaccard<Avx2>, 4>(),
        at::avx512::pair::<Self, bits::Jaccard<Avx512>, 4>(),
        at::avx512popcnt::pair::<Self, bits::Jaccard<Avx512Popcnt>, 4>(),
        variants::jaccard_fixed(),
        at::neon::pair::<Self, bits::Jaccard<Neon>, 4>(),
        at::simd128::pair::<Self, bits::Jaccard<Simd128>, 4>(),
    ]

    Bits<Jaccard, Scan<u8, u8, f32>>, "bits", "jaccard", Scan<u8, u8, f32>, query bytes; [
        plain::scan::<Self, scalar::Jaccard>(),
        autovec::jaccard_scan(),
        variants::jaccard_scan_simsimd(),
        at::sse42::scan::<Self, bits::JaccardRows<Sse42>, 2>(),
        at::sse42::stream::<Self, bits::JaccardRows<Sse42>, 4>(),
        at::avx2::scan::<Self, bits::JaccardRows<Avx2>, 1>(),
        at::avx2::scan8::<Self, bits::JaccardRows<Avx2>, 1>(),
        at::avx2::stream::<Self, bits::JaccardRows<Avx2>, 4>(),
        at::avx512::scan::<Self, bits::JaccardRows<Avx512>, 1>(),
        at::avx512::scan8::<Self, bits::JaccardRows<Avx512>, 1>(),
        at::avx512::stream::<Self, bits::JaccardRows<Avx512>, 4>(),
        at::avx512popcnt::scan::<Self, bits::JaccardRows<Avx512Popcnt>, 1>(),
        at::avx512popcnt::scan8::<Self, bits::JaccardRows<Avx512Popcnt>, 1>(),
        variants::jaccard_r16(),
        at::avx512popcnt::stream::<Self, bits::JaccardRows<Avx512Popcnt>, 4>(),
        at::neon::scan::<Self, bits::JaccardRows<Neon>, 2>(),
        at::neon::stream::<Self, bits::JaccardRows<Neon>, 4>(),
        at::simd128::scan::<Self, bits::JaccardRows<Simd128>, 1>(),
        at::simd128::stream::<Self, bits::JaccardRows<Simd128>, 4>(),
    ]

    Bits<Jaccard, Gather<u8, u8, f32>>, "bits", "jaccard", Gather<u8, u8, f32>, query bytes; [
        plain::gather::<Self, scalar::Jaccard>(),
        autovec::jaccard_gather(),
        variants::jaccard_gather_simsimd(),
        at::sse42::gather::<Self, bits::JaccardRows<Sse42>, 2>(),
        at::sse42::gather_pf4::<Self, bits::JaccardRows<Sse42>, 2>(),
        at::avx2::gather::<Self, bits::JaccardRows<Avx2>, 1>(),
        at::avx2::gather_pf4::<Self, bits::JaccardRows<Avx2>, 1>(),
        at::avx512::gather::<Self, bits::JaccardRows<Avx512>, 1>(),
        at::avx512::gather_pf4::<Self, bits::JaccardRows<Avx512>, 1>(),
        at::avx512popcnt::gather::<Self, bits::JaccardRows<Avx512Popcnt>, 1>(),
        at::avx512popcnt::gather_pf4::<Self, bits::JaccardRows<Avx512Popcnt>, 1>(),
        at::neon::gather::<Self, bits::JaccardRows<Neon>, 2>(),
        at::simd128::gather::<Self, bits::JaccardRows<Simd128>, 1>(),
    ]

    Bits<Jaccard, PairNorms<u8, u8, f32, u32>>, "bits", "jaccard", PairNorms<u8, u8, f32, u32>, query bytes; [
        plain::pair_norms::<Self, scalar::Jaccard, u32>(),
        autovec::jaccard_pair_norms(),
        variants::jaccard_pair_norms_simsimd(),
        at::sse42::pair_norms::<Self, bits::JaccardNorms<Sse42>, 4>(),
        at::avx2::pair_norms::<Self, bits::JaccardNorms<Avx2>, 4>(),
        at::avx512::pair_norms::<Self, bits::JaccardNorms<Avx512>, 4>(),
        at::avx512popcnt::pair_norms::<Self, bits::JaccardNorms<Avx512Popcnt>, 4>(),
        at::neon::pair_norms::<Self, bits::JaccardNorms<Neon>, 4>(),
        at::simd128::pair_norms::<Self, bits::JaccardNorms<Simd128>, 4>(),
    ]

    Bits<Jaccard, ScanNorms<u8, u8, f32, u32>>, "bits", "jaccard", ScanNorms<u8, u8, f32, u32>, query bytes; [
        plain::scan_norms::<Self, scalar::Jaccard, u32>(),
        autovec::jaccard_scan_norms(),
        variants::jaccard_scan_norms_simsimd(),
        at::sse42::scan_norms::<Self, bits::JaccardNorms<Sse42>, 2>(),
        at::sse42::stream_norms::<Self, bits::JaccardNorms<Sse42>, 4>(),
        at::avx2::scan_norms::<Self, bits::JaccardNorms<Avx2>, 1>(),
        at::avx2::stream_norms::<Self, bits::JaccardNorms<Avx2>, 4>(),
        at::avx512::scan_norms::<Self, bits::JaccardNorms<Avx512>, 1>(),
        at::avx512::stream_norms::<Self, bits::JaccardNorms<Avx512>, 4>(),
        at::avx512popcnt::scan_norms::<Self, bits::JaccardNorms<Avx512Popcnt>, 1>(),
        variants::jaccard_norms_r16(),
        at::avx512popcnt::stream_norms::<Self, bits::JaccardNorms<Avx512Popcnt>, 4>(),
        at::neon::scan_norms::<Self, bits::JaccardNorms<Neon>, 2>(),
        at::neon::stream_norms::<Self, bits::JaccardNorms<Neon>, 4>(),
        at::simd128::scan_norms::<Self, bits::JaccardNorms<Simd128>, 1>(),
        at::simd128::stream_norms::<Self, bits::JaccardNorms<Simd128>, 4>(),
    ]

    Bits<Jaccard, GatherNorms<u8, u8, f32, u32>>, "bits", "jaccard", GatherNorms<u8, u8, f32, u32>, query bytes; [
        plain::gather_norms::<Self, scalar::Jaccard, u32>(),
        autovec::jaccard_gather_norms(),
        variants::jaccard_gather_norms_simsimd(),
        at::sse42::gather_norms::<Self, bits::JaccardNorms<Sse42>, 2>(),
        at::sse42::gather_norms_pf4::<Self, bits::JaccardNorms<Sse42>, 2>(),
        at::avx2::gather_norms::<Self, bits::JaccardNorms<Avx2>, 1>(),
        at::avx2::gather_norms_pf4::<Self, bits::JaccardNorms<Avx2>, 1>(),
        at::avx512::gather_norms::<Self, bits::JaccardNorms<Avx512>, 1>(),
        at::avx512::gather_norms_pf4::<Self, bits::JaccardNorms<Avx512>, 1>(),
        at::avx512popcnt::gather_norms::<Self, bits::JaccardNorms<Avx512Popcnt>, 1>(),
        at::avx512popcnt::gather_norms_pf4::<Self, bits::JaccardNorms<Avx512Popcnt>, 1>(),
        at::neon::gather_norms::<Self, bits::JaccardNorms<Neon>, 2>(),
        at::simd128::gather_norms::<Self, bits::JaccardNorms<Simd128>, 1>(),
    ]

    BitsU4<Pair<u8, u8, u32>>, "bits_u4", "dot", Pair<u8, u8, u32>, query bits_u4_query_len; [
        plain::pair::<Self, scalar::Planes>(),
        autovec::dot_pair(),
        at::sse42::pair::<Self, bits::Planes<Sse42>, 4>(),
        at::avx2::pair::<Self, bits::Planes<Avx2>, 4>(),
        at::avx512::pair::<Self, bits::Planes<Avx512>, 4>(),
        at::avx512popcnt::pair::<Self, bits::Planes<Avx512Popcnt>, 4>(),
        variants::dot_fixed(),
        at::neon::pair::<Self, bits::Planes<Neon>, 4>(),
        at::simd128::pair::<Self, bits::Planes<Simd128>, 4>(),
    ]

    BitsU4<Scan<u8, u8, u32>>, "bits_u4", "dot", Scan<u8, u8, u32>, query bits_u4_query_len; [
        plain::scan::<Self, scalar::Planes>(),
        autovec::dot_scan(),
        at::sse42::scan::<Self, bits::Planes<Sse42>, 2>(),
        at::sse42::stream::<Self, bits::Planes<Sse42>, 4>(),
        at::avx2::scan::<Self, bits::Planes<Avx2>, 1>(),
        at::avx2::scan8::<Self, bits::Planes<Avx2>, 1>(),
        at::avx2::stream::<Self, bits::Planes<Avx2>, 4>(),
        at::avx512::scan::<Self, bits::Planes<Avx512>, 1>(),
        at::avx512::scan8::<Self, bits::Planes<Avx512>, 1>(),
        at::avx512::stream::<Self, bits::Planes<Avx512>, 4>(),
        at::avx512popcnt::scan::<Self, bits::Planes<Avx512Popcnt>, 1>(),
        at::avx512popcnt::scan8::<Self, bits::Planes<Avx512Popcnt>, 1>(),
        at::avx512popcnt::stream::<Self, bits::Planes<Avx512Popcnt>, 4>(),
        at::neon::scan::<Self, bits::Planes<Neon>, 2>(),
        at::neon::stream::<Self, bits::Planes<Neon>, 4>(),
        at::simd128::scan::<Self, bits::Planes<Simd128>, 1>(),
        at::simd128::stream::<Self, bits::Planes<Simd128>, 4>(),
    ]

    BitsU4<Gather<u8, u8, u32>>, "bits_u4", "dot", Gather<u8, u8, u32>, query bits_u4_query_len; [
        plain::gather::<Self, scalar::Planes>(),
        autovec::dot_gather(),
        at::sse42::gather::<Self, bits::Planes<Sse42>, 2>(),
        at::sse42::gather_pf4::<Self, bits::Planes<Sse42>, 2>(),
        at::avx2::gather::<Self, bits::Planes<Avx2>, 1>(),
        at::avx2::gather_pf4::<Self, bits::Planes<Avx2>, 1>(),
        at::avx512::gather::<Self, bits::Planes<Avx512>, 1>(),
        at::avx512::gather_pf4::<Self, bits::Planes<Avx512>, 1>(),
        at::avx512popcnt::gather::<Self, bits::Planes<Avx512Popcnt>, 1>(),
        at::avx512popcnt::gather_pf4::<Self, bits::Planes<Avx512Popcnt>, 1>(),
        at::neon::gather::<Self, bits::Planes<Neon>, 2>(),
        at::simd128::gather::<Self, bits::Planes<Simd128>, 1>(),
    ]

    Bits<Sign, EncodeBits>, "bits", "sign", EncodeBits, query values; [
        variants::scalar_encode(),
        autovec::encode(),
        variants::sse42::encode(),
        variants::avx2::encode(),
        variants::avx512::encode(),
        variants::neon::encode(),
        variants::simd128::encode(),
    ]
}
