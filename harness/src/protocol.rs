//! Cells, and how the parent process and its workers talk about them: one JSON object per line,
//! requests on the worker's standard input, replies on its standard output.

mod crew;
mod operands;
mod worker;

pub use crew::{Crew, CrewError, SampleTable};
pub use operands::{CacheSizes, recipe};
pub use worker::serve;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Version of the lines; parent and worker are the same binary, so a difference is a stale process.
pub const PROTOCOL: u32 = 1;

/// Where the operands of a cell lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Residence {
    /// Half of the first-level data cache.
    L1,
    /// Half of the second level.
    L2,
    /// Half of the third level, of which one core is taken to have a share of 64 MiB at most.
    L3,
    /// Four times the third level, but at least 256 MiB and no more than 512 MiB.
    Dram,
}

impl Residence {
    /// All of them, nearest first.
    pub const ALL: [Self; 4] = [Self::L1, Self::L2, Self::L3, Self::Dram];

    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
            Self::Dram => "DRAM",
        }
    }
}

/// How rows and query lie relative to a 64-byte line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Alignment {
    /// Every row and the query start on a line.
    Aligned,
    /// Every row and the query start one element behind a line.
    Unaligned,
}

impl Alignment {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Aligned, Self::Unaligned];

    /// The word on the command line and in suites.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aligned => "aligned",
            Self::Unaligned => "unaligned",
        }
    }

    /// The class in records: the guaranteed alignment in bytes.
    pub fn bytes(self) -> &'static str {
        match self {
            Self::Aligned => "64",
            Self::Unaligned => "4",
        }
    }
}

/// A word that names no residence or alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    what: &'static str,
    word: String,
    known: &'static str,
}

impl fmt::Display for UnknownWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown {} {:?}; known: {}", self.what, self.word, self.known)
    }
}

impl std::error::Error for UnknownWord {}

macro_rules! spelled {
    ($kind:ty, $what:literal, $known:literal) => {
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> Self {
                value.name().to_owned()
            }
        }

        impl FromStr for $kind {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL.into_iter().find(|v| v.name().eq_ignore_ascii_case(word)).ok_or_else(
                    || UnknownWord { what: $what, word: word.to_owned(), known: $known },
                )
            }
        }

        impl TryFrom<String> for $kind {
            type Error = UnknownWord;

            fn try_from(word: String) -> Result<Self, UnknownWord> {
                word.parse()
            }
        }
    };
}

spelled!(Residence, "residence", "L1, L2, L3, DRAM");
spelled!(Alignment, "alignment", "aligned, unaligned");

/// What is measured together: all variants of one op on the same operands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CellSpec {
    /// `encoding/metric/shape`.
    pub op: String,
    /// Values per vector.
    pub dim: usize,
    /// Where the operands lie.
    pub residence: Residence,
    /// How they are aligned.
    pub alignment: Alignment,
}

impl CellSpec {
    /// The command that measures this cell again.
    pub fn command(&self) -> String {
        let Self { op, dim, residence, alignment } = self;
        format!(
            "cargo xtask bench --op {op} --dim {dim} --residence {residence} --align {alignment}{}",
            crate::env::build_option()
        )
    }
}

/// `f32/l2sq/pair@768@L1@aligned`.
impl fmt::Display for CellSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, dim, residence, alignment } = self;
        write!(f, "{op}@{dim}@{residence}@{alignment}")
    }
}

/// One variant that takes part in a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContestantSpec {
    /// The variant's name.
    pub variant: String,
    /// Extra values that are computed but not counted, in percent: a planted slow-down. 0 except in
    /// the self-test.
    pub planted_pct: f64,
}

impl ContestantSpec {
    /// The variant as it is.
    pub fn honest(variant: &str) -> Self {
        Self { variant: variant.to_owned(), planted_pct: 0.0 }
    }
}

/// Parent to worker: measure a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What to measure.
    pub cell: CellSpec,
    /// Which variants, in the order of the reply.
    pub contestants: Vec<ContestantSpec>,
    /// Number of rounds.
    pub rounds: usize,
    /// Whether to prove which instruction-set level runs; once per cell is enough.
    pub prove: bool,
    /// Whether to give large memory back afterwards.
    pub release_memory: bool,
}

/// Worker to parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The first line of a worker.
    Hello {
        /// [`PROTOCOL`].
        protocol: u32,
    },
    /// The answer to a request.
    Measured(Measured),
    /// The request cannot be served.
    Failed {
        /// Why.
        why: String,
    },
}

/// What one process measured in a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// In the order of the request.
    pub contestants: Vec<ContestantReply>,
    /// Limits timed in the same rounds; they take no part in the verdict.
    pub limits: Vec<LimitReply>,
    /// Which rounds count.
    pub kept: Vec<bool>,
    /// Bytes of vectors that one value reads.
    pub bytes_per_value: f64,
}

/// One variant's part of [`Measured`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContestantReply {
    /// The variant's name.
    pub variant: String,
    /// Largest error against the oracle on this cell's operands, in ulp; `None` if refused.
    pub max_error_ulp: Option<f64>,
    /// The level that was seen to execute, where it was asked for and can be told.
    pub ran_level: Option<String>,
    /// Why the variant was not timed.
    pub refused: Option<Refusal>,
    /// Nanoseconds per value, one per round; empty if refused.
    pub ns: Vec<f64>,
}

/// Why a worker did not time a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "why")]
pub enum Refusal {
    /// It gave a wrong value, or did not run what it claims to be.
    Wrong(String),
    /// It cannot run on this machine or for this dimension.
    Unavailable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(why) => write!(f, "wrong: {why}"),
            Self::Unavailable(why) => f.write_str(why),
        }
    }
}

/// One limit's part of [`Measured`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitReply {
    /// Its name, for example `limit/read`.
    pub name: String,
    /// Nanoseconds per value, one per round.
    pub ns: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_unknown_ones_are_named() {
        for r in Residence::ALL {
            assert_eq!(r.name().parse(), Ok(r));
            assert_eq!(serde_json::to_string(&r).unwrap(), format!("\"{r}\""));
        }
        assert_eq!("dram".parse(), Ok(Residence::Dram));
        assert_eq!("Unaligned".parse(), Ok(Alignment::Unaligned));
        let error = "L4".parse::<Residence>().unwrap_err().to_string();
        assert!(error.contains("L4") && error.contains("DRAM"), "{error}");
    }

    #[test]
    fn messages_survive_a_line() {
        let cell = CellSpec {
            op: "f32/l2sq/pair".into(),
            dim: 96,
            residence: Residence::L1,
            alignment: Alignment::Unaligned,
        };
        assert_eq!(cell.to_string(), "f32/l2sq/pair@96@L1@unaligned");
        let request = Request {
            cell,
            contestants: vec![ContestantSpec { variant: "hand".into(), planted_pct: 2.0 }],
            rounds: 40,
            prove: true,
            release_memory: false,
        };
        let line = serde_json::to_string(&request).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
        let reply = Reply::Measured(Measured {
            contestants: vec![ContestantReply {
                variant: "hand".into(),
                max_error_ulp: None,
                ran_level: None,
                refused: Some(Refusal::Wrong("lane 3".into())),
                ns: vec![],
            }],
            limits: vec![],
            kept: vec![true],
            bytes_per_value: 4.0,
        });
        let line = serde_json::to_string(&reply).unwrap();
        assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
    }
}
