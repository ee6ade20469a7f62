//! SSE4.2: both encodings as the even and the odd halves of 32-bit lanes. It has no conversion of
//! `f16`: integer shifts, and one exact multiplication that also makes subnormal numbers normal.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use half::{bf16, f16};

use super::x86::{prefetch, tail8};
use super::{Widen, behind};
use crate::isa::simd::Simd;
use crate::isa::tokens::Sse42;

macro_rules! even_and_odd {
    ($($e:ty, $part:ident;)*) => {$(
        impl Widen<$e, 2> for Sse42 {
            type Codes = [$e; 8];
            type Floats = [f32; 8];

            #[inline(always)]
            fn code_chunks(self, x: &[$e]) -> (&[[$e; 8]], &[$e]) {
                x.as_chunks()
            }

            #[inline(always)]
            fn float_chunks(self, x: &[f32]) -> (&[[f32; 8]], &[f32]) {
                x.as_chunks()
            }

            #[inline(always)]
            fn widen(self, x: &[$e; 8]) -> [__m128; 2] {
                // SAFETY: the token proves SSE2; the chunk has 8 elements; the load is unaligned.
                let codes = unsafe { _mm_loadu_si128(x.as_ptr().cast()) };
                // SAFETY: the token proves SSE2.
                unsafe { $part(codes) }
            }

            #[inline(always)]
            fn widen_tail(self, x: &[$e]) -> [__m128; 2] {
                // SAFETY: the token proves SSE2.
                let codes = unsafe { tail8(x) };
                // SAFETY: the token proves SSE2.
                unsafe { $part(codes) }
            }

            #[inline(always)]
            fn arrange(self, x: &[f32; 8]) -> [__m128; 2] {
                let (low, high) = (x.first_chunk().expect("8"), x.last_chunk().expect("8"));
                // SAFETY: the token proves SSE.
                unsafe { deinterleave(self.load(low), self.load(high)) }
            }

            #[inline(always)]
            fn arrange_tail(self, x: &[f32]) -> [__m128; 2] {
                // SAFETY: the token proves SSE.
                unsafe { deinterleave(self.load_partial(x), self.load_partial(behind(x, 4))) }
            }

            #[inline(always)]
            fn ask_for(self, x: *const $e) {
                prefetch(x);
            }
        }
    )*};
}

even_and_odd! { f16, part_f16; bf16, part_bf16; }

/// The even elements and the odd ones: a `bf16` is the upper half of an `f32`.
#[inline]
#[target_feature(enable = "sse2")]
fn part_bf16(x: __m128i) -> [__m128; 2] {
    let odd = _mm_and_si128(x, _mm_set1_epi32(0xffff_0000_u32.cast_signed()));
    [_mm_castsi128_ps(_mm_slli_epi32::<16>(x)), _mm_castsi128_ps(odd)]
}

/// The even elements and the odd ones.
#[inline]
#[target_feature(enable = "sse2")]
fn part_f16(x: __m128i) -> [__m128; 2] {
    [from_upper(_mm_slli_epi32::<16>(x)), from_upper(x)]
}

/// The `f16` in the upper half of each lane, as `f32`.
///
/// Exponent and mantissa, moved to where an `f32` has them, make a number too small by the
/// difference of the exponents' biases, 2^112; the multiplication is exact, from subnormal numbers
/// too. Infinities and NaN, whose exponent was 31, then get the largest exponent.
#[inline]
#[target_feature(enable = "sse2")]
fn from_upper(x: __m128i) -> __m128 {
    let magnitude = _mm_and_si128(_mm_srli_epi32::<3>(x), _mm_set1_epi32(0x0fff_e000));
    let scaled = _mm_mul_ps(_mm_castsi128_ps(magnitude), _mm_set1_ps(f32::from_bits(0x7780_0000)));
    let special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x0f7f_ffff));
    let exponent = _mm_and_si128(special, _mm_set1_epi32(0x7f80_0000));
    let sign = _mm_and_si128(x, _mm_set1_epi32(i32::MIN));
    _mm_or_ps(scaled, _mm_castsi128_ps(_mm_or_si128(exponent, sign)))
}

/// The even ones of 8 floats and the odd ones.
#[inline]
#[target_feature(enable = "sse")]
fn deinterleave(low: __m128, high: __m128) -> [__m128; 2] {
    [_mm_shuffle_ps::<0b10_00_10_00>(low, high), _mm_shuffle_ps::<0b11_01_11_01>(low, high)]
}
