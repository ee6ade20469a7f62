//! WebAssembly simd128: products of bytes in 16 bits, summed in pairs into 32.
#![allow(unsafe_code, reason = "unaligned loads from slices")]

use core::arch::wasm32::*;

use super::{Nibbles, padded};
use crate::isa::tokens::Simd128;

impl Nibbles for Simd128 {
    type V = v128;
    type Dot = v128;
    type Chunk = [u8; 16];
    const LANES: usize = 16;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> v128 {
        // SAFETY: the chunk has 16 bytes; the load is unaligned.
        unsafe { v128_load(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[u8]) -> v128 {
        let padded = padded::<2>(x);
        // SAFETY: two words of 8 bytes; the load is unaligned.
        unsafe { v128_load(padded.as_ptr().cast()) }
    }

    #[inline(always)]
    fn zero(self) -> v128 {
        i32x4_splat(0)
    }

    #[inline(always)]
    fn low(self, v: v128) -> v128 {
        v128_and(v, u8x16_splat(15))
    }

    #[inline(always)]
    fn high(self, v: v128) -> v128 {
        u8x16_shr(v, 4)
    }

    #[inline(always)]
    fn double(self, a: v128) -> v128 {
        i8x16_add(a, a)
    }

    #[inline(always)]
    fn sub(self, a: v128, b: v128) -> v128 {
        i8x16_sub(a, b)
    }

    #[inline(always)]
    fn abs_diff(self, a: v128, b: v128) -> v128 {
        i8x16_abs(i8x16_sub(a, b))
    }

    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }

    #[inline(always)]
    fn minus_twice(self, b: v128, a: v128) -> v128 {
        i32x4_sub(b, i32x4_shl(a, 1))
    }

    #[inline(always)]
    fn products(self, acc: v128, a: [v128; 2], b: [v128; 2]) -> v128 {
        // Four products to a 16-bit lane, at most 15 x 128 each.
        let of_a =
            i16x8_add(i16x8_extmul_low_i8x16(a[0], a[1]), i16x8_extmul_high_i8x16(a[0], a[1]));
        let of_b =
            i16x8_add(i16x8_extmul_low_i8x16(b[0], b[1]), i16x8_extmul_high_i8x16(b[0], b[1]));
        i32x4_add(acc, i32x4_extadd_pairwise_i16x8(i16x8_add(of_a, of_b)))
    }

    #[inline(always)]
    fn no_dot(self) -> v128 {
        self.zero()
    }

    #[inline(always)]
    fn dot(self, acc: v128, codes: v128, even: v128, odd: v128) -> v128 {
        self.products(acc, [self.low(codes), even], [self.high(codes), odd])
    }

    #[inline(always)]
    fn join_dot(self, a: v128, b: v128) -> v128 {
        self.add(a, b)
    }

    #[inline(always)]
    fn dot_sums(self, acc: v128) -> v128 {
        acc
    }

    #[inline(always)]
    fn sum(self, v: v128) -> i32 {
        let pairs = i32x4_add(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
        i32x4_extract_lane::<0>(pairs).wrapping_add(i32x4_extract_lane::<1>(pairs))
    }
}
