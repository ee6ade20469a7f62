//! What blocks promise beyond their values.

use super::super::F32;
use super::super::metric::{L1, L2Sq};
use super::Growing;
use crate::kernel::{AnyOp, Erased, bind};
use crate::layout_block::AlignedBlocks;
use crate::shape::{Block, BlockPrune};
use crate::testkit::cases::Random;

fn pruned_rows_are_beyond<M: Growing + super::Step<Rows: super::Lanewise>>() {
    let mut pruned = 0;
    for variant in Erased::<F32<M, BlockPrune>>::new().variants() {
        if variant.not_run.is_some() {
            continue;
        }
        for (rows, dim) in [(200, 768), (64, 31), (65, 1100), (300, 129)] {
            let mut random = Random::new(rows as u64);
            let mut draw =
                |n: usize| -> Vec<f32> { (0..n).map(|_| random.normal() as f32).collect() };
            let (query, data) = (draw(dim), draw(rows * dim));
            let blocks = AlignedBlocks::from_packed(&data, dim).expect("whole rows");
            let mut all = vec![f32::NAN; rows];
            bind::<F32<M, Block>>(variant.name, dim).expect("it runs").call(
                &query,
                blocks.view(),
                &mut all,
            );
            let mut sorted = all.clone();
            sorted.sort_by(f32::total_cmp);
            for threshold in [sorted[0] / 2.0, sorted[0], sorted[9], sorted[rows - 1], f32::NAN] {
                let mut some = vec![f32::NAN; rows];
                let kernel = bind::<F32<M, BlockPrune>>(variant.name, dim).expect("it runs");
                kernel.call(&query, threshold, blocks.view(), &mut some);
                for (&all, &some) in all.iter().zip(&some) {
                    let gone = some == f32::INFINITY;
                    pruned += usize::from(gone);
                    assert!(
                        if gone { all > threshold } else { all.to_bits() == some.to_bits() },
                        "{}: {some} for {all}, threshold {threshold}",
                        variant.name
                    );
                }
            }
        }
    }
    assert!(pruned > 0 || crate::Level::best() == crate::Level::Scalar, "nothing was pruned");
}

#[test]
fn what_is_at_the_threshold_or_below_keeps_its_value() {
    pruned_rows_are_beyond::<L2Sq>();
    pruned_rows_are_beyond::<L1>();
}
