//! How the test kit tries operations on 4-bit codes: every value is exact.

use super::{DotOp, Int4, L2SqOp};
use crate::kernel::Op;
use crate::shape::{CodeNorms, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms, VectorShape};
use crate::testkit::bounds::Expected;
use crate::testkit::cases::{self, Family, Random};
use crate::testkit::trial::{Truth, VectorSubject};

/// What the operands of a kind of query share.
trait Query: Copy {
    /// The value at place `i` of `dim`.
    fn value(query: &[Self], dim: usize, i: usize) -> i64;
    /// A query.
    fn draw(random: &mut Random, family: Family, dim: usize) -> Vec<Self>;
}

/// The code at place `i`.
fn code(packed: &[u8], i: usize) -> i64 {
    i64::from(packed[i / 2] >> (i % 2 * 4)) % 16
}

/// Zero in the half byte behind an odd number of codes.
fn trim(mut packed: Vec<u8>, dim: usize) -> Vec<u8> {
    if let (1, Some(last)) = (dim % 2, packed.last_mut()) {
        *last %= 16;
    }
    packed
}

impl Query for u8 {
    fn value(query: &[u8], _dim: usize, i: usize) -> i64 {
        code(query, i)
    }

    fn draw(random: &mut Random, family: Family, dim: usize) -> Vec<u8> {
        trim(cases::query(random, family, dim.div_ceil(2)), dim)
    }
}

/// Where place `i` of `dim` lies in a query of signed bytes: counted, not split.
fn place(dim: usize, i: usize) -> usize {
    let whole = i - i % 128;
    let pairs = (dim - whole).div_ceil(2).min(64);
    whole + i % 128 / 2 + if i % 2 == 1 { pairs } else { 0 }
}

impl Query for i8 {
    fn value(query: &[i8], dim: usize, i: usize) -> i64 {
        i64::from(query[place(dim, i)])
    }

    fn draw(random: &mut Random, family: Family, dim: usize) -> Vec<i8> {
        let values: Vec<i8> = cases::query(random, family, dim);
        let mut placed = vec![0; dim + dim % 2];
        for (i, &v) in values.iter().enumerate() {
            placed[place(dim, i)] = v;
        }
        placed
    }
}

fn truth<Q: Query>(metric: &str, dim: usize, query: &[Q], row: &[u8]) -> Truth {
    let term = |i: usize| {
        let (q, c) = (Q::value(query, dim, i), code(row, i));
        if metric == "dot" { q * c } else { (q - c) * (q - c) }
    };
    let value = (0..dim).map(term).sum::<i64>() as f64;
    let scale = (0..dim).map(|i| term(i).abs()).sum::<i64>() as f64;
    Truth { expected: Expected::Within { value, error: 0.0 }, scale }
}

/// Sum and squared norm of integers.
fn norms_of(values: impl Iterator<Item = i64> + Clone) -> CodeNorms {
    let sum = values.clone().sum::<i64>() as i32;
    CodeNorms { sum, norm_sq: values.map(|v| v * v).sum::<i64>() as i32 }
}

/// What a shape caches.
trait Norm {
    fn of(norms: CodeNorms) -> Self;
}

impl Norm for CodeNorms {
    fn of(norms: CodeNorms) -> Self {
        norms
    }
}

impl Norm for f32 {
    fn of(_: CodeNorms) -> Self {
        0.0
    }
}

macro_rules! subjects {
    ($($metric:ident $shape:ty, $query:ty;)*) => {$(
        impl VectorSubject for Int4<$metric, $shape> {
            fn query(random: &mut Random, family: Family, dim: usize) -> Vec<$query> {
                Query::draw(random, family, dim)
            }

            fn row(random: &mut Random, family: Family, dim: usize, query: &[$query]) -> Vec<u8> {
                let near = |_: &mut Random, j: usize| {
                    let at = |i: usize| {
                        let value = if i < dim { Query::value(query, dim, i) } else { 0 };
                        (value + 1).clamp(0, 15) as u8
                    };
                    at(2 * j) | at(2 * j + 1) << 4
                };
                trim(cases::row(random, family, dim.div_ceil(2), near), dim)
            }

            fn query_norm(query: &[$query]) -> <$shape as VectorShape>::Norm {
                // A query's places do not matter to its norms, and its pad is zero.
                let dim = query.len() * if Self::ENCODING == "int4" { 2 } else { 1 };
                Norm::of(norms_of((0..dim).map(|i| Query::value(query, dim, i))))
            }

            fn row_norm(row: &[u8]) -> <$shape as VectorShape>::Norm {
                Norm::of(norms_of((0..2 * row.len()).map(|i| code(row, i))))
            }

            fn truth(dim: usize, query: &[$query], row: &[u8]) -> Truth {
                truth(Self::METRIC, dim, query, row)
            }
        }
    )*};
}

subjects! {
    L2SqOp Pair<u8, u8, u32>, u8;
    L2SqOp Scan<u8, u8, u32>, u8;
    L2SqOp Gather<u8, u8, u32>, u8;
    L2SqOp PairNorms<u8, u8, u32, CodeNorms>, u8;
    L2SqOp ScanNorms<u8, u8, u32, CodeNorms>, u8;
    L2SqOp GatherNorms<u8, u8, u32, CodeNorms>, u8;
    DotOp Pair<u8, u8, u32>, u8;
    DotOp Scan<u8, u8, u32>, u8;
    DotOp Gather<u8, u8, u32>, u8;
    L2SqOp Scan<i8, u8, u32>, i8;
    L2SqOp Gather<i8, u8, u32>, i8;
    L2SqOp ScanNorms<i8, u8, u32, CodeNorms>, i8;
    L2SqOp GatherNorms<i8, u8, u32, CodeNorms>, i8;
    DotOp Scan<i8, u8, i32>, i8;
    DotOp Gather<i8, u8, i32>, i8;
}
