//! Rounding to codes of 8 and of 4 bits, with one step or one for each dimension: written once for
//! every level.
//!
//! A code is `(v - bias) * inverse`, each operation rounded, bounded to the codes there are and
//! rounded to the nearest one, halves to the even one; NaN is code 0. So every variant gives the
//! same bytes.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

use core::marker::PhantomData;

use crate::isa::sq8::{Codes, STEP};
use crate::kernel::{Op, Variant};
use crate::shape::{Encode, Steps};

/// What is encoded to.
pub(crate) trait Target: 'static {
    /// The encoding of the codes.
    const ENCODING: &'static str;
    /// The largest code.
    const MAX: u8;
    /// Whether there is a step for each dimension.
    const PER_DIMENSION: bool;
    /// Whether a byte holds two codes.
    const PACKED: bool = Self::MAX == 15;
}

macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident $encoding:literal $max:literal $per_dimension:literal;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl Target for $name {
            const ENCODING: &'static str = $encoding;
            const MAX: u8 = $max;
            const PER_DIMENSION: bool = $per_dimension;
        }
    )*};
}

targets! {
    /// Bytes, one step.
    Bytes "sq8" 255 false;
    /// Bytes, a step for each dimension.
    BytesPerDimension "sq8_dim" 255 true;
    /// Half bytes, one step.
    Halves "int4" 15 false;
    /// Half bytes, a step for each dimension.
    HalvesPerDimension "int4_dim" 15 true;
}

/// Encoding `f32` values to `T`.
pub(crate) struct FromF32<T>(PhantomData<fn() -> T>);

impl<T: Target> Op for FromF32<T> {
    type Shape = Encode;
    const ENCODING: &'static str = T::ENCODING;
    const METRIC: &'static str = "from_f32";
    const VARIANTS: &'static [Variant<Self>] =
        &[scalar::row(), sse42::row(), avx2::row(), avx512::row(), neon::row(), simd128::row()];

    /// Elements of each slice of [`Steps`].
    fn query_len(dim: usize) -> usize {
        if T::PER_DIMENSION { dim } else { 1 }
    }

    fn row_len(dim: usize) -> usize {
        if T::PACKED { dim.div_ceil(2) } else { dim }
    }
}

/// Up to `STEP` elements, the last repeated by zeros.
#[inline(always)]
fn padded(x: &[f32]) -> [f32; STEP] {
    let mut all = [0.0; STEP];
    for (a, &v) in all.iter_mut().zip(x) {
        *a = v;
    }
    all
}

/// Encodes a vector, [`STEP`] values at a time.
#[inline(always)]
fn encode<S: Codes, T: Target>(s: S, values: &[f32], steps: Steps<'_>, codes: &mut [u8]) {
    let max = f32::from(T::MAX);
    let one = |x: &[f32]| [x.first().copied().unwrap_or(0.0); STEP];
    let (mut bias, mut inverse) = (one(steps.bias), one(steps.inverse));
    let (chunks, rest) = values.as_chunks::<STEP>();
    let (biases, bias_rest) = steps.bias.as_chunks::<STEP>();
    let (inverses, inverse_rest) = steps.inverse.as_chunks::<STEP>();
    let bytes = if T::PACKED { STEP / 2 } else { STEP };
    let (whole, tail) = codes.split_at_mut((chunks.len() * bytes).min(codes.len()));
    for (i, (v, out)) in chunks.iter().zip(whole.chunks_exact_mut(bytes)).enumerate() {
        let found = if T::PER_DIMENSION {
            s.quantise(v, &biases[i], &inverses[i], max)
        } else {
            s.quantise(v, &bias, &inverse, max)
        };
        if T::PACKED {
            out.copy_from_slice(&s.pack(&found));
        } else {
            out.copy_from_slice(&found);
        }
    }
    if rest.is_empty() {
        return;
    }
    if T::PER_DIMENSION {
        (bias, inverse) = (padded(bias_rest), padded(inverse_rest));
    }
    let mut found = s.quantise(&padded(rest), &bias, &inverse, max);
    // Behind the values the pad is zero, whatever a zero encodes to.
    found[rest.len()..].fill(0);
    if T::PACKED {
        for (o, &code) in tail.iter_mut().zip(&s.pack(&found)) {
            *o = code;
        }
    } else {
        for (o, &code) in tail.iter_mut().zip(&found) {
            *o = code;
        }
    }
}

mod scalar {
    use super::{FromF32, Target};
    use crate::isa::Level;
    use crate::kernel::{Entry, Technique, Variant};
    use crate::shape::Steps;

    fn code<T: Target>(v: f32, bias: f32, inverse: f32) -> u8 {
        let code = ((v - bias) * inverse).round_ties_even();
        // A NaN stays one in `clamp`, and is 0 as an integer.
        code.clamp(0.0, f32::from(T::MAX)) as u8
    }

    fn entry<T: Target>(values: &[f32], steps: Steps<'_>, codes: &mut [u8]) {
        let step = |x: &[f32], i: usize| if T::PER_DIMENSION { x[i] } else { x[0] };
        let at = |i: usize| code::<T>(values[i], step(steps.bias, i), step(steps.inverse, i));
        for (j, o) in codes.iter_mut().enumerate() {
            *o = match (T::PACKED, values.len() > 2 * j + 1) {
                (false, _) => at(j),
                (true, true) => at(2 * j) | at(2 * j + 1) << 4,
                (true, false) => at(2 * j),
            };
        }
    }

    pub(super) const fn row<T: Target>() -> Variant<FromF32<T>> {
        let resolve: fn(usize) -> Option<Entry<FromF32<T>>> = |_| Some(entry::<T>);
        // SAFETY: plain Rust runs on every CPU of the build's target.
        unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
    }
}

macro_rules! level_module {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta } { $module:ident }) => {
        mod $module {
            use super::{FromF32, Target};
            use crate::isa::Level;
            use crate::kernel::{Technique, Variant};

            #[cfg($when)]
            mod imp {
                use super::Target;
                use crate::isa::tokens::$level;
                use crate::shape::Steps;

                /// # Safety
                /// The CPU has the level.
                #[$features]
                pub(super) unsafe fn entry<T: Target>(
                    values: &[f32],
                    steps: Steps<'_>,
                    codes: &mut [u8],
                ) {
                    // SAFETY: this function enables the token's level.
                    let token = unsafe { $level::assume() };
                    super::super::encode::<_, T>(token, values, steps, codes);
                }
            }

            #[cfg($when)]
            pub(super) const fn row<T: Target>() -> Variant<FromF32<T>> {
                let resolve: fn(usize) -> Option<crate::kernel::Entry<FromF32<T>>> =
                    |_| Some(imp::entry::<T>);
                // SAFETY: the entry enables the features of the level; slices carry their lengths.
                unsafe {
                    Variant::new(concat!($name, "-x16"), Level::$level, Technique::Hand, resolve)
                }
            }

            #[cfg(not($when))]
            pub(super) const fn row<T: Target>() -> Variant<FromF32<T>> {
                Variant::absent(concat!($name, "-x16"), Level::$level, Technique::Hand, $absent)
            }
        }
    };
}

with_level! { Sse42 => level_module! { sse42 } }
with_level! { Avx2 => level_module! { avx2 } }
with_level! { Avx512 => level_module! { avx512 } }
with_level! { Neon => level_module! { neon } }
with_level! { Simd128 => level_module! { simd128 } }
