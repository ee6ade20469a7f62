//! How the test kit tries operations on `i8`: every value is exact.

use super::{Dot, I8};
use crate::shape::{CodeNorms, Gather, Pair, Scan};
use crate::testkit::bounds::Expected;
use crate::testkit::cases::{Family, Random, row};
use crate::testkit::trial::{Truth, VectorSubject};

macro_rules! subjects {
    ($($op:ty => $norm:ty, $norm_of:expr;)*) => {$(
        impl VectorSubject for $op {
            fn row(random: &mut Random, family: Family, dim: usize, query: &[i8]) -> Vec<i8> {
                row(random, family, dim, |_, i| query[i].saturating_add(1))
            }

            fn query_norm(query: &[i8]) -> $norm {
                $norm_of(query)
            }

            fn row_norm(row: &[i8]) -> $norm {
                $norm_of(row)
            }

            fn truth(_dim: usize, query: &[i8], row: &[i8]) -> Truth {
                let products = || query.iter().zip(row).map(|(&q, &c)| i64::from(q) * i64::from(c));
                let value = products().sum::<i64>() as f64;
                let scale = products().map(i64::abs).sum::<i64>() as f64;
                Truth { expected: Expected::Within { value, error: 0.0 }, scale }
            }
        }
    )*};
}

/// Sum and squared norm, exactly.
#[allow(dead_code, reason = "shapes with cached norms")]
fn norms(x: &[i8]) -> CodeNorms {
    let sum = x.iter().map(|&v| i32::from(v)).sum();
    let norm_sq = x.iter().map(|&v| i32::from(v) * i32::from(v)).sum();
    CodeNorms { sum, norm_sq }
}

subjects! {
    I8<Dot, Pair<i8, i8, i32>> => f32, |_: &[i8]| 0.0;
    I8<Dot, Scan<i8, i8, i32>> => f32, |_: &[i8]| 0.0;
    I8<Dot, Gather<i8, i8, i32>> => f32, |_: &[i8]| 0.0;
}
