//! Why a data set cannot be used.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use annvil::io::ReadError;

/// A data set or one of its files cannot be used as it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum DataError {
    /// A folder lacks a file that every set has.
    Missing {
        /// The folder.
        dir: PathBuf,
        /// The file's name; its ending is open where it ends in `.*`.
        what: &'static str,
    },
    /// Two files of one name and two endings.
    Ambiguous {
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// The ending names no format that is read.
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A file or folder could not be read or written.
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A vector file is damaged.
    Read(ReadError),
    /// Two files of a set do not fit together.
    Disagree {
        /// The file at fault.
        path: PathBuf,
        /// What is compared.
        what: &'static str,
        /// Its value by the rest of the set.
        expected: usize,
        /// Its value in the file.
        found: usize,
    },
    /// A ground truth names a row that the base does not have.
    NoSuchRow {
        /// The ground truth file.
        path: PathBuf,
        /// Which query.
        query: usize,
        /// The number it names.
        id: i32,
        /// Rows of the base.
        rows: usize,
    },
    /// A slice of more than the source has.
    TooFew {
        /// The source file.
        path: PathBuf,
        /// Rows asked for.
        wanted: usize,
        /// Rows there are.
        found: usize,
    },
    /// A slice of nothing.
    NothingWanted,
    /// A slice would overwrite a file.
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A line of a checksum file is none.
    BadChecksumLine {
        /// The checksum file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl DataError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_path_buf(), source }
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { dir, what } => write!(
                f,
                "{}: no {what} in this folder; give the folder of a data set (base, query, \
                 groundtruth.ivecs, groundtruth_dist.fvecs)",
                dir.display()
            ),
            Self::Ambiguous { first, second } => write!(
                f,
                "{} and {} stand for the same part of the set; keep one",
                first.display(),
                second.display()
            ),
            Self::UnknownFormat { path } => write!(
                f,
                "{}: the ending names no format that is read (fvecs, bvecs, ivecs, npy, fbin, \
                 u8bin, ibin)",
                path.display()
            ),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Read(e) => write!(f, "{e}"),
            Self::Disagree { path, what, expected, found } => write!(
                f,
                "{}: {what} is {found} and the rest of the set has {expected}; fetch the set again",
                path.display()
            ),
            Self::NoSuchRow { path, query, id, rows } => write!(
                f,
                "{}: query {query} names row {id} and the base has {rows}; fetch the set again",
                path.display()
            ),
            Self::TooFew { path, wanted, found } => write!(
                f,
                "{}: {wanted} rows are wanted and it has {found}; ask for fewer",
                path.display()
            ),
            Self::NothingWanted => {
                write!(f, "a slice needs at least one row and one query; ask for more")
            }
            Self::Exists { path } => {
                write!(f, "{}: exists; give a folder without a data set", path.display())
            }
            Self::BadChecksumLine { path, line } => write!(
                f,
                "{}: line {line} is not 64 hexadecimal digits, two blanks and a path; write it \
                 with sha256sum",
                path.display()
            ),
        }
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Read(e) => Some(e),
            _ => None,
        }
    }
}

impl From<ReadError> for DataError {
    fn from(e: ReadError) -> Self {
        Self::Read(e)
    }
}
