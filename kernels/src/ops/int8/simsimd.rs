//! The C library SimSIMD: `i8` through its Rust traits, as its users call it; `u8` through its C
//! symbols, which the traits leave out. It has pairs only, so `scan` and `gather` are loops over
//! them, and the `_norms` shapes its one-pass forms.
#![allow(unsafe_code, reason = "C symbols that take pointers and a length")]

use core::marker::PhantomData;

/// Metric `M` on elements `E`.
#[allow(dead_code, reason = "builds without the feature")]
pub(super) struct Simsimd<M, E>(PhantomData<fn() -> (M, E)>);

#[cfg(feature = "simsimd")]
mod imp {
    use ::simsimd::SpatialSimilarity;

    use super::Simsimd;
    use crate::isa::int8::{Cosine, Dot, L2Sq};
    use crate::kernel::Technique;
    use crate::ops::plain::PairFn;

    unsafe extern "C" {
        fn simsimd_l2sq_u8(a: *const u8, b: *const u8, n: u64, out: *mut f64);
        fn simsimd_dot_u8(a: *const u8, b: *const u8, n: u64, out: *mut f64);
        fn simsimd_cos_u8(a: *const u8, b: *const u8, n: u64, out: *mut f64);
    }

    type Symbol = unsafe extern "C" fn(*const u8, *const u8, u64, *mut f64);

    #[inline(always)]
    fn call(symbol: Symbol, a: &[u8], b: &[u8]) -> f64 {
        let mut out = f64::NAN;
        // SAFETY: the symbols read as many bytes of each vector as they are told, which no vector
        // is shorter than, and write one number.
        unsafe { symbol(a.as_ptr(), b.as_ptr(), a.len().min(b.len()) as u64, &raw mut out) };
        out
    }

    macro_rules! peer {
        ($($m:ident on $e:ty: $value:ty { |$q:ident, $c:ident| $body:expr })*) => {$(
            impl PairFn for Simsimd<$m, $e> {
                type Query = $e;
                type Code = $e;
                type Value = $value;
                const NAME: &'static str = "simsimd";
                const TECHNIQUE: Technique = Technique::Simsimd;

                #[inline(always)]
                fn value($q: &[$e], $c: &[$e]) -> $value {
                    let value: f64 = $body;
                    value as $value
                }
            }
        )*};
    }

    peer! {
        L2Sq on i8: u32 { |q, c| <i8 as SpatialSimilarity>::l2sq(q, c).unwrap_or(f64::NAN) }
        Dot on i8: i32 { |q, c| <i8 as SpatialSimilarity>::dot(q, c).unwrap_or(f64::NAN) }
        Cosine on i8: f32 { |q, c| <i8 as SpatialSimilarity>::cos(q, c).unwrap_or(f64::NAN) }
        L2Sq on u8: u32 { |q, c| call(simsimd_l2sq_u8, q, c) }
        Dot on u8: u32 { |q, c| call(simsimd_dot_u8, q, c) }
        Cosine on u8: f32 { |q, c| call(simsimd_cos_u8, q, c) }
    }
}
