//! A query and a row, and one vector's squared norm.

use super::arith::{Arith, NormArith};
use super::join_all;

/// Any length: groups of `U` chunks, then single chunks, then a padded tail.
#[inline(always)]
pub(crate) fn pair<A: Arith, const U: usize>(
    a: A,
    query: &[A::Query],
    row: &[A::Code],
) -> A::Value {
    let context = a.context(query);
    a.finish(accumulate::<A, U>(a, query, row), context)
}

/// As [`pair`], with norms that are known.
#[inline(always)]
pub(crate) fn pair_norms<A: NormArith, const U: usize>(
    a: A,
    query: &[A::Query],
    row: &[A::Code],
    query_norm: A::Norm,
    norm: A::Norm,
) -> A::Value {
    a.finish_norms(accumulate::<A, U>(a, query, row), query_norm, norm)
}

/// Everything accumulated of a query and a row.
#[inline(always)]
pub(super) fn accumulate<A: Arith, const U: usize>(
    a: A,
    query: &[A::Query],
    row: &[A::Code],
) -> A::Acc {
    let (chunks_q, tail_q) = a.query_chunks(query);
    let (chunks_c, tail_c) = a.code_chunks(row);
    let (groups_q, single_q) = chunks_q.as_chunks::<U>();
    let (groups_c, single_c) = chunks_c.as_chunks::<U>();
    let mut acc = [a.zero(); U];
    for (x, y) in groups_q.iter().zip(groups_c) {
        for u in 0..U {
            acc[u] = a.step(acc[u], a.load(&x[u]), &y[u]);
        }
    }
    // At most U - 1 single chunks, each into an accumulator of its own; the last accumulator is
    // left to the tail. So nothing here waits for what came just before it.
    for (u, (x, y)) in (0..U).zip(single_q.iter().zip(single_c)) {
        acc[u] = a.step(acc[u], a.load(x), y);
    }
    if !tail_q.is_empty() {
        acc[U - 1] = a.step_tail(acc[U - 1], a.load_tail(tail_q), tail_c);
    }
    join_all::<A, U>(a, acc)
}

/// Exactly `V` whole chunks, and a tail if `TAIL`: a straight line without a loop.
///
/// # Panics
/// If a vector has fewer whole chunks.
#[inline(always)]
pub(crate) fn pair_fixed<A: Arith, const V: usize, const TAIL: bool>(
    a: A,
    query: &[A::Query],
    row: &[A::Code],
) -> A::Value {
    let context = a.context(query);
    let (chunks_q, tail_q) = a.query_chunks(query);
    let (chunks_c, tail_c) = a.code_chunks(row);
    // Two assertions are two compared-and-never-taken branches; an early return would be computed
    // as a flag.
    assert!(chunks_q.len() >= V, "a vector shorter than its form");
    assert!(chunks_c.len() >= V, "a vector shorter than its form");
    let (x, y) = (&chunks_q[..V], &chunks_c[..V]);
    let mut acc = [a.zero(); 4];
    for v in 0..V {
        let (x, y) = (a.load(&x[v]), &y[v]);
        acc[v % 4] = if v < 4 { a.first(x, y) } else { a.step(acc[v % 4], x, y) };
    }
    if TAIL {
        let x = a.load_tail(tail_q);
        acc[V % 4] =
            if V < 4 { a.first_tail(x, tail_c) } else { a.step_tail(acc[V % 4], x, tail_c) };
    }
    // Only the accumulators in use: adding a zero is not free, and may not be dropped.
    let all = match V + usize::from(TAIL) {
        0 | 1 => acc[0],
        2 => a.join(acc[0], acc[1]),
        3 => a.join(a.join(acc[0], acc[1]), acc[2]),
        _ => join_all::<A, 4>(a, acc),
    };
    a.finish(all, context)
}

/// Exactly `DIM` elements, few of them: the tail's mask is a constant, and one accumulator takes
/// all. Calls this short overlap, so what counts is the number of instructions and not their
/// latency. For encodings with one element a value.
///
/// # Panics
/// If a vector is shorter.
#[inline(always)]
pub(crate) fn pair_const<A: Arith, const DIM: usize>(
    a: A,
    query: &[A::Query],
    row: &[A::Code],
) -> A::Value {
    let context = a.context(query);
    assert!(query.len() >= DIM, "a vector shorter than its form");
    assert!(row.len() >= DIM, "a vector shorter than its form");
    let (chunks_q, tail_q) = a.query_chunks(&query[..DIM]);
    let (chunks_c, tail_c) = a.code_chunks(&row[..DIM]);
    let mut acc = None;
    for (x, y) in chunks_q.iter().zip(chunks_c) {
        let x = a.load(x);
        acc = Some(match acc {
            None => a.first(x, y),
            Some(acc) => a.step(acc, x, y),
        });
    }
    if !tail_q.is_empty() {
        let x = a.load_tail(tail_q);
        acc = Some(match acc {
            None => a.first_tail(x, tail_c),
            Some(acc) => a.step_tail(acc, x, tail_c),
        });
    }
    a.finish(acc.unwrap_or_else(|| a.zero()), context)
}

/// The value of a vector against itself, for arithmetic whose query and rows are alike.
#[inline(always)]
pub(crate) fn norm_sq<A, const U: usize>(a: A, x: &[A::Query]) -> A::Value
where
    A: Arith<Code = <A as Arith>::Query>,
{
    pair::<A, U>(a, x, x)
}
