//! `vpdpbusd`: 64 products of unsigned by signed bytes, four to a 32-bit lane.
//!
//! Products of high halves need no shift: left where they are they are 16 times too large, so they
//! have sums of their own that are divided by 16 once. In 32 bits that holds for up to 131,072
//! values.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Nibbles, avx512};
use crate::isa::tokens::Avx512Vnni;

impl Nibbles for Avx512Vnni {
    type V = __m512i;
    /// Products of low halves, and 16 times those of high halves.
    type Dot = [__m512i; 2];
    type Chunk = [u8; 64];
    const LANES: usize = 64;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 64]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 64]) -> __m512i {
        self.avx512().load(x)
    }

    #[inline(always)]
    fn load_partial(self, x: &[u8]) -> __m512i {
        self.avx512().load_partial(x)
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        self.avx512().zero()
    }

    #[inline(always)]
    fn low(self, v: __m512i) -> __m512i {
        self.avx512().low(v)
    }

    #[inline(always)]
    fn high(self, v: __m512i) -> __m512i {
        self.avx512().high(v)
    }

    #[inline(always)]
    fn double(self, a: __m512i) -> __m512i {
        self.avx512().double(a)
    }

    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512().sub(a, b)
    }

    #[inline(always)]
    fn abs_diff(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512().abs_diff(a, b)
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        self.avx512().add(a, b)
    }

    #[inline(always)]
    fn minus_twice(self, b: __m512i, a: __m512i) -> __m512i {
        self.avx512().minus_twice(b, a)
    }

    #[inline(always)]
    fn products(self, acc: __m512i, a: [__m512i; 2], b: [__m512i; 2]) -> __m512i {
        // SAFETY: the token proves VNNI.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn no_dot(self) -> [__m512i; 2] {
        [self.zero(), self.zero()]
    }

    #[inline(always)]
    fn dot(self, acc: [__m512i; 2], codes: __m512i, even: __m512i, odd: __m512i) -> [__m512i; 2] {
        // SAFETY: the token proves VNNI.
        unsafe { dot(acc, codes, even, odd) }
    }

    #[inline(always)]
    fn join_dot(self, a: [__m512i; 2], b: [__m512i; 2]) -> [__m512i; 2] {
        [self.add(a[0], b[0]), self.add(a[1], b[1])]
    }

    #[inline(always)]
    fn dot_sums(self, acc: [__m512i; 2]) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { sums(acc) }
    }

    #[inline(always)]
    fn sum(self, v: __m512i) -> i32 {
        self.avx512().sum(v)
    }

    #[inline(always)]
    fn sum4(self, v: [__m512i; 4]) -> [i32; 4] {
        self.avx512().sum4(v)
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.avx512().prefetch(x);
    }
}

/// Both pairs' products.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn products(acc: __m512i, a: [__m512i; 2], b: [__m512i; 2]) -> __m512i {
    _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(acc, a[0], a[1]), b[0], b[1])
}

/// Products of both halves; the high ones are left where they are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx2,avx,sse3,ssse3,sse4.1,avx512vnni")]
fn dot(acc: [__m512i; 2], codes: __m512i, even: __m512i, odd: __m512i) -> [__m512i; 2] {
    let high = _mm512_and_si512(codes, _mm512_set1_epi8(0xf0_u8 as i8));
    [_mm512_dpbusd_epi32(acc[0], avx512::low(codes), even), _mm512_dpbusd_epi32(acc[1], high, odd)]
}

/// Every lane of the second is a multiple of 16.
#[inline]
#[target_feature(enable = "avx512f")]
fn sums(acc: [__m512i; 2]) -> __m512i {
    _mm512_add_epi32(acc[0], _mm512_srai_epi32::<4>(acc[1]))
}
