//! What can be wrong with a vector file, said with the file, the byte and the remedy.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Element;

/// A vector file could not be read.
///
/// Its text names the file, the byte offset at which reading stopped making sense, what was found
/// there and what to do about it.
#[derive(Debug)]
pub struct ReadError {
    file: PathBuf,
    offset: u64,
    fault: ReadFault,
}

impl ReadError {
    pub(crate) fn new(file: &Path, offset: u64, fault: ReadFault) -> Self {
        Self { file: file.to_path_buf(), offset, fault }
    }

    /// The name the reader was given.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Byte offset from the start of the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// What was wrong there.
    #[must_use]
    pub fn fault(&self) -> &ReadFault {
        &self.fault
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: byte {}: {}", self.file.display(), self.offset, self.fault)
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            ReadFault::Io(e) => Some(e),
            _ => None,
        }
    }
}

/// The ways in which a vector file is refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadFault {
    /// The operating system failed, or the file ended before the length it reported.
    Io(std::io::Error),
    /// A file of zero bytes, in a format that keeps its dimension in the first record.
    Empty,
    /// The file ends inside its header.
    ShortHeader {
        /// Bytes the header needs.
        needed: u64,
        /// Bytes the file has.
        found: u64,
    },
    /// The dimension is zero or negative.
    DimNotPositive {
        /// The dimension found.
        found: i64,
    },
    /// The dimension is above [`MAX_DIM`](super::MAX_DIM).
    DimTooLarge {
        /// The dimension found.
        found: u64,
    },
    /// A record has another dimension than the first.
    DimChanged {
        /// Row number from 0.
        row: usize,
        /// Dimension of row 0.
        expected: usize,
        /// Dimension found.
        found: i64,
    },
    /// The file is not a whole number of records.
    PartialRecord {
        /// Bytes of a record of the first record's dimension.
        record: u64,
        /// Bytes the file has.
        file_len: u64,
    },
    /// Header and file length disagree.
    SizeMismatch {
        /// Rows in the header.
        rows: u64,
        /// Dimension in the header.
        dim: u64,
        /// Bytes such a file has.
        expected: u64,
        /// Bytes this file has.
        found: u64,
    },
    /// Rows times dimension times element size leaves the address space, or rows leave `u32`.
    TooLarge {
        /// Rows in the header, or those the file length makes.
        rows: u64,
        /// Dimension in the header.
        dim: u64,
    },
    /// Not an `.npy` file.
    NotNpy {
        /// The first bytes.
        found: Snippet,
    },
    /// An `.npy` version other than 1.0, 2.0 and 3.0.
    NpyVersion {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },
    /// An `.npy` header longer than [`MAX_NPY_HEADER`](super::MAX_NPY_HEADER).
    NpyHeaderTooLong {
        /// Bytes announced.
        found: u64,
    },
    /// The `.npy` header is not the dictionary the format asks for.
    NpySyntax {
        /// What was expected.
        expected: &'static str,
        /// What stood there.
        found: Snippet,
    },
    /// The `.npy` element type is not one this reader takes.
    NpyDtype {
        /// The type string.
        found: Snippet,
    },
    /// The `.npy` array is stored column by column.
    NpyFortran,
    /// The `.npy` array is not two-dimensional.
    NpyShape {
        /// Number of axes.
        axes: usize,
    },
    /// The elements cannot be read as what was asked for.
    WrongElement {
        /// What was asked for.
        wanted: Element,
        /// What the file holds.
        found: Element,
    },
    /// A value that `f32` cannot hold.
    NotF32 {
        /// Row number from 0.
        row: usize,
        /// Column number from 0.
        column: usize,
        /// The value.
        value: f64,
    },
}

