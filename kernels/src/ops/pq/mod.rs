//! Product quantisation: codes of one byte (`pq8`, 256 centroids) or a nibble (`pq4`, 16
//! centroids) a sub-space.

mod autovec;
mod scalar;
#[cfg(feature = "testkit")]
mod subject;
#[cfg(all(test, feature = "testkit"))]
mod tests;
mod variants;

use core::marker::PhantomData;

use super::plain;
use crate::isa::lut::{self, Build, Bytes, Interleaved, L2SqTwice, Planar, VectorGather};
use crate::isa::tokens::{Avx2, Avx512, Avx512Vbmi, Neon, NeonDot, Simd128, Sse42};
use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::shape::{
    CodeScan, FastScan, Gather, Interleaved4, Lut, Planar4, PqEncode, Rows64, Scan,
};
use autovec::autovec;
use variants::row;
use variants::{avx2, avx512, avx512vbmi, neon, neondot, simd128, sse42};

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<Pq<L2Sq, Lut<256>>>::new(),
    &Erased::<Pq<Dot, Lut<256>>>::new(),
    &Erased::<Pq<L2Sq, PqEncode<256>>>::new(),
    &Erased::<Pq<Adc, Scan<f32, u8, f32>>>::new(),
    &Erased::<Pq<Adc, Gather<f32, u8, f32>>>::new(),
    &Erased::<Pq<Adc, FastScan<Rows64, 256>>>::new(),
    &Erased::<Pq<Sdc, CodeScan<256>>>::new(),
    &Erased::<Pq<L2Sq, Lut<16>>>::new(),
    &Erased::<Pq<Dot, Lut<16>>>::new(),
    &Erased::<Pq<L2Sq, PqEncode<16>>>::new(),
    &Erased::<Pq<Adc, FastScan<Interleaved4, 16>>>::new(),
    &Erased::<Pq<Adc, FastScan<Planar4, 16>>>::new(),
];

/// The squared Euclidean distance.
pub(crate) struct L2Sq;

/// The inner product.
pub(crate) struct Dot;

/// A query's table against codes: whichever value the table holds.
pub(crate) struct Adc;

/// Codes against codes.
pub(crate) struct Sdc;

/// Sub-spaces of the largest table between centroids, 64 MiB: beyond, a table that is read at
/// random costs more than the vectors.
const SDC_LARGEST: usize = 256;

/// The operation of metric `M` in shape `S`.
pub(crate) struct Pq<M, S>(PhantomData<fn() -> (M, S)>);

/// Tables and codes: `K` centroids, and how many registers of them at a time.
macro_rules! tables {
    ($($encoding:literal $k:literal x512 $r512:literal: $l2sq:ident $dot:ident;)*) => {$(
        impl Op for Pq<L2Sq, Lut<$k>> {
            type Shape = Lut<$k>;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = "l2sq";
            const VARIANTS: &'static [Variant<Self>] = &[
                row!("scalar", Scalar, scalar::lut::<L2Sq, $k>),
                autovec!($l2sq),
                sse42::lut::<Self, Build<Sse42, lut::L2Sq, 4>, $k>("sse42"),
                avx2::lut::<Self, Build<Avx2, lut::L2Sq, 2>, $k>("avx2"),
                avx512::lut::<Self, Build<Avx512, lut::L2Sq, $r512>, $k>("avx512"),
                neon::lut::<Self, Build<Neon, lut::L2Sq, 4>, $k>("neon"),
                simd128::lut::<Self, Build<Simd128, lut::L2Sq, 4>, $k>("simd128"),
            ];
        }

        impl Op for Pq<Dot, Lut<$k>> {
            type Shape = Lut<$k>;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = "dot";
            const VARIANTS: &'static [Variant<Self>] = &[
                row!("scalar", Scalar, scalar::lut::<Dot, $k>),
                autovec!($dot),
                sse42::lut::<Self, Build<Sse42, lut::Dot, 4>, $k>("sse42"),
                avx2::lut::<Self, Build<Avx2, lut::Dot, 2>, $k>("avx2"),
                avx512::lut::<Self, Build<Avx512, lut::Dot, $r512>, $k>("avx512"),
                neon::lut::<Self, Build<Neon, lut::Dot, 4>, $k>("neon"),
                simd128::lut::<Self, Build<Simd128, lut::Dot, 4>, $k>("simd128"),
            ];
        }

        impl Op for Pq<L2Sq, PqEncode<$k>> {
            type Shape = PqEncode<$k>;
            const ENCODING: &'static str = $encoding;
            const METRIC: &'static str = "l2sq";
            const VARIANTS: &'static [Variant<Self>] = &[
                row!("scalar", Scalar, scalar::encode::<$k>),
                sse42::encode::<Self, Build<Sse42, L2SqTwice, 4>, $k>("sse42"),
                avx2::encode::<Self, Build<Avx2, L2SqTwice, 2>, $k>("avx2"),
                avx2::encode::<Self, Build<Avx2, lut::L2Sq, 2>, $k>("avx2-fused"),
                avx512::encode::<Self, Build<Avx512, L2SqTwice, $r512>, $k>("avx512"),
                avx512::encode::<Self, Build<Avx512, lut::L2Sq, $r512>, $k>("avx512-fused"),
                neon::encode::<Self, Build<Neon, L2SqTwice, 4>, $k>("neon"),
                simd128::encode::<Self, Build<Simd128, L2SqTwice, 4>, $k>("simd128"),
            ];
        }
    )*};
}

