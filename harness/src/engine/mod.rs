//! The engine against other engines, on real sets: recall and rate of searches, what a build takes,
//! memory, filtered searches, how long a query waits.
//!
//! All contestants are built over the same rows in the same order, and live in one process. A round
//! asks every contestant every query at every setting, in a fresh order, and takes the CPU time of
//! the calling thread; what is compared are times of one round, at one recall. Graphs differ from
//! build to build by more than times differ from round to round, so the unit of replication is the
//! build: the first inserts rows in the set's order, each further one in an order of its own, the
//! same for all, since some libraries take no seed.

mod child;
pub mod clock;
pub mod contestant;
mod filtered;
mod ours;
mod ours_db;
pub mod pareto;
mod record;
mod rivals;
mod search;
pub mod stats;
#[cfg(test)]
mod tests;

pub use child::{ChildBuild, ChildPlan};
pub use contestant::{EF_CONSTRUCTION, M};

use std::fmt;
use std::path::Path;
use std::time::Instant;

use annvil::{AlignedRows, LayoutError};
use annvil_reports::schema::{Engine, NotRun};
use rayon::ThreadPool;

use crate::data::{DataError, Dataset};
use crate::rng::{Rng, derive_seed};
use crate::suite::matches;
use clock::BuildTimer;
use contestant::{BuildPlan, Cause, Contestant};
use search::{Player, Question, Searched};

/// Neighbours asked for.
pub const K: usize = 10;
/// The recalls at which rates are compared.
pub const TARGETS: [f64; 3] = [0.90, 0.95, 0.99];
/// Shares of the rows that filters match, in percent.
pub const SELECTIVITIES: [f64; 4] = [100.0, 50.0, 10.0, 1.0];
/// Candidates of a search: what is tried, ascending.
pub const EFS: [usize; 15] = [10, 12, 14, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256, 384];
/// Threads of the second kind of build.
pub const THREADS: usize = 2;
/// The recall at whose setting waiting times are taken.
const LATENCY_RECALL: f64 = 0.95;
/// Passes through the queries for waiting times.
const LATENCY_PASSES: usize = 3;

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub struct EnginePlan {
    /// Builds of each contestant.
    pub builds: usize,
    /// Rounds over each build.
    pub rounds: usize,
    /// Seed of orders, filters and those that take one.
    pub seed: u64,
    /// Patterns of contestants' names; none means all.
    pub only: Vec<String>,
    /// All of our encodings, not a quick look's.
    pub full: bool,
}

impl EnginePlan {
    /// The contestants that take part.
    #[must_use]
    pub fn contestants(&self) -> Vec<Box<dyn Contestant>> {
        let mut list = contestants(self.full || !self.only.is_empty());
        let takes = |name: &str| {
            self.only.is_empty()
                || self.only.iter().any(|p| name.contains(p.as_str()) || matches(p, name))
        };
        list.retain(|c| takes(c.name()));
        list
    }

    /// Steps of a set, for progress.
    #[must_use]
    pub fn steps(&self) -> usize {
        let contestants = self.contestants().len();
        self.builds * (3 * contestants + self.rounds) + SELECTIVITIES.len() + 1
    }
}

/// Every contestant of this build of the program.
fn contestants(full: bool) -> Vec<Box<dyn Contestant>> {
    let mut list = ours::all(full);
    list.extend(ours_db::all(full));
    list.extend(rivals::all());
    list.push(ours_db::flat());
    list
}

/// Who is told how far it went, and says when to end.
pub trait Watch {
    /// A step begins.
    fn begin(&mut self, what: &str);
    /// A step is done.
    fn done(&mut self, what: &str);
    /// Whether to end, with what there is.
    fn stopped(&self) -> bool;
}

/// Why the suite could not go on.
#[derive(Debug)]
pub enum EngineError {
    /// A set cannot be read.
    Data(DataError),
    /// Too little memory for its rows.
    Layout(LayoutError),
    /// A contestant failed.
    Contestant {
        /// Its name.
        contestant: String,
        /// What it did.
        doing: &'static str,
        /// Why.
        source: Cause,
    },
    /// A process that builds by itself failed.
    Child {
        /// The contestant that it was to build.
        contestant: String,
        /// What happened.
        why: String,
    },
    /// The ground truth has too few neighbours.
    FewNeighbours {
        /// How many it has a query.
        has: usize,
    },
}

