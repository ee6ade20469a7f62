//! Why a quantiser is not trained, or not taken.

use std::fmt;

use annvil_kernels::{BindError, LayoutError};

use crate::metric::Metric;

/// Rows or options that give no centroids.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TrainError {
    /// No centroid is asked for.
    NoCentroids,
    /// Fewer rows than centroids.
    TooFewRows {
        /// Rows given, or taken as a sample.
        rows: usize,
        /// Centroids asked for.
        k: usize,
    },
    /// More rows than row numbers can name.
    TooManyRows {
        /// Rows given.
        rows: usize,
    },
    /// A NaN or an infinity.
    NotFinite {
        /// Row number from 0.
        row: usize,
        /// Position in the row, from 0.
        position: usize,
        /// What stands there.
        value: f32,
    },
    /// Squared distances leave `f32`.
    Overflow {
        /// The first element of the part of the rows where they do.
        position: usize,
    },
    /// A tolerance that is negative or no number.
    Tolerance {
        /// As given.
        tolerance: f64,
    },
    /// Too little memory, or rows of no element.
    Layout(LayoutError),
    /// No kernel can be had: a forced one is unknown or not of this CPU.
    Kernel(BindError),
}

impl fmt::Display for TrainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCentroids => write!(f, "k is 0; ask for at least one centroid"),
            Self::TooFewRows { rows, k } => write!(
                f,
                "{rows} training rows for {k} centroids; give at least {k}, better 40 times as many"
            ),
            Self::TooManyRows { rows } => write!(
                f,
                "{rows} training rows are more than row numbers can name ({}); set a sample size",
                u32::MAX
            ),
            Self::NotFinite { row, position, value } => write!(
                f,
                "training row {row}, position {position}: {value} is not a finite number; remove \
                 the row or replace the value"
            ),
            Self::Overflow { position } => write!(
                f,
                "squared distances of the elements from {position} on leave f32; scale the vectors \
                 down"
            ),
            Self::Tolerance { tolerance } => {
                write!(f, "a tolerance of {tolerance}; give 0 or a small positive number")
            }
            Self::Layout(e) => write!(f, "{e}"),
            Self::Kernel(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for TrainError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Layout(e) => Some(e),
            Self::Kernel(e) => Some(e),
            _ => None,
        }
    }
}

impl From<LayoutError> for TrainError {
    fn from(e: LayoutError) -> Self {
        Self::Layout(e)
    }
}

impl From<crate::mem::ArenaError> for TrainError {
    fn from(e: crate::mem::ArenaError) -> Self {
        Self::Layout(e.into())
    }
}

impl From<BindError> for TrainError {
    fn from(e: BindError) -> Self {
        Self::Kernel(e)
    }
}

/// A product quantiser that cannot be had.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum PqError {
    /// A code has neither 4 nor 8 bits.
    Bits {
        /// As given.
        nbits: u8,
    },
    /// Vectors cannot be cut into as many sub-spaces of equal length, the last one shorter.
    Parts {
        /// Elements of a vector.
        dim: usize,
        /// Sub-spaces asked for.
        m: usize,
        /// The nearest number below `m` that works; 0 if none does.
        instead: usize,
    },
    /// A metric that is no sum over sub-spaces which a table of centroids could hold.
    Metric {
        /// As given.
        metric: Metric,
    },
    /// Distances between codes are there for codes of 8 bits only, in up to 256 sub-spaces.
    NoSdc {
        /// Bits of a code.
        nbits: u8,
        /// Sub-spaces.
        m: usize,
    },
    /// A centroid that is not finite, in a codebook that was given.
    NotFinite {
        /// Where in the codebook.
        position: usize,
    },
    /// The codebook could not be trained.
    Train(TrainError),
    /// Too little memory, or a codebook of another size.
    Layout(LayoutError),
    /// No kernel can be had.
    Kernel(BindError),
}

impl fmt::Display for PqError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bits { nbits } => write!(f, "codes of {nbits} bits; choose 4 or 8"),
            Self::Parts { dim, m, instead: 0 } => {
                write!(f, "{dim} elements cannot be cut into {m} sub-spaces; choose m in 1..={dim}")
            }
            Self::Parts { dim, m, instead } => write!(
                f,
                "{dim} elements cannot be cut into {m} sub-spaces of which only the last is \
                 shorter; choose m = {instead}"
            ),
            Self::Metric { metric } => {
                write!(f, "product quantisation has no {metric}; choose l2, dot or cosine")
            }
            Self::NoSdc { nbits, m } => write!(
                f,
                "no distances between codes of {nbits} bits in {m} sub-spaces; decode one of the \
                 two, or use 8 bits and at most 256 sub-spaces"
            ),
            Self::NotFinite { position } => {
                write!(f, "element {position} of the codebook is not finite; train it again")
            }
            Self::Train(e) => write!(f, "{e}"),
            Self::Layout(e) => write!(f, "{e}"),
            Self::Kernel(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for PqError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Train(e) => Some(e),
            Self::Layout(e) => Some(e),
            Self::Kernel(e) => Some(e),
            _ => None,
        }
    }
}

impl From<TrainError> for PqError {
    fn from(e: TrainError) -> Self {
        Self::Train(e)
    }
}

impl From<LayoutError> for PqError {
    fn from(e: LayoutError) -> Self {
        Self::Layout(e)
    }
}

impl From<BindError> for PqError {
    fn from(e: BindError) -> Self {
        Self::Kernel(e)
    }
}
