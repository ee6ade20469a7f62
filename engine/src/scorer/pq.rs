//! Rows as codes of product quantisation.
//!
//! ```text
//! rows     |17 203 .. 96|        a byte a sub-space, or two nibbles a byte: m, or m / 2 bytes a row
//! blocks   |17 .. |203 .. |      the same codes, side by side for a scan with a table of bytes
//! ```
//! Listed slots and a table in `f32`: one look-up a byte. Nibbles are looked up in pairs, in a
//! table of the sums of two entries, so a row of 4-bit codes costs half a row of 8-bit ones. With
//! blocks, ranges are scanned by a table of bytes whose sums keep the order of their values; what
//! is found there is to be ranked again.

use annvil_kernels::{
    AlignedRows, BlockLayout, Bound, CodeBlocksRef, FastScan, Forced, Gather, Interleaved4,
    LayoutError, Level, LutRef, Planar4, QuantizedLut, Residence, Rows64, RowsRef, Scan, resolve,
};

use super::{Rows, Scorer};
use crate::metric::Metric;
use crate::quant::pq::{Tables, check_metric};
use crate::quant::{Pq, PqError};

/// Rows of one call of a scan over blocks: whole blocks of every layout.
const CHUNK: usize = 1024;

/// Rows of codes, with the quantiser that made them.
#[derive(Clone, Debug)]
pub struct PqRows {
    pq: Pq,
    metric: Metric,
    codes: AlignedRows<u8>,
    /// The code of one row, a byte a sub-space.
    code: Vec<u8>,
    gather: Bound<Gather<f32, u8, f32>>,
    scan: Bound<Scan<f32, u8, f32>>,
    blocks: Option<Blocks>,
}

impl PqRows {
    /// No rows yet. Under [`Metric::Cosine`] the quantiser was trained on unit vectors.
    ///
    /// # Errors
    /// L1 or Linf, or a forced kernel that cannot be had.
    pub fn new(pq: Pq, metric: Metric, forced: &Forced) -> Result<Self, PqError> {
        check_metric(metric)?;
        let bytes = if pq.nbits() == 4 { pq.m().div_ceil(2) } else { pq.m() };
        let codes = AlignedRows::with_stride(0, bytes, bytes)?;
        let gather = resolve("pq8/adc/gather", bytes, Residence::Cache, forced)?;
        let scan = resolve("pq8/adc/scan", bytes, Residence::Cache, forced)?;
        let code = vec![0; pq.m()];
        Ok(Self { pq, metric, codes, code, gather, scan, blocks: None })
    }

    /// As [`PqRows::new`], and keeps the codes in blocks besides: twice the memory, and ranges are
    /// scanned several times as fast. Where this CPU has no instructions for it, there are no
    /// blocks; see [`PqRows::has_blocks`].
    ///
    /// # Errors
    /// As [`PqRows::new`].
    pub fn with_blocks(pq: Pq, metric: Metric, forced: &Forced) -> Result<Self, PqError> {
        let mut rows = Self::new(pq, metric, forced)?;
        rows.blocks = Blocks::new(&rows.pq, forced)?;
        Ok(rows)
    }

    /// Whether ranges are scanned by a table of bytes.
    #[must_use]
    pub fn has_blocks(&self) -> bool {
        self.blocks.is_some()
    }

    /// What near means here.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The quantiser.
    #[must_use]
    pub fn pq(&self) -> &Pq {
        &self.pq
    }

    /// The codes: a byte a sub-space, or the nibbles of two, the first one low.
    #[must_use]
    pub fn codes(&self) -> RowsRef<'_, u8> {
        self.codes.view()
    }

    /// The code of each sub-space of a row.
    fn code(&self, slot: u32) -> impl Iterator<Item = u8> {
        let row = self.codes.view().row(slot as usize);
        let four = self.pq.nbits() == 4;
        (0..self.pq.m()).map(move |s| match four {
            true => row[s / 2] >> (s % 2 * 4) & 15,
            false => row[s],
        })
    }

    /// Ranks by the `f32` table, whether there are blocks or not.
    fn scan_codes(&self, query: &PqQuery, from: usize, ranks: &mut [f32]) {
        let rows = self.codes.view().slice(from, from + ranks.len());
        self.scan.call(query.tables.bytes.as_flattened(), rows, ranks);
        self.metric.rank(ranks);
    }
}

/// A query's tables.
#[derive(Clone, Debug, Default)]
pub struct PqQuery {
    /// What a stored row stands for.
    vector: Vec<f32>,
    tables: Tables,
    bytes: QuantizedLut<256>,
    nibbles: QuantizedLut<16>,
    /// Whether one of the two tables of bytes holds the query: not if it overflows.
    quantised: bool,
}