impl EngineError {
    fn contestant(name: &str, doing: &'static str, source: Cause) -> Self {
        Self::Contestant { contestant: name.to_owned(), doing, source }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(e) => e.fmt(f),
            Self::Layout(e) => e.fmt(f),
            Self::Contestant { contestant, doing, source } => {
                write!(f, "{contestant}: cannot {doing}: {source}")
            }
            Self::Child { contestant, why } => {
                write!(f, "{contestant}: the process that builds it by itself {why}")
            }
            Self::FewNeighbours { has } => {
                write!(f, "the ground truth has {has} neighbours a query; {K} are needed")
            }
        }
    }
}

impl std::error::Error for EngineError {}

impl From<DataError> for EngineError {
    fn from(e: DataError) -> Self {
        Self::Data(e)
    }
}

impl From<LayoutError> for EngineError {
    fn from(e: LayoutError) -> Self {
        Self::Layout(e)
    }
}

/// What a set gave: a part of the record, and what did not run.
#[derive(Debug, Default)]
pub struct SetRecord {
    /// Its rows of each table.
    pub engine: Engine,
    /// Who did not take part, and why.
    pub not_run: Vec<NotRun>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// In which order build number `build` inserts its rows: the set's own for the first.
fn build_order(rows: usize, build: usize, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..rows as u32).collect();
    if build > 0 {
        Rng::new(derive_seed(seed ^ 0x0bde_0bde, build as u64)).shuffle(&mut order);
    }
    order
}

/// The rows in another order.
fn permuted(base: &AlignedRows, order: &[u32]) -> Result<AlignedRows, LayoutError> {
    let mut rows = AlignedRows::with_capacity(base.len(), base.dim())?;
    order.iter().try_for_each(|i| rows.push(base.row(*i as usize)))?;
    Ok(rows)
}

/// Measures one set. `exe` is this program, for builds in processes of their own; without it those
/// figures are left out. Set-wide errors end it; a contestant that fails is left out and named.
///
/// # Errors
/// A set that cannot be read, or a contestant that fails while it is timed.
pub fn run_set(
    set: &Dataset,
    plan: &EnginePlan,
    exe: Option<&Path>,
    pool: &ThreadPool,
    watch: &mut dyn Watch,
) -> Result<SetRecord, EngineError> {
    let (base, queries, truth) = (set.base().load()?, set.query().load()?, set.load_truth()?);
    if truth.k < K.min(base.len()) {
        return Err(EngineError::FewNeighbours { has: truth.k });
    }
    let mut out = SetRecord::default();
    let mut builds: Vec<Vec<Searched>> = Vec::new();
    for build in 0..plan.builds {
        let order = build_order(base.len(), build, plan.seed);
        let rows = permuted(&base, &order)?;
        let mut players = Vec::new();
        if !enter(set, &rows, build, plan, exe, &mut players, &mut out, watch)? {
            return Ok(finish(set, out, &builds, true));
        }
        let question =
            Question { base: &base, queries: queries.view(), truth: &truth, order: &order };
        let mut searched = Vec::new();
        for player in &mut players {
            watch.begin(&format!("{}: what {} finds", set.name(), player.name));
            searched.push(search::explore(player, &question)?);
            watch.done(player.name);
            if watch.stopped() {
                return Ok(finish(set, out, &builds, true));
            }
        }
        watch.begin(&format!("{}: rounds of build {build}", set.name()));
        let seed = derive_seed(plan.seed, 1000 + build as u64);
        let whole =
            search::time(&mut players, &mut searched, queries.view(), plan.rounds, seed, watch)?;
        if !whole {
            return Ok(finish(set, out, &builds, true));
        }
        if build == 0 {
            let rows = filtered::Rows {
                dataset: set.name(),
                base: &rows,
                queries: queries.view(),
                pool,
                rounds: plan.rounds,
                seed: plan.seed,
            };
            latency(set, &mut players, &searched, queries.view(), &mut out.engine, watch)?;
            watch.begin(&format!("{}: filtered searches", set.name()));
            with_attribute(&mut players, rows.base, plan, pool)?;
            out.engine.filtered = filtered::run(&mut players, &rows, watch)?;
            out.not_run.extend(players.iter().filter_map(|p| {
                let why = p.index.no_filter()?.to_owned();
                Some(NotRun { what: format!("{}, filtered, over {}", p.name, set.name()), why })
            }));
        }
        builds.push(searched);
    }
    Ok(finish(set, out, &builds, false))
}

fn finish(set: &Dataset, mut out: SetRecord, builds: &[Vec<Searched>], stopped: bool) -> SetRecord {
    record::searches(set.name(), builds, &mut out.engine);
    out.stopped = stopped;
    out
}

