//! The k smallest of a stream of ranks: a buffer of twice k, pruned by selection when it is full.
//!
//! A rank that is above the worst of k known ones is dropped by one comparison, sixteen at a time;
//! only the others are written down. Order is total: by rank, then by row number, so the answer does not
//! depend on how the rows were cut into chunks. Both live in one integer, which makes every
//! comparison exact: -0 equals 0, and a NaN (which finite vectors give only when a sum overflows to
//! infinity on both sides) is farther than everything.

use crate::order::{key, unpack};

/// Ranks looked at together.
const LANES: usize = 16;

/// Collects ranks and keeps the `k` smallest.
#[derive(Clone, Debug)]
pub(crate) struct TopK {
    k: usize,
    /// Prune when this many are held.
    limit: usize,
    /// A rank above this is not among the k smallest. NaN while fewer than k are known for sure.
    threshold: f32,
    keys: Vec<u64>,
}

impl TopK {
    /// Nothing seen yet. `expected` is how many ranks will be offered at most: it bounds memory
    /// when `k` is larger.
    pub(crate) fn new(k: usize, expected: usize) -> Self {
        let k = k.min(expected);
        let limit = k.saturating_mul(2).max(64);
        // One more group may be written before the limit is looked at.
        let room = limit.saturating_add(LANES).min(expected);
        Self { k, limit, threshold: f32::NAN, keys: Vec::with_capacity(room) }
    }

    /// Offers `ranks[j]` for row `first + j`.
    pub(crate) fn offer(&mut self, first: u32, ranks: &[f32]) {
        if self.k == 0 {
            return;
        }
        let mut id = first;
        for group in ranks.chunks(LANES) {
            let threshold = self.threshold;
            // Written as "not above" so that NaN ranks and the unset threshold pass.
            let passes = |rank: f32| (rank > threshold) as u32 == 0;
            if group.iter().fold(false, |any, &rank| any | passes(rank)) {
                for (&rank, id) in group.iter().zip(id..) {
                    if passes(rank) {
                        self.keys.push(key(rank, id));
                    }
                }
                if self.keys.len() >= self.limit {
                    self.prune();
                }
            }
            id = id.wrapping_add(group.len() as u32);
        }
    }

    /// Offers `ranks[j]` for row `first + j` where `accept` takes it: asked only if the rank would do.
    pub(crate) fn offer_accepted(
        &mut self,
        first: u32,
        ranks: &[f32],
        accept: &(impl Fn(u32) -> bool + ?Sized),
    ) {
        let mut from = first;
        for group in ranks.chunks(LANES) {
            if self.any_passes(group) {
                for (&rank, row) in group.iter().zip(from..) {
                    if self.passes(rank) && accept(row) {
                        self.push(rank, row);
                    }
                }
            }
            from = from.wrapping_add(group.len() as u32);
        }
    }

    /// Offers `ranks[j]` for row `rows[j]`.
    pub(crate) fn offer_listed(&mut self, rows: &[u32], ranks: &[f32]) {
        for (rows, group) in rows.chunks(LANES).zip(ranks.chunks(LANES)) {
            if self.any_passes(group) {
                for (&rank, &row) in group.iter().zip(rows) {
                    if self.passes(rank) {
                        self.push(rank, row);
                    }
                }
            }
        }
    }

    /// Whether a rank may be among the k smallest. Written as "not above" so that NaN ranks and the
    /// unset threshold pass.
    fn passes(&self, rank: f32) -> bool {
        (rank > self.threshold) as u32 == 0 && self.k > 0
    }

    /// Whether one of a few does, without a branch for each.
    fn any_passes(&self, ranks: &[f32]) -> bool {
        let threshold = self.threshold;
        ranks.iter().fold(false, |any, &rank| any | ((rank > threshold) as u32 == 0))
    }

    fn push(&mut self, rank: f32, row: u32) {
        self.keys.push(key(rank, row));
        if self.keys.len() >= self.limit {
            self.prune();
        }
    }

