//! Arithmetic of an `f32` query on `u8` codes, and rounding to codes.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
#[cfg(target_arch = "x86_64")]
mod sse42;

use super::simd::Simd;

/// Values that are rounded to codes at once.
pub(crate) const STEP: usize = 16;

/// A level's registers of `f32` lanes, between bytes and numbers.
pub(crate) trait Codes: Simd {
    /// A byte for each lane.
    type Bytes: Copy + 'static;

    /// `x` as whole chunks and a rest shorter than one.
    fn byte_chunks(self, x: &[u8]) -> (&[Self::Bytes], &[u8]);
    /// Bytes as numbers.
    fn widen(self, x: &Self::Bytes) -> Self::V;
    /// At most as many bytes as there are lanes, and zeros behind them; reads nothing beyond `x`.
    fn widen_partial(self, x: &[u8]) -> Self::V;
    /// `(values - bias) * inverse`, each operation rounded, then NaN as 0, the rest bounded to
    /// `0..=max` and rounded to the nearest whole number, halves to the even one.
    fn quantise(
        self,
        values: &[f32; STEP],
        bias: &[f32; STEP],
        inverse: &[f32; STEP],
        max: f32,
    ) -> [u8; STEP];
    /// Codes below 16 as half as many bytes, the even ones low.
    #[inline(always)]
    fn pack(self, codes: &[u8; STEP]) -> [u8; STEP / 2] {
        // Words of eight codes: each even byte takes its neighbour's code as its high half, then
        // the even bytes move together.
        let half = |word: &[u8; 8]| {
            let x = u64::from_le_bytes(*word);
            let x = (x | x >> 4) & 0x00ff_00ff_00ff_00ff;
            let x = (x | x >> 8) & 0x0000_ffff_0000_ffff;
            (x | x >> 16) & 0xffff_ffff
        };
        let (words, _) = codes.as_chunks::<8>();
        (half(&words[0]) | half(&words[1]) << 32).to_le_bytes()
    }
    /// Asks for the cache line at `x` soon; nothing is read.
    #[inline(always)]
    fn prefetch_byte(self, _x: &u8) {}
}

/// Up to seven bytes, the first lowest.
#[allow(dead_code, reason = "AVX-512 has masked loads")]
#[inline(always)]
fn word(x: &[u8]) -> u64 {
    if x.is_empty() { 0 } else { super::int4::few(x) }
}
