//! Shapes: calling conventions, and nothing else. What is computed is the operation's business.
//!
//! | shape | entry | values |
//! |---|---|---|
//! | `pair` | `(query, row)` | one |
//! | `pair_norms` | `(query, row, 1/|query|, 1/|row|)` | one |
//! | `row` | `(row)` | one |
//! | `scan` | `(query, rows, out)` | one per row |
//! | `scan_norms` | `(query, 1/|query|, rows, 1/|row| each, out)` | one per row |
//! | `gather` | `(query, rows, ids, out)` | one per id |
//! | `gather_norms` | `(query, 1/|query|, rows, 1/|row| each, ids, out)` | one per id |
//!
//! An entry asks for its instruction-set level, and for vectors of the dimension that it was
//! resolved for; both are checked by [`Bound`], the second on every call. Ids, the number of rows
//! and the number of outputs are bounded by the slices themselves.
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use core::marker::PhantomData;

use crate::kernel::Bound;
use crate::layout::RowsRef;

/// What a kernel works on: one query, rows, and which of them.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, Q = f32, C = f32> {
    /// The query, `dim` elements.
    pub query: &'a [Q],
    /// `1 / |query|`, or 0 for a zero query; only the `_norms` shapes read it.
    pub query_inv_norm: f32,
    /// The rows.
    pub rows: RowsRef<'a, C>,
    /// `1 / |row|` per row, or 0 for a zero row; only the `_norms` shapes read it.
    pub inv_norms: &'a [f32],
    /// The rows meant, in order; the `scan` shapes ignore it and take every row.
    pub ids: &'a [u32],
}

/// A calling convention.
pub trait Shape: Sized + 'static {
    /// Its name in coordinates.
    const NAME: &'static str;
    /// Elements of the query.
    type Query: Copy + 'static;
    /// Elements of the rows.
    type Code: Copy + 'static;
    /// What comes out.
    type Value: Copy + 'static;
    /// The function pointer.
    type Entry: Copy + Send + Sync + 'static;

    /// Whether it reads inverse norms.
    const NORMS: bool;

    /// How many values `batch` asks for.
    fn outputs(batch: &Batch<'_, Self::Query, Self::Code>) -> usize;

    /// Computes every value of `batch` with `entry`, in the shape's own manner: a `pair` is called
    /// once a value, a `scan` once.
    ///
    /// # Safety
    /// This CPU has the level that `entry` needs, and query and rows have the dimension that it was
    /// resolved for.
    unsafe fn drive(
        entry: Self::Entry,
        batch: &Batch<'_, Self::Query, Self::Code>,
        out: &mut [Self::Value],
    );
}

macro_rules! shapes {
    ($($(#[$doc:meta])* $shape:ident, $name:literal, norms $norms:literal, $entry:ty, $many:ident,
       |$f:ident, $b:ident, $out:ident| $drive:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $shape<Q, C = Q, V = f32>(PhantomData<fn(Q, C) -> V>);

        impl<Q: Copy + 'static, C: Copy + 'static, V: Copy + 'static> Shape for $shape<Q, C, V> {
            const NAME: &'static str = $name;
            const NORMS: bool = $norms;
            type Query = Q;
            type Code = C;
            type Value = V;
            type Entry = $entry;

            #[inline(always)]
            fn outputs(batch: &Batch<'_, Q, C>) -> usize {
                batch.$many.len()
            }

            // A function of its own: the checks around it would cost its loop registers.
            #[inline(never)]
            unsafe fn drive($f: $entry, $b: &Batch<'_, Q, C>, $out: &mut [V]) {
                $drive
            }
        }
    )*};
}

