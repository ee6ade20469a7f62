//! The rows of hand-written arithmetic, for every encoding: one module a level, one function a
//! form. `at::avx2::scan::<Self, Dot<Avx2>, 2>()` is the blocked scan of an operation at AVX2.
//!
//! The functions are there on every architecture, so a list of variants reads the same everywhere;
//! where the level's instructions do not exist they announce a row that says so.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

/// The entries of a level: `U` accumulators (a row, where rows are blocked).
macro_rules! entries {
    ($features:meta; $(
        $fn:ident[$u:ident]: $bound:ident ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)?
        { |$a:ident| $body:expr }
    )*) => {$(
        /// # Safety
        /// The CPU has the level, and vectors and rows have the lengths that the entry was resolved
        /// for.
        #[$features]
        pub(super) unsafe fn $fn<A: $bound<Token = ThisToken>, const $u: usize>(
            $($arg: $ty),*
        ) $(-> $ret)? {
            // SAFETY: this function enables the token's level.
            let token = unsafe { ThisToken::assume() };
            let $a = A::at(token);
            $body
        }
    )*};
}

/// The rows of a level.
macro_rules! level_rows {
    ($level:ident, $name:literal, $when:meta, $absent:literal; $(
        $fn:ident $suffix:literal $bound:ident $shape:ident;
    )*) => {
        $(
            #[cfg($when)]
            pub(crate) const fn $fn<O, A, const U: usize>() -> Variant<O>
            where
                A: crate::loops::arith::$bound<Token = ThisToken>,
                O: Op<Shape = level_rows!(@shape $bound $shape A)>,
            {
                let resolve: fn(usize) -> Option<Entry<O>> = |_| Some(imp::$fn::<A, U>);
                // SAFETY: the entries enable the features of the level, and take vectors of any
                // length that the operation gives for a dimension.
                unsafe {
                    Variant::new(concat!($name, $suffix), Level::$level, Technique::Hand, resolve)
                }
            }

            #[cfg(not($when))]
            #[allow(clippy::extra_unused_type_parameters, reason = "as on the level's own architecture")]
            pub(crate) const fn $fn<O: Op, A, const U: usize>() -> Variant<O> {
                Variant::absent(concat!($name, $suffix), Level::$level, Technique::Hand, $absent)
            }
        )*
    };
    (@shape FromToken $shape:ident $a:ident) => {
        crate::shape::$shape<$a::Query, $a::Code, $a::Value>
    };
    (@shape NormsFromToken $shape:ident $a:ident) => {
        crate::shape::$shape<$a::Query, $a::Code, $a::Value, $a::Norm>
    };
}

