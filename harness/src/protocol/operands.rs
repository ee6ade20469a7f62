//! The operands of a cell: as many rows as fit where the cell says, at places of this process's own.

use annvil_kernels::AnyOp;
use annvil_kernels::testkit::cases::{Batches, Family, Place, Recipe, Stride};

use super::{Alignment, CellSpec, Residence};
use crate::rng::Rng;

/// Lines of a page.
const PAGE_LINES: usize = 64;
/// Rows of one window where the whole set is too large for one batch, in bytes.
const WINDOW_BYTES: usize = 256 * 1024;
/// Rows of a proof of dispatch: more than any kernel takes at once.
const PROOF_ROWS: usize = 64;
/// Ids of one gather: a generous graph hop.
const HOP: usize = 64;
/// Most values of one window of a shape that is called pair by pair.
const MAX_PAIRS: usize = 512;
/// Smallest DRAM set in bytes.
const DRAM_BYTES: usize = 256 << 20;
/// Largest DRAM set in bytes: a third level of which this machine has a share is not outgrown
/// fourfold.
const MAX_DRAM_BYTES: usize = 512 << 20;

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
            // Never less than twice the second level, and no more than a core's likely share.
            Residence::L3 => (self.l3 / 2).min(32 << 20).max(2 * self.l2),
            Residence::Dram => (4 * self.l3).clamp(DRAM_BYTES, MAX_DRAM_BYTES),
        }
    }
}

/// The recipe of a cell's operands in a process that draws from `rng`.
pub fn recipe(op: &dyn AnyOp, cell: &CellSpec, sizes: &CacheSizes, rng: &mut Rng) -> Recipe {
    let (dim, shape) = (cell.dim, op.shape());
    let stride = op.row_bytes(dim).max(1);
    let rows = row_count(cell, stride, sizes);
    let per = match shape {
        s if s.starts_with("pair") || s == "row" => (24 * 1024 / dim).clamp(16, MAX_PAIRS),
        s if s.starts_with("gather") => HOP,
        _ if rows * stride <= 2 * WINDOW_BYTES => rows,
        _ => (WINDOW_BYTES / stride).clamp(1, rows),
    };
    let elements = usize::from(cell.alignment == Alignment::Unaligned);
    Recipe {
        family: Family::Normal,
        dim,
        rows,
        stride: Stride::Lines,
        query_at: Place::Lines { lines: rng.below(PAGE_LINES), elements },
        rows_at: Place::Lines { lines: rng.below(64 * PAGE_LINES), elements },
        batches: Batches::Windows { per },
        seed: rng.next_u64(),
    }
}

/// The same operands, but few: what a proof of dispatch single-steps through. Shapes that lay their
/// operands out anew before they compute would else take it most of a second.
pub(super) fn few(recipe: &Recipe) -> Recipe {
    let rows = recipe.rows.min(PROOF_ROWS);
    let Batches::Windows { per } = recipe.batches else { return *recipe };
    Recipe { rows, batches: Batches::Windows { per: per.min(rows.max(1)) }, ..*recipe }
}

/// Rows that fit the residence; in L1 the query has to fit as well.
fn row_count(cell: &CellSpec, stride: usize, sizes: &CacheSizes) -> usize {
    let set = sizes.working_set(cell.residence);
    // A row brings its result and its id along.
    let query = if cell.residence == Residence::L1 { stride } else { 0 };
    (set.saturating_sub(query) / (stride + 8)).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use annvil_kernels::testkit::trial::{Trial, VectorOperands};

    use super::*;

    type F32Operands = VectorOperands<f32, f32, f32, f32>;

    const SIZES: CacheSizes = CacheSizes { l1: 32 << 10, l2: 1 << 20, l3: 4 << 20 };

    fn cell(op: &str, dim: usize, residence: Residence, alignment: Alignment) -> CellSpec {
        CellSpec { op: op.to_owned(), dim, residence, alignment }
    }

    fn with_trial(cell: &CellSpec, seed: u64, check: impl Fn(&dyn Trial, &F32Operands)) {
        let op = annvil_kernels::find(&cell.op).unwrap();
        let trial = op.trial(&recipe(op, cell, &SIZES, &mut Rng::new(seed))).unwrap();
        check(&*trial, trial.operands().downcast_ref().unwrap());
    }

    #[test]
    fn rows_fit_their_residence_and_every_batch_has_the_same_size() {
        for op in ["f32/l2sq/pair", "f32/l2sq/scan", "f32/l2sq/gather", "f32/norm_sq/row"] {
            for residence in [Residence::L1, Residence::L2, Residence::L3] {
                for dim in [1, 31, 96, 100, 1536, 5000] {
                    with_trial(&cell(op, dim, residence, Alignment::Aligned), 7, |t, o| {
                        let all = t.recipe().rows * o.batch(0).rows.stride() * 4;
                        assert!(
                            all <= SIZES.working_set(residence) || t.recipe().rows == 1,
                            "{op} {residence} {dim}: {all}"
                        );
                        for i in 0..t.windows() {
                            let b = o.batch(i);
                            let n = if op.ends_with("scan") { b.rows.len() } else { b.ids.len() };
                            assert_eq!(n, t.values());
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
            with_trial(&cell("f32/dot/pair", 100, Residence::L2, alignment), 7, |_, o| {
                let b = o.batch(0);
                assert_eq!(b.query.as_ptr() as usize % 64, want);
                for i in 0..b.rows.len() {
                    assert_eq!(b.rows.row(i).as_ptr() as usize % 64, want);
                }
            });
        }
    }

    #[test]
    fn a_gather_visits_every_row_and_a_scan_covers_the_set() {
        with_trial(&cell("f32/dot/gather", 128, Residence::L2, Alignment::Aligned), 7, |t, o| {
            let mut seen: HashMap<u32, u32> = HashMap::new();
            for i in 0..t.windows() {
                for &id in o.batch(i).ids {
                    *seen.entry(id).or_default() += 1;
                }
            }
            assert!(seen.len() + HOP > t.recipe().rows && seen.values().all(|&n| n == 1));
        });
        with_trial(&cell("f32/dot/scan", 128, Residence::L3, Alignment::Aligned), 7, |t, o| {
            let covered: usize = (0..t.windows()).map(|i| o.batch(i).rows.len()).sum();
            assert!(t.windows() > 1 && covered <= t.recipe().rows);
            assert!(covered + t.values() > t.recipe().rows);
        });
    }

    #[test]
    fn processes_draw_different_places() {
        let at = |seed| {
            let op = annvil_kernels::find("f32/dot/pair").unwrap();
            let c = cell("f32/dot/pair", 64, Residence::L1, Alignment::Aligned);
            recipe(op, &c, &SIZES, &mut Rng::new(seed)).query_at
        };
        let places: Vec<Place> = (0..20).map(at).collect();
        assert!(places.iter().filter(|p| **p != places[0]).count() > 3);
    }
}
