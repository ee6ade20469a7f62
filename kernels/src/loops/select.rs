//! Choosing among scores: the k smallest, and the smallest.

use crate::isa::select::Sift;
use crate::shape::select::{GROUP_MAX, SLACK, Scored, TopK, key, scored};

/// The limit as the loop compares with it: every score that may be needed is at most this.
///
/// Where all ids to come are above those held, a score that equals the k-th loses its tie, so
/// strictly smaller ones do: the next number below.
#[inline(always)]
fn bar(top: &TopK, ascending: bool) -> f32 {
    if ascending && top.limit < f32::INFINITY { top.limit.next_down() } else { top.limit }
}

/// Offers `scores[j]` for row `first + j`: `U` registers at a time are compared with the limit by
/// their minimum, and only where that is small enough is anything else done.
#[inline(always)]
pub(crate) fn offer<S: Sift, const U: usize>(s: S, scores: &[f32], first: u32, top: &mut TopK) {
    let ascending = top.last.is_none_or(|last| last < first);
    if top.limit == f32::INFINITY {
        top.prune();
    }
    let mut limit = s.splat(bar(top, ascending));
    run::<S, U>(s, scores, first, top, ascending, &mut limit);
}

/// As [`offer`]; an empty search for few of many begins with a limit guessed from a sample, and
/// begins anew should the guess have been too low.
#[inline(always)]
pub(crate) fn offer_sampled<S: Sift, const U: usize>(
    s: S,
    scores: &[f32],
    first: u32,
    top: &mut TopK,
) {
    if top.len == 0
        && let Some(guess) = guess(scores, top.k())
    {
        let mut limit = s.splat(guess);
        run::<S, U>(s, scores, first, top, true, &mut limit);
        if top.len >= top.k() {
            return;
        }
        top.clear();
    }
    offer::<S, U>(s, scores, first, top);
}

/// Scores in a sample.
const SAMPLE: usize = 512;

/// A limit that at least k of the scores are most likely below, and not many more; `None` where
/// that is no small part.
#[inline(never)]
fn guess(scores: &[f32], k: usize) -> Option<f32> {
    // Worth it only where the sample costs little and most of the scores will be dropped.
    if scores.len() < 16 * SAMPLE || scores.len() / 16 < k {
        return None;
    }
    // Lengths with a factor in common are no trouble here: the step only spreads the sample.
    let step = scores.len() / SAMPLE;
    // As the upper halves of keys: integers are selected faster than floats.
    let mut sample = [u32::MAX; SAMPLE];
    for (o, &x) in sample.iter_mut().zip(scores.iter().step_by(step)) {
        if !x.is_nan() {
            *o = (key(x, 0) >> 32) as u32;
        }
    }
    // The r-th of a sample has rank r n / s, give or take its square root: three of these aside,
    // it is above k.
    let expected = k as f32 * SAMPLE as f32 / scores.len() as f32;
    let rank = (expected + 3.0 * expected.sqrt() + 2.0) as usize;
    let (_, &mut limit, _) = sample.select_nth_unstable(rank.min(SAMPLE - 1));
    let limit = scored(u64::from(limit) << 32).score;
    (limit < f32::INFINITY).then_some(limit)
}

#[inline(always)]
fn run<S: Sift, const U: usize>(
    s: S,
    scores: &[f32],
    first: u32,
    top: &mut TopK,
    ascending: bool,
    limit: &mut S::V,
) {
    const { assert!(U * S::LANES <= GROUP_MAX) }
    let (chunks, tail) = s.chunks(scores);
    let (groups, single) = chunks.as_chunks::<U>();
    let mut id = first;
    for group in groups {
        let mut smallest = s.load(&group[0]);
        for chunk in &group[1..] {
            smallest = s.min(s.load(chunk), smallest);
        }
        // A NaN in the first register stays in the minimum, and counts as small: then the lanes
        // are looked at one by one.
        if s.any_at_most(smallest, *limit) {
            make_room(s, top, ascending, limit);
            for (u, chunk) in group.iter().enumerate() {
                let x = s.load(chunk);
                let mask = s.at_most(x, *limit);
                write(s, x, mask, id.wrapping_add((u * S::LANES) as u32), top);
            }
        }
        id = id.wrapping_add((U * S::LANES) as u32);
    }
    make_room(s, top, ascending, limit);
    for chunk in single {
        let x = s.load(chunk);
        write(s, x, s.at_most(x, *limit), id, top);
        id = id.wrapping_add(S::LANES as u32);
    }
    let x = s.load_partial(tail);
    write(s, x, s.at_most(x, *limit) & ((1 << tail.len()) - 1), id, top);
}

