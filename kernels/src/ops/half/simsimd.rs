//! The C library SimSIMD, through its Rust traits, as its users call it. It dispatches inside: the
//! level that ran is the library's choice. It has pairs only, of equal elements: scan and gather
//! are loops over them, with the query narrowed once (into a buffer on the stack, sized for the
//! dimension); the `_norms` shapes are its one-pass cosine.
//!
//! Where the CPU has half-precision arithmetic (AVX512-FP16), the library also sums `f16` in half
//! precision, and elsewhere rounds differences of `bf16` to `bf16`: see the bounds of the subject.
#![allow(unsafe_code, reason = "rows that name a level; the library's names for our elements")]

use crate::isa::Level;
#[cfg(feature = "simsimd")]
use crate::kernel::Entry;
use crate::kernel::{Op, Technique, Variant};
#[cfg(feature = "simsimd")]
pub(crate) use imp::Peer;

/// What the rows ask of a metric in builds without the feature: nothing.
#[cfg(not(feature = "simsimd"))]
pub(crate) trait Peer<E> {}
#[cfg(not(feature = "simsimd"))]
impl<M, E> Peer<E> for M {}

#[cfg(feature = "simsimd")]
mod imp {
    use half::{bf16, f16};
    use simsimd::SpatialSimilarity;

    use crate::isa::half::narrow;
    use crate::layout::RowsRef;
    use crate::ops::f32::metric::{Cosine, Dot, L2Sq};

    /// A metric of the library on elements of `E`.
    pub(crate) trait Peer<E: Foreign>: 'static {
        fn pair(a: &[E], b: &[E]) -> f32;
    }

    /// An element that the library has a name of its own for.
    pub(crate) trait Foreign: Copy + 'static {
        type Name: SpatialSimilarity;
        const ZERO: Self;
        fn name(x: &[Self]) -> &[Self::Name];
        fn narrow(query: &[f32], out: &mut [Self]);
    }

    macro_rules! foreign {
        ($($e:ident $narrow:ident;)*) => {$(
            impl Foreign for $e {
                type Name = simsimd::$e;
                const ZERO: $e = $e::ZERO;

                #[inline(always)]
                fn name(x: &[$e]) -> &[simsimd::$e] {
                    // SAFETY: both are `repr(transparent)` over `u16`.
                    unsafe { core::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
                }

                fn narrow(query: &[f32], out: &mut [$e]) {
                    narrow::$narrow(query, out);
                }
            }
        )*};
    }

    foreign! { f16 to_f16; bf16 to_bf16; }

    macro_rules! peers {
        ($($m:ty, $call:ident;)*) => {$(
            impl<E: Foreign> Peer<E> for $m {
                #[inline(always)]
                fn pair(a: &[E], b: &[E]) -> f32 {
                    let value = <E::Name as SpatialSimilarity>::$call(E::name(a), E::name(b));
                    // `None` is its answer to unequal lengths.
                    value.map_or(f32::NAN, |value| value as f32)
                }
            }
        )*};
    }

    peers! { L2Sq, l2sq; Dot, dot; Cosine, cos; }

    pub(super) fn pair_norms<M: Peer<E>, E: Foreign>(a: &[E], b: &[E], _: f32, _: f32) -> f32 {
        M::pair(a, b)
    }

    pub(super) fn scan<M: Peer<E>, E: Foreign, const N: usize>(
        query: &[f32],
        rows: RowsRef<'_, E>,
        out: &mut [f32],
    ) {
        let mut buffer = [E::ZERO; N];
        let narrowed = &mut buffer[..query.len()];
        E::narrow(query, narrowed);
        for (i, o) in out.iter_mut().enumerate() {
            *o = M::pair(narrowed, rows.row(i));
        }
    }

    pub(super) fn scan_norms<M: Peer<E>, E: Foreign, const N: usize>(
        query: &[f32],
        _: f32,
        rows: RowsRef<'_, E>,
        _: &[f32],
        out: &mut [f32],
    ) {
        scan::<M, E, N>(query, rows, out);
    }

    pub(super) fn gather<M: Peer<E>, E: Foreign, const N: usize>(
        query: &[f32],
        rows: RowsRef<'_, E>,
        ids: &[u32],
        out: &mut [f32],
    ) {
        let mut buffer = [E::ZERO; N];
        let narrowed = &mut buffer[..query.len()];
        E::narrow(query, narrowed);
        for (o, &id) in out.iter_mut().zip(ids) {
            *o = M::pair(narrowed, rows.row(id as usize));
        }
    }

    pub(super) fn gather_norms<M: Peer<E>, E: Foreign, const N: usize>(
        query: &[f32],
        _: f32,
        rows: RowsRef<'_, E>,
        _: &[f32],
        ids: &[u32],
        out: &mut [f32],
    ) {
        gather::<M, E, N>(query, rows, ids, out);
    }
}

#[cfg(feature = "simsimd")]
pub(crate) use imp::Foreign;
#[cfg(not(feature = "simsimd"))]
pub(crate) trait Foreign: Copy + 'static {}
#[cfg(not(feature = "simsimd"))]
impl<E: Copy + 'static> Foreign for E {}

/// The entry with the smallest buffer for the dimension; none beyond the largest.
#[cfg(feature = "simsimd")]
macro_rules! sized {
    ($entry:ident) => {
        |dim| match dim {
            0..=128 => Some(imp::$entry::<M, E, 128>),
            129..=1024 => Some(imp::$entry::<M, E, 1024>),
            1025..=4096 => Some(imp::$entry::<M, E, 4096>),
            _ => None,
        }
    };
}

macro_rules! rows {
    ($($fn:ident <$q:ty> $shape:ident $resolve:expr;)*) => {$(
        /// The row of this shape.
        pub(crate) const fn $fn<O, E, M>() -> Variant<O>
        where
            E: Foreign,
            M: Peer<E>,
            O: Op<Shape = crate::shape::$shape<$q, E, f32>>,
        {
            #[cfg(feature = "simsimd")]
            {
                let resolve: fn(usize) -> Option<Entry<O>> = $resolve;
                // SAFETY: the library detects the level before it uses it; buffers hold the
                // dimension that the entry is resolved for, and are sliced with a check.
                unsafe { Variant::new("simsimd", Level::Scalar, Technique::Simsimd, resolve) }
            }
            #[cfg(not(feature = "simsimd"))]
            {
                const WHY: &str = "needs the feature `simsimd` and a C compiler";
                Variant::absent("simsimd", Level::Scalar, Technique::Simsimd, WHY)
            }
        }
    )*};
}

rows! {
    pair <E> Pair |_| Some(M::pair);
    scan <f32> Scan sized!(scan);
    gather <f32> Gather sized!(gather);
    pair_norms <E> PairNorms |_| Some(imp::pair_norms::<M, E>);
    scan_norms <f32> ScanNorms sized!(scan_norms);
    gather_norms <f32> GatherNorms sized!(gather_norms);
}
