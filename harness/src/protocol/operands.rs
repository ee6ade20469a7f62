//! The operands of a cell: one query, rows that fit where the cell says, and the batches over them.

use annvil_kernels::{Batch, BindError, F32Kernels, LayoutError, Metric, RowsRef};

use super::{Alignment, CellSpec, Residence};
use crate::rng::Rng;

/// Elements per 64-byte line.
const LINE: usize = 16;
/// Elements per page.
const PAGE: usize = 1024;
/// Random values that the pool repeats: enough that no cache level holds a row twice by accident.
const TILE: usize = 1 << 20;
/// Rows of one window where the whole set is too large for one batch, in bytes.
const WINDOW_BYTES: usize = 256 * 1024;
/// Ids of one gather: a generous graph hop.
const HOP: usize = 64;
/// Most values of one window of a shape that is called pair by pair.
const MAX_PAIRS: usize = 512;
/// Smallest DRAM pool in bytes.
const DRAM_BYTES: usize = 256 << 20;

/// Sizes of one core's view of the caches, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheSizes {
    /// First level, data.
    pub l1: usize,
    /// Second level.
    pub l2: usize,
    /// Third level.
    pub l3: usize,
}

impl CacheSizes {
    /// As the system reports them; what it does not report is taken to be small.
    pub fn detect() -> Self {
        let mut sizes = Self { l1: 32 << 10, l2: 512 << 10, l3: 16 << 20 };
        for cache in crate::env::caches() {
            let size = usize::try_from(cache.size_bytes).unwrap_or(0);
            match (cache.level, cache.kind.as_str()) {
                (_, "instruction") => {}
                (1, _) if size > 0 => sizes.l1 = size,
                (2, _) if size > 0 => sizes.l2 = size,
                (3, _) if size > 0 => sizes.l3 = size,
                _ => {}
            }
        }
        sizes
    }

    /// Bytes of rows that a cell of this residence walks over.
    pub fn working_set(&self, residence: Residence) -> usize {
        match residence {
            Residence::L1 => self.l1 / 2,
            Residence::L2 => self.l2 / 2,
            Residence::L3 => self.l3 / 2,
            Residence::Dram => DRAM_BYTES.max(4 * self.l3),
        }
    }
}

/// Random elements, allocated as far as cells have asked for and kept between them.
#[derive(Debug, Default)]
pub struct Pool {
    data: Vec<f32>,
}

impl Pool {
    /// At least `elements` elements.
    fn grow(&mut self, elements: usize, rng: &mut Rng) -> Result<(), LayoutError> {
        let missing = elements.saturating_sub(self.data.len());
        self.data
            .try_reserve_exact(missing)
            .map_err(|_| LayoutError::TooLarge { rows: 1, dim: elements })?;
        while self.data.len() < elements.min(TILE) {
            self.data.push(rng.normal() as f32);
        }
        while self.data.len() < elements {
            let n = TILE.min(elements - self.data.len());
            self.data.extend_from_within(..n);
        }
        Ok(())
    }

    /// Gives everything back but what cache-resident cells need.
    pub fn release(&mut self) {
        self.data.truncate(TILE);
        self.data.shrink_to_fit();
    }
}

/// Which part of the operands one batch takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    rows: (usize, usize),
    ids: (usize, usize),
}

/// Operands of a cell, borrowed from the pool.
#[derive(Debug)]
pub struct Operands<'p> {
    query: Vec<f32>,
    query_at: usize,
    query_inv_norm: f32,
    rows: RowsRef<'p, f32>,
    inv_norms: Vec<f32>,
    ids: Vec<u32>,
    windows: Vec<Window>,
    values: usize,
    bytes_per_value: f64,
}

