//! NEON: `f16` by `fcvtl` and `fcvtl2`; `bf16` as the even and the odd halves of 32-bit lanes.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;
use core::arch::asm;

use half::{bf16, f16};

use super::{Widen, padded};
use crate::isa::simd::Simd;
use crate::isa::tokens::Neon;

impl Widen<f16, 2> for Neon {
    type Codes = [f16; 8];
    type Floats = [f32; 8];

    #[inline(always)]
    fn code_chunks(self, x: &[f16]) -> (&[[f16; 8]], &[f16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn float_chunks(self, x: &[f32]) -> (&[[f32; 8]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[f16; 8]) -> [float32x4_t; 2] {
        // SAFETY: the token proves NEON; the chunk has 8 elements.
        let codes = unsafe { vld1q_u16(x.as_ptr().cast()) };
        let (low, high): (float32x4_t, float32x4_t);
        // By hand, since the intrinsics want the unstable type `f16`.
        // SAFETY: both are part of NEON, read one register and write another.
        unsafe {
            asm!("fcvtl {0:v}.4s, {1:v}.4h", out(vreg) low, in(vreg) codes,
                options(pure, nomem, nostack, preserves_flags));
        }
        // SAFETY: as above.
        unsafe {
            asm!("fcvtl2 {0:v}.4s, {1:v}.8h", out(vreg) high, in(vreg) codes,
                options(pure, nomem, nostack, preserves_flags));
        }
        [low, high]
    }

    #[inline(always)]
    fn widen_tail(self, x: &[f16]) -> [float32x4_t; 2] {
        Widen::<f16, 2>::widen(self, &padded(x, f16::ZERO))
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 8]) -> [float32x4_t; 2] {
        let (low, high) = (x.first_chunk().expect("8"), x.last_chunk().expect("8"));
        [self.load(low), self.load(high)]
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [float32x4_t; 2] {
        Widen::<f16, 2>::arrange(self, &padded(x, 0.0))
    }

    #[inline(always)]
    fn ask_for(self, x: *const f16) {
        prefetch(x);
    }
}

impl Widen<bf16, 2> for Neon {
    type Codes = [bf16; 8];
    type Floats = [f32; 8];

    #[inline(always)]
    fn code_chunks(self, x: &[bf16]) -> (&[[bf16; 8]], &[bf16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn float_chunks(self, x: &[f32]) -> (&[[f32; 8]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[bf16; 8]) -> [float32x4_t; 2] {
        // SAFETY: the token proves NEON; the chunk has 8 elements.
        let codes = unsafe { vld1q_u16(x.as_ptr().cast()) };
        // SAFETY: the token proves NEON.
        unsafe { part(codes) }
    }

    #[inline(always)]
    fn widen_tail(self, x: &[bf16]) -> [float32x4_t; 2] {
        Widen::<bf16, 2>::widen(self, &padded(x, bf16::ZERO))
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 8]) -> [float32x4_t; 2] {
        // SAFETY: the token proves NEON; the chunk has 8 elements.
        let float32x4x2_t(even, odd) = unsafe { vld2q_f32(x.as_ptr()) };
        [even, odd]
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [float32x4_t; 2] {
        Widen::<bf16, 2>::arrange(self, &padded(x, 0.0))
    }

    #[inline(always)]
    fn ask_for(self, x: *const bf16) {
        prefetch(x);
    }
}

/// The even elements and the odd ones: a `bf16` is the upper half of an `f32`.
#[inline]
#[target_feature(enable = "neon")]
fn part(x: uint16x8_t) -> [float32x4_t; 2] {
    let x = vreinterpretq_u32_u16(x);
    let odd = vandq_u32(x, vdupq_n_u32(0xffff_0000));
    [vreinterpretq_f32_u32(vshlq_n_u32::<16>(x)), vreinterpretq_f32_u32(odd)]
}

/// Asks for a cache line.
#[inline(always)]
fn prefetch<E>(x: *const E) {
    // SAFETY: `prfm` reads nothing that the program can see, at any address.
    unsafe {
        asm!("prfm pldl1keep, [{0}]", in(reg) x,
            options(nostack, readonly, preserves_flags));
    }
}
