//! Codes packed and unpacked, and the order of a query of signed bytes.

use super::arith::BLOCK;

/// Packs codes two to a byte: `packed[j] = codes[2 j] | codes[2 j + 1] << 4`. An odd number of
/// codes leaves the last high half 0. Bits above the fourth are dropped.
///
/// # Panics
/// If `packed` has not half as many bytes, rounded up.
pub fn int4_pack(codes: &[u8], packed: &mut [u8]) {
    assert_eq!(packed.len(), codes.len().div_ceil(2), "one byte for two codes");
    for (p, pair) in packed.iter_mut().zip(codes.chunks(2)) {
        *p = pair[0] & 15 | pair.get(1).map_or(0, |high| high << 4);
    }
}

/// The codes of a packed row; the inverse of [`int4_pack`].
///
/// # Panics
/// If `packed` has not half as many bytes as `codes`, rounded up.
pub fn int4_unpack(packed: &[u8], codes: &mut [u8]) {
    assert_eq!(packed.len(), codes.len().div_ceil(2), "one byte for two codes");
    for (&p, pair) in packed.iter().zip(codes.chunks_mut(2)) {
        pair[0] = p & 15;
        if let Some(high) = pair.get_mut(1) {
            *high = p >> 4;
        }
    }
}

/// Puts a query of `dim` signed bytes into the order of the operations `int4_i8`: within every 128
/// values first those at even places, then those at odd ones, so that each half lies as the rows'
/// low or high halves do.
///
/// ```text
/// values   v0 v1 v2 ... v127                     | v128 ... v199          dim 200
/// prepared v0 v2 ... v126  v1 v3 ... v127        | v128 v130 ... v198  v129 v131 ... v199
///          64 even         64 odd                | the rest in halves; an odd dim ends in a 0
/// ```
///
/// `prepared` has `dim` elements, rounded up to an even number. A query of codes is one of signed
/// bytes in `0..=15`; it need not be: values outside are distances to numbers that no code has.
///
/// # Panics
/// If `prepared` has another length.
pub fn int4_query(values: &[i8], prepared: &mut [i8]) {
    assert_eq!(prepared.len(), values.len().next_multiple_of(2), "an even number of elements");
    for (from, to) in values.chunks(2 * BLOCK).zip(prepared.chunks_mut(2 * BLOCK)) {
        let (even, odd) = to.split_at_mut(to.len() / 2);
        for ((pair, e), o) in from.chunks(2).zip(even).zip(odd) {
            *e = pair[0];
            *o = pair.get(1).copied().unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_packing() {
        for dim in 0..300 {
            let codes: Vec<u8> = (0..dim).map(|i| (i * i % 23 % 16) as u8).collect();
            let mut packed = vec![0xff; dim.div_ceil(2)];
            int4_pack(&codes, &mut packed);
            if dim % 2 == 1 {
                assert!(packed[dim / 2] < 16, "the pad is zero");
            }
            let mut back = vec![0xff; dim];
            int4_unpack(&packed, &mut back);
            assert_eq!(back, codes);
        }
    }

    #[test]
    fn a_query_is_split_by_blocks() {
        let values: Vec<i8> = (0..199).map(|i| (i - 100) as i8).collect();
        let mut prepared = vec![0x55; 200];
        int4_query(&values, &mut prepared);
        assert_eq!(prepared[..3], [-100, -98, -96]);
        assert_eq!(prepared[64..66], [-99, -97]);
        assert_eq!(prepared[128..130], [28, 30]);
        assert_eq!(prepared[128 + 36], 29);
        assert_eq!(prepared[199], 0, "the pad is zero");
    }
}
