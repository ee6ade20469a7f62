//! What takes part: an index that is built from rows and asked for neighbours.

use std::fmt;

use annvil::AlignedRows;
use rayon::ThreadPool;

use super::clock::BuildTimer;

/// Links of a node on each upper layer; every contestant has twice as many on layer 0.
pub const M: usize = 16;
/// Candidates while building.
pub const EF_CONSTRUCTION: usize = 200;

/// A cause that a library gave.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What a library had to say that is no error type of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(pub String);

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}

/// How a query is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Candidates of the search.
    pub ef: usize,
    /// Of those, how many are compared again by their exact distance; 0 where distances are exact.
    pub rerank: usize,
}

impl Setting {
    /// `ef` candidates whose distances are exact.
    #[must_use]
    pub const fn exact(ef: usize) -> Self {
        Self { ef, rerank: 0 }
    }
}

/// How an index is built.
#[derive(Debug)]
pub struct BuildPlan<'a> {
    /// For those that take a seed.
    pub seed: u64,
    /// Threads to build on; the calling one alone where there is none.
    pub pool: Option<&'a ThreadPool>,
    /// A number below 1 for each row, for those that filter by metadata.
    pub attribute: Option<&'a [f64]>,
}

/// What a search did, where the index counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Nodes whose links were followed.
    pub hops: usize,
    /// Rows that were compared with the query.
    pub scored: usize,
}

/// The rows that a filtered search may return.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Share of the rows that match, in percent.
    pub pct: f64,
    /// Whether the row at each place matches.
    pub mask: Vec<bool>,
    /// The places that match, ascending.
    pub slots: Vec<u32>,
}

/// A library and an encoding, before it has rows.
pub trait Contestant {
    /// Its name in records: library, encoding.
    fn name(&self) -> &'static str;

    /// Whether it is one of this project's that ratios are given for.
    fn is_ours(&self) -> bool {
        false
    }

    /// Whether it has to be built with an attribute to be asked with a filter.
    fn filters_by_metadata(&self) -> bool {
        false
    }

    /// The settings that are tried for `k` neighbours, cheapest first.
    fn settings(&self, k: usize, efs: &[usize]) -> Vec<Setting> {
        efs.iter().filter(|ef| **ef >= k).map(|ef| Setting::exact(*ef)).collect()
    }

    /// Builds the index over `base`; its ids are row numbers. What the API makes the caller prepare
    /// stays outside of what `timer` measures.
    ///
    /// # Errors
    /// The library's.
    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause>;
}

/// An index with its rows.
pub trait Built {
    /// Looks for the `k` nearest of `query`, and keeps what it found.
    ///
    /// # Errors
    /// The library's.
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause>;

    /// As [`Built::search`], among the rows of `filter`. Only called where [`Built::filters`].
    ///
    /// # Errors
    /// The library's.
    fn search_where(
        &mut self,
        query: &[f32],
        k: usize,
        setting: Setting,
        filter: &Filter,
    ) -> Result<(), Cause>;

    /// Why it has no filtered search; `None` where it has one.
    fn no_filter(&self) -> Option<&'static str> {
        None
    }

    /// Row numbers of what the last search found, nearest first.
    fn found(&self) -> Vec<u32>;

    /// Bytes that it says it holds.
    fn bytes(&self) -> Option<usize> {
        None
    }

    /// What the last search did.
    fn effort(&self) -> Option<Effort> {
        None
    }
}
