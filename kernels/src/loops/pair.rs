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
/// Vectors of another length give the value of their first elements.
#[inline(always)]
pub(crate) fn pair_fixed<S: Simd, M: Step, const V: usize, const TAIL: bool>(
    s: S,
    a: &[f32],
    b: &[f32],
) -> f32 {
    let (chunks_a, tail_a) = s.chunks(a);
    let (chunks_b, tail_b) = s.chunks(b);
    match (chunks_a.first_chunk::<V>(), chunks_b.first_chunk::<V>()) {
        (Some(x), Some(y)) if TAIL => straight::<S, M>(s, x, y, tail_a, tail_b),
        (Some(x), Some(y)) => straight::<S, M>(s, x, y, &[], &[]),
        _ => 0.0,
    }
}

/// Exactly `DIM` elements: the tail's mask is a constant as well.
///
/// Shorter vectors give 0; of longer ones, the first elements count.
#[inline(always)]
pub(crate) fn pair_const<S: Simd, M: Step, const DIM: usize>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let (Some(a), Some(b)) = (a.first_chunk::<DIM>(), b.first_chunk::<DIM>()) else { return 0.0 };
    let (chunks_a, tail_a) = s.chunks(a);
    let (chunks_b, tail_b) = s.chunks(b);
    straight::<S, M>(s, chunks_a, chunks_b, tail_a, tail_b)
}

/// The value of whole registers and a tail whose numbers the compiler knows, in four accumulators.
/// Only those in use are started and joined: adding a zero is not free, and may not be dropped.
#[inline(always)]
fn straight<S: Simd, M: Step>(
    s: S,
    a: &[S::Chunk],
    b: &[S::Chunk],
    tail_a: &[f32],
    tail_b: &[f32],
) -> f32 {
    let mut acc = [M::zero(s); 4];
    for (v, (x, y)) in a.iter().zip(b).enumerate() {
        acc[v % 4] = M::step(s, acc[v % 4], s.load(x), s.load(y));
    }
    let mut used = a.len();
    if !tail_a.is_empty() {
        let at = used % 4;
        acc[at] = M::step(s, acc[at], s.load_partial(tail_a), s.load_partial(tail_b));
        used += 1;
    }
    let all = match used {
        0 | 1 => acc[0],
        2 => M::join(s, acc[0], acc[1]),
        3 => M::join(s, M::join(s, acc[0], acc[1]), acc[2]),
        _ => join_all::<S, M, 4>(s, acc),
    };
    M::finish(s, all, 0.0)
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
