//! The query of `bits_u4`: 4-bit values as four planes of bits, cut so that a step finds what it
//! needs side by side.

/// Values that a whole chunk stands for: 64 bytes of a row.
const VALUES: usize = 512;

/// Bytes of a query of `dim` 4-bit values in the layout of [`bits_u4_query`].
#[must_use]
pub const fn bits_u4_query_len(dim: usize) -> usize {
    4 * dim.div_ceil(8)
}

/// Lays out 4-bit values as the query of the `bits_u4` operations.
///
/// Values are taken 512 at a time, as many as 64 bytes of a row have bits; the last chunk may be
/// shorter. For each chunk there are four pieces, one for each bit of the values, the lowest first.
/// Bit `i % 8` of byte `i / 8` of piece `p` is bit `p` of value `i` of the chunk, so a piece lies as
/// the row does. Bits behind the last value are 0.
///
/// ```text
/// row     |  64 bytes (values 0..512)  |  64 bytes (512..1024)  | rest: t bytes |
/// query   | plane 0 | plane 1 | plane 2 | plane 3 | plane 0 | .. | t | t | t | t |
///           64 bytes each                           64 bytes each   t bytes each
/// ```
///
/// The value of a row is then the sum over planes of 2^p x (bits that piece and row share).
///
/// ```
/// use annvil_kernels::{bits_u4_query, bits_u4_query_len};
/// let mut query = [0xff; bits_u4_query_len(10)];
/// bits_u4_query(&[15, 1, 2, 4, 8, 0, 0, 0, 0, 3], &mut query);
/// assert_eq!(query, [0b0011, 0b10, 0b0101, 0b10, 0b1001, 0, 0b1_0001, 0]);
/// ```
///
/// # Panics
/// If `query` is not [`bits_u4_query_len`] bytes long, or a value is above 15.
pub fn bits_u4_query(values: &[u8], query: &mut [u8]) {
    assert!(query.len() == bits_u4_query_len(values.len()), "a query of another length");
    assert!(values.iter().fold(0, |any, v| any | v) < 16, "a value of more than 4 bits");
    for (values, chunk) in values.chunks(VALUES).zip(query.chunks_mut(4 * VALUES / 8)) {
        let len = chunk.len() / 4;
        let pieces = chunk.split_at_mut(2 * len);
        let ((p0, p1), (p2, p3)) = (pieces.0.split_at_mut(len), pieces.1.split_at_mut(len));
        let pieces = p0.iter_mut().zip(p1).zip(p2).zip(p3);
        for ((((b0, b1), b2), b3), values) in pieces.zip(values.chunks(8)) {
            let mut eight = [0; 8];
            eight[..values.len()].copy_from_slice(values);
            let eight = u64::from_le_bytes(eight);
            (*b0, *b1) = (lowest_bits(eight), lowest_bits(eight >> 1));
            (*b2, *b3) = (lowest_bits(eight >> 2), lowest_bits(eight >> 3));
        }
    }
}

/// Bit `i` is the lowest bit of byte `i`.
fn lowest_bits(bytes: u64) -> u8 {
    // Byte i is multiplied by 2^(56 - 7 i), which puts its bit at 56 + i; no two others meet.
    ((bytes & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

#[cfg(all(test, panic = "unwind"))]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_every_value_is_where_it_should_be() {
        for dim in [1, 7, 8, 9, 511, 512, 513, 1100] {
            let values: Vec<u8> = (0..dim).map(|i| (i * i * 7 + i / 3) as u8 & 15).collect();
            let mut query = vec![0xff; bits_u4_query_len(dim)];
            bits_u4_query(&values, &mut query);
            for (c, values) in values.chunks(VALUES).enumerate() {
                let len = values.len().div_ceil(8);
                let chunk = &query[c * 256..][..4 * len];
                for (i, bit) in (0..8 * len).flat_map(|i| (0..4).map(move |p| (i, p))) {
                    let got = chunk[bit * len + i / 8] >> (i % 8) & 1;
                    let value = values.get(i).copied().unwrap_or(0);
                    assert_eq!(got, value >> bit & 1, "dim {dim}, value {i}, bit {bit}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |values: &'static [u8], len: usize| {
            std::panic::catch_unwind(move || bits_u4_query(values, &mut vec![0; len])).is_err()
        };
        assert!(!refused(&[1, 2, 15], 4));
        assert!(!refused(&[], 0));
        assert!(refused(&[1, 2, 16], 4));
        assert!(refused(&[1, 2, 3], 3));
        assert!(refused(&[1, 2, 3], 5));
    }
}
