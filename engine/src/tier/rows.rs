//! Rows in five encodings, each row in one of them at a time.

use annvil_kernels::{AlignedRows, Forced, LayoutError};

use super::{Policy, Tier, TierOptions};
use crate::metric::Metric;
use crate::order::key;
use crate::scorer::{AnyQuery, AnyRows, Encoding, EncodingError, F32Rows, Rows, Scorer};

/// A slot that holds nobody's row.
const FREE: u32 = u32::MAX;

/// The rows of one tier, and whose they are.
#[derive(Debug)]
struct Shelf {
    rows: AnyRows,
    /// The slot of each place; [`FREE`] where a row moved away.
    owners: Vec<u32>,
    free: Vec<u32>,
}

impl Shelf {
    fn put(&mut self, owner: u32, vector: &[f32]) -> Result<u32, LayoutError> {
        if let Some(place) = self.free.pop() {
            self.rows.set(place, vector);
            self.owners[place as usize] = owner;
            return Ok(place);
        }
        self.rows.push(vector)?;
        self.owners.push(owner);
        Ok(self.rows.len() as u32 - 1)
    }

    fn take(&mut self, place: u32) {
        self.owners[place as usize] = FREE;
        self.free.push(place);
    }

    /// Fills free places with the last rows and gives up the rest, so that memory shrinks; `moved` hears of
    /// each row's new place.
    fn close_up(
        &mut self,
        originals: &impl Originals,
        vector: &mut [f32],
        mut moved: impl FnMut(u32, u32),
    ) {
        self.free.sort_unstable_by(|a, b| b.cmp(a));
        while let Some(place) = self.free.pop() {
            while self.owners.last() == Some(&FREE) {
                self.owners.pop();
            }
            if place as usize >= self.owners.len() {
                break;
            }
            let Some(owner) = self.owners.pop() else { break };
            originals.fetch(owner, vector);
            self.rows.set(place, vector);
            self.owners[place as usize] = owner;
            moved(owner, place);
        }
        self.free.clear();
        self.rows.truncate(self.owners.len());
    }

    fn held(&self) -> usize {
        self.owners.len() - self.free.len()
    }
}

/// Where vectors are as they came: candidates are ranked by them.
pub trait Originals {
    /// Writes the vector of a slot.
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
    /// Bytes of their codes, free places included.
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
    exact: F32Rows,
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
            Ok(Shelf { rows, owners: Vec::new(), free: Vec::new() })
        };
        let shelves = encodings.into_iter().map(shelf).collect::<Result<Vec<_>, _>>()?;
        let exact = AlignedRows::zeroed(1, dim).map_err(EncodingError::from)?;
        Ok(Self {
            dim,
            metric,
            policy: Policy::new(options).map_err(TierError::Policy)?,
            shelves,
            places: Vec::new(),
            exact: F32Rows::new(exact, metric, &forced).map_err(EncodingError::from)?,
        })
    }

    /// One row more, hot. Under cosine it is of unit length or zero.
    ///
    /// # Errors
    /// Another dimension, or too little memory.
    pub fn push(&mut self, vector: &[f32]) -> Result<u32, LayoutError> {
        let slot = self.places.len() as u32;
        let place = self.shelves[0].put(slot, vector)?;
        self.places.push(place);
        self.policy.push();
        Ok(slot)
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
            rows: shelf.held(),
            bytes: shelf.rows.bytes(),
        };
        Tier::ALL.into_iter().zip(&self.shelves).map(of).collect()
    }

    /// An epoch ends: accesses so far count half from now on.
    pub fn advance_epoch(&mut self) {
        self.policy.advance_epoch();
    }

    /// Moves rows to the tiers where they belong, up to `budget` of them, those that are asked for
    /// first.
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
            self.shelves[from as usize].take(self.places[slot as usize]);
            self.places[slot as usize] = place;
            self.policy.moved(slot, to);
        }
        let places = &mut self.places;
        for shelf in &mut self.shelves {
            if shelf.free.len() > shelf.held() / 4 {
                shelf.close_up(originals, &mut vector, |owner, place| {
                    places[owner as usize] = place
                });
            }
        }
        Ok(Migration { moved: now, left: due.len() - now })
    }

    /// The `k` nearest rows as rank and slot, nearest first: of each tier `k * oversampling`
    /// candidates by its codes, all ranked again by their vectors. What is returned counts as asked
    /// for.
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
        let mut candidates: Vec<u32> = Vec::new();
        let (mut prepared, mut found) = (AnyQuery::default(), Vec::new());
        for shelf in &self.shelves {
            let (rows, owners) = (&shelf.rows, &shelf.owners);
            if shelf.held() == 0 {
                continue;
            }
            rows.prepare(query, &mut prepared);
            let wide = k.saturating_mul(oversampling.max(1));
            let taken = |place: u32| owners[place as usize] != FREE;
            crate::exact::nearest(rows, &prepared, wide, &taken, &mut found);
            candidates.extend(found.iter().map(|f| owners[f.1 as usize]));
        }
        let mut ranked: Vec<(f32, u32)> = Vec::with_capacity(candidates.len());
        let (mut exact, mut vector) = (self.exact.clone(), vec![0.0; self.dim]);
        let (mut ready, mut rank) = (Vec::new(), [0.0]);
        exact.prepare(query, &mut ready);
        for slot in candidates {
            originals.fetch(slot, &mut vector);
            exact.set(0, &vector);
            exact.score_ids(&ready, &[0], &mut rank);
            ranked.push((rank[0], slot));
        }
        ranked.sort_unstable_by_key(|&(rank, slot)| key(rank, slot));
        ranked.truncate(k);
        ranked.iter().for_each(|r| self.policy.touch(r.1));
        ranked
    }

    /// What near means here.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
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
mod tests {
    use super::*;

