//! Why a collection refuses.

use std::fmt;

use annvil_kernels::LayoutError;

use super::id::{Id, MAX_TEXT};
#[cfg(feature = "hnsw")]
use crate::HnswError;
use crate::filter::FilterError;
use crate::scorer::EncodingError;
#[cfg(feature = "storage")]
use crate::storage::StoreError;

/// A collection that cannot be made, changed or asked. Whatever was to be changed is as before.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum CollectionError {
    /// A vector of another length.
    DimMismatch {
        /// Which record of the batch, from 0; 0 for a query.
        record: usize,
        /// The collection's dimension.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// A NaN or an infinity.
    NotFinite {
        /// Which record of the batch, from 0; 0 for a query.
        record: usize,
        /// Position from 0.
        position: usize,
        /// What stands there.
        value: f32,
    },
    /// The id is in use.
    IdExists {
        /// The id.
        id: Id,
    },
    /// Two records of a batch have one id.
    IdTwice {
        /// The id.
        id: Id,
    },
    /// An empty text, or one that is too long.
    BadId {
        /// Which record of the batch, from 0.
        record: usize,
        /// Bytes of the text.
        bytes: usize,
    },
    /// More rows than slots can number, deleted ones included.
    Full {
        /// Rows that would be held.
        rows: usize,
    },
    /// The memory budget does not allow it.
    Budget {
        /// Bytes that would be held.
        needed: usize,
        /// Bytes that may be.
        budget: usize,
    },
    /// Exact distances were asked for and the vectors were not kept.
    NoOriginals,
    /// A share of candidates below 1, or no number.
    Oversampling {
        /// As given.
        factor: f32,
    },
    /// A filter that cannot be asked.
    Filter(FilterError),
    /// An encoding that cannot be had, or not be learnt.
    Encoding(EncodingError),
    /// A graph that cannot be had.
    #[cfg(feature = "hnsw")]
    Hnsw(HnswError),
    /// The crate `hnsw_rs` links vectors, not codes.
    #[cfg(feature = "hnsw_rs")]
    HnswRsEncoding {
        /// As asked for.
        encoding: crate::scorer::Encoding,
    },
    /// Too little memory.
    Memory(LayoutError),
    /// The store on disk.
    #[cfg(feature = "storage")]
    Store(StoreError),
    /// The crate `hnsw_rs` has no graph that could be stored.
    #[cfg(all(feature = "storage", feature = "hnsw_rs"))]
    HnswRsStored,
    /// A stored option that this version does not know.
    #[cfg(feature = "storage")]
    BadParam {
        /// Which option.
        name: &'static str,
        /// What is stored, if anything is.
        value: Option<String>,
    },
    /// A change is on disk, and there was no memory to follow it here: what was there before can be
    /// searched, and the collection has to be opened anew.
    #[cfg(feature = "storage")]
    Behind,
    /// Threads could not be started.
    Threads,
    /// A change broke off inside; what was found before it can still be searched, nothing can be
    /// changed any more.
    Poisoned,
}

impl fmt::Display for CollectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DimMismatch { record, expected, found } => write!(
                f,
                "record {record}: a vector of {found} elements for a collection of dimension \
                 {expected}; embed both with the same model"
            ),
            Self::NotFinite { record, position, value } => write!(
                f,
                "record {record}, position {position}: {value} is not a finite number; remove or \
                 replace it"
            ),
            Self::IdExists { id } => {
                write!(f, "id {id} is in use; upsert replaces a row, delete frees its id")
            }
            Self::IdTwice { id } => write!(f, "id {id} stands twice in the batch; drop one"),
            Self::BadId { record, bytes } => write!(
                f,
                "record {record}: an id of {bytes} bytes; give a number, or text of 1 to {MAX_TEXT} bytes"
            ),
            Self::Full { rows } => write!(
                f,
                "{rows} rows are more than a collection can number; compact it, or split the set"
            ),
            Self::Budget { needed, budget } => write!(
                f,
                "{needed} bytes would be held and the budget is {budget}; raise it, choose a smaller \
                 encoding, or compact the collection"
            ),
            Self::NoOriginals => f.write_str(
                "exact distances need the vectors, which were not kept; build with Originals::Keep, or \
                 search without oversampling",
            ),
            Self::Oversampling { factor } => {
                write!(f, "an oversampling of {factor}; give 1 or more")
            }
            Self::Filter(e) => e.fmt(f),
            Self::Encoding(e) => e.fmt(f),
            #[cfg(feature = "hnsw")]
            Self::Hnsw(e) => e.fmt(f),
            #[cfg(feature = "hnsw_rs")]
            Self::HnswRsEncoding { encoding } => {
                write!(f, "hnsw_rs links vectors, not rows of {encoding}; take IndexKind::Hnsw, or f32")
            }
            Self::Memory(e) => e.fmt(f),
            #[cfg(feature = "storage")]
            Self::Store(e) => e.fmt(f),
            #[cfg(all(feature = "storage", feature = "hnsw_rs"))]
            Self::HnswRsStored => f.write_str(
                "graphs of hnsw_rs are not stored; take IndexKind::Hnsw for a collection on disk",
            ),
            #[cfg(feature = "storage")]
            Self::BadParam { name, value } => bad_param(f, name, value.as_deref()),
            #[cfg(feature = "storage")]
            Self::Behind => f.write_str(
                "the change is on disk, but there was too little memory to follow it; open the \
                 collection anew",
            ),
            Self::Threads => f.write_str("threads could not be started; give a smaller number"),
            Self::Poisoned => f.write_str(
                "an earlier change broke off inside this collection; searches still work, changes need \
                 a new one",
            ),
        }
    }
}

#[cfg(feature = "storage")]
fn bad_param(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&str>) -> fmt::Result {
    match value {
        Some(value) => write!(
            f,
            "the stored option {name} is {value:?}, which this version does not know; open the \
             collection with the version that made it"
        ),
        None => write!(
            f,
            "the store has no option {name}: it holds no collection, or one of another version"
        ),
    }
}

impl std::error::Error for CollectionError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Filter(e) => Some(e),
            Self::Encoding(e) => Some(e),
            #[cfg(feature = "hnsw")]
            Self::Hnsw(e) => Some(e),
            Self::Memory(e) => Some(e),
            #[cfg(feature = "storage")]
            Self::Store(e) => Some(e),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($(#[$cfg:meta])* $e:ty => $name:ident;)*) => {$(
        $(#[$cfg])*
        impl From<$e> for CollectionError {
            fn from(e: $e) -> Self {
                Self::$name(e)
            }
        }
    )*};
}

from! {
    FilterError => Filter;
    EncodingError => Encoding;
    #[cfg(feature = "hnsw")]
    HnswError => Hnsw;
    LayoutError => Memory;
}

#[cfg(feature = "storage")]
impl From<StoreError> for CollectionError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::IdExists { id } => Self::IdExists { id },
            StoreError::IdTwice { id } => Self::IdTwice { id },
            StoreError::Full { rows } => Self::Full { rows: rows as usize },
            other => Self::Store(other),
        }
    }
}
