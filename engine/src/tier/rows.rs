//! Rows in five encodings, each row in one of them at a time.
//!
//! ```text
//! slot 0 1 2 3 4 5        place of each on the shelf of its tier; originals are elsewhere
//!      | | | | | |
//! hot  0 . . 1 . .   f32    |r0|r3|
//! warm . 0 . . . 1   sq8    |r1|r5|           no place is empty: the last row takes the place of
//! cool . . 0 . . .   int4   |r2|              one that moves away
//! ```

use annvil_kernels::{AlignedRows, Bound, F32Kernels, Forced, LayoutError, Pair};

use super::{Policy, Tier, TierOptions};
use crate::index::exact;
use crate::mem::Pool;
use crate::metric::Metric;
use crate::order::key;
use crate::scorer::{AnyQuery, AnyRows, Encoding, EncodingError, Rows, Scorer};

/// The rows of one tier, and whose they are.
#[derive(Debug)]
struct Shelf {
    rows: AnyRows,
    /// The slot of each place.
    owners: Vec<u32>,
}

impl Shelf {
    /// A place for a row, the last one.
    fn put(&mut self, owner: u32, vector: &[f32]) -> Result<u32, LayoutError> {
        self.rows.push(vector)?;
        self.owners.push(owner);
        Ok(self.owners.len() as u32 - 1)
    }

    /// Gives up a place. The last row comes to it; whose that is, if it is another.
    fn take(&mut self, place: u32, originals: &impl Originals, vector: &mut [f32]) -> Option<u32> {
        self.owners.swap_remove(place as usize);
        let moved = self.owners.get(place as usize).copied();
        if let Some(owner) = moved {
            originals.fetch(owner, vector);
            self.rows.set(place, vector);
        }
        self.rows.truncate(self.owners.len());
        moved
    }
}

/// Where vectors are as they came: candidates are ranked by them.
pub trait Originals {
    /// Writes the vector of a slot. Slots are asked for in rising order, once a search.
    fn fetch(&self, slot: u32, vector: &mut [f32]);
}

impl Originals for AlignedRows {
    fn fetch(&self, slot: u32, vector: &mut [f32]) {
        vector.copy_from_slice(self.row(slot as usize));
    }
}

/// What a tier holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierStats {
    /// Which.
    pub tier: Tier,
    /// Rows.
    pub rows: usize,
    /// Bytes of their codes, and of what was learnt to make them.
    pub bytes: usize,
}

/// What a migration did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migration {
    /// Rows that moved.
    pub moved: usize,
    /// Rows that are still to be moved: the budget ended.
    pub left: usize,
}

/// Buffers of a search.
#[derive(Debug, Default)]
struct Scratch {
    /// By tier.
    queries: [AnyQuery; Tier::ALL.len()],
    found: Vec<(f32, u32)>,
    slots: Vec<u32>,
    vector: Vec<f32>,
}

/// Searches whose buffers are kept for later ones.
const SPARE: usize = 64;

/// Rows that move between tiers as they are asked for. The vectors themselves are kept elsewhere
/// ([`Originals`]: memory, or a file); results are always ranked by them, exactly.
#[derive(Debug)]
pub struct TieredRows {
    dim: usize,
    metric: Metric,
    policy: Policy,
    shelves: Vec<Shelf>,
    /// The place of each slot on the shelf of its tier.
    places: Vec<u32>,
    /// Of the query and a vector as it came: the value does not depend on what else was found.
    pair: Bound<Pair<f32>>,
    scratch: Pool<Scratch>,
}

/// Sub-quantisers are of about so many elements.
#[cfg(feature = "pq")]
const PQ_ELEMENTS: usize = 8;

impl TieredRows {
    /// No rows yet; encodings are learnt from `sample`, of which 256 rows are the least.
    ///
    /// # Errors
    /// A metric other than L2, dot and cosine, options that make no sense, or a sample that nothing
    /// can be learnt from.
    pub fn train(
        sample: &AlignedRows,
        metric: Metric,
        options: TierOptions,
        seed: u64,
    ) -> Result<Self, TierError> {
        let dim = sample.dim();
        let forced = Forced::default();
        #[cfg(feature = "pq")]
        let cold =
            Encoding::Pq { m: dim.div_ceil(dim.div_ceil(dim.div_ceil(PQ_ELEMENTS))), nbits: 8 };
        #[cfg(not(feature = "pq"))]
        let cold = Encoding::INT4;
        let encodings = [Encoding::F32, Encoding::SQ8, Encoding::INT4, cold, Encoding::BINARY];
        let shelf = |encoding: Encoding| -> Result<Shelf, TierError> {
            let rows = encoding.train(dim, metric, sample.view(), seed, &forced)?;
            Ok(Shelf { rows, owners: Vec::new() })
        };
        let shelves = encodings.into_iter().map(shelf).collect::<Result<Vec<_>, _>>()?;
        let kernels = metric.kernel().and_then(|m| F32Kernels::forced(m, dim, &forced));
        Ok(Self {
            dim,
            metric,
            policy: Policy::new(options).map_err(TierError::Policy)?,
            shelves,
            places: Vec::new(),
            pair: kernels.map_err(EncodingError::from)?.pair,
            scratch: Pool::new(SPARE),
        })
    }

