//! The ends of the exact range, and what is beyond it: the true value modulo 2^32, at every level.

use super::*;
use crate::kernel::{Technique, bind};
use crate::layout::RowsRef;

/// Elements up to which every value is exact.
const EXACT: usize = 66_051;

/// All values of an operation on one row, by variant; libraries are not held to this.
fn values<O, C, V>(query: &[C], row: &[C]) -> Vec<(String, V)>
where
    C: Copy + 'static,
    V: Copy + Default + 'static,
    O: Op<Shape = Scan<C, C, V>>,
{
    let mut all = Vec::new();
    for variant in O::VARIANTS {
        let meta = variant.meta();
        if meta.not_run.is_some() || meta.technique == Technique::Simsimd {
            continue;
        }
        // Nine rows: a block of eight or two of four, and a single one.
        let nine: Vec<C> = row.repeat(9);
        let rows = RowsRef::packed(&nine, row.len()).unwrap();
        let mut out = [V::default(); 9];
        bind::<O>(meta.name, row.len()).unwrap().call(query, rows, &mut out);
        all.extend(out.map(|value| (format!("{} at {}", meta.name, row.len()), value)));
    }
    assert!(all.len() >= 9);
    all
}

/// As [`values`], with norms.
fn values_norms<O, C, V>(query: &[C], row: &[C], norms: fn(&[C]) -> CodeNorms) -> Vec<(String, V)>
where
    C: Copy + 'static,
    V: Copy + Default + 'static,
    O: Op<Shape = PairNorms<C, C, V, CodeNorms>>,
{
    let mut all = Vec::new();
    for variant in O::VARIANTS {
        let meta = variant.meta();
        if meta.not_run.is_some() || meta.technique == Technique::Simsimd {
            continue;
        }
        let kernel = bind::<O>(meta.name, row.len()).unwrap();
        let value = kernel.call(query, row, norms(query), norms(row));
        all.push((format!("{} at {}", meta.name, row.len()), value));
    }
    all
}

type ScanOf<E, M, V> = Int8<E, M, Scan<E, E, V>>;
type PairNormsOf<E, M, V> = Int8<E, M, PairNorms<E, E, V, CodeNorms>>;

#[test]
fn largest_distances_are_exact_and_wrap_beyond() {
    for n in [65_536, EXACT, EXACT + 1, 131_072] {
        let want = (n as u64 * 255 * 255) as u32;
        assert_eq!(n <= EXACT, u64::from(want) == n as u64 * 255 * 255);
        let (low, high) = (vec![i8::MIN; n], vec![i8::MAX; n]);
        let mut all = values::<ScanOf<i8, L2Sq, u32>, _, _>(&low, &high);
        all.extend(values_norms::<PairNormsOf<i8, L2Sq, u32>, _, _>(&low, &high, CodeNorms::of_i8));
        let (low, high) = (vec![u8::MIN; n], vec![u8::MAX; n]);
        all.extend(values::<ScanOf<u8, L2Sq, u32>, _, _>(&high, &low));
        all.extend(values_norms::<PairNormsOf<u8, L2Sq, u32>, _, _>(&high, &low, CodeNorms::of_u8));
        all.extend(values::<ScanOf<u8, Dot, u32>, _, _>(&high, &high));
        for (what, found) in all {
            assert_eq!(found, want, "{what}");
        }
        for (what, found) in values::<ScanOf<u8, L1, u32>, _, _>(&low, &high) {
            assert_eq!(found, n as u32 * 255, "l1: {what}");
        }
    }
}

#[test]
fn largest_products_are_exact_and_wrap_beyond() {
    for n in [131_071, 131_072] {
        let low = vec![i8::MIN; n];
        let want = (n as i64 * 128 * 128) as i32;
        assert_eq!(n <= 131_071, i64::from(want) == n as i64 * 128 * 128);
        let mut all = values::<ScanOf<i8, Dot, i32>, _, _>(&low, &low);
        all.extend(values_norms::<PairNormsOf<i8, Dot, i32>, _, _>(&low, &low, CodeNorms::of_i8));
        for (what, found) in all {
            assert_eq!(found, want, "{what}");
        }
    }
}

#[test]
fn cosine_of_equal_vectors_is_zero_and_of_a_zero_vector_one() {
    for n in [0, 1, 31, 65, 65_536] {
        let (zero, high) = (vec![0u8; n], vec![u8::MAX; n]);
        let one = |all: Vec<(String, f32)>| {
            for (what, found) in all {
                assert_eq!(found.to_bits(), 1f32.to_bits(), "{what}");
            }
        };
        if n > 0 {
            one(values::<ScanOf<u8, Cosine, f32>, _, _>(&high, &zero));
        }
        one(values_norms::<PairNormsOf<u8, Cosine, f32>, _, _>(&zero, &high, CodeNorms::of_u8));
        if n > 0 {
            for (what, found) in values::<ScanOf<u8, Cosine, f32>, _, _>(&high, &high) {
                assert!(found.abs() <= 1e-6, "{what}: {found}");
            }
            let low = vec![i8::MIN; n];
            for (what, found) in values::<ScanOf<i8, Cosine, f32>, _, _>(&low, &low) {
                assert!(found.abs() <= 1e-6, "{what}: {found}");
            }
        }
    }
}
