//! Many queries against the same rows: panels of queries through the tile kernel.
//!
//! ```text
//! queries  |16|16|16|16| up to 64     one panel each; a lane is a query
//! rows     |16|16|16| ...             of a block that stays in the cache
//! values   64 x 16, in the L1 cache, into 64 top-k buffers
//! ```
//! A panel costs the same however many of its lanes are used, so a few queries over are scanned one
//! by one. Which of the two a query gets depends on its place in the batch alone, and a tile's
//! values do not depend on the company: the answers are the same however the work is shared.

use std::ops::Deref;

use annvil_kernels::{BindError, Bound, Forced, Level, Residence, RowsRef, Tile, resolve};

use crate::metric::Metric;
use crate::topk::TopK;

/// Queries of a panel.
pub(super) const PANEL: usize = 16;
/// Queries that share a block of rows: whole panels.
pub(super) const GROUP: usize = 4 * PANEL;
/// Fewer queries than this are faster one by one, when they are all there are.
const WORTH_A_PANEL: usize = 9;
/// The same for what is left of a batch of several panels: two panels are read side by side.
const WORTH_ANOTHER: usize = 6;
/// Rows of one kernel call: 64 KiB of values for a whole group.
const TILE_ROWS: usize = 256;

/// The kernel for many queries.
#[derive(Clone, Debug)]
pub(super) struct Tiles(Bound<Tile>);

/// Queries side by side, and room for their values.
pub(super) struct Panel {
    queries: Vec<f32>,
    dim: usize,
    values: Vec<f32>,
}

impl Tiles {
    /// None for metrics without a tile, and where a tile would go pair by pair.
    ///
    /// # Errors
    /// A forced kernel that is unknown or cannot run on this CPU.
    pub(super) fn new(
        metric: Metric,
        dim: usize,
        forced: &Forced,
    ) -> Result<Option<Self>, BindError> {
        let path = match metric {
            Metric::L2 => "f32/l2sq/tile",
            Metric::Dot | Metric::Cosine => "f32/dot/tile",
            Metric::L1 | Metric::Linf | Metric::Hamming => return Ok(None),
        };
        let kernel: Bound<Tile> = resolve(path, dim, Residence::Cache, forced)?;
        Ok((kernel.level() != Level::Scalar).then_some(Self(kernel)))
    }

    pub(super) fn name(&self) -> &'static str {
        self.0.name()
    }

    /// How many of a group's queries are worth a tile, from the first on, in a batch of `batch`.
    pub(super) fn take(&self, queries: usize, batch: usize) -> usize {
        let worth = if batch > PANEL { WORTH_ANOTHER } else { WORTH_A_PANEL };
        let over = queries % PANEL;
        if over < worth { queries - over } else { queries }
    }

    pub(super) fn panel<Q: Deref<Target = [f32]>>(&self, queries: &[Q]) -> Panel {
        let dim = self.0.dim();
        let rows = queries.iter().flat_map(|query| query.iter().copied());
        Panel { queries: rows.collect(), dim, values: vec![0.0; queries.len() * TILE_ROWS] }
    }

    /// Offers `rows`, of which the first has the number `first`, to each query's buffer.
    pub(super) fn scan(
        &self,
        metric: Metric,
        panel: &mut Panel,
        rows: RowsRef<'_, f32>,
        first: u32,
        tops: &mut [TopK],
    ) {
        let Ok(queries) = RowsRef::packed(&panel.queries, panel.dim) else { return };
        for from in (0..rows.len()).step_by(TILE_ROWS) {
            let rows = rows.slice(from, (from + TILE_ROWS).min(rows.len()));
            let values = &mut panel.values[..queries.len() * rows.len()];
            self.0.call(queries, rows, values);
            metric.rank(values);
            for (top, ranks) in tops.iter_mut().zip(values.chunks_exact(rows.len())) {
                top.offer(first + from as u32, ranks);
            }
        }
    }
}
