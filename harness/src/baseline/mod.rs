//! Slow forms as they were found in another system, written anew: what each finding of the
//! performance report is measured against. They are oracles of nothing and no part of the engine.

pub(crate) mod scan;
pub(crate) mod store;
pub(crate) mod training;

use crate::outside::{Outsider, pairwise};

/// Every form.
pub(crate) static LISTS: &[&[Outsider]] = &[pairwise! {
    "as-found", AsFound, crate::outside::PAIRWISE;
    "f32" "l1" <f32, f32, f32> |_dim| zip_map_sum;
    "f32" "dot" <f32, f32, f32> |_dim| nested_iterators;
    "int4" "l2sq" <u8, u8, u32> |dim| move |a: &[u8], b: &[u8]| nibble_by_nibble(a, b, dim);
}];

/// Codes of 4 bits, taken out of their bytes one after the other (OPT-SIMD-6): a division, a shift
/// and a mask for each.
pub(crate) fn nibble_by_nibble(a: &[u8], b: &[u8], dim: usize) -> u32 {
    let mut sum = 0i32;
    for i in 0..dim {
        let shift = if i % 2 == 0 { 0 } else { 4 };
        let x = i32::from((a[i / 2] >> shift) & 0x0f);
        let y = i32::from((b[i / 2] >> shift) & 0x0f);
        sum += (x - y) * (x - y);
    }
    sum as u32
}

/// The Manhattan distance as one writes it down (OPT-SIMD-1): one chain of additions.
pub(crate) fn zip_map_sum(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).sum()
}

/// Lanes of an accumulator of [`nested_iterators`].
const LANES: usize = 8;

/// Adds the products of a chunk.
#[inline(always)]
fn add(acc: &mut [f32; LANES], a: &[f32], b: &[f32]) {
    for l in 0..LANES {
        acc[l] += a[l] * b[l];
    }
}

/// An inner product unrolled by asking two iterators again and again (OPT-SIMD-3): four
/// accumulators of eight lanes, three `if let` deep, in the build's own instructions.
pub(crate) fn nested_iterators(a: &[f32], b: &[f32]) -> f32 {
    let mut acc = [[0.0f32; LANES]; 4];
    let (mut left, mut right) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    while let (Some(x), Some(y)) = (left.next(), right.next()) {
        add(&mut acc[0], x, y);
        if let (Some(x), Some(y)) = (left.next(), right.next()) {
            add(&mut acc[1], x, y);
            if let (Some(x), Some(y)) = (left.next(), right.next()) {
                add(&mut acc[2], x, y);
                if let (Some(x), Some(y)) = (left.next(), right.next()) {
                    add(&mut acc[3], x, y);
                }
            }
        }
    }
    let tail: f32 = left.remainder().iter().zip(right.remainder()).map(|(x, y)| x * y).sum();
    acc.iter().flatten().sum::<f32>() + tail
}
