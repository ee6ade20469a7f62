//! Tables in registers: `vpermb` looks up 64 bytes among 64, `vpermi2b` among 128.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Bytes, HandBlocks, Interleaved, Planar};
use crate::isa::tokens::Avx512Vbmi;
use crate::shape::{BlockLayout, CodeBlocksRef, Interleaved4, Planar4, Rows64};

/// Sub-spaces whose bytes fit 16 bits in sum: a multiple of 4 below 257.
const BEFORE_FLUSH: usize = 256;

/// 64 bytes.
type Line = [u8; 64];

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &Line) -> __m512i {
    // SAFETY: 64 bytes, of any alignment.
    unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(v: __m512i, to: &mut [u32; 16]) {
    // SAFETY: 16 words, of any alignment.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), v) }
}

/// Blocks in groups of `B`, and the outputs of each; the last blocks come one by one.
macro_rules! for_blocks {
    ($b:expr, $bytes:expr, $rows:literal, $blocks:expr, $out:expr, |$data:ident, $to:ident| $many:expr, $one:expr) => {{
        let (bytes, data) = ($bytes, $blocks.data());
        let mut groups = data.chunks_exact(bytes * $b);
        let mut outs = $out.chunks_exact_mut($rows * $b);
        // Outputs end before blocks do, where the last block is not full.
        for $to in &mut outs {
            let Some($data) = groups.next() else { break };
            $many;
        }
        let done = (data.len() / bytes).min($blocks.len() / ($rows * $b) * $b);
        let rest = &data[done * bytes..];
        for ($data, $to) in rest.chunks_exact(bytes).zip(outs.into_remainder().chunks_mut($rows)) {
            $one;
        }
    }};
}

impl<const B: usize> HandBlocks<Interleaved4, 16> for Interleaved<Avx512Vbmi, B> {
    type Token = Avx512Vbmi;

    #[inline(always)]
    fn blocks(
        token: Avx512Vbmi,
        table: &[[u8; 16]],
        blocks: CodeBlocksRef<'_, Interleaved4>,
        out: &mut [u32],
    ) {
        let bytes = Interleaved4::block_bytes(blocks.m());
        if bytes == 0 {
            return out.fill(0);
        }
        let tables = table.as_flattened().as_chunks().0;
        for_blocks!(
            B,
            bytes,
            32,
            blocks,
            out,
            |data, to| nibbles::<B, false>(token, tables, data, to),
            nibbles::<1, false>(token, tables, data, to)
        );
    }
}

/// The same sums from a layout that was made for `pshufb`: one more permutation puts the bytes of
/// four sub-spaces side by side.
impl HandBlocks<Planar4, 16> for Planar<Avx512Vbmi> {
    type Token = Avx512Vbmi;

    #[inline(always)]
    fn blocks(
        token: Avx512Vbmi,
        table: &[[u8; 16]],
        blocks: CodeBlocksRef<'_, Planar4>,
        out: &mut [u32],
    ) {
        let bytes = Planar4::block_bytes(blocks.m());
        if bytes == 0 {
            return out.fill(0);
        }
        let tables = table.as_flattened().as_chunks().0;
        for_blocks!(
            2,
            bytes,
            32,
            blocks,
            out,
            |data, to| nibbles::<2, true>(token, tables, data, to),
            nibbles::<1, true>(token, tables, data, to)
        );
    }
}

/// `B` blocks of nibbles; `to` has the rows of at least the first `B - 1` of them.
#[inline(always)]
fn nibbles<const B: usize, const PLANAR: bool>(
    _: Avx512Vbmi,
    tables: &[Line],
    data: &[u8],
    to: &mut [u32],
) {
    let lines = data.as_chunks().0;
    let groups = tables.len();
    assert_eq!(lines.len(), B * groups, "blocks of as many sub-spaces as the table");
    // SAFETY: the token proves AVX-512.
    let mut acc = [[unsafe { _mm512_setzero_si512() }; 2]; B];
    for (g, table) in tables.iter().enumerate() {
        // SAFETY: the token proves AVX-512.
        let table = unsafe { load(table) };
        for b in 0..B {
            // SAFETY: the token proves VBMI and VNNI.
            acc[b] = unsafe { add_four::<PLANAR>(acc[b], table, load(&lines[b * groups + g])) };
        }
    }
    for (b, to) in to.chunks_mut(32).enumerate().take(B) {
        // SAFETY: the token proves AVX-512.
        unsafe { store_rows(acc[b], to) };
    }
}

/// Writes a block's rows, or as many as there are.
#[inline]
#[target_feature(enable = "avx512f")]
fn store_rows<const N: usize>(rows: [__m512i; N], to: &mut [u32]) {
    if to.len() == N * 16 {
        for (to, rows) in to.as_chunks_mut().0.iter_mut().zip(rows) {
            store(rows, to);
        }
    } else {
        let mut all = [[0; 16]; N];
        for (to, rows) in all.iter_mut().zip(rows) {
            store(rows, to);
        }
        to.copy_from_slice(&all.as_flattened()[..to.len()]);
    }
}

/// Adds the entries of four sub-spaces: to the first register those of rows 0..16, to the second
/// those of rows 16..32.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,avx512vnni")]
fn add_four<const PLANAR: bool>(acc: [__m512i; 2], table: __m512i, codes: __m512i) -> [__m512i; 2] {
    let codes = if PLANAR { _mm512_permutexvar_epi8(side_by_side(), codes) } else { codes };
    // Bits 4 and 5 of an index say which of the four tables.
    let nibble = _mm512_set1_epi8(15);
    let which = _mm512_set1_epi32(0x3020_1000);
    let ones = _mm512_set1_epi8(1);
    // 0xea: (a and b) or c.
    let low = _mm512_ternarylogic_epi32::<0xea>(codes, nibble, which);
    let high = _mm512_ternarylogic_epi32::<0xea>(_mm512_srli_epi32::<4>(codes), nibble, which);
    [
        _mm512_dpbusd_epi32(acc[0], _mm512_permutexvar_epi8(low, table), ones),
        _mm512_dpbusd_epi32(acc[1], _mm512_permutexvar_epi8(high, table), ones),
    ]
}

/// Where byte `4 v + g` comes from: byte `16 g + v`.
#[inline]
#[target_feature(enable = "avx512f")]
fn side_by_side() -> __m512i {
    let v = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let four = _mm512_mullo_epi32(v, _mm512_set1_epi32(0x0101_0101));
    _mm512_add_epi32(four, _mm512_set1_epi32(0x3020_1000))
}

impl<const B: usize, const TWO: bool> HandBlocks<Rows64, 256> for Bytes<Avx512Vbmi, B, TWO> {
    type Token = Avx512Vbmi;

    #[inline(always)]
    fn blocks(
        token: Avx512Vbmi,
        table: &[[u8; 256]],
        blocks: CodeBlocksRef<'_, Rows64>,
        out: &mut [u32],
    ) {
        let bytes = Rows64::block_bytes(blocks.m());
        if bytes == 0 {
            return out.fill(0);
        }
        for_blocks!(
            B,
            bytes,
            64,
            blocks,
            out,
            |data, to| many::<B, TWO>(token, table, data, to),
            many::<1, TWO>(token, table, data, to)
        );
    }
}

/// `B` blocks of bytes; `to` has the rows of at least the first `B - 1` of them.
#[inline(always)]
fn many<const B: usize, const TWO: bool>(
    _: Avx512Vbmi,
    tables: &[[u8; 256]],
    data: &[u8],
    to: &mut [u32],
) {
    let lines = data.as_chunks().0;
    let m = tables.len();
    assert_eq!(lines.len(), B * m, "blocks of as many sub-spaces as the table");
    // SAFETY: the token proves AVX-512.
    let zero = unsafe { _mm512_setzero_si512() };
    let mut sums = [[zero; 4]; B];
    for (chunk, tables) in tables.chunks(BEFORE_FLUSH).enumerate() {
        let mut acc = [[zero; 2]; B];
        for (s, table) in tables.iter().enumerate() {
            // SAFETY: the token proves AVX-512.
            let table = unsafe { load_256(table) };
            for b in 0..B {
                let line = &lines[b * m + chunk * BEFORE_FLUSH + s];
                // SAFETY: the token proves VBMI.
                acc[b] = unsafe { add_bytes::<TWO>(acc[b], table, load(line)) };
            }
        }
        for b in 0..B {
            // SAFETY: the token proves AVX-512.
            sums[b] = unsafe { flush(acc[b], sums[b]) };
        }
    }
    for (b, to) in to.chunks_mut(64).enumerate().take(B) {
        // SAFETY: the token proves AVX-512.
        unsafe { store_rows(sums[b], to) };
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_256(table: &[u8; 256]) -> [__m512i; 4] {
    let lines = table.as_chunks().0;
    [load(&lines[0]), load(&lines[1]), load(&lines[2]), load(&lines[3])]
}

/// Adds the entries of 64 rows to lanes of 16 bits (which wrap), and those of odd rows once more.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn add_bytes<const TWO: bool>(acc: [__m512i; 2], t: [__m512i; 4], codes: __m512i) -> [__m512i; 2] {
    let upper = _mm512_movepi8_mask(codes);
    let (low, high) = if TWO {
        (_mm512_permutex2var_epi8(t[0], codes, t[1]), _mm512_permutex2var_epi8(t[2], codes, t[3]))
    } else {
        let odd = _mm512_test_epi8_mask(codes, _mm512_set1_epi8(64));
        let low = _mm512_permutexvar_epi8(codes, t[0]);
        let high = _mm512_permutexvar_epi8(codes, t[2]);
        (
            _mm512_mask_permutexvar_epi8(low, odd, codes, t[1]),
            _mm512_mask_permutexvar_epi8(high, odd, codes, t[3]),
        )
    };
    let x = _mm512_mask_blend_epi8(upper, low, high);
    [_mm512_add_epi16(acc[0], x), _mm512_add_epi16(acc[1], _mm512_srli_epi16::<8>(x))]
}

/// Adds 64 rows of 16 bits to their sums: byte j of each four belongs to row 16 j and those behind.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn flush(acc: [__m512i; 2], sums: [__m512i; 4]) -> [__m512i; 4] {
    let (odd, lower) = (acc[1], _mm512_set1_epi32(0xffff));
    let even = _mm512_sub_epi16(acc[0], _mm512_slli_epi16::<8>(odd));
    [
        _mm512_add_epi32(sums[0], _mm512_and_si512(even, lower)),
        _mm512_add_epi32(sums[1], _mm512_and_si512(odd, lower)),
        _mm512_add_epi32(sums[2], _mm512_srli_epi32::<16>(even)),
        _mm512_add_epi32(sums[3], _mm512_srli_epi32::<16>(odd)),
    ]
}
