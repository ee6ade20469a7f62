//! Buffers that come back: bounded, and never waited for.
//!
//! ```text
//! acquire    popped or made -> counted as hit or miss -> in use
//! drop       counted as back -> kept, or dropped and counted so
//! ```
//! A buffer is counted out before it is in use, and back once it no longer is: so at any moment at
//! least as many went out as came back, and what is left when nobody works is the truth.

use std::fmt;
use std::ops::{Deref, DerefMut};

use annvil_kernels::{AlignedRows, LayoutError};

use super::sync::{ArrayQueue, AtomicU64, Ordering};

/// Buffers of one kind. What comes back is kept, up to a number; what is asked for beyond that is
/// made. Nobody waits.
pub struct Pool<T> {
    free: ArrayQueue<T>,
    hits: AtomicU64,
    misses: AtomicU64,
    returned: AtomicU64,
    dropped: AtomicU64,
    detached: AtomicU64,
}

/// What a pool did. Counts of one moment if nobody uses it meanwhile, else of moments close by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Buffers that were there when asked for.
    pub hits: u64,
    /// Buffers that had to be made.
    pub misses: u64,
    /// Buffers in use. Buffers that are being handed out while one looks may be counted or not.
    pub outstanding: u64,
    /// Buffers that wait.
    pub idle: usize,
    /// Buffers that came back to a full pool.
    pub dropped: u64,
}

impl<T> Pool<T> {
    /// Keeps up to `max` buffers, at least one.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            free: ArrayQueue::new(max.max(1)),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            returned: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            detached: AtomicU64::new(0),
        }
    }

    /// A buffer that came back, as it was left, or what `make` makes.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn acquire_or<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<Pooled<'_, T>, E> {
        let (item, count) = match self.free.pop() {
            Some(item) => (item, &self.hits),
            None => (make()?, &self.misses),
        };
        // Ordered before the buffer's return by whatever takes it there.
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Pooled { item: Some(item), pool: self })
    }

    /// A buffer that came back, as it was left, or a new one.
    pub fn acquire(&self) -> Pooled<'_, T>
    where
        T: Default,
    {
        match self.acquire_or(|| Ok::<T, std::convert::Infallible>(T::default())) {
            Ok(item) => item,
        }
    }

    fn take_back(&self, item: T) {
        self.returned.fetch_add(1, Ordering::Release);
        if self.free.push(item).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hits, misses, and what came back or was kept: never more than went out, since whoever sees a
    /// return sees what went before it.
    pub(super) fn balance(&self) -> (u64, u64, u64) {
        let back = self.returned.load(Ordering::Acquire) + self.detached.load(Ordering::Acquire);
        let (hits, misses) =
            (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed));
        (hits, misses, back)
    }

    /// What it did.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let (hits, misses, back) = self.balance();
        PoolStats {
            hits,
            misses,
            outstanding: (hits + misses).saturating_sub(back),
            idle: self.free.len(),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// A buffer in use; it goes back when dropped, also in a panic.
pub struct Pooled<'a, T> {
    /// Taken out only by `drop` and `detach`.
    item: Option<T>,
    pool: &'a Pool<T>,
}

impl<T> Pooled<'_, T> {
    /// Keeps the buffer for good.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "the buffer is there until now")]
    pub fn detach(mut self) -> T {
        self.pool.detached.fetch_add(1, Ordering::Release);
        #[expect(clippy::expect_used, reason = "there until now")]
        self.item.take().expect("a buffer is held until it is dropped")
    }
}

impl<T> Drop for Pooled<'_, T> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.pool.take_back(item);
        }
    }
}

impl<T> Deref for Pooled<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        #[expect(clippy::expect_used, reason = "only `drop` and `detach` take it")]
        self.item.as_ref().expect("a buffer is held until it is dropped")
    }
}

impl<T> DerefMut for Pooled<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        #[expect(clippy::expect_used, reason = "only `drop` and `detach` take it")]
        self.item.as_mut().expect("a buffer is held until it is dropped")
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&self.item).finish()
    }
}

