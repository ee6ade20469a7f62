//! Structures that answer nearest-neighbour queries.

mod batch;
pub mod exact;
mod flat;
#[cfg(feature = "hnsw")]
pub(crate) mod hnsw;
#[cfg(feature = "hnsw_rs")]
pub(crate) mod hnsw_rs;

pub use flat::Flat;

/// A row that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Row number from 0.
    pub id: u32,
    /// Distance to the query; smaller is nearer, see [`Metric`](crate::Metric).
    pub distance: f32,
}
