//! A table of 16 counts, looked up by nibble (`vpshufb`), and `vpsadbw` to sum bytes (Muła, Kurz
//! and Lemire, Faster Population Counts Using AVX2 Instructions, 2016).
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::x86_64::*;

use super::{Counts, words};
use crate::isa::tokens::Avx2;

impl Counts for Avx2 {
    type Chunk = [u8; 32];
    type Reg = __m256i;
    type Piece = [__m256i; 2];
    /// Four sums of 64 bits.
    type Acc = __m256i;

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> (&[[u8; 32]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 32]) -> __m256i {
        // SAFETY: the token proves AVX2; the chunk has 32 bytes; the load is unaligned.
        unsafe { _mm256_loadu_si256(x.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> __m256i {
        let [a, b, c, d] = words::<4>(x);
        // SAFETY: the token proves AVX2.
        unsafe { from_words(a, b, c, d) }
    }

    #[inline(always)]
    fn piece(self, x: &[u8; 64]) -> [__m256i; 2] {
        let (chunks, _) = x.as_chunks::<32>();
        [self.load(&chunks[0]), self.load(&chunks[1])]
    }

    #[inline(always)]
    fn piece_tail(self, x: &[u8]) -> [__m256i; 2] {
        match x.split_first_chunk::<32>() {
            Some((low, high)) => [self.load(low), self.load_tail(high)],
            None => [self.load_tail(x), self.zero()],
        }
    }

    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_xor_si256(a, b) }
    }

    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_and_si256(a, b) }
    }

    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_or_si256(a, b) }
    }

    #[inline(always)]
    fn zero(self) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_setzero_si256() }
    }

    #[inline(always)]
    fn count(self, x: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { count(x) }
    }

    #[inline(always)]
    fn add(self, acc: __m256i, x: __m256i) -> __m256i {
        self.join(acc, self.count(x))
    }

    #[inline(always)]
    fn add_planes(self, acc: __m256i, planes: &[[__m256i; 2]; 4], row: [__m256i; 2]) -> __m256i {
        // SAFETY: the token proves AVX2.
        let low =
            unsafe { weighted([planes[0][0], planes[1][0], planes[2][0], planes[3][0]], row[0]) };
        // SAFETY: the token proves AVX2.
        let high =
            unsafe { weighted([planes[0][1], planes[1][1], planes[2][1], planes[3][1]], row[1]) };
        // SAFETY: the token proves AVX2.
        unsafe { add_two(acc, low, high) }
    }

    #[inline(always)]
    fn join(self, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_add_epi64(a, b) }
    }

    #[inline(always)]
    fn sum(self, acc: __m256i) -> u32 {
        // SAFETY: the token proves AVX2.
        unsafe { sum(acc) }
    }

    #[inline(always)]
    fn sum4(self, acc: [__m256i; 4]) -> [u32; 4] {
        // SAFETY: the token proves AVX2.
        unsafe { sum4(acc) }
    }

    #[inline(always)]
    fn distances(self, shared: [u32; 4], either: [u32; 4]) -> [f32; 4] {
        // SAFETY: the token proves AVX2, which has more than the SSE4.1 asked for.
        unsafe { distances(shared, either) }
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        // SAFETY: a prefetch reads nothing that the program can see, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(x).cast()) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn from_words(a: u64, b: u64, c: u64, d: u64) -> __m256i {
    _mm256_set_epi64x(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
}

/// The bits of each byte.
#[inline]
#[target_feature(enable = "avx2")]
fn bytes(x: __m256i) -> __m256i {
    let table = _mm256_setr_epi8(
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, //
        0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,
    );
    let nibble = _mm256_set1_epi8(15);
    let low = _mm256_shuffle_epi8(table, _mm256_and_si256(x, nibble));
    let high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16::<4>(x), nibble));
    _mm256_add_epi8(low, high)
}

/// The bits of each 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn count(x: __m256i) -> __m256i {
    sad(bytes(x))
}

/// The bytes of each 64 bits, summed.
#[inline]
#[target_feature(enable = "avx2")]
fn sad(x: __m256i) -> __m256i {
    _mm256_sad_epu8(x, _mm256_setzero_si256())
}

/// `2 x + y` in bytes.
#[inline]
#[target_feature(enable = "avx2")]
fn twice(x: __m256i, y: __m256i) -> __m256i {
    _mm256_add_epi8(_mm256_add_epi8(x, x), y)
}

/// The bits that a row shares with each plane, byte by byte, plane `p` 2^p times: at most 120.
#[inline]
#[target_feature(enable = "avx2")]
fn weighted(planes: [__m256i; 4], row: __m256i) -> __m256i {
    let three = bytes(_mm256_and_si256(planes[3], row));
    let two = twice(three, bytes(_mm256_and_si256(planes[2], row)));
    let one = twice(two, bytes(_mm256_and_si256(planes[1], row)));
    twice(one, bytes(_mm256_and_si256(planes[0], row)))
}

/// Adds what two registers of bytes below 128 sum to.
#[inline]
#[target_feature(enable = "avx2")]
fn add_two(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
    _mm256_add_epi64(acc, sad(_mm256_add_epi8(a, b)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum(acc: __m256i) -> u32 {
    let half = _mm_add_epi64(_mm256_castsi256_si128(acc), _mm256_extracti128_si256::<1>(acc));
    let all = _mm_add_epi64(half, _mm_unpackhi_epi64(half, half));
    _mm_cvtsi128_si32(all).cast_unsigned()
}

/// Sums are below 2^32, so two fit a lane: one register for two rows before anything is shuffled.
#[inline]
#[target_feature(enable = "avx2")]
fn sum4([a, b, c, d]: [__m256i; 4]) -> [u32; 4] {
    let ab = _mm256_or_si256(a, _mm256_slli_epi64::<32>(b));
    let cd = _mm256_or_si256(c, _mm256_slli_epi64::<32>(d));
    let half = _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
    let all = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half));
    lanes(all)
}

/// The four lanes as an array.
#[inline]
#[target_feature(enable = "sse2")]
pub(super) fn lanes(x: __m128i) -> [u32; 4] {
    let mut out = [0u32; 4];
    // SAFETY: the array has 16 bytes; the store is unaligned.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), x) };
    out
}

/// `(either - shared) / either`, 0 where both are 0. Counts are below 2^31.
#[inline]
#[target_feature(enable = "sse4.1")]
pub(super) fn distances(shared: [u32; 4], either: [u32; 4]) -> [f32; 4] {
    let shared = vector(&shared);
    let either = vector(&either);
    let differ = _mm_cvtepi32_ps(_mm_sub_epi32(either, shared));
    let either = _mm_cvtepi32_ps(_mm_max_epi32(either, _mm_set1_epi32(1)));
    let quotient = _mm_div_ps(differ, either);
    let mut out = [0.0; 4];
    // SAFETY: the array has 16 bytes; the store is unaligned.
    unsafe { _mm_storeu_ps(out.as_mut_ptr(), quotient) };
    out
}

/// An array as four lanes.
#[inline]
#[target_feature(enable = "sse2")]
fn vector(x: &[u32; 4]) -> __m128i {
    // SAFETY: the array has 16 bytes; the load is unaligned.
    unsafe { _mm_loadu_si128(x.as_ptr().cast()) }
}
