//! How far from the truth a kernel may be: bounds that hold for every order of summation, with or
//! without fused multiply-add (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).

use super::oracle::Exact;

/// Half the distance from 1 to the next `f32`.
pub const UNIT_ROUNDOFF: f64 = 1.0 / 16_777_216.0;

/// The smallest positive `f32`: what a product may lose when it underflows.
const TINY: f64 = 1.401_298_464_324_817e-45;

/// `n u / (1 - n u)`: the relative error of `n` roundings in a row, at most.
#[must_use]
pub fn gamma(n: usize) -> f64 {
    let nu = n as f64 * UNIT_ROUNDOFF;
    nu / (1.0 - nu)
}

/// What a kernel must return for a pair whose exact value is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Expected {
    /// A value within `error` of `value`.
    Within { value: f64, error: f64 },
    /// Plus infinity.
    Infinity,
    /// Minus infinity.
    MinusInfinity,
    /// NaN.
    Nan,
    /// Exactly this.
    Exactly(f32),
    /// The metric promises nothing: intermediate sums leave the range of `f32`.
    Anything,
}

/// The expectation for `metric` over `n` elements. `cached` norms add their own rounding.
pub(crate) fn expected(metric: &str, n: usize, exact: &Exact, cached: bool) -> Expected {
    let max = f64::from(f32::MAX);
    let value = exact.value;
    if metric == "cosine" {
        let [xx, yy] = exact.norms_sq;
        if !(xx.is_finite() && yy.is_finite()) {
            return Expected::Nan;
        }
        if xx == 0.0 || yy == 0.0 {
            return Expected::Exactly(1.0);
        }
        // Below `n` times the smallest normal number, underflow of single squares is no longer
        // covered by the relative bound.
        let low = n as f64 * f64::from(f32::MIN_POSITIVE);
        let high = max * (1.0 - 2.0 * gamma(n + 4));
        if xx.min(yy) < low || xx.max(yy) > high {
            return Expected::Anything;
        }
        let norms = if cached { 6.0 * UNIT_ROUNDOFF } else { 0.0 };
        return Expected::Within { value, error: 2.0 * gamma(n + 4) + norms };
    }
    if value.is_nan() || exact.scale.is_nan() {
        return Expected::Nan;
    }
    if value.is_infinite() {
        return if value > 0.0 { Expected::Infinity } else { Expected::MinusInfinity };
    }
    let relative = match metric {
        "linf" => gamma(1),
        "l2sq" => gamma(n + 2),
        _ => gamma(n),
    };
    if exact.scale * (1.0 + 2.0 * relative) > max {
        // Positive sums beyond the range must say so; a sum that may cancel promises nothing.
        let beyond = metric != "dot" && value > max * (1.0 + 2.0 * relative);
        return if beyond { Expected::Infinity } else { Expected::Anything };
    }
    Expected::Within { value, error: relative * exact.scale + n as f64 * TINY }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::oracle::exact;

    #[test]
    fn expectations_follow_the_elements() {
        let huge = [f32::MAX, f32::MAX];
        let expect =
            |metric, a: &[f32], b: &[f32]| expected(metric, a.len(), &exact(metric, a, b), false);
        assert_eq!(expect("l2sq", &huge, &[0.0, 0.0]), Expected::Infinity);
        assert_eq!(expect("dot", &huge, &[f32::MAX, -f32::MAX]), Expected::Anything);
        assert_eq!(expect("l1", &[f32::NAN], &[0.0]), Expected::Nan);
        assert_eq!(expect("l1", &[f32::INFINITY], &[0.0]), Expected::Infinity);
        assert_eq!(expect("dot", &[f32::INFINITY], &[-1.0]), Expected::MinusInfinity);
        assert_eq!(expect("cosine", &[0.0], &[5.0]), Expected::Exactly(1.0));
        assert_eq!(expect("cosine", &[f32::INFINITY], &[5.0]), Expected::Nan);
        assert!(matches!(expect("l2sq", &[1.0], &[3.0]), Expected::Within { value: 4.0, .. }));
    }
}
