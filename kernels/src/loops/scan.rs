//! One query against contiguous rows: two drivers.
//!
//! Blocks of four rows share each load of the query and reduce four accumulators at once: the best
//! form while the rows are in a cache. From memory it is the worst: four streams a row apart break
//! the hardware prefetcher's stream, and the bandwidth falls to half. There, row by row.

use super::join_all;
use super::pair::pair_in_context;
use crate::isa::simd::Simd;
use crate::layout::RowsRef;
use crate::ops::f32::metric::Step;
use crate::shape::cosine_from_norms;

/// Cache-resident rows: four at a time, `U` accumulators each.
#[inline(always)]
pub(crate) fn scan_blocked<S: Simd, M: Step, const U: usize>(
    s: S,
    query: &[f32],
    rows: RowsRef<'_, f32>,
    out: &mut [f32],
) {
    let context = M::Rows::context(s, query);
    let (blocks, rest) = out.as_chunks_mut::<4>();
    let whole = blocks.len() * 4;
    for (i, o) in blocks.iter_mut().enumerate() {
        let r = 4 * i;
        let block = [rows.row(r), rows.row(r + 1), rows.row(r + 2), rows.row(r + 3)];
        *o = block4::<S, M::Rows, U>(s, query, block, context);
    }
    for (i, o) in rest.iter_mut().enumerate() {
        *o = pair_in_context::<S, M::Rows, 4>(s, query, rows.row(whole + i), context);
    }
}

/// Rows that stream from memory: one at a time.
#[inline(always)]
pub(crate) fn scan_streaming<S: Simd, M: Step>(
    s: S,
    query: &[f32],
    rows: RowsRef<'_, f32>,
    out: &mut [f32],
) {
    let context = M::Rows::context(s, query);
    for (i, o) in out.iter_mut().enumerate() {
        *o = pair_in_context::<S, M::Rows, 4>(s, query, rows.row(i), context);
    }
}

/// Four rows against the query. Rows shorter than the query give the value of the shorter part.
#[inline(always)]
pub(super) fn block4<S: Simd, M: Step, const U: usize>(
    s: S,
    query: &[f32],
    rows: [&[f32]; 4],
    context: f32,
) -> [f32; 4] {
    let (chunks, tail) = s.chunks(query);
    let (groups, single) = chunks.as_chunks::<U>();
    // Spelled out four times: the closures of `map` need not be inlined, and then lack the level's
    // features and pass registers through memory.
    let ((c0, t0), (c1, t1)) = (s.chunks(rows[0]), s.chunks(rows[1]));
    let ((c2, t2), (c3, t3)) = (s.chunks(rows[2]), s.chunks(rows[3]));
    let ((g0, s0), (g1, s1)) = (c0.as_chunks::<U>(), c1.as_chunks::<U>());
    let ((g2, s2), (g3, s3)) = (c2.as_chunks::<U>(), c3.as_chunks::<U>());
    let mut acc = [[M::zero(s); U]; 4];
    for ((((q, x0), x1), x2), x3) in groups.iter().zip(g0).zip(g1).zip(g2).zip(g3) {
        for u in 0..U {
            let q = s.load(&q[u]);
            acc[0][u] = M::step(s, acc[0][u], q, s.load(&x0[u]));
            acc[1][u] = M::step(s, acc[1][u], q, s.load(&x1[u]));
            acc[2][u] = M::step(s, acc[2][u], q, s.load(&x2[u]));
            acc[3][u] = M::step(s, acc[3][u], q, s.load(&x3[u]));
        }
    }
    for (u, ((((q, x0), x1), x2), x3)) in (0..U).zip(single.iter().zip(s0).zip(s1).zip(s2).zip(s3))
    {
        let q = s.load(q);
        acc[0][u] = M::step(s, acc[0][u], q, s.load(x0));
        acc[1][u] = M::step(s, acc[1][u], q, s.load(x1));
        acc[2][u] = M::step(s, acc[2][u], q, s.load(x2));
        acc[3][u] = M::step(s, acc[3][u], q, s.load(x3));
    }
    if !tail.is_empty() {
        let q = s.load_partial(tail);
        acc[0][U - 1] = M::step(s, acc[0][U - 1], q, s.load_partial(t0));
        acc[1][U - 1] = M::step(s, acc[1][U - 1], q, s.load_partial(t1));
        acc[2][U - 1] = M::step(s, acc[2][U - 1], q, s.load_partial(t2));
        acc[3][U - 1] = M::step(s, acc[3][U - 1], q, s.load_partial(t3));
    }
    let joined = [
        join_all::<S, M, U>(s, acc[0]),
        join_all::<S, M, U>(s, acc[1]),
        join_all::<S, M, U>(s, acc[2]),
        join_all::<S, M, U>(s, acc[3]),
    ];
    M::finish4(s, joined, context)
}

/// Turns dot products into cosine distances, row by row. Rows without a norm keep their product.
#[inline(always)]
pub(crate) fn norms_to_cosine(out: &mut [f32], query_inv_norm: f32, inv_norms: &[f32]) {
    for (o, &inv) in out.iter_mut().zip(inv_norms) {
        *o = cosine_from_norms(*o, query_inv_norm, inv);
    }
}
