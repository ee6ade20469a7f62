//! Codes in blocks: what a table in registers wants to see side by side.

use core::fmt;
use core::marker::PhantomData;

use crate::layout::{LayoutError, RowsRef};

/// How a block of rows lies in memory.
pub trait BlockLayout: Copy + fmt::Debug + 'static {
    /// The name of the shape that scans it.
    const SHAPE: &'static str;
    /// Rows of a block.
    const ROWS: usize;
    /// The largest code.
    const LARGEST: u8;
    /// Bytes of a block of `m` sub-spaces.
    #[must_use]
    fn block_bytes(m: usize) -> usize;
    /// Where the code of a block's row and sub-space is: a byte, and whether it is the high nibble.
    #[must_use]
    fn place(sub_space: usize, row: usize) -> (usize, bool);
}

/// 64 rows, a byte a code; four rows that lie 16 apart are side by side, so that 16-bit and 32-bit
/// lanes part them in the order of the rows:
///
/// ```text
/// 64 bytes for each sub-space a
/// byte   0     1      2      3      4     5     ...  63
///        a(0)  a(16)  a(32)  a(48)  a(1)  a(17) ...  a(63)
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Rows64;

impl BlockLayout for Rows64 {
    const SHAPE: &'static str = "fast_scan";
    const ROWS: usize = 64;
    const LARGEST: u8 = 255;

    #[inline(always)]
    fn block_bytes(m: usize) -> usize {
        m * 64
    }

    fn place(sub_space: usize, row: usize) -> (usize, bool) {
        (sub_space * 64 + row % 16 * 4 + row / 16, false)
    }
}

/// 32 rows, a nibble a code, four sub-spaces side by side, so that one instruction can add them:
///
/// ```text
/// 64 bytes for each four sub-spaces a b c d
/// byte        0     1     2     3     4    ...  63
/// low nibble  a(0)  b(0)  c(0)  d(0)  a(1) ...  d(15)     rows 0..16
/// high        a(16) b(16) c(16) d(16) a(17) ... d(31)     rows 16..32
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Interleaved4;

impl BlockLayout for Interleaved4 {
    const SHAPE: &'static str = "fast_scan";
    const ROWS: usize = 32;
    const LARGEST: u8 = 15;

    #[inline(always)]
    fn block_bytes(m: usize) -> usize {
        m.next_multiple_of(4) * 16
    }

    fn place(sub_space: usize, row: usize) -> (usize, bool) {
        (sub_space / 4 * 64 + row % 16 * 4 + sub_space % 4, row >= 16)
    }
}

/// 32 rows, a nibble a code, one sub-space after the other, so that each fills the 16 bytes within
/// which `pshufb` looks up:
///
/// ```text
/// 16 bytes for each sub-space a
/// byte        0     1     ...  15
/// low nibble  a(0)  a(1)  ...  a(15)      rows 0..16
/// high        a(16) a(17) ...  a(31)      rows 16..32
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Planar4;

impl BlockLayout for Planar4 {
    const SHAPE: &'static str = "fast_scan_planar";
    const ROWS: usize = 32;
    const LARGEST: u8 = 15;

    #[inline(always)]
    fn block_bytes(m: usize) -> usize {
        m.next_multiple_of(4) * 16
    }

    fn place(sub_space: usize, row: usize) -> (usize, bool) {
        (sub_space * 16 + row % 16, row >= 16)
    }
}

/// Borrowed blocks of codes; the last block may hold fewer rows than it has room for.
#[derive(Clone, Copy)]
pub struct CodeBlocksRef<'a, L> {
    data: &'a [u8],
    m: usize,
    len: usize,
    layout: PhantomData<L>,
}

impl<'a, L: BlockLayout> CodeBlocksRef<'a, L> {
    /// `len` rows of `m` sub-spaces, as [`CodeBlocksRef::pack`] lays them out.
    ///
    /// # Errors
    /// A `data` that is not as many bytes as the blocks of `len` rows have.
    pub fn new(data: &'a [u8], m: usize, len: usize) -> Result<Self, LayoutError> {
        let bytes = bytes::<L>(m, len)?;
        if data.len() != bytes {
            let stride = L::block_bytes(m);
            return Err(LayoutError::RaggedData { elements: data.len(), dim: m, stride });
        }
        Ok(Self { data, m, len, layout: PhantomData })
    }

