//! Rows of byte codes by vector gathers. Every index is a byte beside its sub-space's place in a
//! table that has 256 entries for each, so none can leave the table.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{HandAdc, VectorGather};
use crate::isa::simd::Simd;
use crate::isa::tokens::{Avx2, Avx512};

/// What remains behind whole registers of sub-spaces.
#[inline(always)]
fn rest(tables: &[[f32; 256]], codes: &[u8]) -> f32 {
    let mut sum = 0.0;
    for (table, &code) in tables.iter().zip(codes) {
        sum += table[usize::from(code)];
    }
    sum
}

impl HandAdc for VectorGather<Avx2> {
    type Token = Avx2;

    #[inline(always)]
    fn row(token: Avx2, query: &[f32], row: &[u8]) -> f32 {
        let (tables, tables_over) = query.as_chunks::<256>().0.as_chunks::<8>();
        let (codes, codes_over) = row.as_chunks::<8>();
        let mut acc = token.zero();
        for (tables, codes) in tables.iter().zip(codes) {
            // SAFETY: the token proves AVX2.
            acc = unsafe { add8(acc, tables, codes) };
        }
        token.sum(acc) + rest(tables_over, codes_over)
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn add8(acc: __m256, tables: &[[f32; 256]; 8], codes: &[u8; 8]) -> __m256 {
    let bytes = _mm_cvtsi64_si128(i64::from_le_bytes(*codes));
    let tables_at = _mm256_setr_epi32(0, 256, 512, 768, 1024, 1280, 1536, 1792);
    let at = _mm256_add_epi32(_mm256_cvtepu8_epi32(bytes), tables_at);
    // SAFETY: lane l reads entry `code` (0..256) of table l, and there are 8 tables of 256.
    _mm256_add_ps(acc, unsafe { _mm256_i32gather_ps::<4>(tables.as_ptr().cast(), at) })
}

impl HandAdc for VectorGather<Avx512> {
    type Token = Avx512;

    #[inline(always)]
    fn row(token: Avx512, query: &[f32], row: &[u8]) -> f32 {
        let (tables, tables_over) = query.as_chunks::<256>().0.as_chunks::<16>();
        let (codes, codes_over) = row.as_chunks::<16>();
        let mut acc = token.zero();
        for (tables, codes) in tables.iter().zip(codes) {
            // SAFETY: the token proves AVX-512.
            acc = unsafe { add16(acc, tables, codes) };
        }
        token.sum(acc) + rest(tables_over, codes_over)
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn add16(acc: __m512, tables: &[[f32; 256]; 16], codes: &[u8; 16]) -> __m512 {
    // SAFETY: 16 bytes, of any alignment.
    let bytes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let at = _mm512_add_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_slli_epi32::<8>(lanes));
    // SAFETY: lane l reads entry `code` (0..256) of table l, and there are 16 tables of 256.
    _mm512_add_ps(acc, unsafe { _mm512_i32gather_ps::<4>(at, tables.as_ptr().cast()) })
}
