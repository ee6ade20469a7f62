//! `vdpbf16ps`: 32 products of `bf16`, two to a lane of `f32`.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;
use core::marker::PhantomData;

use half::bf16;

use super::Products;
use super::avx512::mask;
use super::x86::prefetch;
use crate::isa::tokens::{Avx512, Avx512Bf16};
use crate::loops::arith::{Arith, FromToken, NormArith};
use crate::ops::f32::metric::{Cosine, Dot, Step};
use crate::shape::cosine_from_norms;

/// A metric that is made of products alone.
pub(crate) trait OfProducts: Step {
    /// The products of 32 pairs more.
    fn add(token: Avx512Bf16, acc: Self::Acc<Avx512>, x: __m512i, y: __m512i) -> Self::Acc<Avx512>;
}

impl OfProducts for Dot {
    #[inline(always)]
    fn add(_token: Avx512Bf16, acc: __m512, x: __m512i, y: __m512i) -> __m512 {
        // SAFETY: the token proves BF16.
        unsafe { products(acc, x, y) }
    }
}

impl OfProducts for Cosine {
    #[inline(always)]
    fn add(token: Avx512Bf16, acc: [__m512; 3], x: __m512i, y: __m512i) -> [__m512; 3] {
        [
            Dot::add(token, acc[0], x, y),
            Dot::add(token, acc[1], x, x),
            Dot::add(token, acc[2], y, y),
        ]
    }
}

impl<M: OfProducts> FromToken for Products<M> {
    type Token = Avx512Bf16;

    #[inline(always)]
    fn at(token: Avx512Bf16) -> Self {
        Self(token, PhantomData)
    }
}

impl<M: OfProducts> Arith for Products<M> {
    type Query = bf16;
    type Code = bf16;
    type Value = f32;
    type QueryChunk = [bf16; 32];
    type CodeChunk = [bf16; 32];
    type Reg = __m512i;
    type Acc = M::Acc<Avx512>;
    type Context = ();

    #[inline(always)]
    fn query_chunks(self, x: &[bf16]) -> (&[[bf16; 32]], &[bf16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn code_chunks(self, x: &[bf16]) -> (&[[bf16; 32]], &[bf16]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[bf16; 32]) -> __m512i {
        // SAFETY: the token proves AVX-512BW; the chunk has 32 elements; the load is unaligned.
        unsafe { _mm512_loadu_epi16(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_tail(self, x: &[bf16]) -> __m512i {
        // SAFETY: the token proves AVX-512BW; masked-off lanes are not read.
        unsafe { _mm512_maskz_loadu_epi16(mask(x.len()), x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn context(self, _query: &[bf16]) {}

    #[inline(always)]
    fn zero(self) -> M::Acc<Avx512> {
        M::zero(self.0.avx512())
    }

    #[inline(always)]
    fn step(self, acc: M::Acc<Avx512>, q: __m512i, c: &[bf16; 32]) -> M::Acc<Avx512> {
        M::add(self.0, acc, q, self.load(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: M::Acc<Avx512>, q: __m512i, c: &[bf16]) -> M::Acc<Avx512> {
        M::add(self.0, acc, q, self.load_tail(c))
    }

    #[inline(always)]
    fn join(self, a: M::Acc<Avx512>, b: M::Acc<Avx512>) -> M::Acc<Avx512> {
        M::join(self.0.avx512(), a, b)
    }

    #[inline(always)]
    fn finish(self, acc: M::Acc<Avx512>, (): ()) -> f32 {
        M::finish(self.0.avx512(), acc, 0.0)
    }

    #[inline(always)]
    fn prefetch(self, x: &bf16) {
        prefetch(x);
    }
}

/// Cosine from the inner product and inverse norms.
impl NormArith for Products<Dot> {
    type Norm = f32;

    #[inline(always)]
    fn finish_norms(self, acc: __m512, query: f32, row: f32) -> f32 {
        cosine_from_norms(self.finish(acc, ()), query, row)
    }
}

/// `acc` and the products of 32 pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn products(acc: __m512, x: __m512i, y: __m512i) -> __m512 {
    // SAFETY: both types are 512 bits, and every pattern of them is valid.
    let x: __m512bh = unsafe { core::mem::transmute(x) };
    // SAFETY: as above.
    let y: __m512bh = unsafe { core::mem::transmute(y) };
    _mm512_dpbf16_ps(acc, x, y)
}
