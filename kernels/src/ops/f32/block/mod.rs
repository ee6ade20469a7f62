//! Blocks of 64 rows, dimension by dimension: one query against all of them.

mod autovec;
mod scalar;
#[cfg(feature = "testkit")]
mod subject;
mod variants;

use super::F32;
use super::lanes::Lanewise;
use super::metric::{Additive, Step};
use crate::kernel::{Op, Variant};
use crate::shape::{Block, BlockPrune};

impl<M: Step<Rows: Lanewise>> Op for F32<M, Block> {
    type Shape = Block;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = M::METRIC.name();
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::block(),
        autovec::block(),
        autovec::sweep(),
        variants::sse42::block(),
        variants::avx2::block(),
        variants::avx512::block(),
        variants::neon::block(),
        variants::simd128::block(),
    ];
}

/// For metrics whose partial sums never fall: sums of terms that are not negative.
pub(super) trait Growing: Additive {}

impl Growing for super::metric::L2Sq {}
impl Growing for super::metric::L1 {}

impl<M: Growing> Op for F32<M, BlockPrune> {
    type Shape = BlockPrune;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = <M as Step>::METRIC.name();
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::block_prune(),
        variants::sse42::block_prune(),
        variants::avx2::block_prune(),
        variants::avx512::block_prune(),
        variants::neon::block_prune(),
        variants::simd128::block_prune(),
    ];
}
