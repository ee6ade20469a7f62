//! AVX-512: `f16` by its conversion, 16 lanes ([`Ymm`]: 8); `bf16` as the even and the odd halves
//! of 32-bit lanes. Tails are masked.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use half::{bf16, f16};

use super::x86::prefetch;
use super::{OfToken, Widen, Ymm, behind};
use crate::isa::simd::Simd;
use crate::isa::tokens::Avx512;

impl Widen<f16, 1> for Avx512 {
    type Codes = [f16; 16];
    type Floats = [f32; 16];

    #[inline(always)]
    fn code_chunks(self, x: &[f16]) -> (&[[f16; 16]], &[f16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn float_chunks(self, x: &[f32]) -> (&[[f32; 16]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[f16; 16]) -> [__m512; 1] {
        // SAFETY: the token proves AVX; the chunk has 16 elements; the load is unaligned.
        let codes = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
        // SAFETY: the token proves AVX-512F.
        unsafe { [_mm512_cvtph_ps(codes)] }
    }

    #[inline(always)]
    fn widen_tail(self, x: &[f16]) -> [__m512; 1] {
        let mask = mask(x.len().min(16)) as __mmask16;
        // SAFETY: the token proves AVX-512BW and VL; masked-off lanes are not read.
        let codes = unsafe { _mm256_maskz_loadu_epi16(mask, x.as_ptr().cast()) };
        // SAFETY: the token proves AVX-512F.
        unsafe { [_mm512_cvtph_ps(codes)] }
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 16]) -> [__m512; 1] {
        [self.load(x)]
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [__m512; 1] {
        [self.load_partial(x)]
    }

    #[inline(always)]
    fn ask_for(self, x: *const f16) {
        prefetch(x);
    }
}

/// A whole cache line a step, for forms that ask for one line a step.
impl Widen<f16, 2> for Avx512 {
    type Codes = [f16; 32];
    type Floats = [f32; 32];

    #[inline(always)]
    fn code_chunks(self, x: &[f16]) -> (&[[f16; 32]], &[f16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn float_chunks(self, x: &[f32]) -> (&[[f32; 32]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[f16; 32]) -> [__m512; 2] {
        let (low, high) = (x.first_chunk().expect("32"), x.last_chunk().expect("32"));
        let ([low], [high]): ([__m512; 1], [__m512; 1]) = (self.widen(low), self.widen(high));
        [low, high]
    }

    #[inline(always)]
    fn widen_tail(self, x: &[f16]) -> [__m512; 2] {
        let ([low], [high]): ([__m512; 1], [__m512; 1]) =
            (self.widen_tail(x), self.widen_tail(behind(x, 16)));
        [low, high]
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 32]) -> [__m512; 2] {
        let (low, high) = (x.first_chunk().expect("32"), x.last_chunk().expect("32"));
        [self.load(low), self.load(high)]
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [__m512; 2] {
        [self.load_partial(x), self.load_partial(behind(x, 16))]
    }

    #[inline(always)]
    fn ask_for(self, x: *const f16) {
        prefetch(x);
    }
}

impl Widen<bf16, 2> for Avx512 {
    type Codes = [bf16; 32];
    type Floats = [f32; 32];

    #[inline(always)]
    fn code_chunks(self, x: &[bf16]) -> (&[[bf16; 32]], &[bf16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn float_chunks(self, x: &[f32]) -> (&[[f32; 32]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn widen(self, x: &[bf16; 32]) -> [__m512; 2] {
        // SAFETY: the token proves AVX-512BW; the chunk has 32 elements; the load is unaligned.
        let codes = unsafe { _mm512_loadu_epi16(x.as_ptr().cast()) };
        // SAFETY: the token proves AVX-512F.
        unsafe { part(codes) }
    }

    #[inline(always)]
    fn widen_tail(self, x: &[bf16]) -> [__m512; 2] {
        // SAFETY: the token proves AVX-512BW; masked-off lanes are not read.
        let codes = unsafe { _mm512_maskz_loadu_epi16(mask(x.len()), x.as_ptr().cast()) };
        // SAFETY: the token proves AVX-512F.
        unsafe { part(codes) }
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 32]) -> [__m512; 2] {
        let (low, high) = (x.first_chunk().expect("32"), x.last_chunk().expect("32"));
        // SAFETY: the token proves AVX-512F.
        unsafe { deinterleave(self.load(low), self.load(high)) }
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [__m512; 2] {
        // SAFETY: the token proves AVX-512F.
        unsafe { deinterleave(self.load_partial(x), self.load_partial(behind(x, 16))) }
    }

    #[inline(always)]
    fn ask_for(self, x: *const bf16) {
        prefetch(x);
    }
}

/// The first `n` of 32 lanes.
#[inline(always)]
pub(super) fn mask(n: usize) -> __mmask32 {
    ((1u64 << n.min(32)) - 1) as __mmask32
}

/// The even elements and the odd ones: a `bf16` is the upper half of an `f32`.
#[inline]
#[target_feature(enable = "avx512f")]
fn part(x: __m512i) -> [__m512; 2] {
    let odd = _mm512_and_si512(x, _mm512_set1_epi32(0xffff_0000_u32.cast_signed()));
    [_mm512_castsi512_ps(_mm512_slli_epi32::<16>(x)), _mm512_castsi512_ps(odd)]
}

/// The even ones of 32 floats and the odd ones.
#[inline]
#[target_feature(enable = "avx512f")]
fn deinterleave(low: __m512, high: __m512) -> [__m512; 2] {
    let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    [_mm512_permutex2var_ps(low, even, high), _mm512_permutex2var_ps(low, odd, high)]
}

impl OfToken for Ymm {
    type Token = Avx512;

    #[inline(always)]
    fn of(token: Avx512) -> Self {
        Self(token)
    }
}

/// As AVX2, but for the tail.
impl Simd for Ymm {
    type V = __m256;
    type Chunk = [f32; 8];
    const LANES: usize = 8;

    #[inline(always)]
    fn chunks(self, x: &[f32]) -> (&[[f32; 8]], &[f32]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn chunks_mut(self, x: &mut [f32]) -> (&mut [[f32; 8]], &mut [f32]) {
        x.as_chunks_mut()
    }

    #[inline(always)]
    fn zero(self) -> __m256 {
        self.0.avx2().zero()
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        self.0.avx2().splat(x)
    }

    #[inline(always)]
    fn store(self, v: __m256, out: &mut [f32; 8]) {
        self.0.avx2().store(v, out);
    }

    #[inline(always)]
    fn store_partial(self, v: __m256, out: &mut [f32]) {
        self.0.avx2().store_partial(v, out);
    }

    #[inline(always)]
    fn load(self, x: &[f32; 8]) -> __m256 {
        self.0.avx2().load(x)
    }

    #[inline(always)]
    fn load_partial(self, x: &[f32]) -> __m256 {
        // SAFETY: the token proves AVX-512VL; masked-off lanes are not read.
        unsafe { _mm256_maskz_loadu_ps(mask(x.len().min(8)) as __mmask8, x.as_ptr()) }
    }

    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        self.0.avx2().add(a, b)
    }

    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        self.0.avx2().sub(a, b)
    }

    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        self.0.avx2().mul(a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        self.0.avx2().mul_add(a, b, c)
    }

    #[inline(always)]
    fn abs(self, a: __m256) -> __m256 {
        self.0.avx2().abs(a)
    }

    #[inline(always)]
    fn max_abs(self, a: __m256, b: __m256) -> __m256 {
        self.0.avx2().max_abs(a, b)
    }

    #[inline(always)]
    fn sum(self, v: __m256) -> f32 {
        self.0.avx2().sum(v)
    }

    #[inline(always)]
    fn max_lane(self, v: __m256) -> f32 {
        self.0.avx2().max_lane(v)
    }

    #[inline(always)]
    fn sum4(self, v: [__m256; 4]) -> [f32; 4] {
        self.0.avx2().sum4(v)
    }

    #[inline(always)]
    fn prefetch(self, x: &f32) {
        self.0.avx2().prefetch(x);
    }
}

impl Widen<f16, 1> for Ymm {
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
    fn widen(self, x: &[f16; 8]) -> [__m256; 1] {
        Widen::<f16, 1>::widen(self.0.avx2(), x)
    }

    #[inline(always)]
    fn widen_tail(self, x: &[f16]) -> [__m256; 1] {
        let mask = mask(x.len().min(8)) as __mmask8;
        // SAFETY: the token proves AVX-512BW and VL; masked-off lanes are not read.
        let codes = unsafe { _mm_maskz_loadu_epi16(mask, x.as_ptr().cast()) };
        // SAFETY: the token proves F16C.
        unsafe { [_mm256_cvtph_ps(codes)] }
    }

    #[inline(always)]
    fn arrange(self, x: &[f32; 8]) -> [__m256; 1] {
        [self.load(x)]
    }

    #[inline(always)]
    fn arrange_tail(self, x: &[f32]) -> [__m256; 1] {
        [self.load_partial(x)]
    }

    #[inline(always)]
    fn ask_for(self, x: *const f16) {
        prefetch(x);
    }
}
