//! What rows of `f16` and of `bf16` share: three metrics, computed in `f32`.
//!
//! A pair is two vectors of the rows' elements. One query against many rows is kept as `f32`: it is
//! widened once, and loses nothing.

pub(crate) mod autovec;
pub(crate) mod scalar;
pub(crate) mod simsimd;
#[cfg(feature = "testkit")]
mod subject;

use core::marker::PhantomData;

/// Types that a value is of, and holds nothing of.
type Marker<T> = PhantomData<fn() -> T>;

/// The operation of metric `M` in shape `S` on rows of `E`.
pub(crate) struct Half<E, M, S>(Marker<(E, M, S)>);

/// One operation: its coordinates and its variants.
macro_rules! half_op {
    ($e:ident $m:ident $shape:ty: $metric:literal, [$($variant:tt)*]) => {
        impl Op for Half<$e, $m, $shape> {
            type Shape = $shape;
            const ENCODING: &'static str = stringify!($e);
            const METRIC: &'static str = $metric;
            const VARIANTS: &'static [Variant<Self>] = &[$($variant)*];
        }
    };
}

/// The list of an encoding's operations.
macro_rules! half_ops {
    ($e:ident) => {
        &[
            &Erased::<Half<$e, L2Sq, Pair<$e, $e, f32>>>::new(),
            &Erased::<Half<$e, L2Sq, Scan<f32, $e, f32>>>::new(),
            &Erased::<Half<$e, L2Sq, Gather<f32, $e, f32>>>::new(),
            &Erased::<Half<$e, Dot, Pair<$e, $e, f32>>>::new(),
            &Erased::<Half<$e, Dot, Scan<f32, $e, f32>>>::new(),
            &Erased::<Half<$e, Dot, Gather<f32, $e, f32>>>::new(),
            &Erased::<Half<$e, Cosine, Pair<$e, $e, f32>>>::new(),
            &Erased::<Half<$e, Cosine, Scan<f32, $e, f32>>>::new(),
            &Erased::<Half<$e, Cosine, Gather<f32, $e, f32>>>::new(),
            &Erased::<Half<$e, Cosine, PairNorms<$e, $e, f32>>>::new(),
            &Erased::<Half<$e, Cosine, ScanNorms<f32, $e, f32>>>::new(),
            &Erased::<Half<$e, Cosine, GatherNorms<f32, $e, f32>>>::new(),
        ]
    };
}
