//! DotProd: `sdot`, 16 products of signed bytes, four to a 32-bit lane. By name in assembly, as
//! the intrinsic is not stable.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::Nibbles;
use crate::isa::tokens::NeonDot;

impl Nibbles for NeonDot {
    type V = uint8x16_t;
    type Dot = uint8x16_t;
    type Chunk = [u8; 16];
    const LANES: usize = 16;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> uint8x16_t {
        self.neon().load(x)
    }

    #[inline(always)]
    fn load_partial(self, x: &[u8]) -> uint8x16_t {
        self.neon().load_partial(x)
    }

    #[inline(always)]
    fn zero(self) -> uint8x16_t {
        self.neon().zero()
    }

    #[inline(always)]
    fn low(self, v: uint8x16_t) -> uint8x16_t {
        self.neon().low(v)
    }

    #[inline(always)]
    fn high(self, v: uint8x16_t) -> uint8x16_t {
        self.neon().high(v)
    }

    #[inline(always)]
    fn double(self, a: uint8x16_t) -> uint8x16_t {
        self.neon().double(a)
    }

    #[inline(always)]
    fn sub(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        self.neon().sub(a, b)
    }

    #[inline(always)]
    fn abs_diff(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        self.neon().abs_diff(a, b)
    }

    #[inline(always)]
    fn add(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        self.neon().add(a, b)
    }

    #[inline(always)]
    fn minus_twice(self, b: uint8x16_t, a: uint8x16_t) -> uint8x16_t {
        self.neon().minus_twice(b, a)
    }

    #[inline(always)]
    fn products(self, acc: uint8x16_t, a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> uint8x16_t {
        // SAFETY: the token proves DotProd.
        unsafe { products(acc, a, b) }
    }

    #[inline(always)]
    fn no_dot(self) -> uint8x16_t {
        self.zero()
    }

    #[inline(always)]
    fn dot(
        self,
        acc: uint8x16_t,
        codes: uint8x16_t,
        even: uint8x16_t,
        odd: uint8x16_t,
    ) -> uint8x16_t {
        self.products(acc, [self.low(codes), even], [self.high(codes), odd])
    }

    #[inline(always)]
    fn join_dot(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        self.add(a, b)
    }

    #[inline(always)]
    fn dot_sums(self, acc: uint8x16_t) -> uint8x16_t {
        acc
    }

    #[inline(always)]
    fn sum(self, v: uint8x16_t) -> i32 {
        self.neon().sum(v)
    }

    #[inline(always)]
    fn sum4(self, v: [uint8x16_t; 4]) -> [i32; 4] {
        self.neon().sum4(v)
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.neon().prefetch(x);
    }
}

/// Both pairs' products.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn products(acc: uint8x16_t, a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> uint8x16_t {
    let mut acc = acc;
    // SAFETY: this function enables DotProd; registers only.
    unsafe {
        core::arch::asm!(
            ".arch_extension dotprod",
            "sdot {0:v}.4s, {1:v}.16b, {2:v}.16b",
            "sdot {0:v}.4s, {3:v}.16b, {4:v}.16b",
            inout(vreg) acc, in(vreg) a[0], in(vreg) a[1], in(vreg) b[0], in(vreg) b[1],
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    acc
}
