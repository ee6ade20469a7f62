//! Plain loops that the compiler vectorises, compiled once per target and chosen at run time by
//! the crate `multiversion`. Widening is spelled out in integers without a branch, so that it
//! vectorises too; the compiler finds no conversion instruction in it.
#![allow(unsafe_code, reason = "rows that name a level")]

use crate::isa::Level;
#[cfg(feature = "autovec")]
use crate::kernel::Entry;
use crate::kernel::{Op, Technique, Variant};
#[cfg(feature = "autovec")]
pub(crate) use imp::Auto;

/// What the rows ask of a metric in builds without the feature: nothing.
#[cfg(not(feature = "autovec"))]
pub(crate) trait Auto<E> {}
#[cfg(not(feature = "autovec"))]
impl<M, E> Auto<E> for M {}

#[cfg(feature = "autovec")]
mod imp {
    use half::{bf16, f16};
    use multiversion::multiversion;

    use crate::layout::RowsRef;
    use crate::ops::f32::metric::{Cosine, Dot, L2Sq, distance};

    type ScanFn<E> = fn(&[f32], RowsRef<'_, E>, &mut [f32]);
    type GatherFn<E> = fn(&[f32], RowsRef<'_, E>, &[u32], &mut [f32]);

    /// The entries of a metric on rows of `E`.
    pub(crate) trait Auto<E: 'static>: 'static {
        const PAIR: fn(&[E], &[E]) -> f32;
        const SCAN: ScanFn<E>;
        const GATHER: GatherFn<E>;
    }

    /// An element, widened without a branch.
    trait Widened: Copy {
        fn widened(self) -> f32;
    }

    impl Widened for f32 {
        #[inline(always)]
        fn widened(self) -> f32 {
            self
        }
    }

    impl Widened for bf16 {
        #[inline(always)]
        fn widened(self) -> f32 {
            f32::from_bits(u32::from(self.to_bits()) << 16)
        }
    }

    impl Widened for f16 {
        #[inline(always)]
        fn widened(self) -> f32 {
            let bits = u32::from(self.to_bits());
            // Too small by the difference of the exponents' biases; exact, whatever the exponent.
            let magnitude = (bits & 0x7fff) << 13;
            let scaled = f32::from_bits(magnitude) * f32::from_bits(0x7780_0000);
            let special = if magnitude > 0x0f7f_ffff { 0x7f80_0000 } else { 0 };
            f32::from_bits(scaled.to_bits() | special | (bits & 0x8000) << 16)
        }
    }

    /// Independent lanes.
    const LANES: usize = 32;

    #[inline(always)]
    fn sum<A: Widened, B: Widened>(a: &[A], b: &[B], term: impl Fn(f32, f32) -> f32) -> f32 {
        let (chunks_a, tail_a) = a.as_chunks::<LANES>();
        let (chunks_b, tail_b) = b.as_chunks::<LANES>();
        let mut acc = [0.0; LANES];
        for (x, y) in chunks_a.iter().zip(chunks_b) {
            for l in 0..LANES {
                acc[l] += term(x[l].widened(), y[l].widened());
            }
        }
        let mut tail = 0.0;
        for (x, y) in tail_a.iter().zip(tail_b) {
            tail += term(x.widened(), y.widened());
        }
        acc.iter().sum::<f32>() + tail
    }

    #[inline(always)]
    fn l2sq<A: Widened, B: Widened>(a: &[A], b: &[B]) -> f32 {
        sum(a, b, |x, y| (x - y) * (x - y))
    }

    #[inline(always)]
    fn dot<A: Widened, B: Widened>(a: &[A], b: &[B]) -> f32 {
        sum(a, b, |x, y| x * y)
    }

    #[inline(always)]
    fn cosine<A: Widened, B: Widened>(a: &[A], b: &[B]) -> f32 {
        // Three plain sums: one loop with three arrays does not fit the registers of most targets.
        distance(dot(a, b), dot(a, a), dot(b, b))
    }

    macro_rules! metric {
        ($($module:ident: $e:ty, $m:ty, $body:ident;)*) => {$(
            mod $module {
                use super::*;

                #[multiversion(targets = "simd")]
                pub(super) fn pair(a: &[$e], b: &[$e]) -> f32 {
                    $body(a, b)
                }

                #[multiversion(targets = "simd")]
                pub(super) fn scan(q: &[f32], rows: RowsRef<'_, $e>, out: &mut [f32]) {
                    for (i, o) in out.iter_mut().enumerate() {
                        *o = $body(q, rows.row(i));
                    }
                }

                #[multiversion(targets = "simd")]
                pub(super) fn gather(
                    q: &[f32],
                    rows: RowsRef<'_, $e>,
                    ids: &[u32],
                    out: &mut [f32],
                ) {
                    for (o, &id) in out.iter_mut().zip(ids) {
                        *o = $body(q, rows.row(id as usize));
                    }
                }
            }

            impl Auto<$e> for $m {
                const PAIR: fn(&[$e], &[$e]) -> f32 = $module::pair;
                const SCAN: ScanFn<$e> = $module::scan;
                const GATHER: GatherFn<$e> = $module::gather;
            }
        )*};
    }

    metric! {
        f16_l2sq: f16, L2Sq, l2sq;
        f16_dot: f16, Dot, dot;
        f16_cosine: f16, Cosine, cosine;
        bf16_l2sq: bf16, L2Sq, l2sq;
        bf16_dot: bf16, Dot, dot;
        bf16_cosine: bf16, Cosine, cosine;
    }
}

macro_rules! rows {
    ($($fn:ident $entry:ident <$q:ty> $shape:ident;)*) => {$(
        /// The row of this shape.
        pub(crate) const fn $fn<O, E, M>() -> Variant<O>
        where
            E: Copy + 'static,
            M: Auto<E>,
            O: Op<Shape = crate::shape::$shape<$q, E, f32>>,
        {
            #[cfg(feature = "autovec")]
            {
                let resolve: fn(usize) -> Option<Entry<O>> = |_| Some(M::$entry);
                // SAFETY: the entries detect the level before they use it.
                unsafe { Variant::new("autovec", Level::Scalar, Technique::Autovec, resolve) }
            }
            #[cfg(not(feature = "autovec"))]
            Variant::absent("autovec", Level::Scalar, Technique::Autovec, "needs the feature `autovec`")
        }
    )*};
}

rows! {
    pair PAIR <E> Pair;
    scan SCAN <f32> Scan;
    gather GATHER <f32> Gather;
}
