//! Metrics over a level's exact products.

use super::{Byte, Cosine, Dot, L2Sq, Lanes, Rows, Sums};
use crate::loops::arith::{Arith, FromToken};

/// A metric: what it sums, and what the sums come to.
pub(crate) trait Metric: Copy + 'static {
    /// The value.
    type Value<E: Byte>: Copy + 'static;
    /// Its sums, still spread over lanes.
    type Acc<V: Copy>: Copy;
    /// What depends on the query alone.
    fn context<L: Lanes, E: Byte>(_l: L, _query: &[E]) -> i32 {
        0
    }
    /// Nothing summed.
    fn zero<L: Lanes>(l: L) -> Self::Acc<L::V>;
    /// One more chunk.
    fn step<L: Lanes, E: Byte>(l: L, acc: Self::Acc<L::V>, q: L::R, c: L::R) -> Self::Acc<L::V>;
    /// Both.
    fn join<L: Lanes>(l: L, a: Self::Acc<L::V>, b: Self::Acc<L::V>) -> Self::Acc<L::V>;
    /// The value.
    fn finish<L: Lanes, E: Byte>(l: L, acc: Self::Acc<L::V>, context: i32) -> Self::Value<E>;
    /// The values of four rows.
    #[inline(always)]
    fn finish4<L: Lanes, E: Byte>(
        l: L,
        acc: [Self::Acc<L::V>; 4],
        context: i32,
    ) -> [Self::Value<E>; 4] {
        [
            Self::finish::<L, E>(l, acc[0], context),
            Self::finish::<L, E>(l, acc[1], context),
            Self::finish::<L, E>(l, acc[2], context),
            Self::finish::<L, E>(l, acc[3], context),
        ]
    }
}

impl Metric for Dot {
    type Value<E: Byte> = E::Dot;
    type Acc<V: Copy> = V;

    #[inline(always)]
    fn zero<L: Lanes>(l: L) -> L::V {
        l.zero()
    }

    #[inline(always)]
    fn step<L: Lanes, E: Byte>(l: L, acc: L::V, q: L::R, c: L::R) -> L::V {
        l.dot::<E>(acc, q, c)
    }

    #[inline(always)]
    fn join<L: Lanes>(l: L, a: L::V, b: L::V) -> L::V {
        l.add(a, b)
    }

    #[inline(always)]
    fn finish<L: Lanes, E: Byte>(l: L, acc: L::V, _: i32) -> E::Dot {
        E::dot(l.sum(acc))
    }

    #[inline(always)]
    fn finish4<L: Lanes, E: Byte>(l: L, acc: [L::V; 4], _: i32) -> [E::Dot; 4] {
        let [a, b, c, d] = l.sum4(acc);
        [E::dot(a), E::dot(b), E::dot(c), E::dot(d)]
    }
}

impl Metric for L2Sq {
    type Value<E: Byte> = u32;
    type Acc<V: Copy> = V;

    #[inline(always)]
    fn zero<L: Lanes>(l: L) -> L::V {
        l.zero()
    }

    #[inline(always)]
    fn step<L: Lanes, E: Byte>(l: L, acc: L::V, q: L::R, c: L::R) -> L::V {
        l.l2sq::<E>(acc, q, c)
    }

    #[inline(always)]
    fn join<L: Lanes>(l: L, a: L::V, b: L::V) -> L::V {
        l.add(a, b)
    }

    #[inline(always)]
    fn finish<L: Lanes, E: Byte>(l: L, acc: L::V, _: i32) -> u32 {
        l.sum(acc).cast_unsigned()
    }

    #[inline(always)]
    fn finish4<L: Lanes, E: Byte>(l: L, acc: [L::V; 4], _: i32) -> [u32; 4] {
        unsigned4(l.sum4(acc))
    }
}

/// Both norms in the pass.
impl Metric for Cosine {
    type Value<E: Byte> = f32;
    type Acc<V: Copy> = [V; 3];

    #[inline(always)]
    fn zero<L: Lanes>(l: L) -> [L::V; 3] {
        [l.zero(); 3]
    }

    #[inline(always)]
    fn step<L: Lanes, E: Byte>(l: L, acc: [L::V; 3], q: L::R, c: L::R) -> [L::V; 3] {
        [l.dot::<E>(acc[0], q, c), l.dot::<E>(acc[1], q, q), l.dot::<E>(acc[2], c, c)]
    }

    #[inline(always)]
    fn join<L: Lanes>(l: L, a: [L::V; 3], b: [L::V; 3]) -> [L::V; 3] {
        [l.add(a[0], b[0]), l.add(a[1], b[1]), l.add(a[2], b[2])]
    }

    #[inline(always)]
    fn finish<L: Lanes, E: Byte>(l: L, acc: [L::V; 3], _: i32) -> f32 {
        let [xy, xx, yy, _] = l.sum4([acc[0], acc[1], acc[2], acc[2]]);
        cosine::<E>(xy, xx, yy)
    }
}

/// The query's norm known: a product and the row's norm.
impl Metric for Rows<Cosine> {
    type Value<E: Byte> = f32;
    type Acc<V: Copy> = [V; 2];

