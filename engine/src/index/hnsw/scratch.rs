//! What a search writes down: reused, so that a warm search allocates nothing.

use crate::order::{key, rank_of};

/// Marks slots as seen; cleared by counting up.
#[derive(Clone, Debug, Default)]
pub(super) struct Visited {
    epochs: Vec<u16>,
    now: u16,
}

impl Visited {
    /// Nothing seen, of `len` slots.
    pub(super) fn clear(&mut self, len: usize) {
        if self.epochs.len() < len {
            self.epochs.resize(len, 0);
        }
        self.now = self.now.wrapping_add(1);
        if self.now == 0 {
            self.epochs.fill(0);
            self.now = 1;
        }
    }

    /// Marks a slot; whether it had not been.
    #[inline]
    pub(super) fn insert(&mut self, slot: u32) -> bool {
        let epoch = &mut self.epochs[slot as usize];
        let new = *epoch != self.now;
        *epoch = self.now;
        new
    }
}

/// The nearest candidates so far, nearest first, and which of them were expanded.
///
/// One integer holds rank, slot and the mark, and orders like (rank, slot): a row of them is one
/// array to search and to shift.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    /// As `key(rank, slot)`, the slot moved up by one bit, the mark in the lowest.
    entries: Vec<u64>,
    limit: usize,
    /// No unmarked entry stands before it.
    cursor: usize,
}

/// An entry of a rank and a slot, not expanded.
fn entry(rank: f32, slot: u32) -> u64 {
    let key = key(rank, slot);
    (key >> 32 << 32) | (key & 0xffff_ffff) << 1
}

fn slot_of(entry: u64) -> u32 {
    (entry as u32) >> 1
}

impl Pool {
    pub(super) fn clear(&mut self, limit: usize) {
        self.entries.clear();
        self.limit = limit;
        self.cursor = 0;
    }

    /// Takes a candidate in, if it is among the `limit` nearest.
    #[inline]
    pub(super) fn insert(&mut self, rank: f32, slot: u32) {
        let new = entry(rank, slot);
        let full = self.entries.len() == self.limit;
        if full && self.entries.last().is_some_and(|&last| new >= last) {
            return;
        }
        let at = self.entries.partition_point(|&e| e < new);
        if full {
            self.entries.pop();
        }
        self.entries.insert(at, new);
        self.cursor = self.cursor.min(at);
    }

    /// The nearest candidate that was not expanded; it is now.
    #[inline]
    pub(super) fn next(&mut self) -> Option<u32> {
        while let Some(entry) = self.entries.get_mut(self.cursor) {
            self.cursor += 1;
            if *entry & 1 == 0 {
                *entry |= 1;
                return Some(slot_of(*entry));
            }
        }
        None
    }

    /// The nearest candidate that was not expanded, if it is known: it may yet be overtaken.
    #[inline]
    pub(super) fn peek(&self) -> Option<u32> {
        let rest = self.entries.get(self.cursor..)?;
        rest.iter().find(|&e| e & 1 == 0).map(|&e| slot_of(e))
    }

    /// Rank and slot of each, nearest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (f32, u32)> + '_ {
        self.entries.iter().map(|&e| (rank_of(e), slot_of(e)))
    }

    /// Whether a candidate is in the pool, or would be if it were offered.
    #[inline]
    pub(super) fn reaches(&self, rank: f32, slot: u32) -> bool {
        let full = self.entries.len() == self.limit;
        // The mark of the last does not count.
        !full || self.entries.last().is_none_or(|&last| entry(rank, slot) <= last | 1)
    }
}

/// Buffers of a search; any graph and any rows may use the same ones, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    pub(super) visited: Visited,
    pub(super) pool: Pool,
    /// Nearest first, for searches that may not return all that they pass.
    pub(super) frontier: std::collections::BinaryHeap<std::cmp::Reverse<u64>>,
    pub(super) slots: Vec<u32>,
    pub(super) ranks: Vec<f32>,
    pub(super) hops: usize,
    pub(super) scored: usize,
}

impl Scratch {
    pub(super) fn bytes(&self) -> usize {
        self.visited.epochs.capacity() * size_of::<u16>()
            + (self.pool.entries.capacity() + self.frontier.capacity()) * size_of::<u64>()
            + self.slots.capacity() * size_of::<u32>()
            + self.ranks.capacity() * size_of::<f32>()
    }

    /// Nodes that were expanded in the last search.
    #[must_use]
    pub fn hops(&self) -> usize {
        self.hops
    }

    /// Rows that were compared with the query in the last search.
    #[must_use]
    pub fn scored(&self) -> usize {
        self.scored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_keeps_the_nearest_and_hands_out_each_once() {
        let mut pool = Pool::default();
        pool.clear(3);
        for (rank, slot) in [(5.0, 1), (-2.0, 2), (9.0, 3), (4.0, 4), (4.0, 0)] {
            pool.insert(rank, slot);
        }
        assert_eq!(pool.iter().collect::<Vec<_>>(), [(-2.0, 2), (4.0, 0), (4.0, 4)]);
        assert_eq!((pool.next(), pool.next()), (Some(2), Some(0)));
        pool.insert(1.0, (1 << 31) - 1);
        assert_eq!((pool.next(), pool.next()), (Some((1 << 31) - 1), None));
        assert!(pool.reaches(4.0, 0) && !pool.reaches(4.0, 1) && !pool.reaches(f32::NAN, 0));
    }

    #[test]
    fn what_was_seen_is_forgotten_at_once_and_also_after_the_count_wraps() {
        let mut visited = Visited::default();
        for _ in 0..70_000 {
            visited.clear(3);
            assert!(visited.insert(2) && !visited.insert(2) && visited.insert(0));
        }
    }
}
