//! Bytes widened to 16 bits, products summed in pairs by `i32x4.dot_i16x8_s`.
#![allow(unsafe_code, reason = "unaligned loads from slices")]

use core::arch::wasm32::*;

use super::tail::partial;
use super::{Byte, Lanes, Sad};
use crate::isa::tokens::Simd128;

/// The lower and the upper half of 16 bytes, widened.
type Wide = (v128, v128);

impl Lanes for Simd128 {
    type V = v128;
    type R = Wide;
    type Chunk<E: Byte> = [E; 16];

    #[inline(always)]
    fn chunks<E: Byte>(self, x: &[E]) -> (&[[E; 16]], &[E]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load<E: Byte>(self, x: &[E; 16]) -> Wide {
        // SAFETY: the chunk has 16 bytes; the load is unaligned.
        widen::<E>(unsafe { v128_load(x.as_ptr().cast()) })
    }

    #[inline(always)]
    fn load_tail<E: Byte>(self, x: &[E]) -> Wide {
        let [low, high] = partial(x);
        widen::<E>(u64x2(low, high))
    }

    #[inline(always)]
    fn zero(self) -> v128 {
        i32x4_splat(0)
    }

    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }

    #[inline(always)]
    fn dot<E: Byte>(self, acc: v128, a: Wide, b: Wide) -> v128 {
        i32x4_add(acc, i32x4_add(i32x4_dot_i16x8(a.0, b.0), i32x4_dot_i16x8(a.1, b.1)))
    }

    #[inline(always)]
    fn l2sq<E: Byte>(self, acc: v128, a: Wide, b: Wide) -> v128 {
        let d = (i16x8_sub(a.0, b.0), i16x8_sub(a.1, b.1));
        self.dot::<E>(acc, d, d)
    }

    #[inline(always)]
    fn sum(self, v: v128) -> i32 {
        let pairs = i32x4_add(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
        i32x4_extract_lane::<0>(pairs).wrapping_add(i32x4_extract_lane::<1>(pairs))
    }

    #[inline(always)]
    fn prefetch<E>(self, _x: &E) {
        // WebAssembly has no prefetch.
    }
}

impl Sad for Simd128 {
    type B = v128;
    type Bytes = [u8; 16];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load_bytes(self, x: &[u8; 16]) -> v128 {
        // SAFETY: the chunk has 16 bytes; the load is unaligned.
        unsafe { v128_load(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_bytes_tail(self, x: &[u8]) -> v128 {
        let [low, high] = partial(x);
        u64x2(low, high)
    }

    #[inline(always)]
    fn sad(self, acc: v128, a: v128, b: v128) -> v128 {
        let d = u8x16_sub(u8x16_max(a, b), u8x16_min(a, b));
        i32x4_add(acc, u32x4_extadd_pairwise_u16x8(u16x8_extadd_pairwise_u8x16(d)))
    }
}

#[inline(always)]
fn widen<E: Byte>(v: v128) -> Wide {
    if E::SIGNED {
        (i16x8_extend_low_i8x16(v), i16x8_extend_high_i8x16(v))
    } else {
        (u16x8_extend_low_u8x16(v), u16x8_extend_high_u8x16(v))
    }
}
