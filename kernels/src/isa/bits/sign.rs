//! The signs of floats as bits: set iff the value is above zero, so a NaN gives 0.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

#[cfg(target_arch = "aarch64")]
use core::arch::aarch64::*;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use core::arch::wasm32::*;
#[cfg(target_arch = "x86_64")]
use core::arch::x86_64::*;

#[cfg(target_arch = "aarch64")]
use crate::isa::tokens::Neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::isa::tokens::Simd128;
use crate::isa::tokens::Token;
#[cfg(target_arch = "x86_64")]
use crate::isa::tokens::{Avx2, Avx512, Sse42};

/// Comparisons of 8 floats with zero.
#[allow(dead_code, reason = "foreign architectures")]
pub(crate) trait Signs: Token {
    /// The signs of 8 floats, the first in the lowest bit.
    fn byte(self, x: &[f32; 8]) -> u8;

    /// The signs of 32 floats.
    #[inline(always)]
    fn word(self, x: &[f32; 32]) -> [u8; 4] {
        let (x, _) = x.as_chunks::<8>();
        [self.byte(&x[0]), self.byte(&x[1]), self.byte(&x[2]), self.byte(&x[3])]
    }

    /// The signs of less than 8 floats.
    #[inline(always)]
    fn rest(self, x: &[f32]) -> u8 {
        let mut padded = [0.0; 8];
        for (p, &v) in padded.iter_mut().zip(x) {
            *p = v;
        }
        self.byte(&padded)
    }
}

/// One bit a float; what is left of the last byte is zero. Writes no more than `out` holds.
#[allow(dead_code, reason = "foreign architectures")]
#[inline(always)]
pub(crate) fn encode<T: Signs>(t: T, values: &[f32], out: &mut [u8]) {
    let (chunks, rest) = values.as_chunks::<32>();
    let (words, last) = out.split_at_mut((4 * chunks.len()).min(out.len()));
    for (x, o) in chunks.iter().zip(words.as_chunks_mut::<4>().0) {
        *o = t.word(x);
    }
    let (eights, rest) = rest.as_chunks::<8>();
    for (x, o) in eights.iter().zip(last.iter_mut()) {
        *o = t.byte(x);
    }
    if let (Some(o), false) = (last.get_mut(eights.len()), rest.is_empty()) {
        *o = t.rest(rest);
    }
}

#[cfg(target_arch = "x86_64")]
impl Signs for Sse42 {
    #[inline(always)]
    fn byte(self, x: &[f32; 8]) -> u8 {
        let (x, _) = x.as_chunks::<4>();
        // SAFETY: the token proves SSE.
        let low = unsafe { signs4(&x[0]) };
        // SAFETY: the token proves SSE.
        let high = unsafe { signs4(&x[1]) };
        low | high << 4
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "sse")]
fn signs4(x: &[f32; 4]) -> u8 {
    // SAFETY: the array has 4 elements; the load is unaligned.
    let x = unsafe { _mm_loadu_ps(x.as_ptr()) };
    _mm_movemask_ps(_mm_cmpgt_ps(x, _mm_setzero_ps())) as u8
}

#[cfg(target_arch = "x86_64")]
impl Signs for Avx2 {
    #[inline(always)]
    fn byte(self, x: &[f32; 8]) -> u8 {
        // SAFETY: the token proves AVX2.
        unsafe { signs8(x) }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx")]
fn signs8(x: &[f32; 8]) -> u8 {
    // SAFETY: the array has 8 elements; the load is unaligned.
    let x = unsafe { _mm256_loadu_ps(x.as_ptr()) };
    _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps())) as u8
}

#[cfg(target_arch = "x86_64")]
impl Signs for Avx512 {
    #[inline(always)]
    fn byte(self, x: &[f32; 8]) -> u8 {
        // SAFETY: the token proves AVX-512.
        unsafe { mask8(x) }
    }

    #[inline(always)]
    fn word(self, x: &[f32; 32]) -> [u8; 4] {
        let (x, _) = x.as_chunks::<16>();
        // SAFETY: the token proves AVX-512.
        let low = unsafe { mask16(&x[0]) };
        // SAFETY: the token proves AVX-512.
        let high = unsafe { mask16(&x[1]) };
        (u32::from(low) | u32::from(high) << 16).to_le_bytes()
    }

    #[inline(always)]
    fn rest(self, x: &[f32]) -> u8 {
        // SAFETY: the token proves AVX-512.
        unsafe { mask_rest(x) }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f")]
fn mask16(x: &[f32; 16]) -> u16 {
    // SAFETY: the array has 16 elements; the load is unaligned.
    let x = unsafe { _mm512_loadu_ps(x.as_ptr()) };
    _mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps())
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn mask8(x: &[f32; 8]) -> u8 {
    // SAFETY: the array has 8 elements; the load is unaligned.
    let x = unsafe { _mm256_loadu_ps(x.as_ptr()) };
    _mm256_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm256_setzero_ps())
}

#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn mask_rest(x: &[f32]) -> u8 {
    let mask = ((1u32 << x.len().min(8)) - 1) as u8;
    // SAFETY: masked-off elements are not read.
    let x = unsafe { _mm256_maskz_loadu_ps(mask, x.as_ptr()) };
    _mm256_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm256_setzero_ps())
}

#[cfg(target_arch = "aarch64")]
impl Signs for Neon {
    #[inline(always)]
    fn byte(self, x: &[f32; 8]) -> u8 {
        // SAFETY: the token proves NEON.
        unsafe { neon_byte(x) }
    }
}

/// Comparisons as bits of their own, then summed: NEON has no `movmsk`.
#[cfg(target_arch = "aarch64")]
#[inline]
#[target_feature(enable = "neon")]
fn neon_byte(x: &[f32; 8]) -> u8 {
    const BITS: [u16; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
    // SAFETY: the array has 8 elements, 4 of them from the first on.
    let low = unsafe { vld1q_f32(x.as_ptr()) };
    let (_, high) = x.as_chunks::<4>().0.split_at(1);
    // SAFETY: the array has 4 elements.
    let high = unsafe { vld1q_f32(high[0].as_ptr()) };
    // SAFETY: the array has 8 elements.
    let bits = unsafe { vld1q_u16(BITS.as_ptr()) };
    let zero = vdupq_n_f32(0.0);
    let set = vcombine_u16(vmovn_u32(vcgtq_f32(low, zero)), vmovn_u32(vcgtq_f32(high, zero)));
    vaddvq_u16(vandq_u16(set, bits)) as u8
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
impl Signs for Simd128 {
    #[inline(always)]
    fn byte(self, x: &[f32; 8]) -> u8 {
        let (x, _) = x.as_chunks::<4>();
        bitmask(&x[0]) | bitmask(&x[1]) << 4
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn bitmask(x: &[f32; 4]) -> u8 {
    // SAFETY: the array has 4 elements; the load is unaligned.
    let x = unsafe { v128_load(x.as_ptr().cast()) };
    i32x4_bitmask(f32x4_gt(x, f32x4_splat(0.0)))
}
