//! What a collection holds, and how it changes: without locks, which are the collection's business.

use annvil_kernels::{AlignedRows, Bound, Forced, Row, RowsRef};

use super::id::Ids;
use super::{CollectionBuilder, CollectionError, Id, Originals, Record};
use crate::error::first_not_finite;
use crate::metric::Metric;
use crate::scorer::{AnyRows, Encoding, EncodingError, F32Rows, Rows, Scorer};
use crate::unit::{norms, scale_to_unit};
use crate::value::{Metadata, metadata_bytes};

/// Rows at most: a slot leaves one bit for the graph.
const MAX_ROWS: usize = (1 << 31) - 1;

/// What finds neighbours.
#[derive(Debug)]
pub(super) enum Index {
    Flat,
    #[cfg(feature = "hnsw")]
    Hnsw(Box<crate::Graph>),
    #[cfg(feature = "hnsw_rs")]
    HnswRs(crate::index::hnsw_rs::HnswRs),
}

/// Rows and what is known of them, by slot.
#[derive(Debug)]
pub(super) struct State {
    pub(super) ids: Ids,
    pub(super) metadata: Vec<Option<Box<Metadata>>>,
    /// Whether a slot's row was not deleted.
    pub(super) live: Vec<bool>,
    pub(super) live_rows: usize,
    /// The vectors: always while there are no codes, and beside them if they are kept.
    pub(super) exact: Option<F32Rows>,
    pub(super) codes: Option<AnyRows>,
    /// Lengths that vectors had under cosine; empty otherwise.
    pub(super) norms: Vec<f32>,
    pub(super) norm_sq: Bound<Row<f32>>,
    pub(super) index: Index,
    /// When to try again what could not be learnt.
    train_next: usize,
    /// Whether somebody else links: rows behind the graph's are scanned meanwhile.
    #[cfg(feature = "hnsw")]
    pub(super) catching_up: bool,
    /// The store's commit that this is as of.
    #[cfg(feature = "storage")]
    pub(super) sequence: u64,
}

/// Rows beyond which linking is not waited for, where it can be left to another thread.
#[cfg(all(feature = "storage", feature = "hnsw"))]
pub(super) const AT_ONCE: usize = 1024;

/// What a store took in and a collection has to follow: rows in the order of their slots.
#[cfg(feature = "storage")]
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) names: Vec<(Id, Option<Metadata>)>,
    /// Lengths of the vectors under cosine; empty otherwise.
    pub(super) norms: Vec<f32>,
}

/// Who links rows of a batch.
pub(super) type Crew<'a> = Option<&'a PoolOf>;

#[cfg(feature = "parallel")]
pub(super) type PoolOf = rayon::ThreadPool;
#[cfg(not(feature = "parallel"))]
pub(super) type PoolOf = std::convert::Infallible;

impl State {
    pub(super) fn new(
        options: &CollectionBuilder,
        exact: Option<F32Rows>,
        index: Index,
    ) -> Result<Self, CollectionError> {
        let codes = if exact.is_none() {
            let none = AlignedRows::<f32>::with_capacity(0, options.dim)?;
            let (dim, metric) = (options.dim, options.metric);
            Some(options.encoding.train(
                dim,
                metric,
                none.view(),
                options.seed,
                &Forced::default(),
            )?)
        } else {
            None
        };
        Ok(Self {
            ids: Ids::default(),
            metadata: Vec::new(),
            live: Vec::new(),
            live_rows: 0,
            exact,
            codes,
            norms: Vec::new(),
            norm_sq: norms(options.dim).map_err(EncodingError::from)?,
            index,
            train_next: 0,
            #[cfg(feature = "hnsw")]
            catching_up: false,
            #[cfg(feature = "storage")]
            sequence: 0,
        })
    }

    /// Slots, those of deleted rows included.
    pub(super) fn slots(&self) -> usize {
        self.live.len()
    }

