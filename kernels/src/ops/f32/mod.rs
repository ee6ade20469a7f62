//! Rows of `f32`: five metrics and the squared norm, in every shape.
//!
//! Three axes, a file for each value and none for their products: the arithmetic of a metric is in
//! `metric/`, the loop of a shape in `crate::loops`, the rows of a technique or level in the file
//! of its name. The lists below say which variants an operation has; the order is that of tables.

#[macro_use]
mod isa_variants;
#[macro_use]
mod plain_rows;

pub(crate) mod arith;
mod autovec;
mod avx2;
mod avx512;
mod block;
mod lanes;
pub(crate) mod map;
pub(crate) mod metric;
mod neon;
mod pulp;
mod scalar;
mod simd128;
mod simsimd;
mod sse42;
#[cfg(feature = "testkit")]
mod subject;
mod tile;
mod wide;

use core::marker::PhantomData;

use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::shape::{Assign, Block, BlockPrune, Tile, TileNorms};
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms};
use metric::{Cosine, Dot, L1, L2Sq, Linf, Step};

/// The operations on `f32`, grouped by metric.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<F32<L2Sq, Pair<f32>>>::new(),
    &Erased::<F32<L2Sq, Scan<f32>>>::new(),
    &Erased::<F32<L2Sq, Gather<f32>>>::new(),
    &Erased::<F32<Dot, Pair<f32>>>::new(),
    &Erased::<F32<Dot, Scan<f32>>>::new(),
    &Erased::<F32<Dot, Gather<f32>>>::new(),
    &Erased::<F32<Cosine, Pair<f32>>>::new(),
    &Erased::<F32<Cosine, Scan<f32>>>::new(),
    &Erased::<F32<Cosine, Gather<f32>>>::new(),
    &Erased::<F32<Cosine, PairNorms<f32>>>::new(),
    &Erased::<F32<Cosine, ScanNorms<f32>>>::new(),
    &Erased::<F32<Cosine, GatherNorms<f32>>>::new(),
    &Erased::<F32<L1, Pair<f32>>>::new(),
    &Erased::<F32<L1, Scan<f32>>>::new(),
    &Erased::<F32<L1, Gather<f32>>>::new(),
    &Erased::<F32<Linf, Pair<f32>>>::new(),
    &Erased::<F32<Linf, Scan<f32>>>::new(),
    &Erased::<F32<Linf, Gather<f32>>>::new(),
    &Erased::<F32<Dot, Row<f32>>>::new(),
    &Erased::<map::Sub>::new(),
    &Erased::<map::Scale>::new(),
    &Erased::<map::Fma>::new(),
    &Erased::<map::Axpy>::new(),
    &Erased::<map::WeightedSum>::new(),
    &Erased::<map::Residual>::new(),
    &Erased::<F32<L2Sq, Block>>::new(),
    &Erased::<F32<Dot, Block>>::new(),
    &Erased::<F32<Cosine, Block>>::new(),
    &Erased::<F32<L1, Block>>::new(),
    &Erased::<F32<Linf, Block>>::new(),
    &Erased::<F32<L2Sq, BlockPrune>>::new(),
    &Erased::<F32<L1, BlockPrune>>::new(),
    &Erased::<F32<L2Sq, Tile>>::new(),
    &Erased::<F32<Dot, Tile>>::new(),
    &Erased::<F32<L2Sq, TileNorms>>::new(),
    &Erased::<F32<L2Sq, Assign>>::new(),
];

/// The operation of metric `M` in shape `S` on rows of `f32`.
pub(crate) struct F32<M, S>(PhantomData<fn() -> (M, S)>);

impl<M: Step> Op for F32<M, Pair<f32>> {
    type Shape = Pair<f32>;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = M::METRIC.name();
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::pair_row(),
        autovec::pair(),
        pulp::v3::pair(),
        pulp::v4::pair(),
        pulp::neon::pair(),
        wide::pair(),
        simsimd::pair(),
        sse42::pair(),
        sse42::pair_fixed(),
        avx2::pair(),
        avx2::pair_fixed(),
        avx512::pair(),
        avx512::pair_fixed(),
        neon::pair(),
        neon::pair_fixed(),
        simd128::pair(),
        simd128::pair_fixed(),
    ];
}

