//! Plain loops that the compiler vectorises, compiled once per target and chosen at run time by
//! the crate `multiversion`. Sums of whole numbers may be reordered, so a plain loop will do.

use core::marker::PhantomData;

/// Metric `M` on elements `E`.
#[allow(dead_code, reason = "builds without the feature")]
pub(super) struct Autovec<M, E>(PhantomData<fn() -> (M, E)>);

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use super::Autovec;
    use crate::isa::int8::{Byte, Cosine, Dot, L1, L2Sq};
    use crate::kernel::Technique;
    use crate::ops::int8::scalar::distance;
    use crate::ops::plain::PairFn;

    #[inline(always)]
    fn sum<E: Byte>(query: &[E], row: &[E], term: impl Fn(i32, i32) -> i32) -> i32 {
        let mut sum = 0i32;
        for (&q, &c) in query.iter().zip(row) {
            sum = sum.wrapping_add(term(q.into(), c.into()));
        }
        sum
    }

    macro_rules! autovec {
        ($($m:ident on $e:ty: $value:ty { |$q:ident, $c:ident| $body:expr })*) => {$(
            impl PairFn for Autovec<$m, $e> {
                type Query = $e;
                type Code = $e;
                type Value = $value;
                const NAME: &'static str = "autovec";
                const TECHNIQUE: Technique = Technique::Autovec;

                fn value(query: &[$e], row: &[$e]) -> $value {
                    #[multiversion(targets = "simd")]
                    fn value($q: &[$e], $c: &[$e]) -> $value {
                        $body
                    }
                    value(query, row)
                }
            }
        )*};
        (all $e:ty, $dot:ty) => {
            autovec! {
                L2Sq on $e: u32 { |q, c| sum(q, c, |x, y| (x - y) * (x - y)).cast_unsigned() }
                Dot on $e: $dot { |q, c| <$e as Byte>::dot(sum(q, c, |x, y| x * y)) }
                Cosine on $e: f32 { |q, c| {
                    let (xy, xx) = (sum(q, c, |x, y| x * y), sum(q, q, |x, y| x * y));
                    distance::<$e>(xy, xx, sum(c, c, |x, y| x * y))
                } }
            }
        };
    }

    autovec! { all i8, i32 }
    autovec! { all u8, u32 }
    autovec! { L1 on u8: u32 { |q, c| sum(q, c, |x, y| (x - y).abs()).cast_unsigned() } }
}
