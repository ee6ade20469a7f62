//! Rows of 8-bit and 4-bit codes, compared by products of integers.
//!
//! A row stands for `x_i = b_i + s_i c_i`. Then
//!
//! ```text
//! q.x = sum q_i b_i  +  sum (q_i s_i) c_i
//!       once a query    w_i rounded to signed bytes: u * (a product of integers)
//! ```
//! so steps of each dimension's own cost nothing: they are in the query. The squared distance is
//! |q|^2 + |x|^2 - 2 q.x with |x|^2 kept for each row, four bytes; for cosine the kept number is
//! 1 / |x|, and 0 for a zero row, whose distance is then 1 whatever the query.

use annvil_kernels::{
    AlignedRows, Bound, Encode, Forced, Gather, LayoutError, Residence, Row, Scan, Steps,
    int4_query, int4_unpack, resolve,
};

use super::{CodeRange, EncodingError, FAR_BYTES, Rows, Scorer, prefetch_row, stride};
use crate::metric::Metric;

/// Values of one kernel call: they stay in the L1 cache until they are ranks.
const BLOCK: usize = 256;

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
    const SHIFT: i16;
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
    const SHIFT: i16 = 128;

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
    const SHIFT: i16 = 0;

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
    dim: usize,
    range: CodeRange,
    rows: AlignedRows<C::Element>,
    /// |x|^2, or 1 / |x|, of what each row stands for.
    terms: Vec<f32>,
    encode: Bound<Encode>,
    norm_sq: Bound<Row<f32>>,
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
    /// The part of q.x that no code changes.
    constant: f32,
    norm_sq: f32,
    /// Buffers.
    weights: Vec<f32>,
    values: Vec<i8>,
    vector: Vec<f32>,
    stored: Vec<u8>,
}

