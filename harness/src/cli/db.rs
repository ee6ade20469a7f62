//! The command line of `db`.

use std::path::PathBuf;

use annvil::{Encoding, Metric};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  cargo xtask db create /tmp/books --dim 384 --metric cosine --encoding sq8
  cargo xtask db import /tmp/books rows.fvecs            ids are the rows' numbers
  cargo xtask db import /tmp/books rows.jsonl            lines of {\"id\": .., \"vector\": [..], \"metadata\": {..}}
  cargo xtask db search /tmp/books --like 17 -k 5
  cargo xtask db search /tmp/books --queries q.fvecs --ef 200
  cargo xtask db verify /tmp/books                       5 if anything is damaged
  cargo xtask db export /tmp/books out.jsonl";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    pub(crate) what: DbVerb,
}

/// How neighbours are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum IndexName {
    /// A graph
    Hnsw,
    /// Every row is compared
    Flat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbVerb {
    /// Make an empty collection in a directory
    Create {
        /// Where; made if it is missing
        dir: PathBuf,
        /// Elements of a vector
        #[arg(long, value_name = "N")]
        dim: usize,
        /// l2, dot, cosine, l1, linf, hamming
        #[arg(long, default_value = "l2")]
        metric: Metric,
        /// f32, f16, bf16, sq8, int4, binary-rotated, pq8:M ...
        #[arg(long, default_value = "f32")]
        encoding: Encoding,
        /// How neighbours are looked for
        #[arg(long, value_enum, default_value = "hnsw")]
        index: IndexName,
        /// Links of a node
        #[arg(long, default_value_t = 16)]
        m: usize,
        /// Candidates for a new node's links
        #[arg(long, default_value_t = 200)]
        ef_construction: usize,
        /// Of whatever is random
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Put the rows of a file in: .jsonl, or .fvecs .bvecs .fbin .u8bin .npy
    Import {
        /// The collection
        dir: PathBuf,
        /// The rows
        file: PathBuf,
        /// Id of a file's first row, where rows have no ids
        #[arg(long, value_name = "N", default_value_t = 0)]
        first_id: u64,
        /// Rows to pass over: what an interrupted import says
        #[arg(long, value_name = "N", default_value_t = 0)]
        skip: usize,
        /// Rows a commit
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        batch: usize,
        /// Replace rows whose ids are in use instead of stopping
        #[arg(long)]
        upsert: bool,
        /// Threads that link [default: all cores]
        #[arg(long, value_name = "N")]
        threads: Option<usize>,
    },
    /// Write the rows into a file: .jsonl, or .fvecs without ids and metadata
    Export {
        /// The collection
        dir: PathBuf,
        /// The file; it must not exist
        file: PathBuf,
    },
    /// Find the nearest rows
    Search {
        /// The collection
        dir: PathBuf,
        /// The row whose neighbours are wanted
        #[arg(long, value_name = "ID", conflicts_with_all = ["vector", "queries"])]
        like: Option<String>,
        /// A vector, as numbers with commas
        #[arg(
            long,
            value_name = "X,..",
            value_delimiter = ',',
            allow_hyphen_values = true,
            conflicts_with = "queries"
        )]
        vector: Option<Vec<f32>>,
        /// A file of vectors
        #[arg(long, value_name = "FILE")]
        queries: Option<PathBuf>,
        /// How many
        #[arg(short, default_value_t = 10)]
        k: usize,
        /// Candidates of the graph
        #[arg(long, default_value_t = 100)]
        ef: usize,
        /// Compare with every row
        #[arg(long)]
        exact: bool,
    },
    /// What is in it
    Info {
        /// The collection
        dir: PathBuf,
    },
    /// Read everything and compare all checksums
    Verify {
        /// The collection
        dir: PathBuf,
    },
    /// Take deleted rows out of the files
    Compact {
        /// The collection
        dir: PathBuf,
    },
    /// Copy it, as of now
    Snapshot {
        /// The collection
        dir: PathBuf,
        /// A directory that holds none
        to: PathBuf,
    },
}
