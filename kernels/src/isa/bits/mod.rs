//! Population counts: how many bits two vectors differ in, share, or have.
//!
//! Three layers. [`Counts`] is what an instruction set does with a chunk of bits, one file a level.
//! `arith` makes the metrics of it, once for all levels. `short` and `sign` are what does not fit:
//! rows so short that several share a register, and the signs of floats.

mod arith;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
pub(crate) mod short;
pub(crate) mod sign;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse42;

use super::tokens::Token;

/// Bits in which two vectors differ.
#[derive(Clone, Copy)]
pub(crate) struct Hamming<T>(T);

/// 1 - shared bits / bits of either, of a pair: both are counted.
#[derive(Clone, Copy)]
pub(crate) struct Jaccard<T>(T);

/// As [`Jaccard`], of a query and rows: the query's bits are known, so what is counted is what is
/// shared, and the row.
#[derive(Clone, Copy)]
pub(crate) struct JaccardRows<T>(T);

/// As [`Jaccard`], where the bits of both vectors are known: only what is shared is counted.
#[derive(Clone, Copy)]
pub(crate) struct JaccardNorms<T>(T);

/// Bits against a query of 4-bit values, which lies in four planes.
#[derive(Clone, Copy)]
pub(crate) struct Planes<T>(T);

/// What an instruction set does with chunks of bits. The token proves the level, so the methods are
/// safe.
#[allow(dead_code, reason = "foreign architectures")]
pub(crate) trait Counts: Token {
    /// As many bytes as a register holds.
    type Chunk: Copy + 'static;
    /// A chunk in a register.
    type Reg: Copy;
    /// 64 bytes in registers.
    type Piece: Copy;
    /// Counts, in lanes wide enough for a vector of any length.
    type Acc: Copy;

    /// Whole chunks, and a rest shorter than one.
    fn chunks(self, x: &[u8]) -> (&[Self::Chunk], &[u8]);
    /// A whole chunk.
    fn load(self, x: &Self::Chunk) -> Self::Reg;
    /// Less than a chunk, padded with zeros; reads nothing beyond it.
    fn load_tail(self, x: &[u8]) -> Self::Reg;
    /// 64 bytes.
    fn piece(self, x: &[u8; 64]) -> Self::Piece;
    /// Less than 64 bytes, padded with zeros; reads nothing beyond them.
    fn piece_tail(self, x: &[u8]) -> Self::Piece;
    /// Bits of one of both.
    fn xor(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    /// Bits of both.
    fn and(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    /// Bits of either.
    fn or(self, a: Self::Reg, b: Self::Reg) -> Self::Reg;
    /// No bits.
    fn zero(self) -> Self::Acc;
    /// The bits of a chunk.
    fn count(self, x: Self::Reg) -> Self::Acc;
    /// The bits of a chunk, added.
    fn add(self, acc: Self::Acc, x: Self::Reg) -> Self::Acc;
    /// Adds the bits that the row shares with each plane, plane `p` 2^p times.
    fn add_planes(self, acc: Self::Acc, planes: &[Self::Piece; 4], row: Self::Piece) -> Self::Acc;
    /// Two counts as one.
    fn join(self, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    /// All lanes together.
    fn sum(self, acc: Self::Acc) -> u32;
    /// All lanes of each of four.
    #[inline(always)]
    fn sum4(self, acc: [Self::Acc; 4]) -> [u32; 4] {
        [self.sum(acc[0]), self.sum(acc[1]), self.sum(acc[2]), self.sum(acc[3])]
    }
    /// As [`Counts::sum`], of what [`Counts::add_planes`] made.
    #[inline(always)]
    fn sum_planes(self, acc: Self::Acc) -> u32 {
        self.sum(acc)
    }
    /// As [`Counts::sum4`], of what [`Counts::add_planes`] made.
    #[inline(always)]
    fn sum4_planes(self, acc: [Self::Acc; 4]) -> [u32; 4] {
        self.sum4(acc)
    }
    /// `1 - shared / either` of four rows.
    #[inline(always)]
    fn distances(self, shared: [u32; 4], either: [u32; 4]) -> [f32; 4] {
        let mut out = [0.0; 4];
        for i in 0..4 {
            out[i] = distance(shared[i], either[i]);
        }
        out
    }
    /// Asks for the cache line at `x` soon; nothing is read.
    #[inline(always)]
    fn prefetch(self, _x: &u8) {}
}

/// Jaccard's distance. Two vectors without a bit are equal: 0.
///
/// `(either - shared) / either` and not `1 - shared / either`: integers below 2^24 are exact, so
/// the division is the only rounding.
#[inline(always)]
pub(crate) fn distance(shared: u32, either: u32) -> f32 {
    // The larger divisor changes nothing but 0 / 0.
    (either.wrapping_sub(shared)) as f32 / either.max(1) as f32
}

/// Up to 8 bytes as a word, the rest zero. Overlapping reads, so that nothing is copied.
#[inline(always)]
pub(crate) fn word(x: &[u8]) -> u64 {
    if let (Some(low), Some(high)) = (x.first_chunk::<4>(), x.last_chunk::<4>()) {
        let (low, high) = (u32::from_le_bytes(*low), u32::from_le_bytes(*high));
        // What both hold, both hold alike.
        return u64::from(low) | u64::from(high) << (8 * (x.len() - 4) % 64);
    }
    match *x {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(a) | u64::from(b) << 8,
        [a, b, c, ..] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
    }
}

/// Up to `8 * N` bytes as words, the rest zero.
#[inline(always)]
#[allow(dead_code, reason = "levels with masked loads have no need")]
pub(crate) fn words<const N: usize>(x: &[u8]) -> [u64; N] {
    // A fixed number of turns and no index that depends on the length: the words stay in registers.
    let (mut words, mut rest) = ([0; N], x);
    for w in &mut words {
        if let Some((whole, behind)) = rest.split_first_chunk::<8>() {
            (*w, rest) = (u64::from_le_bytes(*whole), behind);
        } else {
            (*w, rest) = (word(rest), &[]);
        }
    }
    words
}

/// The pieces of a chunk of the query: plane 0's, plane 1's and so on.
#[inline(always)]
pub(crate) fn planes(x: &[u8; 256]) -> &[[u8; 64]; 4] {
    let (planes, _) = x.as_chunks::<64>();
    // A chunk of 256 bytes has four: the first four are always there.
    planes.first_chunk::<4>().unwrap_or(&[[0; 64]; 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_bytes() {
        let bytes: Vec<u8> = (1..=40).collect();
        for n in 0..=40 {
            let words = words::<5>(&bytes[..n]);
            for i in 0..40 {
                let want = if i < n { bytes[i] } else { 0 };
                assert_eq!(words[i / 8].to_le_bytes()[i % 8], want, "{i} of {n}");
            }
        }
    }

    #[test]
    fn distances_at_the_ends() {
        assert_eq!(distance(0, 0).to_bits(), 0);
        assert_eq!(distance(3, 3), 0.0);
        assert_eq!(distance(0, 7), 1.0);
        assert_eq!(distance(1, 4), 0.75);
    }
}
