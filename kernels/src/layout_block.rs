//! Where vectors lie in blocks of 64 rows, dimension by dimension: borrowed, and owned.
//!
//! ```text
//! block 0:  |d0: r0 r1 r2 ... r63|d1: r0 r1 ... r63| ... |d(n-1): ... r63|  64 dim elements
//! block 1:  |d0: r64 r65 ...     |                                            and so on
//! ```
//!
//! Element `d` of row `r` of a block is at `64 d + r`. A register then holds one element of many
//! rows: their sums run down the lanes, without a reduction and without a tail in the dimension.
//! The rows that the last block lacks are zeros. (PDX: Kuffo, Krippner, Boncz, "PDX: A Data Layout
//! for Vector Similarity Search", SIGMOD 2025.)
#![allow(unsafe_code, reason = "viewing cache lines as a slice of elements, in two functions")]

use core::fmt;

use crate::layout::LayoutError;

/// Rows of a block.
pub const BLOCK: usize = 64;

/// Blocks of rows in borrowed memory.
#[derive(Clone, Copy)]
pub struct BlocksRef<'a, T = f32> {
    /// One element of 64 rows each; `dim` of them make a block.
    columns: &'a [[T; BLOCK]],
    len: usize,
    dim: usize,
}

impl<'a, T> BlocksRef<'a, T> {
    /// `len` rows of `dim` elements, in as many blocks as they need; the last one is padded.
    /// Rows of no elements are rows that take no memory.
    ///
    /// # Errors
    /// A `data` of another length than `len.div_ceil(64) * dim * 64`.
    pub fn new(data: &'a [T], len: usize, dim: usize) -> Result<Self, LayoutError> {
        let (columns, rest) = data.as_chunks::<BLOCK>();
        let wanted = len.div_ceil(BLOCK).checked_mul(dim);
        if !rest.is_empty() || wanted != Some(columns.len()) {
            return Err(LayoutError::RaggedData { elements: data.len(), dim, stride: BLOCK });
        }
        Ok(Self { columns, len, dim })
    }

    /// How many rows.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements of a row.
    #[inline(always)]
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// How many blocks.
    #[inline(always)]
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.len.div_ceil(BLOCK)
    }

    /// Block `b`: element `d` of its 64 rows at `d`.
    ///
    /// # Panics
    /// If `b >= self.blocks()`.
    #[inline(always)]
    #[must_use]
    pub fn block(&self, b: usize) -> &'a [[T; BLOCK]] {
        &self.columns[b * self.dim..][..self.dim]
    }

    /// The rows of blocks `from..to`, as blocks.
    ///
    /// # Panics
    /// If `from > to` or `to > self.blocks()`.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.blocks(), "blocks {from}..{to} of {}", self.blocks());
        let columns = &self.columns[from * self.dim..to * self.dim];
        let len = self.len.min(to * BLOCK) - (from * BLOCK).min(self.len);
        Self { columns, len, ..*self }
    }
}

impl<T: Copy> BlocksRef<'_, T> {
    /// The elements of row `i`, in order.
    ///
    /// # Panics
    /// If `i >= self.len()`.
    pub fn row(&self, i: usize) -> impl Iterator<Item = T> {
        assert!(i < self.len, "row {i} of {}", self.len);
        self.block(i / BLOCK).iter().map(move |column| column[i % BLOCK])
    }
}

impl<T> fmt::Debug for BlocksRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlocksRef").field("len", &self.len).field("dim", &self.dim).finish()
    }
}

/// One element of 64 rows: four cache lines.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Column([f32; BLOCK]);

/// Owned blocks of `f32` rows, on 64-byte boundaries. Rows that the last block lacks are zeros.
#[derive(Clone)]
pub struct AlignedBlocks {
    columns: Vec<Column>,
    len: usize,
    dim: usize,
}

impl AlignedBlocks {
    /// No rows yet, of `dim` elements.
    ///
    /// # Errors
    /// `dim == 0`.
    pub fn new(dim: usize) -> Result<Self, LayoutError> {
        if dim == 0 {
            return Err(LayoutError::ZeroDim);
        }
        Ok(Self { columns: Vec::new(), len: 0, dim })
    }

    /// Copies packed rows: row `i` is `data[i * dim..][..dim]`.
    ///
    /// # Errors
    /// `dim == 0`, a length that is no multiple of `dim`, or too little memory.
    pub fn from_packed(data: &[f32], dim: usize) -> Result<Self, LayoutError> {
        let mut blocks = Self::new(dim)?;
        if !data.len().is_multiple_of(dim) {
            return Err(LayoutError::RaggedData { elements: data.len(), dim, stride: dim });
        }
        blocks.reserve((data.len() / dim).div_ceil(BLOCK))?;
        for row in data.chunks_exact(dim) {
            blocks.push(row)?;
        }
        Ok(blocks)
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A row of another length, or too little memory.
    pub fn push(&mut self, row: &[f32]) -> Result<(), LayoutError> {
        self.check(row)?;
        if self.len.is_multiple_of(BLOCK) {
            self.reserve(1)?;
            let columns = self.columns.len() + self.dim;
            self.columns.resize(columns, Column([0.0; BLOCK]));
        }
        self.write(self.len, row);
        self.len += 1;
        Ok(())
    }

    /// Overwrites row `i`.
    ///
    /// # Errors
    /// A row of another length.
    ///
    /// # Panics
    /// If `i >= self.len()`.
    pub fn update(&mut self, i: usize, row: &[f32]) -> Result<(), LayoutError> {
        assert!(i < self.len, "row {i} of {}", self.len);
        self.check(row)?;
        self.write(i, row);
        Ok(())
    }

    /// Removes row `i`. The last row takes its place, so ids change: what was `len() - 1` before is
    /// `i` now (if it was another row).
    ///
    /// # Panics
    /// If `i >= self.len()`.
    pub fn remove(&mut self, i: usize) {
        assert!(i < self.len, "row {i} of {}", self.len);
        let last = self.len - 1;
        let (from, to) = (last / BLOCK * self.dim, i / BLOCK * self.dim);
        for d in 0..self.dim {
            let moved = core::mem::take(&mut self.columns[from + d].0[last % BLOCK]);
            if i != last {
                self.columns[to + d].0[i % BLOCK] = moved;
            }
        }
        self.len = last;
        self.columns.truncate(self.len.div_ceil(BLOCK) * self.dim);
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Bytes that the rows take, those that the last block lacks included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.columns.len() * size_of::<Column>()
    }

    /// All rows.
    #[must_use]
    pub fn view(&self) -> BlocksRef<'_> {
        let (columns, rest) = self.elements().as_chunks::<BLOCK>();
        debug_assert!(rest.is_empty());
        BlocksRef { columns, len: self.len, dim: self.dim }
    }

