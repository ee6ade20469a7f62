//! `vpdpbusd`: 64 products of unsigned by signed bytes, four to a 32-bit lane.
//!
//! A vector `x` is taken in two forms, 128 apart: `U`, unsigned, and `S = U - 128`, signed. One of
//! them is the bytes as they are, the other a flip of their top bits. Products of `U` by `S` are the
//! wanted ones and an excess:
//!
//! | | elements are | wanted product | as it is computed | less the bias |
//! |---|---|---|---|---|
//! | `i8` | S | S(a) S(b) | U(b) S(a) | 128 S(a) |
//! | `u8` | U | U(a) U(b) | U(a) S(b) | -128 U(a) |
//!
//! The bias of a query is known once a scan, that of a row is cached with its norm, and that of a
//! pair is summed in the same pass by a second `vpdpbusd` with a constant. Squared distances need no
//! correction at all: `(a - b)^2 = (U(a) - U(b)) (S(a) - S(b))`, and the four products of that are
//! of unsigned by signed bytes.
//!
//! Behind a tail the elements are zero, so the form they came in is, and with it every product.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

mod metric;

use core::arch::x86_64::*;
use core::marker::PhantomData;

use metric::Biased;

use super::avx512::{mask, sum, sum4};
use super::norms::NormMetric;
use super::{Byte, Vnni, VnniNorms};
use crate::isa::tokens::Avx512Vnni;
use crate::loops::arith::{Arith, FromToken, NormArith};
use crate::shape::CodeNorms;

/// 64 elements in both forms. One that is not used is not computed.
#[derive(Clone, Copy)]
pub(crate) struct Forms {
    unsigned: __m512i,
    signed: __m512i,
}

type V = __m512i;

/// What is done with registers of the level.
impl Avx512Vnni {
    #[inline(always)]
    fn load<E: Byte>(self, x: &[E; 64]) -> Forms {
        // SAFETY: the token proves AVX-512; the chunk has 64 bytes; the load is unaligned.
        self.forms::<E>(unsafe { _mm512_loadu_si512(x.as_ptr().cast()) })
    }

    #[inline(always)]
    fn load_tail<E: Byte>(self, x: &[E]) -> Forms {
        // SAFETY: the token proves AVX-512BW; masked-off bytes are not read.
        self.forms::<E>(unsafe { _mm512_maskz_loadu_epi8(mask(x.len()), x.as_ptr().cast()) })
    }

    #[inline(always)]
    fn forms<E: Byte>(self, bytes: V) -> Forms {
        // SAFETY: the token proves AVX-512.
        let flipped = unsafe { flip(bytes) };
        if E::SIGNED {
            Forms { unsigned: flipped, signed: bytes }
        } else {
            Forms { unsigned: bytes, signed: flipped }
        }
    }

    #[inline(always)]
    fn zero(self) -> V {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn add(self, a: V, b: V) -> V {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: V, b: V) -> V {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_sub_epi32(a, b) }
    }

    /// `acc` and products of unsigned by signed bytes.
    #[inline(always)]
    fn products(self, acc: V, unsigned: V, signed: V) -> V {
        // SAFETY: the token proves VNNI.
        unsafe { _mm512_dpbusd_epi32(acc, unsigned, signed) }
    }

    /// `acc` and products of elements of `a` and `b`, with the bias of `a` in excess.
    #[inline(always)]
    fn cross<E: Byte>(self, acc: V, a: Forms, b: Forms) -> V {
        if E::SIGNED {
            self.products(acc, b.unsigned, a.signed)
        } else {
            self.products(acc, a.unsigned, b.signed)
        }
    }

    /// `acc` and the bias of `a`.
    #[inline(always)]
    fn bias<E: Byte>(self, acc: V, a: Forms) -> V {
        // SAFETY: the token proves AVX-512.
        let flips = unsafe { _mm512_set1_epi8(i8::MIN) };
        if E::SIGNED {
            self.products(acc, flips, a.signed)
        } else {
            self.products(acc, a.unsigned, flips)
        }
    }

    #[inline(always)]
    fn sum(self, v: V) -> i32 {
        // SAFETY: the token proves AVX-512.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [V; 4]) -> [i32; 4] {
        // SAFETY: the token proves AVX-512.
        let sums = unsafe { sum4(v) };
        let mut out = [0; 4];
        // SAFETY: `out` has 16 bytes; the store is unaligned.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
        out
    }

    /// Over a query, its bias or, if `OWN`, `U S`: its squared norm with the bias in excess.
    #[inline(always)]
    fn over<E: Byte, const OWN: bool>(self, query: &[E]) -> i32 {
        let (chunks, tail) = query.as_chunks::<64>();
        let mut acc = self.zero();
        for chunk in chunks {
            acc = self.one::<E, OWN>(acc, self.load(chunk));
        }
        self.sum(self.one::<E, OWN>(acc, self.load_tail(tail)))
    }

    #[inline(always)]
    fn one<E: Byte, const OWN: bool>(self, acc: V, q: Forms) -> V {
        if OWN { self.products(acc, q.unsigned, q.signed) } else { self.bias::<E>(acc, q) }
    }
}

