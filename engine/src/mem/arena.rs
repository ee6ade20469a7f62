//! Slices out of large chunks, all given back at once.
//!
//! ```text
//! chunk 0   |slice|slice  |slice| rest |      every slice begins on a cache line
//! chunk 1   |slice                |rest|
//! ```
//! A slice lives as long as a borrow of the arena, and `reset` asks for the arena alone: so none can
//! outlive it. Elements are numbers ([`Element`]): nothing has to be dropped, and any bytes that were
//! there before are values.
#![allow(unsafe_code, reason = "disjoint slices of one chunk, handed out behind a shared borrow")]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::ptr::NonNull;

use annvil_kernels::{Element, LayoutError, RowsRef};

/// Bytes of a cache line.
const LINE: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Lines that slices are cut from. Owned; freed by the arena.
struct Chunk {
    start: NonNull<Line>,
    lines: usize,
}

// SAFETY: an arena owns its chunks alone, and the numbers in them belong to no thread.
unsafe impl Send for Arena {}

/// Memory for slices of numbers. One thread at a time.
///
/// ```
/// use annvil::mem::Arena;
///
/// let mut arena = Arena::new(1 << 16);
/// let sums = arena.zeroed::<f64>(100)?;
/// let ranks = arena.recycled::<f32>(8)?;
/// (sums[0], ranks[0]) = (1.0, 2.0);
/// arena.reset();
/// # Ok::<(), annvil::mem::ArenaError>(())
/// ```
/// What was given away cannot be used after a reset:
/// ```compile_fail
/// # use annvil::mem::Arena;
/// let mut arena = Arena::new(1 << 16);
/// let sums = arena.zeroed::<f32>(100).unwrap();
/// arena.reset();
/// sums[0] = 1.0;
/// ```
/// nor without the arena:
/// ```compile_fail
/// # use annvil::mem::Arena;
/// let sums = { let arena = Arena::new(1 << 16); arena.zeroed::<f32>(100).unwrap() };
/// sums[0] = 1.0;
/// ```
pub struct Arena {
    /// Lines of a chunk, if a slice does not need more.
    chunk_lines: usize,
    chunks: RefCell<Vec<Chunk>>,
    /// The chunk that is cut, and how many of its lines are given away. Those before are full.
    at: Cell<usize>,
    used: Cell<usize>,
    /// Lines given away in full chunks.
    before: Cell<usize>,
}

/// Why there is no slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArenaError {
    /// More than the address space or the memory holds.
    TooLarge {
        /// Elements asked for; `usize::MAX` if there is no number for it.
        elements: usize,
    },
    /// Rows of no elements.
    ZeroDim,
}

impl fmt::Display for ArenaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { elements } => {
                write!(f, "{elements} elements do not fit into memory; ask for less at once")
            }
            Self::ZeroDim => LayoutError::ZeroDim.fmt(f),
        }
    }
}

impl std::error::Error for ArenaError {}

impl From<ArenaError> for LayoutError {
    fn from(e: ArenaError) -> Self {
        match e {
            ArenaError::TooLarge { elements } => Self::TooLarge { rows: 1, dim: elements },
            ArenaError::ZeroDim => Self::ZeroDim,
        }
    }
}

impl Default for Arena {
    /// Chunks of 64 KiB: what stays in a core's own cache beside what it works on.
    fn default() -> Self {
        Self::new(64 << 10)
    }
}

