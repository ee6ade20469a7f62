//! Why a store cannot be had, changed or believed.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::codec::{MAX_DEPTH, MAX_METADATA};
use crate::Id;

/// A store that cannot be made, opened, changed or read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// Another writer, in this process or another, has the directory.
    Locked,
    /// There is a store where one was to be made.
    Exists,
    /// There is no store where one was to be opened.
    NoStore,
    /// Written by a later version.
    Newer {
        /// Which file.
        file: String,
        /// Its version.
        found: u32,
        /// The latest that is understood here.
        known: u32,
    },
    /// A file does not hold what it should.
    Corrupt(Corruption),
    /// The store was made with another value of an option.
    OptionMismatch {
        /// Which option.
        name: String,
        /// What the store has.
        stored: String,
        /// What was asked for.
        asked: String,
    },
    /// An option of a new store that cannot be.
    BadOption(BadOption),
    /// The system refused.
    Io {
        /// What was to be done.
        doing: Doing,
        /// With which file.
        file: String,
        /// What the system says.
        source: Arc<io::Error>,
    },
    /// The database of the records refused.
    Records {
        /// What was to be done.
        doing: Doing,
        /// What it says.
        source: RecordsError,
    },
    /// An earlier write or sync failed: what is on disk is not known any more.
    Poisoned,
    /// An id that is in use.
    IdExists {
        /// The id.
        id: Id,
    },
    /// An id that a batch has twice.
    IdTwice {
        /// The id.
        id: Id,
    },
    /// An empty text, or one that is too long.
    BadId {
        /// Bytes of the text.
        bytes: usize,
    },
    /// Metadata that is too deep or too large.
    BadMetadata(BadMetadata),
    /// A row of another length than the store's rows have.
    RowLength {
        /// The segment, by its place.
        segment: usize,
        /// Bytes that its rows have.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A batch that was made for another store.
    OtherStore,
    /// More rows than slots can number, deleted ones included.
    Full {
        /// Rows that there would be.
        rows: u64,
    },
    /// Too little memory.
    Memory {
        /// Bytes asked for.
        bytes: u64,
    },
}

/// Errors are equal if they say the same.
impl PartialEq for StoreError {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.to_string() == other.to_string()
    }
}

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// Making a file.
    Create,
    /// Opening a file.
    Open,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Waiting until the device has it.
    Sync,
    /// Committing records.
    Commit,
    /// Giving a file its name.
    Rename,
    /// Listing the directory.
    List,
    /// Locking the directory.
    Lock,
    /// Mapping a file.
    Map,
}

/// A file that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Corruption {
    /// Which file.
    pub file: String,
    /// What is wrong.
    pub fault: CorruptionFault,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorruptionFault {
    /// It is missing.
    Missing,
    /// It is shorter than what it has to hold.
    Short {
        /// Bytes that it has to have at least.
        needed: u64,
        /// Bytes that it has.
        found: u64,
    },
    /// It does not begin as such files do.
    Magic,
    /// A checksum differs.
    Checksum {
        /// Where what it covers begins.
        offset: u64,
    },
    /// It belongs to another store, or is not the file that the records mean.
    Foreign,
    /// A field holds what it cannot.
    Field {
        /// Which one.
        name: &'static str,
        /// What it holds.
        found: u64,
    },
    /// A record ends early, goes on behind its end, or holds what it cannot.
    Record {
        /// Which table.
        table: &'static str,
    },
    /// Two records contradict each other.
    Contradiction {
        /// Which tables.
        tables: &'static str,
        /// The slot, if it is about one.
        slot: Option<u32>,
    },
    /// The database of the records finds itself damaged.
    Database {
        /// What it says.
        source: RecordsError,
    },
}

/// What the database of the records says.
#[derive(Clone, Debug)]
pub struct RecordsError(pub(super) Arc<redb::Error>);

impl PartialEq for RecordsError {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_string() == other.0.to_string()
    }
}

impl Eq for RecordsError {}

impl fmt::Display for RecordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl std::error::Error for RecordsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// An option of a new store that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadOption {
    /// No segment, or too many.
    Segments {
        /// As given.
        found: usize,
    },
    /// A dimension of 0, or one that makes rows too long.
    Dim {
        /// As given.
        found: usize,
    },
    /// A stride that does not hold a row, or is no multiple of 16 bytes; beside rows, no pad.
    Stride {
        /// Bytes, as given.
        found: usize,
    },
    /// Too many parameters, or one that is too long.
    Params,
    /// A blob's name that is empty or too long.
    BlobName,
    /// A blob that is too long.
    BlobBytes {
        /// As given.
        found: usize,
    },
}

/// Metadata that cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadMetadata {
    /// Lists and maps within each other.
    Depth,
    /// Too many bytes.
    Bytes {
        /// As encoded.
        found: usize,
    },
}

