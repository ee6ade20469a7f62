//! Manhattan distance: the sum of `|x - y|`. Relative error at most `gamma(n)`.

use super::Additive;
use crate::isa::simd::Simd;
use crate::set::Metric;

#[derive(Clone, Copy)]
pub(crate) struct L1;

impl Additive for L1 {
    const METRIC: Metric = Metric::L1;

    #[inline(always)]
    fn term(x: f32, y: f32) -> f32 {
        (x - y).abs()
    }

    #[inline(always)]
    fn terms<S: Simd>(s: S, x: S::V, y: S::V) -> S::V {
        s.abs(s.sub(x, y))
    }

    #[inline(always)]
    fn add_terms<S: Simd>(s: S, acc: S::V, x: S::V, y: S::V) -> S::V {
        s.add(acc, s.abs(s.sub(x, y)))
    }
}
