//! Sixteen rows at once, and rows so short that several share a register (`vpopcntq`).
//!
//! What a scan of short rows spends beyond its counts is the sum over lanes. Sixteen rows share one:
//! counts are below 2^32, so two rows fit the 64-bit lanes of one register, and four halvings of
//! eight registers leave 16 sums in order.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Hamming;
use super::avx512::mask;
use crate::isa::tokens::Avx512Popcnt;
use crate::layout::RowsRef;
use crate::loops;
use crate::loops::arith::FromToken;

/// Rows at once.
const BLOCK: usize = 16;

/// Rows of `V` whole chunks of 64 bytes, and a rest if `TAIL`.
#[inline(always)]
pub(crate) fn scan<const V: usize, const TAIL: bool>(
    token: Avx512Popcnt,
    query: &[u8],
    rows: RowsRef<'_, u8>,
    out: &mut [u32],
) {
    let (chunks, tail) = query.as_chunks::<64>();
    let (Some(chunks), true) = (chunks.first_chunk::<V>(), rows.dim() == query.len()) else {
        return;
    };
    // SAFETY: the token proves the level.
    let q = unsafe { query_of(chunks, tail) };
    let (blocks, _) = out.as_chunks_mut::<BLOCK>();
    for (i, o) in blocks.iter_mut().enumerate() {
        // SAFETY: the token proves the level.
        unsafe { block::<V, TAIL>(&q, rows, i * BLOCK, o) };
    }
    rest(token, query, rows, out);
}

/// The rows behind the last whole block.
#[inline(always)]
fn rest(token: Avx512Popcnt, query: &[u8], rows: RowsRef<'_, u8>, out: &mut [u32]) {
    let done = out.len() - out.len() % BLOCK;
    let rows = rows.slice(done, rows.len().min(out.len()));
    loops::scan_blocked::<_, 1>(Hamming::at(token), query, rows, &mut out[done..]);
}

/// Chunks of a query, and its rest.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn query_of<const V: usize>(chunks: &[[u8; 64]; V], tail: &[u8]) -> ([__m512i; V], __m512i) {
    let mut q = [_mm512_setzero_si512(); V];
    for v in 0..V {
        // SAFETY: the chunk has 64 bytes; the load is unaligned.
        q[v] = unsafe { _mm512_loadu_epi8(chunks[v].as_ptr().cast()) };
    }
    // SAFETY: masked-off bytes are not read.
    (q, unsafe { _mm512_maskz_loadu_epi8(mask(tail.len()), tail.as_ptr().cast()) })
}

/// Sixteen rows.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
fn block<const V: usize, const TAIL: bool>(
    q: &([__m512i; V], __m512i),
    rows: RowsRef<'_, u8>,
    first: usize,
    out: &mut [u32; BLOCK],
) {
    let mut acc = [_mm512_setzero_si512(); BLOCK];
    for r in 0..BLOCK {
        acc[r] = row::<V, TAIL>(q, rows.row(first + r));
    }
    store(out, sum16(acc));
}

/// One row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
fn row<const V: usize, const TAIL: bool>(
    (q, q_tail): &([__m512i; V], __m512i),
    row: &[u8],
) -> __m512i {
    let (chunks, tail) = row.as_chunks::<64>();
    let mut acc = _mm512_setzero_si512();
    for v in 0..V {
        // SAFETY: the chunk has 64 bytes; the load is unaligned.
        let c = unsafe { _mm512_loadu_epi8(chunks[v].as_ptr().cast()) };
        let count = _mm512_popcnt_epi64(_mm512_xor_si512(q[v], c));
        acc = if v == 0 { count } else { _mm512_add_epi64(acc, count) };
    }
    if TAIL {
        // SAFETY: masked-off bytes are not read.
        let c = unsafe { _mm512_maskz_loadu_epi8(mask(tail.len()), tail.as_ptr().cast()) };
        let count = _mm512_popcnt_epi64(_mm512_xor_si512(*q_tail, c));
        acc = if V == 0 { count } else { _mm512_add_epi64(acc, count) };
    }
    acc
}

