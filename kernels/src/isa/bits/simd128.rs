//! `i8x16.popcnt` counts the bits of each byte; pairwise widening adds sum them.
#![allow(unsafe_code, reason = "unaligned loads from arrays")]

use core::arch::wasm32::*;

use super::{Counts, words};
use crate::isa::tokens::Simd128;

impl Counts for Simd128 {
    type Chunk = [u8; 16];
    type Reg = v128;
    type Piece = [v128; 4];
    /// Four sums of 32 bits.
    type Acc = v128;

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
    fn load_tail(self, x: &[u8]) -> v128 {
        let [low, high] = words::<2>(x);
        u64x2(low, high)
    }

    #[inline(always)]
    fn piece(self, x: &[u8; 64]) -> [v128; 4] {
        let (x, _) = x.as_chunks::<16>();
        [self.load(&x[0]), self.load(&x[1]), self.load(&x[2]), self.load(&x[3])]
    }

    #[inline(always)]
    fn piece_tail(self, x: &[u8]) -> [v128; 4] {
        let (mut piece, mut rest) = ([u64x2(0, 0); 4], x);
        for p in &mut piece {
            if let Some((whole, behind)) = rest.split_first_chunk::<16>() {
                (*p, rest) = (self.load(whole), behind);
            } else {
                (*p, rest) = (self.load_tail(rest), &[]);
            }
        }
        piece
    }

    #[inline(always)]
    fn xor(self, a: v128, b: v128) -> v128 {
        v128_xor(a, b)
    }

    #[inline(always)]
    fn and(self, a: v128, b: v128) -> v128 {
        v128_and(a, b)
    }

    #[inline(always)]
    fn or(self, a: v128, b: v128) -> v128 {
        v128_or(a, b)
    }

    #[inline(always)]
    fn zero(self) -> v128 {
        u64x2(0, 0)
    }

    #[inline(always)]
    fn count(self, x: v128) -> v128 {
        widen(i8x16_popcnt(x))
    }

    #[inline(always)]
    fn add(self, acc: v128, x: v128) -> v128 {
        i32x4_add(acc, self.count(x))
    }

    #[inline(always)]
    fn add_planes(self, mut acc: v128, planes: &[[v128; 4]; 4], row: [v128; 4]) -> v128 {
        for i in 0..4 {
            let four = [planes[0][i], planes[1][i], planes[2][i], planes[3][i]];
            acc = i32x4_add(acc, widen(weighted(four, row[i])));
        }
        acc
    }

    #[inline(always)]
    fn join(self, a: v128, b: v128) -> v128 {
        i32x4_add(a, b)
    }

    #[inline(always)]
    fn sum(self, acc: v128) -> u32 {
        let half = i32x4_add(acc, i64x2_shuffle::<1, 0>(acc, acc));
        u32x4_extract_lane::<0>(half).wrapping_add(u32x4_extract_lane::<1>(half))
    }
}

/// 16 bytes, summed pairwise to four lanes.
#[inline(always)]
fn widen(x: v128) -> v128 {
    u32x4_extadd_pairwise_u16x8(u16x8_extadd_pairwise_u8x16(x))
}

/// The bits that a row shares with each plane, byte by byte, plane `p` 2^p times: at most 120.
#[inline(always)]
fn weighted(planes: [v128; 4], row: v128) -> v128 {
    let mut sum = i8x16_popcnt(v128_and(planes[3], row));
    sum = i8x16_add(i8x16_add(sum, sum), i8x16_popcnt(v128_and(planes[2], row)));
    sum = i8x16_add(i8x16_add(sum, sum), i8x16_popcnt(v128_and(planes[1], row)));
    i8x16_add(i8x16_add(sum, sum), i8x16_popcnt(v128_and(planes[0], row)))
}
