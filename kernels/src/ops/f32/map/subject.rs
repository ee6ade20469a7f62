//! How the test kit tries these operations: the truth is computed in `f64`.

use super::{Axpy, Fma, Residual, Scale, Sub, WeightedSum};
use crate::kernel::Bound;
use crate::layout::LayoutError;
use crate::shape::{Map1, Map2, Map3, Update};
use crate::testkit::bounds::Expected;
use crate::testkit::cases::{Element, Family, Recipe};
use crate::testkit::trial::{
    CombineOperands, EdgeOperands, MapOperands, MapSubject, Subject, sum_of,
};

/// One operation, one rounding: rounding the `f64` result, which has more than twice the digits,
/// gives the same bits.
fn rounded(value: f64) -> (Expected, f64) {
    let truth = if value.is_nan() { Expected::Nan } else { Expected::Exactly(value as f32) };
    (truth, 0.0)
}

/// A product and a sum, in one rounding or two.
fn fused([a, b, c]: [f32; 3]) -> (Expected, f64) {
    let (product, c) = (f64::from(a) * f64::from(b), f64::from(c));
    let scale = product.abs() + c.abs();
    (sum_of(2, product + c, scale), scale)
}

macro_rules! maps {
    ($($op:ident $shape:ident $inputs:literal $in_place:literal
       |$x:ident, $k:ident| $truth:expr, |$bound:ident, $v:ident, $out:ident| $call:expr;)*) => {$(
        impl MapSubject for $op {
            const INPUTS: usize = $inputs;
            const IN_PLACE: bool = $in_place;

            fn truth($x: [f32; 3], $k: f32) -> (Expected, f64) {
                let _ = $k;
                $truth
            }

            fn call($bound: &Bound<$shape>, $v: [&[f32]; 3], $k: f32, $out: &mut [f32]) {
                let _ = $k;
                $call
            }
        }
    )*};
}

maps! {
    Sub Map2 2 false |x, k| rounded(f64::from(x[0]) - f64::from(x[1])),
        |bound, v, out| bound.call(v[0], v[1], out);
    Scale Map1 1 false |x, k| rounded(f64::from(x[0]) * f64::from(k)),
        |bound, v, out| bound.call(v[0], k, out);
    Fma Map3 3 false |x, k| fused(x), |bound, v, out| bound.call(v[0], v[1], v[2], out);
    Axpy Update 2 true |x, k| fused([k, x[0], x[1]]), |bound, v, out| bound.call(k, v[0], out);
}

macro_rules! subjects {
    ($($op:ident $operands:ident $vectors:literal |$recipe:ident| $new:expr;)*) => {$(
        impl Subject for $op {
            const FAMILIES: &'static [Family] = <f32 as Element>::FAMILIES;
            type Operands = $operands;

            fn operands($recipe: &Recipe) -> Result<$operands, LayoutError> {
                $new
            }

            fn row_bytes(dim: usize) -> usize {
                // The output counts: it, too, lies in the cache.
                $vectors * dim * size_of::<f32>()
            }
        }
    )*};
}

subjects! {
    Sub MapOperands 3 |recipe| MapOperands::new::<Self>(recipe);
    Scale MapOperands 2 |recipe| MapOperands::new::<Self>(recipe);
    Fma MapOperands 4 |recipe| MapOperands::new::<Self>(recipe);
    Axpy MapOperands 2 |recipe| MapOperands::new::<Self>(recipe);
    WeightedSum CombineOperands 1 |recipe| CombineOperands::new(recipe);
    Residual EdgeOperands 1 |recipe| EdgeOperands::new(recipe);
}
