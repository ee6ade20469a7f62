//! Chebyshev distance: the largest `|x - y|`. One rounding, whatever the dimension.
//!
//! The maximum is taken over bit patterns as integers where the level has no maximum that keeps
//! NaN: the same cost, and NaN comes out as in every other metric. A floating-point `max` would
//! drop it, and compilers do not vectorise one that does not.

use super::Step;
use crate::isa::simd::Simd;
use crate::set::Metric;

#[derive(Clone, Copy)]
pub(crate) struct Linf;

impl Step for Linf {
    const METRIC: Metric = Metric::Linf;
    type Rows = Self;
    type Acc<S: Simd> = S::V;

    #[inline(always)]
    fn zero<S: Simd>(s: S) -> S::V {
        s.zero()
    }

    #[inline(always)]
    fn first<S: Simd>(s: S, x: S::V, y: S::V) -> S::V {
        s.abs(s.sub(x, y))
    }

    #[inline(always)]
    fn step<S: Simd>(s: S, acc: S::V, x: S::V, y: S::V) -> S::V {
        s.max_abs(acc, s.abs(s.sub(x, y)))
    }

    #[inline(always)]
    fn join<S: Simd>(s: S, a: S::V, b: S::V) -> S::V {
        s.max_abs(a, b)
    }

    #[inline(always)]
    fn finish<S: Simd>(s: S, acc: S::V, _context: f32) -> f32 {
        s.max_lane(acc)
    }

    #[inline(always)]
    fn scalar(a: &[f32], b: &[f32]) -> f32 {
        // As people write it, but for NaN, which `f32::max` would drop.
        let mut max = 0.0f32;
        for (x, y) in a.iter().zip(b) {
            let d = (x - y).abs();
            if d > max || d.is_nan() {
                max = if max.is_nan() { max } else { d };
            }
        }
        max
    }
}
