//! One bit a dimension: on which side of the mean.
//!
//! A row `x` is kept as the signs of `o = turn(x - mean)` and a few numbers. A query comes in 4-bit
//! steps, and its product with a row's signs is a sum of integers; divided by the cosine between `o`
//! and its signs it estimates `o.q` without bias, to some |o| |q| / sqrt(dim) (RaBitQ: Gao and Long,
//! SIGMOD 2024, theorem 3.2).
//!
//! ```text
//! o.q  ~  factor * sum of +-q_i      factor = |o|^2 / sum of |o_i|     q_i ~ low + step * (0..15)
//! ```
//! Two rows, as when a graph is linked, have only signs: they differ in a share `t / pi` of them where
//! the angle is `t`, if no direction is special (Charikar, 2002). A [`Rotation`] sees to it that none is.
//! Under [`Metric::Hamming`] the bits are the vectors: sign against sign, exactly, nothing learnt.
//!
//! ```text
//! row     |bits, lowest first|0 ..|addend: f32|factor: bf16|ones: u16|        the last at whole 8 bytes
//! ```

use annvil_kernels::{
    AlignedRows, Bound, EncodeBits, Forced, Gather, LayoutError, Pair, Residence, Row, RowsRef,
    Scan, bits_u4_query, bits_u4_query_len, resolve,
};

use half::bf16;

use super::{EncodingError, FAR_BYTES, Rotation, Rows, Scorer, prefetch_row};
use crate::error::first_not_finite;
use crate::metric::Metric;

/// Values of one kernel call.
const BLOCK: usize = 256;
/// Of one call over listed slots: a list is short, and what is not used is cleared all the same.
const LISTED: usize = 64;

/// Bytes of a row's numbers: beside the bits, so that a row is one place in memory.
const TERM: usize = 8;

/// The largest of a query's values: four bits.
const STEPS: f32 = 15.0;

/// Elements of a vector at most, but for Hamming: the number of bits is kept in sixteen.
pub(super) const MOST_DIMS: usize = 65_536;

/// Bytes of a row.
fn row_len(dim: usize, metric: Metric) -> usize {
    let bits = dim.div_ceil(8);
    if metric == Metric::Hamming { bits } else { bits.next_multiple_of(TERM) + TERM }
}

/// Bytes from row to row: whole cache lines where that costs a seventh at most, so that 384 bits and
/// what belongs to them are one line.
pub(super) fn row_stride(dim: usize, metric: Metric) -> usize {
    let bytes = row_len(dim, metric).next_multiple_of(8);
    let lines = bytes.next_multiple_of(64);
    if lines - bytes <= bytes / 7 { lines } else { bytes }
}

/// Rows of sign bits.
#[derive(Clone, Debug)]
pub struct BinaryRows {
    metric: Metric,
    dim: usize,
    /// What signs are taken of: the difference to it. Empty under Hamming.
    mean: Vec<f32>,
    mean_norm_sq: f32,
    rotation: Option<Rotation>,
    /// Bits and, but for Hamming, a [`Term`] behind them.
    rows: AlignedRows<u8>,
    /// The cosine for each number of differing bits.
    cosines: Vec<f32>,
    encode: Bound<EncodeBits>,
    norm_sq: Bound<Row<f32>>,
    dot: Bound<Pair<f32>>,
    /// The sum of magnitudes is the distance to zeros.
    l1: Bound<Pair<f32>>,
    zeros: Vec<f32>,
    /// Bits against bits, then against 4-bit values; near, then far.
    gather: [[Bound<Gather<u8, u8, u32>>; 2]; 2],
    scan: [[Bound<Scan<u8, u8, u32>>; 2]; 2],
    /// One vector's difference to the mean.
    centred: Vec<f32>,
}

/// What is known of a row besides its signs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Term {
    /// What the row itself adds: the squared length of its difference to the mean for L2, else the product
    /// with the mean. NaN is a zero row under cosine, at distance 1 from all.
    addend: f32,
    /// What one step of the signs' product with a query is worth. The estimate is coarser than a `bf16`.
    factor: f32,
    /// How many bits are set.
    ones: f32,
}

impl Term {
    fn write(self, to: &mut [u8]) {
        let (addend, rest) = to.split_at_mut(4);
        addend.copy_from_slice(&self.addend.to_le_bytes());
        rest[..2].copy_from_slice(&bf16::from_f32(self.factor).to_le_bytes());
        // A number above the range becomes its end.
        rest[2..].copy_from_slice(&(self.ones as u16).to_le_bytes());
    }

