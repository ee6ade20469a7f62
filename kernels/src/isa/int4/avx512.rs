//! AVX-512 without VNNI: as AVX2, twice as wide, with masked tails.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Nibbles;
use crate::isa::tokens::Avx512;

impl Nibbles for Avx512 {
    type V = __m512i;
    type Dot = __m512i;
    type Chunk = [u8; 64];
    const LANES: usize = 64;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 64]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 64]) -> __m512i {
        // SAFETY: the token proves the level; the chunk has 64 bytes; the load is unaligned.
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[u8]) -> __m512i {
        // SAFETY: the token proves AVX-512BW; masked-off bytes are not read.
        unsafe { _mm512_maskz_loadu_epi8(mask(x.len()), x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn low(self, v: __m512i) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { low(v) }
    }

    #[inline(always)]
    fn high(self, v: __m512i) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { high(v) }
    }

    #[inline(always)]
    fn double(self, a: __m512i) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { _mm512_add_epi8(a, a) }
    }

    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { _mm512_sub_epi8(a, b) }
    }

    #[inline(always)]
    fn abs_diff(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { abs_diff(a, b) }
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn minus_twice(self, b: __m512i, a: __m512i) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { minus_twice(b, a) }
    }

    #[inline(always)]
    fn products(self, acc: __m512i, a: [__m512i; 2], b: [__m512i; 2]) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn no_dot(self) -> __m512i {
        self.zero()
    }

    #[inline(always)]
    fn dot(self, acc: __m512i, codes: __m512i, even: __m512i, odd: __m512i) -> __m512i {
        self.products(acc, [self.low(codes), even], [self.high(codes), odd])
    }

    #[inline(always)]
    fn join_dot(self, a: __m512i, b: __m512i) -> __m512i {
        self.add(a, b)
    }

    #[inline(always)]
    fn dot_sums(self, acc: __m512i) -> __m512i {
        acc
    }

    #[inline(always)]
    fn sum(self, v: __m512i) -> i32 {
        // SAFETY: the token proves the level.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m512i; 4]) -> [i32; 4] {
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
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
pub(super) fn low(v: __m512i) -> __m512i {
    _mm512_and_si512(v, _mm512_set1_epi8(15))
}

/// The high halves: there is no shift of bytes.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
pub(super) fn high(v: __m512i) -> __m512i {
    _mm512_and_si512(_mm512_srli_epi16::<4>(v), _mm512_set1_epi8(15))
}

/// `|a - b|`.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
fn abs_diff(a: __m512i, b: __m512i) -> __m512i {
    _mm512_abs_epi8(_mm512_sub_epi8(a, b))
}

/// `b - 2 a`.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
fn minus_twice(b: __m512i, a: __m512i) -> __m512i {
    _mm512_sub_epi32(b, _mm512_add_epi32(a, a))
}

/// Products summed in pairs, the pairs of both together, then in fours.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
fn products(acc: __m512i, a: [__m512i; 2], b: [__m512i; 2]) -> __m512i {
    let pairs =
        _mm512_add_epi16(_mm512_maddubs_epi16(a[0], a[1]), _mm512_maddubs_epi16(b[0], b[1]));
    _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
}

/// The upper half added to the lower.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
fn fold(v: __m512i) -> __m256i {
    _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v))
}

/// The sum of 16 lanes.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
fn sum(v: __m512i) -> i32 {
    super::avx2::sum(fold(v))
}

/// The sums of four registers.
#[inline]
#[target_feature(enable = "avx,avx2,sse3,ssse3,sse4.1,avx512f,avx512bw,avx512dq")]
fn sum4(v: [__m512i; 4]) -> [i32; 4] {
    super::avx2::sum4([fold(v[0]), fold(v[1]), fold(v[2]), fold(v[3])])
}

/// The first `n` of 64 bytes.
#[inline(always)]
fn mask(n: usize) -> __mmask64 {
    if n >= 64 { u64::MAX } else { (1u64 << n) - 1 }
}
