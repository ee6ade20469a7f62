//! Judging a batch: every value against the oracle, within its bound.

use core::fmt;

use super::bounds::{Expected, UNIT_ROUNDOFF, expected};
use super::oracle::exact;
use crate::kernel::{AnyOp, Runner};
use crate::shape::Batch;

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
    pub found: f32,
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

/// Runs `runner` on `batch` into `out` and judges every value by the metric of `op`.
///
/// # Errors
/// The first value that is out of its bound.
///
/// # Panics
/// As the kernel: on lengths that do not fit each other.
pub fn verify_batch(
    op: &dyn AnyOp,
    runner: &dyn Runner,
    batch: &Batch<'_>,
    out: &mut Vec<f32>,
) -> Result<Report, Failure> {
    let scan = op.shape().starts_with("scan");
    let outputs = if scan { batch.rows.len() } else { batch.ids.len() };
    out.clear();
    // A value that no kernel returns by chance: an output that was never written is caught.
    out.resize(outputs, -12_345.678);
    runner.run(batch, out);
    let cached = op.shape().ends_with("_norms");
    let dim = batch.rows.dim();
    let mut report = Report::default();
    for (output, &found) in out.iter().enumerate() {
        let row = if scan { output } else { batch.ids[output] as usize };
        let truth = exact(op.metric(), batch.query, batch.rows.row(row));
        let fail = |expected: String| Failure { op: op.path(), dim, output, found, expected };
        let ok = match expected(op.metric(), dim, &truth, cached) {
            Expected::Within { value, error } => {
                let off = (f64::from(found) - value).abs();
                if off.is_nan() || off > error {
                    return Err(fail(format!("{value:e} within {error:e}")));
                }
                if truth.scale > 0.0 {
                    let ulp = off / (truth.scale * UNIT_ROUNDOFF);
                    report.max_error_ulp = report.max_error_ulp.max(ulp);
                }
                true
            }
            Expected::Infinity => found == f32::INFINITY,
            Expected::MinusInfinity => found == f32::NEG_INFINITY,
            Expected::Nan => found.is_nan(),
            Expected::Exactly(value) => found.to_bits() == value.to_bits(),
            Expected::Anything => {
                report.unchecked += 1;
                continue;
            }
        };
        if !ok {
            return Err(fail(format!("{:?}", expected(op.metric(), dim, &truth, cached))));
        }
        report.values += 1;
    }
    Ok(report)
}
