//! Approximate search: a hierarchical navigable small world graph over the rows of a scorer.
//!
//! [`Graph`] is the topology alone and works with any [`Scorer`](crate::scorer::Scorer); [`Hnsw`] is a graph with its rows.

mod build;
mod check;
mod graph;
mod links;
mod options;
mod parts;
mod scratch;
mod select;
#[cfg(test)]
mod tests;

pub use check::GraphReport;
pub use graph::Graph;
pub use options::{HnswError, HnswOptions, PartsError};
pub use parts::GraphParts;
pub use scratch::Scratch;

use super::Neighbor;
use crate::error::{InputError, QueryError, first_not_finite};
use crate::metric::Metric;
use crate::scorer::F32Rows;
use crate::unit::to_unit;
use annvil_kernels::{AlignedRows, Forced};

/// Most rows of a graph: a slot leaves one bit for the search.
const MAX_ROWS: usize = (1 << 31) - 1;

/// A graph with its rows in `f32`: the index by itself, without ids, deletion or metadata.
///
/// ```
/// use annvil::{AlignedRows, Hnsw, HnswOptions, Metric};
///
/// let rows = AlignedRows::from_packed(&[0.0, 0.0, 3.0, 4.0, 1.0, 0.0], 2)?;
/// let index = Hnsw::new(rows, Metric::L2, HnswOptions::default())?;
/// let found = index.search(&[0.9, 0.0], 1, 50, &mut Default::default())?;
/// assert_eq!(found[0].id, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Hnsw {
    rows: F32Rows,
    graph: Graph,
}

/// Buffers of [`Hnsw::search`].
#[derive(Clone, Debug, Default)]
pub struct HnswScratch {
    scratch: Scratch,
    query: Vec<f32>,
    found: Vec<(f32, u32)>,
}

impl HnswScratch {
    /// What the last search did.
    #[must_use]
    pub fn last(&self) -> &Scratch {
        &self.scratch
    }
}

impl Hnsw {
    /// Takes `rows` over and links them, on the calling thread. For [`Metric::Cosine`] each is
    /// brought to unit length in its place.
    ///
    /// # Errors
    /// As [`Flat::new`](crate::Flat::new); and options out of range, or too little memory.
    pub fn new(
        rows: AlignedRows,
        metric: Metric,
        options: HnswOptions,
    ) -> Result<Self, InputError> {
        let mut index = Self::unlinked(rows, metric, options)?;
        index.graph.extend(&index.rows).map_err(InputError::Hnsw)?;
        Ok(index)
    }

    /// As [`Hnsw::new`], by the threads of `pool`. The graph is the same.
    ///
    /// # Errors
    /// As [`Hnsw::new`].
    #[cfg(feature = "parallel")]
    pub fn new_in(
        pool: &rayon::ThreadPool,
        rows: AlignedRows,
        metric: Metric,
        options: HnswOptions,
    ) -> Result<Self, InputError> {
        let mut index = Self::unlinked(rows, metric, options)?;
        index.graph.extend_in(pool, &index.rows).map_err(InputError::Hnsw)?;
        Ok(index)
    }

    fn unlinked(
        mut rows: AlignedRows,
        metric: Metric,
        options: HnswOptions,
    ) -> Result<Self, InputError> {
        let graph = Graph::new(options).map_err(InputError::Hnsw)?;
        for row in 0..rows.len() {
            if let Some((position, value)) = first_not_finite(rows.row(row)) {
                return Err(InputError::NotFinite { row, position, value });
            }
            if metric == Metric::Cosine {
                to_unit(rows.row_mut(row)).map_err(InputError::Kernel)?;
            }
        }
        let rows = F32Rows::new(rows, metric, &Forced::default()).map_err(InputError::Kernel)?;
        Ok(Self { rows, graph })
    }

    /// The `k` nearest rows that were found among `ef_search` candidates (`k` if that is more),
    /// nearest first. A `scratch` that was used before spares the allocations.
    ///
    /// # Errors
    /// A query of another dimension, or with a NaN or an infinity.
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        ef_search: usize,
        scratch: &mut HnswScratch,
    ) -> Result<Vec<Neighbor>, QueryError> {
        use crate::scorer::Scorer;
        if query.len() != self.rows.dim() {
            let (expected, found) = (self.rows.dim(), query.len());
            return Err(QueryError::DimMismatch { expected, found });
        }
        if let Some((position, value)) = first_not_finite(query) {
            return Err(QueryError::NotFinite { query: 0, position, value });
        }
        if k == 0 {
            return Ok(Vec::new());
        }
        let HnswScratch { scratch, query: prepared, found } = scratch;
        self.rows.prepare(query, prepared);
        if self.rows.metric() == Metric::Cosine {
            // The rows were bound by the same kernels; a failure has been seen there.
            let _ = to_unit(prepared);
        }
        let ef = ef_search.max(k).min(self.rows.len().max(1));
        self.graph.search(&self.rows, prepared, ef, scratch, found);
        found.truncate(k);
        let neighbor =
            |&(rank, id): &(f32, u32)| Neighbor { id, distance: self.rows.metric().distance(rank) };
        Ok(found.iter().map(neighbor).collect())
    }

    /// The graph.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &F32Rows {
        &self.rows
    }

    /// Bytes of rows and links.
    #[must_use]
    pub fn bytes(&self) -> usize {
        use crate::scorer::Rows;
        self.rows.bytes() + self.graph.bytes()
    }
}