    /// Lays out rows of codes, one byte a sub-space. Pads are zero.
    ///
    /// # Errors
    /// More memory than there is.
    ///
    /// # Panics
    /// If a code is larger than [`BlockLayout::LARGEST`].
    pub fn pack(codes: RowsRef<'_, u8>) -> Result<Vec<u8>, LayoutError> {
        let (m, rows) = (codes.dim(), codes.len());
        let bytes = bytes::<L>(m, rows)?;
        let mut data = Vec::new();
        let too_large = LayoutError::TooLarge { rows, dim: m };
        data.try_reserve_exact(bytes).map_err(|_| too_large)?;
        data.resize(bytes, 0u8);
        for row in 0..rows {
            let block = row / L::ROWS * L::block_bytes(m);
            for (sub_space, &code) in codes.row(row).iter().enumerate() {
                assert!(code <= L::LARGEST, "code {code} of row {row} is no nibble");
                let (byte, high) = L::place(sub_space, row % L::ROWS);
                data[block + byte] |= if high { code << 4 } else { code };
            }
        }
        Ok(data)
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

    /// Sub-spaces, without the pad.
    #[inline(always)]
    #[must_use]
    pub fn m(&self) -> usize {
        self.m
    }

    /// The code of a row and a sub-space.
    ///
    /// # Panics
    /// If there is no such row or sub-space.
    #[must_use]
    pub fn code(&self, row: usize, sub_space: usize) -> u8 {
        assert!(row < self.len && sub_space < self.m, "row {row}, sub-space {sub_space}");
        let (byte, high) = L::place(sub_space, row % L::ROWS);
        let byte = self.data[row / L::ROWS * L::block_bytes(self.m) + byte];
        if high { byte >> 4 } else { byte & L::LARGEST }
    }

    /// The rows of the blocks `from..to`.
    ///
    /// # Panics
    /// If `from > to`, or there are fewer blocks.
    #[must_use]
    pub fn blocks(&self, from: usize, to: usize) -> Self {
        let bytes = L::block_bytes(self.m);
        let blocks = self.len.div_ceil(L::ROWS);
        assert!(from <= to && to <= blocks, "blocks {from}..{to} of {blocks}");
        let len = (to * L::ROWS).min(self.len) - (from * L::ROWS).min(self.len);
        Self { data: &self.data[from * bytes..to * bytes], len, ..*self }
    }

    /// All bytes, block after block.
    #[inline(always)]
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

/// Bytes of the blocks of `len` rows.
fn bytes<L: BlockLayout>(m: usize, len: usize) -> Result<usize, LayoutError> {
    let too_large = LayoutError::TooLarge { rows: len, dim: m };
    // A sum of so many bytes fits 32 bits.
    if m > 1 << 24 {
        return Err(too_large);
    }
    len.div_ceil(L::ROWS).checked_mul(L::block_bytes(m)).ok_or(too_large)
}

impl<L: BlockLayout> fmt::Debug for CodeBlocksRef<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeBlocksRef").field("len", &self.len).field("m", &self.m).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back<L: BlockLayout>() {
        for (m, rows) in [(1, 1), (3, 31), (4, 32), (5, 33), (9, 100), (2, 0), (0, 5)] {
            let codes: Vec<u8> = (0..m * rows).map(|i| (i * 7 % 251) as u8 & L::LARGEST).collect();
            let stride = m.max(1);
            let codes = if m == 0 { vec![0; rows] } else { codes };
            let rows_ref = RowsRef::new(&codes, m, stride).unwrap();
            let data = CodeBlocksRef::<L>::pack(rows_ref).unwrap();
            let blocks = CodeBlocksRef::<L>::new(&data, m, rows).unwrap();
            for row in 0..rows {
                for s in 0..m {
                    assert_eq!(blocks.code(row, s), codes[row * m + s], "{m} {rows} {row} {s}");
                }
            }
            assert!(CodeBlocksRef::<L>::new(&data, m, rows + L::ROWS).is_err() || m == 0);
        }
        assert!(CodeBlocksRef::<L>::new(&[], usize::MAX, 1).is_err());
        assert!(CodeBlocksRef::<L>::new(&[], 1 << 20, usize::MAX).is_err());
    }

    #[test]
    fn codes_come_back_from_every_layout() {
        there_and_back::<Rows64>();
        there_and_back::<Interleaved4>();
        there_and_back::<Planar4>();
    }

    #[test]
    #[should_panic(expected = "is no nibble")]
    fn a_code_that_is_no_nibble_is_refused() {
        let _ = CodeBlocksRef::<Planar4>::pack(RowsRef::packed(&[16], 1).unwrap());
    }
}
