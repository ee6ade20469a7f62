//! AVX2: products of bytes summed in pairs by `vpmaddubsw`, pairs by `vpmaddwd`.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Nibbles, padded};
use crate::isa::tokens::Avx2;

impl Nibbles for Avx2 {
    type V = __m256i;
    type Dot = __m256i;
    type Chunk = [u8; 32];
    const LANES: usize = 32;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 32]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 32]) -> __m256i {
        // SAFETY: the token proves the level; the chunk has 32 bytes; the load is unaligned.
        unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[u8]) -> __m256i {
        let padded = padded::<4>(x);
        // SAFETY: the token proves the level; 4 words of 8 bytes; the load is unaligned.
        unsafe { _mm256_loadu_si256(padded.as_ptr().cast()) }
    }

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn low(self, v: __m256i) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { low(v) }
    }

    #[inline(always)]
    fn high(self, v: __m256i) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { high(v) }
    }

    #[inline(always)]
    fn double(self, a: __m256i) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { _mm256_add_epi8(a, a) }
    }

    #[inline(always)]
    fn sub(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { _mm256_sub_epi8(a, b) }
    }

    #[inline(always)]
    fn abs_diff(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { abs_diff(a, b) }
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    fn minus_twice(self, b: __m256i, a: __m256i) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { minus_twice(b, a) }
    }

    #[inline(always)]
    fn products(self, acc: __m256i, a: [__m256i; 2], b: [__m256i; 2]) -> __m256i {
        // SAFETY: the token proves the level.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn no_dot(self) -> __m256i {
        self.zero()
    }

    #[inline(always)]
    fn dot(self, acc: __m256i, codes: __m256i, even: __m256i, odd: __m256i) -> __m256i {
        self.products(acc, [self.low(codes), even], [self.high(codes), odd])
    }

    #[inline(always)]
    fn join_dot(self, a: __m256i, b: __m256i) -> __m256i {
        self.add(a, b)
    }

    #[inline(always)]
    fn dot_sums(self, acc: __m256i) -> __m256i {
        acc
    }

    #[inline(always)]
    fn sum(self, v: __m256i) -> i32 {
        // SAFETY: the token proves the level.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m256i; 4]) -> [i32; 4] {
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
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
fn low(v: __m256i) -> __m256i {
    _mm256_and_si256(v, _mm256_set1_epi8(15))
}

/// The high halves: there is no shift of bytes.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
fn high(v: __m256i) -> __m256i {
    _mm256_and_si256(_mm256_srli_epi16::<4>(v), _mm256_set1_epi8(15))
}

/// `|a - b|`.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
fn abs_diff(a: __m256i, b: __m256i) -> __m256i {
    _mm256_abs_epi8(_mm256_sub_epi8(a, b))
}

/// `b - 2 a`.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
fn minus_twice(b: __m256i, a: __m256i) -> __m256i {
    _mm256_sub_epi32(b, _mm256_add_epi32(a, a))
}

/// Products summed in pairs, the pairs of both together, then in fours.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
fn products(acc: __m256i, a: [__m256i; 2], b: [__m256i; 2]) -> __m256i {
    let pairs =
        _mm256_add_epi16(_mm256_maddubs_epi16(a[0], a[1]), _mm256_maddubs_epi16(b[0], b[1]));
    _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}

/// The upper half added to the lower.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
fn fold(v: __m256i) -> __m128i {
    _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v))
}

/// The sum of 8 lanes.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
pub(super) fn sum(v: __m256i) -> i32 {
    super::sse42::sum(fold(v))
}

/// The sums of four registers, transposed on the way.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1")]
pub(super) fn sum4(v: [__m256i; 4]) -> [i32; 4] {
    let ab = _mm256_hadd_epi32(v[0], v[1]);
    let cd = _mm256_hadd_epi32(v[2], v[3]);
    let sums = fold(_mm256_hadd_epi32(ab, cd));
    let mut out = [0; 4];
    // SAFETY: `out` has 4 elements; the store is unaligned.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
    out
}
