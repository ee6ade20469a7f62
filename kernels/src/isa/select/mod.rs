//! What choosing among scores asks of a level: minima that pass over NaN, comparisons as masks, and
//! writing down the lanes that a mask names.

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
use crate::shape::select::{SLACK, key};

/// A level at which scores are compared.
pub(crate) trait Sift: Simd {
    /// The smaller lanes; those of `acc` where `x` is NaN.
    fn min(self, x: Self::V, acc: Self::V) -> Self::V;
    /// The smallest lane, none of them NaN.
    fn min_lane(self, v: Self::V) -> f32;
    /// Whether any lane may be at most the limit: true if one is, and perhaps if one is NaN.
    fn any_at_most(self, x: Self::V, limit: Self::V) -> bool;
    /// A bit for each lane that is at most the limit; never for NaN.
    fn at_most(self, x: Self::V, limit: Self::V) -> u32;
    /// A bit for each lane that equals; never for NaN.
    fn equal(self, x: Self::V, y: Self::V) -> u32;
    /// The lanes in memory, in order; what lies behind them is whatever.
    fn lanes(self, v: Self::V) -> [f32; SLACK];

    /// Writes the keys of the lanes that `mask` names, lane `i` with the id `first + i`, and says
    /// how many; what lies behind them may be overwritten.
    #[inline(always)]
    fn write_keys(self, x: Self::V, mask: u32, first: u32, out: &mut [u64; SLACK]) -> usize {
        let lanes = self.lanes(x);
        let (mut left, mut count) = (mask & ((1 << SLACK) - 1), 0);
        while left != 0 {
            let lane = left.trailing_zeros();
            out[count % SLACK] = key(lanes[lane as usize % SLACK], first.wrapping_add(lane));
            count += 1;
            left &= left - 1;
        }
        count
    }
}
