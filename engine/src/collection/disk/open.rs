//! Making a collection in a directory, and opening one.

use std::path::Path;
use std::sync::Arc;

use annvil_kernels::Forced;

use super::{Disk, LEARNT};
#[cfg(feature = "hnsw")]
use crate::collection::state::Index;
use crate::collection::state::{Crew, State};
use crate::collection::{Collection, CollectionBuilder, CollectionError};
use crate::metric::Metric;
use crate::scorer::{Encoding, Rows};
use crate::storage::vfs::{OsVfs, Vfs};
use crate::storage::{
    CorruptionFault, Doing, Entry, Kind, RECORDS, Reader, SegmentSpec, Store, StoreError,
    StoreOptions, StoredVectors,
};

/// Records that one thread reads at a time.
#[cfg(feature = "parallel")]
const PART: u32 = 4096;

/// What was found beside the rows.
pub(super) struct Found {
    /// Whether the store has what was learnt.
    learnt: bool,
    /// Rows of the stored graph, if it is one.
    #[cfg(feature = "hnsw")]
    graph: usize,
}

impl Collection {
    /// Opens the collection of a directory, with the options that it was made with. Rows are mapped,
    /// the stored graph is checked and taken over; what was committed after it is linked now, or
    /// compared one by one until a thread has linked it.
    ///
    /// # Errors
    /// There is none, somebody else has it open, it is damaged, it is of a later version, or what the
    /// system gives.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, CollectionError> {
        Self::open_with(dir, |options| options)
    }

    /// As [`Collection::open`], with what is not stored: threads or a pool, the budget, whether rows
    /// are mapped and compared. Whatever else `how` asks for, the stored options win.
    ///
    /// # Errors
    /// As [`Collection::open`], and threads that do not start.
    pub fn open_with(
        dir: impl AsRef<Path>,
        how: impl FnOnce(CollectionBuilder) -> CollectionBuilder,
    ) -> Result<Self, CollectionError> {
        let options = how(CollectionBuilder::new(1));
        let store = Store::open(Arc::new(existing(dir)?), &options.expecting())?;
        of_store(store, options)
    }

    /// As [`Collection::open`], through another door to files.
    ///
    /// # Errors
    /// As [`Collection::open`].
    pub fn open_in(vfs: Arc<dyn Vfs>) -> Result<Self, CollectionError> {
        let store = Store::open(vfs, &StoreOptions::expecting())?;
        of_store(store, CollectionBuilder::new(1))
    }
}

impl CollectionBuilder {
    /// Makes a collection in a directory, which is made if it is missing.
    ///
    /// # Errors
    /// There is one already, options as of [`CollectionBuilder::build`], or what the system gives.
    pub fn create(self, dir: impl AsRef<Path>) -> Result<Collection, CollectionError> {
        self.create_in(Arc::new(made(dir)?))
    }

    /// Opens the collection of a directory. The options it was made with have to be these; how many
    /// threads and how much memory it may use are up to these alone.
    ///
    /// # Errors
    /// As [`Collection::open`], and an option that contradicts the stored one.
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Collection, CollectionError> {
        self.open_in(Arc::new(existing(dir)?))
    }

    /// Opens the collection of a directory, or makes one.
    ///
    /// ```
    /// use annvil::{Collection, Metric, Query};
    ///
    /// let dir = std::env::temp_dir().join(format!("annvil-doc-{}", std::process::id()));
    /// let options = Collection::builder(2).metric(Metric::Cosine);
    /// let places = options.clone().open_or_create(&dir)?;
    /// places.insert("north", vec![0.0, 1.0])?;
    /// places.insert("east", vec![1.0, 0.0])?;
    /// places.close()?;
    ///
    /// let places = options.open_or_create(&dir)?;
    /// assert_eq!(places.search(&Query::new(&[0.1, 0.9]).k(1))?[0].id, "north".into());
    /// # drop(places);
    /// # std::fs::remove_dir_all(&dir).ok();
    /// # Ok::<(), annvil::CollectionError>(())
    /// ```
    ///
    /// # Errors
    /// As [`CollectionBuilder::open`] and [`CollectionBuilder::create`].
    pub fn open_or_create(self, dir: impl AsRef<Path>) -> Result<Collection, CollectionError> {
        let vfs: Arc<dyn Vfs> = Arc::new(made(dir)?);
        match self.clone().open_in(Arc::clone(&vfs)) {
            Err(CollectionError::Store(StoreError::NoStore)) => self.create_in(vfs),
            result => result,
        }
    }

    /// As [`CollectionBuilder::create`], through another door to files.
    ///
    /// # Errors
    /// As [`CollectionBuilder::create`].
    pub fn create_in(self, vfs: Arc<dyn Vfs>) -> Result<Collection, CollectionError> {
        // Whatever cannot be is refused before there is a file.
        self.empty()?;
        let mut segments = vec![SegmentSpec::vectors(self.dim)];
        if self.metric == Metric::Cosine {
            segments.push(SegmentSpec::side(Kind::F32, 1));
        }
        let store = Store::create(vfs, &self.to_params(self.store_options(segments))?)?;
        of_store(store, self)
    }

