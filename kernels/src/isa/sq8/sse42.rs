//! SSE4.2: 4 lanes.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Codes, STEP, word};
use crate::isa::simd::Simd;
use crate::isa::tokens::Sse42;

impl Codes for Sse42 {
    type Bytes = [u8; 4];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 4]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[u8; 4]) -> __m128 {
        // SAFETY: the token proves SSE4.1.
        unsafe { widen(u32::from_le_bytes(*x)) }
    }

    #[inline(always)]
    fn widen_partial(self, x: &[u8]) -> __m128 {
        match x.first_chunk() {
            Some(whole) => self.widen(whole),
            // SAFETY: the token proves SSE4.1. Fewer than four bytes.
            None => unsafe { widen(word(x) as u32) },
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
        let mut steps = [self.zero(); 4];
        for (k, step) in steps.iter_mut().enumerate() {
            let above = self.sub(self.load(&v[k]), self.load(&b[k]));
            *step = self.mul(above, self.load(&i[k]));
        }
        let mut out = [0; STEP];
        // SAFETY: the token proves SSE4.1.
        let codes = unsafe { round(steps, max) };
        // SAFETY: `out` has 16 bytes; the store is unaligned.
        unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), codes) };
        out
    }

    #[inline(always)]
    fn pack(self, codes: &[u8; STEP]) -> [u8; STEP / 2] {
        // SAFETY: the token proves SSSE3.
        unsafe { pack(codes) }
    }

    #[inline(always)]
    fn prefetch_byte(self, x: &u8) {
        crate::isa::int4::Nibbles::prefetch(self, x);
    }
}

/// Four bytes as numbers.
#[inline]
#[target_feature(enable = "sse4.1")]
fn widen(x: u32) -> __m128 {
    _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(x as i32)))
}

/// Bounded and rounded. The maximum of a NaN and zero is its second operand.
#[inline]
#[target_feature(enable = "sse4.1")]
fn round_one(steps: __m128, max: f32) -> __m128i {
    _mm_cvtps_epi32(_mm_min_ps(_mm_max_ps(steps, _mm_setzero_ps()), _mm_set1_ps(max)))
}

/// Sixteen of them as bytes.
#[inline]
#[target_feature(enable = "sse4.1")]
fn round(s: [__m128; 4], max: f32) -> __m128i {
    let low = _mm_packus_epi32(round_one(s[0], max), round_one(s[1], max));
    let high = _mm_packus_epi32(round_one(s[2], max), round_one(s[3], max));
    _mm_packus_epi16(low, high)
}

/// Pairs of codes as `low + 16 * high`, in 16 bits and then in bytes.
#[inline]
#[target_feature(enable = "ssse3")]
pub(super) fn pack(codes: &[u8; STEP]) -> [u8; STEP / 2] {
    // SAFETY: 16 bytes; the load is unaligned.
    let codes = unsafe { _mm_loadu_si128(codes.as_ptr().cast()) };
    let pairs = _mm_maddubs_epi16(codes, _mm_set1_epi16(0x1001));
    let bytes = _mm_packus_epi16(pairs, pairs);
    (_mm_cvtsi128_si64(bytes) as u64).to_le_bytes()
}