impl<M: Step> Op for F32<M, Scan<f32>> {
    type Shape = Scan<f32>;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = M::METRIC.name();
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::scan_row(),
        autovec::scan(),
        pulp::v3::scan(),
        pulp::v3::stream(),
        pulp::v4::scan(),
        pulp::v4::stream(),
        pulp::neon::scan(),
        wide::scan(),
        simsimd::scan(),
        sse42::scan(),
        sse42::stream(),
        avx2::scan(),
        avx2::stream(),
        avx512::scan(),
        avx512::stream(),
        neon::scan(),
        neon::stream(),
        simd128::scan(),
        simd128::stream(),
    ];
}

impl<M: Step> Op for F32<M, Gather<f32>> {
    type Shape = Gather<f32>;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = M::METRIC.name();
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::gather_row(),
        autovec::gather(),
        pulp::v3::gather(),
        pulp::v4::gather(),
        pulp::neon::gather(),
        wide::gather(),
        simsimd::gather(),
        sse42::gather(),
        sse42::gather_pf4(),
        avx2::gather(),
        avx2::gather_pf4(),
        avx512::gather(),
        avx512::gather_pf4(),
        neon::gather(),
        neon::gather_pf4(),
        simd128::gather(),
    ];
}

/// The squared norm, `Dot` of a vector with itself.
impl Op for F32<Dot, Row<f32>> {
    type Shape = Row<f32>;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = "norm_sq";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::norm_row(),
        autovec::row(),
        pulp::v3::row(),
        pulp::v4::row(),
        pulp::neon::row(),
        wide::row(),
        simsimd::row(),
        sse42::row(),
        avx2::row(),
        avx512::row(),
        neon::row(),
        simd128::row(),
    ];
}

impl Op for F32<Cosine, PairNorms<f32>> {
    type Shape = PairNorms<f32>;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = "cosine";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::pair_norms_row(),
        autovec::pair_norms(),
        pulp::v3::pair_norms(),
        pulp::v4::pair_norms(),
        pulp::neon::pair_norms(),
        wide::pair_norms(),
        simsimd::pair_norms(),
        sse42::pair_norms(),
        sse42::pair_norms_fixed(),
        avx2::pair_norms(),
        avx2::pair_norms_fixed(),
        avx512::pair_norms(),
        avx512::pair_norms_fixed(),
        neon::pair_norms(),
        neon::pair_norms_fixed(),
        simd128::pair_norms(),
        simd128::pair_norms_fixed(),
    ];
}

impl Op for F32<Cosine, ScanNorms<f32>> {
    type Shape = ScanNorms<f32>;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = "cosine";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::scan_norms_row(),
        autovec::scan_norms(),
        pulp::v3::scan_norms(),
        pulp::v4::scan_norms(),
        pulp::neon::scan_norms(),
        wide::scan_norms(),
        simsimd::scan_norms(),
        sse42::scan_norms(),
        sse42::stream_norms(),
        avx2::scan_norms(),
        avx2::stream_norms(),
        avx512::scan_norms(),
        avx512::stream_norms(),
        neon::scan_norms(),
        neon::stream_norms(),
        simd128::scan_norms(),
        simd128::stream_norms(),
    ];
}

impl Op for F32<Cosine, GatherNorms<f32>> {
    type Shape = GatherNorms<f32>;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = "cosine";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::gather_norms_row(),
        autovec::gather_norms(),
        pulp::v3::gather_norms(),
        pulp::v4::gather_norms(),
        pulp::neon::gather_norms(),
        wide::gather_norms(),
        simsimd::gather_norms(),
        sse42::gather_norms(),
        sse42::gather_norms_pf4(),
        avx2::gather_norms(),
        avx2::gather_norms_pf4(),
        avx512::gather_norms(),
        avx512::gather_norms_pf4(),
        neon::gather_norms(),
        neon::gather_norms_pf4(),
        simd128::gather_norms(),
    ];
}
