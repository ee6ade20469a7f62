//! How the test kit tries operations on bits: bit by bit, in a way of its own.

use super::{Bits, BitsU4, Hamming, Jaccard, Sign, bits_u4_query};
use crate::kernel::Op;
use crate::layout::LayoutError;
use crate::shape::{EncodeBits, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};
use crate::testkit::bounds::{Expected, UNIT_ROUNDOFF};
use crate::testkit::cases::{Family, Random, Recipe, query, row};
use crate::testkit::trial::{EncodeBitsOperands, Subject, Truth, VectorSubject};

fn bit(x: &[u8], i: usize) -> bool {
    x[i / 8] >> (i % 8) & 1 == 1
}

fn count(dim: usize, of: impl Fn(usize) -> bool) -> u32 {
    (0..dim).map(|i| u32::from(of(i))).sum()
}

/// Clears the bits behind the last value.
fn padded(mut x: Vec<u8>, dim: usize) -> Vec<u8> {
    if let (Some(last), used @ 1..) = (x.last_mut(), dim % 8) {
        *last &= (1 << used) - 1;
    }
    x
}

/// Some bits, and at least one: SimSIMD has another opinion of two vectors without any. That case
/// is in the families that it is not held to.
fn some_query(random: &mut Random, family: Family, dim: usize) -> Vec<u8> {
    let mut x = padded(query(random, family, dim.div_ceil(8)), dim);
    if let (Some(first), false) = (x.first_mut(), matches!(family, Family::ZeroQuery)) {
        *first |= 1;
    }
    x
}

/// A row of bits; near to the query it differs in few. Beside a query without a bit, every other
/// row has none either.
fn some_row(random: &mut Random, family: Family, dim: usize, query: &[u8]) -> Vec<u8> {
    let alike = family == Family::ZeroQuery && random.below(2) == 0;
    let family = if alike { Family::ZeroRow } else { family };
    let near = |random: &mut Random, i: usize| {
        query.get(i).copied().unwrap_or(0) ^ if random.below(4) == 0 { 1 } else { 0 }
    };
    padded(row(random, family, dim.div_ceil(8), near), dim)
}

fn exact(value: u64) -> Truth {
    let value = value as f64;
    Truth { expected: Expected::Within { value, error: 0.0 }, scale: value }
}

fn hamming(dim: usize, a: &[u8], b: &[u8]) -> Truth {
    exact(u64::from(count(dim, |i| bit(a, i) != bit(b, i))))
}

/// One division of integers that `f32` holds exactly; SimSIMD rounds twice, first to `f64`.
fn jaccard(dim: usize, a: &[u8], b: &[u8]) -> Truth {
    let shared = f64::from(count(dim, |i| bit(a, i) && bit(b, i)));
    let either = f64::from(count(dim, |i| bit(a, i) || bit(b, i)));
    if either == 0.0 {
        return Truth { expected: Expected::Exactly(0.0), scale: 1.0 };
    }
    let value = (either - shared) / either;
    let error = UNIT_ROUNDOFF * value * (1.0 + 1e-6) + 1e-15;
    Truth { expected: Expected::Within { value, error }, scale: 1.0 }
}

/// The 4-bit value at `i`, read from the planes.
fn value(dim: usize, query: &[u8], i: usize) -> u64 {
    let chunk = i / 512;
    let piece = (dim.div_ceil(8) - 64 * chunk).min(64);
    let plane = |p: usize| u64::from(bit(&query[256 * chunk + p * piece..], i % 512)) << p;
    (0..4).map(plane).sum()
}

fn dot(dim: usize, query: &[u8], row: &[u8]) -> Truth {
    exact((0..dim).filter(|&i| bit(row, i)).map(|i| value(dim, query, i)).sum())
}

