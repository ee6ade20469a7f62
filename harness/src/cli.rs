//! The command line.

use std::path::PathBuf;

use annvil_harness::protocol::{Alignment, Residence};
use annvil_harness::suite::Selection;
use annvil_reports::schema::Mode;
use clap::{Args, Parser, Subcommand};

mod db;

pub(crate) use db::{DbArgs, DbVerb, IndexName};

const EXIT_CODES: &str = "\
Exit codes: 0 ok | 1 a tool failed | 2 usage | 3 slower than allowed | 4 undecided or noisy (--fail-noisy)
            5 wrong answer or wrong dispatch | 6 a prerequisite is missing | 130 interrupted, resumable";

/// Verify, time and judge every kernel; keep the evidence.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Verify, time and judge kernels; write results.json and report.html
    Bench(BenchArgs),
    /// List the registry: op, variant, level, technique, available here, winner where
    Kernels(KernelsArgs),
    /// Show the code of a kernel as it ran: hot loop, accumulators, calls, predictions
    Asm(AsmArgs),
    /// Check every available variant against the f64 oracle
    Verify(VerifyArgs),
    /// Check the timing method itself: identical kernels, planted slow-downs, spikes, drift
    Selftest(SelftestArgs),
    /// Measure every finding of the performance report: as found against ours
    Findings(FindingsArgs),
    /// Make the winners table from a recorded run
    Promote(PromoteArgs),
    /// Draw the page of a recorded run again
    Report(ReportArgs),
    /// List, verify or cut data sets
    Data(DataArgs),
    /// Make, fill, search and look after a collection on disk
    Db(DbArgs),
    /// Describe this machine, compiler and source tree, as a run records them
    Env(EnvArgs),
    /// Judge builds of the training program (what `cargo xtask pgo verify` calls)
    #[command(hide = true)]
    JudgeBuilds(JudgeBuildsArgs),
    /// Build one contestant of the engine suite, and say what it took
    #[command(hide = true)]
    EngineBuild(EngineBuildArgs),
    /// Serve cells to a parent process
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// Which bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SuiteName {
    /// Every variant of every kernel
    Kernels,
    /// Recall, rates, builds, memory, filters and waits, against other engines
    Engine,
}

const BENCH_EXAMPLES: &str = "\
Examples:
  cargo xtask bench                                 the quick suite, a few minutes
  cargo xtask bench --full                          every dimension, residence and alignment
  cargo xtask bench l2sq --list                     the cells of one metric
  cargo xtask bench --op 'f32/*/pair' --dim 768     other dims than the suite's work as well
  cargo xtask bench --variant 'avx*,scalar'         only some rivals
  cargo xtask bench --resume reports/out/latest     go on after Ctrl-C
  cargo xtask bench --suite engine --rivals         the engine against other engines

A FILTER is a part of op@dim@residence@alignment, or a pattern for all of it (* = any text).
Lists are joined by commas. The result goes to OUT/results.json and OUT/report.html.
With --suite engine a FILTER is a part of a data set's name, --variant takes contestants.";