tables! {
    "pq8" 256 x512 8: l2sq_256 dot_256;
    "pq4" 16 x512 1: l2sq_16 dot_16;
}

impl Op for Pq<Adc, Scan<f32, u8, f32>> {
    type Shape = Scan<f32, u8, f32>;
    const ENCODING: &'static str = "pq8";
    const METRIC: &'static str = "adc";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::scan::<Self, scalar::Adc>(),
        plain::scan::<Self, scalar::AdcX4>(),
        row!("scalar-r4", Scalar, scalar::adc_scan_r4),
        avx2::scan::<Self, VectorGather<Avx2>>("avx2-gather"),
        avx512::scan::<Self, VectorGather<Avx512>>("avx512-gather"),
    ];

    fn query_len(m: usize) -> usize {
        256 * m
    }
}

impl Op for Pq<Adc, Gather<f32, u8, f32>> {
    type Shape = Gather<f32, u8, f32>;
    const ENCODING: &'static str = "pq8";
    const METRIC: &'static str = "adc";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::gather::<Self, scalar::Adc>(),
        plain::gather::<Self, scalar::AdcX4>(),
        row!("scalar-r4", Scalar, scalar::adc_gather_r4),
        avx2::gather::<Self, VectorGather<Avx2>>("avx2-gather"),
        avx512::gather::<Self, VectorGather<Avx512>>("avx512-gather"),
    ];

    fn query_len(m: usize) -> usize {
        256 * m
    }
}

impl Op for Pq<Adc, FastScan<Rows64, 256>> {
    type Shape = FastScan<Rows64, 256>;
    const ENCODING: &'static str = "pq8";
    const METRIC: &'static str = "adc";
    const VARIANTS: &'static [Variant<Self>] = &[
        row!("scalar", Scalar, scalar::bytes),
        avx512vbmi::blocks::<Self, Bytes<Avx512Vbmi, 2, true>, Rows64, 256>("avx512vbmi-two-b2"),
        avx512vbmi::blocks::<Self, Bytes<Avx512Vbmi, 4, true>, Rows64, 256>("avx512vbmi-two-b4"),
        avx512vbmi::blocks::<Self, Bytes<Avx512Vbmi, 2, false>, Rows64, 256>("avx512vbmi-one-b2"),
        avx512vbmi::blocks::<Self, Bytes<Avx512Vbmi, 4, false>, Rows64, 256>("avx512vbmi-one-b4"),
        neon::blocks::<Self, Bytes<Neon, 1, false>, Rows64, 256>("neon"),
    ];
}

impl Op for Pq<Adc, FastScan<Interleaved4, 16>> {
    type Shape = FastScan<Interleaved4, 16>;
    const ENCODING: &'static str = "pq4";
    const METRIC: &'static str = "adc";
    const VARIANTS: &'static [Variant<Self>] = &[
        row!("scalar", Scalar, scalar::interleaved),
        avx512vbmi::blocks::<Self, Interleaved<Avx512Vbmi, 1>, Interleaved4, 16>("avx512vbmi-b1"),
        avx512vbmi::blocks::<Self, Interleaved<Avx512Vbmi, 2>, Interleaved4, 16>("avx512vbmi-b2"),
        avx512vbmi::blocks::<Self, Interleaved<Avx512Vbmi, 4>, Interleaved4, 16>("avx512vbmi-b4"),
        neon::blocks::<Self, Interleaved<Neon, 1>, Interleaved4, 16>("neon"),
        neondot::blocks::<Self, Interleaved<NeonDot, 1>, Interleaved4, 16>("neondot"),
    ];
}

impl Op for Pq<Adc, FastScan<Planar4, 16>> {
    type Shape = FastScan<Planar4, 16>;
    const ENCODING: &'static str = "pq4";
    const METRIC: &'static str = "adc";
    const VARIANTS: &'static [Variant<Self>] = &[
        row!("scalar", Scalar, scalar::planar),
        sse42::blocks::<Self, Planar<Sse42>, Planar4, 16>("sse42"),
        avx2::blocks::<Self, Planar<Avx2>, Planar4, 16>("avx2"),
        avx512::blocks::<Self, Planar<Avx512>, Planar4, 16>("avx512"),
        avx512vbmi::blocks::<Self, Planar<Avx512Vbmi>, Planar4, 16>("avx512vbmi-b2"),
        neon::blocks::<Self, Planar<Neon>, Planar4, 16>("neon"),
        simd128::blocks::<Self, Planar<Simd128>, Planar4, 16>("simd128"),
    ];
}

impl Op for Pq<Sdc, CodeScan<256>> {
    type Shape = CodeScan<256>;
    const ENCODING: &'static str = "pq8";
    const METRIC: &'static str = "sdc";
    const VARIANTS: &'static [Variant<Self>] = &[
        row!("scalar", Scalar, |m| m <= SDC_LARGEST, scalar::sdc),
        row!("scalar-x4", Scalar, |m| m <= SDC_LARGEST, scalar::sdc_x4),
        row!("scalar-r4", Scalar, |m| m <= SDC_LARGEST, scalar::sdc_r4),
    ];
}
