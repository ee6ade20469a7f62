//! Why vectors cannot be encoded.

use std::fmt;

use annvil_kernels::{BindError, LayoutError};

use crate::metric::Metric;

/// An encoding that cannot be had, or not be learnt from these rows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EncodingError {
    /// No kernel compares rows of the encoding by the metric.
    NoKernel {
        /// The metric.
        metric: Metric,
        /// The encoding.
        encoding: &'static str,
    },
    /// Nothing to learn from.
    NoRows,
    /// A row with a NaN or an infinity.
    NotFinite {
        /// Row number from 0.
        row: usize,
        /// Position from 0.
        position: usize,
        /// What stands there.
        value: f32,
    },
    /// A share that is none, or leaves nothing.
    Clip {
        /// As given.
        clip: f32,
    },
    /// What was learnt is for vectors of another dimension.
    RangeDim {
        /// The dimension of the rows.
        expected: usize,
        /// That of what was learnt.
        found: usize,
    },
    /// Sums of so many products do not fit 32 bits.
    TooWide {
        /// The encoding.
        encoding: &'static str,
        /// Elements of a vector.
        dim: usize,
        /// How many there may be.
        most: usize,
    },
    /// Bytes that are not what the encoding learnt.
    Learnt {
        /// The encoding.
        encoding: &'static str,
    },
    /// A product quantiser cannot be had.
    #[cfg(feature = "pq")]
    Pq(crate::quant::PqError),
    /// Too little memory, or rows of no element.
    Layout(LayoutError),
    /// A forced kernel is unknown or not of this CPU.
    Kernel(BindError),
}

impl fmt::Display for EncodingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKernel { metric, encoding } => write!(
                f,
                "rows of {encoding} are not compared by {metric}; f32 is, or take another metric"
            ),
            Self::NoRows => f.write_str("no rows to learn the encoding from; give some"),
            Self::NotFinite { row, position, value } => write!(
                f,
                "row {row}, position {position}: {value} is not a finite number; remove the row or \
                 replace the value"
            ),
            Self::Clip { clip } => write!(f, "a clip of {clip}; give a share from 0 to below 0.5"),
            Self::RangeDim { expected, found } => write!(
                f,
                "the encoding was learnt from vectors of {found} elements and the rows have {expected}"
            ),
            Self::Learnt { encoding } => {
                write!(f, "what is given is not what rows of {encoding} learn; learn it again")
            }
            Self::TooWide { encoding, dim, most } => write!(
                f,
                "vectors of {dim} elements in {encoding}, which takes {most}; take f16 or f32, or fewer \
                 dimensions"
            ),
            #[cfg(feature = "pq")]
            Self::Pq(e) => e.fmt(f),
            Self::Layout(e) => e.fmt(f),
            Self::Kernel(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for EncodingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "pq")]
            Self::Pq(e) => Some(e),
            Self::Layout(e) => Some(e),
            Self::Kernel(e) => Some(e),
            _ => None,
        }
    }
}

impl From<LayoutError> for EncodingError {
    fn from(e: LayoutError) -> Self {
        Self::Layout(e)
    }
}

impl From<BindError> for EncodingError {
    fn from(e: BindError) -> Self {
        Self::Kernel(e)
    }
}

#[cfg(feature = "pq")]
impl From<crate::quant::PqError> for EncodingError {
    fn from(e: crate::quant::PqError) -> Self {
        Self::Pq(e)
    }
}
