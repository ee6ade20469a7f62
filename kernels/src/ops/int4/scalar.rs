//! Plain loops in the order of the elements.

use super::arith::BLOCK;
use crate::kernel::Technique;
use crate::ops::plain::PairFn;

/// The inner product of codes.
pub(crate) struct Dot;
/// The squared distance of codes.
pub(crate) struct L2Sq;
/// The inner product of signed bytes and codes.
pub(crate) struct SignedDot;
/// The squared distance of signed bytes and codes.
pub(crate) struct SignedL2Sq;

macro_rules! codes {
    ($($name:ident, |$sum:ident, $q:ident, $c:ident| $term:expr;)*) => {$(
        impl PairFn for $name {
            type Query = u8;
            type Code = u8;
            type Value = u32;
            const NAME: &'static str = "scalar";
            const TECHNIQUE: Technique = Technique::Scalar;

            fn value(query: &[u8], row: &[u8]) -> u32 {
                let mut $sum = 0;
                for (&q, &c) in query.iter().zip(row) {
                    for shift in [0, 4] {
                        let ($q, $c) = (u32::from(q >> shift & 15), u32::from(c >> shift & 15));
                        $term;
                    }
                }
                $sum
            }
        }
    )*};
}

codes! {
    Dot, |sum, q, c| sum += q * c;
    L2Sq, |sum, q, c| sum += q.abs_diff(c) * q.abs_diff(c);
}

macro_rules! signed {
    ($($name:ident $value:ty, |$sum:ident, $q:ident, $c:ident| $term:expr;)*) => {$(
        impl PairFn for $name {
            type Query = i8;
            type Code = u8;
            type Value = $value;
            const NAME: &'static str = "scalar";
            const TECHNIQUE: Technique = Technique::Scalar;

            fn value(query: &[i8], row: &[u8]) -> $value {
                let mut $sum: $value = 0;
                for (q, c) in query.chunks(2 * BLOCK).zip(row.chunks(BLOCK)) {
                    let (even, odd) = q.split_at(q.len() / 2);
                    for ((&even, &odd), &c) in even.iter().zip(odd).zip(c) {
                        for ($q, $c) in [(even, c & 15), (odd, c >> 4)] {
                            let ($q, $c) = (i32::from($q), i32::from($c));
                            $term;
                        }
                    }
                }
                $sum
            }
        }
    )*};
}

signed! {
    SignedDot i32, |sum, q, c| sum += q * c;
    SignedL2Sq u32, |sum, q, c| sum += q.abs_diff(c) * q.abs_diff(c);
}