    #[inline(always)]
    fn context<L: Lanes, E: Byte>(l: L, query: &[E]) -> i32 {
        let (chunks, tail) = l.chunks(query);
        let mut acc = l.zero();
        for chunk in chunks {
            let x = l.load(chunk);
            acc = l.dot::<E>(acc, x, x);
        }
        let x = l.load_tail(tail);
        l.sum(l.dot::<E>(acc, x, x))
    }

    #[inline(always)]
    fn zero<L: Lanes>(l: L) -> [L::V; 2] {
        [l.zero(); 2]
    }

    #[inline(always)]
    fn step<L: Lanes, E: Byte>(l: L, acc: [L::V; 2], q: L::R, c: L::R) -> [L::V; 2] {
        [l.dot::<E>(acc[0], q, c), l.dot::<E>(acc[1], c, c)]
    }

    #[inline(always)]
    fn join<L: Lanes>(l: L, a: [L::V; 2], b: [L::V; 2]) -> [L::V; 2] {
        [l.add(a[0], b[0]), l.add(a[1], b[1])]
    }

    #[inline(always)]
    fn finish<L: Lanes, E: Byte>(l: L, acc: [L::V; 2], xx: i32) -> f32 {
        cosine::<E>(l.sum(acc[0]), xx, l.sum(acc[1]))
    }

    #[inline(always)]
    fn finish4<L: Lanes, E: Byte>(l: L, acc: [[L::V; 2]; 4], xx: i32) -> [f32; 4] {
        let xy = l.sum4([acc[0][0], acc[1][0], acc[2][0], acc[3][0]]);
        let yy = l.sum4([acc[0][1], acc[1][1], acc[2][1], acc[3][1]]);
        cosine4::<E>(xy, xx, yy)
    }
}

/// Sums modulo 2^32 that are never negative.
#[inline(always)]
pub(super) fn unsigned4([a, b, c, d]: [i32; 4]) -> [u32; 4] {
    [a.cast_unsigned(), b.cast_unsigned(), c.cast_unsigned(), d.cast_unsigned()]
}

/// `1 - xy / sqrt(xx yy)` from exact sums; exactly 1 if a norm is 0.
///
/// Six roundings of a quotient of at most 1 (three sums to `f32`, of which two under the root count
/// half; product, also half; root; quotient), and one of the difference: below 8 units of 2^-24.
#[inline(always)]
pub(super) fn cosine<E: Byte>(xy: i32, xx: i32, yy: i32) -> f32 {
    // A product of whole numbers is 0 or at least 1; where it is 0, so is `xy`. Squared norms of
    // `i8` fit an `i32` as far as its `dot` does.
    1.0 - E::float(xy) / (E::float(xx) * E::float(yy)).max(1.0).sqrt()
}

/// Four rows side by side: one root and one division of four lanes.
#[inline(always)]
pub(super) fn cosine4<E: Byte>(xy: [i32; 4], xx: i32, yy: [i32; 4]) -> [f32; 4] {
    let xx = E::float(xx);
    let mut out = [0.0; 4];
    for r in 0..4 {
        out[r] = 1.0 - E::float(xy[r]) / (xx * E::float(yy[r])).max(1.0).sqrt();
    }
    out
}

impl<L: Lanes, M: Metric, E: Byte> FromToken for Sums<L, M, E> {
    type Token = L;

    #[inline(always)]
    fn at(token: L) -> Self {
        Self(token, core::marker::PhantomData)
    }
}

impl<L: Lanes, M: Metric, E: Byte> Arith for Sums<L, M, E> {
    type Query = E;
    type Code = E;
    type Value = M::Value<E>;
    type QueryChunk = L::Chunk<E>;
    type CodeChunk = L::Chunk<E>;
    type Reg = L::R;
    type Acc = M::Acc<L::V>;
    type Context = i32;

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
    fn context(self, query: &[E]) -> i32 {
        M::context(self.0, query)
    }

    #[inline(always)]
    fn zero(self) -> Self::Acc {
        M::zero(self.0)
    }

    #[inline(always)]
    fn step(self, acc: Self::Acc, q: L::R, c: &L::Chunk<E>) -> Self::Acc {
        M::step::<L, E>(self.0, acc, q, self.0.load(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: Self::Acc, q: L::R, c: &[E]) -> Self::Acc {
        M::step::<L, E>(self.0, acc, q, self.0.load_tail(c))
    }

    #[inline(always)]
    fn join(self, a: Self::Acc, b: Self::Acc) -> Self::Acc {
        M::join(self.0, a, b)
    }

    #[inline(always)]
    fn finish(self, acc: Self::Acc, context: i32) -> M::Value<E> {
        M::finish::<L, E>(self.0, acc, context)
    }

    #[inline(always)]
    fn finish4(self, acc: [Self::Acc; 4], context: i32) -> [M::Value<E>; 4] {
        M::finish4::<L, E>(self.0, acc, context)
    }

    #[inline(always)]
    fn prefetch(self, x: &E) {
        self.0.prefetch(x);
    }
}
