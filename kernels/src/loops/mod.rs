//! The loops, each written once over arithmetic ([`Arith`]: which encoding, which metric, which
//! instructions). All of it is safe code: rows are checked slices, zipped.
//!
//! `U` is the number of independent accumulators. A multiply-add takes several cycles and two can
//! start in each, so one accumulator reaches an eighth of the machine; at least 4 are in flight:
//! those of one pair, or those of a block's four rows together.

pub(crate) mod arith;
pub(crate) mod block;
pub(crate) mod edges;
mod gather;
pub(crate) mod lanes;
pub(crate) mod map;
mod pair;
mod scan;
pub(crate) mod select;
pub(crate) mod tile;

pub(crate) use arith::Arith;
pub(crate) use gather::{gather, gather_norms, norms_to_cosine_ids};
pub(crate) use pair::{norm_sq, pair, pair_const, pair_fixed, pair_norms};
pub(crate) use scan::{
    norms_to_cosine, scan_blocked, scan_blocked8, scan_norms, scan_norms8, scan_streaming,
    stream_norms,
};

/// Joins `U` accumulators pairwise: fewer dependent additions, and a smaller error, than in turn.
#[inline(always)]
fn join_all<A: Arith, const U: usize>(a: A, mut acc: [A::Acc; U]) -> A::Acc {
    let mut live = U;
    while live > 1 {
        let half = live.div_ceil(2);
        for i in 0..live / 2 {
            acc[i] = a.join(acc[i], acc[i + half]);
        }
        live = half;
    }
    acc[0]
}
