//! Many queries against many rows.
//!
//! | shape | entry | values |
//! |---|---|---|
//! | `tile` | `(queries, rows, out)` | one per query and row, `out[q * rows.len() + r]` |
//! | `tile_norms` | `(queries, their norms, rows, their norms, out)` | the same |
//! | `assign` | `(rows, centroids, their norms, ids, values)` | the nearest centroid of each row |
//!
//! A norm is a squared norm here, [`norm_sq`] of the vector.
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use super::Shape;
use crate::kernel::Bound;
use crate::layout::RowsRef;

/// Every query against every row.
#[derive(Debug)]
pub struct Tile(());

impl Shape for Tile {
    const NAME: &'static str = "tile";
    type Entry = unsafe fn(RowsRef<'_, f32>, RowsRef<'_, f32>, &mut [f32]);
}

/// Every query against every row, all squared norms known.
#[derive(Debug)]
pub struct TileNorms(());

impl Shape for TileNorms {
    const NAME: &'static str = "tile_norms";
    type Entry = unsafe fn(RowsRef<'_, f32>, &[f32], RowsRef<'_, f32>, &[f32], &mut [f32]);
}

/// The nearest centroid of every row.
#[derive(Debug)]
pub struct Assign(());

impl Shape for Assign {
    const NAME: &'static str = "assign";
    type Entry = unsafe fn(RowsRef<'_, f32>, RowsRef<'_, f32>, &[f32], &mut [u32], &mut [f32]);
}

/// The squared norm as these shapes want it cached: summed in `f64`, rounded once.
#[must_use]
pub fn norm_sq(x: &[f32]) -> f32 {
    x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() as f32
}

/// Whether there is one output for each of `queries` and `rows`.
fn one_each(outputs: usize, queries: usize, rows: usize) -> bool {
    queries.checked_mul(rows) == Some(outputs)
}

impl Bound<Tile> {
    /// `out[q * rows.len() + r]` = the value of query `q` and row `r`. It does not depend on what
    /// other queries and rows there are.
    ///
    /// # Panics
    /// If queries or rows have another dimension, or `out` is not one value per query and row.
    #[inline]
    pub fn call(&self, queries: RowsRef<'_, f32>, rows: RowsRef<'_, f32>, out: &mut [f32]) {
        assert!(
            queries.dim() == self.query_len() && rows.dim() == self.row_len(),
            "another dimension"
        );
        assert!(one_each(out.len(), queries.len(), rows.len()), "one output per query and row");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(queries, rows, out) }
    }
}

impl Bound<TileNorms> {
    /// As [`Bound::<Tile>::call`], from the squared norms of all vectors ([`norm_sq`]): |x|^2 +
    /// |y|^2 - 2 xy, and 0 where that is negative. Its error is relative to the norms and not to
    /// the value: where the value is much smaller, no digit of it may be right.
    ///
    /// # Panics
    /// If queries or rows have another dimension, or there is not one norm per vector and one
    /// output per query and row.
    #[inline]
    pub fn call(
        &self,
        queries: RowsRef<'_, f32>,
        query_norms: &[f32],
        rows: RowsRef<'_, f32>,
        norms: &[f32],
        out: &mut [f32],
    ) {
        assert!(
            queries.dim() == self.query_len() && rows.dim() == self.row_len(),
            "another dimension"
        );
        assert!(query_norms.len() == queries.len() && norms.len() == rows.len(), "one norm each");
        assert!(one_each(out.len(), queries.len(), rows.len()), "one output per query and row");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(queries, query_norms, rows, norms, out) }
    }
}

impl Bound<Assign> {
    /// `ids[i]` = the centroid nearest to row `i`, `values[i]` = the value of the two, computed
    /// from their differences.
    ///
    /// The nearest is the one with the smallest |c|^2 - 2 xc as computed in `f32`, and the first of
    /// several; `norms` are the centroids' |c|^2 ([`norm_sq`]). Centroids whose distances differ by
    /// less than that computation's error may be taken for each other, always in the same way: the
    /// answer for a row depends on the row and the centroids alone. Where no centroid compares
    /// below infinity (a NaN in the row, or in every centroid, or sums beyond `f32`) it is centroid
    /// 0, and the value says what there is to say: NaN, or infinity.
    ///
    /// # Panics
    /// If rows or centroids have another dimension, there is not one norm per centroid, or not one
    /// id and one value per row; or if there are rows and no centroid, or more centroids than
    /// ids.
    #[inline]
    pub fn call(
        &self,
        rows: RowsRef<'_, f32>,
        centroids: RowsRef<'_, f32>,
        norms: &[f32],
        ids: &mut [u32],
        values: &mut [f32],
    ) {
        assert!(
            rows.dim() == self.query_len() && centroids.dim() == self.row_len(),
            "another dimension"
        );
        assert!(norms.len() == centroids.len(), "one norm per centroid");
        assert!(ids.len() == rows.len() && values.len() == rows.len(), "one output per row");
        assert!(rows.is_empty() || !centroids.is_empty(), "no centroid to be nearest");
        // Ids travel as bit patterns of lanes: those of numbers, so that nothing changes them.
        assert!(centroids.len() <= f32::INFINITY.to_bits() as usize, "too many centroids");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(rows, centroids, norms, ids, values) }
    }
}
