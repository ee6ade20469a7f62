//! The best of many scores; smaller is nearer, and NaN is never chosen.
//!
//! | shape | entry | result |
//! |---|---|---|
//! | `select` | `(scores, first, top)` | `top` holds the k smallest of all that it was offered |
//! | `argmin` | `(scores)` | the smallest score and where it first stands |
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use super::Shape;
use crate::kernel::Bound;
use crate::layout::LayoutError;

/// A score and the row it belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scored {
    /// The row.
    pub id: u32,
    /// Its score.
    pub score: f32,
}

/// Keys that a kernel may write behind those it counts: whole registers are stored.
pub(crate) const SLACK: usize = 16;

/// Scores that a kernel looks at together, at most.
pub(crate) const GROUP_MAX: usize = 128;

/// Scratch of a search for the k smallest: made once, used for any number of searches, and never
/// larger than when it was made.
///
/// Candidates stand in no order; whenever the room is used up, all but the k smallest of them are
/// dropped, and from then on only scores that are not above the k-th are written down. A score and
/// its id are one integer that orders like (score, id), so ties go to the lower id exactly,
/// whatever the order in which parts are offered. The sign of zero is dropped.
#[derive(Clone, Debug)]
pub struct TopK {
    pub(crate) keys: Box<[u64]>,
    pub(crate) len: usize,
    k: usize,
    /// No score above this is among the k smallest.
    pub(crate) limit: f32,
    /// The largest id that was offered, and so may be held.
    pub(crate) last: Option<u32>,
}

impl TopK {
    /// Scratch for the `k` smallest of any number of scores: 16 bytes for each of the k, and 2 KiB.
    ///
    /// # Errors
    /// Too little memory for `k`.
    pub fn new(k: usize) -> Result<Self, LayoutError> {
        let too_large = LayoutError::TooLarge { rows: k, dim: 1 };
        let room = k.checked_mul(2).and_then(|r| r.checked_add(ROOM)).ok_or(too_large)?;
        let mut keys: Vec<u64> = Vec::new();
        keys.try_reserve_exact(room).map_err(|_| LayoutError::TooLarge { rows: k, dim: 1 })?;
        keys.resize(room, 0);
        Ok(Self { keys: keys.into(), len: 0, k, limit: f32::INFINITY, last: None })
    }

    /// How many are looked for.
    #[inline]
    #[must_use]
    pub fn k(&self) -> usize {
        self.k
    }

    /// Forgets what was offered.
    #[inline]
    pub fn clear(&mut self) {
        self.len = 0;
        self.limit = f32::INFINITY;
        self.last = None;
    }

    /// A score above this is not among the k smallest of what was offered so far; infinity while
    /// too little was offered to know.
    #[inline]
    #[must_use]
    pub fn limit(&self) -> f32 {
        self.limit
    }

    /// Offers one score.
    #[inline]
    pub fn push(&mut self, id: u32, score: f32) {
        if score <= self.limit && self.k > 0 {
            if self.len + SLACK >= self.keys.len() {
                self.prune();
            }
            self.keys[self.len] = key(score, id);
            self.len += 1;
            self.last = self.last.max(Some(id));
        }
    }

    /// Offers what another search found, nearest first: a worker's share of the rows.
    pub fn merge(&mut self, sorted: &[Scored]) {
        for found in sorted {
            // They only grow, so none after one that is too far can be near enough.
            if found.score > self.limit {
                break;
            }
            self.push(found.id, found.score);
        }
    }

    /// Writes the smallest, nearest first, ties by the lower id, and says how many: k, or all if
    /// fewer were offered, or as many as `out` has room for. What was found stays, and more may be
    /// offered.
    pub fn finish(&mut self, out: &mut [Scored]) -> usize {
        self.prune();
        let keys = &mut self.keys[..self.len];
        keys.sort_unstable();
        for (o, &key) in out.iter_mut().zip(keys.iter()) {
            *o = scored(key);
        }
        keys.len().min(out.len())
    }

    /// Drops all but the k smallest; if there are as many, the limit is the score of the k-th.
    #[inline(never)]
    pub(crate) fn prune(&mut self) {
        if self.len >= self.k && self.k > 0 {
            let (_, &mut kth, _) = self.keys[..self.len].select_nth_unstable(self.k - 1);
            self.limit = scored(kth).score;
            self.len = self.k;
        }
    }
}

/// Keys beyond twice k.
const ROOM: usize = 64 + GROUP_MAX + SLACK;

/// A score that is not NaN, and an id, as one integer that orders like (score, id).
#[inline(always)]
pub(crate) fn key(score: f32, id: u32) -> u64 {
    // Adding zero turns -0 into 0, and changes nothing else.
    let bits = (score + 0.0).to_bits();
    // The bits of floats order like integers once those of negatives are inverted and those of
    // positives lie above them.
    let sign = (bits as i32 >> 31) as u32;
    u64::from(bits ^ (sign | 1 << 31)) << 32 | u64::from(id)
}

/// The score and the id of a key.
#[inline(always)]
pub(crate) fn scored(key: u64) -> Scored {
    let ordered = (key >> 32) as u32;
    let sign = (!ordered as i32 >> 31) as u32;
    Scored { id: key as u32, score: f32::from_bits(ordered ^ (sign | 1 << 31)) }
}

/// Scores offered to a search for the k smallest.
#[derive(Debug)]
pub struct Select(());

impl Shape for Select {
    const NAME: &'static str = "select";
    type Entry = unsafe fn(&[f32], u32, &mut TopK);
}

impl Bound<Select> {
    /// Offers `scores[j]` for row `first + j`. NaN is no score, and is passed over.
    ///
    /// # Panics
    /// If the search is for another k than the bound one, or the last row's number is above
    /// `u32::MAX`.
    #[inline]
    pub fn call(&self, scores: &[f32], first: u32, top: &mut TopK) {
        assert_eq!(top.k(), self.dim(), "a search for another k than the kernel's");
        let Some(last) = scores.len().checked_sub(1) else { return };
        let last = u32::try_from(last).ok().and_then(|last| first.checked_add(last));
        let last = last.expect("row numbers above u32::MAX");
        if self.dim() == 0 {
            return;
        }
        // SAFETY: `bind` checked the level; the scratch is one for the bound k, above 0.
        unsafe { (self.entry())(scores, first, top) };
        top.last = top.last.max(Some(last));
    }
}

/// The smallest of many scores.
#[derive(Debug)]
pub struct Argmin(());

impl Shape for Argmin {
    const NAME: &'static str = "argmin";
    type Entry = unsafe fn(&[f32]) -> Option<Scored>;
}

impl Bound<Argmin> {
    /// The smallest score and the lowest index where it stands; `None` if there is none, or all are
    /// NaN. Where zeros of both signs tie, it is the first.
    ///
    /// # Panics
    /// If there are not as many scores as the bound dimension says, or more than `u32` can count.
    #[inline]
    #[must_use]
    pub fn call(&self, scores: &[f32]) -> Option<Scored> {
        assert_eq!(scores.len(), self.dim(), "another number of scores than the kernel's");
        assert!(u32::try_from(scores.len()).is_ok(), "more scores than u32 can count");
        // SAFETY: `bind` checked the level.
        unsafe { (self.entry())(scores) }
    }
}
