//! How the test kit tries operations on bytes: every value is exact, but for cosine.

use super::Int8;
use crate::isa::int8::{Cosine, Dot, L1, L2Sq};
use crate::shape::{CodeNorms, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};
use crate::testkit::bounds::{Expected, UNIT_ROUNDOFF};
use crate::testkit::cases::{Family, Random, row};
use crate::testkit::trial::{Truth, VectorSubject};

/// What cosine may be off by: see the README of the family.
const COSINE_ERROR: f64 = 8.0 * UNIT_ROUNDOFF;

/// Elements as whole numbers.
fn pairs<E: Copy + Into<i64>>(query: &[E], row: &[E]) -> impl Iterator<Item = (i64, i64)> {
    query.iter().zip(row).map(|(&q, &c)| (q.into(), c.into()))
}

/// An exact sum of terms.
fn sum(terms: impl Iterator<Item = i64> + Clone) -> Truth {
    let value = terms.clone().sum::<i64>() as f64;
    let scale = terms.map(i64::abs).sum::<i64>() as f64;
    Truth { expected: Expected::Within { value, error: 0.0 }, scale }
}

trait Oracle {
    fn truth<E: Copy + Into<i64>>(query: &[E], row: &[E]) -> Truth;
}

impl Oracle for L2Sq {
    fn truth<E: Copy + Into<i64>>(query: &[E], row: &[E]) -> Truth {
        let terms: Vec<i64> = pairs(query, row).map(|(q, c)| (q - c) * (q - c)).collect();
        sum(terms.iter().copied())
    }
}

impl Oracle for Dot {
    fn truth<E: Copy + Into<i64>>(query: &[E], row: &[E]) -> Truth {
        let terms: Vec<i64> = pairs(query, row).map(|(q, c)| q * c).collect();
        sum(terms.iter().copied())
    }
}

impl Oracle for L1 {
    fn truth<E: Copy + Into<i64>>(query: &[E], row: &[E]) -> Truth {
        let terms: Vec<i64> = pairs(query, row).map(|(q, c)| (q - c).abs()).collect();
        sum(terms.iter().copied())
    }
}

impl Oracle for Cosine {
    fn truth<E: Copy + Into<i64>>(query: &[E], row: &[E]) -> Truth {
        let dot = |a: &[E], b: &[E]| pairs(a, b).map(|(x, y)| x * y).sum::<i64>() as f64;
        let (xy, xx, yy) = (dot(query, row), dot(query, query), dot(row, row));
        let expected = if xx == 0.0 || yy == 0.0 {
            Expected::Exactly(1.0)
        } else {
            Expected::Within { value: 1.0 - xy / (xx.sqrt() * yy.sqrt()), error: COSINE_ERROR }
        };
        Truth { expected, scale: 1.0 }
    }
}

macro_rules! subjects {
    ($($e:ty, $m:ident, $v:ty => { $($shape:ident $norm:ty, |$x:ident| $norm_of:expr;)* })*) => {$($(
        impl VectorSubject for Int8<$e, $m, $shape<$e, $e, $v, $norm>> {
            fn row(random: &mut Random, family: Family, dim: usize, query: &[$e]) -> Vec<$e> {
                row(random, family, dim, |_, i| query[i].saturating_add(1))
            }

            fn query_norm($x: &[$e]) -> $norm {
                $norm_of
            }

            fn row_norm($x: &[$e]) -> $norm {
                $norm_of
            }

            fn truth(_dim: usize, query: &[$e], row: &[$e]) -> Truth {
                <$m as Oracle>::truth(query, row)
            }

            fn foreign_truth(_dim: usize, query: &[$e], row: &[$e]) -> Truth {
                estimated(<$m as Oracle>::truth(query, row))
            }
        }
    )*)*};
    ($($e:ty, $m:ident, $v:ty;)*) => {
        subjects! {$(
            $e, $m, $v => {
                Pair f32, |_x| 0.0;
                Scan f32, |_x| 0.0;
                Gather f32, |_x| 0.0;
                PairNorms CodeNorms, |x| norms(x);
                ScanNorms CodeNorms, |x| norms(x);
                GatherNorms CodeNorms, |x| norms(x);
            }
        )*}
    };
}

/// What holds for SimSIMD on NEON: its cosine takes an estimate of a reciprocal root. Whole numbers
/// stay exact.
fn estimated(truth: Truth) -> Truth {
    match truth.expected {
        Expected::Within { value, error } if error > 0.0 && cfg!(target_arch = "aarch64") => {
            Truth { expected: Expected::Within { value, error: 1.0 / 512.0 }, ..truth }
        }
        _ => truth,
    }
}

/// Sum and squared norm, reduced modulo 2^32 at the end.
fn norms<E: Copy + Into<i64>>(x: &[E]) -> CodeNorms {
    let sum: i64 = x.iter().map(|&v| v.into()).sum();
    let norm_sq: i64 = pairs(x, x).map(|(v, _)| v * v).sum();
    CodeNorms { sum: sum as i32, norm_sq: norm_sq as i32 }
}

subjects! {
    i8, L2Sq, u32;
    i8, Dot, i32;
    i8, Cosine, f32;
    u8, L2Sq, u32;
    u8, Dot, u32;
    u8, Cosine, f32;
}

subjects! {
    u8, L1, u32 => {
        Pair f32, |_x| 0.0;
        Scan f32, |_x| 0.0;
        Gather f32, |_x| 0.0;
    }
}
