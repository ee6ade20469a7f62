//! 128 bits: 4 centroids, or one sub-space of nibbles.
#![allow(unsafe_code, reason = "unaligned loads and stores")]

use core::arch::wasm32::*;

use super::{Lanes, Nibbles};
use crate::isa::tokens::Simd128;

impl Lanes for Simd128 {
    #[inline(always)]
    fn keep_less(self, new: [v128; 2], old: [v128; 2]) -> [v128; 2] {
        let less = f32x4_lt(new[0], old[0]);
        [v128_bitselect(new[0], old[0], less), v128_bitselect(new[1], old[1], less)]
    }
}

impl Nibbles for Simd128 {
    type V = v128;
    type Chunk = [u8; 16];

    #[inline(always)]
    fn zero(self) -> v128 {
        u8x16_splat(0)
    }

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> &[[u8; 16]] {
        x.as_chunks().0
    }

    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> v128 {
        // SAFETY: the chunk has 16 bytes; the load is unaligned.
        unsafe { v128_load(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn look_up(self, table: v128, codes: v128) -> [v128; 2] {
        let low = v128_and(codes, u8x16_splat(15));
        [u8x16_swizzle(table, low), u8x16_swizzle(table, u8x16_shr(codes, 4))]
    }

    // Rows 0..8 in the first register, rows 8..16 in the second.
    #[inline(always)]
    fn add(self, acc: [v128; 2], x: v128) -> [v128; 2] {
        [
            i16x8_add(acc[0], u16x8_extend_low_u8x16(x)),
            i16x8_add(acc[1], u16x8_extend_high_u8x16(x)),
        ]
    }

    #[inline(always)]
    fn flush(self, acc: [v128; 2], sums: &mut [u32; 16]) {
        let rows = [
            u32x4_extend_low_u16x8(acc[0]),
            u32x4_extend_high_u16x8(acc[0]),
            u32x4_extend_low_u16x8(acc[1]),
            u32x4_extend_high_u16x8(acc[1]),
        ];
        for (to, rows) in sums.as_chunks_mut::<4>().0.iter_mut().zip(rows) {
            let at: *mut v128 = to.as_mut_ptr().cast();
            // SAFETY: 4 words, of any alignment.
            let before = unsafe { v128_load(at) };
            // SAFETY: 4 words, of any alignment.
            unsafe { v128_store(at, i32x4_add(before, rows)) };
        }
    }
}
