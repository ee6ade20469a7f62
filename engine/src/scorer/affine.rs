//! Rows of 8-bit and 4-bit codes, compared by products of integers.
//!
//! A row stands for `x_i = m_i + s_i (c_i - h)`, with `m` in the middle of what was learnt and `h` half of the
//! steps. Then
//!
//! ```text
//! q.x       =  q.m  +  sum (q_i s_i) (c_i - h)                 h of the codes cancels what they share
//! |q - x|^2 =  |q - m|^2 + |x - m|^2 - 2 sum ((q_i - m_i) s_i) (c_i - h)
//!              once a query   kept    w_i rounded to signed bytes: unit * (a product of integers)
//! ```
//! so steps of each dimension's own cost nothing: they are in the query. L2 is taken around `m`: how far
//! the rows are from zero costs no digits. For cosine 1 / |x| is kept, and 0 for a zero row, whose
//! distance is then 1 whatever the query.

use annvil_kernels::{
    AlignedRows, Bound, Encode, Forced, Gather, LayoutError, Pair, Residence, Row, Scan, Steps,
    int4_query, int4_unpack, resolve,
};

use super::{CodeRange, EncodingError, FAR_BYTES, Rows, Scorer, prefetch_row, stride};
use crate::metric::Metric;

/// Values of one kernel call over a range: they stay in the L1 cache until they are ranks.
const BLOCK: usize = 256;
/// Of one call over listed slots: a list is short, and what is not used is cleared all the same.
const LISTED: usize = 64;
/// Elements of a vector at most: beyond, a sum of products may leave 32 bits (127 * 128 each).
pub(super) const MOST_DIMS: usize = 131_072;
/// Added to a number below 2^22 and taken away again it leaves the nearest whole one, which stands in
/// its lowest bits meanwhile.
const WHOLE: f32 = 12_582_912.0;

mod sealed {
    pub trait Sealed {}
}

/// A way of writing codes down.
pub trait Code: sealed::Sealed + Clone + std::fmt::Debug + Send + Sync + 'static {
    /// What rows are made of.
    type Element: annvil_kernels::Element;
    /// The largest code.
    const STEPS: u8;
    /// The encoding's name.
    const NAME: &'static str;
    /// The kernels' name for it with a query of signed bytes.
    #[doc(hidden)]
    const OPERATION: &'static str;
    /// What is subtracted from a code before it is written.
    #[doc(hidden)]
    const SHIFT: f32;
    /// The code in the middle.
    #[doc(hidden)]
    const MIDDLE: f32;
    /// Elements of a row of `dim` codes.
    #[doc(hidden)]
    fn row_len(dim: usize) -> usize;
    /// Writes encoded bytes (as the kernels encode) as a row.
    #[doc(hidden)]
    fn write(bytes: &[u8], row: &mut [Self::Element]);
    /// Reads the codes, as they were before the shift.
    #[doc(hidden)]
    fn read(row: &[Self::Element], codes: &mut [u8]);
    /// Puts a query of signed bytes into the kernels' order.
    #[doc(hidden)]
    fn order(values: &[i8], query: &mut Vec<i8>);
}

/// Codes of eight bits.
#[derive(Clone, Copy, Debug)]
pub struct Eight;
/// Codes of four bits, two a byte.
#[derive(Clone, Copy, Debug)]
pub struct Four;

impl sealed::Sealed for Eight {}
impl sealed::Sealed for Four {}

impl Code for Eight {
    type Element = i8;
    const STEPS: u8 = 255;
    const NAME: &'static str = "sq8";
    const OPERATION: &'static str = "i8";
    const SHIFT: f32 = 128.0;
    const MIDDLE: f32 = 128.0;

    fn row_len(dim: usize) -> usize {
        dim
    }

    fn write(bytes: &[u8], row: &mut [i8]) {
        row.iter_mut().zip(bytes).for_each(|(to, &from)| *to = (from ^ 0x80) as i8);
    }

    fn read(row: &[i8], codes: &mut [u8]) {
        codes.iter_mut().zip(row).for_each(|(to, &from)| *to = from as u8 ^ 0x80);
    }

    fn order(values: &[i8], query: &mut Vec<i8>) {
        query.clear();
        query.extend_from_slice(values);
    }
}

