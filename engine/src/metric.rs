//! Distances as a user sees them, and the one place where a kernel's value becomes one.

use std::fmt;
use std::str::FromStr;

use annvil_kernels::BindError;

/// How near two vectors are. Every distance is smaller for a nearer vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Euclidean: the root of the sum of squared differences. At least 0.
    L2,
    /// The negated inner product. Any sign.
    Dot,
    /// 1 - cos, in 0..=2; exactly 1 when either vector is all zero.
    Cosine,
    /// The sum of absolute differences. At least 0.
    L1,
    /// The largest absolute difference. At least 0.
    Linf,
    /// The number of elements of which one is above 0 and the other is not.
    Hamming,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 6] =
        [Self::L2, Self::Dot, Self::Cosine, Self::L1, Self::Linf, Self::Hamming];
    /// The metrics of numbers: those that rows of `f32` are compared by.
    pub const DENSE: [Self; 5] = [Self::L2, Self::Dot, Self::Cosine, Self::L1, Self::Linf];

    /// The name used on command lines and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::Dot => "dot",
            Self::Cosine => "cosine",
            Self::L1 => "l1",
            Self::Linf => "linf",
            Self::Hamming => "hamming",
        }
    }

    /// The kernels that compute this metric's values of rows of `f32`; cosine's is the inner product
    /// of unit vectors. Signs are compared as bits.
    pub(crate) fn kernel(self) -> Result<annvil_kernels::Metric, BindError> {
        Ok(match self {
            Self::L2 => annvil_kernels::Metric::L2Sq,
            Self::Dot | Self::Cosine => annvil_kernels::Metric::Dot,
            Self::L1 => annvil_kernels::Metric::L1,
            Self::Linf => annvil_kernels::Metric::Linf,
            Self::Hamming => {
                return Err(BindError::UnknownOp { path: "f32/hamming/scan".to_owned() });
            }
        })
    }

    /// Turns kernel values into ranks, in place: what is compared while searching. Smaller is
    /// nearer, in the same order as [`Metric::distance`], without its roots.
    pub(crate) fn rank(self, values: &mut [f32]) {
        match self {
            Self::Dot => values.iter_mut().for_each(|v| *v = -*v),
            // Rounding may leave a value just outside the range that the metric has.
            Self::Cosine => values.iter_mut().for_each(|v| *v = (1.0 - *v).clamp(0.0, 2.0)),
            Self::L2 | Self::L1 | Self::Linf | Self::Hamming => {}
        }
    }

    /// Turns a rank into the distance that is returned; called for the k results only.
    pub(crate) fn distance(self, rank: f32) -> f32 {
        match self {
            Self::L2 => rank.sqrt(),
            Self::Dot | Self::Cosine | Self::L1 | Self::Linf | Self::Hamming => rank,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no metric's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMetric;

impl fmt::Display for UnknownMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown metric; give one of l2, dot, cosine, l1, linf, hamming")
    }
}

impl std::error::Error for UnknownMetric {}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(name: &str) -> Result<Self, UnknownMetric> {
        Self::ALL.into_iter().find(|m| m.name() == name).ok_or(UnknownMetric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smaller_is_nearer() {
        let mut dots = [1.0, -2.0, 3.0];
        Metric::Dot.rank(&mut dots);
        assert_eq!(dots, [-1.0, 2.0, -3.0]);
        let mut cosines = [1.000_000_2, 0.5, 0.0, -1.000_000_2];
        Metric::Cosine.rank(&mut cosines);
        assert_eq!(cosines, [0.0, 0.5, 1.0, 2.0]);
        assert_eq!(Metric::L2.distance(9.0), 3.0);
        assert_eq!(Metric::Dot.distance(-9.0), -9.0);
    }

    #[test]
    fn names_come_back() {
        for metric in Metric::ALL {
            assert_eq!(metric.name().parse(), Ok(metric));
        }
        assert_eq!("l2sq".parse::<Metric>(), Err(UnknownMetric));
    }
}
