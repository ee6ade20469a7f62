//! The crate `diskann-vector`: pure Rust, dispatched once, forms for common dimensions.
//!
//! It returns integers as `f32`, which holds them up to 2^24: beyond the dimensions stated here a
//! sum of products of bytes may be larger.

use super::{MANY, Outsider, PAIRS, PAIRWISE};

#[cfg(not(feature = "rivals"))]
pub(super) static LISTS: &[&[Outsider]] = &[
    super::absent! {
        "diskann", PAIRWISE;
        "f32" "l2sq"; "f32" "dot"; "f32" "cosine";
        "i8" "l2sq"; "i8" "dot"; "i8" "cosine";
        "u8" "l2sq"; "u8" "dot"; "u8" "cosine";
    },
    super::absent! { "diskann", PAIRS; "f16" "l2sq"; "f16" "dot"; "f16" "cosine"; },
    super::absent! { "diskann", MANY; "f16" "l2sq"; "f16" "dot"; "f16" "cosine"; },
];

#[cfg(feature = "rivals")]
pub(super) static LISTS: &[&[Outsider]] = {
    use diskann_vector::distance::{Distance, DistanceProvider, Metric};
    use half::f16;

    /// The library's kernel for a dimension; its inner product is negated.
    fn kernel<T: DistanceProvider<U>, U: 'static>(metric: Metric, dim: usize) -> Distance<T, U> {
        Distance::new(metric, Some(dim))
    }

    /// A row: the library's function of a metric, and what becomes of its value.
    macro_rules! row {
        ($metric:ident, $q:ty, $c:ty, $dim:ident, $value:expr) => {{
            let k = kernel::<$q, $c>(Metric::$metric, $dim);
            move |q: &[$q], r: &[$c]| $value(k.call(q, r))
        }};
    }

    &[
        super::pairwise! {
            "diskann", Rival, PAIRWISE;
            "f32" "l2sq" <f32, f32, f32> |dim| row!(L2, f32, f32, dim, |v| v);
            "f32" "dot" <f32, f32, f32> |dim| row!(InnerProduct, f32, f32, dim, |v: f32| -v);
            "f32" "cosine" <f32, f32, f32> |dim| row!(Cosine, f32, f32, dim, |v| v);
            "i8" "l2sq" <i8, i8, u32> to 768 |dim| row!(L2, i8, i8, dim, |v| v as u32);
            "i8" "dot" <i8, i8, i32> to 768
                |dim| row!(InnerProduct, i8, i8, dim, |v: f32| -v as i32);
            "i8" "cosine" <i8, i8, f32> to 768 |dim| row!(Cosine, i8, i8, dim, |v| v);
            "u8" "l2sq" <u8, u8, u32> to 768 |dim| row!(L2, u8, u8, dim, |v| v as u32);
            "u8" "dot" <u8, u8, u32> to 768
                |dim| row!(InnerProduct, u8, u8, dim, |v: f32| -v as u32);
            "u8" "cosine" <u8, u8, f32> to 768 |dim| row!(Cosine, u8, u8, dim, |v| v);
        },
        super::pairwise! {
            "diskann", Rival, PAIRS;
            "f16" "l2sq" <f16, f16, f32> |dim| row!(L2, f16, f16, dim, |v| v);
            "f16" "dot" <f16, f16, f32> |dim| row!(InnerProduct, f16, f16, dim, |v: f32| -v);
            "f16" "cosine" <f16, f16, f32> |dim| row!(Cosine, f16, f16, dim, |v| v);
        },
        super::pairwise! {
            "diskann", Rival, MANY;
            "f16" "l2sq" <f32, f16, f32> |dim| row!(L2, f32, f16, dim, |v| v);
            "f16" "dot" <f32, f16, f32> |dim| row!(InnerProduct, f32, f16, dim, |v: f32| -v);
            "f16" "cosine" <f32, f16, f32> |dim| row!(Cosine, f32, f16, dim, |v| v);
        },
    ]
};
