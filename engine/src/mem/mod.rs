//! Memory that is used again: an [`Arena`] for what one call needs, a [`VectorPool`] for single
//! vectors, a [`Pool`] for buffers of any kind, and a bounded [`WorkQueue`].
//!
//! The engine lives on them: training takes its sums from arenas, a search its buffers from a pool, a
//! cosine query its vector of unit length from a vector pool, and the threads that build a graph their
//! share of a batch from a [`BatchProcessor`]. What is ours of the protocols between threads is modelled
//! with loom: `cargo xtask test --lane loom`.

mod arena;
#[cfg(all(test, loom))]
mod loom_models;
mod pool;
mod queue;
mod sync;

pub use arena::{Arena, ArenaError, ArenaRows};
pub use pool::{Pool, PoolStats, Pooled, PooledVector, VectorPool};
pub use queue::{BatchProcessor, Full, WorkQueue};
