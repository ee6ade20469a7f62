//! A query and rows: one value for each row that is asked for.
//!
//! | shape | entry | values |
//! |---|---|---|
//! | `pair` | `(query, row)` | one |
//! | `pair_norms` | `(query, row, norm of the query, norm of the row)` | one |
//! | `row` | `(row)` | one |
//! | `scan` | `(query, rows, out)` | one per row |
//! | `scan_norms` | `(query, norm of the query, rows, norm of each row, out)` | one per row |
//! | `gather` | `(query, rows, ids, out)` | one per id |
//! | `gather_norms` | `(query, norm of the query, rows, norm of each row, ids, out)` | one per id |
//!
//! A norm is what the `_norms` shapes want cached of a vector: for `f32` rows `1 / |x|`
//! ([`inv_norm`]), for integer rows [`CodeNorms`].
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use core::marker::PhantomData;

use super::Shape;
use crate::kernel::Bound;
use crate::layout::RowsRef;

/// What a kernel works on: one query, rows, and which of them.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, Q = f32, C = f32, N = f32> {
    /// The query.
    pub query: &'a [Q],
    /// The query's norm; only the `_norms` shapes read it.
    pub query_norm: N,
    /// The rows.
    pub rows: RowsRef<'a, C>,
    /// A norm per row; only the `_norms` shapes read it.
    pub norms: &'a [N],
    /// The rows meant, in order; the `scan` shapes ignore it and take every row.
    pub ids: &'a [u32],
}

/// What integer kernels want cached of a vector, modulo 2^32.
///
/// A squared norm of bytes without a sign is read as a `u32`: exact for up to 66,051 elements of
/// `u8`, and for up to 131,071 of `i8`. Kernels compute modulo 2^32 throughout, so the value is exact
/// wherever the true one fits its own type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodeNorms {
    /// The sum of the elements.
    pub sum: i32,
    /// The sum of their squares.
    pub norm_sq: i32,
}

/// A calling convention over a query and rows.
pub trait VectorShape: Shape {
    /// Elements of the query.
    type Query: Copy + 'static;
    /// Elements of the rows: numbers, or bytes that hold several.
    type Code: Copy + 'static;
    /// What comes out.
    type Value: Copy + 'static;
    /// What is cached of a vector.
    type Norm: Copy + 'static;

    /// Whether it reads norms.
    const NORMS: bool;
    /// Whether it takes every row, and not those listed.
    const ALL_ROWS: bool;

    /// How many values `batch` asks for.
    fn outputs(batch: &Batch<'_, Self::Query, Self::Code, Self::Norm>) -> usize;

    /// Computes every value of `batch` with `entry`, in the shape's own manner: a `pair` is called
    /// once a value, a `scan` once.
    ///
    /// # Safety
    /// This CPU has the level that `entry` needs, and query and rows have the lengths that it was
    /// resolved for.
    unsafe fn drive(
        entry: Self::Entry,
        batch: &Batch<'_, Self::Query, Self::Code, Self::Norm>,
        out: &mut [Self::Value],
    );
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $shape:ident, $name:literal, norms $norms:literal, all $all:literal,
       $entry:ty, $many:ident, |$f:ident, $b:ident, $out:ident| $drive:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $shape<Q, C = Q, V = f32, N = f32>(PhantomData<fn(Q, C, N) -> V>);

        impl<Q, C, V, N> Shape for $shape<Q, C, V, N>
        where
            Q: Copy + 'static,
            C: Copy + 'static,
            V: Copy + 'static,
            N: Copy + 'static,
        {
            const NAME: &'static str = $name;
            type Entry = $entry;
        }

        impl<Q, C, V, N> VectorShape for $shape<Q, C, V, N>
        where
            Q: Copy + 'static,
            C: Copy + 'static,
            V: Copy + 'static,
            N: Copy + 'static,
        {
            const NORMS: bool = $norms;
            const ALL_ROWS: bool = $all;
            type Query = Q;
            type Code = C;
            type Value = V;
            type Norm = N;

            #[inline(always)]
            fn outputs(batch: &Batch<'_, Q, C, N>) -> usize {
                batch.$many.len()
            }

            // A function of its own: the checks around it would cost its loop registers.
            #[inline(never)]
            unsafe fn drive($f: $entry, $b: &Batch<'_, Q, C, N>, $out: &mut [V]) {
                $drive
            }
        }
    )*};
}

