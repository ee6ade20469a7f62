//! What tiles promise beyond their values.

use super::super::F32;
use super::super::metric::{Dot, L2Sq};
use super::Tiled;
use crate::kernel::{AnyOp, Erased, bind};
use crate::layout::RowsRef;
use crate::shape::{Assign, Tile, norm_sq};
use crate::testkit::cases::Random;

fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut random = Random::new(seed);
    (0..n).map(|_| (2.0 * random.unit() - 1.0) as f32).collect()
}

fn runs(op: &dyn AnyOp) -> Vec<&'static str> {
    op.variants().into_iter().filter(|v| v.not_run.is_none()).map(|v| v.name).collect()
}

/// Shapes around every boundary of the loops: panels, chunks of rows, depths.
const SHAPES: [(usize, usize, usize); 6] =
    [(3, 17, 193), (33, 273, 385), (32, 256, 192), (70, 40, 5), (16, 530, 200), (49, 1, 64)];

fn alone_or_together<M: Tiled>() {
    for variant in runs(&Erased::<F32<M, Tile>>::new()) {
        for (queries, rows, dim) in SHAPES {
            let (x, y) = (numbers(1, queries * dim), numbers(2, rows * dim));
            let x = RowsRef::packed(&x, dim).expect("whole rows");
            let y = RowsRef::packed(&y, dim).expect("whole rows");
            let kernel = bind::<F32<M, Tile>>(variant, dim).expect("it runs");
            let mut together = vec![f32::NAN; queries * rows];
            kernel.call(x, y, &mut together);
            for (q, r) in [(0, 0), (queries - 1, rows - 1), (queries / 2, rows / 3), (0, rows - 1)]
            {
                let mut alone = [f32::NAN];
                kernel.call(x.slice(q, q + 1), y.slice(r, r + 1), &mut alone);
                let beside = together[q * rows + r];
                assert_eq!(
                    alone[0].to_bits(),
                    beside.to_bits(),
                    "{variant} {queries} {rows} {dim}"
                );
            }
            let truth: f64 = (x.row(0).iter().zip(y.row(rows - 1)))
                .map(|(&x, &y)| M::term(x, y))
                .map(f64::from)
                .sum();
            let off = (f64::from(together[rows - 1]) - truth).abs();
            assert!(off < 1e-4, "{variant} {queries} {rows} {dim}: {off:e} off");
        }
    }
}

#[test]
fn a_value_does_not_depend_on_what_stands_beside_it() {
    alone_or_together::<Dot>();
    alone_or_together::<L2Sq>();
}

#[test]
fn an_assignment_does_not_depend_on_how_rows_are_split() {
    type Op = F32<L2Sq, Assign>;
    for variant in runs(&Erased::<Op>::new()) {
        for (rows, centroids, dim) in SHAPES {
            let (x, y) = (numbers(3, rows * dim), numbers(4, centroids * dim));
            let x = RowsRef::packed(&x, dim).expect("whole rows");
            let y = RowsRef::packed(&y, dim).expect("whole rows");
            let norms: Vec<f32> = (0..centroids).map(|c| norm_sq(y.row(c))).collect();
            let kernel = bind::<Op>(variant, dim).unwrap();
            let (mut ids, mut values) = (vec![u32::MAX; rows], vec![f32::NAN; rows]);
            kernel.call(x, y, &norms, &mut ids, &mut values);
            for at in [1, rows / 2, rows - 1] {
                let (mut low_ids, mut low) = (vec![u32::MAX; at], vec![f32::NAN; at]);
                kernel.call(x.slice(0, at), y, &norms, &mut low_ids, &mut low);
                assert_eq!((&low_ids[..], &low[..]), (&ids[..at], &values[..at]), "{variant} {at}");
            }
        }
    }
}

#[test]
fn the_first_of_equal_centroids_wins_and_nan_is_told() {
    type Op = F32<L2Sq, Assign>;
    let dim = 5;
    let row = [1.0, 2.0, 3.0, 4.0, 5.0];
    let mut x = row.repeat(40);
    x[7 * dim + 2] = f32::NAN;
    let mut y = vec![9.0f32; 300 * dim];
    for c in [20, 21, 299] {
        y[c * dim..(c + 1) * dim].copy_from_slice(&row);
    }
    y[3 * dim] = f32::NAN;
    let (x, y) = (
        RowsRef::packed(&x, dim).expect("whole rows"),
        RowsRef::packed(&y, dim).expect("whole rows"),
    );
    let norms: Vec<f32> = (0..300).map(|c| norm_sq(y.row(c))).collect();
    for variant in runs(&Erased::<Op>::new()) {
        let (mut ids, mut values) = ([u32::MAX; 40], [-1.0f32; 40]);
        bind::<Op>(variant, dim).unwrap().call(x, y, &norms, &mut ids, &mut values);
        for (i, (&id, &value)) in ids.iter().zip(&values).enumerate() {
            if i == 7 {
                assert!(id == 0 && value.is_nan(), "{variant}: {id} {value}");
            } else {
                assert_eq!((id, value), (20, 0.0), "{variant}");
            }
        }
    }
}
