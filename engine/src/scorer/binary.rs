//! One bit a dimension: on which side of the mean.
//!
//! Two vectors at an angle `t` differ in a share `t / pi` of their signs, if no direction is special
//! (Charikar, 2002): so the differing bits estimate the angle, and with the lengths, eight bytes a
//! row, the distance. A [`Rotation`] sees to it that no direction is special. Under
//! [`Metric::Hamming`] the bits are the vectors: sign against sign, exactly, nothing learnt.

use annvil_kernels::{
    AlignedRows, Bound, EncodeBits, Forced, Gather, LayoutError, Pair, Residence, Row, RowsRef,
    Scan, resolve,
};

use super::{EncodingError, FAR_BYTES, Rotation, Rows, Scorer, prefetch_row, stride};
use crate::error::first_not_finite;
use crate::metric::Metric;

/// Values of one kernel call.
const BLOCK: usize = 256;

/// Rows of sign bits.
#[derive(Clone, Debug)]
pub struct BinaryRows {
    metric: Metric,
    dim: usize,
    /// What signs are taken of: the difference to it. Empty under Hamming.
    mean: Vec<f32>,
    mean_norm_sq: f32,
    rotation: Option<Rotation>,
    rows: AlignedRows<u8>,
    /// Of each row: the length of its difference to the mean, and its product with the mean.
    terms: Vec<(f32, f32)>,
    /// The cosine for each number of differing bits.
    cosines: Vec<f32>,
    encode: Bound<EncodeBits>,
    norm_sq: Bound<Row<f32>>,
    dot: Bound<Pair<f32>>,
    gather: [Bound<Gather<u8, u8, u32>>; 2],
    scan: [Bound<Scan<u8, u8, u32>>; 2],
    /// One vector's difference.
    centred: Vec<f32>,
}

/// A query for rows of bits.
#[derive(Clone, Debug, Default)]
pub struct BinaryQuery {
    bits: Vec<u8>,
    norm: f32,
    mean_product: f32,
    centred: Vec<f32>,
}

impl BinaryRows {
    /// No rows yet. The mean is that of `sample`, which may be empty: then it is zero.
    ///
    /// # Errors
    /// L1 or Linf, `dim == 0`, a sample of another dimension or with a NaN or an infinity, or a forced
    /// kernel that cannot be had.
    pub fn train(
        dim: usize,
        metric: Metric,
        sample: RowsRef<'_, f32>,
        rotation: Option<u64>,
        forced: &Forced,
    ) -> Result<Self, EncodingError> {
        if matches!(metric, Metric::L1 | Metric::Linf) {
            return Err(EncodingError::NoKernel { metric, encoding: "binary" });
        }
        let exact = metric == Metric::Hamming;
        if !sample.is_empty() && sample.dim() != dim {
            return Err(EncodingError::RangeDim { expected: dim, found: sample.dim() });
        }
        let mean = if exact { Vec::new() } else { mean(dim, sample)? };
        let len = dim.div_ceil(8);
        let norm_sq: Bound<Row<f32>> = resolve("f32/norm_sq/row", dim, Residence::Cache, forced)?;
        let gather = |residence| resolve("bits/hamming/gather", dim, residence, forced);
        let scan = |residence| resolve("bits/hamming/scan", dim, residence, forced);
        let angle = |bits: usize| (std::f64::consts::PI * bits as f64 / dim as f64).cos() as f32;
        Ok(Self {
            metric,
            dim,
            mean_norm_sq: if exact { 0.0 } else { norm_sq.call(&mean) },
            mean,
            rotation: rotation.filter(|_| !exact).map(|seed| Rotation::new(dim, seed)),
            rows: AlignedRows::with_stride(0, len, stride(len))?,
            terms: Vec::new(),
            cosines: if exact { Vec::new() } else { (0..=dim).map(angle).collect() },
            encode: resolve("bits/sign/encode_bits", dim, Residence::Cache, forced)?,
            norm_sq,
            dot: resolve("f32/dot/pair", dim, Residence::Cache, forced)?,
            gather: [gather(Residence::Cache)?, gather(Residence::Dram)?],
            scan: [scan(Residence::Cache)?, scan(Residence::Dram)?],
            centred: vec![0.0; dim],
        })
    }

    fn far(&self) -> usize {
        usize::from(self.rows.bytes() > FAR_BYTES)
    }

    /// Bits, length of the difference to the mean, and product with the mean.
    fn bits(&self, vector: &[f32], centred: &mut [f32], bits: &mut [u8]) -> (f32, f32) {
        if self.mean.is_empty() {
            self.encode.call(vector, bits);
            return (0.0, 0.0);
        }
        for ((to, &v), &m) in centred.iter_mut().zip(vector).zip(&self.mean) {
            *to = v - m;
        }
        let norm = self.norm_sq.call(centred).sqrt();
        if let Some(rotation) = &self.rotation {
            rotation.apply(centred);
        }
        self.encode.call(centred, bits);
        // A zero row is at distance 1 from all under cosine: NaN says so.
        let zero = self.metric == Metric::Cosine && vector.iter().all(|&v| v == 0.0);
        (norm, if zero { f32::NAN } else { self.dot.call(vector, &self.mean) })
    }

