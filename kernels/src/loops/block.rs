//! One query against blocks of 64 rows, dimension by dimension.
//!
//! The sums of `R` registers of rows stay in registers over all dimensions. They are kept short, so
//! that the error grows with the logarithm and not with the dimension: `SETS` sums take turns, are
//! joined every 128 dimensions, and those every 512.

use super::lanes::{LaneArith, Reg, Sums};
use crate::isa::simd::Simd;
use crate::layout_block::{BLOCK, BlocksRef};

/// Dimensions of a short sum.
const SHORT: usize = 128;

/// Dimensions of a long sum.
const LONG: usize = 512;

/// Dimensions from one look at the threshold to the next.
const LOOK: usize = 32;

/// Every row of every block: `R` registers of rows at once.
#[inline(always)]
pub(crate) fn block<A: LaneArith, const R: usize, const SETS: usize>(
    a: A,
    query: &[f32],
    blocks: BlocksRef<'_>,
    out: &mut [f32],
) {
    every::<A, R, SETS, false>(a, query, f32::NAN, blocks, out);
}

/// As [`block`]; rows of a group none of which can come out at `threshold` or below are infinity.
///
/// For metrics whose partial sums never fall: then the joined sums so far are a lower bound of the
/// value as computed, roundings included, since rounding keeps the order.
#[inline(always)]
pub(crate) fn block_prune<A: LaneArith, const R: usize, const SETS: usize>(
    a: A,
    query: &[f32],
    threshold: f32,
    blocks: BlocksRef<'_>,
    out: &mut [f32],
) {
    every::<A, R, SETS, true>(a, query, threshold, blocks, out);
}

#[inline(always)]
fn every<A: LaneArith, const R: usize, const SETS: usize, const PRUNE: bool>(
    a: A,
    query: &[f32],
    threshold: f32,
    blocks: BlocksRef<'_>,
    out: &mut [f32],
) {
    let context = a.context(query);
    let (whole, rest) = out.as_chunks_mut::<BLOCK>();
    let mut second = [0.0; BLOCK];
    let last = whole.len();
    for (b, o) in whole.iter_mut().enumerate() {
        let mut sums = [o, &mut second];
        one::<A, R, SETS, PRUNE>(a, query, threshold, blocks.block(b), &mut sums);
        a.finish(&mut sums, context);
    }
    if !rest.is_empty() {
        let mut values = [0.0; BLOCK];
        let mut sums = [&mut values, &mut second];
        one::<A, R, SETS, PRUNE>(a, query, threshold, blocks.block(last), &mut sums);
        a.finish(&mut sums, context);
        rest.copy_from_slice(&values[..rest.len()]);
    }
}

/// The sums of one block, group by group of `R` registers.
#[inline(always)]
fn one<A: LaneArith, const R: usize, const SETS: usize, const PRUNE: bool>(
    a: A,
    query: &[f32],
    threshold: f32,
    columns: &[[f32; BLOCK]],
    sums: &mut Sums<'_>,
) {
    let s = a.token();
    let limit = s.splat(threshold);
    for group in 0..BLOCK / (A::S::LANES * R) {
        let at = group * R;
        match total::<A, R, SETS, PRUNE>(a, query, limit, columns, at) {
            Some(total) => {
                for (i, acc) in total.into_iter().enumerate() {
                    a.put(acc, at + i, sums);
                }
            }
            None => {
                let from = at * A::S::LANES;
                sums[0][from..from + R * A::S::LANES].fill(f32::INFINITY);
            }
        }
    }
}

/// The sums of the `R` registers from `at` on; `None` if all are above the limit.
#[inline(always)]
fn total<A: LaneArith, const R: usize, const SETS: usize, const PRUNE: bool>(
    a: A,
    query: &[f32],
    limit: Reg<A>,
    columns: &[[f32; BLOCK]],
    at: usize,
) -> Option<[A::Acc; R]> {
    let mut total = [a.zero(); R];
    for (query, columns) in query.chunks(LONG).zip(columns.chunks(LONG)) {
        let mut long = [a.zero(); R];
        for (query, columns) in query.chunks(SHORT).zip(columns.chunks(SHORT)) {
            let mut short = [[a.zero(); R]; SETS];
            if PRUNE {
                for (query, columns) in query.chunks(LOOK).zip(columns.chunks(LOOK)) {
                    add::<A, R, SETS>(a, query, columns, at, &mut short);
                    let mut alive = false;
                    for i in 0..R {
                        let so_far = a.join(total[i], a.join(long[i], joined(a, &short, i)));
                        alive |= a.token().any_not_above(a.first(so_far), limit);
                    }
                    if !alive {
                        return None;
                    }
                }
            } else {
                add::<A, R, SETS>(a, query, columns, at, &mut short);
            }
            for i in 0..R {
                long[i] = a.join(long[i], joined(a, &short, i));
            }
        }
        for i in 0..R {
            total[i] = a.join(total[i], long[i]);
        }
    }
    Some(total)
}

/// Register `i` of all sets.
#[inline(always)]
fn joined<A: LaneArith, const R: usize, const SETS: usize>(
    a: A,
    short: &[[A::Acc; R]; SETS],
    i: usize,
) -> A::Acc {
    let mut acc = short[0][i];
    for set in &short[1..] {
        acc = a.join(acc, set[i]);
    }
    acc
}

/// Adds dimensions to the sets by turns.
#[inline(always)]
fn add<A: LaneArith, const R: usize, const SETS: usize>(
    a: A,
    query: &[f32],
    columns: &[[f32; BLOCK]],
    at: usize,
    short: &mut [[A::Acc; R]; SETS],
) {
    let s = a.token();
    let mut sets = *short;
    let (turns_q, rest_q) = query.as_chunks::<SETS>();
    let (turns_c, rest_c) = columns.as_chunks::<SETS>();
    for (q, c) in turns_q.iter().zip(turns_c) {
        for set in 0..SETS {
            let x = s.splat(q[set]);
            let chunks = &s.chunks(&c[set]).0[at..at + R];
            for i in 0..R {
                sets[set][i] = a.step(sets[set][i], x, s.load(&chunks[i]));
            }
        }
    }
    // Fewer dimensions than sets: all to the first, since an index that is not constant would put
    // the sums into memory.
    for (&q, c) in rest_q.iter().zip(rest_c) {
        let x = s.splat(q);
        let chunks = &s.chunks(c).0[at..at + R];
        for i in 0..R {
            sets[0][i] = a.step(sets[0][i], x, s.load(&chunks[i]));
        }
    }
    *short = sets;
}
