//! `popcnt` on words of 64 bits: no vectors, and the floor of a call for short ones.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Counts, word, words};
use crate::isa::tokens::Sse42;

impl Counts for Sse42 {
    type Chunk = [u8; 8];
    type Reg = u64;
    type Piece = [u64; 8];
    type Acc = u64;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 8]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 8]) -> u64 {
        u64::from_le_bytes(*x)
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> u64 {
        word(x)
    }

    #[inline(always)]
    fn piece(self, x: &[u8; 64]) -> [u64; 8] {
        words(x)
    }

    #[inline(always)]
    fn piece_tail(self, x: &[u8]) -> [u64; 8] {
        words(x)
    }

    #[inline(always)]
    fn xor(self, a: u64, b: u64) -> u64 {
        a ^ b
    }

    #[inline(always)]
    fn and(self, a: u64, b: u64) -> u64 {
        a & b
    }

    #[inline(always)]
    fn or(self, a: u64, b: u64) -> u64 {
        a | b
    }

    #[inline(always)]
    fn zero(self) -> u64 {
        0
    }

    #[inline(always)]
    fn count(self, x: u64) -> u64 {
        // SAFETY: the token proves popcnt.
        (unsafe { _popcnt64(x.cast_signed()) }) as u64
    }

    #[inline(always)]
    fn add(self, acc: u64, x: u64) -> u64 {
        acc + self.count(x)
    }

    #[inline(always)]
    fn add_planes(self, mut acc: u64, planes: &[[u64; 8]; 4], row: [u64; 8]) -> u64 {
        for (w, &row) in row.iter().enumerate() {
            let high = 2 * self.count(planes[3][w] & row) + self.count(planes[2][w] & row);
            let low = 2 * self.count(planes[1][w] & row) + self.count(planes[0][w] & row);
            acc += 4 * high + low;
        }
        acc
    }

    #[inline(always)]
    fn join(self, a: u64, b: u64) -> u64 {
        a + b
    }

    #[inline(always)]
    fn sum(self, acc: u64) -> u32 {
        acc as u32
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}
