//! The result record, schema [`SCHEMA`]: what a run measured, on what, and what it could not do.
//!
//! `SCHEMA.md` beside this crate gives every field with its unit, sign and meaning. Reading
//! ignores unknown fields and fills absent ones with their defaults, so a minor addition does not
//! break an older reader; a record of another schema is refused by name. Figures are written
//! with six significant digits, which is more than any of them is worth.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

mod cells;
mod digits;
mod engine;

pub use cells::{Cell, CellGroup, CellKey, Standing, Verdict, residence_rank};
pub use digits::round_figure;
pub use engine::{
    Engine, EngineAt, EngineBuild, EngineFiltered, EngineLatency, EnginePoint, EngineRatio,
};

/// The schema id that this crate writes, and the only one it reads.
pub const SCHEMA: &str = "annvil.run/1";

/// The largest record that [`Run::load`] reads into memory, in bytes.
pub const MAX_RECORD_BYTES: u64 = 512 * 1024 * 1024;

/// How much was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// A few minutes: a thinner matrix and fewer processes.
    #[default]
    Quick,
    /// The whole matrix.
    Full,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick => "quick",
            Self::Full => "full",
        })
    }
}

/// One run of the bench: the top level of a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// Always [`SCHEMA`] in a record that was loaded.
    pub schema: String,
    /// When the run began, RFC 3339.
    pub created: String,
    /// The command line that repeats the run.
    pub command: String,
    /// How much was measured.
    pub mode: Mode,
    /// The decision rule's parameters.
    pub rule: Rule,
    /// The machine.
    pub host: Host,
    /// The compiler and its flags.
    pub toolchain: Toolchain,
    /// The code that was measured.
    pub source: Source,
    /// Physical limits, measured once per session.
    pub limits: Vec<Limit>,
    /// Data sets that were present.
    pub datasets: Vec<Dataset>,
    /// One entry per variant per measured cell.
    #[serde(deserialize_with = "cells::rows_or_packed")]
    pub cells: Vec<Cell>,
    /// Queries answered through the engine.
    pub workloads: Vec<Workload>,
    /// Whatever was asked for, or would usually be there, and did not run.
    pub not_run: Vec<NotRun>,
    /// Remarks that a reader of the figures has to know.
    pub notes: Vec<String>,
    /// What the harness found about itself, when its self-test was part of the run.
    pub selftest: Option<Selftest>,
    /// The engine against others, when that suite was run; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            created: String::new(),
            command: String::new(),
            mode: Mode::default(),
            rule: Rule::default(),
            host: Host::default(),
            toolchain: Toolchain::default(),
            source: Source::default(),
            limits: Vec::new(),
            datasets: Vec::new(),
            cells: Vec::new(),
            workloads: Vec::new(),
            not_run: Vec::new(),
            notes: Vec::new(),
            selftest: None,
            engine: None,
        }
    }
}

/// Parameters of the verdict rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Probability, per cell, of naming a winner where there is none.
    #[serde(serialize_with = "digits::figure")]
    pub alpha: f64,
    /// Differences below this share (0.01 = 1 %) count as equal.
    #[serde(serialize_with = "digits::figure")]
    pub margin: f64,
    /// How the several comparisons of a cell share `alpha`, in words.
    pub correction: String,
}

impl Default for Rule {
    fn default() -> Self {
        Self { alpha: 0.05, margin: 0.01, correction: "alpha / (variants - 1)".to_owned() }
    }
}

/// The machine that was measured on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Brand string of the CPU.
    pub cpu: String,
    /// CPU vendor.
    pub vendor: String,
    /// CPU family number.
    pub family: Option<u32>,
    /// CPU model number.
    pub model: Option<u32>,
    /// Instruction-set flags that matter to the kernels.
    pub flags: Vec<String>,
    /// Caches, one per level and kind.
    pub caches: Vec<Cache>,
    /// Physical memory, bytes.
    pub memory_bytes: Option<u64>,
    /// Logical cores that the run could use.
    pub cores: Option<u32>,
    /// The hypervisor's name; absent on bare metal.
    pub hypervisor: Option<String>,
    /// Operating system and release.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Microcode revision, as the system prints it.
    pub microcode: Option<String>,
    /// Frequency governor, where there is one.
    pub governor: Option<String>,
    /// Share of time that the hypervisor took away during the run, percent.
    #[serde(serialize_with = "digits::maybe")]
    pub steal_pct: Option<f64>,
    /// Load averages over 1, 5 and 15 minutes when the run began.
    #[serde(serialize_with = "digits::list")]
    pub load_avg: Vec<f64>,
}

/// One cache.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cache {
    /// 1, 2 or 3.
    pub level: u8,
    /// `data`, `instruction` or `unified`.
    pub kind: String,
    /// Size, bytes.
    pub size_bytes: u64,
    /// Logical cores that share it.
    pub shared_by: u32,
}

