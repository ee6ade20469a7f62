//! Arithmetic on 4-bit codes: two to a byte, the even one in the low half.
//!
//! A product is at most 15 x 128, so four of them fit 16 bits and a lane of 32 bits holds the sums
//! of more than a million.
#![allow(unsafe_code, reason = "viewing signed bytes as bytes")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "aarch64")]
mod neondot;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse42;

/// A level's registers of bytes that hold two codes, and of 32-bit sums. Safe, because the token
/// proves the level and slices carry their lengths.
#[allow(dead_code, reason = "architectures without a level")]
pub(crate) trait Nibbles: Copy + 'static {
    /// A register: bytes, or 32-bit sums.
    type V: Copy;
    /// Sums of products of both halves: see [`Nibbles::dot`].
    type Dot: Copy;
    /// As many bytes as a register holds.
    type Chunk: Copy + 'static;
    /// Bytes of a register; a divisor of 64.
    const LANES: usize;

    /// `x` as whole chunks and a rest shorter than one.
    fn chunks(self, x: &[u8]) -> (&[Self::Chunk], &[u8]);
    /// A whole chunk.
    fn load(self, x: &Self::Chunk) -> Self::V;
    /// At most `LANES` bytes, and zeros behind them; reads nothing beyond `x`.
    fn load_partial(self, x: &[u8]) -> Self::V;
    /// All zero.
    fn zero(self) -> Self::V;
    /// The low halves of the bytes.
    fn low(self, v: Self::V) -> Self::V;
    /// The high halves of the bytes, as numbers below 16.
    fn high(self, v: Self::V) -> Self::V;
    /// `a + a` of bytes below 128.
    fn double(self, a: Self::V) -> Self::V;
    /// `a - b` of bytes.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `|a - b|` of bytes below 16.
    fn abs_diff(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a + b` of 32-bit sums.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `b - 2 a` of 32-bit sums.
    fn minus_twice(self, b: Self::V, a: Self::V) -> Self::V;
    /// `acc` plus the products of two pairs of registers; the first of a pair holds numbers below
    /// 16, the second signed bytes.
    fn products(self, acc: Self::V, a: [Self::V; 2], b: [Self::V; 2]) -> Self::V;
    /// No products.
    fn no_dot(self) -> Self::Dot;
    /// Low halves of `codes` times `even`, high halves times `odd`, both signed bytes.
    fn dot(self, acc: Self::Dot, codes: Self::V, even: Self::V, odd: Self::V) -> Self::Dot;
    /// Both.
    fn join_dot(self, a: Self::Dot, b: Self::Dot) -> Self::Dot;
    /// The sums as 32-bit sums.
    fn dot_sums(self, acc: Self::Dot) -> Self::V;
    /// The sum of the 32-bit sums, modulo 2^32.
    fn sum(self, v: Self::V) -> i32;
    /// The sums of four registers: fewer shuffles than four times [`Nibbles::sum`].
    #[inline(always)]
    fn sum4(self, v: [Self::V; 4]) -> [i32; 4] {
        // Not `map`: its closure need not be inlined, and then lacks the level's features.
        [self.sum(v[0]), self.sum(v[1]), self.sum(v[2]), self.sum(v[3])]
    }
    /// Asks for the cache line at `x` soon; nothing is read.
    #[inline(always)]
    fn prefetch(self, _x: &u8) {}
}

/// The bytes of signed bytes.
#[inline(always)]
pub(crate) fn bytes(x: &[i8]) -> &[u8] {
    // SAFETY: the same length, size and alignment, and every byte is a valid `u8`.
    unsafe { core::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
}

/// Up to `8 * W` bytes, and zeros behind them. In words: a loop over single bytes costs more than
/// the arithmetic that follows.
#[allow(dead_code, reason = "AVX-512 has masked loads")]
#[inline(always)]
fn padded<const W: usize>(x: &[u8]) -> [[u8; 8]; W] {
    let (words, rest) = x.as_chunks::<8>();
    let mut all = [[0; 8]; W];
    for (a, w) in all.iter_mut().zip(words) {
        *a = *w;
    }
    if let (false, Some(last)) = (rest.is_empty(), all.get_mut(words.len())) {
        *last = few(rest).to_le_bytes();
    }
    all
}

/// One to seven bytes, the first lowest, zeros above: from two reads that may overlap.
#[allow(dead_code, reason = "AVX-512 has masked loads")]
#[inline(always)]
fn few(x: &[u8]) -> u64 {
    let n = x.len();
    if let (Some(first), Some(last)) = (x.first_chunk::<4>(), x.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) | u64::from(last) << (8 * (n - 4));
    }
    let byte = |i: usize| u64::from(x[i]) << (8 * i);
    byte(0) | byte(n / 2) | byte(n - 1)
}