#[derive(Debug, Args)]
#[command(after_help = format!("{BENCH_EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct BenchArgs {
    /// Parts of cell names; a cell has to match one
    pub(crate) filter: Vec<String>,
    /// What to measure: single kernels, or the engine on real sets
    #[arg(long, value_enum, default_value_t = SuiteName::Kernels)]
    pub(crate) suite: SuiteName,
    /// Builds of each contestant, with --suite engine [default: 1, full: 3]
    #[arg(long, value_name = "B", value_parser = clap::value_parser!(u16).range(1..=20))]
    pub(crate) builds: Option<u16>,
    /// The quick suite (the default)
    #[arg(long, conflicts_with = "full")]
    pub(crate) quick: bool,
    /// The full suite
    #[arg(long)]
    pub(crate) full: bool,
    /// Patterns for ops, for example f32/l2sq/pair
    #[arg(long, value_delimiter = ',', value_name = "OP")]
    pub(crate) op: Vec<String>,
    /// Dimensions instead of the suite's
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub(crate) dim: Vec<usize>,
    /// Residences instead of the suite's: L1, L2, L3, DRAM
    #[arg(long, value_delimiter = ',', value_name = "WHERE")]
    pub(crate) residence: Vec<Residence>,
    /// Alignments instead of the suite's: aligned, unaligned
    #[arg(long, value_delimiter = ',', value_name = "HOW")]
    pub(crate) align: Vec<Alignment>,
    /// Patterns for variants
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) variant: Vec<String>,
    /// A folder of data sets beside the built-in ones
    #[arg(long, value_name = "DIR", env = "ANNVIL_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Where results go [default: reports/out/latest]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the cells and stop
    #[arg(long)]
    pub(crate) list: bool,
    /// Print the plan and its estimated time and stop
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the record instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Go on with the interrupted run in this folder; its plan is taken over
    #[arg(long, value_name = "RUN", conflicts_with = "out")]
    pub(crate) resume: Option<PathBuf>,
    /// Fresh processes per cell [default: the suite's]
    #[arg(long, value_name = "P", value_parser = clap::value_parser!(u16).range(2..=64))]
    pub(crate) processes: Option<u16>,
    /// Rounds per process [default: the suite's]
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u16).range(5..=10_000))]
    pub(crate) rounds: Option<u16>,
    /// Seed of orders and offsets
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// The build to measure: base, v3, v4 or native (taken by `cargo xtask`, which makes it)
    #[arg(long, value_name = "NAME")]
    pub(crate) build: Option<String>,
    /// Let other libraries take part: DiskANN, NumKong (taken by `cargo xtask`, which builds them)
    #[arg(long)]
    pub(crate) rivals: bool,
    /// Exit with 4 if a cell is undecided or noisy
    #[arg(long)]
    pub(crate) fail_noisy: bool,
}

impl BenchArgs {
    pub(crate) fn mode(&self) -> Mode {
        if self.full { Mode::Full } else { Mode::Quick }
    }

    pub(crate) fn selection(&self) -> Selection {
        Selection {
            filters: self.filter.clone(),
            ops: self.op.clone(),
            dims: self.dim.clone(),
            residences: self.residence.clone(),
            alignments: self.align.clone(),
            variants: self.variant.clone(),
        }
    }