impl<C: Code> CodeRows<C> {
    /// No rows yet.
    ///
    /// # Errors
    /// A metric other than L2, dot and cosine, a range of another dimension, `dim == 0`, or a forced
    /// kernel that cannot be had.
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
        let len = C::row_len(dim);
        let rows = AlignedRows::with_stride(0, len, stride(len))?;
        let encoding = if range.is_per_dimension() { "_dim" } else { "" };
        let encode = format!("{}{encoding}/from_f32/encode", C::NAME);
        let path = |shape: &str| format!("{}/dot/{shape}", C::OPERATION);
        let gather = |residence| resolve(&path("gather"), dim, residence, forced);
        let scan = |residence| resolve(&path("scan"), dim, residence, forced);
        Ok(Self {
            metric,
            dim,
            range,
            rows,
            terms: Vec::new(),
            encode: resolve(&encode, dim, Residence::Cache, forced)?,
            norm_sq: resolve("f32/norm_sq/row", dim, Residence::Cache, forced)?,
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
        self.decode_row(self.rows.row(slot), &mut codes, &mut values);
        let norm_sq = self.norm_sq.call(&values);
        (self.codes, self.values) = (codes, values);
        self.terms[slot] = match self.metric {
            // A zero vector is as far from all, whatever its codes stand for.
            Metric::Cosine if norm_sq == 0.0 || vector.iter().all(|&v| v == 0.0) => 0.0,
            Metric::Cosine => 1.0 / norm_sq.sqrt(),
            _ => norm_sq,
        };
    }

    fn decode_row(&self, row: &[C::Element], codes: &mut Vec<u8>, values: &mut [f32]) {
        codes.resize(self.dim, 0);
        C::read(row, &mut codes[..self.dim]);
        let codes = &codes[..self.dim];
        if self.range.is_per_dimension() {
            let steps = self.range.bias.iter().zip(&self.range.scale);
            for ((value, &code), (&bias, &scale)) in values.iter_mut().zip(codes).zip(steps) {
                *value = bias + scale * f32::from(code);
            }
        } else {
            let (bias, scale) = self.range.at(0);
            values.iter_mut().zip(codes).for_each(|(v, &c)| *v = bias + scale * f32::from(c));
        }
    }

    /// Products of integers to ranks.
    fn rank(
        &self,
        query: &CodeQuery,
        products: &[i32],
        terms: impl Iterator<Item = f32>,
        ranks: &mut [f32],
    ) {
        let (constant, unit) = (query.constant, query.unit);
        let each = ranks.iter_mut().zip(products).zip(terms);
        match self.metric {
            Metric::L2 => {
                let (from, by) = (query.norm_sq - 2.0 * constant, -2.0 * unit);
                each.for_each(|((r, &p), t)| *r = (from + t + by * p as f32).max(0.0));
            }
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
        self.dim
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut CodeQuery) {
        assert_eq!(vector.len(), self.dim, "a query of another dimension");
        let CodeQuery { weights, values, .. } = query;
        let shift = f32::from(C::SHIFT);
        weights.clear();
        let mut constant = 0.0f64;
        if self.range.is_per_dimension() {
            let steps = self.range.bias.iter().zip(&self.range.scale);
            for (&q, (&bias, &scale)) in vector.iter().zip(steps) {
                weights.push(q * scale);
                constant += f64::from(q * (bias + shift * scale));
            }
        } else {
            let (bias, scale) = self.range.at(0);
            let base = bias + shift * scale;
            weights.extend(vector.iter().map(|q| q * scale));
            constant = vector.iter().map(|q| f64::from(q * base)).sum();
        }
        let largest = weights.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        let unit = largest / 127.0;
        let inverse = if unit.is_normal() { 1.0 / unit } else { 0.0 };
        values.clear();
        // To the nearest, halves away from zero, without a call: the magnitude is below 128.
        let round = |w: &f32| (w * inverse + 0.5f32.copysign(*w)) as i8;
        values.extend(weights.iter().map(round));
        C::order(values, &mut query.codes);
        query.unit = if inverse == 0.0 { 0.0 } else { unit };
        query.constant = constant as f32;
        query.norm_sq = self.norm_sq.call(vector);
    }

    fn prepare_slot(&self, slot: u32, query: &mut CodeQuery) {
        let mut vector = std::mem::take(&mut query.vector);
        let mut stored = std::mem::take(&mut query.stored);
        vector.resize(self.dim, 0.0);
        self.decode_row(self.rows.row(slot as usize), &mut stored, &mut vector);
        self.prepare(&vector, query);
        (query.vector, query.stored) = (vector, stored);
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(&self.rows, slot);
    }

    fn score_ids(&self, query: &CodeQuery, slots: &[u32], ranks: &mut [f32]) {
        let mut products = [0; BLOCK];
        for (slots, ranks) in slots.chunks(BLOCK).zip(ranks.chunks_mut(BLOCK)) {
            let products = &mut products[..slots.len()];
            self.gather[self.far()].call(&query.codes, self.rows.view(), slots, products);
            let terms = slots.iter().map(|&slot| self.terms[slot as usize]);
            self.rank(query, products, terms, ranks);
        }
    }

    fn score_range(&self, query: &CodeQuery, from: u32, ranks: &mut [f32]) {
        let mut products = [0; BLOCK];
        for (i, ranks) in ranks.chunks_mut(BLOCK).enumerate() {
            let from = from as usize + i * BLOCK;
            let (to, products) = (from + ranks.len(), &mut products[..ranks.len()]);
            self.scan[self.far()].call(&query.codes, self.rows.view().slice(from, to), products);
            self.rank(query, products, self.terms[from..to].iter().copied(), ranks);
        }
    }
}

impl<C: Code> Rows for CodeRows<C> {
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
        self.terms.push(0.0);
        self.set(self.rows.len() as u32 - 1, vector);
        Ok(())
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        self.write(slot as usize, vector);
    }

    fn decode(&self, slot: u32, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        self.decode_row(self.rows.row(slot as usize), &mut Vec::new(), vector);
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
        self.terms.truncate(len);
    }

    fn bytes(&self) -> usize {
        let terms = self.terms.capacity() * size_of::<f32>();
        self.rows.capacity_bytes() + terms + self.range.bytes()
    }
}
