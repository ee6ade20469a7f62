//! The loops over lanes and nibbles: which registers, is the token's business.

use super::{Build, HandBlocks, HandEncode, HandLut, Lanes, Nibbles, Planar};
use crate::isa::simd::Simd;
use crate::isa::tokens::Token;
use crate::shape::{BlockLayout, CodeBlocksRef, Codebook, Planar4};

/// What an element adds to a partial distance.
pub(crate) trait Term: 'static {
    /// `acc` and the term of a query's element and a centroid's.
    fn add<T: Simd>(t: T, acc: T::V, q: T::V, c: T::V) -> T::V;
}

/// (q - c)^2, fused where the level has it.
pub(crate) struct L2Sq;

impl Term for L2Sq {
    #[inline(always)]
    fn add<T: Simd>(t: T, acc: T::V, q: T::V, c: T::V) -> T::V {
        let d = t.sub(q, c);
        t.mul_add(d, d, acc)
    }
}

/// (q - c)^2, product and sum rounded one after the other: the same bits at every level.
pub(crate) struct L2SqTwice;

impl Term for L2SqTwice {
    #[inline(always)]
    fn add<T: Simd>(t: T, acc: T::V, q: T::V, c: T::V) -> T::V {
        let d = t.sub(q, c);
        t.add(acc, t.mul(d, d))
    }
}

/// q c.
pub(crate) struct Dot;

impl Term for Dot {
    #[inline(always)]
    fn add<T: Simd>(t: T, acc: T::V, q: T::V, c: T::V) -> T::V {
        t.mul_add(q, c, acc)
    }
}

/// The values of a sub-space and of `R` registers of its centroids, from register `at` on.
#[inline(always)]
fn values<T: Lanes, M: Term, const K: usize, const R: usize>(
    t: T,
    query: &[f32],
    elements: &[[f32; K]],
    at: usize,
) -> [T::V; R] {
    let mut acc = [t.zero(); R];
    for (&q, centroids) in query.iter().zip(elements) {
        let q = t.splat(q);
        let centroids = t.chunks(centroids).0;
        for r in 0..R {
            acc[r] = M::add(t, acc[r], q, t.load(&centroids[at + r]));
        }
    }
    acc
}

impl<T: Lanes + Token, M: Term, const R: usize, const K: usize> HandLut<K> for Build<T, M, R> {
    type Token = T;

    #[inline(always)]
    fn lut(t: T, query: &[f32], book: Codebook<'_, K>, out: &mut [[f32; K]]) {
        const { assert!((K / T::LANES).is_multiple_of(R), "whole groups of registers") }
        let parts = query.chunks(book.dsub()).zip(book.sub_spaces());
        for (out, (query, elements)) in out.iter_mut().zip(parts) {
            let out = t.chunks_mut(out).0;
            for at in (0..K / T::LANES).step_by(R) {
                let values: [T::V; R] = values::<T, M, K, R>(t, query, elements, at);
                for r in 0..R {
                    t.store(values[r], &mut out[at + r]);
                }
            }
        }
    }
}

impl<T: Lanes + Token, M: Term, const R: usize, const K: usize> HandEncode<K> for Build<T, M, R> {
    type Token = T;

    #[inline(always)]
    fn encode(t: T, row: &[f32], book: Codebook<'_, K>, out: &mut [u8]) {
        const { assert!((K / T::LANES).is_multiple_of(R), "whole groups of registers") }
        let parts = row.chunks(book.dsub()).zip(book.sub_spaces());
        for (out, (row, elements)) in out.iter_mut().zip(parts) {
            let mut best = [t.splat(f32::INFINITY), t.zero()];
            for at in (0..K / T::LANES).step_by(R) {
                let values: [T::V; R] = values::<T, M, K, R>(t, row, elements, at);
                for r in 0..R {
                    best = t.keep_less([values[r], t.splat((at + r) as f32)], best);
                }
            }
            *out = t.first_least(best) as u8;
        }
    }
}

impl<T: Nibbles> HandBlocks<Planar4, 16> for Planar<T> {
    type Token = T;

    #[inline(always)]
    fn blocks(t: T, table: &[[u8; 16]], blocks: CodeBlocksRef<'_, Planar4>, out: &mut [u32]) {
        // So many sub-spaces fit the 16 bits of an accumulator.
        let per_flush = 256 * 16 / size_of::<T::Chunk>();
        let bytes = Planar4::block_bytes(blocks.m());
        if bytes == 0 {
            return out.fill(0);
        }
        let tables = t.chunks(table.as_flattened());
        for (block, out) in blocks.data().chunks_exact(bytes).zip(out.chunks_mut(32)) {
            let mut sums = [[0; 16]; 2];
            let groups = tables.chunks(per_flush).zip(t.chunks(block).chunks(per_flush));
            for (tables, codes) in groups {
                let mut low = [t.zero(); 2];
                let mut high = [t.zero(); 2];
                for (table, codes) in tables.iter().zip(codes) {
                    let found = t.look_up(t.load(table), t.load(codes));
                    low = t.add(low, found[0]);
                    high = t.add(high, found[1]);
                }
                t.flush(low, &mut sums[0]);
                t.flush(high, &mut sums[1]);
            }
            out.copy_from_slice(&sums.as_flattened()[..out.len()]);
        }
    }
}