    fn check(&self, row: &[f32]) -> Result<(), LayoutError> {
        if row.len() != self.dim {
            return Err(LayoutError::RowLength { found: row.len(), dim: self.dim });
        }
        Ok(())
    }

    fn reserve(&mut self, blocks: usize) -> Result<(), LayoutError> {
        let too_large = LayoutError::TooLarge { rows: self.len + blocks * BLOCK, dim: self.dim };
        let columns = blocks.checked_mul(self.dim).ok_or(too_large)?;
        self.columns.try_reserve(columns).map_err(|_| too_large)
    }

    fn write(&mut self, i: usize, row: &[f32]) {
        let from = i / BLOCK * self.dim;
        for (column, &x) in self.columns[from..].iter_mut().zip(row) {
            column.0[i % BLOCK] = x;
        }
    }

    fn elements(&self) -> &[f32] {
        let len = self.columns.len() * BLOCK;
        // SAFETY: a `Column` is exactly 64 f32 without padding (repr(C), size 256), so `columns` is
        // that many initialised f32, borrowed as long as `self`.
        unsafe { core::slice::from_raw_parts(self.columns.as_ptr().cast(), len) }
    }
}

const _: () = assert!(size_of::<Column>() == BLOCK * size_of::<f32>());

impl fmt::Debug for AlignedBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBlocks").field("len", &self.len).field("dim", &self.dim).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row_of(i: usize) -> Vec<f32> {
        vec![i as f32 + 1.0, i as f32 * 2.0, -1.0]
    }

    fn rows(blocks: &AlignedBlocks) -> Vec<Vec<f32>> {
        (0..blocks.len()).map(|i| blocks.view().row(i).collect()).collect()
    }

    #[test]
    fn rows_are_pushed_updated_and_removed() {
        let mut blocks = AlignedBlocks::new(3).unwrap();
        let mut model: Vec<Vec<f32>> = Vec::new();
        for i in 0..130 {
            blocks.push(&row_of(i)).unwrap();
            model.push(row_of(i));
        }
        assert_eq!(blocks.view().blocks(), 3);
        blocks.update(64, &[7.0, 8.0, 9.0]).unwrap();
        model[64] = vec![7.0, 8.0, 9.0];
        for i in [129, 0, 63, 64, 5] {
            blocks.remove(i);
            model.swap_remove(i);
            assert_eq!(rows(&blocks), model);
            let padded = blocks.elements().iter().filter(|&&x| x == 0.0).count();
            let zeros = model.iter().flatten().filter(|&&x| x == 0.0).count();
            let missing = blocks.view().blocks() * BLOCK - blocks.len();
            assert_eq!(padded, zeros + missing * 3, "the rows that are not there are zeros");
        }
        while !blocks.is_empty() {
            blocks.remove(0);
        }
        assert_eq!((blocks.bytes(), blocks.view().blocks()), (0, 0));
    }

    #[test]
    fn views_are_checked_and_sliced() {
        let data: Vec<f32> = (0..2 * 2 * 64).map(|i| i as f32).collect();
        let view = BlocksRef::new(&data, 70, 2).unwrap();
        assert_eq!(view.row(65).collect::<Vec<_>>(), [129.0, 193.0]);
        let second = view.slice(1, 2);
        assert_eq!((second.len(), second.row(1).collect::<Vec<_>>()), (6, vec![129.0, 193.0]));
        assert!(view.slice(2, 2).is_empty());
        assert!(BlocksRef::new(&data, 64, 2).is_err());
        assert!(BlocksRef::new(&data[1..], 70, 2).is_err());
        assert_eq!(BlocksRef::<f32>::new(&[], 5, 0).unwrap().len(), 5);
        assert!(BlocksRef::new(&data, usize::MAX, usize::MAX).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut blocks = AlignedBlocks::from_packed(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!(blocks.push(&[0.0]), Err(LayoutError::RowLength { found: 1, dim: 2 }));
        assert_eq!(AlignedBlocks::new(0).unwrap_err(), LayoutError::ZeroDim);
        assert!(AlignedBlocks::from_packed(&[0.0; 3], 2).is_err());
        assert_eq!(blocks.view().block(0).as_ptr().align_offset(64), 0);
    }

    #[test]
    #[should_panic(expected = "row 2 of 2")]
    fn a_row_past_the_end_panics() {
        AlignedBlocks::from_packed(&[1.0, 2.0], 1).unwrap().remove(2);
    }
}
