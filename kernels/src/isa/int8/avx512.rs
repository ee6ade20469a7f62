//! Bytes widened to 16 bits, products summed in pairs by `vpmaddwd`, 32 of them at once.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Byte, Lanes, Sad, avx2};
use crate::isa::tokens::Avx512;

/// 64 bytes, widened: the lower and the upper half if signed, the even and the odd if not. Any
/// order will do, as long as both sides have it.
type Wide = (__m512i, __m512i);

impl Lanes for Avx512 {
    type V = __m512i;
    type R = Wide;
    type Chunk<E: Byte> = [E; 64];

    #[inline(always)]
    fn chunks<E: Byte>(self, x: &[E]) -> (&[[E; 64]], &[E]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load<E: Byte>(self, x: &[E; 64]) -> Wide {
        if E::SIGNED {
            // SAFETY: the token proves AVX; the chunk has 64 bytes; the load is unaligned.
            let low = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
            // SAFETY: as above, of its upper half.
            let high = unsafe { _mm256_loadu_si256(x[32..].as_ptr().cast()) };
            // SAFETY: the token proves AVX-512BW.
            unsafe { widen_signed(low, high) }
        } else {
            // SAFETY: the token proves AVX-512; the chunk has 64 bytes; the load is unaligned.
            let bytes = unsafe { _mm512_loadu_si512(x.as_ptr().cast()) };
            // SAFETY: the token proves AVX-512BW.
            unsafe { widen_unsigned(bytes) }
        }
    }

    #[inline(always)]
    fn load_tail<E: Byte>(self, x: &[E]) -> Wide {
        // SAFETY: the token proves AVX-512BW; masked-off bytes are not read.
        let bytes = unsafe { _mm512_maskz_loadu_epi8(mask(x.len()), x.as_ptr().cast()) };
        if E::SIGNED {
            // SAFETY: the token proves AVX-512BW.
            unsafe { widen_whole(bytes) }
        } else {
            // SAFETY: the token proves AVX-512BW.
            unsafe { widen_unsigned(bytes) }
        }
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn dot<E: Byte>(self, acc: __m512i, a: Wide, b: Wide) -> __m512i {
        // SAFETY: the token proves AVX-512BW.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn l2sq<E: Byte>(self, acc: __m512i, a: Wide, b: Wide) -> __m512i {
        // SAFETY: the token proves AVX-512BW.
        unsafe { squares(acc, a, b) }
    }

    #[inline(always)]
    fn sum(self, v: __m512i) -> i32 {
        // SAFETY: the token proves AVX-512.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m512i; 4]) -> [i32; 4] {
        // SAFETY: the token proves AVX-512.
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

impl Sad for Avx512 {
    type B = __m512i;
    type Bytes = [u8; 64];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 64]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load_bytes(self, x: &[u8; 64]) -> __m512i {
        // SAFETY: the token proves AVX-512; the chunk has 64 bytes; the load is unaligned.
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_bytes_tail(self, x: &[u8]) -> __m512i {
        // SAFETY: the token proves AVX-512BW; masked-off bytes are not read.
        unsafe { _mm512_maskz_loadu_epi8(mask(x.len()), x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn sad(self, acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512BW.
        unsafe { sad(acc, a, b) }
    }
}

/// The first `n` of 64 bytes.
#[inline(always)]
pub(super) fn mask(n: usize) -> __mmask64 {
    if n >= 64 { u64::MAX } else { (1u64 << n) - 1 }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widen_signed(low: __m256i, high: __m256i) -> Wide {
    (_mm512_cvtepi8_epi16(low), _mm512_cvtepi8_epi16(high))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widen_whole(v: __m512i) -> Wide {
    widen_signed(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v))
}

/// Even and odd bytes: no shuffles, of which there is one a cycle.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn widen_unsigned(v: __m512i) -> Wide {
    (_mm512_and_si512(v, _mm512_set1_epi16(0xff)), _mm512_srli_epi16::<8>(v))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn products(acc: __m512i, a: Wide, b: Wide) -> __m512i {
    let both = _mm512_add_epi32(_mm512_madd_epi16(a.0, b.0), _mm512_madd_epi16(a.1, b.1));
    _mm512_add_epi32(acc, both)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn squares(acc: __m512i, a: Wide, b: Wide) -> __m512i {
    let d = (_mm512_sub_epi16(a.0, b.0), _mm512_sub_epi16(a.1, b.1));
    products(acc, d, d)
}

/// `vpsadbw` leaves sums of 16 bits in lanes of 64.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn sad(acc: __m512i, a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(acc, _mm512_sad_epu8(a, b))
}

/// The upper half added to the lower.
#[inline]
#[target_feature(enable = "avx2,avx512f")]
fn fold(v: __m512i) -> __m256i {
    _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v))
}

/// The sum of 16 lanes.
#[inline]
#[target_feature(enable = "avx2,avx512f")]
pub(super) fn sum(v: __m512i) -> i32 {
    avx2::sum(fold(v))
}

/// The sums of four registers, one a lane: transposed while they are added, then folded once.
#[inline]
#[target_feature(enable = "avx2,avx512f")]
pub(super) fn sum4([a, b, c, d]: [__m512i; 4]) -> __m128i {
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    let all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    avx2::fold(fold(all))
}
