//! What is to be done at once.

use std::collections::HashSet;

use super::codec::{encode_id, encode_metadata};
use super::error::StoreError;
use super::mmap::bytes_of;
use super::segment::SegmentSpec;
use crate::{Id, Metadata};

/// Rows to put in and ids to delete: all or none. No id is twice in it.
#[derive(Clone, Debug)]
pub struct Batch {
    pub(super) specs: Vec<SegmentSpec>,
    pub(super) puts: Vec<Put>,
    pub(super) deletes: Vec<Vec<u8>>,
    /// Of each segment, the rows with their pads.
    pub(super) rows: Vec<Vec<u8>>,
    seen: HashSet<Vec<u8>>,
}

#[derive(Clone, Debug)]
pub(super) struct Put {
    pub(super) key: Vec<u8>,
    pub(super) metadata: Option<Vec<u8>>,
    pub(super) replace: bool,
}

impl Batch {
    pub(super) fn new(specs: Vec<SegmentSpec>) -> Self {
        let rows = vec![Vec::new(); specs.len()];
        Self { specs, puts: Vec::new(), deletes: Vec::new(), rows, seen: HashSet::new() }
    }

    /// Puts a row in under an id that must not be in use: of each segment the bytes of its row,
    /// little endian, without the pad.
    ///
    /// # Errors
    /// An id that is none or twice in the batch, metadata too deep or too large, or a row of another
    /// length; the batch is as before.
    pub fn insert(
        &mut self,
        id: &Id,
        metadata: Option<&Metadata>,
        rows: &[&[u8]],
    ) -> Result<(), StoreError> {
        self.put(id, metadata, rows, false)
    }

    /// As [`Batch::insert`]; whatever has the id loses it.
    ///
    /// # Errors
    /// As [`Batch::insert`].
    pub fn upsert(
        &mut self,
        id: &Id,
        metadata: Option<&Metadata>,
        rows: &[&[u8]],
    ) -> Result<(), StoreError> {
        self.put(id, metadata, rows, true)
    }

    /// [`Batch::insert`] into a store of nothing but vectors.
    ///
    /// # Errors
    /// As [`Batch::insert`].
    pub fn insert_vector(
        &mut self,
        id: &Id,
        metadata: Option<&Metadata>,
        vector: &[f32],
    ) -> Result<(), StoreError> {
        self.put(id, metadata, &[bytes_of(vector)], false)
    }

    /// [`Batch::upsert`] into a store of nothing but vectors.
    ///
    /// # Errors
    /// As [`Batch::insert`].
    pub fn upsert_vector(
        &mut self,
        id: &Id,
        metadata: Option<&Metadata>,
        vector: &[f32],
    ) -> Result<(), StoreError> {
        self.put(id, metadata, &[bytes_of(vector)], true)
    }

    /// Deletes an id, if it is in use.
    ///
    /// # Errors
    /// An id that is none or twice in the batch; the batch is as before.
    pub fn delete(&mut self, id: &Id) -> Result<(), StoreError> {
        let key = self.key(id)?;
        self.deletes.push(key);
        Ok(())
    }

    /// Makes room for `rows` more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.puts.reserve(rows);
        self.seen.reserve(rows);
        for (to, spec) in self.rows.iter_mut().zip(&self.specs) {
            to.reserve(rows.saturating_mul(spec.stride));
        }
    }

    /// Forgets everything and keeps the memory, for the next batch of a [`Bulk`](super::Bulk).
    pub fn clear(&mut self) {
        self.puts.clear();
        self.deletes.clear();
        self.seen.clear();
        self.rows.iter_mut().for_each(Vec::clear);
    }

    /// Rows to put in.
    #[must_use]
    pub fn len(&self) -> usize {
        self.puts.len()
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.puts.is_empty() && self.deletes.is_empty()
    }

    fn key(&mut self, id: &Id) -> Result<Vec<u8>, StoreError> {
        let key = encode_id(id)?;
        if !self.seen.insert(key.clone()) {
            return Err(StoreError::IdTwice { id: id.clone() });
        }
        Ok(key)
    }

    fn put(
        &mut self,
        id: &Id,
        metadata: Option<&Metadata>,
        rows: &[&[u8]],
        replace: bool,
    ) -> Result<(), StoreError> {
        for segment in 0..self.specs.len().max(rows.len()) {
            let expected = self.specs.get(segment).map_or(0, SegmentSpec::row_bytes);
            let found = rows.get(segment).map_or(0, |row| row.len());
            if expected != found {
                return Err(StoreError::RowLength { segment, expected, found });
            }
        }
        let metadata = metadata.map(encode_metadata).transpose()?;
        let key = self.key(id)?;
        for ((to, row), spec) in self.rows.iter_mut().zip(rows).zip(&self.specs) {
            let end = to.len() + spec.stride;
            to.extend_from_slice(row);
            to.resize(end, 0);
        }
        self.puts.push(Put { key, metadata, replace });
        Ok(())
    }
}
