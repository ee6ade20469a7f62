//! Squared Euclidean distance: the sum of `(x - y)^2`.
//!
//! Relative error at most `gamma(n + 2)` for any order of summation, since all terms are positive
//! (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).

use super::Additive;
use crate::isa::simd::Simd;
use crate::set::Metric;

#[derive(Clone, Copy)]
pub(crate) struct L2Sq;

impl Additive for L2Sq {
    const METRIC: Metric = Metric::L2Sq;

    #[inline(always)]
    fn term(x: f32, y: f32) -> f32 {
        (x - y) * (x - y)
    }

    #[inline(always)]
    fn terms<S: Simd>(s: S, x: S::V, y: S::V) -> S::V {
        let d = s.sub(x, y);
        s.mul(d, d)
    }

    #[inline(always)]
    fn add_terms<S: Simd>(s: S, acc: S::V, x: S::V, y: S::V) -> S::V {
        let d = s.sub(x, y);
        s.mul_add(d, d, acc)
    }
}
