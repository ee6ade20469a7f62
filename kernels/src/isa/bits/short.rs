//! Sixteen rows at once, and rows so short that several share a register (`vpopcntq`).
//!
//! What a scan of short rows spends beyond its counts is the sum over lanes. Sixteen rows share one:
//! counts are below 2^32, so two rows fit the 64-bit lanes of one register, and three halvings of
//! eight registers leave 16 sums in order.
//!
//! A count is of a query's bits and a row's, put together by `OF`, a table for `vpternlog`. What
//! Jaccard counts it counts in two passes over the block: the second finds the rows in L1.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::avx512::mask;
use super::{Hamming, JaccardNorms, JaccardRows};
use crate::isa::tokens::Avx512Popcnt;
use crate::layout::RowsRef;
use crate::loops;
use crate::loops::arith::{Arith, FromToken};

/// Rows at once.
const BLOCK: usize = 16;

/// Bits of one of both.
const XOR: i32 = 0b0011_1100;
/// Bits of both.
const AND: i32 = 0b1100_0000;
/// Bits of the row.
const ROW: i32 = 0b1100_1100;

/// A length of rows, as a way to count sixteen of them.
pub(crate) trait Form {
    /// A query in registers.
    type Query: Copy;
    /// The form for rows without a gap.
    type Dense: Form;
    /// Whether rows share registers, and so had better lie without a gap.
    const SHARED: bool;
    /// The query in registers; `None` if it has another length.
    fn query(token: Avx512Popcnt, query: &[u8]) -> Option<Self::Query>;
    /// What `OF` counts of sixteen rows from `first` on, in order.
    fn count<const OF: i32>(
        token: Avx512Popcnt,
        q: &Self::Query,
        rows: RowsRef<'_, u8>,
        first: usize,
    ) -> __m512i;
}

/// Bits that differ.
#[inline(always)]
pub(crate) fn hamming<F: Form>(
    token: Avx512Popcnt,
    query: &[u8],
    rows: RowsRef<'_, u8>,
    out: &mut [u32],
) {
    let (Some(q), true) = (F::query(token, query), rows.dim() == query.len()) else { return };
    let (blocks, _) = out.as_chunks_mut::<BLOCK>();
    for (i, o) in blocks.iter_mut().enumerate() {
        let differ = F::count::<XOR>(token, &q, rows, i * BLOCK);
        // SAFETY: the token proves the level.
        unsafe { store(o, differ) };
    }
    let (done, rows) = rest(rows, out.len());
    loops::scan_blocked::<_, 1>(Hamming::at(token), query, rows, &mut out[done..]);
}

/// Jaccard distances.
#[inline(always)]
pub(crate) fn jaccard<F: Form>(
    token: Avx512Popcnt,
    query: &[u8],
    rows: RowsRef<'_, u8>,
    out: &mut [f32],
) {
    let (Some(q), true) = (F::query(token, query), rows.dim() == query.len()) else { return };
    let of_query = JaccardRows::at(token).context(query);
    let (blocks, _) = out.as_chunks_mut::<BLOCK>();
    for (i, o) in blocks.iter_mut().enumerate() {
        let shared = F::count::<AND>(token, &q, rows, i * BLOCK);
        let of_rows = F::count::<ROW>(token, &q, rows, i * BLOCK);
        // SAFETY: the token proves the level.
        unsafe { distances(o, shared, of_query, of_rows) };
    }
    let (done, rows) = rest(rows, out.len());
    loops::scan_blocked::<_, 1>(JaccardRows::at(token), query, rows, &mut out[done..]);
}

