//! The graph, and walking it.

use super::links::Links;
use super::options::{HnswError, HnswOptions};
use super::scratch::Scratch;
use crate::order::{key, rank_of};
use crate::scorer::Scorer;

/// Where every search begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) slot: u32,
    pub(super) layer: u8,
}

/// Who is near whom among the rows of a [`Scorer`]: a hierarchical navigable small world graph
/// (Malkov and Yashunin, 2016). It holds slots only, no vectors: rows are an argument, and may be
/// other rows for building than for searching, as long as slots mean the same vectors.
///
/// The same rows, options and sequence of calls give the same graph, whatever the number of
/// threads.
#[derive(Clone, Debug)]
pub struct Graph {
    pub(super) options: HnswOptions,
    pub(super) links: Links,
    pub(super) entry: Option<Entry>,
    /// How many links of layer 0 lead to each node: the last one is never taken away.
    pub(super) referred: Vec<u32>,
    /// Buffers of the last small batch, for the next.
    pub(super) spare: Scratch,
}

impl Graph {
    /// No node yet.
    ///
    /// # Errors
    /// Options that are out of range.
    pub fn new(options: HnswOptions) -> Result<Self, HnswError> {
        options.check()?;
        let links = Links::new(options.m);
        Ok(Self { options, links, entry: None, referred: Vec::new(), spare: Scratch::default() })
    }

    /// How it is built.
    #[must_use]
    pub fn options(&self) -> &HnswOptions {
        &self.options
    }

