//! Products of bytes in 16 bits (`smull`, `umull`), added in pairs to 32 (`sadalp`, `uadalp`).
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::tail::partial;
use super::{Byte, Lanes, Sad};
use crate::isa::tokens::Neon;

impl Lanes for Neon {
    type V = int32x4_t;
    type R = uint8x16_t;
    type Chunk<E: Byte> = [E; 16];

    #[inline(always)]
    fn chunks<E: Byte>(self, x: &[E]) -> (&[[E; 16]], &[E]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load<E: Byte>(self, x: &[E; 16]) -> uint8x16_t {
        // SAFETY: the token proves NEON; the chunk has 16 bytes.
        unsafe { vld1q_u8(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_tail<E: Byte>(self, x: &[E]) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { words(partial(x)) }
    }

    #[inline(always)]
    fn zero(self) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_s32(0) }
    }

    #[inline(always)]
    fn add(self, a: int32x4_t, b: int32x4_t) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vaddq_s32(a, b) }
    }

    #[inline(always)]
    fn dot<E: Byte>(self, acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
        if E::SIGNED {
            // SAFETY: the token proves NEON.
            unsafe { signed(acc, a, b) }
        } else {
            // SAFETY: the token proves NEON.
            unsafe { unsigned(acc, a, b) }
        }
    }

    #[inline(always)]
    fn l2sq<E: Byte>(self, acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
        // SAFETY: the token proves NEON.
        let d = unsafe { difference::<E>(a, b) };
        // SAFETY: the token proves NEON.
        unsafe { unsigned(acc, d, d) }
    }

    #[inline(always)]
    fn sum(self, v: int32x4_t) -> i32 {
        // SAFETY: the token proves NEON.
        unsafe { vaddvq_s32(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [int32x4_t; 4]) -> [i32; 4] {
        // SAFETY: the token proves NEON.
        let sums = unsafe { pairwise(v) };
        let mut out = [0; 4];
        // SAFETY: `out` has 4 elements.
        unsafe { vst1q_s32(out.as_mut_ptr(), sums) };
        out
    }

    #[inline(always)]
    fn prefetch<E>(self, x: &E) {
        let address = core::ptr::from_ref(x);
        // SAFETY: `prfm` reads nothing that the program can see, at any address.
        unsafe {
            core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address,
                options(nostack, readonly, preserves_flags));
        }
    }
}

impl Sad for Neon {
    type B = uint8x16_t;
    type Bytes = [u8; 16];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 16]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load_bytes(self, x: &[u8; 16]) -> uint8x16_t {
        self.load(x)
    }

    #[inline(always)]
    fn load_bytes_tail(self, x: &[u8]) -> uint8x16_t {
        self.load_tail(x)
    }

    #[inline(always)]
    fn sad(self, acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { sad(acc, a, b) }
    }
}

/// Two words as a register.
#[inline]
#[target_feature(enable = "neon")]
fn words([low, high]: [u64; 2]) -> uint8x16_t {
    vcombine_u8(vcreate_u8(low), vcreate_u8(high))
}

/// Products of at most 2^14 fit 16 bits.
#[inline]
#[target_feature(enable = "neon")]
fn signed(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    let (a, b) = (vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b));
    let acc = vpadalq_s16(acc, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    vpadalq_s16(acc, vmull_high_s8(a, b))
}

/// Products of at most 255^2 fit 16 bits without a sign.
#[inline]
#[target_feature(enable = "neon")]
fn unsigned(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    let acc = vreinterpretq_u32_s32(acc);
    let acc = vpadalq_u16(acc, vmull_u8(vget_low_u8(a), vget_low_u8(b)));
    vreinterpretq_s32_u32(vpadalq_u16(acc, vmull_high_u8(a, b)))
}

/// Absolute differences: those of signed bytes reach 255, read without a sign.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn difference<E: Byte>(a: uint8x16_t, b: uint8x16_t) -> uint8x16_t {
    if E::SIGNED {
        vreinterpretq_u8_s8(vabdq_s8(vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b)))
    } else {
        vabdq_u8(a, b)
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn sad(acc: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    let pairs = vpaddlq_u8(vabdq_u8(a, b));
    vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(acc), pairs))
}

/// The sums of four registers, one a lane.
#[inline]
#[target_feature(enable = "neon")]
fn pairwise(v: [int32x4_t; 4]) -> int32x4_t {
    vpaddq_s32(vpaddq_s32(v[0], v[1]), vpaddq_s32(v[2], v[3]))
}
