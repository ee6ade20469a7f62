//! The crate `hnsw_rs` as an index, with the kernels that won as its distance.
//!
//! It holds a copy of each vector, a point on the heap each, and links under locks: its graph
//! depends on the threads. It is here to be compared with, and for those who trust it.

use std::fmt;

use annvil_kernels::{Bound, F32Kernels, Forced, Pair};
use hnsw_rs::anndists::dist::distances::Distance;
use hnsw_rs::prelude::Hnsw;

use super::hnsw::HnswOptions;
use crate::metric::Metric;
use crate::scorer::{EncodingError, F32Rows, Scorer};

/// Layers at most; more than chance gives any set that fits.
const LAYERS: usize = 16;

/// The kernel of two vectors, as a distance that is at least 0.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    metric: Metric,
    pair: Bound<Pair<f32>>,
}

impl Distance<f32> for Kernel {
    fn eval(&self, a: &[f32], b: &[f32]) -> f32 {
        let mut rank = [self.pair.call(a, b)];
        self.metric.rank(&mut rank);
        // It asserts as much; only rounding and overflow could give another.
        if rank[0].is_nan() { f32::INFINITY } else { rank[0].max(0.0) }
    }
}

/// A graph of the crate `hnsw_rs`.
pub(crate) struct HnswRs {
    inner: Hnsw<'static, f32, Kernel>,
    len: usize,
    m: usize,
}

impl fmt::Debug for HnswRs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HnswRs").field("len", &self.len).finish_non_exhaustive()
    }
}

impl HnswRs {
    /// No row yet.
    ///
    /// # Errors
    /// The inner product, whose negated values are no distances; or a metric without kernels.
    pub(crate) fn new(
        options: HnswOptions,
        dim: usize,
        metric: Metric,
    ) -> Result<Self, EncodingError> {
        if metric == Metric::Dot {
            return Err(EncodingError::NoKernel { metric, encoding: "hnsw_rs" });
        }
        let kernels = F32Kernels::forced(metric.kernel()?, dim, &Forced::default())?;
        let kernel = Kernel { metric, pair: kernels.pair };
        // A hint for its reserves only.
        let expected = 1 << 12;
        let inner = Hnsw::new(options.m, expected, LAYERS, options.ef_construction, kernel);
        Ok(Self { inner, len: 0, m: options.m })
    }

    /// Links the rows that are not linked yet.
    pub(crate) fn extend(&mut self, rows: &F32Rows) {
        for slot in self.len..rows.len() {
            self.inner.insert((rows.view().row(slot), slot));
        }
        self.len = rows.len();
    }

    /// As [`HnswRs::extend`], by the threads of `pool`.
    #[cfg(feature = "parallel")]
    pub(crate) fn extend_in(&mut self, pool: &rayon::ThreadPool, rows: &F32Rows) {
        let new: Vec<(&[f32], usize)> =
            (self.len..rows.len()).map(|slot| (rows.view().row(slot), slot)).collect();
        // It takes the pool that it is called in.
        pool.install(|| self.inner.parallel_insert_slice(&new));
        self.len = rows.len();
    }

    /// Slots near the query, those that `accept` takes.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        accept: impl Fn(u32) -> bool + Sync,
        slots: &mut Vec<u32>,
    ) {
        let filter = |id: &usize| accept(*id as u32);
        let found = self.inner.search_filter(query, k, ef, Some(&filter));
        slots.clear();
        slots.extend(found.iter().map(|n| n.d_id as u32).filter(|&slot| accept(slot)));
    }

    /// Bytes of its copies of the vectors, and of links, as far as can be told: what a point and a
    /// link take in its heap is its own business.
    pub(crate) fn bytes(&self, rows: &F32Rows) -> usize {
        self.len * (size_of::<f32>() * rows.dim() + 24 * 2 * self.m)
    }
}
