//! Elements in memory, where a recipe says: so far from a cache line, or against a faulting page.
#![allow(unsafe_code, reason = "viewing cache lines as elements")]

use std::cell::RefCell;
use std::marker::PhantomData;

use crate::layout::LayoutError;
use crate::testkit::cases::{Element, Place};
use crate::testkit::guard::Guarded;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Memory of at least this size is kept for the next who wants as much: pages that were touched
/// once need not be zeroed by the system again.
const LARGE: usize = 64 << 20;

/// One cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

thread_local! {
    static SPARE: RefCell<Vec<Line>> = const { RefCell::new(Vec::new()) };
}

/// Gives the memory back that this thread keeps for the next large set.
pub fn release() {
    SPARE.with(RefCell::take);
}

/// Elements at a chosen place in memory.
#[derive(Debug)]
pub enum Placed<T: Element> {
    /// On the heap.
    Heap(Heap<T>),
    /// Flush against a page that faults.
    Guarded(Guarded<T>),
}

/// Elements so far from a cache line.
#[derive(Debug)]
pub struct Heap<T: Element> {
    lines: Vec<Line>,
    start: usize,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Element> Heap<T> {
    /// `len` elements from element `start` on; their values are bytes that were there.
    fn zeroed(start: usize, len: usize) -> Result<Self, LayoutError> {
        let too_large = LayoutError::TooLarge { rows: 1, dim: len };
        let bytes =
            start.checked_add(len).and_then(|n| n.checked_mul(size_of::<T>())).ok_or(too_large)?;
        let mut lines = if bytes >= LARGE { SPARE.with(RefCell::take) } else { Vec::new() };
        let count = bytes.div_ceil(LINE);
        // Sets of other dimensions differ by less than a row: all shall fit the same memory.
        let room = if bytes >= LARGE { count.next_multiple_of(LARGE / LINE) } else { count };
        if lines.capacity() < room {
            // Not grown: that would copy what nobody wants.
            lines = Vec::new();
            lines.try_reserve_exact(room).map_err(|_| too_large)?;
        }
        lines.resize(count, Line([0; LINE]));
        Ok(Self { lines, start, len, element: PhantomData })
    }

    fn get(&self) -> &[T] {
        // SAFETY: `zeroed` made room for `start + len` elements in lines, which are aligned for any
        // element, and holds bytes that are a `T`: zeros, or elements of another operand, and every
        // bit pattern of a test element is one.
        let all = unsafe {
            core::slice::from_raw_parts(self.lines.as_ptr().cast::<T>(), self.start + self.len)
        };
        &all[self.start..]
    }

    fn get_mut(&mut self) -> &mut [T] {
        let len = self.start + self.len;
        // SAFETY: as in `get`; `&mut self` makes the view the only one.
        let all =
            unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast::<T>(), len) };
        &mut all[self.start..]
    }
}

impl<T: Element> Drop for Heap<T> {
    fn drop(&mut self) {
        if self.lines.len() * LINE >= LARGE {
            let lines = std::mem::take(&mut self.lines);
            // A thread that ends has no place to keep it; then it is freed.
            let _ = SPARE.try_with(|spare| spare.replace(lines));
        }
    }
}

impl<T: Element> Placed<T> {
    /// The elements, and then the same again until there are `total`: large sets repeat a pool.
    ///
    /// # Errors
    /// Too little memory.
    pub fn repeated(elements: &[T], total: usize, place: Place) -> Result<Self, LayoutError> {
        let start = match place {
            Place::Edge(edge) => {
                let all: Vec<T> = elements.iter().copied().cycle().take(total).collect();
                // Where no page can be mapped, the heap: `is_guarded` tells which it is.
                if let Some(guarded) = Guarded::new(&all, edge) {
                    return Ok(Self::Guarded(guarded));
                }
                0
            }
            Place::Offset(offset) => offset,
            Place::Lines { lines, elements } => lines * (LINE / size_of::<T>()) + elements,
        };
        let mut heap = Heap::zeroed(start, total)?;
        if !elements.is_empty() {
            for part in heap.get_mut().chunks_mut(elements.len()) {
                part.copy_from_slice(&elements[..part.len()]);
            }
        }
        Ok(Self::Heap(heap))
    }

    /// The elements, once.
    ///
    /// # Errors
    /// Too little memory.
    pub fn once(elements: &[T], place: Place) -> Result<Self, LayoutError> {
        Self::repeated(elements, elements.len(), place)
    }

    /// The elements.
    #[must_use]
    pub fn get(&self) -> &[T] {
        match self {
            Self::Heap(heap) => heap.get(),
            Self::Guarded(guarded) => guarded.values(),
        }
    }

    /// Whether a page that faults follows or precedes.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        matches!(self, Self::Guarded(_))
    }
}