impl Arena {
    /// No memory yet; chunks of `bytes`, or of what a slice needs if that is more.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self {
            chunk_lines: bytes.div_ceil(LINE).max(1),
            chunks: RefCell::default(),
            at: Cell::new(0),
            used: Cell::new(0),
            before: Cell::new(0),
        }
    }

    /// `len` zeros on a cache line of their own.
    ///
    /// # Errors
    /// Too little memory.
    pub fn zeroed<T: Element>(&self, len: usize) -> Result<&mut [T], ArenaError> {
        let slice = self.recycled(len)?;
        slice.fill(T::default());
        Ok(slice)
    }

    /// As [`Arena::zeroed`], but with whatever was there before: zeros, or numbers of an earlier
    /// slice. To be written over.
    ///
    /// # Errors
    /// Too little memory.
    #[expect(clippy::mut_from_ref, reason = "no two slices overlap")]
    pub fn recycled<T: Element>(&self, len: usize) -> Result<&mut [T], ArenaError> {
        let too_large = ArenaError::TooLarge { elements: len };
        let bytes = len.checked_mul(size_of::<T>()).ok_or(too_large)?;
        if bytes > isize::MAX as usize - LINE {
            return Err(too_large);
        }
        let start = self.take(bytes.div_ceil(LINE)).ok_or(too_large)?;
        // SAFETY: `take` gives lines that no other slice has, of at least `bytes` bytes, aligned for
        // any `Element`, initialised when the chunk was made; any bytes are a value of an `Element`.
        // They live until the arena is reset or dropped, both of which need it unborrowed.
        Ok(unsafe { std::slice::from_raw_parts_mut(start.cast::<T>().as_ptr(), len) })
    }

    /// `len` rows of `dim` elements, each on a cache line of its own: as [`Arena::recycled`], but the
    /// pads between rows are zero.
    ///
    /// # Errors
    /// `dim == 0`, or too little memory.
    pub fn rows<T: Element>(&self, len: usize, dim: usize) -> Result<ArenaRows<'_, T>, ArenaError> {
        if dim == 0 {
            return Err(ArenaError::ZeroDim);
        }
        let none = ArenaError::TooLarge { elements: usize::MAX };
        let stride = dim.checked_next_multiple_of(LINE / size_of::<T>()).ok_or(none)?;
        let data = self.recycled(len.checked_mul(stride).ok_or(none)?)?;
        if stride > dim {
            data.chunks_exact_mut(stride).for_each(|row| row[dim..].fill(T::default()));
        }
        Ok(ArenaRows { data, dim, stride })
    }

    /// `lines` lines that are nobody's.
    fn take(&self, lines: usize) -> Option<NonNull<Line>> {
        let mut chunks = self.chunks.borrow_mut();
        // The chunk at hand, then those that an earlier round left, then a new one.
        while let Some(chunk) = chunks.get(self.at.get()) {
            let used = self.used.get();
            if chunk.lines - used >= lines {
                self.used.set(used + lines);
                // SAFETY: `used + lines` is at most the chunk's lines, checked above.
                return Some(unsafe { chunk.start.add(used) });
            }
            self.before.set(self.before.get() + used);
            self.at.set(self.at.get() + 1);
            self.used.set(0);
        }
        let size = lines.max(self.chunk_lines);
        let mut memory: Vec<Line> = Vec::new();
        memory.try_reserve_exact(size).ok()?;
        memory.resize(size, Line([0; LINE]));
        let memory = Box::leak(memory.into_boxed_slice());
        let start = NonNull::new(memory.as_mut_ptr())?;
        chunks.push(Chunk { start, lines: size });
        self.used.set(lines);
        Some(start)
    }

    /// Takes all slices back; chunks stay, and are all used again.
    pub fn reset(&mut self) {
        self.at.set(0);
        self.used.set(0);
        self.before.set(0);
    }

    /// Bytes given away, whole lines, without what was left over at the ends of chunks.
    #[must_use]
    pub fn used_bytes(&self) -> usize {
        (self.before.get() + self.used.get()) * LINE
    }

    /// Bytes of all chunks.
    #[must_use]
    pub fn reserved_bytes(&self) -> usize {
        self.chunks.borrow().iter().map(|c| c.lines * LINE).sum()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for chunk in self.chunks.get_mut().drain(..) {
            let lines = std::ptr::slice_from_raw_parts_mut(chunk.start.as_ptr(), chunk.lines);
            // SAFETY: `take` leaked a boxed slice of these lines, and nothing else frees it.
            drop(unsafe { Box::from_raw(lines) });
        }
    }
}

/// Rows in an arena, laid out as [`AlignedRows`](annvil_kernels::AlignedRows) lays them out.
#[derive(Debug)]
pub struct ArenaRows<'a, T> {
    data: &'a mut [T],
    dim: usize,
    stride: usize,
}

impl<T: Element> ArenaRows<'_, T> {
    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / self.stride
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// A row, to be written.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [T] {
        &mut self.data[row * self.stride..][..self.dim]
    }

    /// The rows, for kernels.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "whole rows are rows")]
    pub fn view(&self) -> RowsRef<'_, T> {
        #[expect(clippy::expect_used, reason = "the data is whole rows of a stride above 0")]
        RowsRef::new(self.data, self.dim, self.stride).expect("whole rows")
    }
}

impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arena")
            .field("used_bytes", &self.used_bytes())
            .field("reserved_bytes", &self.reserved_bytes())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_aligned_apart_and_as_long_as_asked_for() {
        let arena = Arena::new(1000);
        let a = arena.zeroed::<f32>(5).unwrap();
        let b = arena.zeroed::<u8>(1).unwrap();
        let c = arena.zeroed::<u32>(300).unwrap();
        let none = arena.zeroed::<f32>(0).unwrap();
        a.fill(1.0);
        b.fill(2);
        c.fill(3);
        assert!(none.is_empty() && a == [1.0; 5] && b == [2] && c.iter().all(|v| *v == 3));
        assert_eq!(a.as_ptr().align_offset(64) + b.as_ptr().align_offset(64), 0);
        assert_eq!(c.as_ptr().align_offset(64), 0);
        assert!(
            arena.zeroed::<f32>(usize::MAX).is_err() && arena.zeroed::<u8>(usize::MAX).is_err()
        );
    }

    /// Too large when multiplied by itself, on machines of 32 bits as well.
    const HALF: usize = 1 << (usize::BITS / 2 + 8);

    #[test]
    fn rows_lie_on_lines_and_their_pads_are_zero() {
        let mut arena = Arena::new(64);
        arena.recycled::<f32>(1000).unwrap().fill(5.0);
        arena.reset();
        let mut rows = arena.rows::<f32>(3, 5).unwrap();
        for i in 0..3 {
            rows.row_mut(i).fill(i as f32);
        }
        let other = arena.zeroed::<f32>(4).unwrap();
        other.fill(9.0);
        assert_eq!((rows.len(), rows.is_empty()), (3, false));
        assert!(rows.data.chunks(16).all(|row| row[5..] == [0.0; 11]));
        for i in 0..3 {
            let row = rows.view().row(i);
            assert_eq!((row, row.as_ptr().align_offset(64)), (&[i as f32; 5][..], 0));
        }
        assert!(arena.rows::<u8>(0, 3).unwrap().view().is_empty());
        assert_eq!(arena.rows::<u8>(1, 0).unwrap_err(), ArenaError::ZeroDim);
        for (len, dim) in [(usize::MAX, 2), (2, usize::MAX), (1, usize::MAX - 64), (HALF, HALF)] {
            assert!(matches!(arena.rows::<f32>(len, dim), Err(ArenaError::TooLarge { .. })));
        }
    }

    /// Any sequence of slices: each keeps what was written into it while others come and are written.
    #[test]
    fn no_slice_is_touched_by_another() {
        let mut arena = Arena::new(256);
        let mut state = 1u32;
        let mut random = move |end: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % end
        };
        for round in 0..20 {
            let mut bytes: Vec<(&mut [u8], u8)> = Vec::new();
            let mut wide: Vec<(&mut [f64], f64)> = Vec::new();
            for i in 0..40u8 {
                let most = if random(8) == 0 { 2000 } else { 60 };
                let len = random(most) as usize;
                if random(2) == 0 {
                    let slice = arena.recycled(len).unwrap();
                    slice.fill(i);
                    bytes.push((slice, i));
                } else {
                    let slice = arena.zeroed(len).unwrap();
                    assert!(slice.iter().all(|v: &f64| *v == 0.0));
                    slice.fill(f64::from(i));
                    wide.push((slice, f64::from(i)));
                }
            }
            assert!(bytes.iter().all(|(s, v)| s.iter().all(|x| x == v)), "round {round}");
            assert!(wide.iter().all(|(s, v)| s.iter().all(|x| x == v)), "round {round}");
            let lines = |bytes: usize| bytes.div_ceil(LINE) * LINE;
            let used: usize = bytes.iter().map(|(s, _)| lines(s.len())).sum::<usize>()
                + wide.iter().map(|(s, _)| lines(8 * s.len())).sum::<usize>();
            assert_eq!(arena.used_bytes(), used);
            assert!(arena.reserved_bytes() >= used);
            arena.reset();
        }
    }

    #[test]
    fn every_chunk_is_used_again_and_zeroed_on_request() {
        let mut arena = Arena::new(128);
        let fill = |arena: &Arena| {
            for len in [20usize, 40, 7, 100, 32] {
                arena.recycled::<f32>(len).unwrap().fill(9.0);
            }
        };
        fill(&arena);
        let reserved = arena.reserved_bytes();
        for _ in 0..50 {
            arena.reset();
            assert_eq!(arena.used_bytes(), 0);
            fill(&arena);
        }
        assert_eq!(arena.reserved_bytes(), reserved);
        arena.reset();
        assert!(arena.recycled::<f32>(20).unwrap().iter().all(|v| *v == 9.0));
        arena.reset();
        assert!(arena.zeroed::<f32>(20).unwrap().iter().all(|v| *v == 0.0));
    }
}
