//! Plain loops in the order of the elements.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::{Axpy, Fma, Residual, Scale, Sub, WeightedSum};
use crate::isa::Level;
use crate::kernel::{Entry, Technique, Variant};
use crate::layout::RowsRef;

/// The loops, once for every build and once for each target of `autovec`.
pub(super) mod body {
    use super::RowsRef;

    #[inline(always)]
    pub(in super::super) fn sub(a: &[f32], b: &[f32], out: &mut [f32]) {
        for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
            *o = a - b;
        }
    }

    #[inline(always)]
    pub(in super::super) fn scale(a: &[f32], k: f32, out: &mut [f32]) {
        for (o, &a) in out.iter_mut().zip(a) {
            *o = a * k;
        }
    }

    #[inline(always)]
    pub(in super::super) fn fma(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
        for (((o, &a), &b), &c) in out.iter_mut().zip(a).zip(b).zip(c) {
            *o = a * b + c;
        }
    }

    #[inline(always)]
    pub(in super::super) fn axpy(k: f32, x: &[f32], y: &mut [f32]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += k * x;
        }
    }

    #[inline(always)]
    pub(in super::super) fn weighted_sum(w: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
        out.fill(0.0);
        for (i, &w) in w.iter().enumerate() {
            axpy(w, rows.row(i), out);
        }
    }

    /// `sum` is what makes the scalar and the vectorised form differ: the order of additions.
    #[inline(always)]
    pub(in super::super) fn residual(
        rows: RowsRef<'_, f32>,
        edges: &[(u32, u32)],
        weights: &[f32],
        out: &mut [f32],
        distance: impl Fn(&[f32], &[f32]) -> f32,
    ) -> f32 {
        let mut total = 0.0f64;
        for ((&(s, t), &w), o) in edges.iter().zip(weights).zip(out) {
            *o = w * distance(rows.row(s as usize), rows.row(t as usize));
            total += f64::from(*o);
        }
        total as f32
    }
}

fn residual_entry(
    rows: RowsRef<'_, f32>,
    edges: &[(u32, u32)],
    weights: &[f32],
    out: &mut [f32],
) -> f32 {
    body::residual(rows, edges, weights, out, |a, b| {
        let mut sum = 0.0;
        for (&x, &y) in a.iter().zip(b) {
            sum += (x - y) * (x - y);
        }
        sum
    })
}

macro_rules! rows {
    ($($row:ident $op:ident $entry:expr;)*) => {$(
        pub(super) const fn $row() -> Variant<$op> {
            let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some($entry);
            // SAFETY: plain Rust runs on every CPU of the build's target.
            unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
        }
    )*};
}

rows! {
    sub Sub body::sub;
    scale Scale body::scale;
    fma Fma body::fma;
    axpy Axpy body::axpy;
    weighted_sum WeightedSum body::weighted_sum;
    residual Residual residual_entry;
}
