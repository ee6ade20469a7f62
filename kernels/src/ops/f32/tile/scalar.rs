//! Plain loops over pairs, in the order of the elements; distances from differences everywhere.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::Tiled;
use crate::isa::Level;
use crate::kernel::{Entry, Technique, Variant};
use crate::layout::RowsRef;
use crate::ops::f32::F32;
use crate::ops::f32::metric::{L2Sq, Step};
use crate::shape::{Assign, Tile, TileNorms};

/// `out` from a function of two vectors.
#[inline(always)]
pub(super) fn each_pair(
    value: impl Fn(&[f32], &[f32]) -> f32,
    queries: RowsRef<'_, f32>,
    rows: RowsRef<'_, f32>,
    out: &mut [f32],
) {
    for (q, out) in out.chunks_exact_mut(rows.len().max(1)).enumerate() {
        for (r, o) in out.iter_mut().enumerate() {
            *o = value(queries.row(q), rows.row(r));
        }
    }
}

/// The nearest by a function of two vectors, the first of several.
#[inline(always)]
pub(super) fn nearest(
    value: impl Fn(&[f32], &[f32]) -> f32,
    rows: RowsRef<'_, f32>,
    centroids: RowsRef<'_, f32>,
    ids: &mut [u32],
    values: &mut [f32],
) {
    for (i, (id, best)) in ids.iter_mut().zip(values).enumerate() {
        (*id, *best) = (0, f32::INFINITY);
        for c in 0..centroids.len() {
            let found = value(rows.row(i), centroids.row(c));
            if found < *best {
                (*id, *best) = (c as u32, found);
            }
        }
        if *best == f32::INFINITY {
            *best = value(rows.row(i), centroids.row(0));
        }
    }
}

fn tile_entry<M: Tiled>(queries: RowsRef<'_, f32>, rows: RowsRef<'_, f32>, out: &mut [f32]) {
    each_pair(M::scalar, queries, rows, out);
}

fn norms_entry(
    queries: RowsRef<'_, f32>,
    _: &[f32],
    rows: RowsRef<'_, f32>,
    _: &[f32],
    out: &mut [f32],
) {
    each_pair(L2Sq::scalar, queries, rows, out);
}

fn assign_entry(
    rows: RowsRef<'_, f32>,
    centroids: RowsRef<'_, f32>,
    _: &[f32],
    ids: &mut [u32],
    values: &mut [f32],
) {
    nearest(L2Sq::scalar, rows, centroids, ids, values);
}

pub(super) const fn tile<M: Tiled>() -> Variant<F32<M, Tile>> {
    let resolve: fn(usize) -> Option<Entry<F32<M, Tile>>> = |_| Some(tile_entry::<M>);
    // SAFETY: plain Rust runs on every CPU of the build's target.
    unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
}

pub(super) const fn tile_norms() -> Variant<F32<L2Sq, TileNorms>> {
    let resolve: fn(usize) -> Option<Entry<F32<L2Sq, TileNorms>>> = |_| Some(norms_entry);
    // SAFETY: plain Rust runs on every CPU of the build's target.
    unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
}

pub(super) const fn assign() -> Variant<F32<L2Sq, Assign>> {
    let resolve: fn(usize) -> Option<Entry<F32<L2Sq, Assign>>> = |_| Some(assign_entry);
    // SAFETY: plain Rust runs on every CPU of the build's target.
    unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
}
