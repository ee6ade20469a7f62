//! The metrics as the loops take them: codes against codes, and a signed query against codes.

use core::marker::PhantomData;

use super::metric::{L2Norms, Metric};
use crate::isa::int4::{Nibbles, bytes};
use crate::isa::tokens::Token;
use crate::loops::arith::{Arith, FromToken, NormArith};
use crate::shape::CodeNorms;

/// Metric `M` between packed codes, at the level of the token `S`.
pub(crate) struct Packed<S, M>(S, PhantomData<fn() -> M>);

/// Metric `M` between a query of signed bytes, in the order of
/// [`int4_query`](super::layout::int4_query), and packed codes.
pub(crate) struct Split<S, M>(S, PhantomData<fn() -> M>);

macro_rules! values {
    ($($name:ident)*) => {$(
        impl<S: Copy, M> Clone for $name<S, M> {
            #[inline(always)]
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<S: Copy, M> Copy for $name<S, M> {}

        impl<S: Token + Nibbles, M: Metric> FromToken for $name<S, M> {
            type Token = S;

            #[inline(always)]
            fn at(token: S) -> Self {
                Self(token, PhantomData)
            }
        }
    )*};
}

values! { Packed Split }

impl<S: Nibbles, M: Metric> Packed<S, M> {
    #[inline(always)]
    fn split(self, q: S::V) -> [S::V; 2] {
        [self.0.low(q), self.0.high(q)]
    }

    #[inline(always)]
    fn prepare(self, q: S::V) -> [S::V; 2] {
        let [even, odd] = self.split(q);
        M::prepare(self.0, even, odd)
    }

    #[inline(always)]
    fn add_squares(self, acc: S::V, q: S::V) -> S::V {
        let [even, odd] = self.split(q);
        self.0.products(acc, [even, even], [odd, odd])
    }
}

/// The sums of four rows.
#[inline(always)]
fn sum4<S: Nibbles, M: Metric>(s: S, acc: [M::Acc<S>; 4]) -> [i32; 4] {
    s.sum4([M::sums(s, acc[0]), M::sums(s, acc[1]), M::sums(s, acc[2]), M::sums(s, acc[3])])
}

impl<S: Nibbles, M: Metric> Arith for Packed<S, M> {
    type Query = u8;
    type Code = u8;
    type Value = u32;
    type QueryChunk = S::Chunk;
    type CodeChunk = S::Chunk;
    type Reg = [S::V; 2];
    type Acc = M::Acc<S>;
    /// The sum of the query's squares.
    type Context = i32;

    #[inline(always)]
    fn query_chunks(self, x: &[u8]) -> (&[S::Chunk], &[u8]) {
        self.0.chunks(x)
    }

    #[inline(always)]
    fn code_chunks(self, x: &[u8]) -> (&[S::Chunk], &[u8]) {
        self.0.chunks(x)
    }

    #[inline(always)]
    fn load(self, x: &S::Chunk) -> [S::V; 2] {
        self.prepare(self.0.load(x))
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> [S::V; 2] {
        self.prepare(self.0.load_partial(x))
    }

    #[inline(always)]
    fn context(self, query: &[u8]) -> i32 {
        if !M::SQUARES {
            return 0;
        }
        let (chunks, tail) = self.0.chunks(query);
        let mut acc = self.0.zero();
        for chunk in chunks {
            acc = self.add_squares(acc, self.0.load(chunk));
        }
        self.0.sum(self.add_squares(acc, self.0.load_partial(tail)))
    }

    #[inline(always)]
    fn zero(self) -> M::Acc<S> {
        M::zero(self.0)
    }

    #[inline(always)]
    fn step(self, acc: M::Acc<S>, q: [S::V; 2], c: &S::Chunk) -> M::Acc<S> {
        M::step(self.0, acc, q, self.0.load(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: M::Acc<S>, q: [S::V; 2], c: &[u8]) -> M::Acc<S> {
        M::step(self.0, acc, q, self.0.load_partial(c))
    }

    #[inline(always)]
    fn join(self, a: M::Acc<S>, b: M::Acc<S>) -> M::Acc<S> {
        M::join(self.0, a, b)
    }

    #[inline(always)]
    fn finish(self, acc: M::Acc<S>, squares: i32) -> u32 {
        self.0.sum(M::sums(self.0, acc)).wrapping_add(squares) as u32
    }

    #[inline(always)]
    fn finish4(self, acc: [M::Acc<S>; 4], squares: i32) -> [u32; 4] {
        let [a, b, c, d] = sum4::<S, M>(self.0, acc);
        [
            a.wrapping_add(squares) as u32,
            b.wrapping_add(squares) as u32,
            c.wrapping_add(squares) as u32,
            d.wrapping_add(squares) as u32,
        ]
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.0.prefetch(x);
    }
}

/// Bytes of a row in a block of the query's order; twice as many values.
pub(super) const BLOCK: usize = 64;

/// The query's registers of one block, even and odd places in turn: as many as the narrowest
/// level has, the rest unused.
type Block<S> = [[<S as Nibbles>::V; 2]; 4];

impl<S: Nibbles, M: Metric> Split<S, M> {
    /// Register `i` of up to 64 bytes; zeros behind their end.
    #[inline(always)]
    fn register(self, x: &[u8], i: usize) -> S::V {
        let (chunks, rest) = self.0.chunks(x);
        match chunks.get(i) {
            Some(chunk) => self.0.load(chunk),
            None if i == chunks.len() => self.0.load_partial(rest),
            None => self.0.zero(),
        }
    }

    /// The registers of a block's values at even and at odd places.
    #[inline(always)]
    fn block(self, even: &[u8], odd: &[u8]) -> Block<S> {
        let mut block = [[self.0.zero(); 2]; 4];
        for i in 0..BLOCK / S::LANES {
            let (even, odd) = (self.register(even, i), self.register(odd, i));
            block[i] = M::prepare(self.0, even, odd);
        }
        block
    }
}

impl<S: Nibbles, M: Metric> Arith for Split<S, M> {
    type Query = i8;
    type Code = u8;
    type Value = M::Signed;
    type QueryChunk = [i8; 2 * BLOCK];
    type CodeChunk = [u8; BLOCK];
    type Reg = Block<S>;
    type Acc = M::Acc<S>;
    /// The sum of the query's squares.
    type Context = i32;

    #[inline(always)]
    fn query_chunks(self, x: &[i8]) -> (&[[i8; 2 * BLOCK]], &[i8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn code_chunks(self, x: &[u8]) -> (&[[u8; BLOCK]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[i8; 2 * BLOCK]) -> Block<S> {
        let (even, odd) = x.split_at(BLOCK);
        self.block(bytes(even), bytes(odd))
    }

    #[inline(always)]
    fn load_tail(self, x: &[i8]) -> Block<S> {
        let (even, odd) = x.split_at(x.len() / 2);
        self.block(bytes(even), bytes(odd))
    }

    #[inline(always)]
    fn context(self, query: &[i8]) -> i32 {
        if !M::SQUARES {
            return 0;
        }
        let mut sum = 0i32;
        for &q in query {
            sum = sum.wrapping_add(i32::from(q) * i32::from(q));
        }
        sum
    }

    #[inline(always)]
    fn zero(self) -> M::Acc<S> {
        M::zero(self.0)
    }

    #[inline(always)]
    fn step(self, acc: M::Acc<S>, q: Block<S>, c: &[u8; BLOCK]) -> M::Acc<S> {
        let mut acc = acc;
        for i in 0..BLOCK / S::LANES {
            acc = M::step(self.0, acc, q[i], self.register(c, i));
        }
        acc
    }

    #[inline(always)]
    fn step_tail(self, acc: M::Acc<S>, q: Block<S>, c: &[u8]) -> M::Acc<S> {
        let mut acc = acc;
        for i in 0..BLOCK / S::LANES {
            if c.len() > i * S::LANES {
                acc = M::step(self.0, acc, q[i], self.register(c, i));
            }
        }
        acc
    }

    #[inline(always)]
    fn join(self, a: M::Acc<S>, b: M::Acc<S>) -> M::Acc<S> {
        M::join(self.0, a, b)
    }

    #[inline(always)]
    fn finish(self, acc: M::Acc<S>, squares: i32) -> M::Signed {
        M::signed(self.0.sum(M::sums(self.0, acc)).wrapping_add(squares))
    }

    #[inline(always)]
    fn finish4(self, acc: [M::Acc<S>; 4], squares: i32) -> [M::Signed; 4] {
        let [a, b, c, d] = sum4::<S, M>(self.0, acc);
        [
            M::signed(a.wrapping_add(squares)),
            M::signed(b.wrapping_add(squares)),
            M::signed(c.wrapping_add(squares)),
            M::signed(d.wrapping_add(squares)),
        ]
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.0.prefetch(x);
    }
}

/// The squared distance from an inner product: exact modulo 2^32, and so exact.
#[inline(always)]
fn from_norms(dot: u32, query: CodeNorms, row: CodeNorms) -> u32 {
    let squares = (query.norm_sq as u32).wrapping_add(row.norm_sq as u32);
    squares.wrapping_sub(dot.wrapping_mul(2))
}

macro_rules! norms {
    ($($name:ident)*) => {$(
        impl<S: Nibbles> NormArith for $name<S, L2Norms> {
            type Norm = CodeNorms;

            #[inline(always)]
            fn finish_norms(self, acc: S::Dot, query: CodeNorms, row: CodeNorms) -> u32 {
                from_norms(self.finish(acc, 0), query, row)
            }

            #[inline(always)]
            fn finish4_norms(
                self,
                acc: [S::Dot; 4],
                query: CodeNorms,
                rows: &[CodeNorms; 4],
            ) -> [u32; 4] {
                let [a, b, c, d] = self.finish4(acc, 0);
                [
                    from_norms(a, query, rows[0]),
                    from_norms(b, query, rows[1]),
                    from_norms(c, query, rows[2]),
                    from_norms(d, query, rows[3]),
                ]
            }
        }
    )*};
}

norms! { Packed Split }
