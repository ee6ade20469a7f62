//! What each metric does with a pair of registers. The loops are in [`crate::loops`]; they know
//! no metric, and the metrics know no loop.
//!
//! Every step maps a pair of zeros to no change, so a tail may be padded with zeros.

mod cosine;
mod dot;
mod l1;
mod l2sq;
mod linf;

pub(crate) use cosine::{Cosine, CosineRows, distance};
pub(crate) use dot::Dot;
pub(crate) use l1::L1;
pub(crate) use l2sq::L2Sq;
pub(crate) use linf::Linf;

use crate::isa::simd::Simd;
use crate::set::Metric;

/// The arithmetic of a metric over one pair of vectors.
pub(crate) trait Step: Copy + Send + Sync + 'static {
    /// Which metric it is.
    const METRIC: Metric;
    /// Sums kept for one pair of vectors: how many registers an accumulator takes.
    const SUMS: usize = 1;
    /// The form for one query against many rows: what depends on the query alone is computed once.
    type Rows: Step;
    /// What is accumulated.
    type Acc<S: Simd>: Copy;

    /// What depends on the query alone; 0 for most metrics.
    #[inline(always)]
    fn context<S: Simd>(_s: S, _query: &[f32]) -> f32 {
        0.0
    }
    /// Nothing accumulated.
    fn zero<S: Simd>(s: S) -> Self::Acc<S>;
    /// The first pair of registers: what [`Step::step`] makes of nothing accumulated, without the
    /// addition of a zero that the compiler may not drop.
    fn first<S: Simd>(s: S, x: S::V, y: S::V) -> Self::Acc<S>;
    /// One more pair of registers.
    fn step<S: Simd>(s: S, acc: Self::Acc<S>, x: S::V, y: S::V) -> Self::Acc<S>;
    /// Two accumulators as one.
    fn join<S: Simd>(s: S, a: Self::Acc<S>, b: Self::Acc<S>) -> Self::Acc<S>;
    /// The value; `context` is [`Step::context`] of the query.
    fn finish<S: Simd>(s: S, acc: Self::Acc<S>, context: f32) -> f32;
    /// The values of four rows.
    #[inline(always)]
    fn finish4<S: Simd>(s: S, acc: [Self::Acc<S>; 4], context: f32) -> [f32; 4] {
        [
            Self::finish(s, acc[0], context),
            Self::finish(s, acc[1], context),
            Self::finish(s, acc[2], context),
            Self::finish(s, acc[3], context),
        ]
    }
    /// The value element by element, in the order of the elements: the scalar variant.
    fn scalar(a: &[f32], b: &[f32]) -> f32;
}

/// A metric whose value is a plain sum of one term per element.
pub(crate) trait Additive: Copy + Send + Sync + 'static {
    /// Which metric it is.
    const METRIC: Metric;
    /// The term of one element.
    fn term(x: f32, y: f32) -> f32;
    /// The terms of a pair of registers.
    fn terms<S: Simd>(s: S, x: S::V, y: S::V) -> S::V;
    /// The terms of a pair of registers, added to `acc`.
    fn add_terms<S: Simd>(s: S, acc: S::V, x: S::V, y: S::V) -> S::V;
}

impl<A: Additive> Step for A {
    const METRIC: Metric = A::METRIC;
    type Rows = Self;
    type Acc<S: Simd> = S::V;

    #[inline(always)]
    fn zero<S: Simd>(s: S) -> S::V {
        s.zero()
    }

    #[inline(always)]
    fn first<S: Simd>(s: S, x: S::V, y: S::V) -> S::V {
        A::terms(s, x, y)
    }

    #[inline(always)]
    fn step<S: Simd>(s: S, acc: S::V, x: S::V, y: S::V) -> S::V {
        A::add_terms(s, acc, x, y)
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
        for (&x, &y) in a.iter().zip(b) {
            sum += A::term(x, y);
        }
        sum
    }
}

/// `|x - y|` as the bit pattern of an `f32`: as integers these order like the numbers, and NaN is
/// above infinity.
#[cfg(feature = "autovec")]
#[inline(always)]
pub(crate) fn abs_bits(x: f32, y: f32) -> u32 {
    (x - y).to_bits() & 0x7fff_ffff
}
