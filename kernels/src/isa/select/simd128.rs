//! WebAssembly simd128: `pmin` keeps its first operand where the second is NaN.
#![allow(unsafe_code, reason = "unaligned stores into arrays")]

use core::arch::wasm32::*;

use super::Sift;
use crate::isa::tokens::Simd128;
use crate::shape::select::SLACK;

impl Sift for Simd128 {
    #[inline(always)]
    fn min(self, x: v128, acc: v128) -> v128 {
        f32x4_pmin(acc, x)
    }

    #[inline(always)]
    fn min_lane(self, v: v128) -> f32 {
        let pairs = f32x4_pmin(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
        let all = f32x4_pmin(pairs, i32x4_shuffle::<1, 0, 3, 2>(pairs, pairs));
        f32x4_extract_lane::<0>(all)
    }

    #[inline(always)]
    fn any_at_most(self, x: v128, limit: v128) -> bool {
        !u32x4_all_true(f32x4_gt(x, limit))
    }

    #[inline(always)]
    fn at_most(self, x: v128, limit: v128) -> u32 {
        u32::from(u32x4_bitmask(f32x4_le(x, limit)))
    }

    #[inline(always)]
    fn equal(self, x: v128, y: v128) -> u32 {
        u32::from(u32x4_bitmask(f32x4_eq(x, y)))
    }

    #[inline(always)]
    fn lanes(self, v: v128) -> [f32; SLACK] {
        let mut out = [0.0; SLACK];
        // SAFETY: `out` has 16 elements; the store is unaligned.
        unsafe { v128_store(out.as_mut_ptr().cast(), v) };
        out
    }
}
