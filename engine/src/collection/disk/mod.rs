//! A collection that lies in a directory as well.
//!
//! ```text
//! change   checked -> committed by the store (rows, sync, records) -> followed here, in the order of
//!          slots -> acknowledged
//! open     ids and metadata read, vectors mapped, the stored graph checked and taken; rows behind it
//!          are scanned until a thread has linked them
//! ```
//! What was learnt and the graph can be made again: losing them costs time, and no row.

mod bulk;
#[cfg(feature = "hnsw")]
mod catch_up;
mod open;
mod params;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use bulk::BulkInsert;

use super::state::{State, Taken};
use super::{Collection, CollectionError, Id, Record, Shared};
use crate::metric::Metric;
use crate::storage::vfs::{OsVfs, Vfs};
use crate::storage::{Batch, Doing, Receipt, Store, StoreError, StoreInfo, VerifyReport};
use crate::unit::scale_to_unit;

/// The blob of what was learnt.
const LEARNT: &str = "learnt";

/// The disk's part of a collection.
#[derive(Debug)]
pub(super) struct Disk {
    store: Store,
    /// Whether the store has what was learnt.
    learnt: AtomicBool,
    /// Whether the store went on and this collection could not follow.
    behind: AtomicBool,
    #[cfg(feature = "hnsw")]
    links: catch_up::Links,
}

impl Disk {
    fn new(store: Store, #[cfg(feature = "hnsw")] stored: usize, learnt: bool) -> Self {
        Self {
            store,
            learnt: AtomicBool::new(learnt),
            behind: AtomicBool::new(false),
            #[cfg(feature = "hnsw")]
            links: catch_up::Links::new(stored),
        }
    }

    /// What follows the store, or not at all.
    fn sound(&self) -> Result<(), CollectionError> {
        if self.behind.load(Ordering::Acquire) { Err(CollectionError::Behind) } else { Ok(()) }
    }

    pub(super) fn put(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        records: Vec<Record>,
        replace: bool,
    ) -> Result<(), CollectionError> {
        self.sound()?;
        shared.read().check(&shared.options, &records, replace)?;
        if records.is_empty() {
            return Ok(());
        }
        let mut batch = self.store.batch();
        let taken = fill(shared, &mut batch, records, replace)?;
        let (_, followed) =
            self.store.commit_then(batch, |receipt| self.follow(shared, receipt, taken))?;
        followed?;
        self.after(shared);
        Ok(())
    }

    pub(super) fn delete(
        &self,
        shared: &Shared,
        ids: impl Iterator<Item = Id>,
    ) -> Result<usize, CollectionError> {
        self.sound()?;
        let ids: HashSet<Id> = ids.filter(Id::is_valid).collect();
        let mut batch = self.store.batch();
        ids.iter().try_for_each(|id| batch.delete(id))?;
        if batch.is_empty() {
            return Ok(0);
        }
        let (receipt, followed) = self.store.commit_then(batch, |receipt| {
            let mut state = shared.write()?;
            for id in &ids {
                state.delete(id);
            }
            state.sequence = receipt.sequence;
            Ok::<(), CollectionError>(())
        })?;
        if let Err(e) = followed {
            self.behind.store(true, Ordering::Release);
            return Err(e);
        }
        Ok(receipt.buried.len())
    }

    /// Brings the state to where the store is.
    fn follow(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        receipt: &Receipt,
        taken: Taken,
    ) -> Result<(), CollectionError> {
        let follow = || {
            let rows = receipt.first_slot as usize + receipt.rows as usize;
            let vectors = open::vectors(&self.store, rows)?;
            let mut state = shared.write()?;
            let leave = state.follow(&shared.options, taken, vectors, shared.pool())?;
            state.sequence = receipt.sequence;
            drop(state);
            #[cfg(feature = "hnsw")]
            if leave {
                self.catch_up(shared);
            }
            #[cfg(not(feature = "hnsw"))]
            let _ = leave;
            Ok(())
        };
        follow().map_err(|_: CollectionError| {
            self.behind.store(true, Ordering::Release);
            CollectionError::Behind
        })
    }

    /// What can be made again is stored when enough of it is new. The change itself is on disk: if
    /// this fails, whoever changes next is told, and nothing is lost.
    fn after(&self, shared: &Shared) {
        let _ = self.keep_learnt(shared);
        #[cfg(feature = "hnsw")]
        self.store_graph_if_due(shared);
    }

