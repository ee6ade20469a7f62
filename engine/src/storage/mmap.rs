//! Files as memory, and bytes as elements: the room of storage for `unsafe`.
#![allow(unsafe_code, reason = "mapping a file, and viewing its bytes as elements")]

use std::fmt;
use std::fs::File;
use std::io;

use annvil_kernels::{Element, RowsRef};

use super::RowsView;

#[cfg(target_endian = "big")]
compile_error!("files are little endian and are mapped as they are: no feature `storage` here");

/// A file as memory, to be read. It keeps its length; a file that grew is mapped anew.
pub struct Mapping {
    map: memmap2::Mmap,
}

impl Mapping {
    /// Maps a whole file that is not empty.
    ///
    /// # Errors
    /// Whatever the system says; an empty file cannot be mapped everywhere.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the store holds the directory's lock, never cuts a file, and writes to no row that
        // a view covers. Against processes that heed no lock nothing helps: FORMAT.md says so, and
        // offers rows on the heap.
        let map = unsafe { memmap2::Mmap::map(file) }?;
        Ok(Self { map })
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the bytes, or `None` beyond the end. They are to have been committed: bytes behind the
    /// last row are still written.
    pub(super) fn get(&self, from: usize, len: usize) -> Option<&[u8]> {
        if from.checked_add(len)? > self.map.len() {
            return None;
        }
        // SAFETY: `from <= from + len <= map.len()` was checked: inside the mapping or one behind it.
        let start = unsafe { self.map.as_ptr().add(from) };
        // SAFETY: `len` bytes from there are mapped, by the same check, as long as `self` lives, and
        // nobody writes to committed rows. No slice of all bytes is made: the rest may be written.
        Some(unsafe { std::slice::from_raw_parts(start, len) })
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping").field("len", &self.len()).finish()
    }
}

/// Bytes as elements, or `None` if they do not lie for it.
pub(super) fn elements<T: Element>(bytes: &[u8]) -> Option<&[T]> {
    // SAFETY: every pattern of bits is a value of an `Element`, which is sealed and says so.
    let (before, elements, after) = unsafe { bytes.align_to::<T>() };
    (before.is_empty() && after.is_empty()).then_some(elements)
}

/// Elements as the bytes that a file holds of them.
pub(crate) fn bytes_of<T: Element>(elements: &[T]) -> &[u8] {
    // SAFETY: an `Element` has no padding, so each of its bytes is a value.
    let (_, bytes, _) = unsafe { elements.align_to::<u8>() };
    bytes
}

/// Vectors of a store, with their place found once: what a search reads row after row.
#[derive(Clone)]
pub struct StoredVectors {
    /// Of the memory that `view` holds, and handed out for as long as `self` is borrowed.
    rows: RowsRef<'static, f32>,
    view: RowsView,
}

impl StoredVectors {
    /// `None` if the rows are of another kind than `f32`.
    #[must_use]
    pub fn new(view: RowsView) -> Option<Self> {
        let found = view.rows::<f32>()?;
        let (dim, stride) = (found.dim(), found.stride());
        let elements = elements::<f32>(view.bytes())?;
        // SAFETY: the elements lie in the memory of `view`, which is shared and never moves or
        // changes under a view, and which is kept beside them; the long lifetime stays in here.
        let elements = unsafe { std::slice::from_raw_parts(elements.as_ptr(), elements.len()) };
        let rows = RowsRef::new(elements, dim, stride).ok()?;
        Some(Self { rows, view })
    }

    /// The rows.
    #[must_use]
    #[inline]
    pub fn view(&self) -> RowsRef<'_, f32> {
        self.rows
    }

    /// Whether they are the file's own memory, and not a copy.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.view.is_mapped()
    }

    /// Shows the first `len` rows only, if there are more.
    pub fn truncate(&mut self, len: usize) {
        self.rows = self.rows.slice(0, len.min(self.rows.len()));
    }
}

impl fmt::Debug for StoredVectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredVectors").field("rows", &self.rows).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_elements_are_views_of_each_other() {
        let row = [1.5f32, -0.0, f32::MAX];
        let bytes = bytes_of(&row);
        assert_eq!(bytes.len(), 12);
        assert_eq!(bytes[..4], 1.5f32.to_le_bytes());
        assert_eq!(elements::<f32>(bytes), Some(&row[..]));
        assert_eq!(elements::<f32>(&bytes[1..9]), None);
        assert_eq!(elements::<f32>(&bytes[..7]), None);
        assert_eq!(elements::<f32>(&[]), Some(&[][..]));
    }
}
