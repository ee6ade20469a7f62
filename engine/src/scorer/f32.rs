//! Rows as they were given, in `f32`.

use annvil_kernels::{
    AlignedRows, BindError, Bound, F32Kernels, Forced, Gather, LayoutError, Scan,
};

use super::{FAR_BYTES, Rows, Scorer, prefetch_row};
use crate::metric::Metric;

/// Rows of `f32`, 64-byte aligned, with the winning kernels for their metric and dimension.
#[derive(Clone, Debug)]
pub struct F32Rows {
    metric: Metric,
    rows: AlignedRows,
    kernels: F32Kernels,
}

impl F32Rows {
    /// Takes `rows` over; none is copied.
    ///
    /// # Errors
    /// A forced kernel that is unknown or cannot run on this CPU.
    pub fn new(rows: AlignedRows, metric: Metric, forced: &Forced) -> Result<Self, BindError> {
        let kernels = F32Kernels::forced(metric.kernel()?, rows.dim(), forced)?;
        Ok(Self { metric, rows, kernels })
    }

    /// What near means here.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The rows.
    #[must_use]
    pub fn rows(&self) -> &AlignedRows {
        &self.rows
    }

    fn gather(&self) -> &Bound<Gather<f32>> {
        let far = self.rows.bytes() > FAR_BYTES;
        if far { &self.kernels.gather_far } else { &self.kernels.gather_cached }
    }

    fn scan(&self) -> &Bound<Scan<f32>> {
        let far = self.rows.bytes() > FAR_BYTES;
        if far { &self.kernels.scan_stream } else { &self.kernels.scan_cached }
    }
}

impl Scorer for F32Rows {
    type Query = Vec<f32>;

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut Vec<f32>) {
        assert_eq!(vector.len(), self.dim(), "a query of another dimension");
        query.clear();
        query.extend_from_slice(vector);
    }

    fn prepare_slot(&self, slot: u32, query: &mut Vec<f32>) {
        query.clear();
        query.extend_from_slice(self.rows.row(slot as usize));
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(&self.rows, slot);
    }

    fn score_ids(&self, query: &Vec<f32>, slots: &[u32], ranks: &mut [f32]) {
        self.gather().call(query, self.rows.view(), slots, ranks);
        self.metric.rank(ranks);
    }

    fn score_range(&self, query: &Vec<f32>, from: u32, ranks: &mut [f32]) {
        let from = from as usize;
        self.scan().call(query, self.rows.view().slice(from, from + ranks.len()), ranks);
        self.metric.rank(ranks);
    }
}

impl Rows for F32Rows {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        self.rows.reserve_exact(more)
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        self.rows.push(vector)
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        self.rows.row_mut(slot as usize).copy_from_slice(vector);
    }

    fn decode(&self, slot: u32, vector: &mut [f32]) {
        vector.copy_from_slice(self.rows.row(slot as usize));
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }

    fn bytes(&self) -> usize {
        self.rows.capacity_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_scored_by_slot_and_by_range() {
        let mut rows = F32Rows::new(
            AlignedRows::with_capacity(0, 2).unwrap(),
            Metric::Dot,
            &Forced::default(),
        )
        .unwrap();
        for v in [[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]] {
            rows.push(&v).unwrap();
        }
        let (mut query, mut ranks) = (Vec::new(), [0.0; 2]);
        rows.prepare(&[1.0, 1.0], &mut query);
        rows.score_ids(&query, &[2, 0], &mut ranks);
        assert_eq!(ranks, [-6.0, -1.0]);
        rows.score_range(&query, 1, &mut ranks);
        assert_eq!(ranks, [-2.0, -6.0]);
        rows.truncate(1);
        rows.set(0, &[5.0, 6.0]);
        let mut back = [0.0; 2];
        rows.decode(0, &mut back);
        assert_eq!((rows.len(), back), (1, [5.0, 6.0]));
    }
}