shapes! {
    /// Two vectors.
    Pair, "pair", norms false, unsafe fn(&[Q], &[C]) -> V, ids, |entry, b, out| {
        for (o, &id) in out.iter_mut().zip(b.ids) {
            // SAFETY: level and dimension are the caller's promise.
            *o = unsafe { entry(b.query, b.rows.row(id as usize)) };
        }
    };
    /// Two vectors whose inverse norms are known.
    PairNorms, "pair_norms", norms true, unsafe fn(&[Q], &[C], f32, f32) -> V, ids, |entry, b, out| {
        for (o, &id) in out.iter_mut().zip(b.ids) {
            let (row, inv) = (b.rows.row(id as usize), b.inv_norms[id as usize]);
            // SAFETY: level and dimension are the caller's promise.
            *o = unsafe { entry(b.query, row, b.query_inv_norm, inv) };
        }
    };
    /// One vector.
    Row, "row", norms false, unsafe fn(&[C]) -> V, ids, |entry, b, out| {
        for (o, &id) in out.iter_mut().zip(b.ids) {
            // SAFETY: level and dimension are the caller's promise.
            *o = unsafe { entry(b.rows.row(id as usize)) };
        }
    };
    /// One query against every row.
    Scan, "scan", norms false, unsafe fn(&[Q], RowsRef<'_, C>, &mut [V]), rows, |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.rows, out) }
    };
    /// One query against every row, all inverse norms known.
    ScanNorms, "scan_norms", norms true, unsafe fn(&[Q], f32, RowsRef<'_, C>, &[f32], &mut [V]), rows,
    |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.query_inv_norm, b.rows, b.inv_norms, out) }
    };
    /// One query against listed rows: a graph's hop.
    Gather, "gather", norms false, unsafe fn(&[Q], RowsRef<'_, C>, &[u32], &mut [V]), ids, |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.rows, b.ids, out) }
    };
    /// One query against listed rows, all inverse norms known.
    GatherNorms, "gather_norms", norms true, unsafe fn(&[Q], f32, RowsRef<'_, C>, &[f32], &[u32], &mut [V]),
    ids, |entry, b, out| {
        // SAFETY: level and dimension are the caller's promise.
        unsafe { entry(b.query, b.query_inv_norm, b.rows, b.inv_norms, b.ids, out) }
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

impl<Q: Copy + 'static, C: Copy + 'static, V: Copy + 'static> Bound<Pair<Q, C, V>> {
    /// The value of two vectors of the bound dimension.
    ///
    /// # Panics
    /// If either length differs from [`Bound::dim`].
    #[inline]
    #[must_use]
    pub fn call(&self, a: &[Q], b: &[C]) -> V {
        assert!(a.len() == self.dim() && b.len() == self.dim(), "vectors of another dimension");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(a, b) }
    }
}

impl<Q: Copy + 'static, C: Copy + 'static, V: Copy + 'static> Bound<Row<Q, C, V>> {
    /// The value of a vector of the bound dimension.
    ///
    /// # Panics
    /// If its length differs from [`Bound::dim`].
    #[inline]
    #[must_use]
    pub fn call(&self, row: &[C]) -> V {
        assert!(row.len() == self.dim(), "a vector of another dimension");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(row) }
    }
}

impl<Q: Copy + 'static, C: Copy + 'static, V: Copy + 'static> Bound<Scan<Q, C, V>> {
    /// `out[i]` = the value of `query` and row `i`.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, or `out` is not one value per row.
    #[inline]
    pub fn call(&self, query: &[Q], rows: RowsRef<'_, C>, out: &mut [V]) {
        assert!(query.len() == self.dim() && rows.dim() == self.dim(), "another dimension");
        assert_eq!(out.len(), rows.len(), "one output per row");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(query, rows, out) }
    }
}

impl<Q: Copy + 'static, C: Copy + 'static, V: Copy + 'static> Bound<Gather<Q, C, V>> {
    /// `out[j]` = the value of `query` and row `ids[j]`.
    ///
    /// # Panics
    /// If `query` or the rows have another dimension, `out` is not one value per id, or an id is
    /// no row.
    #[inline]
    pub fn call(&self, query: &[Q], rows: RowsRef<'_, C>, ids: &[u32], out: &mut [V]) {
        assert!(query.len() == self.dim() && rows.dim() == self.dim(), "another dimension");
        assert_eq!(out.len(), ids.len(), "one output per id");
        // SAFETY: `bind` checked the level; the lengths were checked above.
        unsafe { (self.entry())(query, rows, ids, out) }
    }
}
