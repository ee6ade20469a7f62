//! 256 bits: 8 centroids, or two sub-spaces of nibbles.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Lanes, Nibbles};
use crate::isa::tokens::Avx2;

impl Lanes for Avx2 {
    #[inline(always)]
    fn keep_less(self, new: [__m256; 2], old: [__m256; 2]) -> [__m256; 2] {
        // SAFETY: the token proves AVX.
        unsafe { keep_less(new, old) }
    }

    #[inline(always)]
    fn first_least(self, best: [__m256; 2]) -> usize {
        // SAFETY: the token proves AVX2 and FMA.
        unsafe { first_least(best) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn keep_less(new: [__m256; 2], old: [__m256; 2]) -> [__m256; 2] {
    let less = _mm256_cmp_ps::<_CMP_LT_OQ>(new[0], old[0]);
    [_mm256_blendv_ps(old[0], new[0], less), _mm256_blendv_ps(old[1], new[1], less)]
}

/// The smallest lane, in every lane.
#[inline]
#[target_feature(enable = "avx2")]
fn least(v: __m256) -> __m256 {
    let v = _mm256_min_ps(v, _mm256_permute2f128_ps::<1>(v, v));
    let v = _mm256_min_ps(v, _mm256_permute_ps::<0b01_00_11_10>(v));
    _mm256_min_ps(v, _mm256_permute_ps::<0b10_11_00_01>(v))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn first_least([value, mark]: [__m256; 2]) -> usize {
    let lanes = _mm256_setr_ps(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0);
    let those = _mm256_cmp_ps::<_CMP_EQ_OQ>(value, least(value));
    let index = _mm256_fmadd_ps(mark, _mm256_set1_ps(8.0), lanes);
    let none = _mm256_set1_ps(f32::INFINITY);
    _mm256_cvtss_f32(least(_mm256_blendv_ps(none, index, those))) as usize
}

impl Nibbles for Avx2 {
    type V = __m256i;
    type Chunk = [u8; 32];

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> &[[u8; 32]] {
        x.as_chunks().0
    }

    #[inline(always)]
    fn load(self, x: &[u8; 32]) -> __m256i {
        // SAFETY: the token proves AVX; the chunk has 32 bytes; the load is unaligned.
        unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn look_up(self, table: __m256i, codes: __m256i) -> [__m256i; 2] {
        // SAFETY: the token proves AVX2.
        unsafe { look_up(table, codes) }
    }

    #[inline(always)]
    fn add(self, acc: [__m256i; 2], x: __m256i) -> [__m256i; 2] {
        // SAFETY: the token proves AVX2.
        unsafe { add(acc, x) }
    }

    #[inline(always)]
    fn flush(self, acc: [__m256i; 2], sums: &mut [u32; 16]) {
        // SAFETY: the token proves AVX2.
        let rows = unsafe { rows(acc) };
        for (to, rows) in self.halves(sums).iter_mut().zip(rows) {
            // SAFETY: the token proves AVX2; a half has 8 words.
            unsafe { add_to(to, rows) }
        }
    }
}

impl Avx2 {
    #[inline(always)]
    fn halves(self, sums: &mut [u32; 16]) -> &mut [[u32; 8]] {
        sums.as_chunks_mut().0
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn look_up(table: __m256i, codes: __m256i) -> [__m256i; 2] {
    let nibble = _mm256_set1_epi8(15);
    let low = _mm256_and_si256(codes, nibble);
    let high = _mm256_and_si256(_mm256_srli_epi16::<4>(codes), nibble);
    [_mm256_shuffle_epi8(table, low), _mm256_shuffle_epi8(table, high)]
}

#[inline]
#[target_feature(enable = "avx2")]
fn add(acc: [__m256i; 2], x: __m256i) -> [__m256i; 2] {
    [_mm256_add_epi16(acc[0], x), _mm256_add_epi16(acc[1], _mm256_srli_epi16::<8>(x))]
}

/// The sums of rows 0..8 and 8..16, the two sub-spaces of a register added.
#[inline]
#[target_feature(enable = "avx2")]
fn rows(acc: [__m256i; 2]) -> [__m256i; 2] {
    let even = _mm256_sub_epi16(acc[0], _mm256_slli_epi16::<8>(acc[1]));
    // Lanes of 16 bits hold 257 bytes; both sub-spaces together have no more.
    let even = _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256::<1>(even));
    let odd = acc[1];
    let odd = _mm_add_epi16(_mm256_castsi256_si128(odd), _mm256_extracti128_si256::<1>(odd));
    [
        _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(even, odd)),
        _mm256_cvtepu16_epi32(_mm_unpackhi_epi16(even, odd)),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn add_to(to: &mut [u32; 8], rows: __m256i) {
    let at: *mut __m256i = to.as_mut_ptr().cast();
    // SAFETY: 8 words, of any alignment.
    let before = unsafe { _mm256_loadu_si256(at) };
    // SAFETY: as above.
    unsafe { _mm256_storeu_si256(at, _mm256_add_epi32(before, rows)) }
}
