//! Plain loops over pairs that the compiler vectorises, compiled once per target by the crate
//! `multiversion`.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::Tiled;
use crate::isa::Level;
#[cfg(feature = "autovec")]
use crate::kernel::Entry;
use crate::kernel::{Technique, Variant};
use crate::ops::f32::F32;
use crate::ops::f32::metric::L2Sq;
use crate::shape::{Assign, Tile, TileNorms};

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use crate::layout::RowsRef;
    use crate::ops::f32::tile::scalar::{each_pair, nearest};

    /// Independent lanes.
    const LANES: usize = 32;

    /// A sum over elements in lanes; one flat array, since others stay in memory.
    macro_rules! sum {
        ($fn:ident, |$x:ident, $y:ident| $term:expr) => {
            #[inline(always)]
            fn $fn(a: &[f32], b: &[f32]) -> f32 {
                let (chunks_a, tail_a) = a.as_chunks::<LANES>();
                let (chunks_b, tail_b) = b.as_chunks::<LANES>();
                let mut acc = [0.0f32; LANES];
                for (x, y) in chunks_a.iter().zip(chunks_b) {
                    for l in 0..LANES {
                        let ($x, $y) = (x[l], y[l]);
                        acc[l] += $term;
                    }
                }
                let mut tail = 0.0;
                for (&$x, &$y) in tail_a.iter().zip(tail_b) {
                    tail += $term;
                }
                acc.iter().sum::<f32>() + tail
            }
        };
    }

    sum!(l2sq_pair, |x, y| (x - y) * (x - y));
    sum!(dot_pair, |x, y| x * y);

    #[multiversion(targets = "simd")]
    pub(super) fn l2sq(queries: RowsRef<'_, f32>, rows: RowsRef<'_, f32>, out: &mut [f32]) {
        each_pair(
            #[inline(always)]
            |x, y| l2sq_pair(x, y),
            queries,
            rows,
            out,
        );
    }

    #[multiversion(targets = "simd")]
    pub(super) fn dot(queries: RowsRef<'_, f32>, rows: RowsRef<'_, f32>, out: &mut [f32]) {
        each_pair(
            #[inline(always)]
            |x, y| dot_pair(x, y),
            queries,
            rows,
            out,
        );
    }

    pub(super) fn norms(
        queries: RowsRef<'_, f32>,
        _: &[f32],
        rows: RowsRef<'_, f32>,
        _: &[f32],
        out: &mut [f32],
    ) {
        l2sq(queries, rows, out);
    }

    #[multiversion(targets = "simd")]
    pub(super) fn assign(
        rows: RowsRef<'_, f32>,
        centroids: RowsRef<'_, f32>,
        _norms: &[f32],
        ids: &mut [u32],
        values: &mut [f32],
    ) {
        nearest(
            #[inline(always)]
            |x, y| l2sq_pair(x, y),
            rows,
            centroids,
            ids,
            values,
        );
    }
}

macro_rules! row {
    ($($fn:ident<$($m:ident: $bound:ident)?>, $op:ty, $resolve:expr;)*) => {$(
        pub(super) const fn $fn<$($m: $bound)?>() -> Variant<$op> {
            #[cfg(feature = "autovec")]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = $resolve;
                // SAFETY: code that dispatches inside detects the level before it uses it.
                unsafe { Variant::new("autovec", Level::Scalar, Technique::Autovec, resolve) }
            }
            #[cfg(not(feature = "autovec"))]
            Variant::absent("autovec", Level::Scalar, Technique::Autovec, "needs the feature `autovec`")
        }
    )*};
}

row! {
    tile<M: Tiled>, F32<M, Tile>, match <M as crate::ops::f32::metric::Step>::METRIC {
        crate::set::Metric::Dot => |_| Some(imp::dot),
        _ => |_| Some(imp::l2sq),
    };
    tile_norms<>, F32<L2Sq, TileNorms>, |_| Some(imp::norms);
    assign<>, F32<L2Sq, Assign>, |_| Some(imp::assign);
}
