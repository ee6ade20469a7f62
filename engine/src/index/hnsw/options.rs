//! How a graph is built, and why one is refused.

use std::fmt;

/// Most links of a node on an upper layer.
const MAX_M: usize = 256;
/// Most candidates while building.
const MAX_EF: usize = 65_536;

/// The parameters of an HNSW graph (Malkov and Yashunin, 2016; names are theirs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HnswOptions {
    /// Links of a node on each upper layer; layer 0 has room for twice as many.
    pub m: usize,
    /// Candidates that are looked at for a new node's links.
    pub ef_construction: usize,
    /// Of the layers and of the order in which rows are linked.
    pub seed: u64,
}

impl Default for HnswOptions {
    /// `m` 16, `ef_construction` 200, `seed` 0.
    fn default() -> Self {
        Self { m: 16, ef_construction: 200, seed: 0 }
    }
}

impl HnswOptions {
    /// Links of a node on layer 0.
    #[must_use]
    pub fn m0(&self) -> usize {
        2 * self.m
    }

    pub(super) fn check(&self) -> Result<(), HnswError> {
        if !(2..=MAX_M).contains(&self.m) {
            return Err(HnswError::M { found: self.m });
        }
        if !(1..=MAX_EF).contains(&self.ef_construction) {
            return Err(HnswError::EfConstruction { found: self.ef_construction });
        }
        Ok(())
    }
}

/// Why a graph cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HnswError {
    /// `m` is out of range.
    M {
        /// As given.
        found: usize,
    },
    /// `ef_construction` is out of range.
    EfConstruction {
        /// As given.
        found: usize,
    },
    /// More rows than slots.
    TooManyRows {
        /// As given.
        rows: usize,
    },
    /// Too little memory for the links of so many rows.
    Memory {
        /// As asked for.
        rows: usize,
    },
    /// Stored parts that are no graph.
    Parts(PartsError),
}

/// What is wrong with stored parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartsError {
    /// An array of another length than the number of nodes asks for.
    Length {
        /// Which array.
        array: &'static str,
        /// Its length.
        found: usize,
        /// The length it must have.
        expected: usize,
    },
    /// A layer above the highest there can be, or an entry point that is not on the top layer.
    Layer {
        /// The node.
        slot: u32,
    },
    /// A link to no node, to the node itself, twice to one, or to one that is not on the layer.
    Link {
        /// The node.
        slot: u32,
        /// The layer.
        layer: usize,
        /// Where the link leads.
        to: u32,
    },
    /// A link behind a gap.
    Gap {
        /// The node.
        slot: u32,
        /// The layer.
        layer: usize,
    },
}

impl fmt::Display for HnswError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::M { found } => write!(f, "m is {found}; give 2 to {MAX_M}, 16 is usual"),
            Self::EfConstruction { found } => {
                write!(f, "ef_construction is {found}; give 1 to {MAX_EF}, 200 is usual")
            }
            Self::TooManyRows { rows } => write!(
                f,
                "{rows} rows are more than a graph can number ({}); split the set",
                super::MAX_ROWS
            ),
            Self::Memory { rows } => {
                write!(f, "no memory for the links of {rows} rows; lower m, or split the set")
            }
            Self::Parts(e) => write!(f, "the stored graph is damaged: {e}; build it anew"),
        }
    }
}

impl fmt::Display for PartsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Length { array, found, expected } => {
                write!(f, "{array} has {found} entries where {expected} are due")
            }
            Self::Layer { slot } => write!(f, "node {slot} is on a layer that does not exist"),
            Self::Link { slot, layer, to } => {
                write!(f, "node {slot} has a link to {to} on layer {layer}, which cannot be")
            }
            Self::Gap { slot, layer } => {
                write!(f, "node {slot} has a link behind a gap on layer {layer}")
            }
        }
    }
}

impl std::error::Error for HnswError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Parts(e) => Some(e),
            _ => None,
        }
    }
}

impl std::error::Error for PartsError {}
