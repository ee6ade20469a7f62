//! 64 bytes at once: the table of nibbles where AVX-512 is all there is, else an instruction that
//! counts (`vpopcntq`).
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::Counts;
use super::avx2::{distances, lanes};
use crate::isa::tokens::{Avx512, Avx512Popcnt};

impl Counts for Avx512 {
    type Chunk = [u8; 64];
    type Reg = __m512i;
    type Piece = __m512i;
    /// Eight sums of 64 bits.
    type Acc = __m512i;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 64]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 64]) -> __m512i {
        // SAFETY: the token proves AVX-512; the chunk has 64 bytes; the load is unaligned.
        unsafe { _mm512_loadu_epi8(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> __m512i {
        // SAFETY: the token proves AVX-512; masked-off bytes are not read.
        unsafe { _mm512_maskz_loadu_epi8(mask(x.len()), x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn piece(self, x: &[u8; 64]) -> __m512i {
        self.load(x)
    }

    #[inline(always)]
    fn piece_tail(self, x: &[u8]) -> __m512i {
        self.load_tail(x)
    }

    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_xor_si512(a, b) }
    }

    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_and_si512(a, b) }
    }

    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn count(self, x: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { count(x) }
    }

    #[inline(always)]
    fn add(self, acc: __m512i, x: __m512i) -> __m512i {
        self.join(acc, self.count(x))
    }

    #[inline(always)]
    fn add_planes(self, acc: __m512i, planes: &[__m512i; 4], row: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { add_table(acc, planes, row) }
    }

    #[inline(always)]
    fn join(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_add_epi64(a, b) }
    }

    #[inline(always)]
    fn sum(self, acc: __m512i) -> u32 {
        // SAFETY: the token proves AVX-512.
        unsafe { sum(acc) }
    }

    #[inline(always)]
    fn sum4(self, acc: [__m512i; 4]) -> [u32; 4] {
        // SAFETY: the token proves AVX-512.
        unsafe { sum4(acc) }
    }

    #[inline(always)]
    fn distances(self, shared: [u32; 4], either: [u32; 4]) -> [f32; 4] {
        // SAFETY: the token proves AVX-512, which has more than the SSE4.1 asked for.
        unsafe { distances(shared, either) }
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

impl Counts for Avx512Popcnt {
    type Chunk = [u8; 64];
    type Reg = __m512i;
    type Piece = __m512i;
    /// Eight sums of 64 bits below 2^32; of planes, 16 of 32 bits.
    type Acc = __m512i;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 64]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 64]) -> __m512i {
        // SAFETY: the token proves AVX-512; the chunk has 64 bytes; the load is unaligned.
        unsafe { _mm512_loadu_epi8(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> __m512i {
        // SAFETY: the token proves AVX-512; masked-off bytes are not read.
        unsafe { _mm512_maskz_loadu_epi8(mask(x.len()), x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn piece(self, x: &[u8; 64]) -> __m512i {
        self.load(x)
    }

    #[inline(always)]
    fn piece_tail(self, x: &[u8]) -> __m512i {
        self.load_tail(x)
    }

    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_xor_si512(a, b) }
    }

    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_and_si512(a, b) }
    }

    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_or_si512(a, b) }
    }

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn count(self, x: __m512i) -> __m512i {
        // SAFETY: the token proves its population counts.
        unsafe { _mm512_popcnt_epi64(x) }
    }

    #[inline(always)]
    fn add(self, acc: __m512i, x: __m512i) -> __m512i {
        self.join(acc, self.count(x))
    }

    #[inline(always)]
    fn add_planes(self, acc: __m512i, planes: &[__m512i; 4], row: __m512i) -> __m512i {
        // SAFETY: the token proves its population counts.
        unsafe { add_dot(acc, planes, row) }
    }

    #[inline(always)]
    fn join(self, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_add_epi32(a, b) }
    }

    #[inline(always)]
    fn sum(self, acc: __m512i) -> u32 {
        // SAFETY: the token proves AVX-512.
        unsafe { sum(acc) }
    }

    #[inline(always)]
    fn sum4(self, acc: [__m512i; 4]) -> [u32; 4] {
        // SAFETY: the token proves AVX-512.
        unsafe { sum4(acc) }
    }

    #[inline(always)]
    fn sum_planes(self, acc: __m512i) -> u32 {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_reduce_add_epi32(acc) }.cast_unsigned()
    }

    #[inline(always)]
    fn sum4_planes(self, acc: [__m512i; 4]) -> [u32; 4] {
        // SAFETY: the token proves AVX-512.
        unsafe { sum4_planes(acc) }
    }

    #[inline(always)]
    fn distances(self, shared: [u32; 4], either: [u32; 4]) -> [f32; 4] {
        // SAFETY: the token proves AVX-512, which has more than the SSE4.1 asked for.
        unsafe { distances(shared, either) }
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

/// The first `n` of 64 bytes.
#[inline(always)]
pub(super) fn mask(n: usize) -> __mmask64 {
    if n >= 64 { u64::MAX } else { (1u64 << n) - 1 }
}

/// The bits of each byte.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn bytes(x: __m512i) -> __m512i {
    let table =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    let nibble = _mm512_set1_epi8(15);
    let low = _mm512_shuffle_epi8(table, _mm512_and_si512(x, nibble));
    let high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16::<4>(x), nibble));
    _mm512_add_epi8(low, high)
}

