//! Fewer bytes than a register holds, for the levels without masked loads of bytes: two reads that
//! overlap, and no copy through memory.
#![allow(unsafe_code, reason = "unaligned reads of words from slices of bytes")]
#![allow(dead_code, reason = "not every architecture asks for it")]

use super::Byte;

/// The first 16 bytes of `x` at most, as two words, padded with zeros.
#[inline(always)]
pub(super) fn partial<E: Byte>(x: &[E]) -> [u64; 2] {
    match x.len() {
        n @ 0..=7 => [below8(x, n), 0],
        8 => [word(x, 0), 0],
        n @ 9..=15 => [word(x, 0), word(x, n - 8) >> (8 * (16 - n))],
        _ => [word(x, 0), word(x, 8)],
    }
}

/// `n` bytes, fewer than 8.
#[inline(always)]
fn below8<E: Byte>(x: &[E], n: usize) -> u64 {
    if n >= 4 {
        // Both halves hold the bytes in which they overlap.
        return u64::from(half(x, 0)) | u64::from(half(x, n - 4)) << (8 * (n - 4));
    }
    let mut v = 0;
    for (i, &b) in x.iter().enumerate().take(3) {
        let b: i32 = b.into();
        v |= u64::from(b.cast_unsigned() & 0xff) << (8 * i);
    }
    v
}

/// 8 bytes from `at` on.
#[inline(always)]
fn word<E: Byte>(x: &[E], at: usize) -> u64 {
    let eight = &x[at..at + 8];
    // SAFETY: the slice has 8 elements of one byte, and any bytes are a `u64`.
    unsafe { eight.as_ptr().cast::<u64>().read_unaligned() }.to_le()
}

/// 4 bytes from `at` on.
#[inline(always)]
fn half<E: Byte>(x: &[E], at: usize) -> u32 {
    let four = &x[at..at + 4];
    // SAFETY: the slice has 4 elements of one byte, and any bytes are a `u32`.
    unsafe { four.as_ptr().cast::<u32>().read_unaligned() }.to_le()
}
