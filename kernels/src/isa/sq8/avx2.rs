//! AVX2: 8 lanes.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Codes, STEP, word};
use crate::isa::simd::Simd;
use crate::isa::tokens::Avx2;

impl Codes for Avx2 {
    type Bytes = [u8; 8];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 8]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[u8; 8]) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { widen(u64::from_le_bytes(*x)) }
    }

    #[inline(always)]
    fn widen_partial(self, x: &[u8]) -> __m256 {
        match x.first_chunk() {
            Some(whole) => self.widen(whole),
            // SAFETY: the token proves AVX2.
            None => unsafe { widen(word(x)) },
        }
    }

    #[inline(always)]
    fn quantise(
        self,
        values: &[f32; STEP],
        bias: &[f32; STEP],
        inverse: &[f32; STEP],
        max: f32,
    ) -> [u8; STEP] {
        let (v, b, i) = (self.chunks(values).0, self.chunks(bias).0, self.chunks(inverse).0);
        let low = self.mul(self.sub(self.load(&v[0]), self.load(&b[0])), self.load(&i[0]));
        let high = self.mul(self.sub(self.load(&v[1]), self.load(&b[1])), self.load(&i[1]));
        let mut out = [0; STEP];
        // SAFETY: the token proves AVX2.
        let codes = unsafe { round(low, high, max) };
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

/// Eight bytes as numbers.
#[inline]
#[target_feature(enable = "avx2")]
fn widen(x: u64) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(x as i64)))
}

/// Bounded and rounded, as words. The maximum of a NaN and zero is its second operand.
#[inline]
#[target_feature(enable = "avx2")]
fn words(steps: __m256, max: f32) -> __m256i {
    let bounded = _mm256_min_ps(_mm256_max_ps(steps, _mm256_setzero_ps()), _mm256_set1_ps(max));
    _mm256_cvtps_epi32(bounded)
}

/// Sixteen of them as bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn round(low: __m256, high: __m256, max: f32) -> __m128i {
    let (low, high) = (words(low, max), words(high, max));
    let low = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256::<1>(low));
    let high = _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256::<1>(high));
    _mm_packus_epi16(low, high)
}
