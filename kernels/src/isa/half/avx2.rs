//! AVX2: `f16` by F16C, 8 lanes; `bf16` as the even and the odd halves of 32-bit lanes.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use half::{bf16, f16};

use super::x86::{prefetch, tail8};
use super::{Widen, behind};
use crate::isa::simd::Simd;
use crate::isa::tokens::Avx2;

impl Widen<f16, 1> for Avx2 {
    type Codes = [f16; 8];
    type Floats = [f32; 8];

    #[inline(always)]
    fn code_chunks(self, x: &[f16]) -> (&[[f16; 8]], &[f16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn float_chunks(self, x: &[f32]) -> (&[[f32; 8]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[f16; 8]) -> [__m256; 1] {
        // SAFETY: the token proves SSE2; the chunk has 8 elements; the load is unaligned.
        let codes = unsafe { _mm_loadu_si128(x.as_ptr().cast()) };
        // SAFETY: the token proves F16C.
        unsafe { [_mm256_cvtph_ps(codes)] }
    }

    #[inline(always)]
    fn widen_tail(self, x: &[f16]) -> [__m256; 1] {
        // SAFETY: the token proves SSE2.
        let codes = unsafe { tail8(x) };
        // SAFETY: the token proves F16C.
        unsafe { [_mm256_cvtph_ps(codes)] }
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 8]) -> [__m256; 1] {
        [self.load(x)]
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [__m256; 1] {
        [self.load_partial(x)]
    }

    #[inline(always)]
    fn ask_for(self, x: *const f16) {
        prefetch(x);
    }
}

impl Widen<bf16, 2> for Avx2 {
    type Codes = [bf16; 16];
    type Floats = [f32; 16];

    #[inline(always)]
    fn code_chunks(self, x: &[bf16]) -> (&[[bf16; 16]], &[bf16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn float_chunks(self, x: &[f32]) -> (&[[f32; 16]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[bf16; 16]) -> [__m256; 2] {
        // SAFETY: the token proves AVX; the chunk has 16 elements; the load is unaligned.
        let codes = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
        // SAFETY: the token proves AVX2.
        unsafe { part(codes) }
    }

    #[inline(always)]
    fn widen_tail(self, x: &[bf16]) -> [__m256; 2] {
        // SAFETY: the token proves AVX2.
        unsafe { part_tail(x) }
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 16]) -> [__m256; 2] {
        let (low, high) = (x.first_chunk().expect("16"), x.last_chunk().expect("16"));
        // SAFETY: the token proves AVX2.
        unsafe { deinterleave(self.load(low), self.load(high)) }
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [__m256; 2] {
        // SAFETY: the token proves AVX2.
        unsafe { deinterleave(self.load_partial(x), self.load_partial(behind(x, 8))) }
    }

    #[inline(always)]
    fn ask_for(self, x: *const bf16) {
        prefetch(x);
    }
}

/// The even elements and the odd ones: a `bf16` is the upper half of an `f32`.
#[inline]
#[target_feature(enable = "avx2")]
fn part(x: __m256i) -> [__m256; 2] {
    let odd = _mm256_and_si256(x, _mm256_set1_epi32(0xffff_0000_u32.cast_signed()));
    [_mm256_castsi256_ps(_mm256_slli_epi32::<16>(x)), _mm256_castsi256_ps(odd)]
}

/// As [`part`], of up to 16 elements.
#[inline]
#[target_feature(enable = "avx2")]
fn part_tail(x: &[bf16]) -> [__m256; 2] {
    part(_mm256_set_m128i(tail8(behind(x, 8)), tail8(x)))
}

/// The even ones of 16 floats and the odd ones.
#[inline]
#[target_feature(enable = "avx2")]
fn deinterleave(low: __m256, high: __m256) -> [__m256; 2] {
    // Shuffles stay within 128 bits, so first what belongs together within them.
    let a = _mm256_permute2f128_ps::<0x20>(low, high);
    let b = _mm256_permute2f128_ps::<0x31>(low, high);
    [_mm256_shuffle_ps::<0b10_00_10_00>(a, b), _mm256_shuffle_ps::<0b11_01_11_01>(a, b)]
}
