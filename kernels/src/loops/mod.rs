//! The loops, each written once over a token ([`Simd`]: which instructions) and a step
//! ([`Step`]: which metric). All of it is safe code: rows are checked slices, zipped.
//!
//! `U` is the number of independent accumulators. A fused multiply-add takes 4 cycles and two can
//! start in each, so one accumulator reaches an eighth of the machine; from 64 elements on at
//! least 4 are in flight: those of one pair, or those of a block's four rows together.

mod gather;
mod pair;
mod scan;

pub(crate) use gather::{gather, norms_to_cosine_ids};
pub(crate) use pair::{norm_sq, pair, pair_const, pair_fixed};
pub(crate) use scan::{norms_to_cosine, scan_blocked, scan_streaming};

use crate::isa::simd::Simd;
use crate::ops::f32::metric::Step;

/// Joins `U` accumulators pairwise: fewer dependent additions, and a smaller error, than in turn.
#[inline(always)]
fn join_all<S: Simd, M: Step, const U: usize>(s: S, mut acc: [M::Acc<S>; U]) -> M::Acc<S> {
    let mut live = U;
    while live > 1 {
        let half = live.div_ceil(2);
        for i in 0..live / 2 {
            acc[i] = M::join(s, acc[i], acc[i + half]);
        }
        live = half;
    }
    acc[0]
}
