//! AVX-512: 16 lanes, masked tails.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Codes, STEP};
use crate::isa::tokens::Avx512;

impl Codes for Avx512 {
    type Bytes = [u8; 16];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[u8; 16]) -> __m512 {
        // SAFETY: the token proves AVX-512; the chunk has 16 bytes; the load is unaligned.
        let bytes = unsafe { _mm_loadu_si128(x.as_ptr().cast()) };
        // SAFETY: the token proves AVX-512.
        unsafe { widen(bytes) }
    }

    #[inline(always)]
    fn widen_partial(self, x: &[u8]) -> __m512 {
        let mask = ((1u32 << x.len().min(16)) - 1) as __mmask16;
        // SAFETY: the token proves AVX-512BW and VL; masked-off bytes are not read.
        let bytes = unsafe { _mm_maskz_loadu_epi8(mask, x.as_ptr().cast()) };
        // SAFETY: the token proves AVX-512.
        unsafe { widen(bytes) }
    }

    #[inline(always)]
    fn quantise(
        self,
        values: &[f32; STEP],
        bias: &[f32; STEP],
        inverse: &[f32; STEP],
        max: f32,
    ) -> [u8; STEP] {
        use crate::isa::simd::Simd;
        let steps = self.mul(self.sub(self.load(values), self.load(bias)), self.load(inverse));
        let mut out = [0; STEP];
        // SAFETY: the token proves AVX-512.
        let codes = unsafe { round(steps, max) };
        // SAFETY: `out` has 16 bytes; the store is unaligned.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), codes) };
        out
    }

    #[inline(always)]
    fn pack(self, codes: &[u8; STEP]) -> [u8; STEP / 2] {
        // SAFETY: the token proves SSSE3.
        unsafe { super::sse42::pack(codes) }
    }

    #[inline(always)]
    fn prefetch_byte(self, x: &u8) {
        crate::isa::int4::Nibbles::prefetch(self, x);
    }
}

/// Bytes as numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn widen(x: __m128i) -> __m512 {
    _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(x))
}

/// Bounded and rounded. The maximum of a NaN and zero is its second operand.
#[inline]
#[target_feature(enable = "avx512f")]
fn round(steps: __m512, max: f32) -> __m128i {
    let bounded = _mm512_min_ps(_mm512_max_ps(steps, _mm512_setzero_ps()), _mm512_set1_ps(max));
    _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(bounded))
}
