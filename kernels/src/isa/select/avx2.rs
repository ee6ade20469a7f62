//! AVX2: masks from the signs of a comparison, and a table of permutations moves the lanes
//! together.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Sift;
use crate::isa::tokens::Avx2;
use crate::shape::select::SLACK;

/// For each mask, the lanes that it names, in order: 2 KiB.
static ORDER: [[u8; 8]; 256] = order();

const fn order() -> [[u8; 8]; 256] {
    let mut all = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut count) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                all[mask][count] = lane;
                count += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    all
}

impl Sift for Avx2 {
    #[inline(always)]
    fn min(self, x: __m256, acc: __m256) -> __m256 {
        // SAFETY: the token proves AVX. The second operand wins where one is NaN.
        unsafe { _mm256_min_ps(x, acc) }
    }

    #[inline(always)]
    fn min_lane(self, v: __m256) -> f32 {
        // SAFETY: the token proves AVX.
        unsafe { min_lane(v) }
    }

    #[inline(always)]
    fn any_at_most(self, x: __m256, limit: __m256) -> bool {
        // SAFETY: the token proves AVX.
        unsafe { mask::<_CMP_NGT_UQ>(x, limit) != 0 }
    }

    #[inline(always)]
    fn at_most(self, x: __m256, limit: __m256) -> u32 {
        // SAFETY: the token proves AVX.
        unsafe { mask::<_CMP_LE_OQ>(x, limit) }
    }

    #[inline(always)]
    fn equal(self, x: __m256, y: __m256) -> u32 {
        // SAFETY: the token proves AVX.
        unsafe { mask::<_CMP_EQ_OQ>(x, y) }
    }

    #[inline(always)]
    fn lanes(self, v: __m256) -> [f32; SLACK] {
        let mut out = [0.0; SLACK];
        // SAFETY: the token proves AVX; `out` has 16 elements.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), v) };
        out
    }

    #[inline(always)]
    fn write_keys(self, x: __m256, mask: u32, first: u32, out: &mut [u64; SLACK]) -> usize {
        // SAFETY: the token proves AVX2.
        let [low, high] = unsafe { keys(x, &ORDER[mask as usize & 255], first) };
        let at = out.as_mut_ptr();
        // SAFETY: the token proves AVX2; `out` has 16 elements, these are the first 4.
        unsafe { _mm256_storeu_si256(at.cast(), low) };
        // SAFETY: the token proves AVX2; `out` has 16 elements, these are the next 4.
        unsafe { _mm256_storeu_si256(at.wrapping_add(4).cast(), high) };
        mask.count_ones() as usize
    }
}

/// The signs of a comparison.
#[inline]
#[target_feature(enable = "avx")]
fn mask<const C: i32>(x: __m256, y: __m256) -> u32 {
    _mm256_movemask_ps(_mm256_cmp_ps::<C>(x, y)).cast_unsigned()
}

/// The smallest lane.
#[inline]
#[target_feature(enable = "avx")]
fn min_lane(v: __m256) -> f32 {
    let half = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
    super::sse42::min_lane(half)
}

/// Keys of the listed lanes, in order.
#[inline]
#[target_feature(enable = "avx2")]
fn keys(x: __m256, order: &[u8; 8], first: u32) -> [__m256i; 2] {
    // The listed lanes are the offsets of their ids as well.
    let order = _mm_cvtsi64_si128(u64::from_le_bytes(*order).cast_signed());
    let order = _mm256_cvtepu8_epi32(order);
    let ids = _mm256_add_epi32(_mm256_set1_epi32(first.cast_signed()), order);
    // As `key`: no sign of zero; negatives inverted, positives above them.
    let x = _mm256_add_ps(_mm256_permutevar8x32_ps(x, order), _mm256_setzero_ps());
    let bits = _mm256_castps_si256(x);
    let flip = _mm256_or_si256(_mm256_srai_epi32::<31>(bits), _mm256_set1_epi32(i32::MIN));
    let ordered = _mm256_xor_si256(bits, flip);
    // Keys 0, 1, 4, 5 and 2, 3, 6, 7; then in order.
    let (a, b) = (_mm256_unpacklo_epi32(ids, ordered), _mm256_unpackhi_epi32(ids, ordered));
    [_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)]
}
