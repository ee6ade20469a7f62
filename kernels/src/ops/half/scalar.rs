//! Plain loops in the order of the elements, each widened by the crate `half`.

use super::Marker;
use crate::kernel::Technique;
use crate::ops::f32::metric::{Cosine, Dot, L2Sq, distance};
use crate::ops::plain::PairFn;

/// A metric element by element.
pub(crate) trait Plain: 'static {
    /// The value.
    fn value<Q: Into<f32> + Copy, C: Into<f32> + Copy>(query: &[Q], row: &[C]) -> f32;
}

impl Plain for L2Sq {
    fn value<Q: Into<f32> + Copy, C: Into<f32> + Copy>(query: &[Q], row: &[C]) -> f32 {
        let mut sum = 0.0;
        for (&x, &y) in query.iter().zip(row) {
            let difference = x.into() - y.into();
            sum += difference * difference;
        }
        sum
    }
}

impl Plain for Dot {
    fn value<Q: Into<f32> + Copy, C: Into<f32> + Copy>(query: &[Q], row: &[C]) -> f32 {
        let mut sum = 0.0;
        for (&x, &y) in query.iter().zip(row) {
            sum += x.into() * y.into();
        }
        sum
    }
}

impl Plain for Cosine {
    fn value<Q: Into<f32> + Copy, C: Into<f32> + Copy>(query: &[Q], row: &[C]) -> f32 {
        let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
        for (&x, &y) in query.iter().zip(row) {
            let (x, y): (f32, f32) = (x.into(), y.into());
            xy += x * y;
            xx += x * x;
            yy += y * y;
        }
        distance(xy, xx, yy)
    }
}

/// Metric `M` of a query of `Q` and a row of `E`.
pub(crate) struct Scalar<M, Q, E>(Marker<(M, Q, E)>);

impl<M, Q, E> PairFn for Scalar<M, Q, E>
where
    M: Plain,
    Q: Into<f32> + Copy + 'static,
    E: Into<f32> + Copy + 'static,
{
    type Query = Q;
    type Code = E;
    type Value = f32;
    const NAME: &'static str = "scalar";
    const TECHNIQUE: Technique = Technique::Scalar;

    fn value(query: &[Q], row: &[E]) -> f32 {
        M::value(query, row)
    }
}