    /// As [`CollectionBuilder::open`], through another door to files.
    ///
    /// # Errors
    /// As [`CollectionBuilder::open`].
    pub fn open_in(self, vfs: Arc<dyn Vfs>) -> Result<Collection, CollectionError> {
        let store = Store::open(vfs, &self.to_params(self.expecting())?)?;
        of_store(store, self)
    }

    /// Holds the vectors of a collection on disk in memory instead of mapping the file, for files
    /// that others may change while they are open. They are mapped by default.
    #[must_use]
    pub fn on_heap(mut self, heap: bool) -> Self {
        self.on_heap = heap;
        self
    }

    /// Whether opening compares the checksums of all rows, which reads them. It does by default; see
    /// [`Collection::verify`] for later.
    #[must_use]
    pub fn verify_on_open(mut self, verify: bool) -> Self {
        self.verify_on_open = verify;
        self
    }

    /// Of a store that is there, whatever its options.
    fn expecting(&self) -> StoreOptions {
        self.store_options(Vec::new())
    }

    fn store_options(&self, segments: Vec<SegmentSpec>) -> StoreOptions {
        let options = StoreOptions::new(segments);
        options.on_heap(self.on_heap).verify_on_open(self.verify_on_open)
    }
}

fn existing(dir: impl AsRef<Path>) -> Result<OsVfs, CollectionError> {
    let found = OsVfs::open(dir).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => StoreError::NoStore,
        _ => StoreError::io(Doing::Open, "the directory", e),
    });
    Ok(found?)
}

fn made(dir: impl AsRef<Path>) -> Result<OsVfs, CollectionError> {
    Ok(OsVfs::create(dir).map_err(|e| StoreError::io(Doing::Create, "the directory", e))?)
}

fn of_store(store: Store, options: CollectionBuilder) -> Result<Collection, CollectionError> {
    let options = options.with_params(&store.info().params)?.with_crew()?;
    #[cfg(feature = "parallel")]
    let pool: Crew<'_> = options.pool.as_deref();
    #[cfg(not(feature = "parallel"))]
    let pool: Crew<'_> = None;
    let (state, found) = State::load(&store, &options, pool)?;
    let mut collection = Collection::of(options, state);
    #[cfg(feature = "hnsw")]
    let disk = Arc::new(Disk::new(store, found.graph, found.learnt));
    #[cfg(not(feature = "hnsw"))]
    let disk = Arc::new(Disk::new(store, found.learnt));
    #[cfg(feature = "hnsw")]
    disk.catch_up_if_behind(&collection.shared)?;
    // Rows that were there before the encoding could be learnt may be enough by now.
    let _ = disk.keep_learnt(&collection.shared);
    collection.disk = Some(disk);
    Ok(collection)
}

/// The segments are not those of the collection that the parameters describe.
fn contradiction() -> StoreError {
    let fault = CorruptionFault::Contradiction { tables: "meta, segments", slot: None };
    StoreError::corrupt(RECORDS, fault)
}

/// The first `rows` vectors.
pub(super) fn vectors(store: &Store, rows: usize) -> Result<StoredVectors, CollectionError> {
    let found = StoredVectors::new(store.view(0)?.first(rows));
    Ok(found.ok_or_else(contradiction)?)
}

impl State {
    /// What a store holds. Its graph is taken if it is one; what cannot be made sense of and can be
    /// made again is.
    pub(super) fn load(
        store: &Store,
        options: &CollectionBuilder,
        pool: Crew<'_>,
    ) -> Result<(Self, Found), CollectionError> {
        let mut state = options.empty()?;
        // Nothing is linked on the way.
        #[cfg(feature = "hnsw")]
        {
            state.catching_up = true;
        }
        let reader = store.reader()?;
        let slots = reader.slots() as usize;
        state.sequence = reader.sequence();
        let vectors = vectors(store, slots)?;
        if vectors.view().dim() != options.dim {
            return Err(contradiction().into());
        }
        // First of all: rows that are held would be reserved.
        if let Some(exact) = &mut state.exact {
            exact.show(vectors.clone());
        }
        state.reserve(options, slots)?;
        let learnt;
        #[cfg(feature = "hnsw")]
        let covered = {
            let wanted = match &state.index {
                Index::Hnsw(graph) => Some(*graph.options()),
                _ => None,
            };
            // The links are checked while records are decoded.
            let (graph, filled) = beside(
                || wanted.and_then(|wanted| stored_graph(store, slots, &wanted)),
                || state.fill(store, options, reader, &vectors, pool),
            );
            learnt = filled?;
            state.take_graph(graph)
        };
        #[cfg(not(feature = "hnsw"))]
        {
            learnt = state.fill(store, options, reader, &vectors, pool)?;
        }
        state.train(options, pool)?;
        let found = Found {
            learnt,
            #[cfg(feature = "hnsw")]
            graph: covered,
        };
        Ok((state, found))
    }