impl StoreError {
    pub(crate) fn io(doing: Doing, file: &str, source: io::Error) -> Self {
        Self::Io { doing, file: file.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn corrupt(file: &str, fault: CorruptionFault) -> Self {
        Self::Corrupt(Corruption { file: file.to_owned(), fault })
    }

    /// What the database says, sorted: the system's errors, damage, and the rest.
    pub(super) fn records(doing: Doing, source: impl Into<redb::Error>) -> Self {
        use redb::Error as E;
        let source = source.into();
        let damage = matches!(
            source,
            E::Corrupted(_)
                | E::UpgradeRequired(_)
                | E::TableTypeMismatch { .. }
                | E::TypeDefinitionChanged { .. }
                | E::TableDoesNotExist(_)
                | E::TableIsMultimap(_)
                | E::TableIsNotMultimap(_)
        ) || matches!(&source, E::Io(e) if e.kind() == io::ErrorKind::InvalidData);
        match source {
            source if damage => {
                let source = RecordsError(Arc::new(source));
                Self::corrupt(super::RECORDS, CorruptionFault::Database { source })
            }
            E::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                let source = RecordsError(Arc::new(E::Io(e)));
                Self::corrupt(super::RECORDS, CorruptionFault::Database { source })
            }
            E::Io(e) => Self::io(doing, super::RECORDS, e),
            source => Self::Records { doing, source: RecordsError(Arc::new(source)) },
        }
    }

    /// Whether the store is as before, and can be changed further.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::IdExists { .. }
                | Self::IdTwice { .. }
                | Self::BadId { .. }
                | Self::BadMetadata(_)
                | Self::BadOption(_)
                | Self::RowLength { .. }
                | Self::OtherStore
                | Self::Full { .. }
                | Self::Memory { .. }
        )
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "made",
            Self::Open => "opened",
            Self::Read => "read",
            Self::Write => "written",
            Self::Sync => "synced",
            Self::Commit => "committed",
            Self::Rename => "renamed",
            Self::List => "listed",
            Self::Lock => "locked",
            Self::Map => "mapped",
        })
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        match &self.fault {
            CorruptionFault::Missing => f.write_str("the file is missing"),
            CorruptionFault::Short { needed, found } => {
                write!(f, "{found} bytes where {needed} are needed")
            }
            CorruptionFault::Magic => f.write_str("no such file by its first bytes"),
            CorruptionFault::Checksum { offset } => {
                write!(f, "the checksum of what begins at byte {offset} differs")
            }
            CorruptionFault::Foreign => {
                f.write_str("the file is not the one that the records mean")
            }
            CorruptionFault::Field { name, found } => write!(f, "{found} as {name}"),
            CorruptionFault::Record { table } => write!(f, "a record of `{table}` is none"),
            CorruptionFault::Contradiction { tables, slot: Some(slot) } => {
                write!(f, "{tables} contradict each other at slot {slot}")
            }
            CorruptionFault::Contradiction { tables, slot: None } => {
                write!(f, "{tables} contradict each other")
            }
            CorruptionFault::Database { source } => write!(f, "{source}"),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str(
                "the store is open for writing elsewhere; close it there, or take a snapshot of it",
            ),
            Self::Exists => f.write_str("there is a store already; open it"),
            Self::NoStore => f.write_str("there is no store; create one, or check the path"),
            Self::Newer { file, found, known } => write!(
                f,
                "{file} has format version {found}, and this program knows {known}; use a newer one"
            ),
            Self::Corrupt(c) => write!(f, "{c}; restore the store from a snapshot"),
            Self::OptionMismatch { name, stored, asked } => write!(
                f,
                "the store was made with {name} = {stored}, not {asked}; leave the option away, or \
                 make another store"
            ),
            Self::BadOption(BadOption::Segments { found }) => {
                write!(f, "{found} segments; one to {}", super::MAX_SEGMENTS)
            }
            Self::BadOption(BadOption::Dim { found }) => {
                write!(f, "dimension {found}; 1 to {}", super::MAX_DIM)
            }
            Self::BadOption(BadOption::Stride { found }) => {
                write!(f, "a stride of {found} bytes; a multiple of 16 that holds a row, or no pad")
            }
            Self::BadOption(BadOption::Params) => {
                f.write_str("parameters are too many or too long")
            }
            Self::BadOption(BadOption::BlobName) => f.write_str("a blob's name has 1 to 64 bytes"),
            Self::BadOption(BadOption::BlobBytes { found }) => {
                write!(f, "a blob of {found} bytes; at most {}", super::store::MAX_BLOB)
            }
            Self::Io { doing, file, source } => write!(f, "{file} cannot be {doing}: {source}"),
            Self::Records { doing, source } => {
                write!(f, "{} cannot be {doing}: {source}", super::RECORDS)
            }
            Self::Poisoned => f.write_str(
                "an earlier write or sync failed; reading goes on, open the store anew to write",
            ),
            Self::IdExists { id } => write!(f, "id {id} is in use; replace it, or take another"),
            Self::IdTwice { id } => write!(f, "id {id} twice in a batch"),
            Self::BadId { bytes } => write!(f, "a text of {bytes} bytes as id; 1 to 65,535"),
            Self::BadMetadata(BadMetadata::Depth) => {
                write!(f, "metadata deeper than {MAX_DEPTH} lists and maps; flatten it")
            }
            Self::BadMetadata(BadMetadata::Bytes { found }) => {
                write!(f, "metadata of {found} bytes; at most {MAX_METADATA}")
            }
            Self::RowLength { segment, expected, found } => {
                write!(
                    f,
                    "a row of {found} bytes for segment {segment}, whose rows have {expected}"
                )
            }
            Self::OtherStore => f.write_str("the batch was made for rows of other segments"),
            Self::Full { rows } => {
                write!(f, "{rows} rows, deleted ones included; compact, or use two stores")
            }
            Self::Memory { bytes } => write!(f, "no memory for {bytes} bytes"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(&**source),
            Self::Records { source, .. } => Some(source),
            Self::Corrupt(Corruption { fault: CorruptionFault::Database { source }, .. }) => {
                Some(source)
            }
            _ => None,
        }
    }
}