impl Code for Four {
    type Element = u8;
    const STEPS: u8 = 15;
    const NAME: &'static str = "int4";
    const OPERATION: &'static str = "int4_i8";
    const SHIFT: f32 = 0.0;
    const MIDDLE: f32 = 7.5;

    fn row_len(dim: usize) -> usize {
        dim.div_ceil(2)
    }

    fn write(bytes: &[u8], row: &mut [u8]) {
        row.copy_from_slice(bytes);
    }

    fn read(row: &[u8], codes: &mut [u8]) {
        int4_unpack(row, codes);
    }

    fn order(values: &[i8], query: &mut Vec<i8>) {
        query.resize(values.len().next_multiple_of(2), 0);
        int4_query(values, query);
    }
}

/// Rows of 8-bit codes with learnt ends.
pub type Sq8Rows = CodeRows<Eight>;
/// Rows of 4-bit codes with learnt ends.
pub type Int4Rows = CodeRows<Four>;

/// Rows of codes that stand for `bias + scale * code`.
#[derive(Clone, Debug)]
pub struct CodeRows<C: Code> {
    metric: Metric,
    range: CodeRange,
    /// What the middle code stands for, and the step, of each dimension.
    middle: Vec<f32>,
    scale: Vec<f32>,
    rows: AlignedRows<C::Element>,
    /// |x - m|^2 for L2, 1 / |x| for cosine, of what each row stands for.
    terms: Vec<f32>,
    encode: Bound<Encode>,
    norm_sq: Bound<Row<f32>>,
    dot: Bound<Pair<f32>>,
    gather: [Bound<Gather<i8, C::Element, i32>>; 2],
    scan: [Bound<Scan<i8, C::Element, i32>>; 2],
    /// The codes and the values of one row.
    codes: Vec<u8>,
    values: Vec<f32>,
}

/// A query for rows of codes.
#[derive(Clone, Debug, Default)]
pub struct CodeQuery {
    /// As the kernels want it.
    codes: Vec<i8>,
    /// What one step of `codes` is worth.
    unit: f32,
    /// The part of a product that no code changes; for L2, of a rank.
    constant: f32,
    /// Buffers.
    vector: Vec<f32>,
    values: Vec<i8>,
    stored: Vec<u8>,
}

