//! The AVX-512 token: 16 lanes, masked tails.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::simd::Simd;
pub(crate) use super::tokens::Avx512;

impl Simd for Avx512 {
    type V = __m512;
    type Chunk = [f32; 16];
    const LANES: usize = 16;

    #[inline(always)]
    fn chunks(self, x: &[f32]) -> (&[Self::Chunk], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn chunks_mut(self, x: &mut [f32]) -> (&mut [Self::Chunk], &mut [f32]) {
        x.as_chunks_mut()
    }

    #[inline(always)]
    fn zero(self) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    fn load(self, x: &[f32; 16]) -> __m512 {
        // SAFETY: the token proves AVX-512F; the chunk has 16 elements; the load is unaligned.
        unsafe { _mm512_loadu_ps(x.as_ptr()) }
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> __m512 {
        let mask = ((1u32 << x.len().min(16)) - 1) as __mmask16;
        // SAFETY: the token proves AVX-512F; masked-off lanes are not read.
        unsafe { _mm512_maskz_loadu_ps(mask, x.as_ptr()) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn store(self, v: __m512, out: &mut [f32; 16]) {
        // SAFETY: the token proves AVX-512F; the chunk has 16 elements; the store is unaligned.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), v) }
    }

    #[inline(always)]
    fn store_partial(self, v: __m512, out: &mut [f32]) {
        let mask = ((1u32 << out.len().min(16)) - 1) as __mmask16;
        // SAFETY: the token proves AVX-512F; masked-off lanes are not written.
        unsafe { _mm512_mask_storeu_ps(out.as_mut_ptr(), mask, v) }
    }

    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    fn mul_add(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    fn abs(self, a: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { _mm512_abs_ps(a) }
    }

    #[inline(always)]
    fn max_abs(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the token proves AVX-512F.
        unsafe { max_abs(a, b) }
    }

    #[inline(always)]
    fn sum(self, v: __m512) -> f32 {
        // SAFETY: the token proves AVX-512DQ and what is below it.
        unsafe { sum(v) }
    }

    #[inline(always)]
    fn max_lane(self, v: __m512) -> f32 {
        // SAFETY: the token proves AVX-512F.
        unsafe { max_lane(v) }
    }

    #[inline(always)]
    fn sum4(self, v: [__m512; 4]) -> [f32; 4] {
        // SAFETY: the token proves AVX-512DQ and what is below it.
        unsafe { sum4(v) }
    }

    #[inline(always)]
    fn any_not_above(self, v: __m512, limit: __m512) -> bool {
        // SAFETY: the token proves AVX-512F.
        unsafe { any_not_above(v, limit) }
    }

    #[inline(always)]
    fn take_below(self, best: (__m512, __m512), new: (__m512, __m512)) -> (__m512, __m512) {
        // SAFETY: the token proves AVX-512F.
        unsafe { take_below(best, new) }
    }

    #[inline(always)]
    fn turn4(self, v: [__m512; 4]) -> [__m512; 4] {
        // SAFETY: the token proves AVX-512F.
        unsafe { turn4(v) }
    }

    #[inline(always)]
    fn quarter(self, v: __m512, k: usize) -> [f32; 4] {
        // SAFETY: the token proves AVX-512F.
        unsafe { quarter(v, k) }
    }

    #[inline(always)]
    fn prefetch(self, x: &f32) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

/// The upper half added to the lower.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
fn fold(v: __m512) -> __m256 {
    _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps::<1>(v))
}

/// The sum of 16 lanes.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512vl")]
fn sum(v: __m512) -> f32 {
    super::avx2::sum(fold(v))
}

/// The sums of four registers.
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512dq,avx512vl")]
fn sum4(v: [__m512; 4]) -> [f32; 4] {
    super::avx2::sum4([fold(v[0]), fold(v[1]), fold(v[2]), fold(v[3])])
}

/// The larger bit patterns.
#[inline]
#[target_feature(enable = "avx512f")]
fn max_abs(a: __m512, b: __m512) -> __m512 {
    _mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a), _mm512_castps_si512(b)))
}

/// The largest of 16 lanes, none negative; NaN wins.
#[inline]
#[target_feature(enable = "avx512f")]
fn max_lane(v: __m512) -> f32 {
    f32::from_bits(_mm512_reduce_max_epu32(_mm512_castps_si512(v)))
}

/// Whether a lane is not above its limit.
#[inline]
#[target_feature(enable = "avx512f")]
fn any_not_above(v: __m512, limit: __m512) -> bool {
    _mm512_cmp_ps_mask::<_CMP_NGT_UQ>(v, limit) != 0
}

/// The new values where they are below the best.
#[inline]
#[target_feature(enable = "avx512f")]
fn take_below(best: (__m512, __m512), new: (__m512, __m512)) -> (__m512, __m512) {
    let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(new.0, best.0);
    (_mm512_mask_blend_ps(below, best.0, new.0), _mm512_mask_blend_ps(below, best.1, new.1))
}

/// Four rows turned, within each group of four lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn turn4([a, b, c, d]: [__m512; 4]) -> [__m512; 4] {
    let (ab_low, ab_high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    [
        _mm512_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low),
        _mm512_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low),
        _mm512_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high),
        _mm512_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high),
    ]
}

/// Four lanes.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarter(v: __m512, k: usize) -> [f32; 4] {
    let four = match k {
        1 => _mm512_extractf32x4_ps::<1>(v),
        2 => _mm512_extractf32x4_ps::<2>(v),
        3 => _mm512_extractf32x4_ps::<3>(v),
        _ => _mm512_castps512_ps128(v),
    };
    super::sse42::lanes(four)
}
