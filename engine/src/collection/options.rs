//! How a collection is to be.

use annvil_kernels::{AlignedRows, Forced};

use super::state::{Index, State};
use super::{Collection, CollectionError};
#[cfg(feature = "hnsw")]
use crate::HnswOptions;
#[cfg(feature = "hnsw_rs")]
use crate::index::hnsw_rs::HnswRs;
use crate::metric::Metric;
use crate::scorer::{Encoding, F32Rows};

/// How neighbours are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexKind {
    /// Every row is compared: exact, and fastest for some thousands of rows.
    Flat,
    /// A graph.
    #[cfg(feature = "hnsw")]
    Hnsw(HnswOptions),
    /// The graph of the crate `hnsw_rs`, of vectors as they come and any metric but the inner product.
    /// It is another one each time, and holds a copy of each vector.
    #[cfg(feature = "hnsw_rs")]
    HnswRs(HnswOptions),
}

impl Default for IndexKind {
    /// A graph, if there is the feature for it.
    fn default() -> Self {
        #[cfg(feature = "hnsw")]
        return Self::Hnsw(HnswOptions::default());
        #[cfg(not(feature = "hnsw"))]
        return Self::Flat;
    }
}

/// What becomes of vectors whose codes are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Originals {
    /// They are dropped: memory shrinks by what the encoding promises, distances are those of the
    /// codes.
    #[default]
    Drop,
    /// They are kept beside the codes: candidates are found by codes and ranked by exact distances.
    Keep,
}

/// Rows after which an encoding is learnt.
const TRAIN_AT: usize = 1024;

/// Options of a [`Collection`].
#[derive(Clone, Debug)]
pub struct CollectionBuilder {
    pub(super) dim: usize,
    pub(super) metric: Metric,
    pub(super) encoding: Encoding,
    pub(super) index: IndexKind,
    pub(super) originals: Originals,
    pub(super) seed: u64,
    pub(super) budget: Option<usize>,
    pub(super) train_at: usize,
    #[cfg(feature = "parallel")]
    pub(super) pool: Option<std::sync::Arc<rayon::ThreadPool>>,
    #[cfg(feature = "parallel")]
    pub(super) threads: usize,
    #[cfg(feature = "storage")]
    pub(super) on_heap: bool,
    #[cfg(feature = "storage")]
    pub(super) verify_on_open: bool,
}

impl CollectionBuilder {
    pub(super) fn new(dim: usize) -> Self {
        Self {
            dim,
            metric: Metric::L2,
            encoding: Encoding::F32,
            index: IndexKind::default(),
            originals: Originals::default(),
            seed: 0,
            budget: None,
            train_at: TRAIN_AT,
            #[cfg(feature = "parallel")]
            pool: None,
            #[cfg(feature = "parallel")]
            threads: 1,
            #[cfg(feature = "storage")]
            on_heap: false,
            #[cfg(feature = "storage")]
            verify_on_open: true,
        }
    }

    /// What near means. L2 by default.
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// How rows are held. As they come, by default.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// How neighbours are looked for. By a graph, by default.
    #[must_use]
    pub fn index(mut self, index: IndexKind) -> Self {
        self.index = index;
        self
    }

    /// Whether vectors are kept beside their codes. They are not, by default.
    #[must_use]
    pub fn originals(mut self, originals: Originals) -> Self {
        self.originals = originals;
        self
    }

    /// Of whatever is random: layers of the graph, training.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Bytes that may be held; a change that needs more is refused.
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.budget = Some(bytes);
        self
    }

    /// Rows after which an encoding that learns is learnt, from the rows that are there; until then
    /// rows are held as they come and searched exactly. 1,024 by default.
    #[must_use]
    pub fn train_at(mut self, rows: usize) -> Self {
        self.train_at = rows.max(1);
        self
    }

    /// Threads of a pool of its own, for batches. One by default: then the caller's.
    #[cfg(feature = "parallel")]
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// A pool for batches that others use as well.
    #[cfg(feature = "parallel")]
    #[must_use]
    pub fn pool(mut self, pool: std::sync::Arc<rayon::ThreadPool>) -> Self {
        self.pool = Some(pool);
        self
    }

    /// An empty collection in memory.
    ///
    /// # Errors
    /// A dimension of 0 or beyond memory, a metric that the encoding has no kernels for, options out
    /// of range, or threads that do not start.
    pub fn build(self) -> Result<Collection, CollectionError> {
        let options = self.with_crew()?;
        let state = options.empty()?;
        Ok(Collection::of(options, state))
    }

    /// With the pool that it is to have.
    #[cfg_attr(
        not(feature = "parallel"),
        expect(unused_mut, clippy::unnecessary_wraps, reason = "no pool")
    )]
    pub(super) fn with_crew(mut self) -> Result<Self, CollectionError> {
        #[cfg(feature = "parallel")]
        if self.pool.is_none() && self.threads > 1 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads).build();
            self.pool = Some(std::sync::Arc::new(pool.map_err(|_| CollectionError::Threads)?));
        }
        Ok(self)
    }

    /// What holds no row yet. Whatever would be refused later is refused here.
    pub(super) fn empty(&self) -> Result<State, CollectionError> {
        let forced = Forced::default();
        // A sample of one row learns anything.
        let probe = AlignedRows::<f32>::zeroed(1, self.dim)?;
        if matches!(self.encoding, Encoding::Binary { .. }) || !self.encoding.learns() {
            self.encoding.train(self.dim, self.metric, probe.view(), 0, &forced)?;
        } else {
            self.encoding.check(self.dim, self.metric)?;
        }
        let rows = AlignedRows::with_capacity(0, self.dim)?;
        // Signs have no kernels on f32: bits are all there is.
        let exact = match self.metric {
            Metric::Hamming => None,
            metric => Some(
                F32Rows::new(rows, metric, &forced).map_err(crate::scorer::EncodingError::from)?,
            ),
        };
        let index = match self.index {
            IndexKind::Flat => Index::Flat,
            #[cfg(feature = "hnsw")]
            IndexKind::Hnsw(options) => Index::Hnsw(Box::new(crate::Graph::new(HnswOptions {
                seed: options.seed ^ self.seed,
                ..options
            })?)),
            #[cfg(feature = "hnsw_rs")]
            IndexKind::HnswRs(_) if self.encoding != Encoding::F32 => {
                return Err(CollectionError::HnswRsEncoding { encoding: self.encoding });
            }
            #[cfg(feature = "hnsw_rs")]
            IndexKind::HnswRs(options) => {
                // The same bounds as ours.
                crate::Graph::new(options)?;
                Index::HnswRs(HnswRs::new(options, self.dim, self.metric)?)
            }
        };
        State::new(self, exact, index)
    }
}
