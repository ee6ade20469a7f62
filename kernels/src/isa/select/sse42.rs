//! SSE4.2: masks from the signs of a comparison.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Sift;
use crate::isa::tokens::Sse42;
use crate::shape::select::SLACK;

impl Sift for Sse42 {
    #[inline(always)]
    fn min(self, x: __m128, acc: __m128) -> __m128 {
        // SAFETY: the token proves SSE. The second operand wins where one is NaN.
        unsafe { _mm_min_ps(x, acc) }
    }

    #[inline(always)]
    fn min_lane(self, v: __m128) -> f32 {
        // SAFETY: the token proves SSE.
        unsafe { min_lane(v) }
    }

    #[inline(always)]
    fn any_at_most(self, x: __m128, limit: __m128) -> bool {
        // SAFETY: the token proves SSE.
        unsafe { signs(_mm_cmpngt_ps(x, limit)) != 0 }
    }

    #[inline(always)]
    fn at_most(self, x: __m128, limit: __m128) -> u32 {
        // SAFETY: the token proves SSE.
        unsafe { signs(_mm_cmple_ps(x, limit)) }
    }

    #[inline(always)]
    fn equal(self, x: __m128, y: __m128) -> u32 {
        // SAFETY: the token proves SSE.
        unsafe { signs(_mm_cmpeq_ps(x, y)) }
    }

    #[inline(always)]
    fn lanes(self, v: __m128) -> [f32; SLACK] {
        let mut out = [0.0; SLACK];
        // SAFETY: the token proves SSE; `out` has 16 elements.
        unsafe { _mm_storeu_ps(out.as_mut_ptr(), v) };
        out
    }
}

/// The signs of the lanes.
#[inline]
#[target_feature(enable = "sse")]
fn signs(v: __m128) -> u32 {
    _mm_movemask_ps(v).cast_unsigned()
}

/// The smallest lane.
#[inline]
#[target_feature(enable = "sse")]
pub(super) fn min_lane(v: __m128) -> f32 {
    let pairs = _mm_min_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_min_ss(pairs, _mm_shuffle_ps::<1>(pairs, pairs)))
}