/// Sixteen registers of eight sums below 2^32: the sum of each, in order.
///
/// Every halving takes its partners half the registers apart, and so leaves row `r` where the bits
/// of `r` are reversed; taking row `reversed(r)` as the `r`th undoes it for nothing.
#[inline]
#[target_feature(enable = "avx512f")]
fn sum16(a: [__m512i; BLOCK]) -> __m512i {
    let p0 = halves(a[0], a[1]);
    let p1 = halves(a[8], a[9]);
    let p2 = halves(a[4], a[5]);
    let p3 = halves(a[12], a[13]);
    let p4 = halves(a[2], a[3]);
    let p5 = halves(a[10], a[11]);
    let p6 = halves(a[6], a[7]);
    let p7 = halves(a[14], a[15]);
    let (u0, u1) = (words(p0, p4), words(p1, p5));
    let (u2, u3) = (words(p2, p6), words(p3, p7));
    quarters(quarters(u0, u2), quarters(u1, u3))
}

/// Two rows in one register: 64-bit lanes as two of 32 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves(a: __m512i, b: __m512i) -> __m512i {
    _mm512_or_si512(a, _mm512_slli_epi64::<32>(b))
}

/// Sums pairs of neighbouring 64-bit lanes; those of `a` and `b` take turns.
#[inline]
#[target_feature(enable = "avx512f")]
fn words(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b))
}

/// Sums pairs of neighbouring quarters; those of `a`, then those of `b`.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(
        _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b),
        _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b),
    )
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(out: &mut [u32; BLOCK], x: __m512i) {
    // SAFETY: the array has 64 bytes; the store is unaligned.
    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), x) };
}

/// Rows of 16 bytes: four to a register.
#[inline(always)]
pub(crate) fn scan_16_bytes(
    token: Avx512Popcnt,
    query: &[u8],
    rows: RowsRef<'_, u8>,
    out: &mut [u32],
) {
    let (Some(query16), 16) = (query.first_chunk::<16>(), rows.dim()) else { return };
    // SAFETY: the token proves the level.
    let q = unsafe { _mm512_broadcast_i32x4(quarter(query16)) };
    let (blocks, _) = out.as_chunks_mut::<BLOCK>();
    if let Some(data) = rows.contiguous() {
        let (data, _) = data.as_chunks::<{ 16 * BLOCK }>();
        for (x, o) in data.iter().zip(blocks) {
            // SAFETY: the token proves the level.
            unsafe { dense16(q, x, o) };
        }
    } else {
        for (i, o) in blocks.iter_mut().enumerate() {
            // SAFETY: the token proves the level.
            unsafe { apart16(q, rows, i * BLOCK, o) };
        }
    }
    rest(token, query, rows, out);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(x: &[u8; 64]) -> __m512i {
    // SAFETY: the array has 64 bytes; the load is unaligned.
    unsafe { _mm512_loadu_epi8(x.as_ptr().cast()) }
}

/// Four rows of 16 bytes, from four places.
#[inline]
#[target_feature(enable = "avx512f,avx512dq")]
fn four(rows: RowsRef<'_, u8>, r: usize) -> __m512i {
    let x = _mm512_castsi128_si512(quarter(rows.row(r)));
    let x = _mm512_inserti64x2::<1>(x, quarter(rows.row(r + 1)));
    let x = _mm512_inserti64x2::<2>(x, quarter(rows.row(r + 2)));
    _mm512_inserti64x2::<3>(x, quarter(rows.row(r + 3)))
}

/// A row of 16 bytes; zeros if it is shorter.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarter(row: &[u8]) -> __m128i {
    match row.first_chunk::<16>() {
        // SAFETY: the array has 16 bytes; the load is unaligned.
        Some(x) => unsafe { _mm_loadu_si128(x.as_ptr().cast()) },
        None => _mm_setzero_si128(),
    }
}

/// Sixteen rows of 16 bytes without a gap.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
fn dense16(q: __m512i, x: &[u8; 256], out: &mut [u32; BLOCK]) {
    let (x, _) = x.as_chunks::<64>();
    block16(q, [load(&x[0]), load(&x[1]), load(&x[2]), load(&x[3])], out);
}

