//! A metric over lanes of which each is a row of its own.

use super::arith::Lanes;
use super::metric::{Additive, CosineRows, Linf, Step, distance};
use crate::isa::simd::Simd;
use crate::layout_block::BLOCK;
use crate::loops::lanes::{LaneArith, Sums};

/// What a metric does with lanes.
pub(crate) trait Lanewise: Step {
    /// The (first) sum.
    fn leading<S: Simd>(acc: Self::Acc<S>) -> S::V;
    /// The second sum, where there is one.
    #[inline(always)]
    fn other<S: Simd>(_acc: Self::Acc<S>) -> Option<S::V> {
        None
    }
    /// Makes values of the sums of a block, in the place of the first ones.
    #[inline(always)]
    fn finish_lanes(_sums: &mut Sums<'_>, _context: f32) {}
}

impl<A: Additive> Lanewise for A {
    #[inline(always)]
    fn leading<S: Simd>(acc: S::V) -> S::V {
        acc
    }
}

impl Lanewise for Linf {
    #[inline(always)]
    fn leading<S: Simd>(acc: S::V) -> S::V {
        acc
    }
}

impl Lanewise for CosineRows {
    #[inline(always)]
    fn leading<S: Simd>(acc: [S::V; 2]) -> S::V {
        acc[0]
    }

    #[inline(always)]
    fn other<S: Simd>(acc: [S::V; 2]) -> Option<S::V> {
        Some(acc[1])
    }

    #[inline(always)]
    fn finish_lanes(sums: &mut Sums<'_>, xx: f32) {
        let [xy, yy] = sums;
        let (products, norm) = (**xy, xx.sqrt());
        let mut odd = false;
        for r in 0..BLOCK {
            xy[r] = 1.0 - products[r] / (norm * yy[r].sqrt());
            odd |= !xy[r].is_finite();
        }
        // A zero norm divides by zero; that is rare, and shows in the value.
        if odd {
            for r in 0..BLOCK {
                xy[r] = distance(products[r], xx, yy[r]);
            }
        }
    }
}

impl<S: Simd, M: Lanewise> LaneArith for Lanes<S, M> {
    type S = S;
    type Acc = M::Acc<S>;

    #[inline(always)]
    fn token(self) -> S {
        self.0
    }

    #[inline(always)]
    fn context(self, query: &[f32]) -> f32 {
        M::context(self.0, query)
    }

    #[inline(always)]
    fn zero(self) -> M::Acc<S> {
        M::zero(self.0)
    }

    #[inline(always)]
    fn step(self, acc: M::Acc<S>, x: S::V, y: S::V) -> M::Acc<S> {
        M::step(self.0, acc, x, y)
    }

    #[inline(always)]
    fn join(self, a: M::Acc<S>, b: M::Acc<S>) -> M::Acc<S> {
        M::join(self.0, a, b)
    }

    #[inline(always)]
    fn first(self, acc: M::Acc<S>) -> S::V {
        M::leading::<S>(acc)
    }

    #[inline(always)]
    fn put(self, acc: M::Acc<S>, at: usize, sums: &mut Sums<'_>) {
        let s = self.0;
        s.store(M::leading::<S>(acc), &mut s.chunks_mut(sums[0]).0[at]);
        if let Some(second) = M::other::<S>(acc) {
            s.store(second, &mut s.chunks_mut(sums[1]).0[at]);
        }
    }

    #[inline(always)]
    fn finish(self, sums: &mut Sums<'_>, context: f32) {
        M::finish_lanes(sums, context);
    }
}
