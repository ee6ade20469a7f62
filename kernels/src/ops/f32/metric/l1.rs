//! Manhattan distance: the sum of `|x - y|`. Relative error at most `gamma(n)`.

use super::Step;
use crate::isa::simd::Simd;
use crate::set::Metric;

#[derive(Clone, Copy)]
pub(crate) struct L1;

impl Step for L1 {
    const METRIC: Metric = Metric::L1;
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
        s.add(acc, s.abs(s.sub(x, y)))
    }

    #[inline(always)]
    fn join<S: Simd>(s: S, a: S::V, b: S::V) -> S::V {
        s.add(a, b)
    }

    #[inline(always)]
    fn finish<S: Simd>(s: S, acc: S::V, _context: f32) -> f32 {
        s.sum(acc)
    }

    #[inline(always)]
    fn finish4<S: Simd>(s: S, acc: [S::V; 4], _context: f32) -> [f32; 4] {
        s.sum4(acc)
    }

    #[inline(always)]
    fn scalar(a: &[f32], b: &[f32]) -> f32 {
        let mut sum = 0.0;
        for (x, y) in a.iter().zip(b) {
            sum += (x - y).abs();
        }
        sum
    }
}
