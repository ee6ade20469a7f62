//! Which candidates become neighbours: near ones in different directions.

use crate::scorer::Scorer;

/// Kept neighbours that a candidate is compared with at once.
const GROUP: usize = 8;
/// With fewer neighbours than this, near candidates are taken whatever their direction: among many
/// equal vectors no two directions differ.
const FLOOR: usize = 4;

/// Buffers of a selection.
#[derive(Debug)]
pub(super) struct Selector<Q> {
    query: Q,
    ranks: [f32; GROUP],
    kept: Vec<u32>,
    passed_over: Vec<u32>,
}

impl<Q: Default> Default for Selector<Q> {
    fn default() -> Self {
        Self { query: Q::default(), ranks: [0.0; GROUP], kept: Vec::new(), passed_over: Vec::new() }
    }
}

impl<Q> Selector<Q> {
    /// Up to `room` of `candidates` (rank to the node, slot; nearest first). A candidate is passed
    /// over if it is no farther from one that was kept than from the node itself (algorithm 4 of
    /// Malkov and Yashunin).
    pub(super) fn select<S: Scorer<Query = Q>>(
        &mut self,
        rows: &S,
        candidates: impl Iterator<Item = (f32, u32)>,
        room: usize,
    ) -> &[u32] {
        self.kept.clear();
        self.passed_over.clear();
        for (rank, slot) in candidates {
            if self.kept.len() == room {
                break;
            }
            if self.kept.is_empty() || self.is_apart(rows, rank, slot) {
                self.kept.push(slot);
            } else if self.passed_over.len() < FLOOR {
                self.passed_over.push(slot);
            }
        }
        let missing = FLOOR.min(room).saturating_sub(self.kept.len());
        self.kept.extend(self.passed_over.iter().take(missing));
        &self.kept
    }

    /// Whether the candidate is nearer to the node than to any that was kept.
    fn is_apart<S: Scorer<Query = Q>>(&mut self, rows: &S, rank: f32, slot: u32) -> bool {
        rows.prepare_slot(slot, &mut self.query);
        for kept in self.kept.chunks(GROUP) {
            let ranks = &mut self.ranks[..kept.len()];
            rows.score_ids(&self.query, kept, ranks);
            if ranks.iter().any(|&between| between <= rank) {
                return false;
            }
        }
        true
    }
}
