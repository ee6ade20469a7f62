//! The crate `diskann-vector`: pure Rust, dispatched once, forms for common dimensions.

use super::Outsider;

#[cfg(not(feature = "rivals"))]
pub(super) const LIST: &[Outsider] = super::absent! {
    "diskann";
    "f32" "l2sq"; "f32" "dot"; "f32" "cosine";
    "f16" "l2sq"; "f16" "dot"; "f16" "cosine";
    "i8" "cosine"; "u8" "cosine";
};

#[cfg(feature = "rivals")]
pub(super) const LIST: &[Outsider] = {
    use diskann_vector::distance::{Distance, DistanceProvider, Metric};
    use half::f16;

    /// The library's kernel for a dimension.
    fn kernel<T: DistanceProvider<U>, U: 'static>(metric: Metric, dim: usize) -> Distance<T, U> {
        Distance::new(metric, Some(dim))
    }

    super::pairwise! {
        "diskann", Rival, super::PAIRWISE;
        "f32" "l2sq" <f32, f32, f32, f32> |dim| {
            let k = kernel(Metric::L2, dim);
            move |q: &[f32], r: &[f32]| k.call(q, r)
        };
        "f32" "dot" <f32, f32, f32, f32> |dim| {
            let k = kernel(Metric::InnerProduct, dim);
            move |q: &[f32], r: &[f32]| -k.call(q, r)
        };
        "f32" "cosine" <f32, f32, f32, f32> |dim| {
            let k = kernel(Metric::Cosine, dim);
            move |q: &[f32], r: &[f32]| k.call(q, r)
        };
    }
};