/// A query of 4-bit values, drawn as bytes.
fn u4_query(random: &mut Random, family: Family, dim: usize) -> Vec<u8> {
    let values: Vec<u8> = query::<u8>(random, family, dim).iter().map(|v| v >> 4).collect();
    let mut query = vec![0xff; BitsU4::<Pair<u8, u8, u32>>::query_len(dim)];
    bits_u4_query(&values, &mut query);
    for (i, &v) in values.iter().enumerate() {
        assert_eq!(value(dim, &query, i), u64::from(v), "value {i} of {dim}");
    }
    query
}

macro_rules! subjects {
    ($($op:ty => $norm:ty, $query:ident, $truth:ident, $norm_of:expr;)*) => {$(
        impl VectorSubject for $op {
            fn query(random: &mut Random, family: Family, dim: usize) -> Vec<u8> {
                $query(random, family, dim)
            }

            fn row(random: &mut Random, family: Family, dim: usize, query: &[u8]) -> Vec<u8> {
                some_row(random, family, dim, query)
            }

            fn query_norm(query: &[u8]) -> $norm {
                $norm_of(query)
            }

            fn row_norm(row: &[u8]) -> $norm {
                $norm_of(row)
            }

            fn truth(dim: usize, query: &[u8], row: &[u8]) -> Truth {
                $truth(dim, query, row)
            }

            /// A library may divide by way of a reciprocal.
            fn foreign_truth(dim: usize, query: &[u8], row: &[u8]) -> Truth {
                let truth = $truth(dim, query, row);
                match truth.expected {
                    Expected::Within { value, error } if error > 0.0 => {
                        let error = error + 4.0 * UNIT_ROUNDOFF;
                        Truth { expected: Expected::Within { value, error }, ..truth }
                    }
                    _ => truth,
                }
            }
        }
    )*};
}

fn none(_: &[u8]) -> f32 {
    0.0
}

fn ones(x: &[u8]) -> u32 {
    count(8 * x.len(), |i| bit(x, i))
}

subjects! {
    Bits<Hamming, Pair<u8, u8, u32>> => f32, some_query, hamming, none;
    Bits<Hamming, Scan<u8, u8, u32>> => f32, some_query, hamming, none;
    Bits<Hamming, Gather<u8, u8, u32>> => f32, some_query, hamming, none;
    Bits<Jaccard, Pair<u8, u8, f32>> => f32, some_query, jaccard, none;
    Bits<Jaccard, Scan<u8, u8, f32>> => f32, some_query, jaccard, none;
    Bits<Jaccard, Gather<u8, u8, f32>> => f32, some_query, jaccard, none;
    Bits<Jaccard, PairNorms<u8, u8, f32, u32>> => u32, some_query, jaccard, ones;
    Bits<Jaccard, ScanNorms<u8, u8, f32, u32>> => u32, some_query, jaccard, ones;
    Bits<Jaccard, GatherNorms<u8, u8, f32, u32>> => u32, some_query, jaccard, ones;
    BitsU4<Pair<u8, u8, u32>> => f32, u4_query, dot, none;
    BitsU4<Scan<u8, u8, u32>> => f32, u4_query, dot, none;
    BitsU4<Gather<u8, u8, u32>> => f32, u4_query, dot, none;
}

fn signs(values: &[f32]) -> Vec<u8> {
    let byte = |i: usize| {
        let set = |j: usize| values.get(8 * i + j).is_some_and(|v| *v > 0.0);
        (0..8).map(|j| if set(j) { 1u8 << j } else { 0 }).sum()
    };
    (0..values.len().div_ceil(8)).map(byte).collect()
}

impl Subject for Bits<Sign, EncodeBits> {
    const FAMILIES: &'static [Family] = &Family::ALL;
    type Operands = EncodeBitsOperands;

    fn operands(recipe: &Recipe) -> Result<EncodeBitsOperands, LayoutError> {
        EncodeBitsOperands::new::<Self>(recipe, signs)
    }

    fn row_bytes(dim: usize) -> usize {
        dim * size_of::<f32>()
    }
}