/// Jaccard distances where the bits of query and rows are known.
#[inline(always)]
pub(crate) fn jaccard_norms<F: Form>(
    token: Avx512Popcnt,
    query: &[u8],
    of_query: u32,
    rows: RowsRef<'_, u8>,
    of_rows: &[u32],
    out: &mut [f32],
) {
    let (Some(q), true) = (F::query(token, query), rows.dim() == query.len()) else { return };
    let (blocks, _) = out.as_chunks_mut::<BLOCK>();
    let (of_blocks, _) = of_rows.as_chunks::<BLOCK>();
    for (i, (o, of_rows)) in blocks.iter_mut().zip(of_blocks).enumerate() {
        let shared = F::count::<AND>(token, &q, rows, i * BLOCK);
        // SAFETY: the token proves the level.
        let of_rows = unsafe { sixteen(of_rows) };
        // SAFETY: the token proves the level.
        unsafe { distances(o, shared, of_query, of_rows) };
    }
    let (done, rows) = rest(rows, out.len());
    let (a, of_rows) = (JaccardNorms::at(token), &of_rows[done..]);
    loops::scan_norms::<_, 1>(a, query, of_query, rows, of_rows, &mut out[done..]);
}

/// The rows behind the last whole block, and how many are before.
#[inline(always)]
fn rest(rows: RowsRef<'_, u8>, out: usize) -> (usize, RowsRef<'_, u8>) {
    let done = out - out % BLOCK;
    (done, rows.slice(done, rows.len().min(out)))
}

/// `(either - shared) / either`, 0 where both are 0.
#[inline]
#[target_feature(enable = "avx512f")]
fn distances(out: &mut [f32; BLOCK], shared: __m512i, of_query: u32, of_rows: __m512i) {
    let of_both = _mm512_add_epi32(_mm512_set1_epi32(of_query.cast_signed()), of_rows);
    let either = _mm512_sub_epi32(of_both, shared);
    let differ = _mm512_cvtepu32_ps(_mm512_sub_epi32(either, shared));
    let either = _mm512_cvtepu32_ps(_mm512_max_epu32(either, _mm512_set1_epi32(1)));
    let quotient = _mm512_div_ps(differ, either);
    // SAFETY: the array has 64 bytes; the store is unaligned.
    unsafe { _mm512_storeu_ps(out.as_mut_ptr(), quotient) };
}

#[inline]
#[target_feature(enable = "avx512f")]
fn sixteen(x: &[u32; BLOCK]) -> __m512i {
    // SAFETY: the array has 64 bytes; the load is unaligned.
    unsafe { _mm512_loadu_si512(x.as_ptr().cast()) }
}

/// Rows of `V` whole chunks of 64 bytes, and a rest if `TAIL`.
pub(crate) struct Chunks<const V: usize, const TAIL: bool>;

impl<const V: usize, const TAIL: bool> Form for Chunks<V, TAIL> {
    type Query = ([__m512i; V], __m512i);
    type Dense = Self;
    const SHARED: bool = false;

    #[inline(always)]
    fn query(_: Avx512Popcnt, query: &[u8]) -> Option<Self::Query> {
        let (chunks, tail) = query.as_chunks::<64>();
        // SAFETY: the token proves the level.
        Some(unsafe { query_of(chunks.first_chunk::<V>()?, tail) })
    }

    #[inline(always)]
    fn count<const OF: i32>(
        _: Avx512Popcnt,
        q: &Self::Query,
        rows: RowsRef<'_, u8>,
        first: usize,
    ) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { block::<V, TAIL, OF>(q, rows, first) }
    }
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
fn block<const V: usize, const TAIL: bool, const OF: i32>(
    q: &([__m512i; V], __m512i),
    rows: RowsRef<'_, u8>,
    first: usize,
) -> __m512i {
    let r: [&[u8]; BLOCK] = rows.block(first);
    // Spelled out: a loop of this size is not unrolled, and then keeps its registers in memory.
    let acc = [
        row::<V, TAIL, OF>(q, r[0]),
        row::<V, TAIL, OF>(q, r[1]),
        row::<V, TAIL, OF>(q, r[2]),
        row::<V, TAIL, OF>(q, r[3]),
        row::<V, TAIL, OF>(q, r[4]),
        row::<V, TAIL, OF>(q, r[5]),
        row::<V, TAIL, OF>(q, r[6]),
        row::<V, TAIL, OF>(q, r[7]),
        row::<V, TAIL, OF>(q, r[8]),
        row::<V, TAIL, OF>(q, r[9]),
        row::<V, TAIL, OF>(q, r[10]),
        row::<V, TAIL, OF>(q, r[11]),
        row::<V, TAIL, OF>(q, r[12]),
        row::<V, TAIL, OF>(q, r[13]),
        row::<V, TAIL, OF>(q, r[14]),
        row::<V, TAIL, OF>(q, r[15]),
    ];
    // A shuffle is one instruction where a shift and an `or` are two, but it competes with the
    // counts for their port: it pays where other instructions outnumber the counts.
    if V + usize::from(TAIL) > 1 && OF != ROW { sum16::<true>(acc) } else { sum16::<false>(acc) }
}

