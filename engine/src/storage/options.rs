//! How a store is to be made or opened.

use super::codec::encode_params;
use super::error::{BadOption, StoreError};
use super::{IDENTITY, MAX_SEGMENTS, SegmentSpec};

/// How a store is to be made, or what is expected of one that is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub(super) segments: Vec<SegmentSpec>,
    pub(super) params: Vec<(String, String)>,
    pub(super) identity: Option<[u8; IDENTITY]>,
    pub(super) verify: bool,
    pub(super) heap: bool,
    pub(super) cache: usize,
    #[cfg(any(test, feature = "storage-sim"))]
    pub(super) knob: Knob,
}

/// Mistakes that are made on purpose, to see that the simulated disk finds them.
#[cfg(any(test, feature = "storage-sim"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Knob {
    /// None.
    #[default]
    Right,
    /// Records are committed before rows are synced.
    RowsLast,
    /// Rows are written a while after the records are committed.
    WriteLast,
    /// Rows are never synced.
    NoSync,
    /// The names of new files are not synced.
    NoDirSync,
}

/// Bytes of records that are kept in memory, by default.
const CACHE: usize = 64 << 20;

impl StoreOptions {
    /// A new store of these segments: what each row consists of.
    #[must_use]
    pub fn new(segments: Vec<SegmentSpec>) -> Self {
        Self {
            segments,
            params: Vec::new(),
            identity: None,
            verify: true,
            heap: false,
            cache: CACHE,
            #[cfg(any(test, feature = "storage-sim"))]
            knob: Knob::Right,
        }
    }

    /// An old store, as it is. What is asked for further has to be so.
    #[must_use]
    pub fn expecting() -> Self {
        Self::new(Vec::new())
    }

    /// A parameter: what a new store remembers, and what an old one has to have remembered.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        match self.params.binary_search_by(|(n, _)| n.as_str().cmp(&name)) {
            Ok(at) => self.params[at].1 = value,
            Err(at) => self.params.insert(at, (name, value)),
        }
        self
    }

    /// What tells the new store's files from another's; random by default.
    #[must_use]
    pub fn identity(mut self, identity: [u8; IDENTITY]) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Whether every row's checksum is compared when the store is opened, which reads all of them. It
    /// is by default; see [`Store::verify`](super::Store::verify) for later.
    #[must_use]
    pub fn verify_on_open(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Holds rows on the heap instead of mapping them, for files that others may change while they
    /// are open. They are mapped by default.
    #[must_use]
    pub fn on_heap(mut self, heap: bool) -> Self {
        self.heap = heap;
        self
    }

    /// Bytes of records that are kept in memory at most. 64 MiB by default.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache = bytes;
        self
    }

    /// Makes a mistake on purpose.
    #[cfg(any(test, feature = "storage-sim"))]
    #[must_use]
    pub fn mistake(mut self, knob: Knob) -> Self {
        self.knob = knob;
        self
    }

    /// As a new store's.
    pub(super) fn check(&self) -> Result<Vec<u8>, StoreError> {
        check_segments(&self.segments)?;
        encode_params(&self.params).ok_or(StoreError::BadOption(BadOption::Params))
    }

    /// As an old store's, which wins.
    pub(super) fn compare(
        &self,
        params: &[(String, String)],
        segments: &[SegmentSpec],
    ) -> Result<(), StoreError> {
        let mismatch = |name: &str, stored: String, asked: String| {
            Err(StoreError::OptionMismatch { name: name.to_owned(), stored, asked })
        };
        for (name, asked) in &self.params {
            match params.iter().find(|(n, _)| n == name) {
                Some((_, stored)) if stored == asked => {}
                Some((_, stored)) => return mismatch(name, stored.clone(), asked.clone()),
                None => return mismatch(name, "nothing".to_owned(), asked.clone()),
            }
        }
        if !self.segments.is_empty() && self.segments != segments {
            let (stored, asked) = (format!("{segments:?}"), format!("{:?}", self.segments));
            return mismatch("segments", stored, asked);
        }
        Ok(())
    }
}

pub(super) fn check_segments(segments: &[SegmentSpec]) -> Result<(), StoreError> {
    if !(1..=MAX_SEGMENTS).contains(&segments.len()) {
        return Err(StoreError::BadOption(BadOption::Segments { found: segments.len() }));
    }
    segments.iter().try_for_each(SegmentSpec::check)
}