impl<C: Code> CodeRows<C> {
    /// No rows yet.
    ///
    /// # Errors
    /// A metric other than L2, dot and cosine, a range of another dimension, a `dim` of 0 or above
    /// 131,072, or a forced kernel that cannot be had.
    pub fn new(
        dim: usize,
        metric: Metric,
        range: CodeRange,
        forced: &Forced,
    ) -> Result<Self, EncodingError> {
        if !matches!(metric, Metric::L2 | Metric::Dot | Metric::Cosine) {
            return Err(EncodingError::NoKernel { metric, encoding: C::NAME });
        }
        if range.is_per_dimension() && range.bias.len() != dim {
            return Err(EncodingError::RangeDim { expected: dim, found: range.bias.len() });
        }
        if dim > MOST_DIMS {
            return Err(EncodingError::TooWide { encoding: C::NAME, dim, most: MOST_DIMS });
        }
        let len = C::row_len(dim);
        let rows = AlignedRows::with_stride(0, len, stride(len))?;
        let encoding = if range.is_per_dimension() { "_dim" } else { "" };
        let encode = format!("{}{encoding}/from_f32/encode", C::NAME);
        let path = |shape: &str| format!("{}/dot/{shape}", C::OPERATION);
        let gather = |residence| resolve(&path("gather"), dim, residence, forced);
        let scan = |residence| resolve(&path("scan"), dim, residence, forced);
        let middle = |(bias, scale): (f32, f32)| bias + C::MIDDLE * scale;
        Ok(Self {
            metric,
            middle: (0..dim).map(|i| middle(range.at(i))).collect(),
            scale: (0..dim).map(|i| range.at(i).1).collect(),
            range,
            rows,
            terms: Vec::new(),
            encode: resolve(&encode, dim, Residence::Cache, forced)?,
            norm_sq: resolve("f32/norm_sq/row", dim, Residence::Cache, forced)?,
            dot: resolve("f32/dot/pair", dim, Residence::Cache, forced)?,
            gather: [gather(Residence::Cache)?, gather(Residence::Dram)?],
            scan: [scan(Residence::Cache)?, scan(Residence::Dram)?],
            codes: vec![0; dim],
            values: vec![0.0; dim],
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

    /// Writes the codes of a vector and the row's term.
    fn write(&mut self, slot: usize, vector: &[f32]) {
        let steps = Steps { bias: &self.range.bias, inverse: &self.range.inverse };
        let (mut codes, mut values) =
            (std::mem::take(&mut self.codes), std::mem::take(&mut self.values));
        codes.resize(self.encode.row_len(), 0);
        self.encode.call(vector, steps, &mut codes);
        C::write(&codes, self.rows.row_mut(slot));
        self.terms[slot] = match self.metric {
            Metric::L2 => {
                self.differences(slot, &mut codes, &mut values);
                self.norm_sq.call(&values)
            }
            // A zero vector is as far from all, whatever its codes stand for.
            Metric::Cosine if vector.iter().all(|&v| v == 0.0) => 0.0,
            Metric::Cosine => {
                self.decode_row(slot, &mut codes, &mut values);
                let norm_sq = self.norm_sq.call(&values);
                if norm_sq == 0.0 { 0.0 } else { 1.0 / norm_sq.sqrt() }
            }
            _ => 0.0,
        };
        (self.codes, self.values) = (codes, values);
    }

    fn read(&self, slot: usize, codes: &mut Vec<u8>) {
        codes.resize(self.dim(), 0);
        C::read(self.rows.row(slot), codes);
    }

    /// What a row stands for.
    fn decode_row(&self, slot: usize, codes: &mut Vec<u8>, values: &mut [f32]) {
        self.read(slot, codes);
        if self.range.is_per_dimension() {
            let steps = self.range.bias.iter().zip(&self.scale);
            for ((value, &code), (&bias, &scale)) in values.iter_mut().zip(&*codes).zip(steps) {
                *value = bias + scale * f32::from(code);
            }
        } else {
            let (bias, scale) = self.range.at(0);
            values.iter_mut().zip(&*codes).for_each(|(v, &c)| *v = bias + scale * f32::from(c));
        }
    }

    /// How far that is from the middle.
    fn differences(&self, slot: usize, codes: &mut Vec<u8>, values: &mut [f32]) {
        self.read(slot, codes);
        for ((value, &code), &scale) in values.iter_mut().zip(&*codes).zip(&self.scale) {
            *value = scale * (f32::from(code) - C::MIDDLE);
        }
    }

    /// Makes a query of its vector; for L2, of the differences to the middle.
    fn quantise(&self, query: &mut CodeQuery) {
        let CodeQuery { vector, values, .. } = query;
        let constant = match self.metric {
            Metric::L2 => self.norm_sq.call(vector),
            _ => self.dot.call(vector, &self.middle),
        };
        vector.iter_mut().zip(&self.scale).for_each(|(v, scale)| *v *= scale);
        // Bits of numbers without a sign order as they do; NaN, of a query beyond f32, is the largest.
        let largest = vector.iter().fold(0, |m, v| m.max(v.abs().to_bits() as i32));
        let unit = f32::from_bits(largest as u32) / 127.0;
        let inverse = if unit.is_normal() { 1.0 / unit } else { 0.0 };
        let unit = if inverse == 0.0 { 0.0 } else { unit };
        values.clear();
        values.extend(vector.iter().map(|v| (v * inverse + WHOLE).to_bits() as i8));
        let sum: i32 = values.iter().map(|&v| i32::from(v)).sum();
        let shared = unit * (C::SHIFT - C::MIDDLE) * sum as f32;
        C::order(values, &mut query.codes);
        (query.constant, query.unit) = match self.metric {
            Metric::L2 => (constant - 2.0 * shared, -2.0 * unit),
            _ => (constant + shared, unit),
        };
    }

    /// Products of integers to ranks.
    #[inline(always)]
    fn rank(&self, query: &CodeQuery, products: &[i32], terms: &[f32], ranks: &mut [f32]) {
        let (constant, unit) = (query.constant, query.unit);
        let each = ranks.iter_mut().zip(products).zip(terms);
        match self.metric {
            // Rounding may leave less than nothing; NaN, of sums beyond f32, stays.
            Metric::L2 => each.for_each(|((r, &p), t)| {
                let value = constant + t + unit * p as f32;
                *r = if value < 0.0 { 0.0 } else { value };
            }),
            Metric::Cosine => each.for_each(|((r, &p), t)| {
                *r = (1.0 - t * (constant + unit * p as f32)).clamp(0.0, 2.0);
            }),
            _ => each.for_each(|((r, &p), _)| *r = -(constant + unit * p as f32)),
        }
    }
}

impl<C: Code> Scorer for CodeRows<C> {
    type Query = CodeQuery;

    fn dim(&self) -> usize {
        self.scale.len()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut CodeQuery) {
        assert_eq!(vector.len(), self.dim(), "a query of another dimension");
        query.vector.clear();
        match self.metric {
            Metric::L2 => query.vector.extend(vector.iter().zip(&self.middle).map(|(q, m)| q - m)),
            _ => query.vector.extend_from_slice(vector),
        }
        self.quantise(query);
    }

    fn prepare_slot(&self, slot: u32, query: &mut CodeQuery) {
        let slot = slot as usize;
        query.vector.resize(self.dim(), 0.0);
        match self.metric {
            Metric::L2 => self.differences(slot, &mut query.stored, &mut query.vector),
            _ => self.decode_row(slot, &mut query.stored, &mut query.vector),
        }
        if self.metric == Metric::Cosine {
            // Of unit length, as queries are, or zero.
            let by = self.terms[slot];
            query.vector.iter_mut().for_each(|v| *v *= by);
        }
        self.quantise(query);
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(self.rows.view(), slot);
    }

    fn score_ids(&self, query: &CodeQuery, slots: &[u32], ranks: &mut [f32]) {
        assert_eq!(slots.len(), ranks.len(), "a rank for each slot");
        let (mut products, mut terms) = ([0; LISTED], [0.0; LISTED]);
        for (slots, ranks) in slots.chunks(LISTED).zip(ranks.chunks_mut(LISTED)) {
            let (products, terms) = (&mut products[..slots.len()], &mut terms[..slots.len()]);
            self.gather[self.far()].call(&query.codes, self.rows.view(), slots, products);
            terms.iter_mut().zip(slots).for_each(|(t, &slot)| *t = self.terms[slot as usize]);
            self.rank(query, products, terms, ranks);
        }
    }

    fn score_range(&self, query: &CodeQuery, from: u32, ranks: &mut [f32]) {
        let mut products = [0; BLOCK];
        for (i, ranks) in ranks.chunks_mut(BLOCK).enumerate() {
            let from = from as usize + i * BLOCK;
            let (to, products) = (from + ranks.len(), &mut products[..ranks.len()]);
            self.scan[self.far()].call(&query.codes, self.rows.view().slice(from, to), products);
            self.rank(query, products, &self.terms[from..to], ranks);
        }
    }
}

impl<C: Code> Rows for CodeRows<C> {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        let rows = self.rows.len().saturating_add(more);
        let too_large = LayoutError::TooLarge { rows, dim: self.dim() };
        self.terms.try_reserve_exact(more).map_err(|_| too_large)?;
        self.rows.reserve_exact(more)
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        if vector.len() != self.dim() {
            return Err(LayoutError::RowLength { found: vector.len(), dim: self.dim() });
        }
        let too_large = LayoutError::TooLarge { rows: self.rows.len() + 1, dim: self.dim() };
        self.terms.try_reserve(1).map_err(|_| too_large)?;
        self.rows.push_with(|_| ())?;
        self.terms.push(0.0);
        self.write(self.rows.len() - 1, vector);
        Ok(())
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        assert_eq!(vector.len(), self.dim(), "a vector of another dimension");
        self.write(slot as usize, vector);
    }

    fn decode(&self, slot: u32, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim(), "a vector of another dimension");
        self.decode_row(slot as usize, &mut Vec::new(), vector);
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
        self.terms.truncate(len);
    }

    fn bytes(&self) -> usize {
        let floats = self.terms.capacity() + self.middle.capacity() + self.scale.capacity();
        self.rows.capacity_bytes() + floats * size_of::<f32>() + self.range.bytes()
    }
}
