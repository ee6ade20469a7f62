//! Arithmetic on bytes, `i8` and `u8`: products summed in 32 bits, exactly.
//!
//! Every sum is taken modulo 2^32 and every instruction here wraps, so a value is exact wherever the
//! true one fits its type, and is the true one modulo 2^32 beyond:
//!
//! | value | largest term | type | exact up to |
//! |---|---|---|---|
//! | `l2sq` of either, `dot` of `u8` | 255^2 | `u32` | 66,051 elements |
//! | `dot` of `i8` | 2^14 | `i32` | 131,071 elements |
//! | `l1` of `u8` | 255 | `u32` | 16,843,009 elements |
//!
//! Two engines. [`Sums`] runs a metric over a level's exact products ([`Lanes`]). [`Vnni`] has
//! `vpdpbusd`, which multiplies unsigned by signed bytes only; there a vector is taken in both forms,
//! 128 apart, and the excess is corrected (see `avx512vnni.rs`).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
mod metric;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neondot;
mod norms;
mod sad;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse42;
mod tail;

use core::marker::PhantomData;

pub(crate) use sad::Sad;

use super::tokens::{Avx512Vnni, Token};

/// An element of one byte.
pub(crate) trait Byte: Copy + Into<i32> + 'static {
    /// Whether it has a sign.
    const SIGNED: bool;
    /// Its name in coordinates.
    const NAME: &'static str;
    /// What an inner product is.
    type Dot: Copy + 'static;
    /// An inner product from a sum modulo 2^32.
    fn dot(sum: i32) -> Self::Dot;
    /// The same as a number, rounded.
    fn float(sum: i32) -> f32;
    /// The same as a number, exactly.
    fn wide(sum: i32) -> f64;
}

impl Byte for i8 {
    const SIGNED: bool = true;
    const NAME: &'static str = "i8";
    type Dot = i32;

    #[inline(always)]
    fn dot(sum: i32) -> i32 {
        sum
    }

    #[inline(always)]
    fn float(sum: i32) -> f32 {
        sum as f32
    }

    #[inline(always)]
    fn wide(sum: i32) -> f64 {
        f64::from(sum)
    }
}

impl Byte for u8 {
    const SIGNED: bool = false;
    const NAME: &'static str = "u8";
    type Dot = u32;

    #[inline(always)]
    fn dot(sum: i32) -> u32 {
        sum.cast_unsigned()
    }

    #[inline(always)]
    fn float(sum: i32) -> f32 {
        sum.cast_unsigned() as f32
    }

    #[inline(always)]
    fn wide(sum: i32) -> f64 {
        f64::from(sum.cast_unsigned())
    }
}

/// Squared Euclidean distance.
#[derive(Clone, Copy)]
pub(crate) struct L2Sq;

/// Inner product.
#[derive(Clone, Copy)]
pub(crate) struct Dot;

/// Cosine distance.
#[derive(Clone, Copy)]
pub(crate) struct Cosine;

/// Sum of absolute differences.
#[derive(Clone, Copy)]
pub(crate) struct L1;

/// A metric of many rows: what depends on the query alone is computed once.
#[derive(Clone, Copy)]
pub(crate) struct Rows<M>(PhantomData<fn() -> M>);

/// A level's registers of bytes and of sums, with exact products.
pub(crate) trait Lanes: Token {
    /// Sums, 32 bits each.
    type V: Copy;
    /// A chunk as the products want it.
    type R: Copy;
    /// As many elements as are taken at once.
    type Chunk<E: Byte>: Copy + 'static;

    /// Whole chunks and a rest shorter than one.
    fn chunks<E: Byte>(self, x: &[E]) -> (&[Self::Chunk<E>], &[E]);
    /// A whole chunk.
    fn load<E: Byte>(self, x: &Self::Chunk<E>) -> Self::R;
    /// Less than a chunk, padded with zeros; reads nothing beyond it.
    fn load_tail<E: Byte>(self, x: &[E]) -> Self::R;
    /// Zeros.
    fn zero(self) -> Self::V;
    /// Sums, lane by lane.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `acc` and the products of `a` and `b`.
    fn dot<E: Byte>(self, acc: Self::V, a: Self::R, b: Self::R) -> Self::V;
    /// `acc` and the squared differences of `a` and `b`.
    fn l2sq<E: Byte>(self, acc: Self::V, a: Self::R, b: Self::R) -> Self::V;
    /// The sum of all lanes.
    fn sum(self, v: Self::V) -> i32;
    /// The sums of four.
    #[inline(always)]
    fn sum4(self, v: [Self::V; 4]) -> [i32; 4] {
        [self.sum(v[0]), self.sum(v[1]), self.sum(v[2]), self.sum(v[3])]
    }
    /// Asks for the cache line at `x` soon.
    fn prefetch<E>(self, x: &E);
}

/// Metric `M` on elements `E` over the exact products of a level's token `T`.
pub(crate) struct Sums<T, M, E>(T, PhantomData<fn() -> (M, E)>);

/// Metric `M` on elements `E` where sums and squared norms are known, over exact products.
pub(crate) struct Norms<T, M, E>(T, PhantomData<fn() -> (M, E)>);

/// Metric `M` on elements `E` by `vpdpbusd`.
#[allow(dead_code, reason = "foreign architectures")]
pub(crate) struct Vnni<M, E>(Avx512Vnni, PhantomData<fn() -> (M, E)>);

/// Metric `M` on elements `E` by `vpdpbusd` where sums and squared norms are known.
#[allow(dead_code, reason = "foreign architectures")]
pub(crate) struct VnniNorms<M, E>(Avx512Vnni, PhantomData<fn() -> (M, E)>);

/// Sums of absolute differences of `u8`.
#[derive(Clone, Copy)]
pub(crate) struct Sads<T>(T);

macro_rules! copies {
    ($($name:ident<$($p:ident),*>;)*) => {$(
        impl<$($p),*> Clone for $name<$($p),*>
        where
            Self: Copy,
        {
            #[inline(always)]
            fn clone(&self) -> Self {
                *self
            }
        }
    )*};
}

copies! { Sums<T, M, E>; Norms<T, M, E>; Vnni<M, E>; VnniNorms<M, E>; }
impl<T: Copy, M, E> Copy for Sums<T, M, E> {}
impl<T: Copy, M, E> Copy for Norms<T, M, E> {}
impl<M, E> Copy for Vnni<M, E> {}
impl<M, E> Copy for VnniNorms<M, E> {}
