//! The plain loops, compiled once per target and chosen at run time by the crate `multiversion`.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::{Axpy, Fma, Residual, Scale, Sub, WeightedSum};
use crate::isa::Level;
#[cfg(feature = "autovec")]
use crate::kernel::Entry;
use crate::kernel::{Technique, Variant};

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use super::super::scalar::body;
    use crate::layout::RowsRef;

    /// Independent lanes of a sum.
    const LANES: usize = 32;

    #[multiversion(targets = "simd")]
    pub(super) fn sub(a: &[f32], b: &[f32], out: &mut [f32]) {
        body::sub(a, b, out);
    }

    #[multiversion(targets = "simd")]
    pub(super) fn scale(a: &[f32], k: f32, out: &mut [f32]) {
        body::scale(a, k, out);
    }

    #[multiversion(targets = "simd")]
    pub(super) fn fma(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
        body::fma(a, b, c, out);
    }

    #[multiversion(targets = "simd")]
    pub(super) fn axpy(k: f32, x: &[f32], y: &mut [f32]) {
        body::axpy(k, x, y);
    }

    #[multiversion(targets = "simd")]
    pub(super) fn weighted_sum(w: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
        body::weighted_sum(w, rows, out);
    }

    #[multiversion(targets = "simd")]
    pub(super) fn residual(
        rows: RowsRef<'_, f32>,
        edges: &[(u32, u32)],
        weights: &[f32],
        out: &mut [f32],
    ) -> f32 {
        body::residual(rows, edges, weights, out, |a, b| {
            let (chunks_a, tail_a) = a.as_chunks::<LANES>();
            let (chunks_b, tail_b) = b.as_chunks::<LANES>();
            let mut acc = [0.0f32; LANES];
            for (x, y) in chunks_a.iter().zip(chunks_b) {
                for l in 0..LANES {
                    acc[l] += (x[l] - y[l]) * (x[l] - y[l]);
                }
            }
            let tail: f32 = tail_a.iter().zip(tail_b).map(|(x, y)| (x - y) * (x - y)).sum();
            acc.iter().sum::<f32>() + tail
        })
    }
}

macro_rules! rows {
    ($($row:ident $op:ident;)*) => {$(
        pub(super) const fn $row() -> Variant<$op> {
            #[cfg(feature = "autovec")]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some(imp::$row);
                // SAFETY: what it dispatches to, it detects first.
                unsafe { Variant::new("autovec", Level::Scalar, Technique::Autovec, resolve) }
            }
            #[cfg(not(feature = "autovec"))]
            {
                let why = "needs the feature `autovec`";
                Variant::absent("autovec", Level::Scalar, Technique::Autovec, why)
            }
        }
    )*};
}

rows! { sub Sub; scale Scale; fma Fma; axpy Axpy; weighted_sum WeightedSum; residual Residual; }
