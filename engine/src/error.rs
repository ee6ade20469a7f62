//! Why vectors or queries are refused.

use std::fmt;

use annvil_kernels::{BindError, LayoutError};

/// A vector that is not taken as a query.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum QueryError {
    /// The query has another length than the index's vectors.
    DimMismatch {
        /// Elements of the index's vectors.
        expected: usize,
        /// Elements of the query.
        found: usize,
    },
    /// A NaN or an infinity.
    NotFinite {
        /// Which query of a batch, from 0; 0 for a single one.
        query: usize,
        /// Position from 0.
        position: usize,
        /// What stands there.
        value: f32,
    },
    /// Too little memory for a copy of the query.
    Layout(LayoutError),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DimMismatch { expected, found } => write!(
                f,
                "a query of {found} elements for an index of dimension {expected}; embed both \
                 with the same model"
            ),
            Self::NotFinite { query, position, value } => write!(
                f,
                "query {query}, position {position}: {value} is not a finite number; remove or \
                 replace it"
            ),
            Self::Layout(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for QueryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Layout(e) => Some(e),
            _ => None,
        }
    }
}

/// Vectors that are not taken into an index.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum InputError {
    /// Row numbers are `u32`.
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
    /// No kernel can be had: a forced one is unknown or not of this CPU.
    Kernel(BindError),
    /// Rows of no element.
    Layout(LayoutError),
    /// No graph can be had.
    #[cfg(feature = "hnsw")]
    Hnsw(crate::HnswError),
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyRows { rows } => write!(
                f,
                "{rows} rows are more than row numbers can name ({}); split the set",
                u32::MAX
            ),
            Self::NotFinite { row, position, value } => write!(
                f,
                "row {row}, position {position}: {value} is not a finite number; remove the row \
                 or replace the value"
            ),
            Self::Kernel(e) => write!(f, "{e}"),
            Self::Layout(e) => write!(f, "{e}"),
            #[cfg(feature = "hnsw")]
            Self::Hnsw(e) => write!(f, "{e}"),
        }
    }
}

impl std::error::Error for InputError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Kernel(e) => Some(e),
            Self::Layout(e) => Some(e),
            #[cfg(feature = "hnsw")]
            Self::Hnsw(e) => Some(e),
            _ => None,
        }
    }
}

/// The first element that is not finite, with its position.
pub(crate) fn first_not_finite(row: &[f32]) -> Option<(usize, f32)> {
    // A whole-row test first: it vectorises, and almost every row passes.
    if row.iter().fold(true, |all, v| all & v.is_finite()) {
        return None;
    }
    row.iter().copied().enumerate().find(|(_, v)| !v.is_finite())
}
