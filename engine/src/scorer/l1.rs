//! Rows of 8-bit codes compared by the sum of absolute differences.
//!
//! Steps are the same for all dimensions, so the distance of two codes is a number of steps. A query is
//! written in the steps of the rows; where it lies beyond their ends it is as much farther from every row:
//!
//! ```text
//! |q - x|_1  =  |q - q'|_1  +  scale * |codes of q' - codes of x|_1        q' is q, cut at the ends
//!               once a query           bytes, exactly
//! ```

use annvil_kernels::{
    AlignedRows, Bound, Encode, Forced, Gather, LayoutError, Pair, Residence, Scan, Steps, resolve,
};

use super::{CodeRange, EncodingError, FAR_BYTES, Rows, Scorer, prefetch_row, stride};
use crate::metric::Metric;

/// Values of one kernel call.
const BLOCK: usize = 256;
/// Of one call over listed slots: a list is short, and what is not used is cleared all the same.
const LISTED: usize = 64;

/// Rows of 8-bit codes under [`Metric::L1`].
#[derive(Clone, Debug)]
pub struct Sq8L1Rows {
    range: CodeRange,
    rows: AlignedRows<u8>,
    encode: Bound<Encode>,
    l1: Bound<Pair<f32>>,
    gather: [Bound<Gather<u8, u8, u32>>; 2],
    scan: [Bound<Scan<u8, u8, u32>>; 2],
}

/// A query for [`Sq8L1Rows`].
#[derive(Clone, Debug, Default)]
pub struct Sq8L1Query {
    codes: Vec<u8>,
    /// How far the query is from its part between the ends.
    beyond: f32,
    /// Buffer.
    cut: Vec<f32>,
}

impl Sq8L1Rows {
    /// No rows yet.
    ///
    /// # Errors
    /// A range with ends for each dimension, `dim == 0`, or a forced kernel that cannot be had.
    pub fn new(dim: usize, range: CodeRange, forced: &Forced) -> Result<Self, EncodingError> {
        if range.is_per_dimension() {
            return Err(EncodingError::NoKernel { metric: Metric::L1, encoding: "sq8" });
        }
        let gather = |residence| resolve("u8/l1/gather", dim, residence, forced);
        let scan = |residence| resolve("u8/l1/scan", dim, residence, forced);
        Ok(Self {
            range,
            rows: AlignedRows::with_stride(0, dim, stride(dim))?,
            encode: resolve("sq8/from_f32/encode", dim, Residence::Cache, forced)?,
            l1: resolve("f32/l1/pair", dim, Residence::Cache, forced)?,
            gather: [gather(Residence::Cache)?, gather(Residence::Dram)?],
            scan: [scan(Residence::Cache)?, scan(Residence::Dram)?],
        })
    }

    /// What codes stand for.
    #[must_use]
    pub fn range(&self) -> &CodeRange {
        &self.range
    }

    fn far(&self) -> usize {
        usize::from(self.rows.bytes() > FAR_BYTES)
    }

    fn steps(&self) -> Steps<'_> {
        Steps { bias: &self.range.bias, inverse: &self.range.inverse }
    }

    fn rank(&self, query: &Sq8L1Query, counts: &[u32], ranks: &mut [f32]) {
        let (beyond, (_, scale)) = (query.beyond, self.range.at(0));
        ranks.iter_mut().zip(counts).for_each(|(r, &n)| *r = beyond + scale * n as f32);
    }
}

impl Scorer for Sq8L1Rows {
    type Query = Sq8L1Query;

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut Sq8L1Query) {
        assert_eq!(vector.len(), self.dim(), "a query of another dimension");
        query.codes.resize(self.dim(), 0);
        self.encode.call(vector, self.steps(), &mut query.codes);
        let (low, scale) = self.range.at(0);
        query.cut.clear();
        query.cut.extend(vector.iter().map(|v| v.clamp(low, low + 255.0 * scale)));
        query.beyond = self.l1.call(vector, &query.cut);
    }

    fn prepare_slot(&self, slot: u32, query: &mut Sq8L1Query) {
        query.codes.clear();
        query.codes.extend_from_slice(self.rows.row(slot as usize));
        query.beyond = 0.0;
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(self.rows.view(), slot);
    }

    fn score_ids(&self, query: &Sq8L1Query, slots: &[u32], ranks: &mut [f32]) {
        assert_eq!(slots.len(), ranks.len(), "a rank for each slot");
        let mut counts = [0; LISTED];
        for (slots, ranks) in slots.chunks(LISTED).zip(ranks.chunks_mut(LISTED)) {
            let counts = &mut counts[..slots.len()];
            self.gather[self.far()].call(&query.codes, self.rows.view(), slots, counts);
            self.rank(query, counts, ranks);
        }
    }

    fn score_range(&self, query: &Sq8L1Query, from: u32, ranks: &mut [f32]) {
        let mut counts = [0; BLOCK];
        for (i, ranks) in ranks.chunks_mut(BLOCK).enumerate() {
            let from = from as usize + i * BLOCK;
            let (to, counts) = (from + ranks.len(), &mut counts[..ranks.len()]);
            self.scan[self.far()].call(&query.codes, self.rows.view().slice(from, to), counts);
            self.rank(query, counts, ranks);
        }
    }
}

impl Rows for Sq8L1Rows {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        self.rows.reserve_exact(more)
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        if vector.len() != self.dim() {
            return Err(LayoutError::RowLength { found: vector.len(), dim: self.dim() });
        }
        self.rows.push_with(|_| ())?;
        self.set(self.rows.len() as u32 - 1, vector);
        Ok(())
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        assert_eq!(vector.len(), self.dim(), "a vector of another dimension");
        let steps = Steps { bias: &self.range.bias, inverse: &self.range.inverse };
        self.encode.call(vector, steps, self.rows.row_mut(slot as usize));
    }

    fn decode(&self, slot: u32, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim(), "a vector of another dimension");
        let (bias, scale) = self.range.at(0);
        let codes = self.rows.row(slot as usize);
        vector.iter_mut().zip(codes).for_each(|(v, &c)| *v = bias + scale * f32::from(c));
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }

    fn bytes(&self) -> usize {
        self.rows.capacity_bytes() + self.range.bytes()
    }
}
