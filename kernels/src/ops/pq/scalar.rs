//! Plain loops in the order of the elements, and the same with several sums or rows at a time.

use crate::kernel::Technique;
use crate::layout::RowsRef;
use crate::ops::plain::PairFn;
use crate::shape::{BlockLayout, CodeBlocksRef, Codebook, Interleaved4, Planar4, Rows64, SdcRef};

/// What an element adds to a partial distance.
pub(super) trait Term: 'static {
    /// The term.
    fn term(query: f32, centroid: f32) -> f32;
}

impl Term for super::L2Sq {
    #[inline(always)]
    fn term(query: f32, centroid: f32) -> f32 {
        (query - centroid) * (query - centroid)
    }
}

impl Term for super::Dot {
    #[inline(always)]
    fn term(query: f32, centroid: f32) -> f32 {
        query * centroid
    }
}

/// The value of centroid `k` in one sub-space.
#[inline(always)]
fn partial<M: Term, const K: usize>(query: &[f32], elements: &[[f32; K]], k: usize) -> f32 {
    query.iter().zip(elements).map(|(&q, centroids)| M::term(q, centroids[k])).sum()
}

/// A query's table.
pub(super) fn lut<M: Term, const K: usize>(
    query: &[f32],
    book: Codebook<'_, K>,
    out: &mut [[f32; K]],
) {
    let parts = query.chunks(book.dsub()).zip(book.sub_spaces());
    for (out, (query, elements)) in out.iter_mut().zip(parts) {
        for (k, o) in out.iter_mut().enumerate() {
            *o = partial::<M, K>(query, elements, k);
        }
    }
}

/// A vector's code.
pub(super) fn encode<const K: usize>(row: &[f32], book: Codebook<'_, K>, out: &mut [u8]) {
    let parts = row.chunks(book.dsub()).zip(book.sub_spaces());
    for (out, (row, elements)) in out.iter_mut().zip(parts) {
        let (mut least, mut first) = (f32::INFINITY, 0);
        for k in 0..K {
            let value = partial::<super::L2Sq, K>(row, elements, k);
            if value < least {
                (least, first) = (value, k);
            }
        }
        *out = first as u8;
    }
}

/// The sum of a row's entries, in the order of its sub-spaces.
pub(super) struct Adc;

impl PairFn for Adc {
    type Query = f32;
    type Code = u8;
    type Value = f32;
    const NAME: &'static str = "scalar";
    const TECHNIQUE: Technique = Technique::Scalar;

    #[inline(always)]
    fn value(query: &[f32], row: &[u8]) -> f32 {
        let mut sum = 0.0;
        for (table, &code) in query.as_chunks::<256>().0.iter().zip(row) {
            sum += table[usize::from(code)];
        }
        sum
    }
}

/// The same in four sums: an addition need not wait for the one before it.
pub(super) struct AdcX4;

impl PairFn for AdcX4 {
    type Query = f32;
    type Code = u8;
    type Value = f32;
    const NAME: &'static str = "scalar-x4";
    const TECHNIQUE: Technique = Technique::Scalar;

    #[inline(always)]
    fn value(query: &[f32], row: &[u8]) -> f32 {
        let (tables, tables_over) = query.as_chunks::<256>().0.as_chunks::<4>();
        let (codes, codes_over) = row.as_chunks::<4>();
        let mut sums = [0.0; 4];
        for (table, code) in tables.iter().zip(codes) {
            for i in 0..4 {
                sums[i] += table[i][usize::from(code[i])];
            }
        }
        for (i, (table, &code)) in tables_over.iter().zip(codes_over).enumerate() {
            sums[i] += table[usize::from(code)];
        }
        (sums[0] + sums[1]) + (sums[2] + sums[3])
    }
}

/// The sums of four rows, each in the order of its sub-spaces.
#[inline(always)]
fn four_rows(tables: &[[f32; 256]], rows: [&[u8]; 4]) -> [f32; 4] {
    let [a, b, c, d] = rows;
    let mut sums = [0.0; 4];
    let codes = a.iter().zip(b).zip(c.iter().zip(d));
    for (table, ((&a, &b), (&c, &d))) in tables.iter().zip(codes) {
        sums[0] += table[usize::from(a)];
        sums[1] += table[usize::from(b)];
        sums[2] += table[usize::from(c)];
        sums[3] += table[usize::from(d)];
    }
    sums
}

/// Every row, four at a time: the same bits as `scalar`.
pub(super) fn adc_scan_r4(query: &[f32], rows: RowsRef<'_, u8>, out: &mut [f32]) {
    let tables = query.as_chunks().0;
    let (fours, over) = out.as_chunks_mut::<4>();
    let whole = fours.len() * 4;
    for (i, out) in fours.iter_mut().enumerate() {
        let row = |r| rows.row(4 * i + r);
        *out = four_rows(tables, [row(0), row(1), row(2), row(3)]);
    }
    for (i, out) in over.iter_mut().enumerate() {
        *out = Adc::value(query, rows.row(whole + i));
    }
}

/// Listed rows, four at a time: the same bits as `scalar`.
pub(super) fn adc_gather_r4(query: &[f32], rows: RowsRef<'_, u8>, ids: &[u32], out: &mut [f32]) {
    let tables = query.as_chunks().0;
    let (fours, over) = out.as_chunks_mut::<4>();
    let (ids, ids_over) = ids.as_chunks::<4>();
    for (out, ids) in fours.iter_mut().zip(ids) {
        let row = |r: usize| rows.row(ids[r] as usize);
        *out = four_rows(tables, [row(0), row(1), row(2), row(3)]);
    }
    for (out, &id) in over.iter_mut().zip(ids_over) {
        *out = Adc::value(query, rows.row(id as usize));
    }
}