impl fmt::Display for ReadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => {
                write!(f, "reading failed ({e}); check that the file is complete and not changing")
            }
            Self::Empty => {
                write!(f, "the file is empty, so its dimension is unknown; give a file with rows")
            }
            Self::ShortHeader { needed, found } => write!(
                f,
                "the header needs {needed} bytes and the file has {found}; fetch the file again"
            ),
            Self::DimNotPositive { found } => write!(
                f,
                "dimension {found} is not positive; check the file's format and byte order \
                 (little endian is expected)"
            ),
            Self::DimTooLarge { found } => write!(
                f,
                "dimension {found} is above the limit of {}; check the file's format and byte \
                 order (little endian is expected)",
                super::MAX_DIM
            ),
            Self::DimChanged { row, expected, found } => write!(
                f,
                "row {row} has dimension {found} and row 0 has {expected}; every row must have \
                 the same: check the file's format or split the file"
            ),
            Self::PartialRecord { record, file_len } => write!(
                f,
                "the file has {file_len} bytes, which is no whole number of records of {record} \
                 bytes; fetch the file again or check its format"
            ),
            Self::SizeMismatch { rows, dim, expected, found } => write!(
                f,
                "the header says {rows} rows of {dim}, which is a file of {expected} bytes, and \
                 the file has {found}; fetch the file again"
            ),
            Self::TooLarge { rows, dim } => write!(
                f,
                "{rows} rows of {dim} are more than this machine can address (rows are limited \
                 to {}); split the file",
                super::MAX_ROWS
            ),
            Self::WrongElement { wanted, found } => {
                write!(f, "the file holds {found} and {wanted} was asked for; give another file")
            }
            Self::NotF32 { row, column, value } => write!(
                f,
                "row {row}, column {column}: {value} cannot be held by f32; rescale the data"
            ),
            Self::NotNpy { .. }
            | Self::NpyVersion { .. }
            | Self::NpyHeaderTooLong { .. }
            | Self::NpySyntax { .. }
            | Self::NpyDtype { .. }
            | Self::NpyFortran
            | Self::NpyShape { .. } => self.fmt_npy(f),
        }
    }
}

impl ReadFault {
    /// The part of [`Display`](fmt::Display) about `.npy` headers.
    fn fmt_npy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNpy { found } => {
                write!(f, "found {found} where an .npy file has its magic; check the file name")
            }
            Self::NpyVersion { major, minor } => write!(
                f,
                ".npy version {major}.{minor} is not known (1.0, 2.0 and 3.0 are); save the array \
                 again with a released numpy"
            ),
            Self::NpyHeaderTooLong { found } => write!(
                f,
                "an .npy header of {found} bytes is above the limit of {}; save the array again \
                 without a structured type",
                super::MAX_NPY_HEADER
            ),
            Self::NpySyntax { expected, found } => {
                write!(f, "expected {expected} in the .npy header, found {found}; save it again")
            }
            Self::NpyDtype { found } => write!(
                f,
                "element type {found} is not read; save as little-endian '<f4', '<f8', '<i4' or \
                 '|u1'"
            ),
            Self::NpyFortran => write!(
                f,
                "the array is in Fortran order (column by column); save numpy.ascontiguousarray \
                 of it"
            ),
            Self::NpyShape { axes } => write!(
                f,
                "the array has {axes} axes and two (rows, dimension) are read; reshape and save it \
                 again"
            ),
            _ => Ok(()),
        }
    }
}

/// Up to 16 bytes of a file, kept for a message; printed escaped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Snippet {
    bytes: [u8; 16],
    len: u8,
}

impl Snippet {
    pub(crate) fn new(from: &[u8]) -> Self {
        let mut bytes = [0; 16];
        let mut len = 0;
        for (slot, &b) in bytes.iter_mut().zip(from) {
            *slot = b;
            len += 1;
        }
        Self { bytes, len }
    }

    /// The bytes kept.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.len == 0 {
            return f.write_str("nothing");
        }
        write!(f, "\"{}\"", self.bytes().escape_ascii())
    }
}

impl fmt::Debug for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
