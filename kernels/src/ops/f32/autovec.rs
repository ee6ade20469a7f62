//! Plain loops that the compiler vectorises, compiled once per target and chosen at run time by
//! the crate `multiversion`.
//!
//! The shape of the source decides: 32 independent lanes in one flat array, reduced with an
//! iterator's `sum`. Two-dimensional accumulators stay in memory, and a halving reduction seeds
//! the vectoriser with its narrowest step; both are several times slower.
#![allow(unsafe_code, reason = "rows that name a level")]

use crate::isa::Level;
use crate::kernel::{Technique, Variant};
use crate::ops::f32::F32;
use crate::ops::f32::metric::{Cosine, Dot, Step};
#[cfg(feature = "autovec")]
use crate::set::Metric;
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms};

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use crate::layout::RowsRef;
    use crate::ops::f32::metric::{abs_bits, distance};
    use crate::shape::cosine_from_norms;

    /// Independent lanes.
    const LANES: usize = 32;

    #[inline(always)]
    fn lanes<A: Copy>(
        a: &[f32],
        b: &[f32],
        zero: A,
        step: impl Fn(A, f32, f32) -> A,
    ) -> ([A; LANES], A) {
        let (chunks_a, tail_a) = a.as_chunks::<LANES>();
        let (chunks_b, tail_b) = b.as_chunks::<LANES>();
        let mut acc = [zero; LANES];
        for (x, y) in chunks_a.iter().zip(chunks_b) {
            for l in 0..LANES {
                acc[l] = step(acc[l], x[l], y[l]);
            }
        }
        let tail = tail_a.iter().zip(tail_b).fold(zero, |t, (&x, &y)| step(t, x, y));
        (acc, tail)
    }

    #[inline(always)]
    fn sum(a: &[f32], b: &[f32], step: impl Fn(f32, f32, f32) -> f32) -> f32 {
        let (acc, tail) = lanes(a, b, 0.0, step);
        acc.iter().sum::<f32>() + tail
    }

    #[inline(always)]
    fn l2sq_body(a: &[f32], b: &[f32]) -> f32 {
        sum(a, b, |acc, x, y| acc + (x - y) * (x - y))
    }

    #[inline(always)]
    fn dot_body(a: &[f32], b: &[f32]) -> f32 {
        sum(a, b, |acc, x, y| acc + x * y)
    }

    #[inline(always)]
    fn l1_body(a: &[f32], b: &[f32]) -> f32 {
        sum(a, b, |acc, x, y| acc + f32::from_bits(abs_bits(x, y)))
    }

    #[inline(always)]
    fn linf_body(a: &[f32], b: &[f32]) -> f32 {
        let (acc, tail) = lanes(a, b, 0u32, |max, x, y| max.max(abs_bits(x, y)));
        f32::from_bits(acc.iter().fold(tail, |m, &x| m.max(x)))
    }

    #[inline(always)]
    fn cosine_body(a: &[f32], b: &[f32]) -> f32 {
        // Three plain sums: one loop with three arrays does not fit the registers of most targets.
        let (xy, xx, yy) = (dot_body(a, b), dot_body(a, a), dot_body(b, b));
        distance(xy, xx, yy)
    }

    macro_rules! metric {
        ($metric:ident, $body:ident) => {
            pub(super) mod $metric {
                use super::*;

                #[multiversion(targets = "simd")]
                pub(in super::super) fn pair(a: &[f32], b: &[f32]) -> f32 {
                    $body(a, b)
                }

                #[multiversion(targets = "simd")]
                pub(in super::super) fn scan(q: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = $body(q, rows.row(i));
                    }
                }

                #[multiversion(targets = "simd")]
                pub(in super::super) fn gather(
                    q: &[f32],
                    rows: RowsRef<'_, f32>,
                    ids: &[u32],
                    out: &mut [f32],
                ) {
                    for (o, &id) in out.iter_mut().zip(ids) {
                        *o = $body(q, rows.row(id as usize));
                    }
                }
            }
        };
    }

    metric!(l2sq, l2sq_body);
    metric!(dot, dot_body);
    metric!(cosine, cosine_body);
    metric!(l1, l1_body);
    metric!(linf, linf_body);

    #[multiversion(targets = "simd")]
    pub(super) fn row(x: &[f32]) -> f32 {
        dot_body(x, x)
    }

    #[multiversion(targets = "simd")]
    pub(super) fn pair_norms(a: &[f32], b: &[f32], inv_a: f32, inv_b: f32) -> f32 {
        cosine_from_norms(dot_body(a, b), inv_a, inv_b)
    }

    #[multiversion(targets = "simd")]
    pub(super) fn scan_norms(
        q: &[f32],
        inv_q: f32,
        rows: RowsRef<'_, f32>,
        inv: &[f32],
        out: &mut [f32],
    ) {
        for (i, (o, &inv)) in out.iter_mut().zip(inv).enumerate() {
            *o = cosine_from_norms(dot_body(q, rows.row(i)), inv_q, inv);
        }
    }

    #[multiversion(targets = "simd")]
    pub(super) fn gather_norms(
        q: &[f32],
        inv_q: f32,
        rows: RowsRef<'_, f32>,
        inv: &[f32],
        ids: &[u32],
        out: &mut [f32],
    ) {
        for (o, &id) in out.iter_mut().zip(ids) {
            let id = id as usize;
            *o = cosine_from_norms(dot_body(q, rows.row(id)), inv_q, inv[id]);
        }
    }
}

/// The entry of this name for the metric.
#[cfg(feature = "autovec")]
macro_rules! by_metric {
    ($entry:ident, $m:ident) => {
        Ok(match $m::METRIC {
            Metric::L2Sq => |_| Some(imp::l2sq::$entry),
            Metric::Dot => |_| Some(imp::dot::$entry),
            Metric::Cosine => |_| Some(imp::cosine::$entry),
            Metric::L1 => |_| Some(imp::l1::$entry),
            Metric::Linf => |_| Some(imp::linf::$entry),
        })
    };
}

plain_rows! {
    technique: Autovec, name: "autovec", when: feature = "autovec",
    absent: "needs the feature `autovec`";
    pair<M>, F32<M, Pair<f32>>, by_metric!(pair, M);
    scan<M>, F32<M, Scan<f32>>, by_metric!(scan, M);
    gather<M>, F32<M, Gather<f32>>, by_metric!(gather, M);
    row<>, F32<Dot, Row<f32>>, Ok(|_| Some(imp::row));
    pair_norms<>, F32<Cosine, PairNorms<f32>>, Ok(|_| Some(imp::pair_norms));
    scan_norms<>, F32<Cosine, ScanNorms<f32>>, Ok(|_| Some(imp::scan_norms));
    gather_norms<>, F32<Cosine, GatherNorms<f32>>, Ok(|_| Some(imp::gather_norms));
}