/// One row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vpopcntdq")]
fn row<const V: usize, const TAIL: bool, const OF: i32>(
    (q, q_tail): &([__m512i; V], __m512i),
    row: &[u8],
) -> __m512i {
    let (chunks, tail) = row.as_chunks::<64>();
    let mut acc = _mm512_setzero_si512();
    for v in 0..V {
        let count = ones::<OF>(q[v], load(&chunks[v]));
        acc = if v == 0 { count } else { _mm512_add_epi64(acc, count) };
    }
    if TAIL {
        // SAFETY: masked-off bytes are not read.
        let c = unsafe { _mm512_maskz_loadu_epi8(mask(tail.len()), tail.as_ptr().cast()) };
        let count = ones::<OF>(*q_tail, c);
        acc = if V == 0 { count } else { _mm512_add_epi64(acc, count) };
    }
    acc
}

/// The bits of `OF`.
#[inline]
#[target_feature(enable = "avx512f,avx512vpopcntdq")]
fn ones<const OF: i32>(q: __m512i, c: __m512i) -> __m512i {
    _mm512_popcnt_epi64(_mm512_ternarylogic_epi64::<OF>(q, c, c))
}

/// Sixteen registers of eight sums below 2^32: the sum of each, in order.
///
/// Every halving takes its partners half the registers apart, and so leaves row `r` where the bits
/// of `r` are reversed; taking row `reversed(r)` as the `r`th undoes it for nothing.
#[inline]
#[target_feature(enable = "avx512f")]
fn sum16<const SHUFFLE: bool>(a: [__m512i; BLOCK]) -> __m512i {
    let p0 = halves::<SHUFFLE>(a[0], a[1]);
    let p1 = halves::<SHUFFLE>(a[8], a[9]);
    let p2 = halves::<SHUFFLE>(a[4], a[5]);
    let p3 = halves::<SHUFFLE>(a[12], a[13]);
    let p4 = halves::<SHUFFLE>(a[2], a[3]);
    let p5 = halves::<SHUFFLE>(a[10], a[11]);
    let p6 = halves::<SHUFFLE>(a[6], a[7]);
    let p7 = halves::<SHUFFLE>(a[14], a[15]);
    let (u0, u1) = (words(p0, p4), words(p1, p5));
    let (u2, u3) = (words(p2, p6), words(p3, p7));
    quarters(quarters(u0, u2), quarters(u1, u3))
}

/// Two rows in one register: 64-bit lanes as two of 32 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves<const SHUFFLE: bool>(a: __m512i, b: __m512i) -> __m512i {
    if SHUFFLE {
        return _mm512_mask_shuffle_epi32::<0b10_10_00_00>(a, 0xaaaa, b);
    }
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

/// Rows of 16 bytes, four to a register; `DENSE` if no gap lies between them.
pub(crate) struct Of16<const DENSE: bool>;

impl<const DENSE: bool> Form for Of16<DENSE> {
    type Query = __m512i;
    type Dense = Of16<true>;
    const SHARED: bool = true;

    #[inline(always)]
    fn query(_: Avx512Popcnt, query: &[u8]) -> Option<__m512i> {
        // SAFETY: the token proves the level.
        (query.len() == 16).then(|| unsafe { four([query; 4]) })
    }

    #[inline(always)]
    fn count<const OF: i32>(
        _: Avx512Popcnt,
        q: &__m512i,
        rows: RowsRef<'_, u8>,
        first: usize,
    ) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { block16::<DENSE, OF>(*q, rows, first) }
    }
}