    /// Whether anything that shapes the plan was given.
    pub(crate) fn shapes_plan(&self) -> bool {
        self.quick
            || self.full
            || self.processes.is_some()
            || self.rounds.is_some()
            || self.seed.is_some()
            || self.selection() != Selection::default()
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask kernels                 everything
  cargo xtask kernels --json          the same as a list of objects")]
pub(crate) struct KernelsArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask verify                  every op and variant
  cargo xtask verify 'f32/dot/*'      one metric
  cargo xtask verify '*#avx2*'        one level

Exits with 5 on a wrong value.")]
pub(crate) struct VerifyArgs {
    /// Parts of, or patterns for, op#variant
    pub(crate) filter: Vec<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask selftest                2,000 synthetic trials a check, then live ones
  cargo xtask selftest --short        200, as in the tests

Exits with 5 if a check fails.")]
pub(crate) struct SelftestArgs {
    /// Fewer trials
    #[arg(long)]
    pub(crate) short: bool,
    /// Seed of the trials
    #[arg(long, value_name = "N", default_value_t = 11)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask findings --quick             all of them, about two minutes
  cargo xtask findings OPT-MEM             some of them
  cargo xtask findings --record            take what passes as accepted

Exits with 3 if a finding that was accepted on this machine clearly falls short.")]
pub(crate) struct FindingsArgs {
    /// Parts of, or patterns for, a finding's name
    pub(crate) filter: Vec<String>,
    /// Smaller sizes and fewer rounds
    #[arg(long)]
    pub(crate) quick: bool,
    /// Print the record instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the rows that pass to reports/record/findings.json
    #[arg(long)]
    pub(crate) record: bool,
    /// Where record and page go [default: reports/out/findings]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of data and orders
    #[arg(long, value_name = "N", default_value_t = 11)]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cargo xtask promote reports/out/latest

The run has to be whole: a suite without --op, --dim, --variant and the like.")]
pub(crate) struct PromoteArgs {
    /// The folder of a run, or its results.json
    pub(crate) run: PathBuf,
    /// Print what would change and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take a run of a tree with uncommitted changes
    #[arg(long)]
    pub(crate) allow_dirty: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask report reports/out/latest
  cargo xtask report reports/out/latest --out page.html")]
pub(crate) struct ReportArgs {
    /// The folder of a run, or its results.json
    pub(crate) run: PathBuf,
    /// Where the page goes [default: report.html beside the record]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub(crate) what: DataVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataVerb {
    /// Print the data sets that can be used
    List {
        /// A folder of data sets beside the built-in ones
        #[arg(long, value_name = "DIR", env = "ANNVIL_DATA")]
        data: Option<PathBuf>,
    },
    /// Check data sets: sizes, values, checksums, ground truth computed anew
    Verify {
        /// A folder of data sets beside the built-in ones
        #[arg(long, value_name = "DIR", env = "ANNVIL_DATA")]
        data: Option<PathBuf>,
        /// Names of sets; none means all
        names: Vec<String>,
        /// Most queries of each kind whose ground truth is computed anew
        #[arg(long, value_name = "N")]
        queries: Option<usize>,
    },
    /// Cut a small set, with its own ground truth, from a larger one
    Slice {
        /// The folder of the larger set
        src: PathBuf,
        /// The folder to write
        dst: PathBuf,
        /// Rows to take
        #[arg(long, value_name = "N", default_value_t = 2000)]
        rows: usize,
        /// Queries to take
        #[arg(long, value_name = "N", default_value_t = 100)]
        queries: usize,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask asm f32/l2sq/pair#avx512-x4
  cargo xtask asm i8/dot/scan#avx512vnni-r4 --dim 128 --mca znver4,znver5,sapphirerapids
  cargo xtask asm --check")]
pub(crate) struct AsmArgs {
    /// op#variant
    #[arg(required_unless_present = "check")]
    pub(crate) kernel: Option<String>,
    /// Elements of a vector; sub-quantisers for product quantisation
    #[arg(long, value_name = "N", default_value_t = 768)]
    pub(crate) dim: usize,
    /// CPUs for which llvm-mca predicts the body's cycles
    #[arg(long, value_delimiter = ',', value_name = "CPU")]
    pub(crate) mca: Vec<String>,
    /// Look at every winner of this CPU: no call in the hot loop
    #[arg(long)]
    pub(crate) check: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JudgeBuildsArgs {
    /// A build: the first is what the others are compared with
    #[arg(long, value_name = "NAME=PATH")]
    pub(crate) build: Vec<String>,
    /// Starts of each build
    #[arg(long, value_name = "P", default_value_t = 9, value_parser = clap::value_parser!(u16).range(2..=99))]
    pub(crate) processes: u16,
    /// The loss in percent that ends with code 3
    #[arg(long, value_name = "PCT", default_value_t = 2.0)]
    pub(crate) max_regress: f64,
    /// Where the record goes
    #[arg(long, value_name = "FILE", default_value = "reports/out/builds/builds.json")]
    pub(crate) out: PathBuf,
    /// Print the record instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// What every build is started with
    #[arg(last = true)]
    pub(crate) run: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct EngineBuildArgs {
    /// The data set's folder
    #[arg(long)]
    pub(crate) set: PathBuf,
    /// The contestant's name
    #[arg(long)]
    pub(crate) contestant: String,
    /// Number of the build
    #[arg(long)]
    pub(crate) number: usize,
    /// Seed of the run
    #[arg(long)]
    pub(crate) seed: u64,
    /// Threads
    #[arg(long)]
    pub(crate) threads: usize,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Seed of this process's orders and offsets
    #[arg(long)]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn lists_and_words_are_understood() {
        let parse = |args: &[&str]| {
            let all = ["x", "bench"].iter().chain(args).copied();
            match Cli::try_parse_from(all).map(|c| c.verb) {
                Ok(Verb::Bench(b)) => Ok(b),
                Ok(_) => panic!("another verb"),
                Err(e) => Err(e.to_string()),
            }
        };
        let b = parse(&["l2sq", "--dim", "96,128", "--residence", "l1,dram"]).unwrap();
        assert_eq!((b.dim.as_slice(), b.filter.as_slice()), (&[96, 128][..], &["l2sq".into()][..]));
        assert_eq!(b.residence, [Residence::L1, Residence::Dram]);
        assert!(b.shapes_plan() && !parse(&["--json", "--fail-noisy"]).unwrap().shapes_plan());
        assert!(parse(&["--residence", "L9"]).unwrap_err().contains("DRAM"));
        assert!(parse(&["--quick", "--full"]).is_err());
        assert!(parse(&["--processes", "1"]).is_err());
    }
}