    /// Looks at a whole batch before anything changes.
    pub(super) fn check(
        &self,
        options: &CollectionBuilder,
        records: &[Record],
        replace: bool,
    ) -> Result<(), CollectionError> {
        let mut seen = std::collections::HashSet::with_capacity(records.len());
        for (at, record) in records.iter().enumerate() {
            if record.vector.len() != options.dim {
                let (expected, found) = (options.dim, record.vector.len());
                return Err(CollectionError::DimMismatch { record: at, expected, found });
            }
            if let Some((position, value)) = first_not_finite(&record.vector) {
                return Err(CollectionError::NotFinite { record: at, position, value });
            }
            if !record.id.is_valid() {
                return Err(CollectionError::BadId { record: at, bytes: record.id.bytes() });
            }
            if !seen.insert(&record.id) {
                return Err(CollectionError::IdTwice { id: record.id.clone() });
            }
            if !replace && self.ids.slot(&record.id).is_some() {
                return Err(CollectionError::IdExists { id: record.id.clone() });
            }
        }
        let rows = self.slots() + records.len();
        if rows > MAX_ROWS {
            return Err(CollectionError::Full { rows });
        }
        if let Some(budget) = options.budget {
            let more: usize = records.iter().map(|r| self.cost(options, r)).sum();
            let needed = self.bytes().total() + more;
            if needed > budget {
                return Err(CollectionError::Budget { needed, budget });
            }
        }
        Ok(())
    }

    /// Bytes that a record will take.
    fn cost(&self, options: &CollectionBuilder, record: &Record) -> usize {
        let vector = options.dim.next_multiple_of(16) * size_of::<f32>();
        let stored = self.exact.as_ref().is_some_and(F32Rows::is_stored);
        let links = match &self.index {
            Index::Flat => 0,
            #[cfg(feature = "hnsw_rs")]
            Index::HnswRs(_) => 2 * vector,
            #[cfg(feature = "hnsw")]
            Index::Hnsw(graph) => {
                (graph.options().m0() + graph.options().m / 8 + 3) * size_of::<u32>()
            }
        };
        let metadata = record.metadata.as_ref().map_or(0, metadata_bytes);
        let held = match (&self.codes, &self.exact) {
            (None, _) if stored => 0,
            (None, _) => vector,
            (Some(codes), exact) => {
                let each = codes.bytes().div_ceil(codes.len().max(1)).min(vector);
                each + if exact.is_some() && !stored { vector } else { 0 }
            }
        };
        held + links + metadata + record.id.bytes() + size_of::<Id>() + 24
    }

    /// Takes a checked batch in. Rows whose ids are in use are replaced.
    pub(super) fn insert(
        &mut self,
        options: &CollectionBuilder,
        records: Vec<Record>,
        pool: Crew<'_>,
    ) -> Result<(), CollectionError> {
        let from = self.slots();
        // All memory first: then nothing can fail half-way.
        self.reserve(options, records.len())?;
        #[cfg(feature = "hnsw")]
        if let Index::Hnsw(graph) = &mut self.index {
            graph.reserve(from + records.len())?;
        }
        let mut records = records;
        for record in &mut records {
            if let Err(e) = self.push(options, &mut record.vector) {
                self.forget(from);
                return Err(e);
            }
        }
        self.name(records.into_iter().map(|record| (record.id, record.metadata)));
        self.train(options, pool)?;
        self.link(pool)
    }

    /// Room for so many more rows, but for what the index needs.
    pub(super) fn reserve(
        &mut self,
        options: &CollectionBuilder,
        count: usize,
    ) -> Result<(), CollectionError> {
        if let Some(exact) = &mut self.exact {
            reserve(exact, count)?;
        }
        if let Some(codes) = &mut self.codes {
            reserve(codes, count)?;
        }
        let reserved = self.ids.reserve(count)
            && self.metadata.try_reserve(count).is_ok()
            && self.live.try_reserve(count).is_ok()
            && self.norms.try_reserve(count).is_ok();
        if reserved {
            return Ok(());
        }
        let (rows, dim) = (self.slots() + count, options.dim);
        Err(annvil_kernels::LayoutError::TooLarge { rows, dim }.into())
    }