/// Sixteen rows of 16 bytes in four registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vpopcntdq")]
fn block16<const DENSE: bool, const OF: i32>(
    q: __m512i,
    rows: RowsRef<'_, u8>,
    r: usize,
) -> __m512i {
    let [a, b, c, d] = if DENSE {
        let (x, _) = dense::<256>(rows, r).as_chunks::<64>();
        [load(&x[0]), load(&x[1]), load(&x[2]), load(&x[3])]
    } else {
        let rows: [&[u8]; BLOCK] = rows.block(r);
        let (x, _) = rows.as_chunks::<4>();
        [four(x[0]), four(x[1]), four(x[2]), four(x[3])]
    };
    let ab = halves::<false>(ones::<OF>(q, a), ones::<OF>(q, b));
    let cd = halves::<false>(ones::<OF>(q, c), ones::<OF>(q, d));
    // Quarter `i` has rows i, i + 4, i + 8 and i + 12.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_permutexvar_epi32(order, words(ab, cd))
}

/// The `BYTES` bytes from row `r` on, of rows without a gap.
///
/// # Panics
/// If there are gaps, or not as many bytes.
#[inline(always)]
fn dense<const BYTES: usize>(rows: RowsRef<'_, u8>, r: usize) -> &[u8; BYTES] {
    let bytes = rows.contiguous().and_then(|x| x.get(r * rows.dim()..));
    let Some(bytes) = bytes.and_then(|x| x.first_chunk()) else { panic!("rows with gaps") };
    bytes
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
fn four(rows: [&[u8]; 4]) -> __m512i {
    let x = _mm512_castsi128_si512(quarter(rows[0]));
    let x = _mm512_inserti64x2::<1>(x, quarter(rows[1]));
    let x = _mm512_inserti64x2::<2>(x, quarter(rows[2]));
    _mm512_inserti64x2::<3>(x, quarter(rows[3]))
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

/// Rows of 32 bytes, two to a register; `DENSE` if no gap lies between them.
pub(crate) struct Of32<const DENSE: bool>;

impl<const DENSE: bool> Form for Of32<DENSE> {
    type Query = __m512i;
    type Dense = Of32<true>;
    const SHARED: bool = true;

    #[inline(always)]
    fn query(_: Avx512Popcnt, query: &[u8]) -> Option<__m512i> {
        // SAFETY: the token proves the level.
        (query.len() == 32).then(|| unsafe { pair(query, query) })
    }

    #[inline(always)]
    fn count<const OF: i32>(
        _: Avx512Popcnt,
        q: &__m512i,
        rows: RowsRef<'_, u8>,
        first: usize,
    ) -> __m512i {
        // SAFETY: the token proves the level.
        unsafe { block32::<DENSE, OF>(*q, rows, first) }
    }
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

/// Sixteen rows of 32 bytes in eight registers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vpopcntdq")]
fn block32<const DENSE: bool, const OF: i32>(
    q: __m512i,
    rows: RowsRef<'_, u8>,
    r: usize,
) -> __m512i {
    let mut n = [q; 8];
    if DENSE {
        let (x, _) = dense::<512>(rows, r).as_chunks::<64>();
        for i in 0..8 {
            n[i] = ones::<OF>(q, load(&x[i]));
        }
    } else {
        let rows: [&[u8]; BLOCK] = rows.block(r);
        for i in 0..8 {
            n[i] = ones::<OF>(q, pair(rows[2 * i], rows[2 * i + 1]));
        }
    }
    let (n01, n23) = (halves::<false>(n[0], n[1]), halves::<false>(n[2], n[3]));
    let (n45, n67) = (halves::<false>(n[4], n[5]), halves::<false>(n[6], n[7]));
    // Quarters: the even rows of the first eight, the odd ones, and so of the last eight.
    let sums = quarters(words(n01, n23), words(n45, n67));
    let order = _mm512_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15);
    _mm512_permutexvar_epi32(order, sums)
}
