//! Plain loops, byte by byte.

use crate::kernel::Technique;
use crate::ops::plain::PairFn;

/// 1 - shared bits / bits of either; 0 for two vectors without a bit.
#[inline(always)]
fn distance(shared: u32, either: u32) -> f32 {
    if either == 0 {
        return 0.0;
    }
    (either - shared) as f32 / either as f32
}

/// Bits that differ.
pub(crate) struct Hamming;

/// The share of bits that two vectors do not have in common.
pub(crate) struct Jaccard;

/// Bits against 4-bit values in planes.
pub(crate) struct Planes;

impl PairFn for Hamming {
    type Query = u8;
    type Code = u8;
    type Value = u32;
    const NAME: &'static str = "scalar";
    const TECHNIQUE: Technique = Technique::Scalar;

    fn value(query: &[u8], row: &[u8]) -> u32 {
        let mut sum = 0;
        for (&q, &c) in query.iter().zip(row) {
            sum += (q ^ c).count_ones();
        }
        sum
    }
}

impl PairFn for Jaccard {
    type Query = u8;
    type Code = u8;
    type Value = f32;
    const NAME: &'static str = "scalar";
    const TECHNIQUE: Technique = Technique::Scalar;

    fn value(query: &[u8], row: &[u8]) -> f32 {
        let (mut shared, mut either) = (0, 0);
        for (&q, &c) in query.iter().zip(row) {
            shared += (q & c).count_ones();
            either += (q | c).count_ones();
        }
        distance(shared, either)
    }
}

impl PairFn for Planes {
    type Query = u8;
    type Code = u8;
    type Value = u32;
    const NAME: &'static str = "scalar";
    const TECHNIQUE: Technique = Technique::Scalar;

    fn value(query: &[u8], row: &[u8]) -> u32 {
        let mut sum = 0;
        for (chunk, row) in query.chunks(256).zip(row.chunks(64)) {
            for (p, piece) in chunk.chunks_exact(row.len()).enumerate() {
                for (&q, &c) in piece.iter().zip(row) {
                    sum += (q & c).count_ones() << p;
                }
            }
        }
        sum
    }
}

/// Signs, value by value.
pub(crate) fn encode(values: &[f32], row: &mut [u8]) {
    for (values, byte) in values.chunks(8).zip(row) {
        *byte = 0;
        for (i, &v) in values.iter().enumerate() {
            *byte |= u8::from(v > 0.0) << i;
        }
    }
}
