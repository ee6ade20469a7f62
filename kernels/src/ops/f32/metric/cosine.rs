//! Cosine distance: `1 - x.y / (|x| |y|)`; exactly 1 when either vector is zero and
//! the other finite.
//!
//! One pass over both vectors. The squared norms must lie in the normal range of `f32`: below it
//! they count as zero or lose digits, above it the value is NaN. The error is at most
//! `2 gamma(n + 4)` where the vectors' norms are in that range.

use super::{Dot, Step};
use crate::isa::simd::Simd;
use crate::set::Metric;

/// Both norms in the pass.
#[derive(Clone, Copy)]
pub(crate) struct Cosine;

/// The query's norm known: one product and one norm a row.
#[derive(Clone, Copy)]
pub(crate) struct CosineRows;

/// `1 - xy / sqrt(xx * yy)` from three sums, the roots taken apart so that no product overflows.
#[inline(always)]
pub(crate) fn distance(xy: f32, xx: f32, yy: f32) -> f32 {
    if xx == 0.0 || yy == 0.0 {
        // A zero vector is at distance 1; NaN and infinity in the other one still show, in `xy`.
        return if xy.is_finite() { 1.0 } else { f32::NAN };
    }
    1.0 - xy / (xx.sqrt() * yy.sqrt())
}

impl Step for Cosine {
    const METRIC: Metric = Metric::Cosine;
    const SUMS: usize = 3;
    type Rows = CosineRows;
    type Acc<S: Simd> = [S::V; 3];

    #[inline(always)]
    fn zero<S: Simd>(s: S) -> [S::V; 3] {
        [s.zero(); 3]
    }

    #[inline(always)]
    fn first<S: Simd>(s: S, x: S::V, y: S::V) -> [S::V; 3] {
        [s.mul(x, y), s.mul(x, x), s.mul(y, y)]
    }

    #[inline(always)]
    fn step<S: Simd>(s: S, acc: [S::V; 3], x: S::V, y: S::V) -> [S::V; 3] {
        [s.mul_add(x, y, acc[0]), s.mul_add(x, x, acc[1]), s.mul_add(y, y, acc[2])]
    }

    #[inline(always)]
    fn join<S: Simd>(s: S, a: [S::V; 3], b: [S::V; 3]) -> [S::V; 3] {
        [s.add(a[0], b[0]), s.add(a[1], b[1]), s.add(a[2], b[2])]
    }

    #[inline(always)]
    fn finish<S: Simd>(s: S, acc: [S::V; 3], _context: f32) -> f32 {
        let [xy, xx, yy, _] = s.sum4([acc[0], acc[1], acc[2], acc[2]]);
        distance(xy, xx, yy)
    }

    #[inline(always)]
    fn scalar(a: &[f32], b: &[f32]) -> f32 {
        let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
        for (x, y) in a.iter().zip(b) {
            xy += x * y;
            xx += x * x;
            yy += y * y;
        }
        distance(xy, xx, yy)
    }
}

impl Step for CosineRows {
    const METRIC: Metric = Metric::Cosine;
    const SUMS: usize = 2;
    type Rows = Self;
    type Acc<S: Simd> = [S::V; 2];

    #[inline(always)]
    fn context<S: Simd>(s: S, query: &[f32]) -> f32 {
        crate::loops::norm_sq::<_, 4>(crate::ops::f32::arith::Lanes::<S, Dot>::new(s), query)
    }

    #[inline(always)]
    fn zero<S: Simd>(s: S) -> [S::V; 2] {
        [s.zero(); 2]
    }

    #[inline(always)]
    fn first<S: Simd>(s: S, x: S::V, y: S::V) -> [S::V; 2] {
        [s.mul(x, y), s.mul(y, y)]
    }

    #[inline(always)]
    fn step<S: Simd>(s: S, acc: [S::V; 2], x: S::V, y: S::V) -> [S::V; 2] {
        [s.mul_add(x, y, acc[0]), s.mul_add(y, y, acc[1])]
    }

    #[inline(always)]
    fn join<S: Simd>(s: S, a: [S::V; 2], b: [S::V; 2]) -> [S::V; 2] {
        [s.add(a[0], b[0]), s.add(a[1], b[1])]
    }

    #[inline(always)]
    fn finish<S: Simd>(s: S, acc: [S::V; 2], xx: f32) -> f32 {
        distance(s.sum(acc[0]), xx, s.sum(acc[1]))
    }

    #[inline(always)]
    fn finish4<S: Simd>(s: S, acc: [[S::V; 2]; 4], xx: f32) -> [f32; 4] {
        let xy = s.sum4([acc[0][0], acc[1][0], acc[2][0], acc[3][0]]);
        let yy = s.sum4([acc[0][1], acc[1][1], acc[2][1], acc[3][1]]);
        // Four roots and four divisions side by side: two vector instructions.
        let norm = xx.sqrt();
        let mut out = [0.0; 4];
        for r in 0..4 {
            out[r] = 1.0 - xy[r] / (norm * yy[r].sqrt());
        }
        // A zero norm divides by zero; that is rare, and shows in the value.
        let finite = |r: usize| out[r].is_finite();
        if !(finite(0) & finite(1) & finite(2) & finite(3)) {
            for r in 0..4 {
                out[r] = distance(xy[r], xx, yy[r]);
            }
        }
        out
    }

    #[inline(always)]
    fn scalar(a: &[f32], b: &[f32]) -> f32 {
        let xx = Dot::scalar(a, a);
        distance(Dot::scalar(a, b), xx, Dot::scalar(b, b))
    }
}
