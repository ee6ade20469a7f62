//! How the test kit tries operations on codes with a scale and a bias: on prepared queries.

use super::{DotOp, L2SqOp, PerDimensionOp, Sq8Op};
use crate::kernel::Op;
use crate::shape::{Gather, Pair, Scan};
use crate::testkit::bounds::{Expected, UNIT_ROUNDOFF, expected, gamma};
use crate::testkit::cases::{self, Family, Random};
use crate::testkit::oracle::{Exact, exact};
use crate::testkit::trial::{Truth, VectorSubject};

/// What differs between the layouts of a prepared query.
trait Prepared {
    /// A query.
    fn query(random: &mut Random, family: Family, dim: usize) -> Vec<f32>;
    /// The code nearest to the query's value at place `i`.
    fn near(query: &[f32], dim: usize, i: usize) -> f32;
    /// The truth.
    fn truth(dim: usize, query: &[f32], row: &[u8]) -> Truth;
}

/// Numbers of the kind, brought to where codes are unless the kind is about their size.
fn values(random: &mut Random, family: Family, dim: usize) -> Vec<f32> {
    let mut values: Vec<f32> = cases::query(random, family, dim);
    if matches!(family, Family::Uniform | Family::Cancelling | Family::ZeroRow) {
        for v in &mut values {
            *v = 127.5 + 127.5 * *v;
        }
    }
    values
}

fn codes(row: &[u8]) -> Vec<f32> {
    row.iter().map(|&c| f32::from(c)).collect()
}

impl Prepared for L2SqOp {
    fn query(random: &mut Random, family: Family, dim: usize) -> Vec<f32> {
        let mut query = values(random, family, dim);
        query.push(0.001 + random.unit() as f32);
        query
    }

    fn near(query: &[f32], _dim: usize, i: usize) -> f32 {
        query[i]
    }

    fn truth(dim: usize, query: &[f32], row: &[u8]) -> Truth {
        let exact = exact("l2sq", &query[..dim], &codes(row));
        let constant = f64::from(query[dim]);
        // One rounding more, for the constant. A sum beyond the range is so before it is scaled.
        let expected = match expected("l2sq", dim + 1, &exact, false) {
            Expected::Within { value, error } => {
                let error = error * constant + f64::from(f32::MIN_POSITIVE);
                Expected::Within { value: value * constant, error }
            }
            other => other,
        };
        Truth { expected, scale: exact.scale * constant }
    }
}

impl Prepared for DotOp {
    fn query(random: &mut Random, family: Family, dim: usize) -> Vec<f32> {
        let mut query: Vec<f32> = cases::query(random, family, dim);
        query.push(10.0 * random.unit() as f32 - 5.0);
        query
    }

    fn near(_query: &[f32], _dim: usize, i: usize) -> f32 {
        // Signs alternate in sums that cancel: equal codes.
        100.0 + (i % 2) as f32
    }

    fn truth(dim: usize, query: &[f32], row: &[u8]) -> Truth {
        let Exact { value, scale, norms_sq } = exact("dot", &query[..dim], &codes(row));
        let constant = f64::from(query[dim]);
        let exact = Exact { value: value + constant, scale: scale + constant.abs(), norms_sq };
        Truth { expected: expected("dot", dim + 1, &exact, false), scale: exact.scale }
    }
}

/// Where the difference of place `i` of `dim` lies, and its scale: counted, not split.
fn places(dim: usize, i: usize) -> (usize, usize) {
    let whole = i - i % 16;
    let at = 2 * whole + i % 16;
    (at, at + (dim - whole).min(16))
}

impl Prepared for PerDimensionOp {
    fn query(random: &mut Random, family: Family, dim: usize) -> Vec<f32> {
        let mut query = vec![0.0; 2 * dim];
        for (i, v) in values(random, family, dim).into_iter().enumerate() {
            let (difference, scale) = places(dim, i);
            query[difference] = v;
            query[scale] = -0.75 - 0.5 * random.unit() as f32;
        }
        query
    }

    fn near(query: &[f32], dim: usize, i: usize) -> f32 {
        let (difference, scale) = places(dim, i);
        query[difference] / -query[scale]
    }

    fn truth(dim: usize, query: &[f32], row: &[u8]) -> Truth {
        let (mut value, mut error) = (0.0, 0.0);
        for (i, &c) in row.iter().enumerate() {
            let (difference, scale) = places(dim, i);
            let (q, sc) = (f64::from(query[difference]), f64::from(query[scale]) * f64::from(c));
            let d = q + sc;
            // Without fused multiply-add the product is rounded before the sum.
            let off = UNIT_ROUNDOFF * sc.abs();
            value += d * d;
            error += 2.0 * d.abs() * off + off * off;
        }
        let exact = Exact { value, scale: value, norms_sq: [1.0; 2] };
        let mut expected = expected("l2sq", dim, &exact, false);
        if let Expected::Within { error: e, .. } = &mut expected {
            *e += error * (1.0 + gamma(dim + 4));
        }
        Truth { expected, scale: value + error }
    }
}

macro_rules! subjects {
    ($($op:ident $shape:ident;)*) => {$(
        impl VectorSubject for Sq8Op<$op, $shape<f32, u8, f32>> {
            fn query(random: &mut Random, family: Family, dim: usize) -> Vec<f32> {
                let query = <$op as Prepared>::query(random, family, dim);
                debug_assert_eq!(query.len(), Self::query_len(dim));
                query
            }

            fn row(random: &mut Random, family: Family, dim: usize, query: &[f32]) -> Vec<u8> {
                cases::row(random, family, dim, |_, i| {
                    <$op as Prepared>::near(query, dim, i).round() as u8
                })
            }

            fn query_norm(_query: &[f32]) -> f32 {
                0.0
            }

            fn row_norm(_row: &[u8]) -> f32 {
                0.0
            }

            fn truth(dim: usize, query: &[f32], row: &[u8]) -> Truth {
                <$op as Prepared>::truth(dim, query, row)
            }
        }
    )*};
}

subjects! {
    L2SqOp Pair;
    L2SqOp Scan;
    L2SqOp Gather;
    DotOp Pair;
    DotOp Scan;
    DotOp Gather;
    PerDimensionOp Pair;
    PerDimensionOp Scan;
    PerDimensionOp Gather;
}
