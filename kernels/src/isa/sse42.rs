//! The SSE4.2 token: 4 lanes, no fused multiply-add.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::simd::Simd;
pub(crate) use super::tokens::Sse42;

impl Simd for Sse42 {
    type V = __m128;
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
    fn zero(self) -> __m128 {
        // SAFETY: the token proves SSE.
        unsafe { _mm_setzero_ps() }
    }

    #[inline(always)]
    fn load(self, x: &[f32; 4]) -> __m128 {
        // SAFETY: the token proves SSE; the chunk has 4 elements; the load is unaligned.
        unsafe { _mm_loadu_ps(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> __m128 {
        let at = |i: usize| x.get(i).copied().unwrap_or(0.0);
        // SAFETY: the token proves SSE.
        unsafe { _mm_set_ps(at(3), at(2), at(1), at(0)) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m128 {
        // SAFETY: the token proves SSE.
        unsafe { _mm_set1_ps(x) }
    }

    #[inline(always)]
    fn store(self, v: __m128, out: &mut [f32; 4]) {
        // SAFETY: the token proves SSE; the chunk has 4 elements; the store is unaligned.
        unsafe { _mm_storeu_ps(out.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: __m128, out: &mut [f32]) {
        let mut lanes = [0.0; 4];
        self.store(v, &mut lanes);
        for (o, &lane) in out.iter_mut().zip(&lanes) {
            *o = lane;
        }
    }

    #[inline(always)]
    fn add(self, a: __m128, b: __m128) -> __m128 {
        // SAFETY: the token proves SSE.
        unsafe { _mm_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m128, b: __m128) -> __m128 {
        // SAFETY: the token proves SSE.
        unsafe { _mm_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m128, b: __m128) -> __m128 {
        // SAFETY: the token proves SSE.
        unsafe { _mm_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m128, b: __m128, c: __m128) -> __m128 {
        // SAFETY: the token proves SSE.
        unsafe { mul_add(a, b, c) }
    }

    #[inline(always)]
    fn abs(self, a: __m128) -> __m128 {
        // SAFETY: the token proves SSE.
        unsafe { abs(a) }
    }

    #[inline(always)]
    fn max_abs(self, a: __m128, b: __m128) -> __m128 {
        // SAFETY: the token proves SSE4.1.
        unsafe { max_abs(a, b) }
    }

    #[inline(always)]
    fn sum(self, v: __m128) -> f32 {
        // SAFETY: the token proves SSE.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn max_lane(self, v: __m128) -> f32 {
        // SAFETY: the token proves SSE4.1.
        unsafe { max_lane(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m128; 4]) -> [f32; 4] {
        // SAFETY: the token proves SSE3.
        unsafe { sum4(v) }
    }

    #[inline(always)]
    fn any_not_above(self, v: __m128, limit: __m128) -> bool {
        // SAFETY: the token proves SSE4.1.
        unsafe { any_not_above(v, limit) }
    }

    #[inline(always)]
    fn take_below(self, best: (__m128, __m128), new: (__m128, __m128)) -> (__m128, __m128) {
        // SAFETY: the token proves SSE4.1.
        unsafe { take_below(best, new) }
    }

    #[inline(always)]
    fn turn4(self, v: [__m128; 4]) -> [__m128; 4] {
        // SAFETY: the token proves SSE4.1.
        unsafe { turn4(v) }
    }

    #[inline(always)]
    fn quarter(self, v: __m128, _k: usize) -> [f32; 4] {
        let mut out = [0.0; 4];
        self.store(v, &mut out);
        out
    }

    #[inline(always)]
    fn prefetch(self, x: &f32) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

/// `a * b + c`, in two roundings.
#[inline]
#[target_feature(enable = "sse")]
fn mul_add(a: __m128, b: __m128, c: __m128) -> __m128 {
    _mm_add_ps(_mm_mul_ps(a, b), c)
}

/// `|a|`.
#[inline]
#[target_feature(enable = "sse")]
fn abs(a: __m128) -> __m128 {
    _mm_andnot_ps(_mm_set1_ps(-0.0), a)
}

/// The larger bit patterns.
#[inline]
#[target_feature(enable = "sse4.1")]
fn max_abs(a: __m128, b: __m128) -> __m128 {
    _mm_castsi128_ps(_mm_max_epu32(_mm_castps_si128(a), _mm_castps_si128(b)))
}

/// The sums of four registers, transposed on the way.
#[inline]
#[target_feature(enable = "sse3")]
fn sum4(v: [__m128; 4]) -> [f32; 4] {
    let sums = _mm_hadd_ps(_mm_hadd_ps(v[0], v[1]), _mm_hadd_ps(v[2], v[3]));
    let mut out = [0.0; 4];
    // SAFETY: `out` has 4 elements; the store is unaligned.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// The sum of 4 lanes.
#[inline]
#[target_feature(enable = "sse")]
pub(super) fn sum(v: __m128) -> f32 {
    let pairs = _mm_add_ps(v, _mm_movehl_ps(v, v));
    _mm_cvtss_f32(_mm_add_ss(pairs, _mm_shuffle_ps::<1>(pairs, pairs)))
}

/// The largest of 4 lanes, none negative; NaN wins.
#[inline]
#[target_feature(enable = "sse4.1")]
pub(super) fn max_lane(v: __m128) -> f32 {
    let v = _mm_castps_si128(v);
    let pairs = _mm_max_epu32(v, _mm_shuffle_epi32::<0b01_00_11_10>(v));
    let all = _mm_max_epu32(pairs, _mm_shuffle_epi32::<0b10_11_00_01>(pairs));
    _mm_cvtss_f32(_mm_castsi128_ps(all))
}

/// Whether a lane is not above its limit.
#[inline]
#[target_feature(enable = "sse4.1")]
fn any_not_above(v: __m128, limit: __m128) -> bool {
    _mm_movemask_ps(_mm_cmpngt_ps(v, limit)) != 0
}

/// The new values where they are below the best.
#[inline]
#[target_feature(enable = "sse4.1")]
fn take_below(best: (__m128, __m128), new: (__m128, __m128)) -> (__m128, __m128) {
    let below = _mm_cmplt_ps(new.0, best.0);
    (_mm_blendv_ps(best.0, new.0, below), _mm_blendv_ps(best.1, new.1, below))
}

/// Four rows turned, within each group of four lanes.
#[inline]
#[target_feature(enable = "sse4.1")]
fn turn4([a, b, c, d]: [__m128; 4]) -> [__m128; 4] {
    let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
    let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
    [
        _mm_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low),
        _mm_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low),
        _mm_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
        _mm_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
    ]
}

/// The lanes in memory.
#[inline]
#[target_feature(enable = "sse")]
pub(super) fn lanes(v: __m128) -> [f32; 4] {
    let mut out = [0.0; 4];
    // SAFETY: `out` has 4 elements; the store is unaligned.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), v) };
    out
}
