//! Bytes widened to 16 bits, products summed in pairs by `vpmaddwd`.
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "to be split")]
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Dot;
use crate::isa::tokens::Avx2;
use crate::loops::arith::{Arith, FromToken};

impl FromToken for Dot<Avx2> {
    type Token = Avx2;

    #[inline(always)]
    fn at(token: Avx2) -> Self {
        Self(token)
    }
}

impl Arith for Dot<Avx2> {
    type Query = i8;
    type Code = i8;
    type Value = i32;
    type QueryChunk = [i8; 16];
    type CodeChunk = [i8; 16];
    type Reg = __m256i;
    type Acc = __m256i;
    type Context = ();

    #[inline(always)]
    fn query_chunks(self, x: &[i8]) -> (&[[i8; 16]], &[i8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn code_chunks(self, x: &[i8]) -> (&[[i8; 16]], &[i8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[i8; 16]) -> __m256i {
        // SAFETY: the token proves AVX2; the chunk has 16 bytes; the load is unaligned.
        unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(x.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_tail(self, x: &[i8]) -> __m256i {
        let mut padded = [0; 16];
        for (p, &v) in padded.iter_mut().zip(x) {
            *p = v;
        }
        self.load(&padded)
    }

    #[inline(always)]
    fn context(self, _query: &[i8]) {}

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn step(self, acc: __m256i, q: __m256i, c: &[i8; 16]) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(acc, _mm256_madd_epi16(q, self.load(c))) }
    }

    #[inline(always)]
    fn step_tail(self, acc: __m256i, q: __m256i, c: &[i8]) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(acc, _mm256_madd_epi16(q, self.load_tail(c))) }
    }

    #[inline(always)]
    fn join(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    fn finish(self, acc: __m256i, (): ()) -> i32 {
        // SAFETY: the token proves AVX2.
        unsafe { sum(acc) }
    }

    #[inline(always)]
    fn prefetch(self, x: &i8) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x)) }
    }
}

/// The sum of 8 lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn sum(v: __m256i) -> i32 {
    let half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    let pair = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
    _mm_cvtsi128_si32(pair).wrapping_add(_mm_extract_epi32::<1>(pair))
}
