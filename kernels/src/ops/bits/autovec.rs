//! Words of 64 bits, counted by `count_ones`: compiled once per target and chosen at run time by
//! the crate `multiversion`. Where the target counts lanes, the compiler finds the instruction.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::{Bits, BitsU4, Hamming, Jaccard, Sign};
use crate::isa::Level;
use crate::kernel::{Technique, Variant};
use crate::shape::{EncodeBits, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use crate::isa::bits::{distance, planes, word};
    use crate::layout::RowsRef;

    #[inline(always)]
    fn count(a: &[u8], b: &[u8], both: impl Fn(u64, u64) -> u64) -> u32 {
        let (chunks_a, tail_a) = a.as_chunks::<8>();
        let (chunks_b, tail_b) = b.as_chunks::<8>();
        let mut sum = 0;
        for (x, y) in chunks_a.iter().zip(chunks_b) {
            sum += u64::from(both(u64::from_le_bytes(*x), u64::from_le_bytes(*y)).count_ones());
        }
        sum as u32 + both(word(tail_a), word(tail_b)).count_ones()
    }

    #[inline(always)]
    fn hamming_body(a: &[u8], b: &[u8]) -> u32 {
        count(a, b, |x, y| x ^ y)
    }

    #[inline(always)]
    fn jaccard_body(a: &[u8], b: &[u8]) -> f32 {
        // Two plain sums, each of a shape that the vectoriser knows.
        distance(count(a, b, |x, y| x & y), count(a, b, |x, y| x | y))
    }

    #[inline(always)]
    fn planes_body(query: &[u8], row: &[u8]) -> u32 {
        let (chunks_q, tail_q) = query.as_chunks::<256>();
        let (chunks_c, tail_c) = row.as_chunks::<64>();
        let mut sum = 0;
        for (q, c) in chunks_q.iter().zip(chunks_c) {
            let [p0, p1, p2, p3] = planes(q);
            let low = count(p0, c, |x, y| x & y) + 2 * count(p1, c, |x, y| x & y);
            sum += low + 4 * (count(p2, c, |x, y| x & y) + 2 * count(p3, c, |x, y| x & y));
        }
        for (p, piece) in tail_q.chunks_exact(tail_c.len().max(1)).enumerate() {
            sum += count(piece, tail_c, |x, y| x & y) << p;
        }
        sum
    }

    macro_rules! shapes {
        ($module:ident, $body:ident, $value:ty) => {
            pub(super) mod $module {
                use super::*;

                #[multiversion(targets = "simd")]
                pub(in super::super) fn pair(a: &[u8], b: &[u8]) -> $value {
                    $body(a, b)
                }

                #[multiversion(targets = "simd")]
                pub(in super::super) fn scan(q: &[u8], rows: RowsRef<'_, u8>, out: &mut [$value]) {
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = $body(q, rows.row(i));
                    }
                }

                #[multiversion(targets = "simd")]
                pub(in super::super) fn gather(
                    q: &[u8],
                    rows: RowsRef<'_, u8>,
                    ids: &[u32],
                    out: &mut [$value],
                ) {
                    for (o, &id) in out.iter_mut().zip(ids) {
                        *o = $body(q, rows.row(id as usize));
                    }
                }
            }
        };
    }

    shapes!(hamming, hamming_body, u32);
    shapes!(jaccard, jaccard_body, f32);
    shapes!(dot, planes_body, u32);

    #[inline(always)]
    fn from_counts(q: &[u8], row: &[u8], of_q: u32, of_row: u32) -> f32 {
        let shared = count(q, row, |x, y| x & y);
        distance(shared, of_q.wrapping_add(of_row).wrapping_sub(shared))
    }

    #[multiversion(targets = "simd")]
    pub(super) fn pair_norms(q: &[u8], row: &[u8], of_q: u32, of_row: u32) -> f32 {
        from_counts(q, row, of_q, of_row)
    }

    #[multiversion(targets = "simd")]
    pub(super) fn scan_norms(
        q: &[u8],
        of_q: u32,
        rows: RowsRef<'_, u8>,
        norms: &[u32],
        out: &mut [f32],
    ) {
        for (i, (o, &n)) in out.iter_mut().zip(norms).enumerate() {
            *o = from_counts(q, rows.row(i), of_q, n);
        }
    }

    #[multiversion(targets = "simd")]
    pub(super) fn gather_norms(
        q: &[u8],
        of_q: u32,
        rows: RowsRef<'_, u8>,
        norms: &[u32],
        ids: &[u32],
        out: &mut [f32],
    ) {
        for (o, &id) in out.iter_mut().zip(ids) {
            *o = from_counts(q, rows.row(id as usize), of_q, norms[id as usize]);
        }
    }

    #[multiversion(targets = "simd")]
    pub(super) fn encode(values: &[f32], row: &mut [u8]) {
        let (chunks, tail) = values.as_chunks::<8>();
        for (x, o) in chunks.iter().zip(row.iter_mut()) {
            let mut byte = 0;
            for (i, &v) in x.iter().enumerate() {
                byte |= u8::from(v > 0.0) << i;
            }
            *o = byte;
        }
        if let (Some(o), false) = (row.get_mut(chunks.len()), tail.is_empty()) {
            *o = tail.iter().enumerate().fold(0, |b, (i, &v)| b | u8::from(v > 0.0) << i);
        }
    }
}

macro_rules! rows {
    ($($fn:ident: $op:ty, $entry:expr;)*) => {$(
        pub(crate) const fn $fn() -> Variant<$op> {
            const NAME: &str = "autovec";
            #[cfg(feature = "autovec")]
            {
                let resolve: fn(usize) -> Option<crate::kernel::Entry<$op>> = |_| Some($entry);
                // SAFETY: plain Rust; the crate detects a level before it uses it.
                unsafe { Variant::new(NAME, Level::Scalar, Technique::Autovec, resolve) }
            }
            #[cfg(not(feature = "autovec"))]
            {
                let why = "needs the feature `autovec`";
                Variant::absent(NAME, Level::Scalar, Technique::Autovec, why)
            }
        }
    )*};
}

rows! {
    hamming_pair: Bits<Hamming, Pair<u8, u8, u32>>, imp::hamming::pair;
    hamming_scan: Bits<Hamming, Scan<u8, u8, u32>>, imp::hamming::scan;
    hamming_gather: Bits<Hamming, Gather<u8, u8, u32>>, imp::hamming::gather;
    jaccard_pair: Bits<Jaccard, Pair<u8, u8, f32>>, imp::jaccard::pair;
    jaccard_scan: Bits<Jaccard, Scan<u8, u8, f32>>, imp::jaccard::scan;
    jaccard_gather: Bits<Jaccard, Gather<u8, u8, f32>>, imp::jaccard::gather;
    jaccard_pair_norms: Bits<Jaccard, PairNorms<u8, u8, f32, u32>>, imp::pair_norms;
    jaccard_scan_norms: Bits<Jaccard, ScanNorms<u8, u8, f32, u32>>, imp::scan_norms;
    jaccard_gather_norms: Bits<Jaccard, GatherNorms<u8, u8, f32, u32>>, imp::gather_norms;
    dot_pair: BitsU4<Pair<u8, u8, u32>>, imp::dot::pair;
    dot_scan: BitsU4<Scan<u8, u8, u32>>, imp::dot::scan;
    dot_gather: BitsU4<Gather<u8, u8, u32>>, imp::dot::gather;
    encode: Bits<Sign, EncodeBits>, imp::encode;
}
