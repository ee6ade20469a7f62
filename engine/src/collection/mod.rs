//! Rows with ids and metadata: put in, replaced, deleted, and searched; in memory, or on disk as well.

#[cfg(feature = "storage")]
mod disk;
mod error;
mod id;
mod options;
mod search;
mod state;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

#[cfg(feature = "storage")]
pub use disk::BulkInsert;
pub use error::CollectionError;
pub use id::Id;
pub use options::{CollectionBuilder, IndexKind, Originals};
pub use search::{Hit, Plan, Query};
pub use state::Bytes;

use crate::mem::Pool;
use crate::value::Metadata;
use search::SearchScratch;
use state::{Crew, State};

/// A row to be put in.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is called.
    pub id: Id,
    /// Its vector; taken over, not copied on the way.
    pub vector: Vec<f32>,
    /// What is known of it.
    pub metadata: Option<Metadata>,
}

impl Record {
    /// A row without metadata.
    pub fn new(id: impl Into<Id>, vector: Vec<f32>) -> Self {
        Self { id: id.into(), vector, metadata: None }
    }

    /// With a field of metadata more.
    #[must_use]
    pub fn with(mut self, field: impl Into<String>, value: impl Into<crate::Value>) -> Self {
        self.metadata.get_or_insert_default().insert(field.into(), value.into());
        self
    }
}

/// Vectors with ids and metadata: in memory, or, if it was made or opened in a directory, on disk as
/// well, and then whatever a call acknowledged is there after a crash.
///
/// Any number of threads may search at once, and none waits for another; a change waits for the
/// searches under way and is seen by all that come after it, whole. A batch is taken in whole or not
/// at all.
///
/// ```
/// use annvil::{Collection, Filter, Metric, Query, Record};
///
/// let books = Collection::builder(3).metric(Metric::Cosine).build()?;
/// books.insert_batch(vec![
///     Record::new("dune", vec![0.9, 0.1, 0.0]).with("year", 1965),
///     Record::new("emma", vec![0.0, 0.2, 0.9]).with("year", 1815),
/// ])?;
/// let recent = Query::new(&[1.0, 0.0, 0.1]).k(1).filter(Filter::at_least("year", 1900));
/// assert_eq!(books.search(&recent)?[0].id, "dune".into());
/// # Ok::<(), annvil::CollectionError>(())
/// ```
#[derive(Debug)]
pub struct Collection {
    shared: Arc<Shared>,
    #[cfg(feature = "storage")]
    disk: Option<Arc<disk::Disk>>,
}

/// What the threads of a collection share.
#[derive(Debug)]
struct Shared {
    options: CollectionBuilder,
    state: RwLock<State>,
    /// Held by whoever changes rows, and alone by whoever gives them new slots.
    changes: RwLock<()>,
    /// Buffers of searches that are not under way.
    scratch: Pool<SearchScratch>,
}

/// What a collection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Rows that can be found.
    pub rows: usize,
    /// Rows that were deleted or replaced and are still passed through; see
    /// [`Collection::compact`].
    pub tombstones: usize,
    /// Whether rows are held in the encoding, which may have to be learnt first.
    pub encoded: bool,
    /// Slots that the index covers, those of tombstones included. The others are compared one by one
    /// until it has caught up.
    pub indexed: usize,
    /// Bytes held.
    pub bytes: Bytes,
}

/// Buffers that are kept for later at most.
const SPARE: usize = 64;

impl Collection {
    /// Options for vectors of `dim` elements.
    #[must_use]
    pub fn builder(dim: usize) -> CollectionBuilder {
        CollectionBuilder::new(dim)
    }

    /// Puts a row in.
    ///
    /// # Errors
    /// An id that is in use or is none, a vector of another dimension or with a NaN or an infinity, or
    /// no room; the collection is as before.
    pub fn insert(&self, id: impl Into<Id>, vector: Vec<f32>) -> Result<(), CollectionError> {
        self.insert_batch(vec![Record::new(id, vector)])
    }

    /// Puts rows in, all or none. Vectors go from the records into the rows' memory, and nothing
    /// else of their size is allocated.
    ///
    /// # Errors
    /// As [`Collection::insert`], naming the first record at fault.
    pub fn insert_batch(&self, records: Vec<Record>) -> Result<(), CollectionError> {
        self.put(records, false)
    }

    /// As [`Collection::insert_batch`], but rows whose ids are in use are replaced: neither their
    /// vectors nor their metadata can be found any more.
    ///
    /// # Errors
    /// As [`Collection::insert`], but for ids in use.
    pub fn upsert_batch(&self, records: Vec<Record>) -> Result<(), CollectionError> {
        self.put(records, true)
    }

    /// Puts a row in, in the place of the one that has the id, if any.
    ///
    /// # Errors
    /// As [`Collection::upsert_batch`].
    pub fn upsert(&self, record: Record) -> Result<(), CollectionError> {
        self.put(vec![record], true)
    }

    fn put(&self, records: Vec<Record>, replace: bool) -> Result<(), CollectionError> {
        let _change = self.shared.change();
        #[cfg(feature = "storage")]
        if let Some(disk) = &self.disk {
            return disk.put(&self.shared, records, replace);
        }
        let mut state = self.write()?;
        state.check(self.options(), &records, replace)?;
        state.insert(self.options(), records, self.shared.pool())
    }

    /// Deletes the rows of these ids; how many there were.
    ///
    /// # Errors
    /// Only if an earlier change broke off, or what writing to disk gives.
    pub fn delete<I: Into<Id>>(
        &self,
        ids: impl IntoIterator<Item = I>,
    ) -> Result<usize, CollectionError> {
        let _change = self.shared.change();
        #[cfg(feature = "storage")]
        if let Some(disk) = &self.disk {
            return disk.delete(&self.shared, ids.into_iter().map(Into::into));
        }
        let mut state = self.write()?;
        Ok(ids.into_iter().map(|id| state.delete(&id.into())).filter(|deleted| *deleted).count())
    }

