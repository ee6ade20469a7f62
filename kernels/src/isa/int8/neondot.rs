//! `sdot` and `udot`: 16 products, four to a 32-bit lane. What is not a product is NEON's.
//!
//! Inline assembly: the intrinsics are not stable in every supported release.
#![allow(unsafe_code, reason = "inline assembly; the token proves the level")]

use core::arch::aarch64::*;
use core::arch::asm;

use super::neon::difference;
use super::{Byte, Lanes, Sad};
use crate::isa::tokens::NeonDot;

impl Lanes for NeonDot {
    type V = int32x4_t;
    type R = uint8x16_t;
    type Chunk<E: Byte> = [E; 16];

    #[inline(always)]
    fn chunks<E: Byte>(self, x: &[E]) -> (&[[E; 16]], &[E]) {
        self.neon().chunks(x)
    }

    #[inline(always)]
    fn load<E: Byte>(self, x: &[E; 16]) -> uint8x16_t {
        self.neon().load(x)
    }

    #[inline(always)]
    fn load_tail<E: Byte>(self, x: &[E]) -> uint8x16_t {
        self.neon().load_tail(x)
    }

    #[inline(always)]
    fn zero(self) -> int32x4_t {
        self.neon().zero()
    }

    #[inline(always)]
    fn add(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        self.neon().add(a, b)
    }

    #[inline(always)]
    fn dot<E: Byte>(self, acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
        if E::SIGNED {
            // SAFETY: the token proves DotProd.
            unsafe { sdot(acc, a, b) }
        } else {
            // SAFETY: the token proves DotProd.
            unsafe { udot(acc, a, b) }
        }
    }

    #[inline(always)]
    fn l2sq<E: Byte>(self, acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
        // SAFETY: the token proves NEON.
        let d = unsafe { difference::<E>(a, b) };
        // SAFETY: the token proves DotProd.
        unsafe { udot(acc, d, d) }
    }

    #[inline(always)]
    fn sum(self, v: int32x4_t) -> i32 {
        self.neon().sum(v)
    }

    #[inline(always)]
    fn sum4(self, v: [int32x4_t; 4]) -> [i32; 4] {
        self.neon().sum4(v)
    }

    #[inline(always)]
    fn prefetch<E>(self, x: &E) {
        self.neon().prefetch(x);
    }
}

impl Sad for NeonDot {
    type B = uint8x16_t;
    type Bytes = [u8; 16];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load_bytes(self, x: &[u8; 16]) -> uint8x16_t {
        self.neon().load(x)
    }

    #[inline(always)]
    fn load_bytes_tail(self, x: &[u8]) -> uint8x16_t {
        self.neon().load_tail(x)
    }

    #[inline(always)]
    fn sad(self, acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
        // SAFETY: the token proves DotProd.
        unsafe { sad(acc, a, b) }
    }
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot(mut acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: this function enables DotProd; the instruction works on these registers alone.
    unsafe {
        asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) acc, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags));
    }
    acc
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn udot(mut acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    // SAFETY: this function enables DotProd; the instruction works on these registers alone.
    unsafe {
        asm!("udot {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) acc, in(vreg) a, in(vreg) b,
            options(pure, nomem, nostack, preserves_flags));
    }
    acc
}

/// Absolute differences, each times one.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sad(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    udot(acc, difference::<u8>(a, b), vdupq_n_u8(1))
}
