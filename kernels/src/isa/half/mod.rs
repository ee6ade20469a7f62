//! Arithmetic on `f16` and `bf16`, widened to `f32`: the metrics of `f32` over registers that a
//! level makes of narrower elements ([`Widen`]).
//!
//! Widening is exact, so values differ from those of `f32` rows by nothing but the elements.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512bf16;
#[cfg(feature = "simsimd")]
pub(crate) mod narrow;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse42;
#[cfg(target_arch = "x86_64")]
mod x86;

use core::marker::PhantomData;

use half::{bf16, f16};

use super::simd::Simd;
use super::tokens::{Avx512, Avx512Bf16, Token};
use crate::loops::arith::{Arith, FromToken, NormArith};
use crate::ops::f32::metric::{Dot, Step};
use crate::shape::cosine_from_norms;

/// Types that a value is of, and holds nothing of.
type Marker<T> = PhantomData<fn() -> T>;

/// How a level makes registers of `f32` of elements of `E`: `R` registers at once.
///
/// The lanes of `R = 2` need not be in the order of the elements (even ones and odd ones are
/// cheaper to part than low and high ones), but `arrange` puts floats in the same order.
pub(crate) trait Widen<E, const R: usize>: Simd {
    /// As many elements as `R` registers hold.
    type Codes: Copy + 'static;
    /// As many floats.
    type Floats: Copy + 'static;

    /// `x` as whole chunks and a rest.
    fn code_chunks(self, x: &[E]) -> (&[Self::Codes], &[E]);
    /// `x` as whole chunks and a rest.
    fn float_chunks(self, x: &[f32]) -> (&[Self::Floats], &[f32]);
    /// A whole chunk, widened.
    fn widen(self, x: &Self::Codes) -> [Self::V; R];
    /// The rest, widened, and zeros; reads nothing beyond it.
    fn widen_tail(self, x: &[E]) -> [Self::V; R];
    /// A whole chunk of floats, in the order of [`Widen::widen`].
    fn arrange(self, x: &Self::Floats) -> [Self::V; R];
    /// The rest, and zeros; reads nothing beyond it.
    fn arrange_tail(self, x: &[f32]) -> [Self::V; R];
    /// Asks for the cache line at `x` soon; nothing is read.
    #[inline(always)]
    fn ask_for(self, _x: *const E) {}
}

/// Registers that a token makes.
pub(crate) trait OfToken: Simd {
    /// The token.
    type Token: Token;
    /// Registers of a CPU that has the level.
    fn of(token: Self::Token) -> Self;
}

impl<T: Token + Simd> OfToken for T {
    type Token = T;

    #[inline(always)]
    fn of(token: T) -> T {
        token
    }
}

/// AVX-512 with registers of 256 bits: its masks and its 32 registers, without the conversion of
/// 16 lanes at once, which on Zen 4 takes half as long again as two of 8.
#[derive(Clone, Copy)]
#[allow(dead_code, reason = "foreign architectures")]
pub(crate) struct Ymm(Avx512);

/// How far ahead, in bytes, the `-pf` forms of a streaming scan ask for rows: widening fills the
/// scheduler before the loads of the next rows begin, and the hardware prefetcher does not make up
/// for it. Distances from 1.5 to 6 KiB measured the same.
pub(crate) const AHEAD: usize = 3072;

/// What the query is made of: `f32`, or the elements of the rows.
pub(crate) trait QueryFor<S: Widen<E, R>, E, const R: usize>: Copy + 'static {
    /// As many as a chunk of the rows holds.
    type Chunk: Copy + 'static;
    /// `x` as whole chunks and a rest.
    fn chunks(s: S, x: &[Self]) -> (&[Self::Chunk], &[Self]);
    /// A whole chunk.
    fn load(s: S, x: &Self::Chunk) -> [S::V; R];
    /// The rest, and zeros.
    fn load_tail(s: S, x: &[Self]) -> [S::V; R];
    /// What the metric wants of the query alone.
    fn context<M: Step>(s: S, x: &[Self]) -> f32;
}

