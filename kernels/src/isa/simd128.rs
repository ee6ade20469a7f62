//! The WebAssembly simd128 token: 4 lanes, no fused multiply-add. A module either has the
//! instructions or does not load, so the build is the proof.
#![allow(unsafe_code, reason = "unaligned loads from slices")]

use core::arch::wasm32::*;

use super::simd::Simd;
pub(crate) use super::tokens::Simd128;

impl Simd for Simd128 {
    type V = v128;
    type Chunk = [f32; 4];
    const LANES: usize = 4;

    #[inline(always)]
    fn chunks(self, x: &[f32]) -> (&[Self::Chunk], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn chunks_mut(self, x: &mut [f32]) -> (&mut [Self::Chunk], &mut [f32]) {
        x.as_chunks_mut()
    }

    #[inline(always)]
    fn zero(self) -> v128 {
        f32x4_splat(0.0)
    }

    #[inline(always)]
    fn load(self, x: &[f32; 4]) -> v128 {
        // SAFETY: the chunk has 4 elements; the load is unaligned.
        unsafe { v128_load(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> v128 {
        let at = |i: usize| x.get(i).copied().unwrap_or(0.0);
        f32x4(at(0), at(1), at(2), at(3))
    }

    #[inline(always)]
    fn splat(self, x: f32) -> v128 {
        f32x4_splat(x)
    }

    #[inline(always)]
    fn store(self, v: v128, out: &mut [f32; 4]) {
        // SAFETY: the chunk has 4 elements; the store is unaligned.
        unsafe { v128_store(out.as_mut_ptr().cast(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: v128, out: &mut [f32]) {
        let mut lanes = [0.0; 4];
        self.store(v, &mut lanes);
        for (o, &lane) in out.iter_mut().zip(&lanes) {
            *o = lane;
        }
    }

    #[inline(always)]
    fn add(self, a: v128, b: v128) -> v128 {
        f32x4_add(a, b)
    }

    #[inline(always)]
    fn sub(self, a: v128, b: v128) -> v128 {
        f32x4_sub(a, b)
    }

    #[inline(always)]
    fn mul(self, a: v128, b: v128) -> v128 {
        f32x4_mul(a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }

    #[inline(always)]
    fn abs(self, a: v128) -> v128 {
        f32x4_abs(a)
    }

    #[inline(always)]
    fn max_abs(self, a: v128, b: v128) -> v128 {
        // f32x4.max returns NaN if either operand is.
        f32x4_max(a, b)
    }

    #[inline(always)]
    fn sum(self, v: v128) -> f32 {
        let pairs = f32x4_add(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
        f32x4_extract_lane::<0>(pairs) + f32x4_extract_lane::<1>(pairs)
    }

    #[inline(always)]
    fn max_lane(self, v: v128) -> f32 {
        let pairs = f32x4_max(v, i32x4_shuffle::<2, 3, 0, 1>(v, v));
        let all = f32x4_max(pairs, i32x4_shuffle::<1, 0, 3, 2>(pairs, pairs));
        f32x4_extract_lane::<0>(all)
    }

    #[inline(always)]
    fn any_not_above(self, v: v128, limit: v128) -> bool {
        !u32x4_all_true(f32x4_gt(v, limit))
    }

    #[inline(always)]
    fn take_below(self, best: (v128, v128), new: (v128, v128)) -> (v128, v128) {
        let below = f32x4_lt(new.0, best.0);
        (v128_bitselect(new.0, best.0, below), v128_bitselect(new.1, best.1, below))
    }

    #[inline(always)]
    fn turn4(self, [a, b, c, d]: [v128; 4]) -> [v128; 4] {
        let (ab_low, ab_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<2, 6, 3, 7>(a, b));
        let (cd_low, cd_high) =
            (i32x4_shuffle::<0, 4, 1, 5>(c, d), i32x4_shuffle::<2, 6, 3, 7>(c, d));
        [
            i64x2_shuffle::<0, 2>(ab_low, cd_low),
            i64x2_shuffle::<1, 3>(ab_low, cd_low),
            i64x2_shuffle::<0, 2>(ab_high, cd_high),
            i64x2_shuffle::<1, 3>(ab_high, cd_high),
        ]
    }

    #[inline(always)]
    fn quarter(self, v: v128, _k: usize) -> [f32; 4] {
        let mut out = [0.0; 4];
        self.store(v, &mut out);
        out
    }

    #[inline(always)]
    fn prefetch(self, _x: &f32) {
        // WebAssembly has no prefetch.
    }
}