    /// Names the next slots. Rows whose ids are in use are replaced.
    fn name(&mut self, names: impl Iterator<Item = (Id, Option<Metadata>)>) {
        let mut replaced = Vec::new();
        for (id, metadata) in names {
            replaced.extend(self.ids.remove(&id));
            self.ids.push(id);
            self.metadata.push(metadata.map(Box::new));
            self.live.push(true);
            self.live_rows += 1;
        }
        for slot in replaced {
            self.bury(slot);
        }
    }

    /// Follows a store that took rows in; `vectors` are all of them, of before too. Whether linking
    /// them is left to whoever is asked next.
    #[cfg(feature = "storage")]
    pub(super) fn follow(
        &mut self,
        options: &CollectionBuilder,
        taken: Taken,
        vectors: crate::storage::StoredVectors,
        pool: Crew<'_>,
    ) -> Result<bool, CollectionError> {
        let (from, count) = (self.slots(), taken.names.len());
        if vectors.view().len() != from + count {
            return Err(CollectionError::Behind);
        }
        self.reserve(options, count)?;
        if let Some(codes) = &mut self.codes {
            let view = vectors.view();
            if let Err(e) = (from..from + count).try_for_each(|row| codes.push(view.row(row))) {
                codes.truncate(from);
                return Err(e.into());
            }
        }
        if let Some(exact) = &mut self.exact {
            exact.show(vectors);
        }
        self.norms.extend(taken.norms);
        self.name(taken.names.into_iter());
        self.train(options, pool)?;
        Ok(self.link_or_leave(count, pool))
    }

    /// Links `count` rows, unless they are many: then that is left to another thread, and whether
    /// one is to be asked is returned. What cannot be linked is scanned.
    #[cfg(all(feature = "storage", feature = "hnsw"))]
    pub(super) fn link_or_leave(&mut self, count: usize, pool: Crew<'_>) -> bool {
        let is_graph = matches!(self.index, Index::Hnsw(_));
        if is_graph && count > AT_ONCE && !self.catching_up {
            self.catching_up = true;
            return true;
        }
        // Too little memory for links: the rows are there, and are found without.
        let _ = self.link(pool);
        false
    }

    #[cfg(all(feature = "storage", not(feature = "hnsw")))]
    #[expect(clippy::unused_self, reason = "there is nothing to link")]
    pub(super) fn link_or_leave(&mut self, _count: usize, _pool: Crew<'_>) -> bool {
        false
    }

    /// Rows that the index covers: all but for a graph that is behind.
    pub(super) fn indexed(&self) -> usize {
        match &self.index {
            #[cfg(feature = "hnsw")]
            Index::Hnsw(graph) => graph.len(),
            _ => self.slots(),
        }
    }

    /// The vector alone: into the rows.
    fn push(
        &mut self,
        options: &CollectionBuilder,
        vector: &mut [f32],
    ) -> Result<(), CollectionError> {
        if options.metric == Metric::Cosine {
            self.norms.push(scale_to_unit(&self.norm_sq, vector));
        }
        if let Some(exact) = &mut self.exact {
            exact.push(vector)?;
        }
        if let Some(codes) = &mut self.codes {
            codes.push(vector)?;
        }
        Ok(())
    }

    /// Drops vectors that have no id yet.
    fn forget(&mut self, from: usize) {
        self.norms.truncate(from);
        if let Some(exact) = &mut self.exact {
            exact.truncate(from);
        }
        if let Some(codes) = &mut self.codes {
            codes.truncate(from);
        }
    }

    /// Links what is not linked yet.
    #[cfg(feature = "hnsw")]
    pub(super) fn link(&mut self, pool: Crew<'_>) -> Result<(), CollectionError> {
        if self.catching_up {
            return Ok(());
        }
        #[cfg(feature = "hnsw_rs")]
        if let (Index::HnswRs(graph), Some(exact)) = (&mut self.index, &self.exact) {
            match pool {
                Some(pool) => graph.extend_in(pool, exact),
                None => graph.extend(exact),
            }
        }
        let Index::Hnsw(graph) = &mut self.index else { return Ok(()) };
        match (&self.codes, &self.exact) {
            (Some(codes), _) => extend(graph, codes, pool),
            (None, Some(exact)) => extend(graph, exact, pool),
            (None, None) => Ok(()),
        }
    }