/// The compiler and its flags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Toolchain {
    /// `rustc` version.
    pub rustc: String,
    /// LLVM version inside it.
    pub llvm: String,
    /// Target triple.
    pub target: String,
    /// Flags that reached the compiler beyond the profile's.
    pub flags: String,
    /// Cargo profile.
    pub profile: String,
}

/// The code that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// Revision of the working tree.
    pub revision: String,
    /// Whether the tree differed from that revision.
    pub dirty: bool,
}

/// A physical limit, measured once per session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limit {
    /// `clock_ghz`, `load_bytes_per_cycle`, `read_gb_s`, `fma_per_ns` or `timer_ns`. These are the
    /// session's own figures; [`Cell::limit`] has names of its own.
    pub name: String,
    /// The figure, in `unit`. Finite.
    #[serde(serialize_with = "digits::figure")]
    pub value: f64,
    /// The unit, for example `GB/s`.
    pub unit: String,
    /// Residence (`L1` .. `DRAM`) or ISA level that it holds for; empty when it has none.
    pub level: String,
    /// How it was measured, in words.
    pub how: String,
}

/// A data set that was present.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// Rows that were searched.
    pub rows: u64,
    /// Values per row.
    pub dim: usize,
    /// Queries with ground truth.
    pub queries: u64,
    /// Element type on disk.
    pub dtype: String,
    /// Where the vectors come from, in words.
    pub source: String,
    /// Licence of the data.
    pub licence: String,
    /// SHA-256 of the vectors' file, hexadecimal.
    pub sha256: Option<String>,
}

/// Queries answered through the engine over one data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Workload {
    /// Name of the data set.
    pub dataset: String,
    /// Index that answered, for example `flat`.
    pub index: String,
    /// Metric of the search.
    pub metric: String,
    /// Neighbours asked for.
    pub k: usize,
    /// Queries per second over all threads.
    #[serde(serialize_with = "digits::maybe")]
    pub qps: Option<f64>,
    /// Share of the true neighbours found, 0 to 1.
    #[serde(serialize_with = "digits::maybe")]
    pub recall: Option<f64>,
    /// Median latency of one query, microseconds.
    #[serde(serialize_with = "digits::maybe")]
    pub p50_us: Option<f64>,
    /// 99th percentile latency of one query, microseconds.
    #[serde(serialize_with = "digits::maybe")]
    pub p99_us: Option<f64>,
    /// Worker threads.
    pub threads: usize,
    /// Coordinates of the kernel that did the work.
    pub kernel: String,
    /// Rows searched.
    pub rows: u64,
    /// Values per row.
    pub dim: usize,
    /// Queries timed.
    pub queries: u64,
    /// The command line that repeats this row.
    pub command: String,
    /// Why the workload did not run; then no figure is present.
    pub not_run: Option<String>,
}

/// Something that did not run, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotRun {
    /// What it is: coordinates, a data set, a limit, a step.
    pub what: String,
    /// Why, and what would make it run.
    pub why: String,
}

/// What the harness found about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selftest {
    /// Trials over identical kernels.
    pub aa_trials: u64,
    /// Of those, winners named when the margin was left out.
    pub aa_false_winners: u64,
    /// Of those, winners named by the rule with its margin.
    pub aa_false_winners_margin: u64,
    /// Size of the slow-down that was planted, percent.
    #[serde(serialize_with = "digits::figure")]
    pub injected_pct: f64,
    /// Trials with a planted slow-down.
    pub injected_trials: u64,
    /// Of those, found.
    pub injected_found: u64,
    /// Whether every check held.
    pub passed: bool,
    /// Remarks.
    pub notes: Vec<String>,
}

/// Why a record could not be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum SchemaError {
    /// The file system refused.
    Io {
        /// The record's path.
        path: PathBuf,
        /// What was being done: `read`, `write`, ...
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// The file is larger than [`MAX_RECORD_BYTES`].
    TooLarge {
        /// The record's path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// The text is not JSON, or a field has the wrong type.
    Json {
        /// The record's path.
        path: PathBuf,
        /// The cause, with line and column.
        source: serde_json::Error,
    },
    /// The record is of another schema, or names none.
    OtherSchema {
        /// The record's path.
        path: PathBuf,
        /// The id that was found; `None` when there was no such field.
        found: Option<String>,
    },
    /// A figure that must be a number is infinite or NaN.
    NotFinite {
        /// Where it stands.
        field: String,
    },
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, source } => {
                write!(f, "cannot {doing} the record {}: {source}", path.display())
            }
            Self::TooLarge { path, bytes } => write!(
                f,
                "the record {} has {bytes} bytes; at most {MAX_RECORD_BYTES} are read",
                path.display()
            ),
            Self::Json { path, source } => {
                write!(f, "the record {} cannot be understood: {source}", path.display())
            }
            Self::OtherSchema { path, found: Some(id) } => write!(
                f,
                "the record {} has schema {id:?}; this program reads {SCHEMA:?}: run the bench \
                 again, or read it with the release that wrote it",
                path.display()
            ),
            Self::OtherSchema { path, found: None } => write!(
                f,
                "the record {} names no schema (expected \"schema\": {SCHEMA:?}): it is not a \
                 record of a run",
                path.display()
            ),
            Self::NotFinite { field } => {
                write!(f, "{field} is not a finite number; leave the entry out and say why")
            }
        }
    }
}