    /// Everything but the index; whether what was learnt was stored.
    fn fill(
        &mut self,
        store: &Store,
        options: &CollectionBuilder,
        reader: Reader,
        vectors: &StoredVectors,
        pool: Crew<'_>,
    ) -> Result<bool, CollectionError> {
        self.take_entries(store, reader, pool)?;
        let slots = self.slots();
        if options.metric == Metric::Cosine {
            if store.info().segments.len() < 2 {
                return Err(contradiction().into());
            }
            let norms = store.view(1)?.first(slots);
            let norms = norms.rows::<f32>().ok_or_else(contradiction)?;
            self.norms.extend((0..slots).map(|row| norms.row(row)[0]));
        }
        self.take_codes(store, options, vectors)
    }

    /// Ids and metadata. Each thread reads by a transaction of its own.
    fn take_entries(
        &mut self,
        store: &Store,
        reader: Reader,
        pool: Crew<'_>,
    ) -> Result<(), CollectionError> {
        let slots = reader.slots();
        #[cfg(feature = "parallel")]
        if let Some(pool) = pool
            && slots > PART
        {
            use rayon::prelude::*;
            let sequence = reader.sequence();
            let parts: Vec<u32> = (0..slots).step_by(PART as usize).collect();
            let read = |from: u32| -> Result<Vec<Entry>, CollectionError> {
                let mut entries = Vec::with_capacity(PART as usize);
                let reader = store.reader()?;
                // Nobody commits while a collection is opened.
                if reader.sequence() != sequence {
                    return Err(CollectionError::Behind);
                }
                reader.entries(from..slots.min(from + PART), |entry| entries.push(entry))?;
                Ok(entries)
            };
            let read: Result<Vec<_>, _> =
                pool.install(|| parts.into_par_iter().map(read).collect());
            read?.into_iter().flatten().for_each(|entry| self.take_entry(entry));
            self.take_freed(slots);
            return Ok(());
        }
        let _ = (store, pool);
        reader.entries(0..slots, |entry| self.take_entry(entry))?;
        self.take_freed(slots);
        Ok(())
    }

    fn take_entry(&mut self, entry: Entry) {
        self.take_freed(entry.slot);
        self.ids.push(entry.id);
        self.metadata.push(entry.metadata.map(Box::new));
        self.live.push(true);
        self.live_rows += 1;
    }

    /// Slots up to `to` that nobody has.
    fn take_freed(&mut self, to: u32) {
        while self.live.len() < to as usize {
            self.ids.push_freed();
            self.metadata.push(None);
            self.live.push(false);
        }
    }

    /// Encodes the rows by what was learnt; whether that was stored.
    fn take_codes(
        &mut self,
        store: &Store,
        options: &CollectionBuilder,
        vectors: &StoredVectors,
    ) -> Result<bool, CollectionError> {
        if options.encoding == Encoding::F32 {
            return Ok(false);
        }
        let forced = Forced::default();
        let (dim, metric) = (options.dim, options.metric);
        let stored = match store.blob(LEARNT)? {
            // Damaged or of another version: it is learnt again.
            Some(bytes) => options.encoding.with_learnt(dim, metric, &bytes, &forced).ok(),
            None => None,
        };
        let learnt = stored.is_some();
        let codes = match stored {
            Some(codes) => Some(codes),
            None if !options.encoding.learns() => {
                let none = annvil_kernels::AlignedRows::<f32>::with_capacity(0, dim)?;
                Some(options.encoding.train(dim, metric, none.view(), options.seed, &forced)?)
            }
            // Under Hamming there are codes from the beginning.
            None => self.codes.take(),
        };
        if let Some(mut codes) = codes {
            let view = vectors.view();
            codes.reserve(view.len())?;
            (0..view.len()).try_for_each(|row| codes.push(view.row(row)))?;
            self.codes = Some(codes);
        }
        Ok(learnt)
    }

    /// Puts a graph in its place; how many rows it covers.
    #[cfg(feature = "hnsw")]
    fn take_graph(&mut self, found: Option<crate::Graph>) -> usize {
        match (&mut self.index, found) {
            (Index::Hnsw(graph), Some(found)) => {
                **graph = found;
                graph.len()
            }
            _ => 0,
        }
    }
}

/// The stored graph, if it is one of so many rows at most, and built as wanted.
#[cfg(feature = "hnsw")]
fn stored_graph(store: &Store, slots: usize, wanted: &crate::HnswOptions) -> Option<crate::Graph> {
    let stored = store.graph().ok().flatten()?;
    let graph = crate::Graph::from_parts(&stored.parts).ok()?;
    (graph.len() <= slots && graph.options() == wanted).then_some(graph)
}

/// Does both, the first by a thread of its own if there is one to be had.
#[cfg(feature = "hnsw")]
fn beside<A: Send, B>(
    first: impl Fn() -> Option<A> + Sync,
    second: impl FnOnce() -> B,
) -> (Option<A>, B) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("annvil-open".to_owned());
        match thread.spawn_scoped(scope, &first) {
            Ok(running) => {
                let second = second();
                // A panic was told by its thread; what it was to bring can be made again.
                (running.join().ok().flatten(), second)
            }
            Err(_) => (first(), second()),
        }
    })
}