/// The bits of each 64 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn count(x: __m512i) -> __m512i {
    _mm512_sad_epu8(bytes(x), _mm512_setzero_si512())
}

/// `2 x + y` in bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn twice(x: __m512i, y: __m512i) -> __m512i {
    _mm512_add_epi8(_mm512_add_epi8(x, x), y)
}

/// The bits that a row shares with each plane are weighted in bytes (at most 120), then summed.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add_table(acc: __m512i, planes: &[__m512i; 4], row: __m512i) -> __m512i {
    let three = bytes(_mm512_and_si512(planes[3], row));
    let two = twice(three, bytes(_mm512_and_si512(planes[2], row)));
    let one = twice(two, bytes(_mm512_and_si512(planes[1], row)));
    let all = twice(one, bytes(_mm512_and_si512(planes[0], row)));
    _mm512_add_epi64(acc, _mm512_sad_epu8(all, _mm512_setzero_si512()))
}

/// The bits that a row shares with each plane, counted in bytes; `vpdpbusd` weighs, sums and adds
/// them in one instruction.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512bitalg,avx512vnni")]
fn add_dot(mut acc: __m512i, planes: &[__m512i; 4], row: __m512i) -> __m512i {
    let shared = _mm512_popcnt_epi8(_mm512_and_si512(planes[0], row));
    acc = _mm512_dpbusd_epi32(acc, shared, _mm512_set1_epi8(1));
    let shared = _mm512_popcnt_epi8(_mm512_and_si512(planes[1], row));
    acc = _mm512_dpbusd_epi32(acc, shared, _mm512_set1_epi8(2));
    let shared = _mm512_popcnt_epi8(_mm512_and_si512(planes[2], row));
    acc = _mm512_dpbusd_epi32(acc, shared, _mm512_set1_epi8(4));
    let shared = _mm512_popcnt_epi8(_mm512_and_si512(planes[3], row));
    _mm512_dpbusd_epi32(acc, shared, _mm512_set1_epi8(8))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn sum(acc: __m512i) -> u32 {
    let half = _mm256_add_epi32(_mm512_castsi512_si256(acc), _mm512_extracti64x4_epi64::<1>(acc));
    let four = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
    let all = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
    _mm_cvtsi128_si32(all).cast_unsigned()
}

/// Sums are below 2^32, so two fit a lane: one register for two rows before anything is shuffled.
#[inline]
#[target_feature(enable = "avx512f")]
fn sum4([a, b, c, d]: [__m512i; 4]) -> [u32; 4] {
    let ab = _mm512_or_si512(a, _mm512_slli_epi64::<32>(b));
    let cd = _mm512_or_si512(c, _mm512_slli_epi64::<32>(d));
    quarters(_mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd)))
}

/// As [`sum4`], of 16 sums of 32 bits each.
#[inline]
#[target_feature(enable = "avx512f")]
fn sum4_planes([a, b, c, d]: [__m512i; 4]) -> [u32; 4] {
    let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    quarters(_mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd)))
}

/// The sum of four quarters.
#[inline]
#[target_feature(enable = "avx512f")]
fn quarters(x: __m512i) -> [u32; 4] {
    let half = _mm256_add_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64::<1>(x));
    lanes(_mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half)))
}
