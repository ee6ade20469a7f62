//! `vpdpbusd`: 64 products of unsigned by signed bytes, four to a 32-bit lane.
//!
//! The row is made unsigned by adding 128 (a flip of the top bit); the excess is 128 times the sum
//! of the query, known once a query.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Dot;
use crate::isa::tokens::Avx512Vnni;
use crate::loops::arith::{Arith, FromToken};

impl FromToken for Dot<Avx512Vnni> {
    type Token = Avx512Vnni;

    #[inline(always)]
    fn at(token: Avx512Vnni) -> Self {
        Self(token)
    }
}

impl Arith for Dot<Avx512Vnni> {
    type Query = i8;
    type Code = i8;
    type Value = i32;
    type QueryChunk = [i8; 64];
    type CodeChunk = [i8; 64];
    type Reg = __m512i;
    type Acc = __m512i;
    /// 128 times the sum of the query.
    type Context = i32;

    #[inline(always)]
    fn query_chunks(self, x: &[i8]) -> (&[[i8; 64]], &[i8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn code_chunks(self, x: &[i8]) -> (&[[i8; 64]], &[i8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[i8; 64]) -> __m512i {
        // SAFETY: the token proves AVX-512; the chunk has 64 bytes; the load is unaligned.
        unsafe { _mm512_loadu_epi8(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_tail(self, x: &[i8]) -> __m512i {
        // SAFETY: the token proves AVX-512; masked-off bytes are not read.
        unsafe { _mm512_maskz_loadu_epi8(mask(x.len()), x.as_ptr()) }
    }

    #[inline(always)]
    fn context(self, query: &[i8]) -> i32 {
        let (chunks, tail) = self.query_chunks(query);
        // SAFETY: the token proves AVX-512.
        let bias = unsafe { _mm512_set1_epi8(i8::MIN) };
        let mut acc = self.zero();
        for chunk in chunks {
            // SAFETY: the token proves VNNI.
            acc = unsafe { _mm512_dpbusd_epi32(acc, bias, self.load(chunk)) };
        }
        // SAFETY: the token proves VNNI.
        acc = unsafe { _mm512_dpbusd_epi32(acc, bias, self.load_tail(tail)) };
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_add_epi32(acc) }
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn step(self, acc: __m512i, q: __m512i, c: &[i8; 64]) -> __m512i {
        // SAFETY: the token proves VNNI.
        unsafe { add_products(acc, self.load(c), q) }
    }

    #[inline(always)]
    fn step_tail(self, acc: __m512i, q: __m512i, c: &[i8]) -> __m512i {
        // SAFETY: the token proves VNNI. Behind the tail the query is zero.
        unsafe { add_products(acc, self.load_tail(c), q) }
    }

    #[inline(always)]
    fn join(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn finish(self, acc: __m512i, context: i32) -> i32 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_add_epi32(acc) }.wrapping_sub(context)
    }

    #[inline(always)]
    fn prefetch(self, x: &i8) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x)) }
    }
}

/// The first `n` of 64 bytes.
#[inline(always)]
fn mask(n: usize) -> __mmask64 {
    if n >= 64 { u64::MAX } else { (1u64 << n) - 1 }
}

/// `acc` + (row + 128) * query.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add_products(acc: __m512i, row: __m512i, query: __m512i) -> __m512i {
    _mm512_dpbusd_epi32(acc, _mm512_xor_si512(row, _mm512_set1_epi8(i8::MIN)), query)
}
