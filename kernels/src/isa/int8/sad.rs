//! Sums of absolute differences of `u8`, which most levels have an instruction for.

use super::metric::unsigned4;
use super::{Lanes, Sads};
use crate::loops::arith::{Arith, FromToken};

/// A level's sums of absolute differences.
pub(crate) trait Sad: Lanes {
    /// Bytes in a register.
    type B: Copy;
    /// As many as it holds.
    type Bytes: Copy + 'static;
    /// Whole registers and a rest shorter than one.
    fn byte_chunks(self, x: &[u8]) -> (&[Self::Bytes], &[u8]);
    /// A whole register.
    fn load_bytes(self, x: &Self::Bytes) -> Self::B;
    /// Less than a register, padded with zeros; reads nothing beyond it.
    fn load_bytes_tail(self, x: &[u8]) -> Self::B;
    /// `acc` and the absolute differences of `a` and `b`.
    fn sad(self, acc: Self::V, a: Self::B, b: Self::B) -> Self::V;
}

impl<L: Sad> FromToken for Sads<L> {
    type Token = L;

    #[inline(always)]
    fn at(token: L) -> Self {
        Self(token)
    }
}

impl<L: Sad> Arith for Sads<L> {
    type Query = u8;
    type Code = u8;
    type Value = u32;
    type QueryChunk = L::Bytes;
    type CodeChunk = L::Bytes;
    type Reg = L::B;
    type Acc = L::V;
    type Context = ();

    #[inline(always)]
    fn query_chunks(self, x: &[u8]) -> (&[L::Bytes], &[u8]) {
        self.0.byte_chunks(x)
    }

    #[inline(always)]
    fn code_chunks(self, x: &[u8]) -> (&[L::Bytes], &[u8]) {
        self.0.byte_chunks(x)
    }

    #[inline(always)]
    fn load(self, x: &L::Bytes) -> L::B {
        self.0.load_bytes(x)
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> L::B {
        self.0.load_bytes_tail(x)
    }

    #[inline(always)]
    fn context(self, _query: &[u8]) {}

    #[inline(always)]
    fn zero(self) -> L::V {
        self.0.zero()
    }

    #[inline(always)]
    fn step(self, acc: L::V, q: L::B, c: &L::Bytes) -> L::V {
        self.0.sad(acc, q, self.0.load_bytes(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: L::V, q: L::B, c: &[u8]) -> L::V {
        self.0.sad(acc, q, self.0.load_bytes_tail(c))
    }

    #[inline(always)]
    fn join(self, a: L::V, b: L::V) -> L::V {
        self.0.add(a, b)
    }

    #[inline(always)]
    fn finish(self, acc: L::V, (): ()) -> u32 {
        self.0.sum(acc).cast_unsigned()
    }

    #[inline(always)]
    fn finish4(self, acc: [L::V; 4], (): ()) -> [u32; 4] {
        unsigned4(self.0.sum4(acc))
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.0.prefetch(x);
    }
}
