//! WebAssembly simd128: both encodings as the even and the odd halves of 32-bit lanes. `f16` by
//! integer shifts and one exact multiplication, as at SSE4.2.
#![allow(unsafe_code, reason = "unaligned loads from slices")]

use core::arch::wasm32::*;

use half::{bf16, f16};

use super::{Widen, padded};
use crate::isa::simd::Simd;
use crate::isa::tokens::Simd128;

macro_rules! even_and_odd {
    ($($e:ty, $part:ident;)*) => {$(
        impl Widen<$e, 2> for Simd128 {
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
            fn widen(self, x: &[$e; 8]) -> [v128; 2] {
                // SAFETY: the chunk has 8 elements; the load is unaligned.
                $part(unsafe { v128_load(x.as_ptr().cast()) })
            }

            #[inline(always)]
            fn widen_tail(self, x: &[$e]) -> [v128; 2] {
                Widen::<$e, 2>::widen(self, &padded(x, <$e>::ZERO))
            }

            #[inline(always)]
            fn arrange(self, x: &[f32; 8]) -> [v128; 2] {
                let (low, high) = (x.first_chunk().expect("8"), x.last_chunk().expect("8"));
                let (low, high) = (self.load(low), self.load(high));
                [i32x4_shuffle::<0, 2, 4, 6>(low, high), i32x4_shuffle::<1, 3, 5, 7>(low, high)]
            }

            #[inline(always)]
            fn arrange_tail(self, x: &[f32]) -> [v128; 2] {
                Widen::<$e, 2>::arrange(self, &padded(x, 0.0))
            }
        }
    )*};
}

even_and_odd! { f16, part_f16; bf16, part_bf16; }

/// The even elements and the odd ones: a `bf16` is the upper half of an `f32`.
#[inline(always)]
fn part_bf16(x: v128) -> [v128; 2] {
    [i32x4_shl(x, 16), v128_and(x, u32x4_splat(0xffff_0000))]
}

/// The even elements and the odd ones.
#[inline(always)]
fn part_f16(x: v128) -> [v128; 2] {
    [from_upper(i32x4_shl(x, 16)), from_upper(x)]
}

/// The `f16` in the upper half of each lane, as `f32`.
///
/// Exponent and mantissa, moved to where an `f32` has them, make a number too small by the
/// difference of the exponents' biases, 2^112; the multiplication is exact, from subnormal numbers
/// too. Infinities and NaN, whose exponent was 31, then get the largest exponent.
#[inline(always)]
fn from_upper(x: v128) -> v128 {
    let magnitude = v128_and(u32x4_shr(x, 3), u32x4_splat(0x0fff_e000));
    let scaled = f32x4_mul(magnitude, f32x4_splat(f32::from_bits(0x7780_0000)));
    let special = i32x4_gt(magnitude, i32x4_splat(0x0f7f_ffff));
    let exponent = v128_and(special, u32x4_splat(0x7f80_0000));
    v128_or(scaled, v128_or(exponent, v128_and(x, i32x4_splat(i32::MIN))))
}
