//! One query against contiguous rows: two drivers.
//!
//! Blocks of four rows share each load of the query and reduce four accumulators at once: the best
//! form while the rows are in a cache. From memory it is the worst: four streams a row apart break
//! the hardware prefetcher's stream, and the bandwidth falls to half. There, row by row.

use super::arith::{Arith, NormArith};
use super::join_all;
use super::pair::accumulate;
use crate::layout::RowsRef;
use crate::shape::cosine_from_norms;

/// Cache-resident rows: four at a time, `U` accumulators each.
#[inline(always)]
pub(crate) fn scan_blocked<A: Arith, const U: usize>(
    a: A,
    query: &[A::Query],
    rows: RowsRef<'_, A::Code>,
    out: &mut [A::Value],
) {
    let context = a.context(query);
    let (blocks, rest) = out.as_chunks_mut::<4>();
    let whole = blocks.len() * 4;
    for (i, o) in blocks.iter_mut().enumerate() {
        *o = a.finish4(block4::<A, U>(a, query, four(rows, 4 * i)), context);
    }
    for (i, o) in rest.iter_mut().enumerate() {
        *o = a.finish(accumulate::<A, 4>(a, query, rows.row(whole + i)), context);
    }
}

/// Cache-resident rows: eight at a time, one accumulator each, for arithmetic so cheap that the
/// loads of the query weigh.
#[inline(always)]
pub(crate) fn scan_blocked8<A: Arith>(
    a: A,
    query: &[A::Query],
    rows: RowsRef<'_, A::Code>,
    out: &mut [A::Value],
) {
    let context = a.context(query);
    let (blocks, rest) = out.as_chunks_mut::<8>();
    let whole = blocks.len() * 8;
    for (i, o) in blocks.iter_mut().enumerate() {
        let [low, high] = block8(a, query, [four(rows, 8 * i), four(rows, 8 * i + 4)]);
        let (low, high) = (a.finish4(low, context), a.finish4(high, context));
        o[..4].copy_from_slice(&low);
        o[4..].copy_from_slice(&high);
    }
    for (i, o) in rest.iter_mut().enumerate() {
        *o = a.finish(accumulate::<A, 4>(a, query, rows.row(whole + i)), context);
    }
}

/// As [`scan_blocked`], with norms that are known.
#[inline(always)]
pub(crate) fn scan_norms<A: NormArith, const U: usize>(
    a: A,
    query: &[A::Query],
    query_norm: A::Norm,
    rows: RowsRef<'_, A::Code>,
    norms: &[A::Norm],
    out: &mut [A::Value],
) {
    let (blocks, rest) = out.as_chunks_mut::<4>();
    let (norm_blocks, norm_rest) = norms.as_chunks::<4>();
    let whole = blocks.len() * 4;
    for (i, (o, n)) in blocks.iter_mut().zip(norm_blocks).enumerate() {
        *o = a.finish4_norms(block4::<A, U>(a, query, four(rows, 4 * i)), query_norm, n);
    }
    for (i, (o, &n)) in rest.iter_mut().zip(norm_rest).enumerate() {
        *o = a.finish_norms(accumulate::<A, 4>(a, query, rows.row(whole + i)), query_norm, n);
    }
}

/// As [`scan_blocked8`], with norms that are known.
#[inline(always)]
pub(crate) fn scan_norms8<A: NormArith>(
    a: A,
    query: &[A::Query],
    query_norm: A::Norm,
    rows: RowsRef<'_, A::Code>,
    norms: &[A::Norm],
    out: &mut [A::Value],
) {
    let (blocks, rest) = out.as_chunks_mut::<8>();
    let (norm_blocks, norm_rest) = norms.as_chunks::<8>();
    let whole = blocks.len() * 8;
    for (i, (o, &[n0, n1, n2, n3, n4, n5, n6, n7])) in
        blocks.iter_mut().zip(norm_blocks).enumerate()
    {
        let [low, high] = block8(a, query, [four(rows, 8 * i), four(rows, 8 * i + 4)]);
        let low = a.finish4_norms(low, query_norm, &[n0, n1, n2, n3]);
        let high = a.finish4_norms(high, query_norm, &[n4, n5, n6, n7]);
        o[..4].copy_from_slice(&low);
        o[4..].copy_from_slice(&high);
    }
    for (i, (o, &n)) in rest.iter_mut().zip(norm_rest).enumerate() {
        *o = a.finish_norms(accumulate::<A, 4>(a, query, rows.row(whole + i)), query_norm, n);
    }
}

/// Rows that stream from memory: one at a time.
#[inline(always)]
pub(crate) fn scan_streaming<A: Arith>(
    a: A,
    query: &[A::Query],
    rows: RowsRef<'_, A::Code>,
    out: &mut [A::Value],
) {
    let context = a.context(query);
    for (i, o) in out.iter_mut().enumerate() {
        *o = a.finish(accumulate::<A, 4>(a, query, rows.row(i)), context);
    }
}

/// As [`scan_streaming`], with norms that are known.
#[inline(always)]
pub(crate) fn stream_norms<A: NormArith>(
    a: A,
    query: &[A::Query],
    query_norm: A::Norm,
    rows: RowsRef<'_, A::Code>,
    norms: &[A::Norm],
    out: &mut [A::Value],
) {
    for (i, (o, &n)) in out.iter_mut().zip(norms).enumerate() {
        *o = a.finish_norms(accumulate::<A, 4>(a, query, rows.row(i)), query_norm, n);
    }
}

