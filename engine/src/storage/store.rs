//! An open store: what it shares between its readers and its one writer.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::commit::{Queue, Turns};
use super::error::{BadOption, Doing, StoreError};
use super::records::{Entry, GraphPointer, Reader, Records, State};
use super::segment::{RowsView, Segment, SegmentSpec, Sums};
use super::vfs::{Lock, Vfs};
use super::{Batch, Identity};
use crate::Id;

/// Bytes of a blob.
pub(super) const MAX_BLOB: usize = 1 << 30;

/// A store that is open. Many threads read it while others commit; see the [module](super).
///
/// Dropping it closes it. What was acknowledged is on disk without.
pub struct Store {
    pub(super) vfs: Arc<dyn Vfs>,
    pub(super) identity: Identity,
    pub(super) heap: bool,
    pub(super) records: Records,
    pub(super) shared: RwLock<Shared>,
    pub(super) writer: Mutex<Writer>,
    pub(super) queue: Queue,
    pub(super) turns: Turns,
    pub(super) poisoned: AtomicBool,
    #[cfg(any(test, feature = "storage-sim"))]
    pub(super) knob: super::options::Knob,
    /// Dropped last: until then nobody else may write.
    pub(super) _lock: Box<dyn Lock>,
}

/// What readers look at: as of the last commit.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: State,
    pub(super) segments: Vec<Arc<Segment>>,
    pub(super) params: Vec<(String, String)>,
    pub(super) graph: Option<GraphPointer>,
    /// The commit that gave slots new numbers; graphs of before are of no use.
    pub(super) renumbered: u64,
}

/// What only the one who writes looks at.
#[derive(Debug)]
pub(super) struct Writer {
    /// By segment.
    pub(super) sums: Vec<Sums>,
    /// A number that no file has.
    pub(super) next_file: u32,
    /// Batches that were accepted.
    pub(super) orders: u64,
}

/// What a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// What tells its files from those of another.
    pub identity: [u8; 16],
    /// Commits so far.
    pub sequence: u64,
    /// Rows of every segment, those of deleted ids included.
    pub slots: u32,
    /// Rows that have an id.
    pub live: u32,
    /// The segments.
    pub segments: Vec<SegmentSpec>,
    /// The parameters.
    pub params: Vec<(String, String)>,
    /// Slots that the stored graph covers.
    pub graph_slots: Option<u32>,
    /// Bytes of the segments' files, room included.
    pub segment_bytes: u64,
}

impl Store {
    /// What it holds.
    #[must_use]
    pub fn info(&self) -> StoreInfo {
        let shared = self.shared();
        StoreInfo {
            identity: self.identity,
            sequence: shared.state.sequence,
            slots: shared.state.slots,
            live: shared.state.live,
            segments: shared.segments.iter().map(|s| s.spec).collect(),
            params: shared.params.clone(),
            graph_slots: shared.graph.map(|graph| graph.slots),
            segment_bytes: shared.segments.iter().map(|s| s.file_len()).sum(),
        }
    }

    /// A parameter that the store was made with.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<String> {
        let shared = self.shared();
        let at = shared.params.binary_search_by(|(n, _)| n.as_str().cmp(name)).ok()?;
        Some(shared.params[at].1.clone())
    }

    /// A batch of nothing, for rows of the store's segments.
    #[must_use]
    pub fn batch(&self) -> Batch {
        Batch::new(self.shared().segments.iter().map(|s| s.spec).collect())
    }

    /// The rows of a segment, by its place, as of the last commit.
    ///
    /// # Errors
    /// No such segment, or what mapping or reading it gives.
    pub fn view(&self, segment: usize) -> Result<RowsView, StoreError> {
        let (found, rows) = {
            let shared = self.shared();
            (shared.segments.get(segment).cloned(), shared.state.slots)
        };
        let found = found.ok_or(StoreError::BadOption(BadOption::Segments { found: segment }))?;
        found.view(rows as usize)
    }

    /// The records as of the last commit, for as long as the reader is kept.
    ///
    /// # Errors
    /// What reading gives.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        let view = self.records.read()?;
        let state = view.head()?.state;
        // The records show a commit a moment before `shared` does, and views are to have its rows.
        while self.shared().state.sequence < state.sequence {
            std::thread::yield_now();
        }
        Ok(Reader { view, state })
    }

    /// The slot of an id.
    ///
    /// # Errors
    /// An id that is none, or what reading gives.
    pub fn slot(&self, id: &Id) -> Result<Option<u32>, StoreError> {
        self.reader()?.slot(id)
    }

    /// What is known of a slot, if it has an id.
    ///
    /// # Errors
    /// What reading gives.
    pub fn entry(&self, slot: u32) -> Result<Option<Entry>, StoreError> {
        self.reader()?.entry(slot)
    }

    /// Bytes that were stored under a name.
    ///
    /// # Errors
    /// What reading gives.
    pub fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.records.read()?.blob(name)
    }

    /// Stores bytes under a name, in the place of others.
    ///
    /// # Errors
    /// A name that is none, or what committing gives.
    pub fn set_blob(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        check_blob(name, bytes)?;
        let writer = self.writer()?;
        let done = (|| {
            let change = self.records.change()?;
            change.set_blob(name, bytes)?;
            let mut state = self.shared().state;
            state.sequence += 1;
            change.set_state(state)?;
            change.commit()?;
            self.shared_mut().state = state;
            Ok(())
        })();
        drop(writer);
        done.map_err(|e| self.poison(e))
    }

    /// Whether an earlier write or sync failed, after which nothing is written any more.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned.load(Ordering::Acquire)
    }

    pub(super) fn shared(&self) -> RwLockReadGuard<'_, Shared> {
        // It is written in one step, which cannot panic half-way.
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shared_mut(&self) -> RwLockWriteGuard<'_, Shared> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to write, if anybody has it.
    pub(super) fn writer(&self) -> Result<MutexGuard<'_, Writer>, StoreError> {
        let writer = self.writer.lock().map_err(|_| StoreError::Poisoned)?;
        if self.is_poisoned() { Err(StoreError::Poisoned) } else { Ok(writer) }
    }

    /// What an error means for those who come later: after anything but a refusal nothing is known of
    /// what is on disk.
    pub(super) fn poison(&self, error: StoreError) -> StoreError {
        if !error.is_refusal() {
            self.poisoned.store(true, Ordering::Release);
        }
        error
    }

    pub(super) fn sync_dir(&self) -> Result<(), StoreError> {
        #[cfg(any(test, feature = "storage-sim"))]
        if self.knob == super::options::Knob::NoDirSync {
            return Ok(());
        }
        self.vfs.sync_dir().map_err(|e| StoreError::io(Doing::Sync, "the directory", e))
    }
}

pub(super) fn check_blob(name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    let bad = if !(1..=64).contains(&name.len()) {
        BadOption::BlobName
    } else if bytes.len() > MAX_BLOB {
        BadOption::BlobBytes { found: bytes.len() }
    } else {
        return Ok(());
    };
    Err(StoreError::BadOption(bad))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("vfs", &self.vfs).field("info", &self.info()).finish()
    }
}

/// Stores are shared between threads.
const fn assert_shared<T: Send + Sync>() {}
const _: () = assert_shared::<Store>();
const _: () = assert_shared::<RowsView>();
const _: () = assert_shared::<Reader>();