impl<S: Widen<E, R>, E, const R: usize> QueryFor<S, E, R> for f32 {
    type Chunk = S::Floats;

    #[inline(always)]
    fn chunks(s: S, x: &[f32]) -> (&[S::Floats], &[f32]) {
        s.float_chunks(x)
    }

    #[inline(always)]
    fn load(s: S, x: &S::Floats) -> [S::V; R] {
        s.arrange(x)
    }

    #[inline(always)]
    fn load_tail(s: S, x: &[f32]) -> [S::V; R] {
        s.arrange_tail(x)
    }

    #[inline(always)]
    fn context<M: Step>(s: S, x: &[f32]) -> f32 {
        M::context(s, x)
    }
}

macro_rules! own_queries {
    ($($e:ty)*) => {$(
        impl<S: Widen<$e, R>, const R: usize> QueryFor<S, $e, R> for $e {
            type Chunk = S::Codes;

            #[inline(always)]
            fn chunks(s: S, x: &[$e]) -> (&[S::Codes], &[$e]) {
                s.code_chunks(x)
            }

            #[inline(always)]
            fn load(s: S, x: &S::Codes) -> [S::V; R] {
                s.widen(x)
            }

            #[inline(always)]
            fn load_tail(s: S, x: &[$e]) -> [S::V; R] {
                s.widen_tail(x)
            }

            /// Pairs use the forms of the metrics that need none.
            #[inline(always)]
            fn context<M: Step>(_s: S, _x: &[$e]) -> f32 {
                0.0
            }
        }
    )*};
}

own_queries! { f16 bf16 }

/// Metric `M` of a query of `Q` and rows of `E` in registers of `S`.
///
/// With `AHEAD`, each step also asks for what lies so many bytes behind its chunk.
pub(crate) struct Wide<S, M, Q, E, const R: usize, const AHEAD: usize = 0>(S, Marker<(M, Q, E)>);

impl<S: Copy, M, Q, E, const R: usize, const AHEAD: usize> Clone for Wide<S, M, Q, E, R, AHEAD> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Copy, M, Q, E, const R: usize, const AHEAD: usize> Copy for Wide<S, M, Q, E, R, AHEAD> {}

impl<S, M, Q, E, const R: usize, const AHEAD: usize> FromToken for Wide<S, M, Q, E, R, AHEAD>
where
    S: OfToken,
    Self: Arith,
{
    type Token = S::Token;

    #[inline(always)]
    fn at(token: S::Token) -> Self {
        Self(S::of(token), PhantomData)
    }
}