    /// How many rows are linked: slots `0..len`.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether no row is linked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the links take, reserves and buffers for more of them included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.links.bytes() + self.referred.capacity() * size_of::<u32>() + self.spare.bytes()
    }

    /// The slots that a node is linked with on a layer, nearest first as far as the builder knew.
    ///
    /// # Panics
    /// If there is no such slot, or it is not on the layer.
    pub fn neighbors(&self, slot: u32, layer: usize) -> impl Iterator<Item = u32> + '_ {
        assert!(layer <= usize::from(self.layer(slot)), "the node is not on this layer");
        self.links.of(slot, layer)
    }

    /// The highest layer of a node.
    ///
    /// # Panics
    /// If there is no such slot.
    #[must_use]
    pub fn layer(&self, slot: u32) -> u8 {
        self.links.layers[slot as usize]
    }

    /// Finds rows near `query`: `out` holds the rank and slot of up to `ef` of them, nearest first.
    /// More `ef`, more recall and more work; it is the caller's business that it is at least the
    /// number of rows wanted.
    ///
    /// # Panics
    /// If `rows` has fewer rows than the graph has nodes.
    pub fn search<S: Scorer>(
        &self,
        rows: &S,
        query: &S::Query,
        ef: usize,
        scratch: &mut Scratch,
        out: &mut Vec<(f32, u32)>,
    ) {
        out.clear();
        (scratch.hops, scratch.scored) = (0, 0);
        let Some(entry) = self.entry else { return };
        let starts = self.descend(rows, query, entry, 0, scratch);
        self.walk(rows, query, &starts, 0, ef.max(1), scratch);
        out.extend(scratch.pool.iter());
    }

    /// As [`Graph::search`], of the rows that `accept` takes. The others are passed through, and
    /// the search goes on until `ef` accepted rows are found and nothing nearer is in reach, or
    /// everything that can be reached was looked at.
    ///
    /// # Panics
    /// As [`Graph::search`].
    pub fn search_where<S: Scorer>(
        &self,
        rows: &S,
        query: &S::Query,
        ef: usize,
        accept: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
        out: &mut Vec<(f32, u32)>,
    ) {
        out.clear();
        (scratch.hops, scratch.scored) = (0, 0);
        let Some(entry) = self.entry else { return };
        let starts = self.descend(rows, query, entry, 0, scratch);
        let Scratch { visited, pool, frontier, slots, ranks, hops, scored } = scratch;
        visited.clear(self.len());
        pool.clear(ef.max(1));
        frontier.clear();
        for (rank, slot) in starts {
            if visited.insert(slot) {
                frontier.push(std::cmp::Reverse(key(rank, slot)));
                if accept(slot) {
                    pool.insert(rank, slot);
                }
            }
        }
        while let Some(std::cmp::Reverse(nearest)) = frontier.pop() {
            // Order is by rank, then slot, here too: on a plateau of equal ranks the way goes on.
            if !pool.reaches(rank_of(nearest), nearest as u32) {
                break;
            }
            slots.clear();
            slots.extend(self.links.of(nearest as u32, 0).filter(|&to| visited.insert(to)));
            ranks.resize(slots.len(), 0.0);
            rows.score_ids(query, slots, ranks);
            (*hops, *scored) = (*hops + 1, *scored + slots.len());
            for (&slot, &rank) in slots.iter().zip(ranks.iter()) {
                // As in the walk without a filter: only what could still be returned is followed.
                if pool.reaches(rank, slot) {
                    frontier.push(std::cmp::Reverse(key(rank, slot)));
                    if accept(slot) {
                        pool.insert(rank, slot);
                    }
                }
            }
        }
        out.extend(pool.iter());
    }

    /// The nearest node that greedy steps find on the layers above `to`, and the entry point: from
    /// there every node can be reached, from elsewhere perhaps not.
    pub(super) fn descend<S: Scorer>(
        &self,
        rows: &S,
        query: &S::Query,
        entry: Entry,
        to: usize,
        scratch: &mut Scratch,
    ) -> [(f32, u32); 2] {
        let Scratch { slots, ranks, hops, scored, .. } = scratch;
        let mut rank = [0.0];
        rows.score_ids(query, &[entry.slot], &mut rank);
        *scored += 1;
        let mut best = (rank[0], entry.slot);
        for layer in (to + 1..=usize::from(entry.layer)).rev() {
            loop {
                slots.clear();
                slots.extend(self.links.of(best.1, layer));
                ranks.resize(slots.len(), 0.0);
                rows.score_ids(query, slots, ranks);
                (*hops, *scored) = (*hops + 1, *scored + slots.len());
                let nearest = slots.iter().zip(ranks.iter()).map(|(&s, &r)| key(r, s)).min();
                match nearest {
                    // A nearer rank, not only a lower slot: equal rows would be walked in circles of no use.
                    Some(near) if near >> 32 < key(best.0, best.1) >> 32 => {
                        best = (rank_of(near), near as u32);
                    }
                    _ => break,
                }
            }
        }
        [best, (rank[0], entry.slot)]
    }

    /// Best-first search on one layer from `starts`; what was found is in the pool.
    pub(super) fn walk<S: Scorer>(
        &self,
        rows: &S,
        query: &S::Query,
        starts: &[(f32, u32)],
        layer: usize,
        ef: usize,
        scratch: &mut Scratch,
    ) {
        let Scratch { visited, pool, slots, ranks, hops, scored, .. } = scratch;
        visited.clear(self.len());
        pool.clear(ef);
        for &(rank, slot) in starts {
            if visited.insert(slot) {
                pool.insert(rank, slot);
            }
        }
        while let Some(slot) = pool.next() {
            slots.clear();
            for to in self.links.of(slot, layer) {
                if visited.insert(to) {
                    rows.prefetch(to);
                    slots.push(to);
                }
            }
            // Most often the next to be expanded: its links come while these rows are compared.
            if let Some(next) = pool.peek() {
                self.links.prefetch(next);
            }
            ranks.resize(slots.len(), 0.0);
            rows.score_ids(query, slots, ranks);
            (*hops, *scored) = (*hops + 1, *scored + slots.len());
            for (&slot, &rank) in slots.iter().zip(ranks.iter()) {
                pool.insert(rank, slot);
            }
        }
    }
}
