//! SSE4.2: products of bytes summed in pairs by `pmaddubsw`, pairs by `pmaddwd`.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Nibbles, padded};
use crate::isa::tokens::Sse42;

impl Nibbles for Sse42 {
    type V = __m128i;
    type Dot = __m128i;
    type Chunk = [u8; 16];
    const LANES: usize = 16;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> __m128i {
        // SAFETY: the token proves the level; the chunk has 16 bytes; the load is unaligned.
        unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[u8]) -> __m128i {
        let padded = padded::<2>(x);
        // SAFETY: the token proves the level; 2 words of 8 bytes; the load is unaligned.
        unsafe { _mm_loadu_si128(padded.as_ptr().cast()) }
    }

    #[inline(always)]
    fn zero(self) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    fn low(self, v: __m128i) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { low(v) }
    }

    #[inline(always)]
    fn high(self, v: __m128i) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { high(v) }
    }

    #[inline(always)]
    fn double(self, a: __m128i) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { _mm_add_epi8(a, a) }
    }

    #[inline(always)]
    fn sub(self, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { _mm_sub_epi8(a, b) }
    }

    #[inline(always)]
    fn abs_diff(self, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { abs_diff(a, b) }
    }

    #[inline(always)]
    fn add(self, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { _mm_add_epi32(a, b) }
    }

    #[inline(always)]
    fn minus_twice(self, b: __m128i, a: __m128i) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { minus_twice(b, a) }
    }

    #[inline(always)]
    fn products(self, acc: __m128i, a: [__m128i; 2], b: [__m128i; 2]) -> __m128i {
        // SAFETY: the token proves the level.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn no_dot(self) -> __m128i {
        self.zero()
    }

    #[inline(always)]
    fn dot(self, acc: __m128i, codes: __m128i, even: __m128i, odd: __m128i) -> __m128i {
        self.products(acc, [self.low(codes), even], [self.high(codes), odd])
    }

    #[inline(always)]
    fn join_dot(self, a: __m128i, b: __m128i) -> __m128i {
        self.add(a, b)
    }

    #[inline(always)]
    fn dot_sums(self, acc: __m128i) -> __m128i {
        acc
    }

    #[inline(always)]
    fn sum(self, v: __m128i) -> i32 {
        // SAFETY: the token proves the level.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m128i; 4]) -> [i32; 4] {
        // SAFETY: the token proves the level.
        unsafe { sum4(v) }
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

/// The low halves.
#[inline]
#[target_feature(enable = "sse3,ssse3,sse4.1")]
fn low(v: __m128i) -> __m128i {
    _mm_and_si128(v, _mm_set1_epi8(15))
}

/// The high halves: there is no shift of bytes.
#[inline]
#[target_feature(enable = "sse3,ssse3,sse4.1")]
fn high(v: __m128i) -> __m128i {
    _mm_and_si128(_mm_srli_epi16::<4>(v), _mm_set1_epi8(15))
}

/// `|a - b|`.
#[inline]
#[target_feature(enable = "sse3,ssse3,sse4.1")]
fn abs_diff(a: __m128i, b: __m128i) -> __m128i {
    _mm_abs_epi8(_mm_sub_epi8(a, b))
}

/// `b - 2 a`.
#[inline]
#[target_feature(enable = "sse3,ssse3,sse4.1")]
fn minus_twice(b: __m128i, a: __m128i) -> __m128i {
    _mm_sub_epi32(b, _mm_add_epi32(a, a))
}

/// Products summed in pairs, the pairs of both together, then in fours.
#[inline]
#[target_feature(enable = "sse3,ssse3,sse4.1")]
fn products(acc: __m128i, a: [__m128i; 2], b: [__m128i; 2]) -> __m128i {
    let pairs = _mm_add_epi16(_mm_maddubs_epi16(a[0], a[1]), _mm_maddubs_epi16(b[0], b[1]));
    _mm_add_epi32(acc, _mm_madd_epi16(pairs, _mm_set1_epi16(1)))
}

/// The sum of 4 lanes.
#[inline]
#[target_feature(enable = "sse3,ssse3,sse4.1")]
pub(super) fn sum(v: __m128i) -> i32 {
    let pair = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
    _mm_cvtsi128_si32(pair).wrapping_add(_mm_extract_epi32::<1>(pair))
}

/// The sums of four registers, transposed on the way.
#[inline]
#[target_feature(enable = "sse3,ssse3,sse4.1")]
pub(super) fn sum4(v: [__m128i; 4]) -> [i32; 4] {
    let sums = _mm_hadd_epi32(_mm_hadd_epi32(v[0], v[1]), _mm_hadd_epi32(v[2], v[3]));
    let mut out = [0; 4];
    // SAFETY: `out` has 4 elements; the store is unaligned.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
    out
}
