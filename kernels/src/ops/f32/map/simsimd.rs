//! The C library SimSIMD: its `wsum` is `alpha a + beta b`, its `fma` is `alpha a b + beta c`, and
//! its `l2sq` is an edge's distance. A product by one changes nothing, so they stand for
//! `a - b` and `a b + c`.
#![allow(unsafe_code, reason = "foreign functions; rows that name a level")]

use super::{Fma, Residual, Sub};
use crate::isa::Level;
#[cfg(feature = "simsimd")]
use crate::kernel::Entry;
use crate::kernel::{Technique, Variant};

#[cfg(feature = "simsimd")]
mod imp {
    use simsimd::SpatialSimilarity;

    use crate::layout::RowsRef;

    unsafe extern "C" {
        fn simsimd_wsum_f32(
            a: *const f32,
            b: *const f32,
            n: u64,
            alpha: f64,
            beta: f64,
            out: *mut f32,
        );
        fn simsimd_fma_f32(
            a: *const f32,
            b: *const f32,
            c: *const f32,
            n: u64,
            alpha: f64,
            beta: f64,
            out: *mut f32,
        );
    }

    pub(super) fn sub(a: &[f32], b: &[f32], out: &mut [f32]) {
        let n = out.len().min(a.len()).min(b.len());
        // SAFETY: all three have `n` elements.
        unsafe {
            simsimd_wsum_f32(a.as_ptr(), b.as_ptr(), n as u64, 1.0, -1.0, out.as_mut_ptr());
        }
    }

    pub(super) fn fma(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
        let n = out.len().min(a.len()).min(b.len()).min(c.len()) as u64;
        // SAFETY: all four have `n` elements.
        unsafe {
            simsimd_fma_f32(a.as_ptr(), b.as_ptr(), c.as_ptr(), n, 1.0, 1.0, out.as_mut_ptr());
        }
    }

    pub(super) fn residual(
        rows: RowsRef<'_, f32>,
        edges: &[(u32, u32)],
        weights: &[f32],
        out: &mut [f32],
    ) -> f32 {
        super::super::scalar::body::residual(rows, edges, weights, out, |a, b| {
            <f32 as SpatialSimilarity>::l2sq(a, b).map_or(f32::NAN, |value| value as f32)
        })
    }
}

macro_rules! rows {
    ($($row:ident $op:ident;)*) => {$(
        pub(super) const fn $row() -> Variant<$op> {
            #[cfg(feature = "simsimd")]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some(imp::$row);
                // SAFETY: the library detects the level before it uses it.
                unsafe { Variant::new("simsimd", Level::Scalar, Technique::Simsimd, resolve) }
            }
            #[cfg(not(feature = "simsimd"))]
            {
                let why = "needs the feature `simsimd`";
                Variant::absent("simsimd", Level::Scalar, Technique::Simsimd, why)
            }
        }
    )*};
}

rows! { sub Sub; fma Fma; residual Residual; }
