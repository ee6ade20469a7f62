//! A metric over a level's registers of `f32`, as the loops take it.

use core::marker::PhantomData;

use super::metric::Step;
use crate::isa::simd::Simd;
use crate::loops::arith::Arith;

/// Metric `M` at the level of the token `S`.
pub(crate) struct Lanes<S, M>(pub(super) S, PhantomData<fn() -> M>);

impl<S: Simd, M: Step> Lanes<S, M> {
    #[inline(always)]
    pub(crate) fn new(s: S) -> Self {
        Self(s, PhantomData)
    }
}

impl<S: Copy, M> Clone for Lanes<S, M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Copy, M> Copy for Lanes<S, M> {}

impl<S: Simd, M: Step> Arith for Lanes<S, M> {
    type Query = f32;
    type Code = f32;
    type Value = f32;
    type QueryChunk = S::Chunk;
    type CodeChunk = S::Chunk;
    type Reg = S::V;
    type Acc = M::Acc<S>;
    type Context = f32;

    #[inline(always)]
    fn query_chunks(self, x: &[f32]) -> (&[S::Chunk], &[f32]) {
        self.0.chunks(x)
    }

    #[inline(always)]
    fn code_chunks(self, x: &[f32]) -> (&[S::Chunk], &[f32]) {
        self.0.chunks(x)
    }

    #[inline(always)]
    fn load(self, x: &S::Chunk) -> S::V {
        self.0.load(x)
    }

    #[inline(always)]
    fn load_tail(self, x: &[f32]) -> S::V {
        self.0.load_partial(x)
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
    fn first(self, q: S::V, c: &S::Chunk) -> M::Acc<S> {
        M::first(self.0, q, self.0.load(c))
    }

    #[inline(always)]
    fn first_tail(self, q: S::V, c: &[f32]) -> M::Acc<S> {
        M::first(self.0, q, self.0.load_partial(c))
    }

    #[inline(always)]
    fn step(self, acc: M::Acc<S>, q: S::V, c: &S::Chunk) -> M::Acc<S> {
        M::step(self.0, acc, q, self.0.load(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: M::Acc<S>, q: S::V, c: &[f32]) -> M::Acc<S> {
        M::step(self.0, acc, q, self.0.load_partial(c))
    }

    #[inline(always)]
    fn join(self, a: M::Acc<S>, b: M::Acc<S>) -> M::Acc<S> {
        M::join(self.0, a, b)
    }

    #[inline(always)]
    fn finish(self, acc: M::Acc<S>, context: f32) -> f32 {
        M::finish(self.0, acc, context)
    }

    #[inline(always)]
    fn finish4(self, acc: [M::Acc<S>; 4], context: f32) -> [f32; 4] {
        M::finish4(self.0, acc, context)
    }

    #[inline(always)]
    fn prefetch(self, x: &f32) {
        self.0.prefetch(x);
    }
}
