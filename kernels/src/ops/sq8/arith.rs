//! The metrics as the loops take them: a prepared query of `f32` against codes.

use core::marker::PhantomData;

use crate::isa::sq8::Codes;
use crate::isa::tokens::Token;
use crate::loops::arith::{Arith, FromToken};

/// A metric as a step between a prepared query's lanes and the codes as numbers.
pub(crate) trait Metric: 'static {
    /// One more register.
    fn step<S: Codes>(s: S, acc: S::V, q: S::V, c: S::V) -> S::V;
    /// The value of the sum; the constant stands behind the prepared query.
    fn value(sum: f32, constant: f32) -> f32;
}

/// The inner product: products, and the biases' share.
pub(crate) struct Dot;

/// The squared distance with one scale: in units of the scale, then in those of the vectors.
pub(crate) struct L2Sq;

impl Metric for Dot {
    #[inline(always)]
    fn step<S: Codes>(s: S, acc: S::V, q: S::V, c: S::V) -> S::V {
        s.mul_add(q, c, acc)
    }

    #[inline(always)]
    fn value(sum: f32, constant: f32) -> f32 {
        sum + constant
    }
}

impl Metric for L2Sq {
    #[inline(always)]
    fn step<S: Codes>(s: S, acc: S::V, q: S::V, c: S::V) -> S::V {
        let d = s.sub(q, c);
        s.mul_add(d, d, acc)
    }

    #[inline(always)]
    fn value(sum: f32, constant: f32) -> f32 {
        sum * constant
    }
}

/// Metric `M` on a query of `dim` elements with a constant behind them.
pub(crate) struct Lanes<S, M>(S, PhantomData<fn() -> M>);

/// The squared distance with a scale for each dimension.
#[derive(Clone, Copy)]
pub(crate) struct PerDimension<S>(S);

impl<S: Copy, M> Clone for Lanes<S, M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Copy, M> Copy for Lanes<S, M> {}

impl<S: Token + Codes, M: Metric> FromToken for Lanes<S, M> {
    type Token = S;

    #[inline(always)]
    fn at(token: S) -> Self {
        Self(token, PhantomData)
    }
}

impl<S: Token + Codes> FromToken for PerDimension<S> {
    type Token = S;

    #[inline(always)]
    fn at(token: S) -> Self {
        Self(token)
    }
}

impl<S: Codes, M: Metric> Arith for Lanes<S, M> {
    type Query = f32;
    type Code = u8;
    type Value = f32;
    type QueryChunk = S::Chunk;
    type CodeChunk = S::Bytes;
    type Reg = S::V;
    type Acc = S::V;
    /// The constant behind the query.
    type Context = f32;

    #[inline(always)]
    fn query_chunks(self, x: &[f32]) -> (&[S::Chunk], &[f32]) {
        self.0.chunks(&x[..x.len().saturating_sub(1)])
    }

    #[inline(always)]
    fn code_chunks(self, x: &[u8]) -> (&[S::Bytes], &[u8]) {
        self.0.byte_chunks(x)
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
        query.last().copied().unwrap_or(0.0)
    }

    #[inline(always)]
    fn zero(self) -> S::V {
        self.0.zero()
    }