    /// Stores what was learnt, once.
    pub(super) fn keep_learnt(&self, shared: &Shared) -> Result<(), CollectionError> {
        if self.learnt.load(Ordering::Acquire) || !shared.options.encoding.learns() {
            return Ok(());
        }
        let learnt = shared.read().codes.as_ref().map(crate::scorer::AnyRows::learnt);
        if let Some(learnt) = learnt {
            self.store.set_blob(LEARNT, &learnt)?;
            self.learnt.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Changes are kept away by the caller.
    pub(super) fn compact(self: &Arc<Self>, shared: &Arc<Shared>) -> Result<(), CollectionError> {
        self.sound()?;
        #[cfg(feature = "hnsw")]
        self.links.stop();
        let compacted = self.store.compact();
        let followed = compacted.map_err(CollectionError::from).and_then(|_| {
            let fresh = State::load(&self.store, &shared.options, shared.pool());
            let swapped = fresh.and_then(|(fresh, _)| {
                *shared.write()? = fresh;
                Ok(())
            });
            swapped.map_err(|_| {
                self.behind.store(true, Ordering::Release);
                CollectionError::Behind
            })
        });
        #[cfg(feature = "hnsw")]
        {
            if followed.is_ok() {
                self.links.forget();
            }
            self.catch_up_if_behind(shared)?;
        }
        followed
    }
}

/// Records into a batch: of each the vector, as it is compared, and what is beside it.
fn fill(
    shared: &Shared,
    batch: &mut Batch,
    records: Vec<Record>,
    replace: bool,
) -> Result<Taken, CollectionError> {
    let norm_sq = shared.read().norm_sq;
    let mut taken = Taken::default();
    batch.reserve(records.len());
    taken.names.reserve(records.len());
    for Record { id, mut vector, metadata } in records {
        let norm =
            (shared.options.metric == Metric::Cosine).then(|| scale_to_unit(&norm_sq, &mut vector));
        let vector = crate::storage::bytes_of(&vector);
        let norm_bytes = norm.map(f32::to_le_bytes);
        let rows: &[&[u8]] = match &norm_bytes {
            Some(norm) => &[vector, norm],
            None => &[vector],
        };
        match replace {
            true => batch.upsert(&id, metadata.as_ref(), rows)?,
            false => batch.insert(&id, metadata.as_ref(), rows)?,
        }
        taken.norms.extend(norm);
        taken.names.push((id, metadata));
    }
    Ok(taken)
}

impl Collection {
    /// Reads every file of the store anew and compares all checksums, and whether records contradict
    /// each other. `None` for a collection in memory.
    ///
    /// # Errors
    /// What reading gives; what is found to be wrong is in the report.
    pub fn verify(&self) -> Result<Option<VerifyReport>, CollectionError> {
        let Some(disk) = &self.disk else { return Ok(None) };
        Ok(Some(disk.store.verify()?))
    }

    /// Copies the collection, as of now, into a directory that holds none, which is made if it is
    /// missing. Others go on meanwhile.
    ///
    /// # Errors
    /// A collection in memory, a directory that holds one, or what reading and writing give.
    pub fn snapshot(&self, dir: impl AsRef<Path>) -> Result<(), CollectionError> {
        let vfs =
            OsVfs::create(dir).map_err(|e| StoreError::io(Doing::Create, "the directory", e))?;
        self.snapshot_in(&vfs)
    }

    /// As [`Collection::snapshot`], through another door to files.
    ///
    /// # Errors
    /// As [`Collection::snapshot`].
    pub fn snapshot_in(&self, vfs: &dyn Vfs) -> Result<(), CollectionError> {
        let disk = self.disk.as_ref().ok_or(StoreError::NoStore)?;
        #[cfg(feature = "hnsw")]
        disk.store_graph(&self.shared)?;
        disk.store.snapshot(vfs)?;
        Ok(())
    }

    /// What the store holds; `None` for a collection in memory.
    #[must_use]
    pub fn store_info(&self) -> Option<StoreInfo> {
        self.disk.as_ref().map(|disk| disk.store.info())
    }

    /// Stores the graph as it is, so that the next opening has nothing to link. It happens by itself
    /// now and then, and when the collection is closed or dropped.
    ///
    /// # Errors
    /// What writing gives.
    pub fn checkpoint(&self) -> Result<(), CollectionError> {
        #[cfg(feature = "hnsw")]
        if let Some(disk) = &self.disk {
            disk.store_graph(&self.shared)?;
        }
        Ok(())
    }

    /// Waits until the index covers every row that is there now.
    pub fn wait_for_index(&self) {
        #[cfg(feature = "hnsw")]
        if let Some(disk) = &self.disk {
            disk.links.wait();
        }
    }

    /// Stores the graph and closes the collection. Dropping it does the same, and does not tell
    /// whether the graph could be stored; rows are on disk in either case.
    ///
    /// # Errors
    /// What writing gives.
    pub fn close(self) -> Result<(), CollectionError> {
        #[cfg(feature = "hnsw")]
        if let Some(disk) = &self.disk {
            disk.links.stop();
            disk.store_graph(&self.shared)?;
        }
        Ok(())
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        #[cfg(feature = "hnsw")]
        if let Some(disk) = &self.disk {
            disk.links.stop();
            if !disk.store.is_poisoned() {
                // It can be made again.
                let _ = disk.store_graph(&self.shared);
            }
        }
    }
}
