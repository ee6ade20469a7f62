//! Memory that is used again: an [`Arena`] for what one call needs, a [`VectorPool`] for single
//! vectors, a [`Pool`] for buffers of any kind, and a bounded [`WorkQueue`].

mod arena;
mod pool;
mod queue;

pub use arena::{Arena, ArenaError};
pub use pool::{Pool, PoolStats, Pooled, PooledVector, VectorPool};
pub use queue::{BatchProcessor, Full, WorkQueue};
