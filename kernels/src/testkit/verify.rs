//! Judging values: each against the oracle, within its bound.

use core::fmt;

use super::bounds::{Expected, UNIT_ROUNDOFF};

/// What a verified batch showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Report {
    /// Values compared with a bound.
    pub values: usize,
    /// Values for which the metric promises nothing (intermediate overflow).
    pub unchecked: usize,
    /// The largest error, in units of `2^-24` times the sum of the absolute terms: for sums of
    /// positive terms the relative error in those units.
    pub max_error_ulp: f64,
}

impl Report {
    /// Takes another batch into account.
    pub fn merge(&mut self, other: &Self) {
        self.values += other.values;
        self.unchecked += other.unchecked;
        self.max_error_ulp = self.max_error_ulp.max(other.max_error_ulp);
    }
}

/// A value that is not what it must be.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The operation.
    pub op: String,
    /// Elements of a vector.
    pub dim: usize,
    /// Which output of the batch.
    pub output: usize,
    /// What the kernel returned.
    pub found: f64,
    /// What was expected, in words.
    pub expected: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at dim {}: output {} is {:e}, expected {}",
            self.op, self.dim, self.output, self.found, self.expected
        )
    }
}

impl core::error::Error for Failure {}

/// What a kernel returns.
pub trait Value: Copy + PartialEq + fmt::Debug + 'static {
    /// A value that no kernel returns by chance: an output that was never written is caught.
    const SPOILT: Self;
    /// The same number.
    fn to_f64(self) -> f64;
}

impl Value for f32 {
    const SPOILT: Self = -12_345.678;
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Value for i32 {
    const SPOILT: Self = -1_234_567_891;
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Value for u32 {
    const SPOILT: Self = 3_987_654_321;
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

/// Judges one value, and counts it.
///
/// # Errors
/// What was expected, in words.
pub(crate) fn judge_value(
    found: impl Value,
    expected: &Expected,
    scale: f64,
    report: &mut Report,
) -> Result<(), String> {
    let value_found = found.to_f64();
    let ok = match *expected {
        Expected::Within { value, error } => {
            let off = (value_found - value).abs();
            if off.is_nan() || off > error {
                return Err(format!("{value:e} within {error:e}"));
            }
            if scale > 0.0 {
                report.max_error_ulp = report.max_error_ulp.max(off / (scale * UNIT_ROUNDOFF));
            }
            true
        }
        Expected::Infinity => value_found == f64::INFINITY,
        Expected::MinusInfinity => value_found == f64::NEG_INFINITY,
        Expected::Nan => value_found.is_nan(),
        Expected::Exactly(value) => value_found.to_bits() == f64::from(value).to_bits(),
        Expected::Anything => {
            report.unchecked += 1;
            return Ok(());
        }
    };
    if !ok {
        return Err(format!("{expected:?}"));
    }
    report.values += 1;
    Ok(())
}
