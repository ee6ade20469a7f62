//! What the x86-64 levels share: tails of 16-bit elements, for which no masked load exists below
//! AVX-512.
#![allow(unsafe_code, reason = "intrinsics")]

use core::arch::x86_64::*;

use half::{bf16, f16};

/// An element of 16 bits.
pub(super) trait Bits: Copy + 'static {
    /// Its bit pattern.
    fn bits(self) -> u16;
}

impl Bits for f16 {
    #[inline(always)]
    fn bits(self) -> u16 {
        self.to_bits()
    }
}

impl Bits for bf16 {
    #[inline(always)]
    fn bits(self) -> u16 {
        self.to_bits()
    }
}

/// Four elements as one number, the first lowest: one load.
#[inline(always)]
fn four<E: Bits>(x: &[E; 4]) -> u64 {
    let [a, b, c, d] = *x;
    u64::from(a.bits())
        | u64::from(b.bits()) << 16
        | u64::from(c.bits()) << 32
        | u64::from(d.bits()) << 48
}

/// The first 8 elements of `x`, or all of them and zeros, as two numbers.
///
/// In general registers: an array in memory, written by elements and read as a whole, would have
/// to wait for the writes.
#[inline(always)]
pub(super) fn eight<E: Bits>(x: &[E]) -> [u64; 2] {
    let x = if x.len() > 8 { &x[..8] } else { x };
    if let (Some(first), Some(last)) = (x.first_chunk::<4>(), x.last_chunk::<4>()) {
        // The last four overlap the first; what they share is shifted out, in two steps, since
        // one of 64 bits is none.
        let shared = 8 - x.len();
        return [four(first), four(last) >> (8 * shared) >> (8 * shared)];
    }
    let mut low = 0;
    if let Some(&a) = x.first() {
        low |= u64::from(a.bits());
    }
    if let Some(&b) = x.get(1) {
        low |= u64::from(b.bits()) << 16;
    }
    if let Some(&c) = x.get(2) {
        low |= u64::from(c.bits()) << 32;
    }
    [low, 0]
}

/// The first 8 elements of `x`, or all of them and zeros.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn tail8<E: Bits>(x: &[E]) -> __m128i {
    let [low, high] = eight(x);
    _mm_set_epi64x(high.cast_signed(), low.cast_signed())
}

/// Asks for a cache line.
#[inline(always)]
pub(super) fn prefetch<E>(x: *const E) {
    // SAFETY: a prefetch reads nothing that the program can see, at any address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(x.cast()) }
}
