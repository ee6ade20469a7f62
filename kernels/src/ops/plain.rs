//! The rows of techniques that ask for no level, for every encoding: a function of two vectors
//! makes the rows of `pair`, `scan` and `gather`.
#![allow(unsafe_code, reason = "rows that name a level")]

use crate::isa::Level;
use crate::kernel::{Entry, Op, Technique, Variant};
use crate::layout::RowsRef;
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

/// A plain function of a query and a row: the value of an operation, however it comes about.
pub(crate) trait PairFn: 'static {
    /// An element of the query.
    type Query: Copy + 'static;
    /// An element of a row.
    type Code: Copy + 'static;
    /// What comes out.
    type Value: Copy + 'static;
    /// The name of the variant.
    const NAME: &'static str;
    /// How it came to its instructions.
    const TECHNIQUE: Technique;
    /// The value.
    fn value(query: &[Self::Query], row: &[Self::Code]) -> Self::Value;
}

fn pair_entry<F: PairFn>(query: &[F::Query], row: &[F::Code]) -> F::Value {
    F::value(query, row)
}

fn scan_entry<F: PairFn>(query: &[F::Query], rows: RowsRef<'_, F::Code>, out: &mut [F::Value]) {
    for (i, o) in out.iter_mut().enumerate() {
        *o = F::value(query, rows.row(i));
    }
}

fn gather_entry<F: PairFn>(
    query: &[F::Query],
    rows: RowsRef<'_, F::Code>,
    ids: &[u32],
    out: &mut [F::Value],
) {
    for (o, &id) in out.iter_mut().zip(ids) {
        *o = F::value(query, rows.row(id as usize));
    }
}

fn pair_norms_entry<F: PairFn, N>(query: &[F::Query], row: &[F::Code], _: N, _: N) -> F::Value {
    F::value(query, row)
}

fn scan_norms_entry<F: PairFn, N>(
    query: &[F::Query],
    _: N,
    rows: RowsRef<'_, F::Code>,
    _: &[N],
    out: &mut [F::Value],
) {
    scan_entry::<F>(query, rows, out);
}

fn gather_norms_entry<F: PairFn, N>(
    query: &[F::Query],
    _: N,
    rows: RowsRef<'_, F::Code>,
    _: &[N],
    ids: &[u32],
    out: &mut [F::Value],
) {
    gather_entry::<F>(query, rows, ids, out);
}

macro_rules! rows {
    ($($fn:ident $entry:ident $shape:ident $([$n:ident])?;)*) => {$(
        /// The row of this shape.
        #[allow(dead_code, reason = "not every encoding has every shape")]
        pub(crate) const fn $fn<O, F $(, $n: Copy + 'static)?>() -> Variant<O>
        where
            F: PairFn,
            O: Op<Shape = $shape<F::Query, F::Code, F::Value $(, $n)?>>,
        {
            let resolve: fn(usize) -> Option<Entry<O>> = |_| Some($entry::<F $(, $n)?>);
            // SAFETY: plain Rust runs on every CPU of the build's target, and code that dispatches
            // inside detects the level before it uses it.
            unsafe { Variant::new(F::NAME, Level::Scalar, F::TECHNIQUE, resolve) }
        }
    )*};
}

rows! {
    pair pair_entry Pair;
    scan scan_entry Scan;
    gather gather_entry Gather;
    pair_norms pair_norms_entry PairNorms [N];
    scan_norms scan_norms_entry ScanNorms [N];
    gather_norms gather_norms_entry GatherNorms [N];
}
