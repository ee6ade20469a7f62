//! Elements in memory, where a recipe says: so far from a cache line, or against a faulting page.

use crate::layout::LayoutError;
use crate::testkit::cases::Place;
use crate::testkit::guard::Guarded;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Elements at a chosen place in memory.
#[derive(Debug)]
pub enum Placed<T> {
    /// On the heap, from an element on.
    Heap(Vec<T>, usize),
    /// Flush against a page that faults.
    Guarded(Guarded<T>),
}

impl<T: Copy + Default> Placed<T> {
    /// The elements, and then the same again until there are `total`: large sets repeat a pool.
    ///
    /// # Errors
    /// Too little memory.
    pub fn repeated(elements: &[T], total: usize, place: Place) -> Result<Self, LayoutError> {
        let too_large = LayoutError::TooLarge { rows: 1, dim: total };
        let offset = match place {
            Place::Edge(edge) => {
                let mut all: Vec<T> = elements.iter().copied().cycle().take(total).collect();
                all.truncate(total);
                // Where no page can be mapped, the heap: the caller sees which it got.
                return Ok(match Guarded::new(&all, edge) {
                    Some(guarded) => Self::Guarded(guarded),
                    None => Self::Heap(all, 0),
                });
            }
            Place::Offset(offset) => offset,
        };
        let line = LINE / size_of::<T>().max(1);
        let mut memory: Vec<T> = Vec::new();
        memory.try_reserve_exact(total + 2 * line).map_err(|_| too_large)?;
        let start = memory.as_ptr().align_offset(LINE);
        // `align_offset` may decline in theory; then the place is the allocator's.
        let start = if start < line { start } else { 0 } + offset % line;
        memory.resize(start, T::default());
        memory.extend_from_slice(&elements[..elements.len().min(total)]);
        while memory.len() < start + total {
            let missing = start + total - memory.len();
            let from = start..start + missing.min(memory.len() - start);
            memory.extend_from_within(from);
        }
        Ok(Self::Heap(memory, start))
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
            Self::Heap(memory, start) => &memory[*start..],
            Self::Guarded(guarded) => guarded.values(),
        }
    }

    /// Whether a page that faults follows or precedes.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        matches!(self, Self::Guarded(_))
    }
}
