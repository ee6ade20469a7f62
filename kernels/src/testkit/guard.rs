//! Memory between pages that fault: a read one element too far ends the process.
#![allow(unsafe_code, reason = "mapping pages")]

use core::fmt;

/// `f32` values flush against an inaccessible page.
pub struct Guarded {
    base: *mut u8,
    bytes: usize,
    first: *mut f32,
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

impl Guarded {
    /// Maps `values` against a faulting page; `None` where pages cannot be mapped.
    #[cfg(unix)]
    #[must_use]
    pub fn new(values: &[f32], edge: Edge) -> Option<Self> {
        // SAFETY: `sysconf` has no precondition.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        let inner = size_of_val(values).div_ceil(page).max(1) * page;
        let bytes = inner + 2 * page;
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
        let first = start.wrapping_add(skip).cast::<f32>();
        let guarded = Self { base, bytes, first, len: values.len() };
        if opened != 0 {
            return None;
        }
        // SAFETY: `first` has room for `values` inside the opened pages, which are new and so do
        // not overlap `values`; it is aligned, since pages and `f32` sizes are multiples of 4.
        unsafe { core::ptr::copy_nonoverlapping(values.as_ptr(), first, values.len()) };
        Some(guarded)
    }

    /// Pages cannot be mapped here.
    #[cfg(not(unix))]
    #[must_use]
    pub fn new(_values: &[f32], _edge: Edge) -> Option<Self> {
        None
    }

    /// The values.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        // SAFETY: `new` wrote `len` values at `first`; the mapping lives as long as `self`.
        unsafe { core::slice::from_raw_parts(self.first, self.len) }
    }
}

impl Drop for Guarded {
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

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("len", &self.len).finish()
    }
}
