//! 512 bits: 16 centroids, or four sub-spaces of nibbles.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Lanes, Nibbles};
use crate::isa::tokens::Avx512;

impl Lanes for Avx512 {
    #[inline(always)]
    fn keep_less(self, new: [__m512; 2], old: [__m512; 2]) -> [__m512; 2] {
        // SAFETY: the token proves AVX-512.
        unsafe { keep_less(new, old) }
    }

    #[inline(always)]
    fn first_least(self, best: [__m512; 2]) -> usize {
        // SAFETY: the token proves AVX-512.
        unsafe { first_least(best) }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn keep_less(new: [__m512; 2], old: [__m512; 2]) -> [__m512; 2] {
    let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(new[0], old[0]);
    [_mm512_mask_mov_ps(old[0], less, new[0]), _mm512_mask_mov_ps(old[1], less, new[1])]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn first_least([value, mark]: [__m512; 2]) -> usize {
    let lanes = _mm512_setr_ps(
        0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0,
    );
    let least = _mm512_set1_ps(_mm512_reduce_min_ps(value));
    let those = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(value, least);
    let index = _mm512_fmadd_ps(mark, _mm512_set1_ps(16.0), lanes);
    _mm512_mask_reduce_min_ps(those, index) as usize
}

impl Nibbles for Avx512 {
    type V = __m512i;
    type Chunk = [u8; 64];

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> &[[u8; 64]] {
        x.as_chunks().0
    }

    #[inline(always)]
    fn load(self, x: &[u8; 64]) -> __m512i {
        // SAFETY: the token proves AVX-512; the chunk has 64 bytes; the load is unaligned.
        unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn look_up(self, table: __m512i, codes: __m512i) -> [__m512i; 2] {
        // SAFETY: the token proves AVX-512.
        unsafe { look_up(table, codes) }
    }

    #[inline(always)]
    fn add(self, acc: [__m512i; 2], x: __m512i) -> [__m512i; 2] {
        // SAFETY: the token proves AVX-512.
        unsafe { add(acc, x) }
    }

    #[inline(always)]
    fn flush(self, acc: [__m512i; 2], sums: &mut [u32; 16]) {
        // SAFETY: the token proves AVX-512.
        unsafe { add_to(sums, rows(acc)) }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn look_up(table: __m512i, codes: __m512i) -> [__m512i; 2] {
    let nibble = _mm512_set1_epi8(15);
    let low = _mm512_and_si512(codes, nibble);
    let high = _mm512_and_si512(_mm512_srli_epi16::<4>(codes), nibble);
    [_mm512_shuffle_epi8(table, low), _mm512_shuffle_epi8(table, high)]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add(acc: [__m512i; 2], x: __m512i) -> [__m512i; 2] {
    [_mm512_add_epi16(acc[0], x), _mm512_add_epi16(acc[1], _mm512_srli_epi16::<8>(x))]
}

/// The sums of 16 rows, the four sub-spaces of a register added.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn rows(acc: [__m512i; 2]) -> __m512i {
    // Lanes of 16 bits hold 257 bytes; the four sub-spaces together have no more.
    let even = halves(_mm512_sub_epi16(acc[0], _mm512_slli_epi16::<8>(acc[1])));
    let odd = halves(acc[1]);
    // Each 128-bit half of these still holds two sub-spaces' sums of the same 8 rows.
    let (low, high) = (_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd));
    let near = _mm256_permute2x128_si256::<0x20>(low, high);
    let far = _mm256_permute2x128_si256::<0x31>(low, high);
    _mm512_cvtepu16_epi32(_mm256_add_epi16(near, far))
}

/// The upper half added to the lower.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn halves(v: __m512i) -> __m256i {
    _mm256_add_epi16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64::<1>(v))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add_to(to: &mut [u32; 16], rows: __m512i) {
    let at: *mut __m512i = to.as_mut_ptr().cast();
    // SAFETY: 16 words, of any alignment.
    let before = unsafe { _mm512_loadu_si512(at) };
    // SAFETY: as above.
    unsafe { _mm512_storeu_si512(at, _mm512_add_epi32(before, rows)) }
}