/// Bytes 128 apart from these.
#[inline]
#[target_feature(enable = "avx512f")]
fn flip(v: V) -> V {
    _mm512_xor_si512(v, _mm512_set1_epi8(i8::MIN))
}

/// What both kinds of arithmetic say alike.
macro_rules! bytes {
    () => {
        type Query = E;
        type Code = E;
        type Value = M::Value<E>;
        type QueryChunk = [E; 64];
        type CodeChunk = [E; 64];
        type Reg = Forms;

        #[inline(always)]
        fn query_chunks(self, x: &[E]) -> (&[[E; 64]], &[E]) {
            x.as_chunks()
        }

        #[inline(always)]
        fn code_chunks(self, x: &[E]) -> (&[[E; 64]], &[E]) {
            x.as_chunks()
        }

        #[inline(always)]
        fn load(self, x: &[E; 64]) -> Forms {
            self.0.load(x)
        }

        #[inline(always)]
        fn load_tail(self, x: &[E]) -> Forms {
            self.0.load_tail(x)
        }

        #[inline(always)]
        fn prefetch(self, x: &E) {
            // SAFETY: a prefetch reads nothing that the program can see, at any address.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
        }
    };
}

impl<M: Biased, E: Byte> FromToken for Vnni<M, E> {
    type Token = Avx512Vnni;

    #[inline(always)]
    fn at(token: Avx512Vnni) -> Self {
        Self(token, PhantomData)
    }
}

impl<M: Biased, E: Byte> Arith for Vnni<M, E> {
    type Acc = M::Acc;
    type Context = M::Context;

    bytes! {}

    #[inline(always)]
    fn context(self, query: &[E]) -> M::Context {
        M::context(self.0, query)
    }

    #[inline(always)]
    fn zero(self) -> M::Acc {
        M::zero(self.0)
    }

    #[inline(always)]
    fn step(self, acc: M::Acc, q: Forms, c: &[E; 64]) -> M::Acc {
        M::step::<E>(self.0, acc, q, self.0.load(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: M::Acc, q: Forms, c: &[E]) -> M::Acc {
        M::step::<E>(self.0, acc, q, self.0.load_tail(c))
    }

    #[inline(always)]
    fn join(self, a: M::Acc, b: M::Acc) -> M::Acc {
        M::join(self.0, a, b)
    }

    #[inline(always)]
    fn finish(self, acc: M::Acc, context: M::Context) -> M::Value<E> {
        M::finish::<E>(self.0, acc, context)
    }

    #[inline(always)]
    fn finish4(self, acc: [M::Acc; 4], context: M::Context) -> [M::Value<E>; 4] {
        M::finish4::<E>(self.0, acc, context)
    }
}

impl<M: NormMetric, E: Byte> FromToken for VnniNorms<M, E> {
    type Token = Avx512Vnni;

    #[inline(always)]
    fn at(token: Avx512Vnni) -> Self {
        Self(token, PhantomData)
    }
}

impl<M: NormMetric, E: Byte> Arith for VnniNorms<M, E> {
    type Acc = V;
    type Context = ();

    bytes! {}

    #[inline(always)]
    fn context(self, _query: &[E]) {}

    #[inline(always)]
    fn zero(self) -> V {
        self.0.zero()
    }

    /// The row's bytes as they are, with the row's bias in excess: no flip a load.
    #[inline(always)]
    fn step(self, acc: V, q: Forms, c: &[E; 64]) -> V {
        self.0.cross::<E>(acc, self.0.load(c), q)
    }

    #[inline(always)]
    fn step_tail(self, acc: V, q: Forms, c: &[E]) -> V {
        self.0.cross::<E>(acc, self.0.load_tail(c), q)
    }

    #[inline(always)]
    fn join(self, a: V, b: V) -> V {
        self.0.add(a, b)
    }

    /// As if sums and norms were 0: the loops with norms never ask for it.
    #[inline(always)]
    fn finish(self, acc: V, (): ()) -> M::Value<E> {
        self.finish_norms(acc, CodeNorms::default(), CodeNorms::default())
    }
}

impl<M: NormMetric, E: Byte> NormArith for VnniNorms<M, E> {
    type Norm = CodeNorms;

    #[inline(always)]
    fn finish_norms(self, acc: V, query: CodeNorms, row: CodeNorms) -> M::Value<E> {
        let dot = self.0.sum(acc).wrapping_sub(bias::<E>(row));
        M::value::<E>(dot, query, row)
    }

    #[inline(always)]
    fn finish4_norms(
        self,
        acc: [V; 4],
        query: CodeNorms,
        rows: &[CodeNorms; 4],
    ) -> [M::Value<E>; 4] {
        let mut dot = self.0.sum4(acc);
        for r in 0..4 {
            dot[r] = dot[r].wrapping_sub(bias::<E>(rows[r]));
        }
        M::values4::<E>(dot, query, rows)
    }
}

/// The bias of a row, from its sum.
#[inline(always)]
fn bias<E: Byte>(row: CodeNorms) -> i32 {
    row.sum.wrapping_mul(if E::SIGNED { 128 } else { -128 })
}
