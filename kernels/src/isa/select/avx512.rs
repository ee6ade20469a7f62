//! AVX-512: masks come from the comparison, and compression moves the lanes together.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Sift;
use crate::isa::tokens::Avx512;
use crate::shape::select::SLACK;

impl Sift for Avx512 {
    #[inline(always)]
    fn min(self, x: __m512, acc: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F. The second operand wins where one is NaN.
        unsafe { _mm512_min_ps(x, acc) }
    }

    #[inline(always)]
    fn min_lane(self, v: __m512) -> f32 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_reduce_min_ps(v) }
    }

    #[inline(always)]
    fn any_at_most(self, x: __m512, limit: __m512) -> bool {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NGT_UQ>(x, limit) != 0 }
    }

    #[inline(always)]
    fn at_most(self, x: __m512, limit: __m512) -> u32 {
        // SAFETY: the token proves AVX-512F.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(x, limit) })
    }

    #[inline(always)]
    fn equal(self, x: __m512, y: __m512) -> u32 {
        // SAFETY: the token proves AVX-512F.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(x, y) })
    }

    #[inline(always)]
    fn lanes(self, v: __m512) -> [f32; SLACK] {
        let mut out = [0.0; SLACK];
        // SAFETY: the token proves AVX-512F; `out` has 16 elements.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), v) };
        out
    }

    #[inline(always)]
    fn write_keys(self, x: __m512, mask: u32, first: u32, out: &mut [u64; SLACK]) -> usize {
        // SAFETY: the token proves AVX-512F.
        let [low, high] = unsafe { keys(x, mask as __mmask16, first) };
        let at = out.as_mut_ptr();
        // SAFETY: the token proves AVX-512F; `out` has 16 elements, these are the first 8.
        unsafe { _mm512_storeu_si512(at.cast(), low) };
        // SAFETY: the token proves AVX-512F; `out` has 16 elements, these are the last 8.
        unsafe { _mm512_storeu_si512(at.wrapping_add(8).cast(), high) };
        mask.count_ones() as usize
    }
}

/// Keys of the lanes that a mask names, in order, from the first on.
#[inline]
#[target_feature(enable = "avx512f")]
fn keys(x: __m512, mask: __mmask16, first: u32) -> [__m512i; 2] {
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let ids = _mm512_add_epi32(_mm512_set1_epi32(first.cast_signed()), lanes);
    let ids = _mm512_maskz_compress_epi32(mask, ids);
    // As `key`: no sign of zero; negatives inverted, positives above them.
    let x = _mm512_add_ps(_mm512_maskz_compress_ps(mask, x), _mm512_setzero_ps());
    let bits = _mm512_castps_si512(x);
    let flip = _mm512_or_si512(_mm512_srai_epi32::<31>(bits), _mm512_set1_epi32(i32::MIN));
    let ordered = _mm512_xor_si512(bits, flip);
    let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    [_mm512_permutex2var_epi32(ids, low, ordered), _mm512_permutex2var_epi32(ids, high, ordered)]
}
