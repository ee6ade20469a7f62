//! NEON: products of bytes in 16 bits, summed in pairs into 32.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::{Nibbles, padded};
use crate::isa::tokens::Neon;

impl Nibbles for Neon {
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
        // SAFETY: the token proves NEON; the chunk has 16 bytes.
        unsafe { vld1q_u8(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[u8]) -> uint8x16_t {
        let padded = padded::<2>(x);
        // SAFETY: the token proves NEON; two words of 8 bytes.
        unsafe { vld1q_u8(padded.as_ptr().cast()) }
    }

    #[inline(always)]
    fn zero(self) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    fn low(self, v: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { low(v) }
    }

    #[inline(always)]
    fn high(self, v: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vshrq_n_u8::<4>(v) }
    }

    #[inline(always)]
    fn double(self, a: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vaddq_u8(a, a) }
    }

    #[inline(always)]
    fn sub(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vsubq_u8(a, b) }
    }

    #[inline(always)]
    fn abs_diff(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vabdq_u8(a, b) }
    }

    #[inline(always)]
    fn add(self, a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { add(a, b) }
    }

    #[inline(always)]
    fn minus_twice(self, b: uint8x16_t, a: uint8x16_t) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { minus_twice(b, a) }
    }

    #[inline(always)]
    fn products(self, acc: uint8x16_t, a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> uint8x16_t {
        // SAFETY: the token proves NEON.
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
        // SAFETY: the token proves NEON.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [uint8x16_t; 4]) -> [i32; 4] {
        let mut out = [0; 4];
        // SAFETY: the token proves NEON.
        let sums = unsafe { pairwise(v) };
        // SAFETY: `out` has 4 elements.
        unsafe { vst1q_s32(out.as_mut_ptr(), sums) };
        out
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        let address = core::ptr::from_ref(x);
        // SAFETY: `prfm` reads nothing that the program can see, at any address.
        unsafe {
            core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address,
                options(nostack, readonly, preserves_flags));
        }
    }
}

/// The low halves.
#[inline]
#[target_feature(enable = "neon")]
fn low(v: uint8x16_t) -> uint8x16_t {
    vandq_u8(v, vdupq_n_u8(15))
}

/// `a + b` of 32-bit lanes.
#[inline]
#[target_feature(enable = "neon")]
fn add(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
    vreinterpretq_u8_u32(vaddq_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)))
}

/// `b - 2 a` of 32-bit lanes.
#[inline]
#[target_feature(enable = "neon")]
fn minus_twice(b: uint8x16_t, a: uint8x16_t) -> uint8x16_t {
    let twice = vshlq_n_u32::<1>(vreinterpretq_u32_u8(a));
    vreinterpretq_u8_u32(vsubq_u32(vreinterpretq_u32_u8(b), twice))
}

/// Four products to a 16-bit lane, at most 15 x 128 each; numbers below 16 are signed bytes too.
#[inline]
#[target_feature(enable = "neon")]
fn products(acc: uint8x16_t, a: [uint8x16_t; 2], b: [uint8x16_t; 2]) -> uint8x16_t {
    let (a0, a1) = (vreinterpretq_s8_u8(a[0]), vreinterpretq_s8_u8(a[1]));
    let (b0, b1) = (vreinterpretq_s8_u8(b[0]), vreinterpretq_s8_u8(b[1]));
    let sums = vmull_s8(vget_low_s8(a0), vget_low_s8(a1));
    let sums = vmlal_high_s8(sums, a0, a1);
    let sums = vmlal_s8(sums, vget_low_s8(b0), vget_low_s8(b1));
    let sums = vmlal_high_s8(sums, b0, b1);
    vreinterpretq_u8_s32(vpadalq_s16(vreinterpretq_s32_u8(acc), sums))
}

/// The sum of 4 lanes.
#[inline]
#[target_feature(enable = "neon")]
fn sum(v: uint8x16_t) -> i32 {
    vaddvq_s32(vreinterpretq_s32_u8(v))
}

/// The sums of four registers, one a lane.
#[inline]
#[target_feature(enable = "neon")]
fn pairwise(v: [uint8x16_t; 4]) -> int32x4_t {
    let ab = vpaddq_s32(vreinterpretq_s32_u8(v[0]), vreinterpretq_s32_u8(v[1]));
    let cd = vpaddq_s32(vreinterpretq_s32_u8(v[2]), vreinterpretq_s32_u8(v[3]));
    vpaddq_s32(ab, cd)
}