/// Single vectors on 64-byte boundaries.
#[derive(Debug)]
pub struct VectorPool {
    dim: usize,
    pool: Pool<AlignedRows>,
}

impl VectorPool {
    /// Vectors of `dim` elements; up to `max` are kept.
    ///
    /// # Errors
    /// `dim == 0`.
    pub fn new(dim: usize, max: usize) -> Result<Self, LayoutError> {
        if dim == 0 {
            return Err(LayoutError::ZeroDim);
        }
        Ok(Self { dim, pool: Pool::new(max) })
    }

    /// A vector of zeros.
    ///
    /// # Errors
    /// Too little memory.
    pub fn acquire(&self) -> Result<PooledVector<'_>, LayoutError> {
        let mut vector = self.acquire_for_overwrite()?;
        vector.fill(0.0);
        Ok(vector)
    }

    /// A vector of whatever was there: zeros, or what was left in one that came back. Nothing is
    /// written; it is for those who write all of it.
    ///
    /// # Errors
    /// Too little memory.
    pub fn acquire_for_overwrite(&self) -> Result<PooledVector<'_>, LayoutError> {
        Ok(PooledVector(self.pool.acquire_or(|| AlignedRows::zeroed(1, self.dim))?))
    }

    /// What it did.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }
}

/// A vector in use.
#[derive(Debug)]
pub struct PooledVector<'a>(Pooled<'a, AlignedRows>);

impl PooledVector<'_> {
    /// Keeps the vector for good, as the only row.
    #[must_use]
    pub fn detach(self) -> AlignedRows {
        self.0.detach()
    }
}

impl Deref for PooledVector<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.row(0)
    }
}

impl DerefMut for PooledVector<'_> {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.0.row_mut(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_as_they_were_left_or_as_zeros() {
        let pool = VectorPool::new(5, 2).unwrap();
        pool.acquire().unwrap().fill(7.0);
        assert_eq!(pool.acquire_for_overwrite().unwrap()[..], [7.0; 5]);
        let v = pool.acquire().unwrap();
        assert_eq!((v[..].to_vec(), v.as_ptr().align_offset(64)), (vec![0.0; 5], 0));
        assert!(VectorPool::new(0, 2).is_err());
    }

    #[test]
    fn counts_are_true_whatever_becomes_of_a_buffer() {
        let pool = VectorPool::new(3, 2).unwrap();
        let (a, b, c) = (pool.acquire().unwrap(), pool.acquire().unwrap(), pool.acquire().unwrap());
        let stats = |hits, misses, outstanding, idle, dropped| PoolStats {
            hits,
            misses,
            outstanding,
            idle,
            dropped,
        };
        assert_eq!(pool.stats(), stats(0, 3, 3, 0, 0));
        drop((a, b));
        assert_eq!(pool.stats(), stats(0, 3, 1, 2, 0));
        drop(c);
        assert_eq!(pool.stats(), stats(0, 3, 0, 2, 1));
        let kept = pool.acquire().unwrap().detach();
        assert_eq!((kept.len(), pool.stats()), (1, stats(1, 3, 0, 1, 1)));
    }

    #[cfg(panic = "unwind")]
    #[test]
    fn a_panic_gives_the_buffer_back() {
        let pool = VectorPool::new(3, 4).unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = pool.acquire().unwrap();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!((pool.stats().outstanding, pool.stats().idle), (0, 1));
    }

    #[test]
    fn nearly_every_vector_is_one_that_came_back() {
        let pool = VectorPool::new(64, 8).unwrap();
        let cycle =
            |times: usize| (0..times).for_each(|_| drop(pool.acquire_for_overwrite().unwrap()));
        cycle(100_000);
        #[cfg(not(target_family = "wasm"))]
        std::thread::scope(|scope| {
            scope.spawn(|| cycle(100_000));
            scope.spawn(|| cycle(100_000));
        });
        let stats = pool.stats();
        let share = stats.hits as f64 / (stats.hits + stats.misses) as f64;
        assert!(share >= 0.99 && stats.outstanding == 0, "{stats:?}");
    }
}
