//! Plain loops in the order of the elements.

use super::arith::BLOCK;
use crate::kernel::Technique;
use crate::ops::plain::PairFn;

/// The inner product.
pub(crate) struct Dot;
/// The squared distance with one scale.
pub(crate) struct L2Sq;
/// The squared distance with a scale for each dimension.
pub(crate) struct PerDimension;

macro_rules! pairs {
    ($($name:ident |$query:ident, $row:ident| $value:expr;)*) => {$(
        impl PairFn for $name {
            type Query = f32;
            type Code = u8;
            type Value = f32;
            const NAME: &'static str = "scalar";
            const TECHNIQUE: Technique = Technique::Scalar;

            fn value($query: &[f32], $row: &[u8]) -> f32 {
                $value
            }
        }
    )*};
}

pairs! {
    Dot |query, row| {
        let mut sum = 0.0;
        for (&q, &c) in query.iter().zip(row) {
            sum += q * f32::from(c);
        }
        sum + query.last().copied().unwrap_or(0.0)
    };
    L2Sq |query, row| {
        let mut sum = 0.0;
        for (&q, &c) in query.iter().zip(row) {
            let d = q - f32::from(c);
            sum += d * d;
        }
        sum * query.last().copied().unwrap_or(0.0)
    };
    PerDimension |query, row| {
        let mut sum = 0.0;
        for (q, c) in query.chunks(2 * BLOCK).zip(row.chunks(BLOCK)) {
            let (differences, scales) = q.split_at(q.len() / 2);
            for ((&q, &s), &c) in differences.iter().zip(scales).zip(c) {
                let d = q + s * f32::from(c);
                sum += d * d;
            }
        }
        sum
    };
}
