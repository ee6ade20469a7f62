//! Inner product: the sum of `x * y`, raw (larger = nearer).
//!
//! Absolute error at most `gamma(n)` times the sum of `|x * y|`.

use super::Additive;
use crate::isa::simd::Simd;
use crate::set::Metric;

#[derive(Clone, Copy)]
pub(crate) struct Dot;

impl Additive for Dot {
    const METRIC: Metric = Metric::Dot;

    #[inline(always)]
    fn term(x: f32, y: f32) -> f32 {
        x * y
    }

    #[inline(always)]
    fn terms<S: Simd>(s: S, x: S::V, y: S::V) -> S::V {
        s.mul(x, y)
    }

    #[inline(always)]
    fn add_terms<S: Simd>(s: S, acc: S::V, x: S::V, y: S::V) -> S::V {
        s.mul_add(x, y, acc)
    }
}
