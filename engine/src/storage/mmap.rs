//! Files as memory, and bytes as elements: the room of storage for `unsafe`.
#![allow(unsafe_code, reason = "mapping a file, and viewing its bytes as elements")]

use std::fmt;
use std::fs::File;
use std::io;

use annvil_kernels::Element;

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
pub(super) fn bytes_of<T: Element>(elements: &[T]) -> &[u8] {
    // SAFETY: an `Element` has no padding, so each of its bytes is a value.
    let (_, bytes, _) = unsafe { elements.align_to::<u8>() };
    bytes
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