impl<'p> Operands<'p> {
    /// Draws the operands of `cell` from the pool, at an offset of this process's own.
    ///
    /// # Errors
    /// `dim` 0, or a working set beyond the memory at hand.
    pub fn draw(
        cell: &CellSpec,
        pool: &'p mut Pool,
        sizes: &CacheSizes,
        rng: &mut Rng,
    ) -> Result<Self, OperandError> {
        let dim = cell.dim;
        if dim == 0 {
            return Err(OperandError::Layout(LayoutError::ZeroDim));
        }
        let shape = cell.op.rsplit('/').next().unwrap_or("");
        let stride = dim.div_ceil(LINE) * LINE;
        let rows = row_count(cell, stride, sizes);
        let needed = rows * stride;

        pool.grow(needed + 2 * LINE + 64 * PAGE, rng)?;
        let shift = usize::from(cell.alignment == Alignment::Unaligned);
        let start = line_start(&pool.data, rng.below(64 * PAGE / LINE)) + shift;
        let rows_ref = RowsRef::new(&pool.data[start..start + needed], dim, stride)?;

        let mut query: Vec<f32> = Vec::with_capacity(stride + PAGE + 2 * LINE);
        query.resize_with(stride + PAGE + 2 * LINE, || rng.normal() as f32);
        let query_at = line_start(&query, rng.below(PAGE / LINE)) + shift;

        let (query_inv_norm, inv_norms) = if shape.ends_with("_norms") {
            let norm = F32Kernels::new(Metric::Cosine, dim)?.norm_sq;
            let inverse = |v: &[f32]| {
                let n = norm.call(v);
                if n > 0.0 { n.sqrt().recip() } else { 0.0 }
            };
            let each = (0..rows).map(|i| inverse(rows_ref.row(i))).collect();
            (inverse(&query[query_at..query_at + dim]), each)
        } else {
            (0.0, Vec::new())
        };

        let (ids, windows, values) = windows(shape, dim, rows, stride, rng);
        let operands_per_value = if shape.starts_with("pair") { 2 } else { 1 };
        Ok(Self {
            query,
            query_at,
            query_inv_norm,
            rows: rows_ref,
            inv_norms,
            ids,
            windows,
            values,
            bytes_per_value: (operands_per_value * dim * size_of::<f32>()) as f64,
        })
    }

    /// The batch of window `i`, counted round and round.
    pub fn batch(&self, i: usize) -> Batch<'_> {
        let w = self.windows[i % self.windows.len()];
        let inv_norms =
            if self.inv_norms.is_empty() { &[][..] } else { &self.inv_norms[w.rows.0..w.rows.1] };
        Batch {
            query: &self.query[self.query_at..self.query_at + self.rows.dim()],
            query_inv_norm: self.query_inv_norm,
            rows: self.rows.slice(w.rows.0, w.rows.1),
            inv_norms,
            ids: &self.ids[w.ids.0..w.ids.1],
        }
    }

    /// How many windows there are.
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Values of one window.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Bytes of vectors that one value reads: both operands of a pair, otherwise the row.
    pub fn bytes_per_value(&self) -> f64 {
        self.bytes_per_value
    }
}

/// First element on a 64-byte line, `lines` lines on.
fn line_start(data: &[f32], lines: usize) -> usize {
    // `align_offset` may decline in theory; then the cell is as aligned as the allocator made it.
    let first = data.as_ptr().align_offset(64);
    (if first < LINE { first } else { 0 }) + lines * LINE
}

/// Rows that fit the residence; in L1 the query has to fit as well.
fn row_count(cell: &CellSpec, stride: usize, sizes: &CacheSizes) -> usize {
    let set = sizes.working_set(cell.residence);
    // A row brings its result and its id along.
    let row_bytes = stride * size_of::<f32>() + 8;
    let query = if cell.residence == Residence::L1 { stride * size_of::<f32>() } else { 0 };
    (set.saturating_sub(query) / row_bytes).max(1)
}

/// Ids, windows over them or over the rows, and the values per window (the same in each).
fn windows(
    shape: &str,
    dim: usize,
    rows: usize,
    stride: usize,
    rng: &mut Rng,
) -> (Vec<u32>, Vec<Window>, usize) {
    if shape.starts_with("scan") {
        let bytes = stride * size_of::<f32>();
        let per = if rows * bytes <= 2 * WINDOW_BYTES { rows } else { WINDOW_BYTES / bytes };
        let per = per.clamp(1, rows);
        let windows = (0..rows / per)
            .map(|w| Window { rows: (w * per, (w + 1) * per), ids: (0, 0) })
            .collect();
        return (Vec::new(), windows, per);
    }
    let per =
        if shape.starts_with("gather") { HOP } else { (24 * 1024 / dim).clamp(16, MAX_PAIRS) };
    // Whole permutations of the rows, as many as fill a window.
    let mut ids: Vec<u32> = Vec::new();
    let mut order: Vec<u32> = (0..u32::try_from(rows).unwrap_or(u32::MAX)).collect();
    while ids.len() < per {
        rng.shuffle(&mut order);
        ids.extend_from_slice(&order);
    }
    let windows = (0..ids.len() / per)
        .map(|w| Window { rows: (0, rows), ids: (w * per, (w + 1) * per) })
        .collect();
    (ids, windows, per)
}

