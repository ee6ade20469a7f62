//! Many batches that last together.

use std::sync::{Arc, RwLockReadGuard};

use super::{Disk, Taken, fill};
use crate::collection::{Collection, CollectionError, Record};
use crate::storage::{Batch, Bulk};

/// Many batches that last together: nothing of them is there, or can be found, before
/// [`BulkInsert::finish`], and nothing of them if it is dropped instead. Other changes wait, so the
/// thread that holds it must not make one by other ways, nor compact, store the graph or wait for the
/// index. In a collection without a directory each batch is there at once.
#[derive(Debug)]
#[must_use = "nothing lasts before `finish`"]
pub struct BulkInsert<'c> {
    collection: &'c Collection,
    rows: usize,
    on_disk: Option<OnDisk<'c>>,
}

#[derive(Debug)]
struct OnDisk<'c> {
    disk: &'c Arc<Disk>,
    bulk: Bulk<'c>,
    batch: Batch,
    taken: Taken,
    _change: RwLockReadGuard<'c, ()>,
}

impl Collection {
    /// Begins an insertion of many batches, which are waited for once.
    ///
    /// # Errors
    /// An earlier failure of the disk.
    pub fn bulk(&self) -> Result<BulkInsert<'_>, CollectionError> {
        let on_disk = match &self.disk {
            None => None,
            Some(disk) => {
                disk.sound()?;
                let change = self.shared.change();
                let (bulk, batch) = (disk.store.bulk()?, disk.store.batch());
                let taken = Taken::default();
                Some(OnDisk { disk, bulk, batch, taken, _change: change })
            }
        };
        Ok(BulkInsert { collection: self, rows: 0, on_disk })
    }
}

impl BulkInsert<'_> {
    /// Takes a batch along, whole or not at all.
    ///
    /// # Errors
    /// As [`Collection::insert_batch`]. After an error of the disk nothing of the insertion lasts.
    pub fn push(&mut self, records: Vec<Record>) -> Result<(), CollectionError> {
        let count = records.len();
        let Some(on_disk) = &mut self.on_disk else {
            self.collection.insert_batch(records)?;
            self.rows += count;
            return Ok(());
        };
        let shared = &self.collection.shared;
        shared.read().check(&shared.options, &records, false)?;
        on_disk.batch.clear();
        let mut taken = fill(shared, &mut on_disk.batch, records, false)?;
        on_disk.bulk.push(&on_disk.batch)?;
        on_disk.taken.names.append(&mut taken.names);
        on_disk.taken.norms.append(&mut taken.norms);
        self.rows += count;
        Ok(())
    }

    /// Rows so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// When this returns, all rows are on disk and can be found; how many. The index may still have
    /// to catch up: see [`Collection::wait_for_index`].
    ///
    /// # Errors
    /// What writing gives, after which nothing is written any more.
    pub fn finish(self) -> Result<usize, CollectionError> {
        let shared = &self.collection.shared;
        if let Some(OnDisk { disk, bulk, taken, .. }) = self.on_disk {
            let (_, followed) = bulk.finish_then(|receipt| disk.follow(shared, receipt, taken))?;
            followed?;
            disk.after(shared);
        }
        Ok(self.rows)
    }
}
