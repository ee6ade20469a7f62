//! WebAssembly simd128: 4 lanes.

use core::arch::wasm32::*;

use super::{Codes, STEP, word};
use crate::isa::simd::Simd;
use crate::isa::tokens::Simd128;

impl Codes for Simd128 {
    type Bytes = [u8; 4];

    #[inline(always)]
    fn byte_chunks(self, x: &[u8]) -> (&[[u8; 4]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[u8; 4]) -> v128 {
        widen(u32::from_le_bytes(*x))
    }

    #[inline(always)]
    fn widen_partial(self, x: &[u8]) -> v128 {
        match x.first_chunk() {
            Some(whole) => self.widen(whole),
            None => widen(word(x) as u32),
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
        let mut out = [0; STEP];
        for (k, o) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let above = self.sub(self.load(&v[k]), self.load(&b[k]));
            *o = round(self.mul(above, self.load(&i[k])), max);
        }
        out
    }
}

/// Four bytes as numbers.
#[inline(always)]
fn widen(x: u32) -> v128 {
    let words = u32x4_extend_low_u16x8(u16x8_extend_low_u8x16(u32x4(x, 0, 0, 0)));
    f32x4_convert_u32x4(words)
}

/// Rounded, then bounded: the conversion takes NaN and negative numbers to 0 and large ones to the
/// largest word.
#[inline(always)]
fn round(steps: v128, max: f32) -> [u8; 4] {
    let words = u32x4_trunc_sat_f32x4(f32x4_nearest(steps));
    let words = u32x4_min(words, u32x4_splat(max as u32));
    let halves = u16x8_narrow_i32x4(words, words);
    u32x4_extract_lane::<0>(u8x16_narrow_i16x8(halves, halves)).to_le_bytes()
}