/// Builds every contestant, one after the other; who fails is named in `out`. False if stopped.
#[allow(clippy::too_many_arguments, reason = "one caller")]
fn enter(
    set: &Dataset,
    rows: &AlignedRows,
    build: usize,
    plan: &EnginePlan,
    exe: Option<&Path>,
    players: &mut Vec<Player>,
    out: &mut SetRecord,
    watch: &mut dyn Watch,
) -> Result<bool, EngineError> {
    let mut list = plan.contestants();
    Rng::new(derive_seed(plan.seed, 7_000 + build as u64)).shuffle(&mut list);
    for contestant in &list {
        if watch.stopped() {
            return Ok(false);
        }
        let name = contestant.name();
        watch.begin(&format!("{}: {name}, build {build}", set.name()));
        let mut timer = BuildTimer::default();
        let seed = derive_seed(plan.seed, build as u64);
        let built =
            contestant.build(rows, &BuildPlan { seed, pool: None, attribute: None }, &mut timer);
        watch.done(name);
        let index = match built {
            Ok(index) => index,
            Err(e) => {
                let what = format!("{name} over {}", set.name());
                out.not_run.push(NotRun { what, why: e.to_string() });
                watch.done(name);
                continue;
            }
        };
        watch.begin(&format!("{}: {name}, build {build} by itself", set.name()));
        let alone = exe.map(|exe| {
            let (seed, threads) = (plan.seed, THREADS);
            let (set, contestant) = (set.dir().to_path_buf(), name.to_owned());
            ChildPlan { set, contestant, build, seed, threads }.run(exe)
        });
        watch.done(name);
        let alone = match alone.transpose() {
            Ok(alone) => alone,
            Err(e) => {
                let what = format!("{name}, build by itself, over {}", set.name());
                out.not_run.push(NotRun { what, why: e.to_string() });
                None
            }
        };
        let row = record::Built { dataset: set.name(), name, build, rows: rows.len() };
        out.engine.build.push(row.record(&timer, alone, index.bytes()));
        let settings = contestant.settings(K, &EFS);
        players.push(Player { name, is_ours: contestant.is_ours(), index, settings });
    }
    // Records list contestants as the list does, whatever order they were built in.
    let place = |name: &str| plan.contestants().iter().position(|c| c.name() == name);
    players.sort_by_key(|p| place(p.name));
    out.engine.build.sort_by_key(|b| (place(&b.contestant), b.build));
    Ok(true)
}

/// Builds those that filter by metadata again, with the attribute that filters ask about.
fn with_attribute(
    players: &mut [Player],
    rows: &AlignedRows,
    plan: &EnginePlan,
    pool: &ThreadPool,
) -> Result<(), EngineError> {
    let values = filtered::attribute(rows.len(), plan.seed);
    let contestants = plan.contestants();
    for player in players {
        let again = contestants.iter().find(|c| c.name() == player.name && c.filters_by_metadata());
        let Some(again) = again else { continue };
        let seed = derive_seed(plan.seed, 0);
        let how = BuildPlan { seed, pool: Some(pool), attribute: Some(&values) };
        player.index = again
            .build(rows, &how, &mut BuildTimer::default())
            .map_err(|e| EngineError::contestant(player.name, "build with metadata", e))?;
    }
    Ok(())
}

/// Waiting times of all contestants at the setting that finds 0.95, pass by pass.
fn latency(
    set: &Dataset,
    players: &mut [Player],
    searched: &[Searched],
    queries: annvil::RowsRef<'_, f32>,
    engine: &mut Engine,
    watch: &mut dyn Watch,
) -> Result<(), EngineError> {
    watch.begin(&format!("{}: waiting times", set.name()));
    let mut waits: Vec<Vec<f64>> = players.iter().map(|_| Vec::new()).collect();
    let start = Instant::now();
    for _ in 0..LATENCY_PASSES {
        for ((player, searched), waits) in players.iter_mut().zip(searched).zip(&mut waits) {
            let Some(tried) = searched.setting_for(LATENCY_RECALL) else { continue };
            search::waits(player, queries, tried.setting, waits)?;
        }
        if watch.stopped() || start.elapsed().as_secs() > 120 {
            break;
        }
    }
    for (searched, waits) in searched.iter().zip(&mut waits) {
        engine.latency.extend(record::latency(set.name(), searched, LATENCY_RECALL, waits));
    }
    watch.done("waiting times");
    Ok(())
}