/// Sums of bytes over blocks of 64 rows.
pub(super) fn bytes(table: &[[u8; 256]], blocks: CodeBlocksRef<'_, Rows64>, out: &mut [u32]) {
    let bytes = Rows64::block_bytes(blocks.m());
    if bytes == 0 {
        return out.fill(0);
    }
    for (block, out) in blocks.data().chunks_exact(bytes).zip(out.chunks_mut(64)) {
        let mut sums = [[0; 16]; 4];
        for (table, codes) in table.iter().zip(block.as_chunks::<64>().0) {
            for (v, quad) in codes.as_chunks::<4>().0.iter().enumerate() {
                for (sums, &code) in sums.iter_mut().zip(quad) {
                    sums[v] += u32::from(table[usize::from(code)]);
                }
            }
        }
        out.copy_from_slice(&sums.as_flattened()[..out.len()]);
    }
}

/// Sums of nibbles over blocks of 32 rows, four sub-spaces side by side.
pub(super) fn interleaved(
    table: &[[u8; 16]],
    blocks: CodeBlocksRef<'_, Interleaved4>,
    out: &mut [u32],
) {
    let bytes = Interleaved4::block_bytes(blocks.m());
    if bytes == 0 {
        return out.fill(0);
    }
    for (block, out) in blocks.data().chunks_exact(bytes).zip(out.chunks_mut(32)) {
        let mut sums = [[0; 16]; 2];
        let lines = block.as_chunks::<64>().0;
        for (tables, line) in table.as_chunks::<4>().0.iter().zip(lines) {
            for (v, quad) in line.as_chunks::<4>().0.iter().enumerate() {
                for (table, &byte) in tables.iter().zip(quad) {
                    sums[0][v] += u32::from(table[usize::from(byte & 15)]);
                    sums[1][v] += u32::from(table[usize::from(byte >> 4)]);
                }
            }
        }
        out.copy_from_slice(&sums.as_flattened()[..out.len()]);
    }
}

/// Sums of nibbles over blocks of 32 rows, one sub-space after the other.
pub(super) fn planar(table: &[[u8; 16]], blocks: CodeBlocksRef<'_, Planar4>, out: &mut [u32]) {
    let bytes = Planar4::block_bytes(blocks.m());
    if bytes == 0 {
        return out.fill(0);
    }
    for (block, out) in blocks.data().chunks_exact(bytes).zip(out.chunks_mut(32)) {
        let mut sums = [[0; 16]; 2];
        for (table, line) in table.iter().zip(block.as_chunks::<16>().0) {
            for (v, &byte) in line.iter().enumerate() {
                sums[0][v] += u32::from(table[usize::from(byte & 15)]);
                sums[1][v] += u32::from(table[usize::from(byte >> 4)]);
            }
        }
        out.copy_from_slice(&sums.as_flattened()[..out.len()]);
    }
}

/// Distances between codes, in the order of the sub-spaces.
pub(super) fn sdc(code: &[u8], table: SdcRef<'_, 256>, rows: RowsRef<'_, u8>, out: &mut [f32]) {
    for (i, out) in out.iter_mut().enumerate() {
        let mut sum = 0.0;
        for (table, (&a, &b)) in table.tables().iter().zip(code.iter().zip(rows.row(i))) {
            sum += table[usize::from(a)][usize::from(b)];
        }
        *out = sum;
    }
}

/// The same in four sums.
pub(super) fn sdc_x4(code: &[u8], table: SdcRef<'_, 256>, rows: RowsRef<'_, u8>, out: &mut [f32]) {
    let (tables, tables_over) = table.tables().as_chunks::<4>();
    let (code, code_over) = code.as_chunks::<4>();
    for (i, out) in out.iter_mut().enumerate() {
        let (row, row_over) = rows.row(i).as_chunks::<4>();
        let mut sums = [0.0; 4];
        for (table, (a, b)) in tables.iter().zip(code.iter().zip(row)) {
            for i in 0..4 {
                sums[i] += table[i][usize::from(a[i])][usize::from(b[i])];
            }
        }
        let over = tables_over.iter().zip(code_over.iter().zip(row_over));
        for (i, (table, (&a, &b))) in over.enumerate() {
            sums[i] += table[usize::from(a)][usize::from(b)];
        }
        *out = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
}

/// Four rows at a time, each in the order of its sub-spaces: the same bits as `scalar`.
pub(super) fn sdc_r4(code: &[u8], table: SdcRef<'_, 256>, rows: RowsRef<'_, u8>, out: &mut [f32]) {
    let (fours, over) = out.as_chunks_mut::<4>();
    let whole = fours.len() * 4;
    for (i, out) in fours.iter_mut().enumerate() {
        let row = |r| rows.row(4 * i + r);
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let codes = a.iter().zip(b).zip(c.iter().zip(d));
        let mut sums = [0.0; 4];
        for ((table, &code), ((&a, &b), (&c, &d))) in table.tables().iter().zip(code).zip(codes) {
            let line = &table[usize::from(code)];
            sums[0] += line[usize::from(a)];
            sums[1] += line[usize::from(b)];
            sums[2] += line[usize::from(c)];
            sums[3] += line[usize::from(d)];
        }
        *out = sums;
    }
    if !over.is_empty() {
        sdc(code, table, rows.slice(whole, rows.len()), over);
    }
}
