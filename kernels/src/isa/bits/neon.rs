//! `cnt` counts the bits of each byte; pairwise widening adds sum them.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::{Counts, words};
use crate::isa::tokens::Neon;

impl Counts for Neon {
    type Chunk = [u8; 16];
    type Reg = uint8x16_t;
    type Piece = [uint8x16_t; 4];
    type Acc = uint32x4_t;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> uint8x16_t {
        // SAFETY: the token proves NEON; the chunk has 16 bytes.
        unsafe { vld1q_u8(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> uint8x16_t {
        let words = words::<2>(x);
        // SAFETY: the array has two words.
        let words = unsafe { vld1q_u64(words.as_ptr()) };
        // SAFETY: the token proves NEON. Bytes lie in the order of a little-endian word.
        unsafe { vreinterpretq_u8_u64(words) }
    }

    #[inline(always)]
    fn piece(self, x: &[u8; 64]) -> [uint8x16_t; 4] {
        let (x, _) = x.as_chunks::<16>();
        [self.load(&x[0]), self.load(&x[1]), self.load(&x[2]), self.load(&x[3])]
    }

    #[inline(always)]
    fn piece_tail(self, x: &[u8]) -> [uint8x16_t; 4] {
        let (mut piece, mut rest) = ([self.load_tail(&[]); 4], x);
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
    fn xor(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { veorq_u8(a, b) }
    }

    #[inline(always)]
    fn and(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vandq_u8(a, b) }
    }

    #[inline(always)]
    fn or(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vorrq_u8(a, b) }
    }

    #[inline(always)]
    fn zero(self) -> uint32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_u32(0) }
    }

    #[inline(always)]
    fn count(self, x: uint8x16_t) -> uint32x4_t {
        self.add(self.zero(), x)
    }

    #[inline(always)]
    fn add(self, acc: uint32x4_t, x: uint8x16_t) -> uint32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { add_bytes(acc, vcntq_u8(x)) }
    }

    #[inline(always)]
    fn add_planes(
        self,
        mut acc: uint32x4_t,
        planes: &[[uint8x16_t; 4]; 4],
        row: [uint8x16_t; 4],
    ) -> uint32x4_t {
        for i in 0..4 {
            let four = [planes[0][i], planes[1][i], planes[2][i], planes[3][i]];
            // SAFETY: the token proves NEON.
            acc = unsafe { add_bytes(acc, weighted(four, row[i])) };
        }
        acc
    }

    #[inline(always)]
    fn join(self, a: uint32x4_t, b: uint32x4_t) -> uint32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vaddq_u32(a, b) }
    }

    #[inline(always)]
    fn sum(self, acc: uint32x4_t) -> u32 {
        // SAFETY: the token proves NEON.
        unsafe { vaddvq_u32(acc) }
    }

    #[inline(always)]
    fn sum4(self, acc: [uint32x4_t; 4]) -> [u32; 4] {
        // SAFETY: the token proves NEON.
        unsafe { sum4(acc) }
    }
}

/// Adds 16 bytes to four sums, pairwise.
#[inline]
#[target_feature(enable = "neon")]
fn add_bytes(acc: uint32x4_t, x: uint8x16_t) -> uint32x4_t {
    vpadalq_u16(acc, vpaddlq_u8(x))
}

/// The bits that a row shares with each plane, byte by byte, plane `p` 2^p times: at most 120.
#[inline]
#[target_feature(enable = "neon")]
fn weighted(planes: [uint8x16_t; 4], row: uint8x16_t) -> uint8x16_t {
    let mut sum = vcntq_u8(vandq_u8(planes[3], row));
    sum = vaddq_u8(vaddq_u8(sum, sum), vcntq_u8(vandq_u8(planes[2], row)));
    sum = vaddq_u8(vaddq_u8(sum, sum), vcntq_u8(vandq_u8(planes[1], row)));
    vaddq_u8(vaddq_u8(sum, sum), vcntq_u8(vandq_u8(planes[0], row)))
}

#[inline]
#[target_feature(enable = "neon")]
fn sum4([a, b, c, d]: [uint32x4_t; 4]) -> [u32; 4] {
    let all = vpaddq_u32(vpaddq_u32(a, b), vpaddq_u32(c, d));
    let mut out = [0; 4];
    // SAFETY: the array has four lanes.
    unsafe { vst1q_u32(out.as_mut_ptr(), all) };
    out
}