    #[inline(always)]
    fn read(from: &[u8]) -> Self {
        let Some(&[a, b, c, d, e, f, g, h]) = from.last_chunk::<TERM>() else {
            return Self::default();
        };
        Self {
            addend: f32::from_le_bytes([a, b, c, d]),
            factor: f32::from_bits(u32::from(u16::from_le_bytes([e, f])) << 16),
            ones: f32::from(u16::from_le_bytes([g, h])),
        }
    }
}

/// A query for rows of bits.
#[derive(Clone, Debug, Default)]
pub struct BinaryQuery {
    /// As the kernels want it: bits, or 4-bit values in planes.
    code: Vec<u8>,
    /// Whether `code` is bits.
    signs: bool,
    /// As a row's.
    addend: f32,
    /// Of signs: length of the difference to the mean.
    norm: f32,
    /// `o.q` is `factor * (step * product + low * ones + rest)` of a row.
    step: f32,
    low: f32,
    rest: f32,
    /// Buffers.
    centred: Vec<f32>,
    values: Vec<u8>,
}

impl BinaryRows {
    /// No rows yet. The mean is that of `sample`, which may be empty: then it is zero.
    ///
    /// # Errors
    /// L1 or Linf, a `dim` of 0 or, but for Hamming, above 65,536, a sample of another dimension or with a
    /// NaN or an infinity, or a forced kernel that cannot be had.
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
        if !exact && dim > MOST_DIMS {
            return Err(EncodingError::TooWide { encoding: "binary", dim, most: MOST_DIMS });
        }
        if !sample.is_empty() && sample.dim() != dim {
            return Err(EncodingError::RangeDim { expected: dim, found: sample.dim() });
        }
        let mean = if exact { Vec::new() } else { mean(dim, sample)? };
        Self::around(dim, metric, &mean, rotation, forced)
    }

    /// No rows yet, around a mean, which is empty under Hamming. `dim` and `metric` were checked.
    pub(super) fn around(
        dim: usize,
        metric: Metric,
        mean: &[f32],
        rotation: Option<u64>,
        forced: &Forced,
    ) -> Result<Self, EncodingError> {
        let (exact, mean) = (metric == Metric::Hamming, mean.to_vec());
        let norm_sq: Bound<Row<f32>> = resolve("f32/norm_sq/row", dim, Residence::Cache, forced)?;
        let gather = |op: &str| {
            let get = |residence| resolve(&format!("{op}/gather"), dim, residence, forced);
            Ok::<_, EncodingError>([get(Residence::Cache)?, get(Residence::Dram)?])
        };
        let scan = |op: &str| {
            let get = |residence| resolve(&format!("{op}/scan"), dim, residence, forced);
            Ok::<_, EncodingError>([get(Residence::Cache)?, get(Residence::Dram)?])
        };
        let angle = |bits: usize| (std::f64::consts::PI * bits as f64 / dim as f64).cos() as f32;
        Ok(Self {
            metric,
            dim,
            mean_norm_sq: if exact { 0.0 } else { norm_sq.call(&mean) },
            mean,
            rotation: rotation.filter(|_| !exact).map(|seed| Rotation::new(dim, seed)),
            rows: AlignedRows::with_stride(0, row_len(dim, metric), row_stride(dim, metric))?,
            cosines: if exact { Vec::new() } else { (0..=dim).map(angle).collect() },
            encode: resolve("bits/sign/encode_bits", dim, Residence::Cache, forced)?,
            norm_sq,
            dot: resolve("f32/dot/pair", dim, Residence::Cache, forced)?,
            l1: resolve("f32/l1/pair", dim, Residence::Cache, forced)?,
            zeros: if exact { Vec::new() } else { vec![0.0; dim] },
            gather: [gather("bits/hamming")?, gather("bits_u4/dot")?],
            scan: [scan("bits/hamming")?, scan("bits_u4/dot")?],
            centred: vec![0.0; dim],
        })
    }

    /// What signs are taken of the difference to.
    #[cfg(feature = "storage")]
    pub(super) fn mean(&self) -> &[f32] {
        &self.mean
    }

    fn far(&self) -> usize {
        usize::from(self.rows.bytes() > FAR_BYTES)
    }

    /// Bytes of a row's bits.
    fn bits(&self) -> usize {
        self.dim.div_ceil(8)
    }

    /// The bits of all rows.
    fn view(&self) -> RowsRef<'_, u8> {
        self.rows.view().columns(0, self.bits())
    }

    /// Length of a row's difference to the mean, as far as what is kept of it tells.
    fn norm(&self, term: &Term) -> f32 {
        match self.metric {
            Metric::L2 => term.addend.sqrt(),
            // Of a unit vector; NaN stays.
            Metric::Cosine => (1.0 - 2.0 * term.addend + self.mean_norm_sq).abs().sqrt(),
            // What it is where elements are normally distributed, as after a turn.
            _ => term.factor * (2.0 * self.dim as f32 / std::f32::consts::PI).sqrt(),
        }
    }

    /// `turn(vector - mean)`, its length, and what the vector adds to all its ranks.
    fn centre(&self, vector: &[f32], centred: &mut [f32]) -> (f32, f32) {
        for ((to, &v), &m) in centred.iter_mut().zip(vector).zip(&self.mean) {
            *to = v - m;
        }
        let norm_sq = self.norm_sq.call(centred);
        if let Some(rotation) = &self.rotation {
            rotation.apply(centred);
        }
        let addend = match self.metric {
            Metric::L2 => norm_sq,
            Metric::Cosine if vector.iter().all(|&v| v == 0.0) => f32::NAN,
            _ => self.dot.call(vector, &self.mean),
        };
        (norm_sq.sqrt(), addend)
    }

    /// Estimates of inner products to ranks.
    #[inline(always)]
    fn rank<'a>(
        &self,
        query: &BinaryQuery,
        counts: &[u32],
        rows: impl Iterator<Item = &'a [u8]>,
        ranks: &mut [f32],
    ) {
        let each = ranks.iter_mut().zip(counts).zip(rows.map(Term::read));
        // Of the differences to the mean.
        let product = |n: u32, row: &Term| {
            if query.signs {
                query.norm * self.norm(row) * self.cosines[n as usize]
            } else {
                row.factor * (query.step * n as f32 + query.low * row.ones + query.rest)
            }
        };
        let addend = query.addend;
        match self.metric {
            Metric::L2 => each.for_each(|((r, &n), row)| {
                *r = (addend + row.addend - 2.0 * product(n, &row)).max(0.0);
            }),
            Metric::Dot => each.for_each(|((r, &n), row)| {
                *r = self.mean_norm_sq - addend - row.addend - product(n, &row);
            }),
            _ => each.for_each(|((r, &n), row)| {
                let cosine = product(n, &row) + addend + row.addend - self.mean_norm_sq;
                *r = if cosine.is_nan() { 1.0 } else { (1.0 - cosine).clamp(0.0, 2.0) };
            }),
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

/// The smallest and the largest, by eight side by side.
fn ends(values: &[f32]) -> (f32, f32) {
    let (mut low, mut high) = ([f32::INFINITY; 8], [f32::NEG_INFINITY; 8]);
    for values in values.chunks(8) {
        for ((&v, low), high) in values.iter().zip(&mut low).zip(&mut high) {
            *low = if v < *low { v } else { *low };
            *high = if v > *high { v } else { *high };
        }
    }
    (
        low.into_iter().fold(f32::INFINITY, f32::min),
        high.into_iter().fold(f32::NEG_INFINITY, f32::max),
    )
}

/// Values to four bits, evenly between the smallest and the largest. Of what the steps stand for:
/// the first value, the step, and the sum over all.
fn quantise(values: &[f32], codes: &mut Vec<u8>) -> (f32, f32, f64) {
    let (low, high) = ends(values);
    let step = (high - low) / STEPS;
    let inverse = if step.is_normal() { 1.0 / step } else { 0.0 };
    let step = if inverse == 0.0 { 0.0 } else { step };
    codes.clear();
    // To the nearest: the number is not negative, and is cut.
    codes.extend(values.iter().map(|v| ((v - low) * inverse + 0.5).min(STEPS) as u8));
    let sum: u64 = codes.iter().map(|&c| u64::from(c)).sum();
    let all = f64::from(low) * values.len() as f64 + f64::from(step) * sum as f64;
    (low, step, all)
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
        query.signs = self.metric == Metric::Hamming;
        if query.signs {
            query.code.resize(self.bits(), 0);
            self.encode.call(vector, &mut query.code);
            return;
        }
        query.centred.resize(self.dim, 0.0);
        (_, query.addend) = self.centre(vector, &mut query.centred);
        let (low, step, all) = quantise(&query.centred, &mut query.values);
        query.code.resize(bits_u4_query_len(self.dim), 0);
        bits_u4_query(&query.values, &mut query.code);
        // The sum of +-q is twice that where bits are set, less that of all.
        (query.low, query.step, query.rest) = (2.0 * low, 2.0 * step, -all as f32);
    }

    fn prepare_slot(&self, slot: u32, query: &mut BinaryQuery) {
        let row = self.rows.row(slot as usize);
        query.signs = true;
        query.code.clear();
        query.code.extend_from_slice(&row[..self.bits()]);
        if self.metric != Metric::Hamming {
            let term = Term::read(row);
            (query.norm, query.addend) = (self.norm(&term), term.addend);
        }
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(self.rows.view(), slot);
    }

    fn score_ids(&self, query: &BinaryQuery, slots: &[u32], ranks: &mut [f32]) {
        let kernel = &self.gather[usize::from(!query.signs)][self.far()];
        assert_eq!(slots.len(), ranks.len(), "a rank for each slot");
        let mut counts = [0; LISTED];
        for (slots, ranks) in slots.chunks(LISTED).zip(ranks.chunks_mut(LISTED)) {
            let counts = &mut counts[..slots.len()];
            kernel.call(&query.code, self.view(), slots, counts);
            let rows = self.rows.view();
            match self.metric {
                Metric::Hamming => numbers(counts, ranks),
                _ => self.rank(query, counts, slots.iter().map(|&s| rows.row(s as usize)), ranks),
            }
        }
    }

    fn score_range(&self, query: &BinaryQuery, from: u32, ranks: &mut [f32]) {
        let kernel = &self.scan[usize::from(!query.signs)][self.far()];
        let mut counts = [0; BLOCK];
        for (i, ranks) in ranks.chunks_mut(BLOCK).enumerate() {
            let from = from as usize + i * BLOCK;
            let (to, counts) = (from + ranks.len(), &mut counts[..ranks.len()]);
            kernel.call(&query.code, self.view().slice(from, to), counts);
            let rows = self.rows.view();
            match self.metric {
                Metric::Hamming => numbers(counts, ranks),
                _ => self.rank(query, counts, (from..to).map(|slot| rows.row(slot)), ranks),
            }
        }
    }
}

fn numbers(counts: &[u32], ranks: &mut [f32]) {
    ranks.iter_mut().zip(counts).for_each(|(r, &n)| *r = n as f32);
}

impl Rows for BinaryRows {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        self.rows.reserve_exact(more)
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        if vector.len() != self.dim {
            return Err(LayoutError::RowLength { found: vector.len(), dim: self.dim });
        }
        self.rows.push_with(|_| ())?;
        self.set(self.rows.len() as u32 - 1, vector);
        Ok(())
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        let (slot, bits) = (slot as usize, self.bits());
        if self.metric == Metric::Hamming {
            self.encode.call(vector, self.rows.row_mut(slot));
            return;
        }
        let mut centred = std::mem::take(&mut self.centred);
        let (norm, addend) = self.centre(vector, &mut centred);
        let sum = self.l1.call(&centred, &self.zeros);
        let row = self.rows.row_mut(slot);
        self.encode.call(&centred, &mut row[..bits]);
        let factor = if sum > 0.0 { norm * (norm / sum) } else { 0.0 };
        let ones = row[..bits].iter().map(|byte| byte.count_ones()).sum::<u32>() as f32;
        let at = row.len() - TERM;
        Term { addend, factor, ones }.write(&mut row[at..]);
        self.centred = centred;
    }

    /// The nearest that signs allow: the mean and an equal step to either side in each dimension of the
    /// space as it was turned; under Hamming, plus or minus one.
    fn decode(&self, slot: u32, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        let row = self.rows.row(slot as usize);
        let step = match self.metric {
            Metric::Hamming => 1.0,
            // The mean of the magnitudes.
            _ => match Term::read(row) {
                Term { factor: 0.0, .. } => 0.0,
                term => self.norm(&term).powi(2) / (term.factor * self.dim as f32),
            },
        };
        for (i, v) in vector.iter_mut().enumerate() {
            *v = if row[i / 8] >> (i % 8) & 1 == 1 { step } else { -step };
        }
        if let Some(rotation) = &self.rotation {
            rotation.undo(vector);
        }
        vector.iter_mut().zip(&self.mean).for_each(|(v, mean)| *v += mean);
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }

    fn bytes(&self) -> usize {
        let floats = self.mean.capacity() + self.cosines.capacity() + self.zeros.capacity();
        let rotation = self.rotation.as_ref().map_or(0, Rotation::bytes);
        self.rows.capacity_bytes() + floats * size_of::<f32>() + rotation
    }
}