/// Room for a whole group.
#[inline(always)]
fn make_room<S: Sift>(s: S, top: &mut TopK, ascending: bool, limit: &mut S::V) {
    if top.len + GROUP_MAX + SLACK > top.keys.len() {
        top.prune();
        *limit = s.splat(bar(top, ascending));
    }
}

/// Writes down the lanes that a mask names.
#[inline(always)]
fn write<S: Sift>(s: S, x: S::V, mask: u32, first: u32, top: &mut TopK) {
    // No test of the mask: which register of a group holds the hit is a coin that the CPU guesses
    // wrong, and writing nothing costs less.
    if let Some(out) = top.keys.get_mut(top.len..).and_then(|k| k.first_chunk_mut::<SLACK>()) {
        top.len += s.write_keys(x, mask, first, out);
    }
}

/// Scores of a block whose minimum is taken before it is compared: so short that looking for the
/// index in it costs little.
const BLOCK: usize = 1024;

/// The smallest score and the lowest index where it stands; NaN is passed over.
#[inline(always)]
pub(crate) fn argmin<S: Sift>(s: S, scores: &[f32]) -> Option<Scored> {
    let (mut best, mut from) = (f32::INFINITY, 0);
    // Smaller than the best is at most the next number below it.
    let mut below = s.splat(best.next_down());
    for (i, block) in scores.chunks(BLOCK).enumerate() {
        let smallest = block_min::<S, 8>(s, block);
        // Seldom true after a few blocks, so the lanes are seldom reduced to one.
        if s.at_most(smallest, below) != 0 {
            best = s.min_lane(smallest);
            below = s.splat(best.next_down());
            from = i * BLOCK;
        }
    }
    // Infinity, if nothing was smaller, stands anywhere or nowhere.
    let position = from + position(s, scores.get(from..)?, best)?;
    Some(Scored { id: position as u32, score: *scores.get(position)? })
}

/// The smallest scores, lane by lane; infinity where there is none.
#[inline(always)]
fn block_min<S: Sift, const U: usize>(s: S, x: &[f32]) -> S::V {
    let (chunks, tail) = s.chunks(x);
    let (groups, single) = chunks.as_chunks::<U>();
    let mut acc = [s.splat(f32::INFINITY); U];
    for group in groups {
        for u in 0..U {
            acc[u] = s.min(s.load(&group[u]), acc[u]);
        }
    }
    for (u, chunk) in (0..U).zip(single) {
        acc[u] = s.min(s.load(chunk), acc[u]);
    }
    let mut live = U;
    while live > 1 {
        live /= 2;
        for u in 0..live {
            acc[u] = s.min(acc[u + live], acc[u]);
        }
    }
    for &x in tail {
        acc[0] = s.min(s.splat(x), acc[0]);
    }
    acc[0]
}

/// Where a value first stands.
#[inline(always)]
fn position<S: Sift>(s: S, x: &[f32], value: f32) -> Option<usize> {
    let all = s.splat(value);
    let (chunks, tail) = s.chunks(x);
    for (i, chunk) in chunks.iter().enumerate() {
        let mask = s.equal(s.load(chunk), all);
        if mask != 0 {
            return Some(i * S::LANES + mask.trailing_zeros() as usize);
        }
    }
    let behind = tail.iter().position(|&x| x == value)?;
    Some(chunks.len() * S::LANES + behind)
}
