//! Tables of partial distances, and codes that index them: the shapes of product quantisation.
//!
//! A vector is cut into `m` sub-spaces of `dsub` elements; a code names, in one byte a sub-space,
//! the nearest of `K` centroids there. A query becomes a table of `m` times `K` partial distances
//! once, and a row's distance is then a sum of `m` entries (ADC, asymmetric distance computation:
//! Jegou, Douze and Schmid, Product Quantization for Nearest Neighbor Search, 2011).
//!
//! | shape | entry | values |
//! |---|---|---|
//! | `lut` | `(query, codebook, out)` | `K` partial distances per sub-space |
//! | `pq_encode` | `(row, codebook, out)` | a code per sub-space |
//! | `fast_scan`, `fast_scan_planar` | `(u8 table, blocks of codes, out)` | one sum per row |
//! | `code_scan` | `(code, table between centroids, codes, out)` | one per row (SDC) |
//!
//! A scan of codes with the `f32` table is an ordinary [`Scan`](crate::Scan): the query is the
//! table, `m * 256` elements, and a row is `m` bytes. No code can name an entry that is not there:
//! a byte has 256 values, a nibble 16, and tables are arrays of as many.
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

mod blocks;
mod table;

use core::marker::PhantomData;

pub use blocks::{BlockLayout, CodeBlocksRef, Interleaved4, Planar4, Rows64};
#[cfg(feature = "testkit")]
pub(crate) use table::padded;
pub use table::{Codebook, LutRef, NotFinite, QuantizedLut, SdcRef};

use super::Shape;
use crate::kernel::Bound;
use crate::layout::RowsRef;

/// A query's table of partial distances. `K`: centroids of a sub-space.
#[derive(Debug)]
pub struct Lut<const K: usize>(());

impl<const K: usize> Shape for Lut<K> {
    const NAME: &'static str = "lut";
    type Entry = unsafe fn(&[f32], Codebook<'_, K>, &mut [[f32; K]]);
}

impl<const K: usize> Bound<Lut<K>> {
    /// `out[s][k]` = the value of sub-space `s` of `query` and its centroid `k`.
    ///
    /// # Panics
    /// If `query` or the codebook have another dimension than the bound one, or `out` is not one
    /// table per sub-space.
    #[inline]
    pub fn call(&self, query: &[f32], book: Codebook<'_, K>, out: &mut [[f32; K]]) {
        assert!(query.len() == self.dim() && book.dim() == self.dim(), "another dimension");
        assert_eq!(out.len(), book.m(), "one table per sub-space");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(query, book, out) }
    }
}

/// A vector's code: the nearest centroid of each sub-space. `K`: centroids of a sub-space.
#[derive(Debug)]
pub struct PqEncode<const K: usize>(());

impl<const K: usize> Shape for PqEncode<K> {
    const NAME: &'static str = "pq_encode";
    type Entry = unsafe fn(&[f32], Codebook<'_, K>, &mut [u8]);
}

impl<const K: usize> Bound<PqEncode<K>> {
    /// `out[s]` = the centroid of sub-space `s` at the smallest squared distance from `row`, the
    /// lowest of equal ones; 0 if no distance is below infinity.
    ///
    /// # Panics
    /// If `row` or the codebook have another dimension than the bound one, or `out` is not one
    /// byte per sub-space.
    #[inline]
    pub fn call(&self, row: &[f32], book: Codebook<'_, K>, out: &mut [u8]) {
        assert!(row.len() == self.dim() && book.dim() == self.dim(), "another dimension");
        assert_eq!(out.len(), book.m(), "one code per sub-space");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(row, book, out) }
    }
}

/// The sums of a quantised table over blocks of codes in layout `L`.
#[derive(Debug)]
pub struct FastScan<L, const K: usize>(PhantomData<fn() -> L>);

impl<L: BlockLayout, const K: usize> Shape for FastScan<L, K> {
    const NAME: &'static str = L::SHAPE;
    type Entry = unsafe fn(&[[u8; K]], CodeBlocksRef<'_, L>, &mut [u32]);
}

impl<L: BlockLayout, const K: usize> Bound<FastScan<L, K>> {
    /// `out[i]` = the sum, exactly, of the table's entries for row `i`; [`QuantizedLut::value`]
    /// makes a distance of it. The bound dimension is the number of sub-spaces, at most 2^24.
    ///
    /// # Panics
    /// If table or blocks have another number of sub-spaces, or `out` is not one sum per row.
    #[inline]
    pub fn call(&self, table: LutRef<'_, K>, blocks: CodeBlocksRef<'_, L>, out: &mut [u32]) {
        assert!(table.m() == self.dim() && blocks.m() == self.dim(), "other sub-spaces");
        assert_eq!(out.len(), blocks.len(), "one output per row");
        // SAFETY: `bind` checked the level; the lengths were checked above, and `LutRef` holds
        // the entries of the pad that the blocks have.
        unsafe { (self.entry())(table.entries(), blocks, out) }
    }
}

/// Distances between codes, from a table of the distances between centroids (SDC).
#[derive(Debug)]
pub struct CodeScan<const K: usize>(());

impl<const K: usize> Shape for CodeScan<K> {
    const NAME: &'static str = "code_scan";
    type Entry = unsafe fn(&[u8], SdcRef<'_, K>, RowsRef<'_, u8>, &mut [f32]);
}

impl Bound<CodeScan<256>> {
    /// `out[i]` = the sum over sub-spaces of the distance between the centroids that `code` and
    /// row `i` name. The bound dimension is the number of sub-spaces.
    ///
    /// # Panics
    /// If code, table or rows have another number of sub-spaces, or `out` is not one per row.
    #[inline]
    pub fn call(
        &self,
        code: &[u8],
        table: SdcRef<'_, 256>,
        rows: RowsRef<'_, u8>,
        out: &mut [f32],
    ) {
        let m = self.dim();
        assert!(code.len() == m && table.m() == m && rows.dim() == m, "other sub-spaces");
        assert_eq!(out.len(), rows.len(), "one output per row");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(code, table, rows, out) }
    }
}
