//! The best of many scores: the k smallest, and the smallest. `README.md` beside this file has the
//! method and the costs.

mod autovec;
mod scalar;
#[cfg(feature = "testkit")]
mod subject;
mod variants;

use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::shape::{Argmin, Select};
use variants::{avx2, avx512, neon, simd128, sse42};

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[&Erased::<KSmallest>::new(), &Erased::<Smallest>::new()];

/// The k smallest scores; the dimension is k.
pub(crate) struct KSmallest;

impl Op for KSmallest {
    type Shape = Select;
    const ENCODING: &'static str = "scores";
    const METRIC: &'static str = "topk";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::all(),
        scalar::heap(),
        autovec::select(),
        sse42::select(),
        sse42::select_sampled(),
        avx2::select(),
        avx2::select_sampled(),
        avx512::select(),
        avx512::select_sampled(),
        neon::select(),
        neon::select_sampled(),
        simd128::select(),
        simd128::select_sampled(),
    ];
}

/// The smallest score; the dimension is their number.
pub(crate) struct Smallest;

impl Op for Smallest {
    type Shape = Argmin;
    const ENCODING: &'static str = "scores";
    const METRIC: &'static str = "min";
    const VARIANTS: &'static [Variant<Self>] = &[
        scalar::argmin_row(),
        autovec::argmin(),
        sse42::argmin(),
        avx2::argmin(),
        avx512::argmin(),
        neon::argmin(),
        simd128::argmin(),
    ];
}