/// Why operands cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum OperandError {
    /// The rows cannot be laid out.
    Layout(LayoutError),
    /// The kernel for the norms cannot be had.
    Norms(BindError),
}

impl std::fmt::Display for OperandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Layout(e) => e.fmt(f),
            Self::Norms(e) => write!(f, "norms of the rows: {e}"),
        }
    }
}

impl std::error::Error for OperandError {}

impl From<LayoutError> for OperandError {
    fn from(e: LayoutError) -> Self {
        Self::Layout(e)
    }
}

impl From<BindError> for OperandError {
    fn from(e: BindError) -> Self {
        Self::Norms(e)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const SIZES: CacheSizes = CacheSizes { l1: 32 << 10, l2: 1 << 20, l3: 4 << 20 };

    fn cell(op: &str, dim: usize, residence: Residence, alignment: Alignment) -> CellSpec {
        CellSpec { op: op.to_owned(), dim, residence, alignment }
    }

    fn with_operands(cell: &CellSpec, check: impl Fn(&Operands<'_>)) {
        let mut pool = Pool::default();
        check(&Operands::draw(cell, &mut pool, &SIZES, &mut Rng::new(7)).unwrap());
    }

    #[test]
    fn rows_fit_their_residence_and_every_batch_has_the_same_size() {
        for op in ["f32/l2sq/pair", "f32/l2sq/scan", "f32/l2sq/gather", "f32/norm_sq/row"] {
            for residence in [Residence::L1, Residence::L2, Residence::L3] {
                for dim in [1, 31, 96, 100, 1536, 5000] {
                    with_operands(&cell(op, dim, residence, Alignment::Aligned), |o| {
                        let bytes = o.rows.len() * o.rows.stride() * 4;
                        assert!(bytes <= SIZES.working_set(residence) || o.rows.len() == 1);
                        for i in 0..o.windows() {
                            let b = o.batch(i);
                            let n = if op.ends_with("scan") { b.rows.len() } else { b.ids.len() };
                            assert_eq!(n, o.values());
                            assert!(b.ids.iter().all(|&id| (id as usize) < b.rows.len()));
                        }
                    });
                }
            }
        }
    }

    #[test]
    fn alignment_is_what_the_cell_says() {
        for (alignment, want) in [(Alignment::Aligned, 0), (Alignment::Unaligned, 4)] {
            with_operands(&cell("f32/dot/pair", 100, Residence::L2, alignment), |o| {
                let b = o.batch(0);
                assert_eq!(b.query.as_ptr() as usize % 64, want);
                for i in 0..o.rows.len() {
                    assert_eq!(b.rows.row(i).as_ptr() as usize % 64, want);
                }
            });
        }
    }

    #[test]
    fn a_gather_visits_every_row_and_a_scan_covers_the_set() {
        with_operands(&cell("f32/dot/gather", 128, Residence::L2, Alignment::Aligned), |o| {
            let mut seen: HashMap<u32, u32> = HashMap::new();
            for i in 0..o.windows() {
                for &id in o.batch(i).ids {
                    *seen.entry(id).or_default() += 1;
                }
            }
            assert!(seen.len() + HOP > o.rows.len() && seen.values().all(|&n| n == 1));
        });
        with_operands(&cell("f32/dot/scan", 128, Residence::L3, Alignment::Aligned), |o| {
            let covered: usize = (0..o.windows()).map(|i| o.batch(i).rows.len()).sum();
            assert!(o.windows() > 1 && covered <= o.rows.len());
            assert!(covered + o.values() > o.rows.len());
        });
    }

    #[test]
    fn processes_draw_different_places() {
        let at = |seed| {
            let mut pool = Pool::default();
            let c = cell("f32/dot/pair", 64, Residence::L1, Alignment::Aligned);
            let o = Operands::draw(&c, &mut pool, &SIZES, &mut Rng::new(seed)).unwrap();
            o.query_at
        };
        assert!((0..20).map(at).collect::<std::collections::HashSet<_>>().len() > 3);
    }
}
