//! Exact search: the query against every row.
//!
//! ```text
//! rows    |block 0|block 1|block 2| ...          one kernel call a block
//! values  |v v v v|                              a block's values, in the L1 cache, used at once
//! top k            row numbers and ranks of the k nearest so far
//! ```
//! A block's values go straight from the kernel into the top-k buffer; nothing of the size of the
//! set is ever written. Cosine keeps unit rows and runs on the dot kernels, one sum a row instead
//! of three.

use std::ops::Deref;

use annvil_kernels::{AlignedRows, Bound, F32Kernels, Forced, RowsRef, Scan};

use super::Neighbor;
use super::batch::{self, Tiles};
use crate::error::{InputError, QueryError, first_not_finite};
use crate::mem::{PooledVector, VectorPool};
use crate::metric::Metric;
use crate::topk::TopK;
use crate::unit::scale_to_unit;

/// Most rows of a block: 4 KiB of values.
const BLOCK_ROWS: usize = 1024;
/// Bytes of rows that several queries share while they are in a core's own cache.
const BLOCK_BYTES: usize = 256 << 10;
/// A larger set streams from a cache that cores share, or from memory: the size of a core's own
/// cache on current machines. Beyond it, reading several rows side by side loses to one after the
/// other.
const STREAM_BYTES: usize = 1 << 20;
/// Unit vectors that are kept for later queries: a large batch, and no more than a mebibyte at 4,096
/// dimensions.
const UNITS: usize = 64;

/// Every row, compared with every query. The answers are the exact ones, up to the rounding of f32.
///
/// Rows are numbered from 0 in the order given. With equal distances the lower number comes first,
/// and the answer is the same however the work is shared. A distance that overflows f32 is
/// infinite; one that is undefined because a sum overflowed both ways is NaN and comes last.
#[derive(Debug)]
pub struct Flat {
    metric: Metric,
    /// As given; for cosine, unit rows and zero rows.
    rows: AlignedRows,
    kernels: F32Kernels,
    tiles: Option<Tiles>,
    /// For cosine: queries of unit length.
    units: VectorPool,
}

/// A query that was checked; for cosine, brought to unit length.
enum Prepared<'a> {
    Given(&'a [f32]),
    Unit(PooledVector<'a>),
}

impl Deref for Prepared<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Given(vector) => vector,
            Self::Unit(vector) => vector,
        }
    }
}

impl Flat {
    /// Takes `rows` over; none is copied. For [`Metric::Cosine`] each is brought to unit length in
    /// its place.
    ///
    /// # Errors
    /// A NaN or an infinity in a row, or more than `u32::MAX` rows.
    pub fn new(rows: AlignedRows, metric: Metric) -> Result<Self, InputError> {
        Self::forced(rows, metric, &Forced::default())
    }

    /// As [`Flat::new`], with some choices of kernels forced. Cosine runs on the `dot` kernels.
    ///
    /// # Errors
    /// As [`Flat::new`]; and a forced kernel that is unknown or cannot run on this CPU.
    pub fn forced(
        mut rows: AlignedRows,
        metric: Metric,
        forced: &Forced,
    ) -> Result<Self, InputError> {
        if u32::try_from(rows.len()).is_err() {
            return Err(InputError::TooManyRows { rows: rows.len() });
        }
        for row in 0..rows.len() {
            if let Some((position, value)) = first_not_finite(rows.row(row)) {
                return Err(InputError::NotFinite { row, position, value });
            }
        }
        let kernels = metric
            .kernel()
            .and_then(|m| F32Kernels::forced(m, rows.dim(), forced))
            .map_err(InputError::Kernel)?;
        let tiles = Tiles::new(metric, rows.dim(), forced).map_err(InputError::Kernel)?;
        if metric == Metric::Cosine {
            for i in 0..rows.len() {
                scale_to_unit(&kernels.norm_sq, rows.row_mut(i));
            }
        }
        let units = VectorPool::new(rows.dim(), UNITS).map_err(InputError::Layout)?;
        Ok(Self { metric, rows, kernels, tiles, units })
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Elements of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.rows.dim()
    }

    /// What near means here.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// Coordinates of the kernel that walks the rows, for records and reports; `batch` is for
    /// [`Flat::search_batch`] of many queries.
    #[must_use]
    pub fn kernel(&self, batch: bool) -> String {
        // `new` refused a metric without kernels.
        let metric = self.metric.kernel().map_or("", annvil_kernels::Metric::name);
        match &self.tiles {
            Some(tiles) if batch => format!("f32/{metric}/tile#{}", tiles.name()),
            None if batch => format!("f32/{metric}/scan#{}", self.kernels.scan_cached.name()),
            _ => format!("f32/{metric}/scan#{}", self.driver().name()),
        }
    }