    /// One row more, hot. Its elements are finite, and under cosine it is of unit length or zero.
    ///
    /// # Errors
    /// Another dimension, too little memory, or more rows than slots can name.
    pub fn push(&mut self, vector: &[f32]) -> Result<u32, LayoutError> {
        let too_large = LayoutError::TooLarge { rows: self.places.len(), dim: self.dim };
        let slot = u32::try_from(self.places.len()).map_err(|_| too_large)?;
        let place = self.shelves[Tier::Hot as usize].put(slot, vector)?;
        self.places.push(place);
        self.policy.push();
        Ok(slot)
    }

    /// Another vector for a slot, in the tier where it is; the original is the caller's to change.
    ///
    /// # Panics
    /// If there is no such slot, or the vector has another dimension.
    pub fn set(&mut self, slot: u32, vector: &[f32]) {
        let tier = self.policy.tier(slot);
        self.shelves[tier as usize].rows.set(self.places[slot as usize], vector);
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Elements of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// What near means here.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Where a row is.
    ///
    /// # Panics
    /// If there is no such slot.
    #[must_use]
    pub fn tier(&self, slot: u32) -> Tier {
        self.policy.tier(slot)
    }

    /// What each tier holds.
    #[must_use]
    pub fn stats(&self) -> Vec<TierStats> {
        let of = |(tier, shelf): (Tier, &Shelf)| TierStats {
            tier,
            rows: shelf.owners.len(),
            bytes: shelf.rows.bytes(),
        };
        Tier::ALL.into_iter().zip(&self.shelves).map(of).collect()
    }

    /// A row was asked for in another way than by a search. By any number of threads.
    ///
    /// # Panics
    /// If there is no such slot.
    pub fn touch(&self, slot: u32) {
        self.policy.touch(slot);
    }

    /// An epoch ends: accesses so far count half from now on.
    pub fn advance_epoch(&mut self) {
        self.policy.advance_epoch();
    }

    /// Moves rows to the tiers where they belong, up to `budget` of them, those that are asked for
    /// first. A move encodes two rows at most: that one, and the one that takes its place.
    ///
    /// # Errors
    /// Too little memory; the rows that were moved are moved, and all can be found.
    pub fn migrate(
        &mut self,
        originals: &impl Originals,
        budget: usize,
    ) -> Result<Migration, LayoutError> {
        let due = self.policy.due();
        let mut vector = vec![0.0; self.dim];
        let now = due.len().min(budget);
        for &(slot, to) in &due[..now] {
            originals.fetch(slot, &mut vector);
            // First there, then no longer here.
            let place = self.shelves[to as usize].put(slot, &vector)?;
            let from = self.policy.tier(slot);
            let left = std::mem::replace(&mut self.places[slot as usize], place);
            let moved = self.shelves[from as usize].take(left, originals, &mut vector);
            if let Some(owner) = moved {
                self.places[owner as usize] = left;
            }
            self.policy.moved(slot, to);
        }
        Ok(Migration { moved: now, left: due.len() - now })
    }

    /// The `k` nearest rows as rank and slot, nearest first, ties by the lower slot: of each tier
    /// `k * oversampling` candidates by its codes, and `k` of the hot one, all ranked by their vectors.
    /// What is returned counts as asked for.
    ///
    /// # Panics
    /// If the query has another dimension.
    pub fn search(
        &self,
        originals: &impl Originals,
        query: &[f32],
        k: usize,
        oversampling: usize,
    ) -> Vec<(f32, u32)> {
        self.search_where(originals, query, k, oversampling, |_| true)
    }

    /// As [`TieredRows::search`], among the slots that `accept` takes.
    ///
    /// # Panics
    /// If the query has another dimension.
    pub fn search_where(
        &self,
        originals: &impl Originals,
        query: &[f32],
        k: usize,
        oversampling: usize,
        accept: impl Fn(u32) -> bool,
    ) -> Vec<(f32, u32)> {
        let mut scratch = self.scratch.acquire();
        let Scratch { queries, found, slots, vector } = &mut *scratch;
        slots.clear();
        for ((tier, shelf), prepared) in Tier::ALL.into_iter().zip(&self.shelves).zip(queries) {
            let Shelf { rows, owners } = shelf;
            if owners.is_empty() {
                continue;
            }
            rows.prepare(query, prepared);
            // Hot rows are ranked exactly already; of codes it takes more to be sure of k.
            let factor = if tier == Tier::Hot { 1 } else { oversampling.max(1) };
            let wanted = |place: u32| accept(owners[place as usize]);
            exact::nearest(rows, prepared, k.saturating_mul(factor), &wanted, found);
            slots.extend(found.iter().map(|&(_, place)| owners[place as usize]));
        }
        // As they lie in a file.
        slots.sort_unstable();
        vector.resize(self.dim, 0.0);
        let rank = |&slot: &u32| {
            originals.fetch(slot, vector);
            let mut rank = [self.pair.call(query, vector)];
            self.metric.rank(&mut rank);
            (rank[0], slot)
        };
        let mut ranked: Vec<(f32, u32)> = slots.iter().map(rank).collect();
        ranked.sort_unstable_by_key(|&(rank, slot)| key(rank, slot));
        ranked.truncate(k);
        ranked.iter().for_each(|r| self.policy.touch(r.1));
        ranked
    }
}

/// Tiers that cannot be had.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TierError {
    /// Options that make no sense.
    Policy(super::PolicyError),
    /// An encoding that cannot be had or learnt.
    Encoding(EncodingError),
}

impl std::fmt::Display for TierError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy(e) => e.fmt(f),
            Self::Encoding(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for TierError {}

impl From<EncodingError> for TierError {
    fn from(e: EncodingError) -> Self {
        Self::Encoding(e)
    }
}

#[cfg(test)]
mod tests;
