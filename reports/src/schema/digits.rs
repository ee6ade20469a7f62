//! Figures are written with six significant digits.

use serde::{Serialize as _, Serializer};

/// `x` with six significant digits; infinities and NaN pass through.
pub fn round_figure(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    // The shortest decimal text is exact to parse back; powers of ten are not exact to multiply by.
    format!("{x:.5e}").parse().unwrap_or(x)
}

pub(super) fn figure<S: Serializer>(x: &f64, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_f64(round_figure(*x))
}

pub(super) fn maybe<S: Serializer>(x: &Option<f64>, s: S) -> Result<S::Ok, S::Error> {
    x.map(round_figure).serialize(s)
}

pub(super) fn list<S: Serializer>(x: &[f64], s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(x.iter().map(|v| round_figure(*v)))
}

#[cfg(test)]
mod tests {
    use super::round_figure;

    #[test]
    fn rounds_to_six_digits_and_keeps_the_rest() {
        assert_eq!(round_figure(1.234_567_89), 1.234_57);
        assert_eq!(round_figure(-987_654_321.0), -987_654_000.0);
        assert_eq!(round_figure(0.0), 0.0);
        assert_eq!(round_figure(1e-310), 1e-310);
        assert_eq!(round_figure(f64::MAX), 1.797_69e308);
        assert!(round_figure(f64::NAN).is_nan());
        assert_eq!(round_figure(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn rounding_twice_changes_nothing() {
        for x in [1.0 / 3.0, 2.0e-9 / 7.0, 1e15 / 9.0] {
            assert_eq!(round_figure(round_figure(x)), round_figure(x));
        }
    }
}