    /// The row of an id: its vector, as exactly as it is held, and its metadata.
    pub fn get(&self, id: impl Into<Id>) -> Option<Record> {
        let (state, id) = (self.read(), id.into());
        let slot = state.ids.slot(&id)?;
        let metadata = state.metadata[slot as usize].as_deref().cloned();
        Some(Record { id, vector: state.vector(slot, self.options().dim), metadata })
    }

    /// Whether a row has the id.
    pub fn contains(&self, id: impl Into<Id>) -> bool {
        self.read().ids.slot(&id.into()).is_some()
    }

    /// Rows that can be found.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read().live_rows
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.options().dim
    }

    /// The ids of all rows, in the order in which they came.
    #[must_use]
    pub fn ids(&self) -> Vec<Id> {
        let state = self.read();
        let live = (0..state.slots() as u32).filter(|&slot| state.live[slot as usize]);
        live.map(|slot| state.ids.id(slot).clone()).collect()
    }

    /// The rows nearest to the query's vector, nearest first, ties by the order in which they came.
    ///
    /// # Errors
    /// A vector of another dimension or with a NaN or an infinity, a filter that cannot be asked, or
    /// exact distances where vectors were not kept.
    pub fn search(&self, query: &Query<'_>) -> Result<Vec<Hit>, CollectionError> {
        self.explain(query).map(|(hits, _)| hits)
    }

    /// As [`Collection::search`], and says in which way the search went.
    ///
    /// # Errors
    /// As [`Collection::search`].
    pub fn explain(&self, query: &Query<'_>) -> Result<(Vec<Hit>, Plan), CollectionError> {
        let mut scratch = self.shared.scratch.acquire();
        self.read().search(self.options(), query, &mut scratch)
    }

    /// [`Collection::search`] of each query, in their order, shared by the collection's threads.
    ///
    /// # Errors
    /// As [`Collection::search`], the first query at fault.
    pub fn search_batch(&self, queries: &[Query<'_>]) -> Result<Vec<Vec<Hit>>, CollectionError> {
        #[cfg(feature = "parallel")]
        if let Some(pool) = self.shared.pool() {
            use rayon::prelude::*;
            return pool.install(|| queries.par_iter().map(|q| self.search(q)).collect());
        }
        queries.iter().map(|q| self.search(q)).collect()
    }

    /// Learns the encoding from the rows that are there, without waiting for more of them.
    ///
    /// # Errors
    /// An encoding that cannot be learnt from these rows, or too little memory.
    pub fn train(&self) -> Result<(), CollectionError> {
        let _change = self.shared.change();
        self.write()?.encode(self.options(), self.shared.pool())?;
        #[cfg(feature = "storage")]
        if let Some(disk) = &self.disk {
            disk.keep_learnt(&self.shared)?;
        }
        Ok(())
    }

    /// Drops what was deleted; the others get new slots, in the same order, and are linked anew. The
    /// old rows answer meanwhile, and changes wait. On disk the others are written anew, and linked
    /// by another thread, until when every row is compared.
    ///
    /// # Errors
    /// Too little memory, or what the disk gives; the collection is as before.
    pub fn compact(&self) -> Result<(), CollectionError> {
        let _alone = self.shared.changes.write().unwrap_or_else(PoisonError::into_inner);
        let state = self.read();
        if state.live_rows == state.slots() {
            return Ok(());
        }
        #[cfg(feature = "storage")]
        if let Some(disk) = &self.disk {
            drop(state);
            return disk.compact(&self.shared);
        }
        let empty = self.options().empty()?;
        let compacted = state.compacted(self.options(), empty, self.shared.pool())?;
        drop(state);
        *self.write()? = compacted;
        Ok(())
    }

    /// What is held.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let state = self.read();
        Stats {
            rows: state.live_rows,
            tombstones: state.slots() - state.live_rows,
            encoded: state.codes.is_some()
                || self.options().encoding == crate::scorer::Encoding::F32,
            indexed: state.indexed(),
            bytes: state.bytes(),
        }
    }

    /// Whether the graph is one; `None` without a graph. See [`Graph::check`](crate::Graph::check).
    #[cfg(feature = "hnsw")]
    #[must_use]
    pub fn check_graph(&self) -> Option<crate::GraphReport> {
        match &self.read().index {
            state::Index::Hnsw(graph) => Some(graph.check()),
            _ => None,
        }
    }

    /// How it was made.
    #[must_use]
    pub fn options(&self) -> &CollectionBuilder {
        &self.shared.options
    }

    fn of(options: CollectionBuilder, state: State) -> Self {
        let shared = Shared {
            options,
            state: RwLock::new(state),
            changes: RwLock::new(()),
            scratch: Pool::new(SPARE),
        };
        Self {
            shared: Arc::new(shared),
            #[cfg(feature = "storage")]
            disk: None,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.shared.read()
    }

    fn write(&self) -> Result<RwLockWriteGuard<'_, State>, CollectionError> {
        self.shared.write()
    }
}

impl Shared {
    /// Readers go on with what a writer left that broke off: rows are complete before they count.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result<RwLockWriteGuard<'_, State>, CollectionError> {
        self.state.write().map_err(|_| CollectionError::Poisoned)
    }

    /// The right to change rows, beside others.
    fn change(&self) -> RwLockReadGuard<'_, ()> {
        self.changes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn pool(&self) -> Crew<'_> {
        #[cfg(feature = "parallel")]
        return self.options.pool.as_deref();
        #[cfg(not(feature = "parallel"))]
        return None;
    }
}