macro_rules! level_module {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta } { $module:ident }) => {
        #[doc = concat!("Rows at [`crate::Level::", stringify!($level), "`].")]
        #[allow(dead_code, reason = "not every encoding has every form at every level")]
        pub(crate) mod $module {
            #[cfg($when)]
            use crate::isa::tokens::$level as ThisToken;
            use crate::isa::Level;
            #[cfg($when)]
            use crate::kernel::Entry;
            use crate::kernel::{Op, Technique, Variant};

            #[cfg($when)]
            mod imp {
                use super::ThisToken;
                use crate::layout::RowsRef;
                use crate::loops;
                use crate::loops::arith::{FromToken, NormsFromToken};

                entries! { $features;
                    pair[U]: FromToken (q: &[A::Query], c: &[A::Code]) -> A::Value {
                        |a| loops::pair::<A, U>(a, q, c)
                    }
                    scan[U]: FromToken (q: &[A::Query], rows: RowsRef<'_, A::Code>, out: &mut [A::Value]) {
                        |a| loops::scan_blocked::<A, U>(a, q, rows, out)
                    }
                    scan8[U]: FromToken (q: &[A::Query], rows: RowsRef<'_, A::Code>, out: &mut [A::Value]) {
                        |a| loops::scan_blocked8::<A>(a, q, rows, out)
                    }
                    stream[U]: FromToken (q: &[A::Query], rows: RowsRef<'_, A::Code>, out: &mut [A::Value]) {
                        |a| loops::scan_streaming::<A>(a, q, rows, out)
                    }
                    gather[U]: FromToken (
                        q: &[A::Query], rows: RowsRef<'_, A::Code>, ids: &[u32], out: &mut [A::Value]
                    ) {
                        |a| loops::gather::<A, U, false>(a, q, rows, ids, out)
                    }
                    gather_pf4[U]: FromToken (
                        q: &[A::Query], rows: RowsRef<'_, A::Code>, ids: &[u32], out: &mut [A::Value]
                    ) {
                        |a| loops::gather::<A, U, true>(a, q, rows, ids, out)
                    }
                    pair_norms[U]: NormsFromToken (
                        q: &[A::Query], c: &[A::Code], nq: A::Norm, nc: A::Norm
                    ) -> A::Value {
                        |a| loops::pair_norms::<A, U>(a, q, c, nq, nc)
                    }
                    scan_norms[U]: NormsFromToken (
                        q: &[A::Query], nq: A::Norm, rows: RowsRef<'_, A::Code>, norms: &[A::Norm],
                        out: &mut [A::Value]
                    ) {
                        |a| loops::scan_norms::<A, U>(a, q, nq, rows, norms, out)
                    }
                    stream_norms[U]: NormsFromToken (
                        q: &[A::Query], nq: A::Norm, rows: RowsRef<'_, A::Code>, norms: &[A::Norm],
                        out: &mut [A::Value]
                    ) {
                        |a| loops::stream_norms::<A>(a, q, nq, rows, norms, out)
                    }
                    gather_norms[U]: NormsFromToken (
                        q: &[A::Query], nq: A::Norm, rows: RowsRef<'_, A::Code>, norms: &[A::Norm],
                        ids: &[u32], out: &mut [A::Value]
                    ) {
                        |a| loops::gather_norms::<A, U, false>(a, q, nq, rows, norms, ids, out)
                    }
                    gather_norms_pf4[U]: NormsFromToken (
                        q: &[A::Query], nq: A::Norm, rows: RowsRef<'_, A::Code>, norms: &[A::Norm],
                        ids: &[u32], out: &mut [A::Value]
                    ) {
                        |a| loops::gather_norms::<A, U, true>(a, q, nq, rows, norms, ids, out)
                    }
                    scan_norms8[U]: NormsFromToken (
                        q: &[A::Query], nq: A::Norm, rows: RowsRef<'_, A::Code>, norms: &[A::Norm],
                        out: &mut [A::Value]
                    ) {
                        |a| loops::scan_norms8::<A>(a, q, nq, rows, norms, out)
                    }
                }
            }

            level_rows! { $level, $name, $when, $absent;
                pair "-x4" FromToken Pair;
                scan "-r4" FromToken Scan;
                scan8 "-r8" FromToken Scan;
                stream "-stream" FromToken Scan;
                gather "-r4" FromToken Gather;
                gather_pf4 "-r4-pf4" FromToken Gather;
                pair_norms "-x4" NormsFromToken PairNorms;
                scan_norms "-r4" NormsFromToken ScanNorms;
                stream_norms "-stream" NormsFromToken ScanNorms;
                gather_norms "-r4" NormsFromToken GatherNorms;
                gather_norms_pf4 "-r4-pf4" NormsFromToken GatherNorms;
                scan_norms8 "-r8" NormsFromToken ScanNorms;
            }
        }
    };
}

with_level! { Sse42 => level_module! { sse42 } }
with_level! { Avx2 => level_module! { avx2 } }
with_level! { Avx512 => level_module! { avx512 } }
with_level! { Avx512Bf16 => level_module! { avx512bf16 } }
with_level! { Avx512Vnni => level_module! { avx512vnni } }
with_level! { Avx512Vbmi => level_module! { avx512vbmi } }
with_level! { Avx512Popcnt => level_module! { avx512popcnt } }
with_level! { Neon => level_module! { neon } }
with_level! { NeonDot => level_module! { neondot } }
with_level! { Simd128 => level_module! { simd128 } }