    /// Takes over what another collected, over other rows.
    #[cfg_attr(not(feature = "parallel"), expect(dead_code, reason = "one worker merges nothing"))]
    pub(crate) fn merge(&mut self, other: &Self) {
        self.keys.extend_from_slice(&other.keys);
        if self.keys.len() >= self.limit {
            self.prune();
        }
    }

    /// The k smallest as (row, rank), nearest first, ties by the lower row number.
    pub(crate) fn finish(mut self) -> Vec<(u32, f32)> {
        self.prune();
        self.keys.sort_unstable();
        self.keys.into_iter().map(unpack).collect()
    }

    /// Drops all but the k smallest.
    fn prune(&mut self) {
        if self.k == 0 || self.keys.len() < self.k {
            return;
        }
        let (_, worst, _) = self.keys.select_nth_unstable(self.k - 1);
        self.threshold = unpack(*worst).1;
        self.keys.truncate(self.k);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sorts everything: the definition.
    fn by_sorting(ranks: &[f32], k: usize) -> Vec<(u32, f32)> {
        let mut all: Vec<_> = (0u32..).zip(ranks.iter().map(|r| r + 0.0)).collect();
        all.sort_by(|a, b| match (a.1.is_nan(), b.1.is_nan()) {
            (false, false) => a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)),
            (x, y) => x.cmp(&y).then(a.0.cmp(&b.0)),
        });
        all.truncate(k);
        all
    }

    fn bits(found: Vec<(u32, f32)>) -> Vec<(u32, Option<u32>)> {
        found.into_iter().map(|(id, r)| (id, (!r.is_nan()).then_some(r.to_bits()))).collect()
    }

    #[test]
    fn ties_go_to_the_lower_row_and_zero_has_no_sign() {
        let mut top = TopK::new(3, 5);
        top.offer(0, &[0.0, -0.0, 0.0, -0.0, 1.0]);
        assert_eq!(top.finish(), [(0, 0.0), (1, 0.0), (2, 0.0)]);
    }

    #[test]
    fn k_zero_and_k_above_the_rows() {
        let mut none = TopK::new(0, 3);
        none.offer(0, &[3.0, 1.0, 2.0]);
        assert_eq!(none.finish(), []);
        let mut all = TopK::new(usize::MAX, 3);
        all.offer(7, &[3.0, f32::NAN, 2.0]);
        assert_eq!(bits(all.finish()), bits(vec![(9, 2.0), (7, 3.0), (8, f32::NAN)]));
    }

    #[test]
    fn infinities_are_kept_in_order() {
        let mut top = TopK::new(2, 3);
        top.offer(0, &[f32::INFINITY, f32::INFINITY, f32::NEG_INFINITY]);
        assert_eq!(top.finish(), [(2, f32::NEG_INFINITY), (0, f32::INFINITY)]);
    }

    proptest! {
        #[test]
        fn equals_sorting(
            ranks in prop::collection::vec(
                prop_oneof![
                    8 => (-4i8..4).prop_map(|v| f32::from(v) * 0.5),
                    4 => -1e3f32..1e3,
                    1 => any::<f32>(),
                ],
                0..600,
            ),
            k in 0usize..80,
            cut in 0usize..600,
        ) {
            let cut = cut.min(ranks.len());
            let mut one = TopK::new(k, ranks.len());
            one.offer(0, &ranks);
            let mut left = TopK::new(k, ranks.len());
            left.offer(0, &ranks[..cut]);
            let mut right = TopK::new(k, ranks.len());
            right.offer(cut as u32, &ranks[cut..]);
            #[cfg(feature = "parallel")]
            {
                left.merge(&right);
                prop_assert_eq!(bits(left.finish()), bits(by_sorting(&ranks, k)));
            }
            prop_assert_eq!(bits(one.finish()), bits(by_sorting(&ranks, k)));
        }
    }
}
