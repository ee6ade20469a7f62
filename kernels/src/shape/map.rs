//! Vectors from vectors, and the energies of a graph's edges.
//!
//! | shape | entry | result |
//! |---|---|---|
//! | `map1` | `(a, k, out)` | a vector |
//! | `map2` | `(a, b, out)` | a vector |
//! | `map3` | `(a, b, c, out)` | a vector |
//! | `update` | `(k, x, y)` | `y`, changed |
//! | `combine` | `(weights, rows, out)` | a vector |
//! | `edges` | `(rows, edges, weights, per_edge)` | a value for each edge, and their sum |
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use super::Shape;
use crate::kernel::Bound;
use crate::layout::RowsRef;

macro_rules! shapes {
    ($($(#[$doc:meta])* $shape:ident, $name:literal, $entry:ty,
       $(#[$call:meta])* ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?,
       |$k:ident| { $($check:expr, $why:literal;)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $shape(());

        impl Shape for $shape {
            const NAME: &'static str = $name;
            type Entry = $entry;
        }

        impl Bound<$shape> {
            $(#[$call])*
            #[inline]
            #[allow(clippy::must_use_candidate, reason = "all write to their output")]
            pub fn call(&self, $($arg: $ty),*) $(-> $ret)? {
                let $k = self;
                $(assert!($check, $why);)*
                // SAFETY: `bind` checked the level; the lengths were checked above.
                unsafe { (self.entry())($($arg),*) }
            }
        }
    )*};
}

shapes! {
    /// A vector and a number.
    Map1, "map1", unsafe fn(&[f32], f32, &mut [f32]),
    /// `out` = the value of `a` and `k`, element by element.
    ///
    /// # Panics
    /// If a length differs from the bound one.
    (a: &[f32], k: f32, out: &mut [f32]),
    |b| { a.len() == b.dim() && out.len() == b.dim(), "vectors of another dimension"; }

    /// Two vectors.
    Map2, "map2", unsafe fn(&[f32], &[f32], &mut [f32]),
    /// `out` = the value of `a` and `b`, element by element.
    ///
    /// # Panics
    /// If a length differs from the bound one.
    (a: &[f32], b: &[f32], out: &mut [f32]),
    |k| { a.len() == k.dim() && b.len() == k.dim() && out.len() == k.dim(),
    "vectors of another dimension"; }

    /// Three vectors.
    Map3, "map3", unsafe fn(&[f32], &[f32], &[f32], &mut [f32]),
    /// `out` = the value of `a`, `b` and `c`, element by element.
    ///
    /// # Panics
    /// If a length differs from the bound one.
    (a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]),
    |k| { a.len() == k.dim() && b.len() == k.dim(), "vectors of another dimension";
    c.len() == k.dim() && out.len() == k.dim(), "vectors of another dimension"; }

    /// A vector that is changed by another.
    Update, "update", unsafe fn(f32, &[f32], &mut [f32]),
    /// Changes `y` by `k` and `x`, element by element.
    ///
    /// # Panics
    /// If a length differs from the bound one.
    (k: f32, x: &[f32], y: &mut [f32]),
    |b| { x.len() == b.dim() && y.len() == b.dim(), "vectors of another dimension"; }

    /// A vector out of many rows.
    Combine, "combine", unsafe fn(&[f32], RowsRef<'_, f32>, &mut [f32]),
    /// `out` = the combination of all rows with a weight each; without rows, zeros.
    ///
    /// # Panics
    /// If the rows or `out` have another dimension, or there is not one weight per row.
    (weights: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]),
    |k| { rows.dim() == k.dim() && out.len() == k.dim(), "another dimension";
    weights.len() == rows.len(), "one weight per row"; }

    /// The edges of a graph whose nodes are rows.
    Edges, "edges", unsafe fn(RowsRef<'_, f32>, &[(u32, u32)], &[f32], &mut [f32]) -> f32,
    /// `per_edge[i]` = the value of edge `i`, a pair of row numbers, with its weight; returns the
    /// sum over all edges.
    ///
    /// # Panics
    /// If the rows have another dimension, there is not one weight and one output per edge, or an
    /// edge names no row.
    (rows: RowsRef<'_, f32>, edges: &[(u32, u32)], weights: &[f32], per_edge: &mut [f32]) -> f32,
    |k| { rows.dim() == k.dim(), "another dimension";
    weights.len() == edges.len() && per_edge.len() == edges.len(),
    "one weight and one output per edge"; }
}
