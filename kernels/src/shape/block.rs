//! A query and blocks of 64 rows ([`BlocksRef`]): one value per row.
//!
//! | shape | entry | values |
//! |---|---|---|
//! | `block` | `(query, blocks, out)` | one per row |
//! | `block_prune` | `(query, threshold, blocks, out)` | one per row: the value, or infinity |
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use super::Shape;
use crate::kernel::Bound;
use crate::layout_block::BlocksRef;

/// One query against every row of every block.
#[derive(Debug)]
pub struct Block(());

impl Shape for Block {
    const NAME: &'static str = "block";
    type Entry = unsafe fn(&[f32], BlocksRef<'_>, &mut [f32]);
}

/// As [`Block`], giving up on rows that are known to lie beyond a threshold.
#[derive(Debug)]
pub struct BlockPrune(());

impl Shape for BlockPrune {
    const NAME: &'static str = "block_prune";
    type Entry = unsafe fn(&[f32], f32, BlocksRef<'_>, &mut [f32]);
}

impl Bound<Block> {
    /// `out[i]` = the value of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, or `out` is not one value per row.
    #[inline]
    pub fn call(&self, query: &[f32], blocks: BlocksRef<'_>, out: &mut [f32]) {
        assert!(
            query.len() == self.query_len() && blocks.dim() == self.row_len(),
            "another dimension"
        );
        assert!(out.len() == blocks.len(), "one output per row");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(query, blocks, out) }
    }
}

impl Bound<BlockPrune> {
    /// `out[i]` = the value of `query` and row `i` for every row whose value is at most
    /// `threshold` as [`Block`] at the same level computes it; for the others that value, or
    /// infinity. A threshold of NaN prunes nothing.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, or `out` is not one value per row.
    #[inline]
    pub fn call(&self, query: &[f32], threshold: f32, blocks: BlocksRef<'_>, out: &mut [f32]) {
        assert!(
            query.len() == self.query_len() && blocks.dim() == self.row_len(),
            "another dimension"
        );
        assert!(out.len() == blocks.len(), "one output per row");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(query, threshold, blocks, out) }
    }
}
