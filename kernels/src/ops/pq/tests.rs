//! What the generated suite does not ask: that a table in bytes finds what the `f32` table finds,
//! and that codes are the same bytes at every level.

use super::{Adc, L2Sq, Pq};
use crate::kernel::{Op, bind};
use crate::layout::RowsRef;
use crate::shape::{
    BlockLayout, CodeBlocksRef, Codebook, FastScan, Interleaved4, Lut, PqEncode, QuantizedLut,
    Rows64,
};
use crate::testkit::cases::Random;

/// Vectors around centres, in the manner of embeddings: each element of a vector strays from its
/// cluster's centre by a third of what centres stray.
fn clustered(random: &mut Random, centres: &[Vec<f32>], n: usize) -> Vec<Vec<f32>> {
    (0..n)
        .map(|_| {
            let centre = &centres[random.below(centres.len())];
            centre.iter().map(|&x| x + (random.normal() / 3.0) as f32).collect()
        })
        .collect()
}

/// A codebook of `K` sampled vectors, moved once to the mean of what each is nearest to.
fn codebook<const K: usize>(random: &mut Random, vectors: &[Vec<f32>], dsub: usize) -> Vec<f32> {
    let dim = vectors[0].len();
    let mut data = vec![0.0; dim * K];
    for k in 0..K {
        let sample = &vectors[random.below(vectors.len())];
        for (i, &x) in sample.iter().enumerate() {
            data[i * K + k] = x + (random.normal() / 100.0) as f32;
        }
    }
    let codes = codes::<K>(vectors, &data, dsub);
    let (mut sums, mut counts) = (vec![0.0; dim * K], vec![0.0f32; dim * K]);
    for (vector, code) in vectors.iter().zip(codes.chunks_exact(dim.div_ceil(dsub))) {
        for (i, &x) in vector.iter().enumerate() {
            let at = i * K + usize::from(code[i / dsub]);
            sums[at] += x;
            counts[at] += 1.0;
        }
    }
    for ((to, sum), count) in data.iter_mut().zip(sums).zip(counts) {
        if count > 0.0 {
            *to = sum / count;
        }
    }
    data
}

fn codes<const K: usize>(vectors: &[Vec<f32>], book: &[f32], dsub: usize) -> Vec<u8> {
    let book = Codebook::<K>::new(book, vectors[0].len(), dsub).unwrap();
    let mut out = vec![0; vectors.len() * book.m()];
    for (vector, out) in vectors.iter().zip(out.chunks_exact_mut(book.m())) {
        super::scalar::encode(vector, book, out);
    }
    out
}

/// The first `n` of the rows in the order of their keys.
fn nearest<T: PartialOrd + Copy>(keys: &[T], n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..keys.len()).collect();
    let by_key = |a: &usize, b: &usize| keys[*a].partial_cmp(&keys[*b]).unwrap().then(a.cmp(b));
    order.select_nth_unstable_by(n, by_key);
    order.truncate(n);
    order
}

/// Queries whose ten nearest by the `f32` table are not all among the fifty by the table in bytes.
fn missed<L: BlockLayout, const K: usize>(dim: usize, dsub: usize, queries: usize) -> usize
where
    Pq<L2Sq, Lut<K>>: Op<Shape = Lut<K>>,
    Pq<Adc, FastScan<L, K>>: Op<Shape = FastScan<L, K>>,
{
    let mut random = Random::new(0x90 + K as u64);
    let centres: Vec<Vec<f32>> =
        (0..40).map(|_| (0..dim).map(|_| random.normal() as f32).collect()).collect();
    let vectors = clustered(&mut random, &centres, 3000);
    let book = codebook::<K>(&mut random, &vectors, dsub);
    let rows = codes::<K>(&vectors, &book, dsub);
    let book = Codebook::<K>::new(&book, dim, dsub).unwrap();
    let m = book.m();
    let packed = CodeBlocksRef::<L>::pack(RowsRef::packed(&rows, m).unwrap()).unwrap();
    let blocks = CodeBlocksRef::<L>::new(&packed, m, vectors.len()).unwrap();
    let lut = bind::<Pq<L2Sq, Lut<K>>>("scalar", dim).unwrap();
    let scan = bind::<Pq<Adc, FastScan<L, K>>>("scalar", m).unwrap();
    let mut table = vec![[0.0; K]; m];
    let mut quantized = QuantizedLut::new(&table).unwrap();
    let mut sums = vec![0; vectors.len()];
    let mut missed = 0;
    for query in clustered(&mut random, &centres, queries) {
        lut.call(&query, book, &mut table);
        quantized.fill(&table).unwrap();
        scan.call(quantized.view(), blocks, &mut sums);
        let exact: Vec<f32> = rows
            .chunks_exact(m)
            .map(|row| row.iter().zip(&table).map(|(&c, t)| t[usize::from(c)]).sum())
            .collect();
        for (&sum, &exact) in sums.iter().zip(&exact) {
            let off = f64::from(quantized.value(sum)) - f64::from(exact);
            assert!(off.abs() <= quantized.error() + 1e-4 * f64::from(exact), "{off}");
        }
        let among = nearest(&sums, 50);
        missed += usize::from(!nearest(&exact, 10).iter().all(|id| among.contains(id)));
    }
    missed
}

#[test]
fn a_table_in_bytes_keeps_the_ten_nearest_among_fifty() {
    // At most one query in a thousand.
    let bytes = missed::<Rows64, 256>(32, 2, 1000);
    assert!(bytes <= 1, "bytes: {bytes} queries of 1000");
    let nibbles = missed::<Interleaved4, 16>(32, 1, 1000);
    assert!(nibbles <= 1, "nibbles: {nibbles} queries of 1000");
}

/// Whether every variant that does not fuse gives the bytes of `scalar`.
fn same_codes<const K: usize>()
where
    Pq<L2Sq, PqEncode<K>>: Op<Shape = PqEncode<K>>,
{
    let mut random = Random::new(7);
    for (dim, dsub) in [(1, 1), (8, 4), (23, 5), (96, 8), (100, 3)] {
        for case in 0..6 {
            let mut draw = |n: usize| -> Vec<f32> {
                (0..n)
                    .map(|_| match case {
                        // Few values: many ties.
                        0 => random.below(3) as f32,
                        1 => [f32::NAN, f32::INFINITY, 1.0, 0.0][random.below(4)],
                        2 => f32::NAN,
                        _ => random.normal() as f32,
                    })
                    .collect()
            };
            let (row, data) = (draw(dim), draw(dim * K));
            let book = Codebook::<K>::new(&data, dim, dsub).unwrap();
            let mut want = vec![0; book.m()];
            super::scalar::encode(&row, book, &mut want);
            for variant in Pq::<L2Sq, PqEncode<K>>::VARIANTS {
                let meta = variant.meta();
                if meta.not_run.is_some() || meta.name.ends_with("fused") {
                    continue;
                }
                let mut found = vec![0xff; book.m()];
                variant.bind(dim).unwrap().call(&row, book, &mut found);
                assert_eq!(found, want, "{} at dim {dim}, dsub {dsub}, case {case}", meta.name);
            }
        }
    }
}

#[test]
fn codes_are_the_same_bytes_at_every_level() {
    same_codes::<256>();
    same_codes::<16>();
}
