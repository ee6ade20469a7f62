//! A vector of floats as bits.
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use super::Shape;
use crate::kernel::Bound;

/// One vector of `f32` to a row of bits.
///
/// The entry takes `dim` floats and the `dim.div_ceil(8)` bytes of the row.
#[derive(Debug)]
pub struct EncodeBits;

impl Shape for EncodeBits {
    const NAME: &'static str = "encode_bits";
    type Entry = unsafe fn(&[f32], &mut [u8]);
}

impl Bound<EncodeBits> {
    /// Writes the row of `values`: bit `i % 8` of byte `i / 8` stands for value `i`, and the bits
    /// behind the last value are 0.
    ///
    /// # Panics
    /// If `values` or `row` has another length than [`Bound::query_len`] or [`Bound::row_len`].
    #[inline]
    pub fn call(&self, values: &[f32], row: &mut [u8]) {
        assert!(values.len() == self.query_len(), "a vector of another dimension");
        assert!(row.len() == self.row_len(), "a row of another dimension");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(values, row) }
    }
}