/// Sixteen rows of 16 bytes with gaps.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vpopcntdq")]
fn apart16(q: __m512i, rows: RowsRef<'_, u8>, r: usize, out: &mut [u32; BLOCK]) {
    let x = [four(rows, r), four(rows, r + 4), four(rows, r + 8), four(rows, r + 12)];
    block16(q, x, out);
}

/// Sixteen rows of 16 bytes in four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn block16(q: __m512i, x: [__m512i; 4], out: &mut [u32; BLOCK]) {
    let a = _mm512_popcnt_epi64(_mm512_xor_si512(q, x[0]));
    let b = _mm512_popcnt_epi64(_mm512_xor_si512(q, x[1]));
    let c = _mm512_popcnt_epi64(_mm512_xor_si512(q, x[2]));
    let d = _mm512_popcnt_epi64(_mm512_xor_si512(q, x[3]));
    // Quarter `i` has rows i, i + 4, i + 8 and i + 12.
    let sums = words(halves(a, b), halves(c, d));
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    store(out, _mm512_permutexvar_epi32(order, sums));
}

/// Rows of 32 bytes: two to a register.
#[inline(always)]
pub(crate) fn scan_32_bytes(
    token: Avx512Popcnt,
    query: &[u8],
    rows: RowsRef<'_, u8>,
    out: &mut [u32],
) {
    let (Some(query32), 32) = (query.first_chunk::<32>(), rows.dim()) else { return };
    // SAFETY: the token proves the level.
    let q = unsafe { pair(query32, query32) };
    let (blocks, _) = out.as_chunks_mut::<BLOCK>();
    if let Some(data) = rows.contiguous() {
        let (data, _) = data.as_chunks::<{ 32 * BLOCK }>();
        for (x, o) in data.iter().zip(blocks) {
            // SAFETY: the token proves the level.
            unsafe { dense32(q, x, o) };
        }
    } else {
        for (i, o) in blocks.iter_mut().enumerate() {
            // SAFETY: the token proves the level.
            unsafe { apart32(q, rows, i * BLOCK, o) };
        }
    }
    rest(token, query, rows, out);
}

/// Two rows of 32 bytes, from two places; zeros if they are shorter.
#[inline]
#[target_feature(enable = "avx512f")]
fn pair(a: &[u8], b: &[u8]) -> __m512i {
    match (a.first_chunk::<32>(), b.first_chunk::<32>()) {
        (Some(a), Some(b)) => {
            // SAFETY: the array has 32 bytes; the load is unaligned.
            let a = unsafe { _mm256_loadu_si256(a.as_ptr().cast()) };
            // SAFETY: the array has 32 bytes; the load is unaligned.
            let b = unsafe { _mm256_loadu_si256(b.as_ptr().cast()) };
            _mm512_inserti64x4::<1>(_mm512_castsi256_si512(a), b)
        }
        _ => _mm512_setzero_si512(),
    }
}

/// Sixteen rows of 32 bytes without a gap.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
fn dense32(q: __m512i, x: &[u8; 512], out: &mut [u32; BLOCK]) {
    let (x, _) = x.as_chunks::<64>();
    let mut two = [q; 8];
    for i in 0..8 {
        two[i] = load(&x[i]);
    }
    block32(q, two, out);
}

/// Sixteen rows of 32 bytes with gaps.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vpopcntdq")]
fn apart32(q: __m512i, rows: RowsRef<'_, u8>, r: usize, out: &mut [u32; BLOCK]) {
    let mut two = [q; 8];
    for i in 0..8 {
        two[i] = pair(rows.row(r + 2 * i), rows.row(r + 2 * i + 1));
    }
    block32(q, two, out);
}

/// Sixteen rows of 32 bytes in eight registers.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn block32(q: __m512i, x: [__m512i; 8], out: &mut [u32; BLOCK]) {
    let mut n = [_mm512_setzero_si512(); 8];
    for i in 0..8 {
        n[i] = _mm512_popcnt_epi64(_mm512_xor_si512(q, x[i]));
    }
    let low = words(halves(n[0], n[1]), halves(n[2], n[3]));
    let high = words(halves(n[4], n[5]), halves(n[6], n[7]));
    // Quarters: the even rows of the first eight, the odd ones, and so of the last eight.
    let sums = quarters(low, high);
    let order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
    store(out, _mm512_permutexvar_epi32(order, sums));
}