    fn rows(n: usize, dim: usize) -> AlignedRows {
        let mut state = 9u64;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let centres: Vec<f32> = (0..20 * dim).map(|_| 3.0 * next()).collect();
        let mut rows = AlignedRows::with_capacity(n, dim).unwrap();
        for i in 0..n {
            let centre = &centres[(i % 20) * dim..][..dim];
            rows.push(&centre.iter().map(|c| c + next()).collect::<Vec<_>>()).unwrap();
        }
        rows
    }

    fn filled(n: usize) -> (TieredRows, AlignedRows) {
        let data = rows(n, 16);
        let mut tiers = TieredRows::train(&data, Metric::L2, TierOptions::default(), 1).unwrap();
        (0..n).for_each(|i| assert_eq!(tiers.push(data.row(i)), Ok(i as u32)));
        (tiers, data)
    }

    fn exact(data: &AlignedRows, q: &[f32], k: usize) -> Vec<f32> {
        let square = |row: &[f32]| row.iter().zip(q).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let mut all: Vec<f32> = (0..data.len()).map(|i| square(data.row(i))).collect();
        all.sort_by(f32::total_cmp);
        all.truncate(k);
        all
    }

    #[test]
    fn rows_that_nobody_asks_for_shrink_and_are_found_all_the_same() {
        let (mut tiers, data) = filled(1000);
        let learnt: usize = tiers.stats()[1..].iter().map(|s| s.bytes).sum();
        let full: usize = tiers.stats().iter().map(|s| s.bytes).sum();
        for _ in 0..5 {
            for slot in 0..50 {
                tiers.search(&data, data.row(slot * 3), 10, 4);
            }
            tiers.advance_epoch();
            while tiers.migrate(&data, 100).unwrap().left > 0 {}
        }
        let stats = tiers.stats();
        assert!(
            stats.iter().all(|s| s.rows <= 1000)
                && stats.iter().map(|s| s.rows).sum::<usize>() == 1000
        );
        assert!(stats[4].rows > 300 && stats[0].rows > 50, "{stats:?}");
        let now: usize = stats.iter().map(|s| s.bytes).sum();
        // Without what was learnt, which a set as small as this one is not worth.
        assert!((now - learnt) * 10 < (full - learnt) * 7, "{now} of {full}, {learnt} learnt");
        let (mut hit, mut all) = (0, 0);
        for slot in (0..1000).step_by(40) {
            let q: Vec<f32> = data.row(slot).iter().map(|v| v + 0.02).collect();
            let (found, truth) = (tiers.search(&data, &q, 10, 10), exact(&data, &q, 10));
            assert_eq!(found.len(), 10);
            for f in &found {
                let d =
                    exact(&AlignedRows::from_packed(data.row(f.1 as usize), 16).unwrap(), &q, 1)[0];
                assert!((f.0 - d).abs() <= 1e-4 * (1.0 + d), "exactly ranked");
            }
            hit += found.iter().filter(|f| f.0 <= truth[9] * 1.0001).count();
            all += 10;
        }
        assert!(hit as f64 / f64::from(all) >= 0.95, "{hit} of {all}");
    }

    #[test]
    fn the_budget_is_kept() {
        let (mut tiers, data) = filled(300);
        tiers.advance_epoch();
        assert_eq!(tiers.migrate(&data, 40).unwrap(), Migration { moved: 40, left: 260 });
        assert_eq!(tiers.stats()[4].rows, 40);
        assert_eq!(tiers.migrate(&data, 0).unwrap().moved, 0);
        let found = tiers.search(&data, data.row(299), 300, 1);
        assert_eq!(found.len(), 300);
    }

    #[test]
    fn what_cannot_be_tiered_is_refused() {
        let data = rows(300, 16);
        assert!(TieredRows::train(&data, Metric::L1, TierOptions::default(), 1).is_err());
        let options = TierOptions { hysteresis: 1.0, ..TierOptions::default() };
        assert!(TieredRows::train(&data, Metric::L2, options, 1).is_err());
    }
}
