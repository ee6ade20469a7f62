//! Tables of partial distances: made, looked up and searched for their least entry.
//!
//! [`Lanes`] makes tables and codes in `f32`, [`Nibbles`] looks up 16 entries within 128 bits, and
//! the forms of AVX-512 VBMI ([`Interleaved`], [`Bytes`]) look up 64 and 256.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod gather;
mod loops;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse42;
#[cfg(target_arch = "x86_64")]
mod vbmi;

use core::marker::PhantomData;

pub(crate) use loops::{Dot, L2Sq, L2SqTwice};

use super::simd::Simd;
use super::tokens::Token;
use crate::layout::RowsRef;
use crate::shape::{BlockLayout, CodeBlocksRef, Codebook};

/// What a table or a code is made with: lanes, each a centroid.
pub(crate) trait Lanes: Simd<Chunk: Default + AsRef<[f32]>> {
    /// Lane by lane the smaller of two values, and the mark that came with it; the old one if
    /// neither is smaller, or the new one is NaN.
    fn keep_less(self, new: [Self::V; 2], old: [Self::V; 2]) -> [Self::V; 2];
    /// Of lanes that hold a value and a mark: the smallest `mark * LANES + lane` among those of the
    /// smallest value, none of which is NaN.
    #[inline(always)]
    fn first_least(self, [value, mark]: [Self::V; 2]) -> usize {
        let (mut values, mut marks) = (Self::Chunk::default(), Self::Chunk::default());
        self.store(value, &mut values);
        self.store(mark, &mut marks);
        let (mut least, mut first) = (f32::INFINITY, usize::MAX);
        for (lane, (&value, &mark)) in values.as_ref().iter().zip(marks.as_ref()).enumerate() {
            let at = mark as usize * Self::LANES + lane;
            if value < least || (value == least && at < first) {
                (least, first) = (value, at);
            }
        }
        first
    }
}

/// What looks up nibbles: registers of whole sub-spaces of 16 bytes.
pub(crate) trait Nibbles: Token {
    /// A register of bytes.
    type V: Copy;
    /// Its bytes in memory.
    type Chunk: 'static;
    /// As many zeros.
    fn zero(self) -> Self::V;
    /// `x` as whole chunks.
    fn chunks(self, x: &[u8]) -> &[Self::Chunk];
    /// A chunk.
    fn load(self, x: &Self::Chunk) -> Self::V;
    /// The entries of the low nibbles and of the high nibbles, within each 16 bytes.
    fn look_up(self, table: Self::V, codes: Self::V) -> [Self::V; 2];
    /// Adds bytes to two accumulators of 16-bit lanes: whole lanes (which wrap), and the upper
    /// byte of each. Enough to tell both sums, and one instruction less than to part them.
    fn add(self, acc: [Self::V; 2], x: Self::V) -> [Self::V; 2];
    /// Adds to `sums` what the accumulators hold of each row: at most 257 bytes a row.
    fn flush(self, acc: [Self::V; 2], sums: &mut [u32; 16]);
}

/// A table by hand.
pub(crate) trait HandLut<const K: usize>: 'static {
    /// The level.
    type Token: Token;
    /// The entry of [`crate::Lut`].
    fn lut(token: Self::Token, query: &[f32], book: Codebook<'_, K>, out: &mut [[f32; K]]);
}

/// A code by hand.
pub(crate) trait HandEncode<const K: usize>: 'static {
    /// The level.
    type Token: Token;
    /// The entry of [`crate::PqEncode`].
    fn encode(token: Self::Token, row: &[f32], book: Codebook<'_, K>, out: &mut [u8]);
}

/// A scan of blocks by hand.
pub(crate) trait HandBlocks<L: BlockLayout, const K: usize>: 'static {
    /// The level.
    type Token: Token;
    /// The entry of [`crate::FastScan`].
    fn blocks(token: Self::Token, table: &[[u8; K]], blocks: CodeBlocksRef<'_, L>, out: &mut [u32]);
}

/// A scan of rows of codes by hand: one row.
pub(crate) trait HandAdc: 'static {
    /// The level.
    type Token: Token;
    /// The sum of the entries of one row; `query.len() == 256 * row.len()`.
    fn row(token: Self::Token, query: &[f32], row: &[u8]) -> f32;
    /// The entry of [`crate::Scan`].
    #[inline(always)]
    fn scan(token: Self::Token, query: &[f32], rows: RowsRef<'_, u8>, out: &mut [f32]) {
        for (i, o) in out.iter_mut().enumerate() {
            *o = Self::row(token, query, rows.row(i));
        }
    }
    /// The entry of [`crate::Gather`].
    #[inline(always)]
    fn gather(
        token: Self::Token,
        query: &[f32],
        rows: RowsRef<'_, u8>,
        ids: &[u32],
        out: &mut [f32],
    ) {
        for (o, &id) in out.iter_mut().zip(ids) {
            *o = Self::row(token, query, rows.row(id as usize));
        }
    }
}

/// Tables and codes over lanes of `T`: the term `M`, `R` registers at a time.
pub(crate) struct Build<T, M, const R: usize>(PhantomData<fn() -> (T, M)>);

/// Nibbles in layout `Planar4`, over registers of `T`.
pub(crate) struct Planar<T>(PhantomData<fn() -> T>);

/// Nibbles in layout `Interleaved4`: tables of four sub-spaces in 64 bytes, `B` blocks at a time.
pub(crate) struct Interleaved<T, const B: usize>(PhantomData<fn() -> T>);

/// Bytes in layout `Rows64`: tables of 256 entries in registers, `B` blocks at a time; `TWO` looks
/// up in two registers at once.
pub(crate) struct Bytes<T, const B: usize, const TWO: bool>(PhantomData<fn() -> T>);

/// Rows of bytes, a vector gather for every register of sub-spaces.
pub(crate) struct VectorGather<T>(PhantomData<fn() -> T>);
