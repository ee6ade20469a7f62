//! What integer kernels want cached of a vector.

use crate::shape::CodeNorms;

impl CodeNorms {
    /// Sum and squared norm of `i8` elements, modulo 2^32: exact to 131,071 elements.
    #[must_use]
    pub fn of_i8(x: &[i8]) -> Self {
        Self::of(x)
    }

    /// Sum and squared norm of `u8` elements, modulo 2^32: the norm, read as a `u32`, is exact to
    /// 66,051 elements.
    #[must_use]
    pub fn of_u8(x: &[u8]) -> Self {
        Self::of(x)
    }

    fn of<E: Copy + Into<i32>>(x: &[E]) -> Self {
        let mut norms = Self::default();
        for &v in x {
            let v: i32 = v.into();
            norms.sum = norms.sum.wrapping_add(v);
            norms.norm_sq = norms.norm_sq.wrapping_add(v * v);
        }
        norms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_the_largest() {
        assert_eq!(CodeNorms::of_i8(&[-128, 127]), CodeNorms { sum: -1, norm_sq: 16_384 + 16_129 });
        assert_eq!(CodeNorms::of_u8(&[]), CodeNorms::default());
        let largest = CodeNorms::of_u8(&vec![255; 66_051]);
        assert_eq!(u64::from(largest.norm_sq.cast_unsigned()), 66_051 * 65_025);
    }
}
