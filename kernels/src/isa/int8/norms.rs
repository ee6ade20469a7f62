//! Metrics from an inner product and what is cached of both vectors: `|a - b|^2` is
//! `|a|^2 + |b|^2 - 2ab` exactly, in whole numbers, so it costs what an inner product costs.

use core::marker::PhantomData;

use super::metric::{cosine, cosine4, unsigned4};
use super::{Byte, Cosine, Dot, L2Sq, Lanes, Norms};
use crate::loops::arith::{Arith, FromToken, NormArith};
use crate::shape::CodeNorms;

/// A metric of an inner product and norms.
pub(crate) trait NormMetric: Copy + 'static {
    /// The value.
    type Value<E: Byte>: Copy + 'static;
    /// The value of a product.
    fn value<E: Byte>(dot: i32, q: CodeNorms, c: CodeNorms) -> Self::Value<E>;
    /// Those of four rows.
    fn values4<E: Byte>(dot: [i32; 4], q: CodeNorms, c: &[CodeNorms; 4]) -> [Self::Value<E>; 4];
}

impl NormMetric for Dot {
    type Value<E: Byte> = E::Dot;

    #[inline(always)]
    fn value<E: Byte>(dot: i32, _: CodeNorms, _: CodeNorms) -> E::Dot {
        E::dot(dot)
    }

    #[inline(always)]
    fn values4<E: Byte>([a, b, c, d]: [i32; 4], _: CodeNorms, _: &[CodeNorms; 4]) -> [E::Dot; 4] {
        [E::dot(a), E::dot(b), E::dot(c), E::dot(d)]
    }
}

impl NormMetric for L2Sq {
    type Value<E: Byte> = u32;

    #[inline(always)]
    fn value<E: Byte>(dot: i32, q: CodeNorms, c: CodeNorms) -> u32 {
        let norms = q.norm_sq.wrapping_add(c.norm_sq);
        norms.wrapping_sub(dot.wrapping_mul(2)).cast_unsigned()
    }

    #[inline(always)]
    fn values4<E: Byte>(dot: [i32; 4], q: CodeNorms, c: &[CodeNorms; 4]) -> [u32; 4] {
        let mut out = [0; 4];
        for r in 0..4 {
            let norms = q.norm_sq.wrapping_add(c[r].norm_sq);
            out[r] = norms.wrapping_sub(dot[r].wrapping_mul(2));
        }
        unsigned4(out)
    }
}

impl NormMetric for Cosine {
    type Value<E: Byte> = f32;

    #[inline(always)]
    fn value<E: Byte>(dot: i32, q: CodeNorms, c: CodeNorms) -> f32 {
        cosine::<E>(dot, q.norm_sq, c.norm_sq)
    }

    #[inline(always)]
    fn values4<E: Byte>(dot: [i32; 4], q: CodeNorms, c: &[CodeNorms; 4]) -> [f32; 4] {
        let yy = [c[0].norm_sq, c[1].norm_sq, c[2].norm_sq, c[3].norm_sq];
        cosine4::<E>(dot, q.norm_sq, yy)
    }
}

impl<L: Lanes, M: NormMetric, E: Byte> FromToken for Norms<L, M, E> {
    type Token = L;

    #[inline(always)]
    fn at(token: L) -> Self {
        Self(token, PhantomData)
    }
}

impl<L: Lanes, M: NormMetric, E: Byte> Arith for Norms<L, M, E> {
    type Query = E;
    type Code = E;
    type Value = M::Value<E>;
    type QueryChunk = L::Chunk<E>;
    type CodeChunk = L::Chunk<E>;
    type Reg = L::R;
    type Acc = L::V;
    type Context = ();

    #[inline(always)]
    fn query_chunks(self, x: &[E]) -> (&[L::Chunk<E>], &[E]) {
        self.0.chunks(x)
    }

    #[inline(always)]
    fn code_chunks(self, x: &[E]) -> (&[L::Chunk<E>], &[E]) {
        self.0.chunks(x)
    }

    #[inline(always)]
    fn load(self, x: &L::Chunk<E>) -> L::R {
        self.0.load(x)
    }

    #[inline(always)]
    fn load_tail(self, x: &[E]) -> L::R {
        self.0.load_tail(x)
    }

    #[inline(always)]
    fn context(self, _query: &[E]) {}

    #[inline(always)]
    fn zero(self) -> L::V {
        self.0.zero()
    }

    #[inline(always)]
    fn step(self, acc: L::V, q: L::R, c: &L::Chunk<E>) -> L::V {
        self.0.dot::<E>(acc, q, self.0.load(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: L::V, q: L::R, c: &[E]) -> L::V {
        self.0.dot::<E>(acc, q, self.0.load_tail(c))
    }

    #[inline(always)]
    fn join(self, a: L::V, b: L::V) -> L::V {
        self.0.add(a, b)
    }

    /// As if both norms were 0: the loops with norms never ask for it.
    #[inline(always)]
    fn finish(self, acc: L::V, (): ()) -> M::Value<E> {
        self.finish_norms(acc, CodeNorms::default(), CodeNorms::default())
    }

    #[inline(always)]
    fn prefetch(self, x: &E) {
        self.0.prefetch(x);
    }
}

impl<L: Lanes, M: NormMetric, E: Byte> NormArith for Norms<L, M, E> {
    type Norm = CodeNorms;

    #[inline(always)]
    fn finish_norms(self, acc: L::V, query: CodeNorms, row: CodeNorms) -> M::Value<E> {
        M::value::<E>(self.0.sum(acc), query, row)
    }

    #[inline(always)]
    fn finish4_norms(
        self,
        acc: [L::V; 4],
        query: CodeNorms,
        rows: &[CodeNorms; 4],
    ) -> [M::Value<E>; 4] {
        M::values4::<E>(self.0.sum4(acc), query, rows)
    }
}
