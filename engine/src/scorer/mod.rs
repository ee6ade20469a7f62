//! One query against many rows: what flat search, graphs and rerankers call.
//!
//! A [`Scorer`] holds rows in one encoding under one metric, and the kernels resolved for them. A
//! query is prepared once and then scored in batches, listed slots or a range of them, so the
//! choice of instructions is paid for once a batch. What comes out are *ranks*: smaller is nearer,
//! in the order of the metric's distances but without their roots; `Metric::distance` makes
//! distances of the few that are returned. An encoding with loss gives the rank of the vector that
//! a code stands for, as exactly as its kernels say.
//!
//! ```text
//! slot       0   1   2   3   4 ...        u32, the row's number; ids are resolved for results only
//! rows      |r0 |r1 |r2 |r3 |r4 ...       one file an encoding
//! ```

mod affine;
mod any;
mod binary;
mod error;
mod f32;
mod half;
mod l1;
#[cfg(feature = "storage")]
mod learnt;
#[cfg(feature = "pq")]
mod pq;
mod range;
mod rotation;

pub use affine::{Code, CodeQuery, CodeRows, Eight, Four, Int4Rows, Sq8Rows};
pub use any::{AnyQuery, AnyRows, Encoding, UnknownEncoding};
pub use binary::{BinaryQuery, BinaryRows};
pub use error::EncodingError;
pub use f32::F32Rows;
pub use half::{Bf16Rows, F16Rows, Half, HalfRows};
pub use l1::{Sq8L1Query, Sq8L1Rows};
#[cfg(feature = "pq")]
pub use pq::{PqQuery, PqRows};

pub use range::{CodeRange, RangeOptions};
pub use rotation::Rotation;

use annvil_kernels::LayoutError;

/// A set larger than a core's own cache comes from farther away: then the kernels that prefetch win.
const FAR_BYTES: usize = 1 << 20;

/// Cache lines of a row that are asked for ahead; the hardware follows a row once it has begun.
const AHEAD: usize = 8;

/// Asks for the first lines of a row, if there is one.
#[inline]
fn prefetch_row<T: annvil_kernels::Element>(rows: annvil_kernels::RowsRef<'_, T>, slot: u32) {
    if (slot as usize) < rows.len() {
        let row = rows.row(slot as usize);
        let line = 64 / size_of::<T>();
        row.iter().step_by(line).take(AHEAD).for_each(annvil_kernels::prefetch);
    }
}

/// Bytes from row to row for rows of so many: whole cache lines where that costs an eighth at most,
/// else so that words of sixteen bytes are not cut.
fn stride(bytes: usize) -> usize {
    let lines = bytes.next_multiple_of(64);
    if lines - bytes <= bytes / 8 { lines } else { bytes.next_multiple_of(16) }
}

/// Rows that queries can be compared with.
///
/// Vectors that come in were checked by the caller: `dim` finite elements, and under
/// [`Metric::Cosine`](crate::Metric::Cosine) of unit length or all zero.
pub trait Scorer: Send + Sync {
    /// A query made ready, with its buffers: reused from search to search.
    type Query: Default + Send + Sync + std::fmt::Debug;

    /// Elements of a vector.
    fn dim(&self) -> usize;

    /// How many rows: slots are `0..len`.
    fn len(&self) -> usize;

    /// Whether there is no row.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes `vector` a query. Allocates only while the buffers of `query` are too small.
    ///
    /// # Panics
    /// If `vector` has another dimension.
    fn prepare(&self, vector: &[f32], query: &mut Self::Query);

    /// Makes the row at `slot` a query, as when a row is linked with its neighbours.
    ///
    /// # Panics
    /// If there is no such slot.
    fn prepare_slot(&self, slot: u32, query: &mut Self::Query);

    /// Asks for the memory of the row at `slot`: it will be scored soon. Out of range it does nothing.
    fn prefetch(&self, slot: u32) {
        let _ = slot;
    }

    /// `ranks[i]` = the rank of slot `slots[i]`. Prefetches as the kernels do.
    ///
    /// # Panics
    /// If a slot is out of range, or there is not one rank a slot.
    fn score_ids(&self, query: &Self::Query, slots: &[u32], ranks: &mut [f32]);

    /// `ranks[i]` = the rank of slot `from + i`.
    ///
    /// # Panics
    /// If a slot is out of range.
    fn score_range(&self, query: &Self::Query, from: u32, ranks: &mut [f32]);
}

/// A [`Scorer`] that takes in rows.
pub trait Rows: Scorer {
    /// Makes room for `more` rows and no further: a batch then costs one allocation.
    ///
    /// # Errors
    /// Too little memory; the rows are as before.
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError>;

    /// Encodes `vector` as the row of the next slot.
    ///
    /// # Errors
    /// Another dimension, or too little memory; the rows are as before.
    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError>;

    /// Encodes `vector` in the place of another row.
    ///
    /// # Panics
    /// If there is no such slot, or `vector` has another dimension.
    fn set(&mut self, slot: u32, vector: &[f32]);

    /// Writes the vector that the row at `slot` stands for.
    ///
    /// # Panics
    /// If there is no such slot, or `vector` has another dimension.
    fn decode(&self, slot: u32, vector: &mut [f32]);

    /// Drops the rows from slot `len` on.
    fn truncate(&mut self, len: usize);

    /// Bytes that are held for rows, pads and reserves included.
    fn bytes(&self) -> usize;
}
