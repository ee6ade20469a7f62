//! Plain loops in the order of the elements. Sums wrap, as everywhere in this family.

use core::marker::PhantomData;

use crate::isa::int8::{Byte, Cosine, Dot, L1, L2Sq};
use crate::kernel::Technique;
use crate::ops::plain::PairFn;

/// Metric `M` on elements `E`.
pub(super) struct Scalar<M, E>(PhantomData<fn() -> (M, E)>);

/// The sum of `term` over pairs of elements.
#[inline(always)]
fn sum<E: Byte>(query: &[E], row: &[E], term: impl Fn(i32, i32) -> i32) -> i32 {
    let mut sum = 0i32;
    for (&q, &c) in query.iter().zip(row) {
        sum = sum.wrapping_add(term(q.into(), c.into()));
    }
    sum
}

macro_rules! scalar {
    ($($m:ident: $value:ty { |$q:ident, $c:ident| $body:expr })*) => {$(
        impl<E: Byte> PairFn for Scalar<$m, E> {
            type Query = E;
            type Code = E;
            type Value = $value;
            const NAME: &'static str = "scalar";
            const TECHNIQUE: Technique = Technique::Scalar;

            fn value($q: &[E], $c: &[E]) -> $value {
                $body
            }
        }
    )*};
}

scalar! {
    L2Sq: u32 { |q, c| sum(q, c, |x, y| (x - y) * (x - y)).cast_unsigned() }
    Dot: E::Dot { |q, c| E::dot(sum(q, c, |x, y| x * y)) }
    L1: u32 { |q, c| sum(q, c, |x, y| (x - y).abs()).cast_unsigned() }
    Cosine: f32 { |q, c| {
        let (xy, xx) = (sum(q, c, |x, y| x * y), sum(q, q, |x, y| x * y));
        distance::<E>(xy, xx, sum(c, c, |x, y| x * y))
    } }
}

/// `1 - xy / sqrt(xx yy)` from exact sums, rounded once; exactly 1 if a norm is 0.
#[inline(always)]
pub(super) fn distance<E: Byte>(xy: i32, xx: i32, yy: i32) -> f32 {
    let [xy, xx, yy] = [xy, xx, yy].map(|sum| E::wide(sum));
    if xx == 0.0 || yy == 0.0 { 1.0 } else { (1.0 - xy / (xx.sqrt() * yy.sqrt())) as f32 }
}
