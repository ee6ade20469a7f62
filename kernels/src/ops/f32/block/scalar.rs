//! Plain loops, row by row in the order of the elements.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::Growing;
use crate::isa::Level;
use crate::kernel::{Entry, Technique, Variant};
use crate::layout_block::{BLOCK, BlocksRef};
use crate::ops::f32::F32;
use crate::ops::f32::lanes::Lanewise;
use crate::ops::f32::metric::{Step, distance};
use crate::set::Metric;
use crate::shape::{Block, BlockPrune};

/// The value of a row, its elements 64 apart.
fn value<M: Step>(query: &[f32], columns: &[[f32; BLOCK]], r: usize) -> f32 {
    let (mut sum, mut xx, mut yy) = (0.0f32, 0.0, 0.0);
    for (&x, column) in query.iter().zip(columns) {
        let y = column[r];
        match M::METRIC {
            Metric::L2Sq => sum += (x - y) * (x - y),
            Metric::Dot => sum += x * y,
            Metric::L1 => sum += (x - y).abs(),
            Metric::Linf => {
                let d = (x - y).abs();
                if d > sum || d.is_nan() {
                    sum = if sum.is_nan() { sum } else { d };
                }
            }
            Metric::Cosine => {
                sum += x * y;
                xx += x * x;
                yy += y * y;
            }
        }
    }
    if M::METRIC == Metric::Cosine { distance(sum, xx, yy) } else { sum }
}

fn entry<M: Step>(query: &[f32], blocks: BlocksRef<'_>, out: &mut [f32]) {
    for (b, out) in out.chunks_mut(BLOCK).enumerate() {
        let columns = blocks.block(b);
        for (r, o) in out.iter_mut().enumerate() {
            *o = value::<M>(query, columns, r);
        }
    }
}

/// Prunes nothing, which the shape allows.
fn prune_entry<M: Step>(query: &[f32], _: f32, blocks: BlocksRef<'_>, out: &mut [f32]) {
    entry::<M>(query, blocks, out);
}

pub(super) const fn block<M: Step<Rows: Lanewise>>() -> Variant<F32<M, Block>> {
    let resolve: fn(usize) -> Option<Entry<F32<M, Block>>> = |_| Some(entry::<M>);
    // SAFETY: plain Rust runs on every CPU of the build's target.
    unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
}

pub(super) const fn block_prune<M: Growing>() -> Variant<F32<M, BlockPrune>> {
    let resolve: fn(usize) -> Option<Entry<F32<M, BlockPrune>>> = |_| Some(prune_entry::<M>);
    // SAFETY: plain Rust runs on every CPU of the build's target.
    unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
}
