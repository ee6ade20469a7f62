//! Memory between pages that fault: a read one element too far ends the process.
#![allow(unsafe_code, reason = "mapping pages")]

use core::fmt;

/// Values flush against an inaccessible page.
pub struct Guarded<T> {
    base: *mut u8,
    bytes: usize,
    first: *mut T,
    len: usize,
}

/// Which end of the values touches the inaccessible page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The first value follows a page that faults.
    Front,
    /// The last value is followed by a page that faults.
    Back,
}

impl<T: Copy> Guarded<T> {
    /// Maps `values` against a faulting page; `None` where pages cannot be mapped.
    #[cfg(unix)]
    #[must_use]
    pub fn new(values: &[T], edge: Edge) -> Option<Self> {
        // SAFETY: `sysconf` has no precondition.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let inner = size_of_val(values).div_ceil(page).max(1) * page;
        let bytes = inner + 2 * page;
        debug_assert!(align_of::<T>() <= page);
        let (none, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh private mapping, at an address of the kernel's choice.
        let base = unsafe { libc::mmap(core::ptr::null_mut(), bytes, none, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return None;
        }
        let base = base.cast::<u8>();
        let start = base.wrapping_add(page);
        // SAFETY: the pages between the first and the last of the mapping just made.
        let opened =
            unsafe { libc::mprotect(start.cast(), inner, libc::PROT_READ | libc::PROT_WRITE) };
        let skip = if edge == Edge::Front { 0 } else { inner - size_of_val(values) };
        let first = start.wrapping_add(skip).cast::<T>();
        let guarded = Self { base, bytes, first, len: values.len() };
        if opened != 0 {
            return None;
        }
        // SAFETY: `first` has room for `values` inside the opened pages, which are new and so do
        // not overlap `values`; it is aligned, since a page and
        // the size of `values` are multiples of the alignment of `T`.
        unsafe { core::ptr::copy_nonoverlapping(values.as_ptr(), first, values.len()) };
        Some(guarded)
    }

    /// Pages cannot be mapped here.
    #[cfg(not(unix))]
    #[must_use]
    pub fn new(_values: &[T], _edge: Edge) -> Option<Self> {
        None
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> &[T] {
        // SAFETY: `new` wrote `len` values at `first`; the mapping lives as long as `self`.
        unsafe { core::slice::from_raw_parts(self.first, self.len) }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        #[cfg(unix)]
        // SAFETY: the mapping that `new` made; nothing borrows it any more.
        unsafe {
            libc::munmap(self.base.cast(), self.bytes);
        }
        #[cfg(not(unix))]
        let _ = (self.base, self.bytes);
    }
}

impl<T> fmt::Debug for Guarded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("len", &self.len).finish()
    }
}

/// The bytes of elements without padding; only the kit's own element types come here.
pub(crate) fn bytes_of<T: super::cases::Element>(slice: &[T]) -> &[u8] {
    // SAFETY: elements are numbers without padding; the bytes are borrowed as long as the slice.
    unsafe { core::slice::from_raw_parts(slice.as_ptr().cast(), size_of_val(slice)) }
}