shapes! {
    /// Two vectors.
    Pair, "pair", norms false, all false, unsafe fn(&[Q], &[C]) -> V, ids, |entry, b, out| {
        for (o, &id) in out.iter_mut().zip(b.ids) {
            // SAFETY: level and dimension are the caller's promise.
            *o = unsafe { entry(b.query, b.rows.row(id as usize)) };
        }
    };
    /// Two vectors whose norms are known.
    PairNorms, "pair_norms", norms true, all false, unsafe fn(&[Q], &[C], N, N) -> V, ids, |entry, b, out| {
        for (o, &id) in out.iter_mut().zip(b.ids) {
            let (row, inv) = (b.rows.row(id as usize), b.norms[id as usize]);
            // SAFETY: level and dimension are the caller's promise.
            *o = unsafe { entry(b.query, row, b.query_norm, inv) };
        }
    };
    /// One vector.
    Row, "row", norms false, all false, unsafe fn(&[C]) -> V, ids, |entry, b, out| {
        for (o, &id) in out.iter_mut().zip(b.ids) {
            // SAFETY: level and dimension are the caller's promise.
            *o = unsafe { entry(b.rows.row(id as usize)) };
        }
    };
    /// One query against every row.
    Scan, "scan", norms false, all true, unsafe fn(&[Q], RowsRef<'_, C>, &mut [V]), rows, |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.rows, out) }
    };
    /// One query against every row, all norms known.
    ScanNorms, "scan_norms", norms true, all true, unsafe fn(&[Q], N, RowsRef<'_, C>, &[N], &mut [V]), rows,
    |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.query_norm, b.rows, b.norms, out) }
    };
    /// One query against listed rows: a graph's hop.
    Gather, "gather", norms false, all false, unsafe fn(&[Q], RowsRef<'_, C>, &[u32], &mut [V]), ids, |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.rows, b.ids, out) }
    };
    /// One query against listed rows, all norms known.
    GatherNorms, "gather_norms", norms true, all false, unsafe fn(&[Q], N, RowsRef<'_, C>, &[N], &[u32], &mut [V]),
    ids, |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.query_norm, b.rows, b.norms, b.ids, out) }
    };
}

/// `1 / |x|` as the `_norms` shapes want it cached: summed in `f64`, rounded once; 0 for a zero
/// vector, and for one so short that the inverse leaves the range of `f32`.
#[must_use]
pub fn inv_norm(x: &[f32]) -> f32 {
    let norm = x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    let inverse = (1.0 / norm) as f32;
    if inverse.is_infinite() { 0.0 } else { inverse }
}

/// Cosine distance from a dot product and two inverse norms; exactly 1 if either is 0.
#[inline(always)]
#[must_use]
pub fn cosine_from_norms(dot: f32, inv_a: f32, inv_b: f32) -> f32 {
    1.0 - dot * inv_a * inv_b
}

macro_rules! call {
    ($($shape:ident, $(#[$doc:meta])* ($($arg:ident: $ty:ty),*) $(-> $ret:ty)?,
       |$bound:ident| { $($check:expr, $why:literal;)* })*) => {$(
        impl<Q, C, V, N> Bound<$shape<Q, C, V, N>>
        where
            Q: Copy + 'static,
            C: Copy + 'static,
            V: Copy + 'static,
            N: Copy + 'static,
        {
            $(#[$doc])*
            #[inline]
            #[allow(clippy::must_use_candidate, reason = "some write to `out`")]
            pub fn call(&self, $($arg: $ty),*) $(-> $ret)? {
                let $bound = self;
                $(assert!($check, $why);)*
                // SAFETY: `bind` checked the level; the lengths were checked above.
                unsafe { (self.entry())($($arg),*) }
            }
        }
    )*};
}

call! {
    Pair,
    /// The value of a query and a row.
    ///
    /// # Panics
    /// If either length differs from the bound one.
    (query: &[Q], row: &[C]) -> V,
    |k| { query.len() == k.query_len() && row.len() == k.row_len(), "vectors of another dimension"; }

    PairNorms,
    /// The value of a query and a row whose norms are known.
    ///
    /// # Panics
    /// If either length differs from the bound one.
    (query: &[Q], row: &[C], query_norm: N, norm: N) -> V,
    |k| { query.len() == k.query_len() && row.len() == k.row_len(), "vectors of another dimension"; }

    Row,
    /// The value of a row.
    ///
    /// # Panics
    /// If its length differs from the bound one.
    (row: &[C]) -> V,
    |k| { row.len() == k.row_len(), "a vector of another dimension"; }

    Scan,
    /// `out[i]` = the value of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, or `out` is not one value per row.
    (query: &[Q], rows: RowsRef<'_, C>, out: &mut [V]),
    |k| { query.len() == k.query_len() && rows.dim() == k.row_len(), "another dimension";
    out.len() == rows.len(), "one output per row"; }

    ScanNorms,
    /// `out[i]` = the value of `query` and row `i`, all norms known.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, or there is not one norm and one output per
    /// row.
    (query: &[Q], query_norm: N, rows: RowsRef<'_, C>, norms: &[N], out: &mut [V]),
    |k| { query.len() == k.query_len() && rows.dim() == k.row_len(), "another dimension";
    out.len() == rows.len() && norms.len() == rows.len(), "one norm and one output per row"; }

    Gather,
    /// `out[j]` = the value of `query` and row `ids[j]`.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, `out` is not one value per id, or an id is
    /// no row.
    (query: &[Q], rows: RowsRef<'_, C>, ids: &[u32], out: &mut [V]),
    |k| { query.len() == k.query_len() && rows.dim() == k.row_len(), "another dimension";
    out.len() == ids.len(), "one output per id"; }

    GatherNorms,
    /// `out[j]` = the value of `query` and row `ids[j]`, all norms known.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, there is not one norm per row or one output
    /// per id, or an id is no row.
    (query: &[Q], query_norm: N, rows: RowsRef<'_, C>, norms: &[N], ids: &[u32], out: &mut [V]),
    |k| { query.len() == k.query_len() && rows.dim() == k.row_len(), "another dimension";
    out.len() == ids.len() && norms.len() == rows.len(), "one norm per row, one output per id"; }
}