    /// The `k` nearest rows, nearest first: all of them if there are fewer, none if `k` is 0. On
    /// the calling thread.
    ///
    /// # Errors
    /// A query of another dimension, or with a NaN or an infinity; too little memory.
    pub fn search(&self, query: &[f32], k: usize) -> Result<Vec<Neighbor>, QueryError> {
        let query = self.prepare(0, query)?;
        let mut top = TopK::new(k, self.len());
        self.scan(self.driver(), &query, 0, self.len(), &mut top);
        Ok(self.finish(top))
    }

    /// As [`Flat::search`], shared by the threads of `pool`: each takes a contiguous part of the
    /// rows and keeps its own k nearest, which are then merged. The answer is the same.
    ///
    /// # Errors
    /// As [`Flat::search`].
    #[cfg(feature = "parallel")]
    pub fn search_in(
        &self,
        pool: &rayon::ThreadPool,
        query: &[f32],
        k: usize,
    ) -> Result<Vec<Neighbor>, QueryError> {
        use rayon::prelude::*;

        let query = self.prepare(0, query)?;
        let parts = self.parts(pool.current_num_threads());
        let tops: Vec<TopK> = pool.install(|| {
            let one = |(from, to)| {
                let mut top = TopK::new(k, to - from);
                self.scan(self.driver(), &query, from, to, &mut top);
                top
            };
            parts.into_par_iter().map(one).collect()
        });
        let mut all = TopK::new(k, self.len());
        for top in &tops {
            all.merge(top);
        }
        Ok(self.finish(all))
    }

    /// [`Flat::search`] for each row of `queries`, in their order. Queries share each block of rows
    /// while it is in the cache; for L2, dot and cosine, panels of 16 go through the tile kernel,
    /// which is several times as fast as so many single searches. Another kernel may sum in another
    /// order than a single search's, so distances may differ in their last bits. On the calling
    /// thread.
    ///
    /// # Errors
    /// As [`Flat::search`], naming the first query at fault.
    pub fn search_batch(
        &self,
        queries: RowsRef<'_, f32>,
        k: usize,
    ) -> Result<Vec<Vec<Neighbor>>, QueryError> {
        // Nobody to share a block with.
        if queries.len() == 1 {
            return Ok(vec![self.search(queries.row(0), k)?]);
        }
        let queries = self.prepare_all(queries)?;
        let groups = queries.chunks(batch::GROUP);
        let tops = groups
            .flat_map(|group| self.scan_group(group, queries.len(), k, (0, self.len())))
            .collect();
        Ok(self.finish_all(tops))
    }

    /// As [`Flat::search_batch`], shared by the threads of `pool`: whole panels of queries where
    /// there is one for each thread, contiguous parts of the rows where not. The answer is the same.
    ///
    /// # Errors
    /// As [`Flat::search_batch`].
    #[cfg(feature = "parallel")]
    pub fn search_batch_in(
        &self,
        pool: &rayon::ThreadPool,
        queries: RowsRef<'_, f32>,
        k: usize,
    ) -> Result<Vec<Vec<Neighbor>>, QueryError> {
        use rayon::prelude::*;

        if queries.len() == 1 {
            return Ok(vec![self.search_in(pool, queries.row(0), k)?]);
        }
        let queries = self.prepare_all(queries)?;
        let threads = pool.current_num_threads();
        let panels = queries.len().div_ceil(batch::PANEL);
        if panels >= threads {
            let group = panels.div_ceil(threads) * batch::PANEL;
            let group = group.clamp(batch::PANEL, batch::GROUP);
            let tops = pool.install(|| {
                let groups = queries.par_chunks(group);
                groups
                    .flat_map_iter(|group| {
                        self.scan_group(group, queries.len(), k, (0, self.len()))
                    })
                    .collect()
            });
            return Ok(self.finish_all(tops));
        }
        let parts: Vec<Vec<TopK>> = pool.install(|| {
            let parts = self.parts(threads);
            parts
                .into_par_iter()
                .map(|part| self.scan_group(&queries, queries.len(), k, part))
                .collect()
        });
        let mut all: Vec<TopK> = queries.iter().map(|_| TopK::new(k, self.len())).collect();
        for part in &parts {
            all.iter_mut().zip(part).for_each(|(all, top)| all.merge(top));
        }
        Ok(self.finish_all(all))
    }

