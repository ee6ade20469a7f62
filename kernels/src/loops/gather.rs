//! One query against listed rows: the hop of a graph search.
//!
//! Rows of a graph lie far apart, and no hardware prefetcher sees the next one coming. With `PF`,
//! the rows of the next block are asked for while this one is computed; in a cache that is work
//! for nothing, so it is a variant of its own.

use super::pair::pair_in_context;
use super::scan::block4;
use crate::isa::simd::Simd;
use crate::layout::RowsRef;
use crate::ops::f32::metric::Step;
use crate::shape::cosine_from_norms;

/// Elements of a cache line.
const LINE: usize = 16;

/// Lines of a row to ask for. The hardware follows a row once it has begun; what it cannot know is
/// where the next row begins. Asking for more fills the queue of outstanding misses.
const LINES: usize = 8;

/// Four rows at a time; with `PF`, four rows ahead.
#[inline(always)]
pub(crate) fn gather<S: Simd, M: Step, const U: usize, const PF: bool>(
    s: S,
    query: &[f32],
    rows: RowsRef<'_, f32>,
    ids: &[u32],
    out: &mut [f32],
) {
    let context = M::Rows::context(s, query);
    let (blocks, rest) = ids.as_chunks::<4>();
    let (out_blocks, out_rest) = out.as_chunks_mut::<4>();
    if PF {
        for &id in ids.iter().take(4) {
            ask_for(s, rows.row(id as usize));
        }
    }
    for (i, (ids4, o)) in blocks.iter().zip(out_blocks).enumerate() {
        if PF {
            for &id in ids.iter().skip(4 * i + 4).take(4) {
                ask_for(s, rows.row(id as usize));
            }
        }
        let [a, b, c, d] = *ids4;
        let block = [
            rows.row(a as usize),
            rows.row(b as usize),
            rows.row(c as usize),
            rows.row(d as usize),
        ];
        *o = block4::<S, M::Rows, U>(s, query, block, context);
    }
    for (&id, o) in rest.iter().zip(out_rest) {
        *o = pair_in_context::<S, M::Rows, 4>(s, query, rows.row(id as usize), context);
    }
}

/// The first cache lines of a row.
#[inline(always)]
fn ask_for<S: Simd>(s: S, row: &[f32]) {
    for x in row.iter().step_by(LINE).take(LINES) {
        s.prefetch(x);
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