impl std::error::Error for SchemaError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Json { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Run {
    /// Reads the record at `path`.
    ///
    /// # Errors
    /// [`SchemaError`]: the file cannot be read, is too large, is no JSON of this shape, or is of
    /// another schema.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SchemaError> {
        let path = path.as_ref();
        let io = |source| SchemaError::Io { path: path.to_owned(), doing: "read", source };
        let bytes = fs::metadata(path).map_err(io)?.len();
        if bytes > MAX_RECORD_BYTES {
            return Err(SchemaError::TooLarge { path: path.to_owned(), bytes });
        }
        Self::from_json(&fs::read(path).map_err(io)?, path)
    }

    /// Reads a record from JSON text; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`Run::load`], less those of the file system.
    pub fn from_json(text: &[u8], path: &Path) -> Result<Self, SchemaError> {
        #[derive(Deserialize)]
        struct Id {
            schema: Option<String>,
        }
        let json = |source| SchemaError::Json { path: path.to_owned(), source };
        let id: Id = serde_json::from_slice(text).map_err(json)?;
        match id.schema.as_deref() {
            Some(SCHEMA) => serde_json::from_slice(text).map_err(json),
            _ => Err(SchemaError::OtherSchema { path: path.to_owned(), found: id.schema }),
        }
    }

    /// The record as indented JSON, with a newline at its end. Same run, same bytes.
    ///
    /// # Errors
    /// [`SchemaError::NotFinite`], or [`SchemaError::OtherSchema`] when `schema` was changed.
    pub fn to_json(&self) -> Result<String, SchemaError> {
        self.check(Path::new("(in memory)"))?;
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|source| SchemaError::Json { path: "(in memory)".into(), source })?;
        text.push('\n');
        Ok(text)
    }

    /// The record as one line of JSON with its cells packed (see `SCHEMA.md`), which
    /// [`Run::from_json`] reads as well: less than half as long. Same run, same bytes.
    ///
    /// # Errors
    /// As [`Run::to_json`].
    pub fn to_packed_json(&self) -> Result<String, SchemaError> {
        let name = Path::new("(in memory)");
        self.check(name)?;
        let json = |source| SchemaError::Json { path: name.to_owned(), source };
        let cells = serde_json::to_value(cells::PackedCells::pack(&self.cells).map_err(json)?)
            .map_err(json)?;
        let rest = Self { cells: Vec::new(), ..self.clone() };
        let mut record = serde_json::to_value(&rest).map_err(json)?;
        record["cells"] = cells;
        serde_json::to_string(&record).map_err(json)
    }

    /// Writes the record to `path`: to a new file beside it, synced, then renamed over it, so a
    /// reader sees the old record or the new one and nothing between.
    ///
    /// # Errors
    /// As [`Run::to_json`], or [`SchemaError::Io`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), SchemaError> {
        let path = path.as_ref();
        let text = self.to_json()?;
        write_atomically(path, text.as_bytes()).map_err(|source| SchemaError::Io {
            path: path.to_owned(),
            doing: "write",
            source,
        })
    }

    fn check(&self, path: &Path) -> Result<(), SchemaError> {
        if self.schema != SCHEMA {
            let found = Some(self.schema.clone());
            return Err(SchemaError::OtherSchema { path: path.to_owned(), found });
        }
        let named = [("rule.alpha", self.rule.alpha), ("rule.margin", self.rule.margin)];
        if let Some((field, _)) = named.iter().find(|(_, v)| !v.is_finite()) {
            return Err(SchemaError::NotFinite { field: (*field).to_owned() });
        }
        match self.limits.iter().position(|l| !l.value.is_finite()) {
            Some(i) => Err(SchemaError::NotFinite {
                field: format!(
                    "limits[{i}].value ({} {})",
                    self.limits[i].name, self.limits[i].level
                ),
            }),
            None => Ok(()),
        }
    }
}

/// Replaces `path` with `bytes` in one step, or leaves it as it was.
///
/// # Errors
/// Those of the file system; the half-written file beside `path` is removed.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, "the path does not end in a file name")
    })?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed)));
    let beside = path.with_file_name(beside);
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| {
        // The first error is the one to report; a leftover is harmless.
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests;
