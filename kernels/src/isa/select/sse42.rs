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
        unsafe { not_above(x, limit) != 0 }
    }

    #[inline(always)]
    fn at_most(self, x: __m128, limit: __m128) -> u32 {
        // SAFETY: the token proves SSE.
        unsafe { at_most(x, limit) }
    }

    #[inline(always)]
    fn equal(self, x: __m128, y: __m128) -> u32 {
        // SAFETY: the token proves SSE.
        unsafe { equal(x, y) }
    }

    #[inline(always)]
    fn lanes(self, v: __m128) -> [f32; SLACK] {
        let mut out = [0.0; SLACK];
        // SAFETY: the token proves SSE; `out` has 16 elements.
        unsafe { _mm_storeu_ps(out.as_mut_ptr(), v) };
        out
    }
}

/// A bit for each lane that is not above the limit, NaN included.
#[inline]
#[target_feature(enable = "sse")]
fn not_above(x: __m128, limit: __m128) -> u32 {
    _mm_movemask_ps(_mm_cmpngt_ps(x, limit)).cast_unsigned()
}

/// A bit for each lane that is at most the limit.
#[inline]
#[target_feature(enable = "sse")]
fn at_most(x: __m128, limit: __m128) -> u32 {
    _mm_movemask_ps(_mm_cmple_ps(x, limit)).cast_unsigned()
}

/// A bit for each lane that equals.
#[inline]
#[target_feature(enable = "sse")]
fn equal(x: __m128, y: __m128) -> u32 {
    _mm_movemask_ps(_mm_cmpeq_ps(x, y)).cast_unsigned()
}

/// The smallest lane.
#[inline]
#[target_feature(enable = "sse")]
pub(super) fn min_lane(v: __m128) -> f32 {
    let pairs = _mm_min_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_min_ss(pairs, _mm_shuffle_ps::<1>(pairs, pairs)))
}
