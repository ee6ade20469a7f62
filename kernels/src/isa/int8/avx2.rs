//! Bytes widened to 16 bits, products summed in pairs by `vpmaddwd`.
//!
//! `vpmaddubsw` would take the bytes as they are, but its sums of two products saturate at 16 bits
//! (`2 * 255 * 127` does not fit), and a square of 255 does not fit either: not exact, not used.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::tail::partial;
use super::{Byte, Lanes, Sad, sse42};
use crate::isa::tokens::Avx2;

/// 32 bytes, widened: the lower and the upper half if signed, the even and the odd if not. Any
/// order will do, as long as both sides have it.
type Wide = (__m256i, __m256i);

impl Lanes for Avx2 {
    type V = __m256i;
    type R = Wide;
    type Chunk<E: Byte> = [E; 32];

    #[inline(always)]
    fn chunks<E: Byte>(self, x: &[E]) -> (&[[E; 32]], &[E]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load<E: Byte>(self, x: &[E; 32]) -> Wide {
        if E::SIGNED {
            // SAFETY: the chunk has 32 bytes; the load is unaligned.
            let low = unsafe { _mm_loadu_si128(x.as_ptr().cast()) };
            // SAFETY: as above, of its upper half.
            let high = unsafe { _mm_loadu_si128(x[16..].as_ptr().cast()) };
            // SAFETY: the token proves AVX2.
            unsafe { widen_signed(low, high) }
        } else {
            // SAFETY: the token proves AVX; the chunk has 32 bytes; the load is unaligned.
            let bytes = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
            // SAFETY: the token proves AVX2.
            unsafe { widen_unsigned(bytes) }
        }
    }

    #[inline(always)]
    fn load_tail<E: Byte>(self, x: &[E]) -> Wide {
        // SAFETY: the token proves AVX2.
        let [low, high] = unsafe { halves(x) };
        if E::SIGNED {
            // SAFETY: the token proves AVX2.
            unsafe { widen_signed(low, high) }
        } else {
            // SAFETY: the token proves AVX.
            let bytes = unsafe { _mm256_set_m128i(high, low) };
            // SAFETY: the token proves AVX2.
            unsafe { widen_unsigned(bytes) }
        }
    }

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi32(a, b) }
    }

    #[inline(always)]
    fn dot<E: Byte>(self, acc: __m256i, a: Wide, b: Wide) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn l2sq<E: Byte>(self, acc: __m256i, a: Wide, b: Wide) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { squares(acc, a, b) }
    }

    #[inline(always)]
    fn sum(self, v: __m256i) -> i32 {
        // SAFETY: the token proves AVX2.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m256i; 4]) -> [i32; 4] {
        // SAFETY: the token proves AVX2.
        let sums = unsafe { sum4(v) };
        let mut out = [0; 4];
        // SAFETY: `out` has 16 bytes; the store is unaligned.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
        out
    }

    #[inline(always)]
    fn prefetch<E>(self, x: &E) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

impl Sad for Avx2 {
    type B = __m256i;
    type Bytes = [u8; 32];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 32]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load_bytes(self, x: &[u8; 32]) -> __m256i {
        // SAFETY: the token proves AVX; the chunk has 32 bytes; the load is unaligned.
        unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_bytes_tail(self, x: &[u8]) -> __m256i {
        // SAFETY: the token proves AVX2.
        let [low, high] = unsafe { halves(x) };
        // SAFETY: the token proves AVX.
        unsafe { _mm256_set_m128i(high, low) }
    }

    #[inline(always)]
    fn sad(self, acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { sad(acc, a, b) }
    }
}

/// Fewer than 32 bytes, padded with zeros.
#[inline]
#[target_feature(enable = "avx2")]
fn halves<E: Byte>(x: &[E]) -> [__m128i; 2] {
    let (low, high) = x.split_at(x.len().min(16));
    let high = if high.is_empty() { _mm_setzero_si128() } else { sse42::words(partial(high)) };
    [sse42::words(partial(low)), high]
}

#[inline]
#[target_feature(enable = "avx2")]
fn widen_signed(low: __m128i, high: __m128i) -> Wide {
    (_mm256_cvtepi8_epi16(low), _mm256_cvtepi8_epi16(high))
}

/// Even and odd bytes: no shuffles, of which there is one a cycle.
#[inline]
#[target_feature(enable = "avx2")]
fn widen_unsigned(v: __m256i) -> Wide {
    (_mm256_and_si256(v, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(v))
}

#[inline]
#[target_feature(enable = "avx2")]
fn products(acc: __m256i, a: Wide, b: Wide) -> __m256i {
    let both = _mm256_add_epi32(_mm256_madd_epi16(a.0, b.0), _mm256_madd_epi16(a.1, b.1));
    _mm256_add_epi32(acc, both)
}

#[inline]
#[target_feature(enable = "avx2")]
fn squares(acc: __m256i, a: Wide, b: Wide) -> __m256i {
    let d = (_mm256_sub_epi16(a.0, b.0), _mm256_sub_epi16(a.1, b.1));
    products(acc, d, d)
}

/// `vpsadbw` leaves sums of 16 bits in lanes of 64.
#[inline]
#[target_feature(enable = "avx2")]
fn sad(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi32(acc, _mm256_sad_epu8(a, b))
}

/// The upper half added to the lower.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn fold(v: __m256i) -> __m128i {
    _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v))
}

/// The sum of 8 lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum(v: __m256i) -> i32 {
    sse42::sum(fold(v))
}

/// The sums of four registers, one a lane: transposed while they are added.
#[inline]
#[target_feature(enable = "avx2")]
fn sum4([a, b, c, d]: [__m256i; 4]) -> __m128i {
    let ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
    let cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
    fold(_mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd)))
}
