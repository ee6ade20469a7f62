//! Many queries against many rows, and the nearest of many rows.

mod autovec;
mod scalar;
#[cfg(feature = "testkit")]
mod subject;
mod variants;

use super::F32;
use super::metric::{Additive, Dot, L2Sq, Step};
use crate::kernel::{Op, Variant};
use crate::shape::{Assign, Tile, TileNorms};

/// The metrics that tiles have.
pub(super) trait Tiled: Additive {}

impl Tiled for L2Sq {}
impl Tiled for Dot {}

impl<M: Tiled> Op for F32<M, Tile> {
    type Shape = Tile;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = <M as Step>::METRIC.name();
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::tile(),
        autovec::tile(),
        variants::sse42::tile(),
        variants::avx2::pairs(),
        variants::avx2::tile(),
        variants::avx512::pairs(),
        variants::avx512::tile(),
        variants::neon::tile(),
        variants::simd128::tile(),
    ];
}

impl Op for F32<L2Sq, TileNorms> {
    type Shape = TileNorms;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = "l2sq";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::tile_norms(),
        autovec::tile_norms(),
        variants::sse42::tile_norms(),
        variants::avx2::tile_norms(),
        variants::avx512::tile_norms(),
        variants::neon::tile_norms(),
        variants::simd128::tile_norms(),
    ];
}

impl Op for F32<L2Sq, Assign> {
    type Shape = Assign;
    const ENCODING: &'static str = "f32";
    const METRIC: &'static str = "l2sq";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::assign(),
        autovec::assign(),
        variants::sse42::assign(),
        variants::avx2::assign(),
        variants::avx512::assign(),
        variants::neon::assign(),
        variants::simd128::assign(),
    ];
}
