//! The C library SimSIMD, through its Rust traits, as its users call it. It dispatches inside: the
//! level that ran is the library's choice. It has pairs of `l2sq`, `dot` and `cosine` only, so
//! `scan` and `gather` are loops over them, and the `_norms` shapes its one-pass cosine.
#![allow(unsafe_code, reason = "rows that name a level")]

use crate::isa::Level;
use crate::kernel::{Technique, Variant};
use crate::ops::f32::F32;
use crate::ops::f32::metric::{Cosine, Dot, Step};
#[cfg(feature = "simsimd")]
use crate::set::Metric;
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms};

#[cfg(feature = "simsimd")]
mod imp {
    use simsimd::SpatialSimilarity;

    use crate::layout::RowsRef;

    /// A function of the library over two vectors. `None` is its answer to unequal lengths.
    pub(super) trait Peer {
        fn pair(a: &[f32], b: &[f32]) -> Option<f64>;
    }

    pub(super) struct L2Sq;
    pub(super) struct Dot;
    pub(super) struct Cosine;

    impl Peer for L2Sq {
        #[inline(always)]
        fn pair(a: &[f32], b: &[f32]) -> Option<f64> {
            <f32 as SpatialSimilarity>::l2sq(a, b)
        }
    }

    impl Peer for Dot {
        #[inline(always)]
        fn pair(a: &[f32], b: &[f32]) -> Option<f64> {
            <f32 as SpatialSimilarity>::dot(a, b)
        }
    }

    impl Peer for Cosine {
        #[inline(always)]
        fn pair(a: &[f32], b: &[f32]) -> Option<f64> {
            <f32 as SpatialSimilarity>::cos(a, b)
        }
    }

    #[inline(always)]
    pub(super) fn pair<P: Peer>(a: &[f32], b: &[f32]) -> f32 {
        P::pair(a, b).map_or(f32::NAN, |value| value as f32)
    }

    pub(super) fn pair_norms(a: &[f32], b: &[f32], _inv_a: f32, _inv_b: f32) -> f32 {
        pair::<Cosine>(a, b)
    }

    pub(super) fn row(x: &[f32]) -> f32 {
        pair::<Dot>(x, x)
    }

    pub(super) fn scan<P: Peer>(query: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
        for (i, o) in out.iter_mut().enumerate() {
            *o = pair::<P>(query, rows.row(i));
        }
    }

    pub(super) fn scan_norms(
        query: &[f32],
        _inv: f32,
        rows: RowsRef<'_, f32>,
        _inv_norms: &[f32],
        out: &mut [f32],
    ) {
        scan::<Cosine>(query, rows, out);
    }

    pub(super) fn gather<P: Peer>(
        query: &[f32],
        rows: RowsRef<'_, f32>,
        ids: &[u32],
        out: &mut [f32],
    ) {
        for (o, &id) in out.iter_mut().zip(ids) {
            *o = pair::<P>(query, rows.row(id as usize));
        }
    }

    pub(super) fn gather_norms(
        query: &[f32],
        _inv: f32,
        rows: RowsRef<'_, f32>,
        _inv_norms: &[f32],
        ids: &[u32],
        out: &mut [f32],
    ) {
        gather::<Cosine>(query, rows, ids, out);
    }
}

/// The entry of this name for the metric, where the library has it.
#[cfg(feature = "simsimd")]
macro_rules! by_metric {
    ($entry:ident, $m:ident) => {
        match $m::METRIC {
            Metric::L2Sq => Ok(|_| Some(imp::$entry::<imp::L2Sq>)),
            Metric::Dot => Ok(|_| Some(imp::$entry::<imp::Dot>)),
            Metric::Cosine => Ok(|_| Some(imp::$entry::<imp::Cosine>)),
            Metric::L1 | Metric::Linf => Err("SimSIMD has no such metric"),
        }
    };
}

plain_rows! {
    technique: Simsimd, name: "simsimd", when: feature = "simsimd",
    absent: "needs the feature `simsimd` and a C compiler";
    pair<M>, F32<M, Pair<f32>>, by_metric!(pair, M);
    scan<M>, F32<M, Scan<f32>>, by_metric!(scan, M);
    gather<M>, F32<M, Gather<f32>>, by_metric!(gather, M);
    row<>, F32<Dot, Row<f32>>, Ok(|_| Some(imp::row));
    pair_norms<>, F32<Cosine, PairNorms<f32>>, Ok(|_| Some(imp::pair_norms));
    scan_norms<>, F32<Cosine, ScanNorms<f32>>, Ok(|_| Some(imp::scan_norms));
    gather_norms<>, F32<Cosine, GatherNorms<f32>>, Ok(|_| Some(imp::gather_norms));
}
