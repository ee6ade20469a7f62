//! Plain loops in the order of the elements: what every other variant must agree with, and the
//! only one that every CPU can run.
#![allow(unsafe_code, reason = "rows that name a level")]

use crate::isa::Level;
use crate::kernel::{Technique, Variant};
use crate::layout::RowsRef;
use crate::ops::f32::F32;
use crate::ops::f32::metric::{Cosine, Dot, Step};
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms, cosine_from_norms};

fn pair<M: Step>(a: &[f32], b: &[f32]) -> f32 {
    M::scalar(a, b)
}

fn pair_norms(a: &[f32], b: &[f32], inv_a: f32, inv_b: f32) -> f32 {
    cosine_from_norms(Dot::scalar(a, b), inv_a, inv_b)
}

fn row(x: &[f32]) -> f32 {
    Dot::scalar(x, x)
}

fn scan<M: Step>(query: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
    for (i, o) in out.iter_mut().enumerate() {
        *o = M::scalar(query, rows.row(i));
    }
}

fn scan_norms(q: &[f32], inv_q: f32, rows: RowsRef<'_, f32>, inv: &[f32], out: &mut [f32]) {
    for (i, o) in out.iter_mut().enumerate() {
        *o = cosine_from_norms(Dot::scalar(q, rows.row(i)), inv_q, inv[i]);
    }
}

fn gather<M: Step>(query: &[f32], rows: RowsRef<'_, f32>, ids: &[u32], out: &mut [f32]) {
    for (o, &id) in out.iter_mut().zip(ids) {
        *o = M::scalar(query, rows.row(id as usize));
    }
}

fn gather_norms(
    q: &[f32],
    inv_q: f32,
    rows: RowsRef<'_, f32>,
    inv: &[f32],
    ids: &[u32],
    out: &mut [f32],
) {
    for (o, &id) in out.iter_mut().zip(ids) {
        let id = id as usize;
        *o = cosine_from_norms(Dot::scalar(q, rows.row(id)), inv_q, inv[id]);
    }
}

plain_rows! {
    technique: Scalar, name: "scalar", when: all(), absent: "always there";
    pair_row<M>, F32<M, Pair<f32>>, Ok(|_| Some(pair::<M>));
    scan_row<M>, F32<M, Scan<f32>>, Ok(|_| Some(scan::<M>));
    gather_row<M>, F32<M, Gather<f32>>, Ok(|_| Some(gather::<M>));
    norm_row<>, F32<Dot, Row<f32>>, Ok(|_| Some(row));
    pair_norms_row<>, F32<Cosine, PairNorms<f32>>, Ok(|_| Some(pair_norms));
    scan_norms_row<>, F32<Cosine, ScanNorms<f32>>, Ok(|_| Some(scan_norms));
    gather_norms_row<>, F32<Cosine, GatherNorms<f32>>, Ok(|_| Some(gather_norms));
}