    /// Several queries of a batch of `batch` over the rows `from..to`, block by block.
    fn scan_group(
        &self,
        group: &[Prepared<'_>],
        batch: usize,
        k: usize,
        (from, to): (usize, usize),
    ) -> Vec<TopK> {
        let mut tops: Vec<TopK> = group.iter().map(|_| TopK::new(k, to - from)).collect();
        let tiled = self.tiles.as_ref().map_or(0, |tiles| tiles.take(group.len(), batch));
        let mut panel = self.tiles.as_ref().map(|tiles| tiles.panel(&group[..tiled]));
        let block = self.block_rows();
        for start in (from..to).step_by(block) {
            let end = (start + block).min(to);
            let (tiled, others) = tops.split_at_mut(tiled);
            if let (Some(tiles), Some(panel)) = (&self.tiles, &mut panel)
                && !tiled.is_empty()
            {
                let rows = self.rows.view().slice(start, end);
                tiles.scan(self.metric, panel, rows, start as u32, tiled);
            }
            for (query, top) in group[tiled.len()..].iter().zip(others) {
                self.scan(&self.kernels.scan_cached, query, start, end, top);
            }
        }
        tops
    }

    /// The rows in as many parts as there are threads, or fewer: whole blocks each, so that each
    /// row is computed in the same company as in a serial search. A kernel may sum the rows at a
    /// block's end in another order.
    #[cfg(feature = "parallel")]
    fn parts(&self, threads: usize) -> Vec<(usize, usize)> {
        let blocks = self.len().div_ceil(self.block_rows());
        let parts = threads.min(blocks).max(1);
        let part = blocks.div_ceil(parts) * self.block_rows();
        let end = |i: usize| (i * part).min(self.len());
        (0..parts).map(|i| (end(i), end(i + 1))).collect()
    }

    fn finish_all(&self, tops: Vec<TopK>) -> Vec<Vec<Neighbor>> {
        tops.into_iter().map(|top| self.finish(top)).collect()
    }

    /// The kernel for a walk over all rows.
    fn driver(&self) -> &Bound<Scan<f32>> {
        let streams = self.rows.bytes() > STREAM_BYTES;
        if streams { &self.kernels.scan_stream } else { &self.kernels.scan_cached }
    }

    /// Offers the rows `from..to` to `top`.
    fn scan(
        &self,
        driver: &Bound<Scan<f32>>,
        query: &[f32],
        from: usize,
        to: usize,
        top: &mut TopK,
    ) {
        let mut values = [0.0; BLOCK_ROWS];
        let rows = self.rows.view();
        let block = self.block_rows();
        for start in (from..to).step_by(block) {
            let end = (start + block).min(to);
            let values = &mut values[..end - start];
            driver.call(query, rows.slice(start, end), values);
            self.metric.rank(values);
            top.offer(start as u32, values);
        }
    }

    fn finish(&self, top: TopK) -> Vec<Neighbor> {
        let neighbor = |(id, rank)| Neighbor { id, distance: self.metric.distance(rank) };
        top.finish().into_iter().map(neighbor).collect()
    }

    /// Rows whose values are computed in one call.
    fn block_rows(&self) -> usize {
        (BLOCK_BYTES / (self.rows.stride() * size_of::<f32>())).clamp(1, BLOCK_ROWS)
    }

    fn prepare<'a>(&'a self, query: usize, vector: &'a [f32]) -> Result<Prepared<'a>, QueryError> {
        if vector.len() != self.dim() {
            return Err(QueryError::DimMismatch { expected: self.dim(), found: vector.len() });
        }
        if let Some((position, value)) = first_not_finite(vector) {
            return Err(QueryError::NotFinite { query, position, value });
        }
        Ok(match self.metric {
            Metric::Cosine => {
                let mut unit = self.units.acquire_for_overwrite().map_err(QueryError::Layout)?;
                unit.copy_from_slice(vector);
                scale_to_unit(&self.kernels.norm_sq, &mut unit);
                Prepared::Unit(unit)
            }
            Metric::L2 | Metric::Dot | Metric::L1 | Metric::Linf | Metric::Hamming => {
                Prepared::Given(vector)
            }
        })
    }

    fn prepare_all<'a>(
        &'a self,
        queries: RowsRef<'a, f32>,
    ) -> Result<Vec<Prepared<'a>>, QueryError> {
        (0..queries.len()).map(|i| self.prepare(i, queries.row(i))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_cosine_copies_queries_and_takes_what_came_back() {
        let data: Vec<f32> = (0..40).map(|i| (i * 7 % 11) as f32 - 3.0).collect();
        let of = |metric| {
            let rows = AlignedRows::from_packed(&data, 4).unwrap();
            let flat = Flat::new(rows, metric).unwrap();
            for i in 0..10 {
                flat.search(&data[4 * i..][..4], 2).unwrap();
            }
            let queries = RowsRef::packed(&data[..12], 4).unwrap();
            flat.search_batch(queries, 2).unwrap();
            flat.units.stats()
        };
        let stats = of(Metric::Cosine);
        assert_eq!((stats.hits, stats.misses, stats.outstanding, stats.idle), (10, 3, 0, 3));
        assert_eq!(of(Metric::L2).misses, 0);
    }
}
