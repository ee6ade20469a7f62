//! NEON: 4 lanes.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::{Codes, STEP, word};
use crate::isa::simd::Simd;
use crate::isa::tokens::Neon;

impl Codes for Neon {
    type Bytes = [u8; 4];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 4]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[u8; 4]) -> float32x4_t {
        // SAFETY: the token proves NEON.
        unsafe { widen(u32::from_le_bytes(*x)) }
    }

    #[inline(always)]
    fn widen_partial(self, x: &[u8]) -> float32x4_t {
        match x.first_chunk() {
            Some(whole) => self.widen(whole),
            // SAFETY: the token proves NEON. Fewer than four bytes.
            None => unsafe { widen(word(x) as u32) },
        }
    }

    #[inline(always)]
    fn quantise(
        self,
        values: &[f32; STEP],
        bias: &[f32; STEP],
        inverse: &[f32; STEP],
        max: f32,
    ) -> [u8; STEP] {
        let (v, b, i) = (self.chunks(values).0, self.chunks(bias).0, self.chunks(inverse).0);
        let mut steps = [self.zero(); 4];
        for (k, step) in steps.iter_mut().enumerate() {
            let above = self.sub(self.load(&v[k]), self.load(&b[k]));
            *step = self.mul(above, self.load(&i[k]));
        }
        let mut out = [0; STEP];
        // SAFETY: the token proves NEON.
        let codes = unsafe { round(steps, max) };
        // SAFETY: `out` has 16 bytes.
        unsafe { vst1q_u8(out.as_mut_ptr(), codes) };
        out
    }

    #[inline(always)]
    fn prefetch_byte(self, x: &u8) {
        crate::isa::int4::Nibbles::prefetch(self, x);
    }
}

/// Four bytes as numbers.
#[inline]
#[target_feature(enable = "neon")]
fn widen(x: u32) -> float32x4_t {
    let words = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(u64::from(x)))));
    vcvtq_f32_u32(words)
}

/// Rounded, then bounded: the conversion takes NaN and negative numbers to 0 and large ones to the
/// largest word.
#[inline]
#[target_feature(enable = "neon")]
fn round_one(steps: float32x4_t, max: f32) -> uint16x4_t {
    vmovn_u32(vminq_u32(vcvtnq_u32_f32(steps), vdupq_n_u32(max as u32)))
}

/// Sixteen of them as bytes.
#[inline]
#[target_feature(enable = "neon")]
fn round(s: [float32x4_t; 4], max: f32) -> uint8x16_t {
    let low = vcombine_u16(round_one(s[0], max), round_one(s[1], max));
    let high = vcombine_u16(round_one(s[2], max), round_one(s[3], max));
    vcombine_u8(vmovn_u16(low), vmovn_u16(high))
}