/// Rows `r` to `r + 3`.
#[inline(always)]
fn four<'a, C>(rows: RowsRef<'a, C>, r: usize) -> [&'a [C]; 4] {
    [rows.row(r), rows.row(r + 1), rows.row(r + 2), rows.row(r + 3)]
}

/// Four rows against the query. Rows shorter than the query give the value of the shorter part.
#[inline(always)]
pub(super) fn block4<A: Arith, const U: usize>(
    a: A,
    query: &[A::Query],
    rows: [&[A::Code]; 4],
) -> [A::Acc; 4] {
    let (chunks, tail) = a.query_chunks(query);
    let (groups, single) = chunks.as_chunks::<U>();
    // Spelled out four times: the closures of `map` need not be inlined, and then lack the level's
    // features and pass registers through memory.
    let ((c0, t0), (c1, t1)) = (a.code_chunks(rows[0]), a.code_chunks(rows[1]));
    let ((c2, t2), (c3, t3)) = (a.code_chunks(rows[2]), a.code_chunks(rows[3]));
    let ((g0, s0), (g1, s1)) = (c0.as_chunks::<U>(), c1.as_chunks::<U>());
    let ((g2, s2), (g3, s3)) = (c2.as_chunks::<U>(), c3.as_chunks::<U>());
    let mut acc = [[a.zero(); U]; 4];
    for ((((q, x0), x1), x2), x3) in groups.iter().zip(g0).zip(g1).zip(g2).zip(g3) {
        for u in 0..U {
            let q = a.load(&q[u]);
            acc[0][u] = a.step(acc[0][u], q, &x0[u]);
            acc[1][u] = a.step(acc[1][u], q, &x1[u]);
            acc[2][u] = a.step(acc[2][u], q, &x2[u]);
            acc[3][u] = a.step(acc[3][u], q, &x3[u]);
        }
    }
    for (u, ((((q, x0), x1), x2), x3)) in (0..U).zip(single.iter().zip(s0).zip(s1).zip(s2).zip(s3))
    {
        let q = a.load(q);
        acc[0][u] = a.step(acc[0][u], q, x0);
        acc[1][u] = a.step(acc[1][u], q, x1);
        acc[2][u] = a.step(acc[2][u], q, x2);
        acc[3][u] = a.step(acc[3][u], q, x3);
    }
    if !tail.is_empty() {
        let q = a.load_tail(tail);
        acc[0][U - 1] = a.step_tail(acc[0][U - 1], q, t0);
        acc[1][U - 1] = a.step_tail(acc[1][U - 1], q, t1);
        acc[2][U - 1] = a.step_tail(acc[2][U - 1], q, t2);
        acc[3][U - 1] = a.step_tail(acc[3][U - 1], q, t3);
    }
    [
        join_all::<A, U>(a, acc[0]),
        join_all::<A, U>(a, acc[1]),
        join_all::<A, U>(a, acc[2]),
        join_all::<A, U>(a, acc[3]),
    ]
}

/// Eight rows against the query, one accumulator each.
#[inline(always)]
fn block8<A: Arith>(
    a: A,
    query: &[A::Query],
    [[r0, r1, r2, r3], [r4, r5, r6, r7]]: [[&[A::Code]; 4]; 2],
) -> [[A::Acc; 4]; 2] {
    let (chunks, tail) = a.query_chunks(query);
    let ((c0, t0), (c1, t1)) = (a.code_chunks(r0), a.code_chunks(r1));
    let ((c2, t2), (c3, t3)) = (a.code_chunks(r2), a.code_chunks(r3));
    let ((c4, t4), (c5, t5)) = (a.code_chunks(r4), a.code_chunks(r5));
    let ((c6, t6), (c7, t7)) = (a.code_chunks(r6), a.code_chunks(r7));
    let (mut low, mut high) = ([a.zero(); 4], [a.zero(); 4]);
    let first = chunks.iter().zip(c0).zip(c1).zip(c2).zip(c3);
    for ((((((((q, x0), x1), x2), x3), x4), x5), x6), x7) in first.zip(c4).zip(c5).zip(c6).zip(c7) {
        let q = a.load(q);
        low[0] = a.step(low[0], q, x0);
        low[1] = a.step(low[1], q, x1);
        low[2] = a.step(low[2], q, x2);
        low[3] = a.step(low[3], q, x3);
        high[0] = a.step(high[0], q, x4);
        high[1] = a.step(high[1], q, x5);
        high[2] = a.step(high[2], q, x6);
        high[3] = a.step(high[3], q, x7);
    }
    if !tail.is_empty() {
        let q = a.load_tail(tail);
        low[0] = a.step_tail(low[0], q, t0);
        low[1] = a.step_tail(low[1], q, t1);
        low[2] = a.step_tail(low[2], q, t2);
        low[3] = a.step_tail(low[3], q, t3);
        high[0] = a.step_tail(high[0], q, t4);
        high[1] = a.step_tail(high[1], q, t5);
        high[2] = a.step_tail(high[2], q, t6);
        high[3] = a.step_tail(high[3], q, t7);
    }
    [low, high]
}

/// Turns dot products into cosine distances, row by row. Rows without a norm keep their product.
#[inline(always)]
pub(crate) fn norms_to_cosine(out: &mut [f32], query_inv_norm: f32, inv_norms: &[f32]) {
    for (o, &inv) in out.iter_mut().zip(inv_norms) {
        *o = cosine_from_norms(*o, query_inv_norm, inv);
    }
}
