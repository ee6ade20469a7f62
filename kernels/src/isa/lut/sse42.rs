//! 128 bits: 4 centroids, or one sub-space of nibbles.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Lanes, Nibbles};
use crate::isa::tokens::Sse42;

impl Lanes for Sse42 {
    #[inline(always)]
    fn keep_less(self, new: [__m128; 2], old: [__m128; 2]) -> [__m128; 2] {
        // SAFETY: the token proves SSE4.1.
        unsafe { keep_less(new, old) }
    }

    #[inline(always)]
    fn first_least(self, best: [__m128; 2]) -> usize {
        // SAFETY: the token proves SSE4.1.
        unsafe { first_least(best) }
    }
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn keep_less(new: [__m128; 2], old: [__m128; 2]) -> [__m128; 2] {
    let less = _mm_cmplt_ps(new[0], old[0]);
    [_mm_blendv_ps(old[0], new[0], less), _mm_blendv_ps(old[1], new[1], less)]
}

/// The smallest lane, in every lane.
#[inline]
#[target_feature(enable = "sse4.1")]
fn least(v: __m128) -> __m128 {
    let v = _mm_min_ps(v, _mm_shuffle_ps::<0b01_00_11_10>(v, v));
    _mm_min_ps(v, _mm_shuffle_ps::<0b10_11_00_01>(v, v))
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn first_least([value, mark]: [__m128; 2]) -> usize {
    let those = _mm_cmpeq_ps(value, least(value));
    let marks = _mm_mul_ps(mark, _mm_set1_ps(4.0));
    let index = _mm_add_ps(marks, _mm_setr_ps(0.0, 1.0, 2.0, 3.0));
    let none = _mm_set1_ps(f32::INFINITY);
    _mm_cvtss_f32(least(_mm_blendv_ps(none, index, those))) as usize
}

impl Nibbles for Sse42 {
    type V = __m128i;
    type Chunk = [u8; 16];

    #[inline(always)]
    fn zero(self) -> __m128i {
        // SAFETY: every x86-64 CPU has SSE2.
        unsafe { _mm_setzero_si128() }
    }

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> &[[u8; 16]] {
        x.as_chunks().0
    }

    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> __m128i {
        // SAFETY: the chunk has 16 bytes; the load is unaligned.
        unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn look_up(self, table: __m128i, codes: __m128i) -> [__m128i; 2] {
        // SAFETY: the token proves SSSE3.
        unsafe { look_up(table, codes) }
    }

    #[inline(always)]
    fn add(self, acc: [__m128i; 2], x: __m128i) -> [__m128i; 2] {
        // SAFETY: the token proves SSE4.2.
        unsafe { add(acc, x) }
    }

    #[inline(always)]
    fn flush(self, acc: [__m128i; 2], sums: &mut [u32; 16]) {
        // SAFETY: the token proves SSE4.2.
        let rows = unsafe { rows(acc) };
        for (to, rows) in sums.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
            // SAFETY: the token proves SSE4.2.
            unsafe { add_to(to, rows) }
        }
    }
}

#[inline]
#[target_feature(enable = "ssse3")]
fn look_up(table: __m128i, codes: __m128i) -> [__m128i; 2] {
    let nibble = _mm_set1_epi8(15);
    let low = _mm_and_si128(codes, nibble);
    let high = _mm_and_si128(_mm_srli_epi16::<4>(codes), nibble);
    [_mm_shuffle_epi8(table, low), _mm_shuffle_epi8(table, high)]
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn add(acc: [__m128i; 2], x: __m128i) -> [__m128i; 2] {
    [_mm_add_epi16(acc[0], x), _mm_add_epi16(acc[1], _mm_srli_epi16::<8>(x))]
}

/// The sums of each four rows.
#[inline]
#[target_feature(enable = "sse4.1")]
fn rows(acc: [__m128i; 2]) -> [__m128i; 4] {
    let (zero, odd) = (_mm_setzero_si128(), acc[1]);
    let even = _mm_sub_epi16(acc[0], _mm_slli_epi16::<8>(odd));
    let (low, high) = (_mm_unpacklo_epi16(even, odd), _mm_unpackhi_epi16(even, odd));
    [
        _mm_unpacklo_epi16(low, zero),
        _mm_unpackhi_epi16(low, zero),
        _mm_unpacklo_epi16(high, zero),
        _mm_unpackhi_epi16(high, zero),
    ]
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn add_to(to: &mut [u32; 4], rows: __m128i) {
    let at: *mut __m128i = to.as_mut_ptr().cast();
    // SAFETY: 4 words, of any alignment.
    let before = unsafe { _mm_loadu_si128(at) };
    // SAFETY: as above.
    unsafe { _mm_storeu_si128(at, _mm_add_epi32(before, rows)) }
}
