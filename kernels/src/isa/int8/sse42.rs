//! Bytes widened to 16 bits, products summed in pairs by `pmaddwd`.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::tail::partial;
use super::{Byte, Lanes, Sad};
use crate::isa::tokens::Sse42;

/// 16 bytes, widened: the lower and the upper half if signed, the even and the odd if not. Any
/// order will do, as long as both sides have it.
type Wide = (__m128i, __m128i);

impl Lanes for Sse42 {
    type V = __m128i;
    type R = Wide;
    type Chunk<E: Byte> = [E; 16];

    #[inline(always)]
    fn chunks<E: Byte>(self, x: &[E]) -> (&[[E; 16]], &[E]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load<E: Byte>(self, x: &[E; 16]) -> Wide {
        // SAFETY: the token proves SSE2; the chunk has 16 bytes; the load is unaligned.
        let bytes = unsafe { _mm_loadu_si128(x.as_ptr().cast()) };
        // SAFETY: the token proves SSE4.1.
        unsafe { widen::<E>(bytes) }
    }

    #[inline(always)]
    fn load_tail<E: Byte>(self, x: &[E]) -> Wide {
        // SAFETY: the token proves SSE2.
        let bytes = unsafe { words(partial(x)) };
        // SAFETY: the token proves SSE4.1.
        unsafe { widen::<E>(bytes) }
    }

    #[inline(always)]
    fn zero(self) -> __m128i {
        // SAFETY: the token proves SSE2.
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    fn add(self, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves SSE2.
        unsafe { _mm_add_epi32(a, b) }
    }

    #[inline(always)]
    fn dot<E: Byte>(self, acc: __m128i, a: Wide, b: Wide) -> __m128i {
        // SAFETY: the token proves SSE2.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn l2sq<E: Byte>(self, acc: __m128i, a: Wide, b: Wide) -> __m128i {
        // SAFETY: the token proves SSE2.
        unsafe { squares(acc, a, b) }
    }

    #[inline(always)]
    fn sum(self, v: __m128i) -> i32 {
        // SAFETY: the token proves SSE4.1.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m128i; 4]) -> [i32; 4] {
        // SAFETY: the token proves SSE2.
        let sums = unsafe { sum4(v) };
        let mut out = [0; 4];
        // SAFETY: the token proves SSE2; `out` has 16 bytes; the store is unaligned.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), sums) };
        out
    }

    #[inline(always)]
    fn prefetch<E>(self, x: &E) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

impl Sad for Sse42 {
    type B = __m128i;
    type Bytes = [u8; 16];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load_bytes(self, x: &[u8; 16]) -> __m128i {
        // SAFETY: the token proves SSE2; the chunk has 16 bytes; the load is unaligned.
        unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_bytes_tail(self, x: &[u8]) -> __m128i {
        // SAFETY: the token proves SSE2.
        unsafe { words(partial(x)) }
    }

    #[inline(always)]
    fn sad(self, acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
        // SAFETY: the token proves SSE2.
        unsafe { sad(acc, a, b) }
    }
}

/// Two words as a register.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn words([low, high]: [u64; 2]) -> __m128i {
    _mm_set_epi64x(high.cast_signed(), low.cast_signed())
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn widen<E: Byte>(v: __m128i) -> Wide {
    if E::SIGNED {
        (_mm_cvtepi8_epi16(v), _mm_srai_epi16::<8>(_mm_unpackhi_epi8(v, v)))
    } else {
        (_mm_and_si128(v, _mm_set1_epi16(0xff)), _mm_srli_epi16::<8>(v))
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn products(acc: __m128i, a: Wide, b: Wide) -> __m128i {
    _mm_add_epi32(acc, _mm_add_epi32(_mm_madd_epi16(a.0, b.0), _mm_madd_epi16(a.1, b.1)))
}

#[inline]
#[target_feature(enable = "sse2")]
fn squares(acc: __m128i, a: Wide, b: Wide) -> __m128i {
    let d = (_mm_sub_epi16(a.0, b.0), _mm_sub_epi16(a.1, b.1));
    products(acc, d, d)
}

/// `psadbw` leaves two sums of 16 bits in lanes of 64.
#[inline]
#[target_feature(enable = "sse2")]
fn sad(acc: __m128i, a: __m128i, b: __m128i) -> __m128i {
    _mm_add_epi32(acc, _mm_sad_epu8(a, b))
}

/// The sum of 4 lanes.
#[inline]
#[target_feature(enable = "sse4.1")]
pub(super) fn sum(v: __m128i) -> i32 {
    let pair = _mm_add_epi32(v, _mm_unpackhi_epi64(v, v));
    _mm_cvtsi128_si32(pair).wrapping_add(_mm_extract_epi32::<1>(pair))
}

/// The sums of four registers, one a lane.
#[inline]
#[target_feature(enable = "sse2")]
fn sum4([a, b, c, d]: [__m128i; 4]) -> __m128i {
    let ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    let cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
    _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd))
}