impl Scorer for PqRows {
    type Query = PqQuery;

    fn dim(&self) -> usize {
        self.pq.dim()
    }

    fn len(&self) -> usize {
        self.codes.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut PqQuery) {
        self.pq.tables(self.metric, vector, &mut query.tables);
        query.quantised = match (&self.blocks, self.pq.nbits()) {
            (None, _) => false,
            (_, 4) => query.nibbles.fill(&query.tables.nibbles).is_ok(),
            _ => query.bytes.fill(&query.tables.bytes).is_ok(),
        };
    }

    fn prepare_slot(&self, slot: u32, query: &mut PqQuery) {
        // The distances to a stored row are those to what its code stands for: a table of the
        // distances between centroids holds the same entries, and reading them takes no less.
        let mut vector = std::mem::take(&mut query.vector);
        vector.resize(self.dim(), 0.0);
        self.decode(slot, &mut vector);
        self.prepare(&vector, query);
        query.vector = vector;
    }

    fn score_ids(&self, query: &PqQuery, slots: &[u32], ranks: &mut [f32]) {
        let table = query.tables.bytes.as_flattened();
        self.gather.call(table, self.codes.view(), slots, ranks);
        self.metric.rank(ranks);
    }

    fn score_range(&self, query: &PqQuery, from: u32, ranks: &mut [f32]) {
        let from = from as usize;
        match &self.blocks {
            Some(blocks) if query.quantised => {
                assert!(from + ranks.len() <= self.len(), "slots beyond the last row");
                blocks.values(query, self.len(), from, ranks);
                self.metric.rank(ranks);
            }
            _ => self.scan_codes(query, from, ranks),
        }
    }
}

impl Rows for PqRows {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        self.codes.reserve_exact(more)?;
        let rows = self.len().saturating_add(more);
        self.blocks.as_mut().map_or(Ok(()), |blocks| blocks.reserve(rows))
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        let dim = self.dim();
        if vector.len() != dim {
            return Err(LayoutError::RowLength { found: vector.len(), dim });
        }
        let slot = self.len();
        if let Some(blocks) = &mut self.blocks {
            blocks.grow(slot + 1)?;
        }
        self.codes.push_with(|_| ())?;
        self.set(slot as u32, vector);
        Ok(())
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        let slot = slot as usize;
        self.pq.encode(vector, &mut self.code);
        let row = self.codes.row_mut(slot);
        if self.pq.nbits() == 4 {
            for (byte, pair) in row.iter_mut().zip(self.code.chunks(2)) {
                *byte = pair[0] | pair.get(1).unwrap_or(&0) << 4;
            }
        } else {
            row.copy_from_slice(&self.code);
        }
        if let Some(blocks) = &mut self.blocks {
            blocks.set(slot, &self.code);
        }
    }

    fn decode(&self, slot: u32, vector: &mut [f32]) {
        self.pq.decode_from(self.code(slot), vector);
    }

    fn truncate(&mut self, len: usize) {
        self.codes.truncate(len);
        if let Some(blocks) = &mut self.blocks {
            blocks.data.truncate(len.div_ceil(blocks.rows()));
        }
    }

    fn bytes(&self) -> usize {
        let blocks = self.blocks.as_ref().map_or(0, |blocks| blocks.data.capacity_bytes());
        self.codes.capacity_bytes() + blocks
    }
}

/// Codes in blocks, a block a row of `data`. What the last block lacks is whatever was there.
#[derive(Clone, Debug)]
struct Blocks {
    data: AlignedRows<u8>,
    m: usize,
    kernel: BlockKernel,
}

/// The layout follows the instructions of the CPU.
#[derive(Clone, Copy, Debug)]
enum BlockKernel {
    Rows64(Bound<FastScan<Rows64, 256>>),
    Interleaved(Bound<FastScan<Interleaved4, 16>>),
    Planar(Bound<FastScan<Planar4, 16>>),
}

impl Blocks {
    /// None if every way to scan them is plain: then the rows are scanned faster.
    fn new(pq: &Pq, forced: &Forced) -> Result<Option<Self>, PqError> {
        let (m, at) = (pq.m(), Residence::Cache);
        let kernel = if pq.nbits() == 4 {
            let interleaved = resolve("pq4/adc/fast_scan", m, at, forced)?;
            let planar = resolve("pq4/adc/fast_scan_planar", m, at, forced)?;
            let kernels = [BlockKernel::Interleaved(interleaved), BlockKernel::Planar(planar)];
            kernels.into_iter().find(|kernel| kernel.level() != Level::Scalar)
        } else {
            let rows64 = BlockKernel::Rows64(resolve("pq8/adc/fast_scan", m, at, forced)?);
            Some(rows64).filter(|kernel| kernel.level() != Level::Scalar)
        };
        let Some(kernel) = kernel else { return Ok(None) };
        let bytes = kernel.block_bytes(m);
        Ok(Some(Self { data: AlignedRows::with_stride(0, bytes, bytes)?, m, kernel }))
    }

