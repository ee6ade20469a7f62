//! Rows as they were given, in `f32`.

use annvil_kernels::{
    AlignedRows, BindError, Bound, F32Kernels, Forced, Gather, LayoutError, RowsRef, Scan,
};

use super::{FAR_BYTES, Rows, Scorer, prefetch_row};
use crate::metric::Metric;
#[cfg(feature = "storage")]
use crate::storage::StoredVectors;

/// Rows of `f32`, 64-byte aligned, with the winning kernels for their metric and dimension. They are
/// held, or lie in a store's file and are read where they lie; whoever changes those has them copied
/// into memory first.
#[derive(Clone, Debug)]
pub struct F32Rows {
    metric: Metric,
    rows: Place,
    kernels: F32Kernels,
}

/// Where rows lie.
#[derive(Clone, Debug)]
enum Place {
    Held(AlignedRows),
    #[cfg(feature = "storage")]
    Stored(StoredVectors),
}

impl Place {
    #[inline]
    fn view(&self) -> RowsRef<'_, f32> {
        match self {
            Self::Held(rows) => rows.view(),
            #[cfg(feature = "storage")]
            Self::Stored(rows) => rows.view(),
        }
    }

    /// To be changed.
    fn held(&mut self) -> Result<&mut AlignedRows, LayoutError> {
        #[cfg(feature = "storage")]
        if let Self::Stored(stored) = self {
            let view = stored.view();
            let mut copy = AlignedRows::with_capacity(view.len(), view.dim())?;
            (0..view.len()).try_for_each(|row| copy.push(view.row(row)))?;
            *self = Self::Held(copy);
        }
        match self {
            Self::Held(rows) => Ok(rows),
            #[cfg(feature = "storage")]
            Self::Stored(_) => unreachable!("it was copied"),
        }
    }
}

impl F32Rows {
    /// Takes `rows` over; none is copied.
    ///
    /// # Errors
    /// A forced kernel that is unknown or cannot run on this CPU.
    pub fn new(rows: AlignedRows, metric: Metric, forced: &Forced) -> Result<Self, BindError> {
        let kernels = F32Kernels::forced(metric.kernel()?, rows.dim(), forced)?;
        Ok(Self { metric, rows: Place::Held(rows), kernels })
    }

    /// The same metric and kernels over rows of a store, of the same dimension.
    ///
    /// # Panics
    /// If they have another dimension.
    #[cfg(feature = "storage")]
    pub fn show(&mut self, rows: StoredVectors) {
        assert_eq!(rows.view().dim(), self.dim(), "rows of another dimension");
        self.rows = Place::Stored(rows);
    }

    /// Whether the rows lie in a store and take no memory of their own.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        match self.rows {
            Place::Held(_) => false,
            #[cfg(feature = "storage")]
            Place::Stored(_) => true,
        }
    }

    /// What near means here.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The rows.
    #[must_use]
    #[inline]
    pub fn view(&self) -> RowsRef<'_, f32> {
        self.rows.view()
    }

    /// Whether they are more than a core's own cache holds.
    fn far(&self) -> bool {
        let view = self.view();
        view.len() * view.stride() * size_of::<f32>() > FAR_BYTES
    }

    fn gather(&self) -> &Bound<Gather<f32>> {
        let far = self.far();
        if far { &self.kernels.gather_far } else { &self.kernels.gather_cached }
    }

    fn scan(&self) -> &Bound<Scan<f32>> {
        let far = self.far();
        if far { &self.kernels.scan_stream } else { &self.kernels.scan_cached }
    }
}

impl Scorer for F32Rows {
    type Query = Vec<f32>;

    fn dim(&self) -> usize {
        self.view().dim()
    }

    fn len(&self) -> usize {
        self.view().len()
    }

    fn prepare(&self, vector: &[f32], query: &mut Vec<f32>) {
        assert_eq!(vector.len(), self.dim(), "a query of another dimension");
        query.clear();
        query.extend_from_slice(vector);
    }

    fn prepare_slot(&self, slot: u32, query: &mut Vec<f32>) {
        query.clear();
        query.extend_from_slice(self.view().row(slot as usize));
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(self.view(), slot);
    }

    fn score_ids(&self, query: &Vec<f32>, slots: &[u32], ranks: &mut [f32]) {
        self.gather().call(query, self.view(), slots, ranks);
        self.metric.rank(ranks);
    }

    fn score_range(&self, query: &Vec<f32>, from: u32, ranks: &mut [f32]) {
        let from = from as usize;
        self.scan().call(query, self.view().slice(from, from + ranks.len()), ranks);
        self.metric.rank(ranks);
    }
}

impl Rows for F32Rows {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        if self.is_stored() { Ok(()) } else { self.rows.held()?.reserve_exact(more) }
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        self.rows.held()?.push(vector)
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        #[expect(
            clippy::expect_used,
            reason = "as the trait has it, rows that are held are changed"
        )]
        let held = self.rows.held().expect("memory for a copy of stored rows");
        held.row_mut(slot as usize).copy_from_slice(vector);
    }

    fn decode(&self, slot: u32, vector: &mut [f32]) {
        vector.copy_from_slice(self.view().row(slot as usize));
    }

    fn truncate(&mut self, len: usize) {
        match &mut self.rows {
            Place::Held(rows) => rows.truncate(len),
            #[cfg(feature = "storage")]
            Place::Stored(rows) => rows.truncate(len),
        }
    }

    fn bytes(&self) -> usize {
        match &self.rows {
            Place::Held(rows) => rows.capacity_bytes(),
            #[cfg(feature = "storage")]
            Place::Stored(_) => 0,
        }
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