impl<S, M, Q, E, const R: usize, const AHEAD: usize> Arith for Wide<S, M, Q, E, R, AHEAD>
where
    S: Widen<E, R>,
    M: Step,
    Q: QueryFor<S, E, R>,
    E: Copy + 'static,
{
    type Query = Q;
    type Code = E;
    type Value = f32;
    type QueryChunk = Q::Chunk;
    type CodeChunk = S::Codes;
    type Reg = [S::V; R];
    type Acc = M::Acc<S>;
    type Context = f32;

    #[inline(always)]
    fn query_chunks(self, x: &[Q]) -> (&[Q::Chunk], &[Q]) {
        Q::chunks(self.0, x)
    }

    #[inline(always)]
    fn code_chunks(self, x: &[E]) -> (&[S::Codes], &[E]) {
        self.0.code_chunks(x)
    }

    #[inline(always)]
    fn load(self, x: &Q::Chunk) -> [S::V; R] {
        Q::load(self.0, x)
    }

    #[inline(always)]
    fn load_tail(self, x: &[Q]) -> [S::V; R] {
        Q::load_tail(self.0, x)
    }

    #[inline(always)]
    fn context(self, query: &[Q]) -> f32 {
        Q::context::<M>(self.0, query)
    }

    #[inline(always)]
    fn zero(self) -> M::Acc<S> {
        M::zero(self.0)
    }

    #[inline(always)]
    fn step(self, acc: M::Acc<S>, q: [S::V; R], c: &S::Codes) -> M::Acc<S> {
        if AHEAD > 0 {
            self.0.ask_for(core::ptr::from_ref(c).wrapping_byte_add(AHEAD).cast());
        }
        self.add(acc, q, self.0.widen(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: M::Acc<S>, q: [S::V; R], c: &[E]) -> M::Acc<S> {
        self.add(acc, q, self.0.widen_tail(c))
    }

    #[inline(always)]
    fn join(self, a: M::Acc<S>, b: M::Acc<S>) -> M::Acc<S> {
        M::join(self.0, a, b)
    }

    #[inline(always)]
    fn finish(self, acc: M::Acc<S>, context: f32) -> f32 {
        M::finish(self.0, acc, context)
    }

    #[inline(always)]
    fn finish4(self, acc: [M::Acc<S>; 4], context: f32) -> [f32; 4] {
        M::finish4(self.0, acc, context)
    }

    #[inline(always)]
    fn prefetch(self, x: &E) {
        self.0.ask_for(x);
    }
}

impl<S: Widen<E, R>, M: Step, Q, E, const R: usize, const AHEAD: usize> Wide<S, M, Q, E, R, AHEAD> {
    /// `R` pairs of registers more.
    #[inline(always)]
    fn add(self, mut acc: M::Acc<S>, q: [S::V; R], c: [S::V; R]) -> M::Acc<S> {
        for r in 0..R {
            acc = M::step(self.0, acc, q[r], c[r]);
        }
        acc
    }
}

/// Cosine from the inner product and inverse norms.
impl<S, Q, E, const R: usize, const AHEAD: usize> NormArith for Wide<S, Dot, Q, E, R, AHEAD>
where
    S: Widen<E, R>,
    Q: QueryFor<S, E, R>,
    E: Copy + 'static,
{
    type Norm = f32;

    #[inline(always)]
    fn finish_norms(self, acc: S::V, query: f32, row: f32) -> f32 {
        cosine_from_norms(self.0.sum(acc), query, row)
    }

    #[inline(always)]
    fn finish4_norms(self, acc: [S::V; 4], query: f32, rows: &[f32; 4]) -> [f32; 4] {
        let mut out = self.0.sum4(acc);
        for r in 0..4 {
            out[r] = cosine_from_norms(out[r], query, rows[r]);
        }
        out
    }
}

/// Metric `M` of two vectors of `bf16` by products of pairs (`vdpbf16ps`).
///
/// The instruction takes subnormal numbers for zero, and rounds a subnormal sum to zero: an
/// absolute error of at most `2^-126 (|x| + |y| + 1)` an element beside the rounding of the sum.
pub(crate) struct Products<M>(
    #[allow(dead_code, reason = "foreign architectures")] Avx512Bf16,
    Marker<M>,
);

impl<M> Clone for Products<M> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Products<M> {}

/// The first elements of `x`, and zeros.
#[allow(dead_code, reason = "levels that load a tail otherwise")]
#[inline(always)]
fn padded<T: Copy, const N: usize>(x: &[T], zero: T) -> [T; N] {
    let mut padded = [zero; N];
    for (p, &v) in padded.iter_mut().zip(x) {
        *p = v;
    }
    padded
}

/// What follows the first `n` elements, if anything; an empty rest still points behind `x`, since a
/// masked load of nothing from an address that is not mapped takes hundreds of cycles.
#[allow(dead_code, reason = "levels that load a tail otherwise")]
#[inline(always)]
fn behind<T>(x: &[T], n: usize) -> &[T] {
    &x[n.min(x.len())..]
}
