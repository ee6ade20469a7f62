//! What the loops over lanes ask of a metric: there a lane is a row, or a query, of its own, and
//! nothing is ever added across lanes.

use crate::isa::simd::Simd;
use crate::layout_block::BLOCK;

/// The values of a block, and a second sum of each row where the metric keeps one.
pub(crate) type Sums<'a> = [&'a mut [f32; BLOCK]; 2];

/// The arithmetic of one metric on lanes of `f32` at one level, as a value that holds the token.
pub(crate) trait LaneArith: Copy + 'static {
    /// The level.
    type S: Simd;
    /// What is accumulated of one register.
    type Acc: Copy;
    /// The token.
    fn token(self) -> Self::S;
    /// What depends on the query alone.
    fn context(self, query: &[f32]) -> f32;
    /// Nothing accumulated.
    fn zero(self) -> Self::Acc;
    /// One more element of every lane.
    fn step(self, acc: Self::Acc, x: Reg<Self>, y: Reg<Self>) -> Self::Acc;
    /// Two accumulators as one.
    fn join(self, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    /// The (first) sum.
    fn first(self, acc: Self::Acc) -> Reg<Self>;
    /// Writes the sums as register `at` of a block.
    fn put(self, acc: Self::Acc, at: usize, sums: &mut Sums<'_>);
    /// Makes values of the sums of a block, in the place of the first ones.
    fn finish(self, sums: &mut Sums<'_>, context: f32);
}

/// A register of a metric's level.
pub(crate) type Reg<A> = <<A as LaneArith>::S as Simd>::V;