    #[inline(always)]
    fn step(self, acc: S::V, q: S::V, c: &S::Bytes) -> S::V {
        M::step(self.0, acc, q, self.0.widen(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: S::V, q: S::V, c: &[u8]) -> S::V {
        M::step(self.0, acc, q, self.0.widen_partial(c))
    }

    #[inline(always)]
    fn join(self, a: S::V, b: S::V) -> S::V {
        self.0.add(a, b)
    }

    #[inline(always)]
    fn finish(self, acc: S::V, constant: f32) -> f32 {
        M::value(self.0.sum(acc), constant)
    }

    #[inline(always)]
    fn finish4(self, acc: [S::V; 4], constant: f32) -> [f32; 4] {
        let [a, b, c, d] = self.0.sum4(acc);
        [M::value(a, constant), M::value(b, constant), M::value(c, constant), M::value(d, constant)]
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.0.prefetch_byte(x);
    }
}

/// Values of a block of a query with scales.
pub(super) const BLOCK: usize = 16;

/// A block's registers, differences and scales in turn: as many as the narrowest level has.
type Block<V> = [[V; 2]; 4];

impl<S: Codes> PerDimension<S> {
    /// Register `i` of up to a block of elements; zeros behind their end.
    #[inline(always)]
    fn register(self, x: &[f32], i: usize) -> S::V {
        let (chunks, rest) = self.0.chunks(x);
        match chunks.get(i) {
            Some(chunk) => self.0.load(chunk),
            None if i == chunks.len() => self.0.load_partial(rest),
            None => self.0.zero(),
        }
    }

    #[inline(always)]
    fn block(self, differences: &[f32], scales: &[f32]) -> Block<S::V> {
        let mut block = [[self.0.zero(); 2]; 4];
        for (i, b) in block.iter_mut().enumerate().take(BLOCK / S::LANES) {
            *b = [self.register(differences, i), self.register(scales, i)];
        }
        block
    }

    /// `(q - bias - scale c)^2`; the scale is kept negative.
    #[inline(always)]
    fn add(self, acc: S::V, q: [S::V; 2], c: S::V) -> S::V {
        let d = self.0.mul_add(q[1], c, q[0]);
        self.0.mul_add(d, d, acc)
    }
}

impl<S: Codes> Arith for PerDimension<S> {
    type Query = f32;
    type Code = u8;
    type Value = f32;
    type QueryChunk = [f32; 2 * BLOCK];
    type CodeChunk = [u8; BLOCK];
    type Reg = Block<S::V>;
    type Acc = S::V;
    type Context = ();

    #[inline(always)]
    fn query_chunks(self, x: &[f32]) -> (&[[f32; 2 * BLOCK]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn code_chunks(self, x: &[u8]) -> (&[[u8; BLOCK]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[f32; 2 * BLOCK]) -> Block<S::V> {
        let (differences, scales) = x.split_at(BLOCK);
        self.block(differences, scales)
    }

    #[inline(always)]
    fn load_tail(self, x: &[f32]) -> Block<S::V> {
        let (differences, scales) = x.split_at(x.len() / 2);
        self.block(differences, scales)
    }

    #[inline(always)]
    fn context(self, _query: &[f32]) {}

    #[inline(always)]
    fn zero(self) -> S::V {
        self.0.zero()
    }

    #[inline(always)]
    fn step(self, acc: S::V, q: Block<S::V>, c: &[u8; BLOCK]) -> S::V {
        let (chunks, _) = self.0.byte_chunks(c);
        let mut acc = acc;
        for (i, &q) in q.iter().enumerate().take(BLOCK / S::LANES) {
            acc = self.add(acc, q, self.0.widen(&chunks[i]));
        }
        acc
    }

    #[inline(always)]
    fn step_tail(self, acc: S::V, q: Block<S::V>, c: &[u8]) -> S::V {
        let (chunks, rest) = self.0.byte_chunks(c);
        let mut acc = acc;
        for (i, &q) in q.iter().enumerate().take(BLOCK / S::LANES) {
            if let Some(chunk) = chunks.get(i) {
                acc = self.add(acc, q, self.0.widen(chunk));
            } else if i == chunks.len() && !rest.is_empty() {
                acc = self.add(acc, q, self.0.widen_partial(rest));
            }
        }
        acc
    }

    #[inline(always)]
    fn join(self, a: S::V, b: S::V) -> S::V {
        self.0.add(a, b)
    }

    #[inline(always)]
    fn finish(self, acc: S::V, (): ()) -> f32 {
        self.0.sum(acc)
    }

    #[inline(always)]
    fn finish4(self, acc: [S::V; 4], (): ()) -> [f32; 4] {
        self.0.sum4(acc)
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.0.prefetch_byte(x);
    }
}
