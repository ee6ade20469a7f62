//! From numbers to codes: one vector a call.
//!
//! | shape | entry | writes |
//! |---|---|---|
//! | `encode` | `(values, steps, codes)` | one vector's codes |
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use super::Shape;
use crate::kernel::Bound;

/// How values are cut into codes: code `c` stands for `bias + c / inverse`.
///
/// Each slice has one element that holds for all dimensions, or one for each, or none, as the
/// operation says ([`Bound::query_len`]).
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps<'a> {
    /// The value of code 0.
    pub bias: &'a [f32],
    /// One divided by the distance between two codes' values.
    pub inverse: &'a [f32],
}

/// One vector's values as codes.
#[derive(Debug)]
pub struct Encode;

impl Shape for Encode {
    const NAME: &'static str = "encode";
    type Entry = unsafe fn(&[f32], Steps<'_>, &mut [u8]);
}

impl Bound<Encode> {
    /// Writes the codes of `values`; every byte of `codes` is written.
    ///
    /// # Panics
    /// If there are not `dim` values, [`query_len`](Bound::query_len) elements in each slice of
    /// `steps` and [`row_len`](Bound::row_len) bytes in `codes`.
    #[inline]
    pub fn call(&self, values: &[f32], steps: Steps<'_>, codes: &mut [u8]) {
        assert_eq!(values.len(), self.dim(), "a vector of another dimension");
        assert_eq!(steps.bias.len(), self.query_len(), "biases of another dimension");
        assert_eq!(steps.inverse.len(), self.query_len(), "inverse scales of another dimension");
        assert_eq!(codes.len(), self.row_len(), "codes of another dimension");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(values, steps, codes) }
    }
}
