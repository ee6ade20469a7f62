//! Plain loops that the compiler vectorises, compiled once per target and chosen at run time by
//! the crate `multiversion`: both halves of a byte in one step, sums in plain integers.

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use crate::kernel::Technique;
    use crate::ops::plain::PairFn;

    macro_rules! rows {
        ($($name:ident $fn:ident, |$q:ident, $c:ident| $term:expr;)*) => {$(
            #[multiversion(targets = "simd")]
            fn $fn(query: &[u8], row: &[u8]) -> u32 {
                let term = |$q: u8, $c: u8| u32::from($term);
                let both = |q: u8, c: u8| term(q & 15, c & 15) + term(q >> 4, c >> 4);
                query.iter().zip(row).map(|(&q, &c)| both(q, c)).sum()
            }

            #[doc = concat!("`", stringify!($fn), "` of codes.")]
            pub(in crate::ops::int4) struct $name;

            impl PairFn for $name {
                type Query = u8;
                type Code = u8;
                type Value = u32;
                const NAME: &'static str = "autovec";
                const TECHNIQUE: Technique = Technique::Autovec;

                fn value(query: &[u8], row: &[u8]) -> u32 {
                    $fn(query, row)
                }
            }
        )*};
    }

    rows! {
        Dot dot, |q, c| q * c;
        L2Sq l2sq, |q, c| q.abs_diff(c) * q.abs_diff(c);
    }
}

#[cfg(feature = "autovec")]
pub(super) use imp::{Dot, L2Sq};

/// The row of this shape: there with the feature.
macro_rules! autovec {
    ($shape:ident, $f:ident) => {{
        #[cfg(feature = "autovec")]
        {
            crate::ops::plain::$shape::<Self, autovec::$f>()
        }
        #[cfg(not(feature = "autovec"))]
        Variant::absent(
            "autovec",
            crate::isa::Level::Scalar,
            crate::kernel::Technique::Autovec,
            "needs the feature `autovec`",
        )
    }};
    ($shape:ident norms, $f:ident) => {{
        #[cfg(feature = "autovec")]
        {
            crate::ops::plain::$shape::<Self, autovec::$f, CodeNorms>()
        }
        #[cfg(not(feature = "autovec"))]
        Variant::absent(
            "autovec",
            crate::isa::Level::Scalar,
            crate::kernel::Technique::Autovec,
            "needs the feature `autovec`",
        )
    }};
}
