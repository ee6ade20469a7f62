//! Vectors from vectors: differences, multiples, weighted sums, and the energies of a graph's
//! edges. `README.md` beside this file has the formulas and the costs.
//!
//! The loops are in [`crate::loops::map`] and [`crate::loops::edges`]; `variants.rs` stamps out the
//! rows of each level and technique.

mod autovec;
mod scalar;
mod simsimd;
#[cfg(feature = "testkit")]
mod subject;
mod variants;

use crate::kernel::{Op, Variant};
use crate::shape::{Combine, Edges, Map1, Map2, Map3, Update};
use variants::{avx2, avx512, neon, pulp_neon, pulp_v3, pulp_v4, simd128, sse42, wide};

macro_rules! ops {
    ($($(#[$doc:meta])* $op:ident, $metric:literal, $shape:ty, [$($variant:expr),* $(,)?];)*) => {$(
        $(#[$doc])*
        pub(crate) struct $op;

        impl Op for $op {
            type Shape = $shape;
            const ENCODING: &'static str = "f32";
            const METRIC: &'static str = $metric;
            const VARIANTS: &'static [Variant<Self>] = &[$($variant),*];
        }
    )*};
}

ops! {
    /// `a - b`.
    Sub, "sub", Map2, [
        scalar::sub(), autovec::sub(), pulp_v3::sub(), pulp_v4::sub(), pulp_neon::sub(),
        wide::sub(), simsimd::sub(), sse42::sub(), avx2::sub(), avx512::sub(), neon::sub(),
        simd128::sub(),
    ];
    /// `a * k`.
    Scale, "scale", Map1, [
        scalar::scale(), autovec::scale(), pulp_v3::scale(), pulp_v4::scale(), pulp_neon::scale(),
        wide::scale(), sse42::scale(), avx2::scale(), avx512::scale(), neon::scale(),
        simd128::scale(),
    ];
    /// `a * b + c`.
    Fma, "fma", Map3, [
        scalar::fma(), autovec::fma(), pulp_v3::fma(), pulp_v4::fma(), pulp_neon::fma(),
        wide::fma(), simsimd::fma(), sse42::fma(), avx2::fma(), avx512::fma(), neon::fma(),
        simd128::fma(),
    ];
    /// `y + k * x`, in place.
    Axpy, "axpy", Update, [
        scalar::axpy(), autovec::axpy(), pulp_v3::axpy(), pulp_v4::axpy(), pulp_neon::axpy(),
        wide::axpy(), sse42::axpy(), avx2::axpy(), avx512::axpy(), neon::axpy(), simd128::axpy(),
    ];
    /// The sum of rows with a weight each.
    WeightedSum, "weighted_sum", Combine, [
        scalar::weighted_sum(), autovec::weighted_sum(), pulp_v3::weighted_sum(),
        pulp_v4::weighted_sum(), pulp_neon::weighted_sum(), wide::weighted_sum(),
        sse42::weighted_sum(), sse42::weighted_sum_by_rows(), avx2::weighted_sum(),
        avx2::weighted_sum_by_rows(), avx512::weighted_sum(), avx512::weighted_sum_x16(),
        avx512::weighted_sum_by_rows(), neon::weighted_sum(), neon::weighted_sum_x16(),
        neon::weighted_sum_by_rows(), simd128::weighted_sum(), simd128::weighted_sum_by_rows(),
    ];
    /// A weight times the squared distance of an edge's two rows.
    Residual, "residual", Edges, [
        scalar::residual(), autovec::residual(), pulp_v3::residual(), pulp_v4::residual(),
        pulp_neon::residual(), wide::residual(), simsimd::residual(), sse42::residual(),
        sse42::residual_pf4(), avx2::residual(), avx2::residual_pf4(), avx512::residual(),
        avx512::residual_pf4(), neon::residual(), neon::residual_pf4(), simd128::residual(),
    ];
}