    fn rank(
        &self,
        query: &BinaryQuery,
        counts: &[u32],
        terms: impl Iterator<Item = (f32, f32)>,
        ranks: &mut [f32],
    ) {
        let each = ranks.iter_mut().zip(counts).zip(terms);
        match self.metric {
            Metric::L2 => each.for_each(|((r, &n), (norm, _))| {
                let product = query.norm * norm * self.cosines[n as usize];
                *r = (query.norm * query.norm + norm * norm - 2.0 * product).max(0.0);
            }),
            Metric::Dot | Metric::Cosine => each.for_each(|((r, &n), (norm, mean))| {
                let centred = query.norm * norm * self.cosines[n as usize];
                let product = centred + query.mean_product + mean - self.mean_norm_sq;
                *r = match self.metric {
                    Metric::Dot => -product,
                    _ if product.is_nan() => 1.0,
                    _ => (1.0 - product).clamp(0.0, 2.0),
                };
            }),
            Metric::Hamming | Metric::L1 | Metric::Linf => {
                ranks.iter_mut().zip(counts).for_each(|(r, &n)| *r = n as f32);
            }
        }
    }
}

fn mean(dim: usize, sample: RowsRef<'_, f32>) -> Result<Vec<f32>, EncodingError> {
    let mut sums = vec![0.0f64; dim];
    for row in 0..sample.len() {
        if let Some((position, value)) = first_not_finite(sample.row(row)) {
            return Err(EncodingError::NotFinite { row, position, value });
        }
        sums.iter_mut().zip(sample.row(row)).for_each(|(sum, &v)| *sum += f64::from(v));
    }
    let n = sample.len().max(1) as f64;
    Ok(sums.into_iter().map(|sum| (sum / n) as f32).collect())
}

impl Scorer for BinaryRows {
    type Query = BinaryQuery;

    fn dim(&self) -> usize {
        self.dim
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut BinaryQuery) {
        assert_eq!(vector.len(), self.dim, "a query of another dimension");
        query.bits.resize(self.rows.dim(), 0);
        query.centred.resize(self.dim, 0.0);
        (query.norm, query.mean_product) = self.bits(vector, &mut query.centred, &mut query.bits);
    }

    fn prepare_slot(&self, slot: u32, query: &mut BinaryQuery) {
        query.bits.clear();
        query.bits.extend_from_slice(self.rows.row(slot as usize));
        (query.norm, query.mean_product) = self.terms[slot as usize];
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(&self.rows, slot);
    }

    fn score_ids(&self, query: &BinaryQuery, slots: &[u32], ranks: &mut [f32]) {
        let mut counts = [0; BLOCK];
        for (slots, ranks) in slots.chunks(BLOCK).zip(ranks.chunks_mut(BLOCK)) {
            let counts = &mut counts[..slots.len()];
            self.gather[self.far()].call(&query.bits, self.rows.view(), slots, counts);
            let terms = slots.iter().map(|&slot| self.terms[slot as usize]);
            self.rank(query, counts, terms, ranks);
        }
    }

    fn score_range(&self, query: &BinaryQuery, from: u32, ranks: &mut [f32]) {
        let mut counts = [0; BLOCK];
        for (i, ranks) in ranks.chunks_mut(BLOCK).enumerate() {
            let from = from as usize + i * BLOCK;
            let (to, counts) = (from + ranks.len(), &mut counts[..ranks.len()]);
            self.scan[self.far()].call(&query.bits, self.rows.view().slice(from, to), counts);
            self.rank(query, counts, self.terms[from..to].iter().copied(), ranks);
        }
    }
}

impl Rows for BinaryRows {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        let too_large = LayoutError::TooLarge { rows: self.rows.len() + more, dim: self.dim };
        self.terms.try_reserve_exact(more).map_err(|_| too_large)?;
        self.rows.reserve_exact(more)
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        if vector.len() != self.dim {
            return Err(LayoutError::RowLength { found: vector.len(), dim: self.dim });
        }
        let too_large = LayoutError::TooLarge { rows: self.rows.len() + 1, dim: self.dim };
        self.terms.try_reserve(1).map_err(|_| too_large)?;
        self.rows.push_with(|_| ())?;
        self.terms.push((0.0, 0.0));
        self.set(self.rows.len() as u32 - 1, vector);
        Ok(())
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        let mut centred = std::mem::take(&mut self.centred);
        let mut bits = vec![0; self.rows.dim()];
        self.terms[slot as usize] = self.bits(vector, &mut centred, &mut bits);
        self.rows.row_mut(slot as usize).copy_from_slice(&bits);
        self.centred = centred;
    }

    /// What signs and a length stand for: the mean and an equal step to either side in each
    /// dimension of the space as it was turned; under Hamming, plus or minus one.
    fn decode(&self, slot: u32, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        let bits = self.rows.row(slot as usize);
        let exact = self.mean.is_empty();
        let norm = self.terms[slot as usize].0;
        let step = if exact { 1.0 } else { norm / (self.dim as f32).sqrt() };
        for (i, v) in vector.iter_mut().enumerate() {
            *v = if bits[i / 8] >> (i % 8) & 1 == 1 { step } else { -step };
        }
        if let Some(rotation) = &self.rotation {
            rotation.undo(vector);
        }
        vector.iter_mut().zip(&self.mean).for_each(|(v, mean)| *v += mean);
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
        self.terms.truncate(len);
    }

    fn bytes(&self) -> usize {
        let floats = self.mean.capacity() + self.cosines.capacity() + 2 * self.terms.capacity();
        let rotation = self.rotation.as_ref().map_or(0, Rotation::bytes);
        self.rows.capacity_bytes() + floats * size_of::<f32>() + rotation
    }
}
