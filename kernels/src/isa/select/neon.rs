//! NEON: `fminnm` passes over NaN by itself; a mask is the sum of a bit a lane.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::Sift;
use crate::isa::tokens::Neon;
use crate::shape::select::SLACK;

impl Sift for Neon {
    #[inline(always)]
    fn min(self, x: float32x4_t, acc: float32x4_t) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { vminnmq_f32(x, acc) }
    }

    #[inline(always)]
    fn min_lane(self, v: float32x4_t) -> f32 {
        // SAFETY: the token proves NEON.
        unsafe { vminnmvq_f32(v) }
    }

    #[inline(always)]
    fn any_at_most(self, x: float32x4_t, limit: float32x4_t) -> bool {
        // SAFETY: the token proves NEON.
        unsafe { any_at_most(x, limit) }
    }

    #[inline(always)]
    fn at_most(self, x: float32x4_t, limit: float32x4_t) -> u32 {
        // SAFETY: the token proves NEON.
        unsafe { at_most(x, limit) }
    }

    #[inline(always)]
    fn equal(self, x: float32x4_t, y: float32x4_t) -> u32 {
        // SAFETY: the token proves NEON.
        unsafe { equal(x, y) }
    }

    #[inline(always)]
    fn lanes(self, v: float32x4_t) -> [f32; SLACK] {
        let mut out = [0.0; SLACK];
        // SAFETY: the token proves NEON; `out` has 16 elements.
        unsafe { vst1q_f32(out.as_mut_ptr(), v) };
        out
    }
}

/// The lowest bits of the lanes.
static BITS: [u32; 4] = [1, 2, 4, 8];

/// Whether a lane is at most the limit.
#[inline]
#[target_feature(enable = "neon")]
fn any_at_most(x: float32x4_t, limit: float32x4_t) -> bool {
    vmaxvq_u32(vcleq_f32(x, limit)) != 0
}

/// A bit for each lane that is at most the limit.
#[inline]
#[target_feature(enable = "neon")]
fn at_most(x: float32x4_t, limit: float32x4_t) -> u32 {
    mask(vcleq_f32(x, limit))
}

/// A bit for each lane that equals.
#[inline]
#[target_feature(enable = "neon")]
fn equal(x: float32x4_t, y: float32x4_t) -> u32 {
    mask(vceqq_f32(x, y))
}

/// A bit for each lane whose bits are all set.
#[inline]
#[target_feature(enable = "neon")]
fn mask(v: uint32x4_t) -> u32 {
    // SAFETY: `BITS` has 4 elements.
    let bits = unsafe { vld1q_u32(BITS.as_ptr()) };
    vaddvq_u32(vandq_u32(v, bits))
}
