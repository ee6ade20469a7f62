//! One query against listed rows: the hop of a graph search.
//!
//! Rows of a graph lie far apart, and no hardware prefetcher sees the next one coming. With `PF`,
//! the rows of the next block are asked for while this one is computed; in a cache that is work
//! for nothing, so it is a variant of its own.

use super::arith::{Arith, NormArith};
use super::pair::accumulate;
use super::scan::block4;
use crate::layout::RowsRef;
use crate::shape::cosine_from_norms;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Lines of a row to ask for. The hardware follows a row once it has begun; what it cannot know is
/// where the next row begins. Asking for more fills the queue of outstanding misses.
const LINES: usize = 8;

/// Four rows at a time; with `PF`, four rows ahead.
#[inline(always)]
pub(crate) fn gather<A: Arith, const U: usize, const PF: bool>(
    a: A,
    query: &[A::Query],
    rows: RowsRef<'_, A::Code>,
    ids: &[u32],
    out: &mut [A::Value],
) {
    let context = a.context(query);
    let (blocks, rest) = ids.as_chunks::<4>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<4>();
    if PF {
        ask_for(a, rows, ids, 0);
    }
    for (i, (ids4, o)) in blocks.iter().zip(out_blocks).enumerate() {
        if PF {
            ask_for(a, rows, ids, 4 * i + 4);
        }
        *o = a.finish4(block4::<A, U>(a, query, listed(rows, ids4)), context);
    }
    for (&id, o) in rest.iter().zip(out_rest) {
        *o = a.finish(accumulate::<A, 4>(a, query, rows.row(id as usize)), context);
    }
}

/// As [`gather`], with norms that are known.
#[inline(always)]
pub(crate) fn gather_norms<A: NormArith, const U: usize, const PF: bool>(
    a: A,
    query: &[A::Query],
    query_norm: A::Norm,
    rows: RowsRef<'_, A::Code>,
    norms: &[A::Norm],
    ids: &[u32],
    out: &mut [A::Value],
) {
    let (blocks, rest) = ids.as_chunks::<4>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<4>();
    if PF {
        ask_for(a, rows, ids, 0);
    }
    for (i, (ids4, o)) in blocks.iter().zip(out_blocks).enumerate() {
        if PF {
            ask_for(a, rows, ids, 4 * i + 4);
        }
        let acc = block4::<A, U>(a, query, listed(rows, ids4));
        let [i0, i1, i2, i3] = *ids4;
        let four = [norms[i0 as usize], norms[i1 as usize], norms[i2 as usize], norms[i3 as usize]];
        *o = a.finish4_norms(acc, query_norm, &four);
    }
    for (&id, o) in rest.iter().zip(out_rest) {
        let acc = accumulate::<A, 4>(a, query, rows.row(id as usize));
        *o = a.finish_norms(acc, query_norm, norms[id as usize]);
    }
}

/// Four listed rows.
#[inline(always)]
fn listed<'a, C>(rows: RowsRef<'a, C>, &[a, b, c, d]: &[u32; 4]) -> [&'a [C]; 4] {
    [rows.row(a as usize), rows.row(b as usize), rows.row(c as usize), rows.row(d as usize)]
}

/// The first cache lines of the four rows listed from `from` on.
#[inline(always)]
fn ask_for<A: Arith>(a: A, rows: RowsRef<'_, A::Code>, ids: &[u32], from: usize) {
    for &id in ids.iter().skip(from).take(4) {
        let row = rows.row(id as usize);
        for x in row.iter().step_by(LINE / size_of::<A::Code>().max(1)).take(LINES) {
            a.prefetch(x);
        }
    }
}

/// Turns dot products into cosine distances, id by id.
#[inline(always)]
pub(crate) fn norms_to_cosine_ids(
    out: &mut [f32],
    query_inv_norm: f32,
    inv_norms: &[f32],
    ids: &[u32],
) {
    for (o, &id) in out.iter_mut().zip(ids) {
        *o = cosine_from_norms(*o, query_inv_norm, inv_norms[id as usize]);
    }
}
