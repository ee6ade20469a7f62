//! Two vectors, and one vector's squared norm.

use super::join_all;
use crate::isa::simd::Simd;
use crate::ops::f32::metric::Step;

/// Any length: groups of `U` registers, then single registers, then a padded tail.
#[inline(always)]
pub(crate) fn pair<S: Simd, M: Step, const U: usize>(s: S, a: &[f32], b: &[f32]) -> f32 {
    pair_in_context::<S, M, U>(s, a, b, M::context(s, a))
}

/// As [`pair`], with what depends on the query alone already known.
#[inline(always)]
pub(crate) fn pair_in_context<S: Simd, M: Step, const U: usize>(
    s: S,
    a: &[f32],
    b: &[f32],
    context: f32,
) -> f32 {
    let (chunks_a, tail_a) = s.chunks(a);
    let (chunks_b, tail_b) = s.chunks(b);
    let (groups_a, single_a) = chunks_a.as_chunks::<U>();
    let (groups_b, single_b) = chunks_b.as_chunks::<U>();
    let mut acc = [M::zero(s); U];
    for (x, y) in groups_a.iter().zip(groups_b) {
        for u in 0..U {
            acc[u] = M::step(s, acc[u], s.load(&x[u]), s.load(&y[u]));
        }
    }
    // At most U - 1 single registers, each into an accumulator of its own; the last accumulator is
    // left to the tail. So nothing here waits for what came just before it.
    for (u, (x, y)) in (0..U).zip(single_a.iter().zip(single_b)) {
        acc[u] = M::step(s, acc[u], s.load(x), s.load(y));
    }
    if !tail_a.is_empty() {
        acc[U - 1] = M::step(s, acc[U - 1], s.load_partial(tail_a), s.load_partial(tail_b));
    }
    M::finish(s, join_all::<S, M, U>(s, acc), context)
}

/// Exactly `V` whole registers, and a tail if `TAIL`: a straight line without a loop.
///
/// # Panics
/// If a vector has fewer whole registers.
#[inline(always)]
pub(crate) fn pair_fixed<S: Simd, M: Step, const V: usize, const TAIL: bool>(
    s: S,
    a: &[f32],
    b: &[f32],
) -> f32 {
    let (chunks_a, tail_a) = s.chunks(a);
    let (chunks_b, tail_b) = s.chunks(b);
    // Two assertions are two compared-and-never-taken branches; an early return would be computed
    // as a flag.
    assert!(chunks_a.len() >= V, "a vector shorter than its form");
    assert!(chunks_b.len() >= V, "a vector shorter than its form");
    let (x, y) = (&chunks_a[..V], &chunks_b[..V]);
    let mut acc = [M::zero(s); 4];
    for v in 0..V {
        let (x, y) = (s.load(&x[v]), s.load(&y[v]));
        acc[v % 4] = if v < 4 { M::first(s, x, y) } else { M::step(s, acc[v % 4], x, y) };
    }
    if TAIL {
        let (x, y) = (s.load_partial(tail_a), s.load_partial(tail_b));
        acc[V % 4] = if V < 4 { M::first(s, x, y) } else { M::step(s, acc[V % 4], x, y) };
    }
    // Only the accumulators in use: adding a zero is not free, and may not be dropped.
    let all = match V + usize::from(TAIL) {
        0 | 1 => acc[0],
        2 => M::join(s, acc[0], acc[1]),
        3 => M::join(s, M::join(s, acc[0], acc[1]), acc[2]),
        _ => join_all::<S, M, 4>(s, acc),
    };
    M::finish(s, all, 0.0)
}

/// Exactly `DIM` elements, few of them: the tail's mask is a constant, and one accumulator takes
/// all. Calls this short overlap, so what counts is the number of instructions and not their
/// latency.
///
/// # Panics
/// If a vector is shorter.
#[inline(always)]
pub(crate) fn pair_const<S: Simd, M: Step, const DIM: usize>(s: S, a: &[f32], b: &[f32]) -> f32 {
    assert!(a.len() >= DIM, "a vector shorter than its form");
    assert!(b.len() >= DIM, "a vector shorter than its form");
    let (chunks_a, tail_a) = s.chunks(&a[..DIM]);
    let (chunks_b, tail_b) = s.chunks(&b[..DIM]);
    let mut acc = None;
    let mut take = |x: S::V, y: S::V| {
        acc = Some(match acc {
            None => M::first(s, x, y),
            Some(acc) => M::step(s, acc, x, y),
        });
    };
    for (x, y) in chunks_a.iter().zip(chunks_b) {
        take(s.load(x), s.load(y));
    }
    if !tail_a.is_empty() {
        take(s.load_partial(tail_a), s.load_partial(tail_b));
    }
    M::finish(s, acc.unwrap_or_else(|| M::zero(s)), 0.0)
}

/// The sum of `x * x`.
#[inline(always)]
pub(crate) fn norm_sq<S: Simd, const U: usize>(s: S, x: &[f32]) -> f32 {
    let (chunks, tail) = s.chunks(x);
    let (groups, single) = chunks.as_chunks::<U>();
    let mut acc = [s.zero(); U];
    for group in groups {
        for u in 0..U {
            let v = s.load(&group[u]);
            acc[u] = s.mul_add(v, v, acc[u]);
        }
    }
    for (u, chunk) in (0..U).zip(single) {
        let v = s.load(chunk);
        acc[u] = s.mul_add(v, v, acc[u]);
    }
    if !tail.is_empty() {
        let v = s.load_partial(tail);
        acc[U - 1] = s.mul_add(v, v, acc[U - 1]);
    }
    s.sum(join_all::<S, crate::ops::f32::metric::Dot, U>(s, acc))
}
