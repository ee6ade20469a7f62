//! Plain loops in the order of the elements.

use crate::kernel::Technique;
use crate::ops::plain::PairFn;

/// The inner product.
pub(crate) struct Dot;

impl PairFn for Dot {
    type Query = i8;
    type Code = i8;
    type Value = i32;
    const NAME: &'static str = "scalar";
    const TECHNIQUE: Technique = Technique::Scalar;

    fn value(query: &[i8], row: &[i8]) -> i32 {
        let mut sum = 0;
        for (&q, &c) in query.iter().zip(row) {
            sum += i32::from(q) * i32::from(c);
        }
        sum
    }
}
