//! Tables by loops that the compiler vectorises, once per target, chosen at run time by
//! `multiversion`: a centroid a lane, sums in memory.

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use crate::shape::Codebook;

    macro_rules! tables {
        ($($name:ident $k:literal |$q:ident, $c:ident| $term:expr;)*) => {$(
            #[multiversion(targets = "simd")]
            pub(crate) fn $name(query: &[f32], book: Codebook<'_, $k>, out: &mut [[f32; $k]]) {
                let parts = query.chunks(book.dsub()).zip(book.sub_spaces());
                for (out, (query, elements)) in out.iter_mut().zip(parts) {
                    out.fill(0.0);
                    for (&$q, centroids) in query.iter().zip(elements) {
                        for (o, &$c) in out.iter_mut().zip(centroids) {
                            *o += $term;
                        }
                    }
                }
            }
        )*};
    }

    tables! {
        l2sq_16 16 |q, c| (q - c) * (q - c);
        l2sq_256 256 |q, c| (q - c) * (q - c);
        dot_16 16 |q, c| q * c;
        dot_256 256 |q, c| q * c;
    }
}

#[cfg(feature = "autovec")]
pub(super) use imp::{dot_16, dot_256, l2sq_16, l2sq_256};

/// The row, or why there is none.
macro_rules! autovec {
    ($entry:ident) => {{
        #[cfg(feature = "autovec")]
        let row =
            crate::ops::pq::variants::row!("autovec", Autovec, crate::ops::pq::autovec::$entry);
        #[cfg(not(feature = "autovec"))]
        let row = crate::kernel::Variant::absent(
            "autovec",
            crate::isa::Level::Scalar,
            crate::kernel::Technique::Autovec,
            "needs the feature `autovec`",
        );
        row
    }};
}
pub(super) use autovec;