    #[cfg(not(feature = "hnsw"))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "there is nothing to link")]
    pub(super) fn link(&mut self, _pool: Crew<'_>) -> Result<(), CollectionError> {
        Ok(())
    }

    /// Learns the encoding if it is time, encodes what is there, and drops the vectors unless they
    /// are kept.
    pub(super) fn train(
        &mut self,
        options: &CollectionBuilder,
        pool: Crew<'_>,
    ) -> Result<(), CollectionError> {
        if options.encoding == Encoding::F32 || self.codes.is_some() {
            return Ok(());
        }
        if options.encoding.learns() && self.slots() < self.train_next.max(options.train_at) {
            return Ok(());
        }
        match self.encode(options, pool) {
            // The rows are in, and are found as they are: what cannot be learnt from so many may be
            // from more.
            Err(CollectionError::Encoding(_)) => {
                self.train_next = 2 * self.slots();
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn encode(
        &mut self,
        options: &CollectionBuilder,
        pool: Crew<'_>,
    ) -> Result<(), CollectionError> {
        let Some(exact) = &self.exact else { return Ok(()) };
        if options.encoding == Encoding::F32 || self.codes.is_some() || exact.is_empty() {
            return Ok(());
        }
        let sample: RowsRef<'_, f32> = exact.view();
        let forced = Forced::default();
        let mut codes =
            options.encoding.train(options.dim, options.metric, sample, options.seed, &forced)?;
        codes.reserve(exact.len())?;
        for row in 0..exact.len() {
            codes.push(exact.view().row(row))?;
        }
        // What was linked by vectors stays; what comes is linked by codes.
        #[cfg(feature = "hnsw")]
        if let Index::Hnsw(graph) = &mut self.index
            && !self.catching_up
        {
            extend(graph, exact, pool)?;
        }
        #[cfg(not(feature = "hnsw"))]
        let _ = pool;
        self.codes = Some(codes);
        // In a store's file they take no memory.
        let stored = self.exact.as_ref().is_some_and(F32Rows::is_stored);
        if options.originals == Originals::Drop && !stored {
            self.exact = None;
        }
        Ok(())
    }

    /// Marks a slot's row as deleted: it is passed through by searches, and never returned.
    fn bury(&mut self, slot: u32) {
        let slot = slot as usize;
        if std::mem::replace(&mut self.live[slot], false) {
            self.live_rows -= 1;
            self.metadata[slot] = None;
        }
    }

    /// Deletes a row; whether there was one.
    pub(super) fn delete(&mut self, id: &Id) -> bool {
        match self.ids.remove(id) {
            Some(slot) => {
                self.bury(slot);
                true
            }
            None => false,
        }
    }

    /// The vector of a slot, as it was given, or as its codes have it.
    pub(super) fn vector(&self, slot: u32, dim: usize) -> Vec<f32> {
        let mut vector = vec![0.0; dim];
        match (&self.exact, &self.codes) {
            (Some(exact), _) => exact.decode(slot, &mut vector),
            (None, Some(codes)) => codes.decode(slot, &mut vector),
            (None, None) => {}
        }
        if let Some(norm) = self.norms.get(slot as usize) {
            vector.iter_mut().for_each(|v| *v *= norm);
        }
        vector
    }

    /// The same rows without those that were deleted, in the same order.
    pub(super) fn compacted(
        &self,
        options: &CollectionBuilder,
        mut fresh: Self,
        pool: Crew<'_>,
    ) -> Result<Self, CollectionError> {
        let kept: Vec<u32> =
            (0..self.slots() as u32).filter(|&slot| self.live[slot as usize]).collect();
        if let (Some(exact), Some(to)) = (&self.exact, &mut fresh.exact) {
            to.reserve(kept.len())?;
            kept.iter().try_for_each(|&slot| to.push(exact.view().row(slot as usize)))?;
        }
        if self.exact.is_none() {
            fresh.exact = None;
        }
        if let Some(codes) = &self.codes {
            let mut same = codes.clone();
            let mut vector = vec![0.0; options.dim];
            // What a code stands for is encoded as the same code.
            for (to, &slot) in kept.iter().enumerate() {
                match &self.exact {
                    Some(exact) => vector.copy_from_slice(exact.view().row(slot as usize)),
                    None => codes.decode(slot, &mut vector),
                }
                same.set(to as u32, &vector);
            }
            same.truncate(kept.len());
            fresh.codes = Some(same);
        }
        if !fresh.ids.reserve(kept.len()) {
            let dim = options.dim;
            return Err(annvil_kernels::LayoutError::TooLarge { rows: kept.len(), dim }.into());
        }
        for &slot in &kept {
            fresh.ids.push(self.ids.id(slot).clone());
            fresh.metadata.push(self.metadata[slot as usize].clone());
            fresh.norms.extend(self.norms.get(slot as usize));
            fresh.live.push(true);
        }
        fresh.live_rows = kept.len();
        fresh.link(pool)?;
        Ok(fresh)
    }

    /// What is held.
    pub(super) fn bytes(&self) -> Bytes {
        let metadata =
            self.metadata.iter().flatten().map(|m| size_of::<Metadata>() + metadata_bytes(m));
        Bytes {
            vectors: self.exact.as_ref().map_or(0, Rows::bytes),
            codes: self.codes.as_ref().map_or(0, Rows::bytes),
            mapped: self.exact.as_ref().filter(|rows| rows.is_stored()).map_or(0, |rows| {
                let view = rows.view();
                view.len() * view.stride() * size_of::<f32>()
            }),
            links: match &self.index {
                Index::Flat => 0,
                #[cfg(feature = "hnsw")]
                Index::Hnsw(graph) => graph.bytes(),
                #[cfg(feature = "hnsw_rs")]
                Index::HnswRs(graph) => self.exact.as_ref().map_or(0, |rows| graph.bytes(rows)),
            },
            ids: self.ids.bytes(),
            metadata: metadata.sum::<usize>() + self.metadata.capacity() * size_of::<usize>(),
            other: self.live.capacity() + self.norms.capacity() * size_of::<f32>(),
        }
    }
}

/// Links what is not linked yet, by the threads of a pool if there is one.
#[cfg(feature = "hnsw")]
pub(super) fn extend<S: Scorer>(
    graph: &mut crate::Graph,
    rows: &S,
    pool: Crew<'_>,
) -> Result<(), CollectionError> {
    match pool {
        #[cfg(feature = "parallel")]
        Some(pool) => graph.extend_in(pool, rows)?,
        _ => graph.extend(rows)?,
    }
    Ok(())
}

/// Room for a batch: for many rows as much as they need, for one a share more.
fn reserve(rows: &mut impl Rows, count: usize) -> Result<(), CollectionError> {
    if count > 1 {
        rows.reserve(count)?;
    }
    Ok(())
}

/// Bytes held, by what for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// Vectors as they were given.
    pub vectors: usize,
    /// Vectors that lie in a store's file: the system keeps in memory what is used of them, and takes
    /// it back when it needs to. Not counted with the others.
    pub mapped: usize,
    /// Codes, and what was learnt.
    pub codes: usize,
    /// Links of the graph.
    pub links: usize,
    /// Ids and the table that finds them.
    pub ids: usize,
    /// Metadata, roughly.
    pub metadata: usize,
    /// Marks and lengths.
    pub other: usize,
}

impl Bytes {
    /// All of it but for what is mapped.
    #[must_use]
    pub fn total(&self) -> usize {
        self.vectors + self.codes + self.links + self.ids + self.metadata + self.other
    }
}