    fn rows(&self) -> usize {
        match self.kernel {
            BlockKernel::Rows64(_) => Rows64::ROWS,
            BlockKernel::Interleaved(_) => Interleaved4::ROWS,
            BlockKernel::Planar(_) => Planar4::ROWS,
        }
    }

    fn reserve(&mut self, rows: usize) -> Result<(), LayoutError> {
        let blocks = rows.div_ceil(self.rows());
        self.data.reserve_exact(blocks.saturating_sub(self.data.len()))
    }

    /// Makes blocks for `rows` rows.
    fn grow(&mut self, rows: usize) -> Result<(), LayoutError> {
        while self.data.len() < rows.div_ceil(self.rows()) {
            self.data.push_with(|_| ())?;
        }
        Ok(())
    }

    fn set(&mut self, slot: usize, code: &[u8]) {
        let rows = self.rows();
        let block = self.data.row_mut(slot / rows);
        for (s, &code) in code.iter().enumerate() {
            let row = slot % rows;
            match self.kernel {
                BlockKernel::Rows64(_) => block[Rows64::place(s, row).0] = code,
                BlockKernel::Interleaved(_) => nibble(block, Interleaved4::place(s, row), code),
                BlockKernel::Planar(_) => nibble(block, Planar4::place(s, row), code),
            }
        }
    }

    /// The values of the rows from `from` on, of `len` that there are.
    fn values(&self, query: &PqQuery, len: usize, from: usize, values: &mut [f32]) {
        match &self.kernel {
            BlockKernel::Rows64(kernel) => {
                let (lut, value) = (query.bytes.view(), |sum| query.bytes.value(sum));
                self.scan(kernel, lut, value, len, from, values);
            }
            BlockKernel::Interleaved(kernel) => {
                let (lut, value) = (query.nibbles.view(), |sum| query.nibbles.value(sum));
                self.scan(kernel, lut, value, len, from, values);
            }
            BlockKernel::Planar(kernel) => {
                let (lut, value) = (query.nibbles.view(), |sum| query.nibbles.value(sum));
                self.scan(kernel, lut, value, len, from, values);
            }
        }
    }

    fn scan<L: BlockLayout, const K: usize>(
        &self,
        kernel: &Bound<FastScan<L, K>>,
        lut: LutRef<'_, K>,
        value: impl Fn(u32) -> f32,
        len: usize,
        from: usize,
        values: &mut [f32],
    ) {
        let data = self.data.view().slice(0, len.div_ceil(L::ROWS));
        let data = data.contiguous().unwrap_or(&[]);
        #[expect(clippy::expect_used, reason = "`push` and `truncate` keep as many")]
        let blocks = CodeBlocksRef::<L>::new(data, self.m, len).expect("blocks for every row");
        let mut sums = [0u32; CHUNK];
        let (mut at, end) = (from, from + values.len());
        let mut values = values.iter_mut();
        while at < end {
            let first = at / L::ROWS * L::ROWS;
            let stop = (first + CHUNK).min(len).min(end.next_multiple_of(L::ROWS));
            let sums = &mut sums[..stop - first];
            let part = blocks.blocks(first / L::ROWS, stop.div_ceil(L::ROWS));
            kernel.call(lut, part, sums);
            let wanted = &sums[at - first..stop.min(end) - first];
            for (&sum, v) in wanted.iter().zip(&mut values) {
                *v = value(sum);
            }
            at = stop.min(end);
        }
    }
}

impl BlockKernel {
    fn level(&self) -> Level {
        match self {
            Self::Rows64(kernel) => kernel.level(),
            Self::Interleaved(kernel) => kernel.level(),
            Self::Planar(kernel) => kernel.level(),
        }
    }

    fn block_bytes(&self, m: usize) -> usize {
        match self {
            Self::Rows64(_) => Rows64::block_bytes(m),
            Self::Interleaved(_) => Interleaved4::block_bytes(m),
            Self::Planar(_) => Planar4::block_bytes(m),
        }
    }
}

/// Writes a nibble beside another.
fn nibble(block: &mut [u8], (byte, high): (usize, bool), code: u8) {
    let byte = &mut block[byte];
    *byte = if high { *byte & 15 | code << 4 } else { *byte & 240 | code };
}
