//! The AVX2 + FMA token: 8 lanes.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::simd::Simd;
pub(crate) use super::tokens::Avx2;

/// Masks for `maskload`: the 8 values from index `8 - n` switch on the first `n` lanes.
static MASKS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Simd for Avx2 {
    type V = __m256;
    type Chunk = [f32; 8];
    const LANES: usize = 8;

    #[inline(always)]
    fn chunks(self, x: &[f32]) -> (&[Self::Chunk], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn chunks_mut(self, x: &mut [f32]) -> (&mut [Self::Chunk], &mut [f32]) {
        x.as_chunks_mut()
    }

    #[inline(always)]
    fn zero(self) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    fn load(self, x: &[f32; 8]) -> __m256 {
        // SAFETY: the token proves AVX; the chunk has 8 elements; the load is unaligned.
        unsafe { _mm256_loadu_ps(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> __m256 {
        let from = 8 - x.len().min(8);
        // SAFETY: the token proves AVX; `from <= 8`, so 8 masks follow it.
        let mask = unsafe { _mm256_loadu_si256(MASKS.as_ptr().wrapping_add(from).cast()) };
        // SAFETY: the token proves AVX; masked-off lanes are not read.
        unsafe { _mm256_maskload_ps(x.as_ptr(), mask) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn store(self, v: __m256, out: &mut [f32; 8]) {
        // SAFETY: the token proves AVX; the chunk has 8 elements; the store is unaligned.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: __m256, out: &mut [f32]) {
        let from = 8 - out.len().min(8);
        // SAFETY: the token proves AVX; `from <= 8`, so 8 masks follow it.
        let mask = unsafe { _mm256_loadu_si256(MASKS.as_ptr().wrapping_add(from).cast()) };
        // SAFETY: the token proves AVX; masked-off lanes are not written.
        unsafe { _mm256_maskstore_ps(out.as_mut_ptr(), mask, v) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: the token proves FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        // SAFETY: the token proves AVX.
        unsafe { abs(a) }
    }

    #[inline(always)]
    fn max_abs(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: the token proves AVX2.
        unsafe { max_abs(a, b) }
    }

    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        // SAFETY: the token proves AVX2.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn max_lane(self, v: __m256) -> f32 {
        // SAFETY: the token proves AVX2.
        unsafe { max_lane(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m256; 4]) -> [f32; 4] {
        // SAFETY: the token proves AVX2.
        unsafe { sum4(v) }
    }

    #[inline(always)]
    fn any_not_above(self, v: __m256, limit: __m256) -> bool {
        // SAFETY: the token proves AVX2.
        unsafe { any_not_above(v, limit) }
    }

    #[inline(always)]
    fn take_below(self, best: (__m256, __m256), new: (__m256, __m256)) -> (__m256, __m256) {
        // SAFETY: the token proves AVX2.
        unsafe { take_below(best, new) }
    }

    #[inline(always)]
    fn turn4(self, v: [__m256; 4]) -> [__m256; 4] {
        // SAFETY: the token proves AVX2.
        unsafe { turn4(v) }
    }

    #[inline(always)]
    fn quarter(self, v: __m256, k: usize) -> [f32; 4] {
        // SAFETY: the token proves AVX2.
        unsafe { quarter(v, k) }
    }

    #[inline(always)]
    fn prefetch(self, x: &f32) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

/// `|a|`.
#[inline]
#[target_feature(enable = "avx2")]
fn abs(a: __m256) -> __m256 {
    _mm256_andnot_ps(_mm256_set1_ps(-0.0), a)
}

/// The larger bit patterns.
#[inline]
#[target_feature(enable = "avx2")]
fn max_abs(a: __m256, b: __m256) -> __m256 {
    _mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a), _mm256_castps_si256(b)))
}

/// The largest of 8 lanes, none negative; NaN wins.
#[inline]
#[target_feature(enable = "avx2")]
fn max_lane(v: __m256) -> f32 {
    let v = _mm256_castps_si256(v);
    let half = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256::<1>(v));
    super::sse42::max_lane(_mm_castsi128_ps(half))
}

/// The sum of 8 lanes.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum(v: __m256) -> f32 {
    super::sse42::sum(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v)))
}

/// The sums of four registers, transposed on the way.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum4(v: [__m256; 4]) -> [f32; 4] {
    let ab = _mm256_hadd_ps(v[0], v[1]);
    let cd = _mm256_hadd_ps(v[2], v[3]);
    let abcd = _mm256_hadd_ps(ab, cd);
    let sums = _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps::<1>(abcd));
    let mut out = [0.0; 4];
    // SAFETY: `out` has 4 elements; the store is unaligned.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    out
}

/// Whether a lane is not above its limit.
#[inline]
#[target_feature(enable = "avx2")]
fn any_not_above(v: __m256, limit: __m256) -> bool {
    _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NGT_UQ>(v, limit)) != 0
}

/// The new values where they are below the best.
#[inline]
#[target_feature(enable = "avx2")]
fn take_below(best: (__m256, __m256), new: (__m256, __m256)) -> (__m256, __m256) {
    let below = _mm256_cmp_ps::<_CMP_LT_OQ>(new.0, best.0);
    (_mm256_blendv_ps(best.0, new.0, below), _mm256_blendv_ps(best.1, new.1, below))
}

/// Four rows turned, within each group of four lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn turn4([a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
    let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
    let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
    [
        _mm256_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low),
        _mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
        _mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
    ]
}

/// Four lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn quarter(v: __m256, k: usize) -> [f32; 4] {
    let four = match k {
        1 => _mm256_extractf128_ps::<1>(v),
        _ => _mm256_castps256_ps128(v),
    };
    super::sse42::lanes(four)
}
