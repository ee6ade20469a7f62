//! Every finding of the performance report: the form that was found against ours, in one process,
//! round by round in random order.
//!
//! A row is a function here; what it needs of slow code is in [`baseline`](crate::baseline). A row
//! whose part of the engine is not there says so: it is not measurable, never assumed.

pub mod alloc;
mod check;
mod disk;
mod engine;
pub mod interval;
mod mem;
mod par;
mod record;
mod simd;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use annvil::AlignedRows;
use annvil_reports::findings::{Check, Finding, Outcome};

use crate::rng::{Rng, derive_seed};
use crate::rounds::{Clock, Contestant, Plan, SystemClock, time_rounds};
use interval::Interval;

pub use record::{Accepted, table};

/// A row of the list.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name in the report.
    pub id: &'static str,
    title: &'static str,
    promise: &'static str,
    note: &'static str,
    measure: fn(&Lab<'_>) -> Result<Vec<Check>, String>,
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Row").field("id", &self.id).finish_non_exhaustive()
    }
}

macro_rules! rows {
    ($($id:literal $title:literal, $promise:literal, $measure:path, $note:literal;)*) => {
        &[$(Row { id: $id, title: $title, promise: $promise, note: $note, measure: $measure }),*]
    };
}

/// All of them, in the report's order.
pub const ROWS: &[Row] = rows! {
    "OPT-SIMD-1" "L1 distance in SIMD", "4-8x", simd::l1, "";
    "OPT-SIMD-2" "the best kernel is the one that search uses", "not said", simd::chosen, "";
    "OPT-SIMD-3" "nested `if let` iterators", "marginal", simd::nested,
        "the form is compiled for this build's CPU level, the winner for the machine's";
    "OPT-SIMD-4" "a scalar pass of square roots", "about 8x", simd::roots,
        "the 8x does not reproduce: the compiler vectorises the loop; what is left to gain is the pass itself, see DEFERRED-SQRT";
    "OPT-SIMD-5" "fused multiply-add in columns", "about 10 %", simd::columns,
        "the form is compiled for this build's CPU level; what pays is the blocked layout, not the fused instruction";
    "OPT-SIMD-6" "int4 distance in SIMD", "8-16x", simd::int4, "";
    "OPT-MEM-1" "copies in batch insert", "2-5x less", mem::batch_insert,
        "a collection in memory; the form that was found is counted without its graph";
    "OPT-MEM-2" "clones in k-means", "10-20x less", mem::kmeans, "";
    "OPT-MEM-3" "copies of sub-spaces", "8,000 fewer at 8 x 1000", mem::pq, "";
    "OPT-MEM-4" "zeroing in the pool", "not said", mem::pool, "";
    "OPT-MEM-5" "vectors loaded for every result", "300 KB a query", mem::enrichment, "";
    "OPT-PAR-1" "parallel insert", "3-8x", par::insert,
        "3-8x takes 4 to 10 cores; the criterion is that of two threads";
    "OPT-PAR-2" "load in O(n)", "O(n^2) to O(n)", par::load,
        "a load takes the graph's numbers back and checks every link; its signature takes no rows, so there is nothing to compare";
    "OPT-PAR-3" "flat search over par_bridge", "not said", par::flat,
        "the form that was found gets our kernel: what differs is the memory and the sharing of work";
    "OPT-PAR-4" "parallel k-means", "near linear", par::kmeans, "";
    "OPT-PGO-1" "profile-guided builds", "5-15 %", engine::pgo, "";
    "1.2" "target-cpu=native", "not said", engine::target_cpu, "";
    "1.3" "overflow checks", "off in release", engine::overflow, "";
    "DEFERRED-SQRT" "roots of results only", "not said", engine::deferred_sqrt, "";
    "REDUNDANT" "one home for distances", "not said", engine::redundant, "";
    "DUPLICATES" "one copy of each vector", "not said", engine::duplicates, "a collection in memory with text ids";
    "STARTUP" "reads at the start", "not said", disk::startup, "";
    "DURABLE" "a collection on disk costs little", "not said", disk::durable,
        "not of the report: what the engine's own stores promise";
    "4.1" "dead import of rayon", "clean", engine::lints, "";
};

impl Row {
    /// Measures it. What cannot be is said in the row.
    pub fn run(&self, lab: &Lab<'_>) -> Finding {
        let checks =
            (self.measure)(lab).unwrap_or_else(|why| vec![check::missing(self.title, why)]);
        Finding {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            promise: self.promise.to_owned(),
            outcome: check::worst(&checks),
            checks,
            note: self.note.to_owned(),
        }
    }
}

/// Where rows are measured.
#[derive(Debug)]
pub struct Lab<'a> {
    /// Smaller sizes and fewer rounds.
    pub quick: bool,
    /// Of data and orders.
    pub seed: u64,
    /// Set when the user wants to end.
    pub stop: &'a AtomicBool,
    /// The workspace, where it is known.
    pub root: Option<PathBuf>,
}

/// Times of rounds: `ns[round][contestant]`.
#[derive(Clone, Debug)]
struct Race {
    ns: Vec<Vec<f64>>,
}

impl Race {
    /// Time of `a` over that of `b`, round by round.
    fn ratio(&self, a: usize, b: usize) -> Interval {
        let ratios: Vec<f64> = self.ns.iter().map(|row| row[a] / row[b]).collect();
        Interval::of(&ratios)
    }

    /// The time of one contestant, nanoseconds a value.
    fn time(&self, a: usize) -> Interval {
        Interval::of(&self.ns.iter().map(|row| row[a]).collect::<Vec<_>>())
    }
}

impl Lab<'_> {
    /// The size for this mode.
    fn size(&self, quick: usize, full: usize) -> usize {
        if self.quick { quick } else { full }
    }

    /// Times short work in calibrated batches; disturbed rounds are left out while seven remain.
    fn race(&self, contestants: &mut [Contestant<'_>]) -> Race {
        let plan = Plan::new(self.size(25, 101), derive_seed(self.seed, 1));
        let timed = time_rounds(&SystemClock::new(), contestants, &plan);
        let kept: Vec<Vec<f64>> = timed
            .ns
            .iter()
            .zip(&timed.kept)
            .filter(|(_, kept)| **kept)
            .map(|(row, _)| row.clone())
            .collect();
        Race { ns: if kept.len() >= 7 { kept } else { timed.ns } }
    }

    /// Times long work, once a round each, in random order.
    ///
    /// # Errors
    /// The user wants to end.
    fn long_race(&self, rounds: usize, work: &mut [&mut dyn FnMut()]) -> Result<Race, String> {
        let clock = SystemClock::new();
        let mut rng = Rng::new(derive_seed(self.seed, 2));
        let mut order: Vec<usize> = (0..work.len()).collect();
        let mut ns = Vec::new();
        for _ in 0..rounds {
            rng.shuffle(&mut order);
            let mut row = vec![0.0; work.len()];
            for &i in &order {
                self.go_on()?;
                let from = clock.wall_ns();
                work[i]();
                row[i] = clock.wall_ns().saturating_sub(from).max(1) as f64;
            }
            ns.push(row);
        }
        Ok(Race { ns })
    }

    fn go_on(&self) -> Result<(), String> {
        let stopped = self.stop.load(Ordering::Relaxed);
        if stopped { Err("interrupted".to_owned()) } else { Ok(()) }
    }

    /// Normal rows around 64 centres: neither uniform noise, which no graph can search, nor easy.
    fn rows(&self, n: usize, dim: usize) -> Result<AlignedRows, String> {
        let mut rng = Rng::new(derive_seed(self.seed, dim as u64));
        let centres: Vec<f32> = (0..64 * dim).map(|_| rng.normal() as f32).collect();
        let mut rows = AlignedRows::zeroed(n, dim).map_err(|e| e.to_string())?;
        for i in 0..n {
            let centre = rng.below(64) * dim;
            for (x, c) in rows.row_mut(i).iter_mut().zip(&centres[centre..]) {
                *x = c + 0.5 * rng.normal() as f32;
            }
        }
        Ok(rows)
    }
}

/// A pool of so many threads.
fn pool(threads: usize) -> Result<rayon::ThreadPool, String> {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| e.to_string())
}

/// Two threads make sense on two cores only.
fn two_cores() -> Result<(), String> {
    match std::thread::available_parallelism() {
        Ok(n) if n.get() >= 2 => Ok(()),
        _ => Err("this machine has one core".to_owned()),
    }
}

/// How much faster than one thread two are at arithmetic that touches no memory: what this machine
/// has to give at the moment. Other programs, and cores that are halves of one, take from it.
fn two_threads_give() -> Result<f64, String> {
    // Long enough that a slice of the scheduler does not decide, and no loop that can be folded.
    let spin = || {
        let mut rng = Rng::new(std::hint::black_box(1));
        std::hint::black_box((0..20_000_000).fold(0, |sum, _| sum ^ rng.next_u64()))
    };
    let two = pool(2)?;
    let clock = SystemClock::new();
    let timed = |work: &dyn Fn()| {
        let from = clock.wall_ns();
        work();
        clock.wall_ns().saturating_sub(from).max(1) as f64
    };
    let ratios: Vec<f64> = (0..7)
        .map(|_| {
            let one = timed(&|| {
                spin();
                spin();
            });
            one / timed(&|| {
                two.install(|| rayon::join(spin, spin));
            })
        })
        .collect();
    Ok(Interval::of(&ratios).median)
}

/// `ratio` of one thread over two shall be `least`. Where it is not, and plain arithmetic does not
/// gain as much at that moment either, the machine cannot tell.
fn scaling(what: String, ratio: Interval, least: f64, give: f64) -> Check {
    let check = check::at_least(what.as_str(), ratio, "x", least);
    if check.outcome == Outcome::FallsShort && give < least {
        let figure = check.figure();
        let why = format!(
            "{figure} of {least}x, but two threads are only {give:.2}x as fast at plain arithmetic now"
        );
        return check::missing(what, why);
    }
    check
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_of_their_own_and_the_list_has_all() {
        let mut ids: Vec<&str> = ROWS.iter().map(|r| r.id).collect();
        assert_eq!(ids.len(), 24);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 24);
    }

    #[test]
    fn a_stopped_lab_measures_nothing_long() {
        let stop = AtomicBool::new(true);
        let lab = Lab { quick: true, seed: 1, stop: &stop, root: None };
        let mut ran = false;
        assert!(lab.long_race(3, &mut [&mut || ran = true]).is_err());
        assert!(!ran);
        stop.store(false, Ordering::Relaxed);
        let race = lab.long_race(3, &mut [&mut || (), &mut || ()]).unwrap();
        assert_eq!((race.ns.len(), race.ns[0].len()), (3, 2));
    }

    #[test]
    fn a_busy_machine_excuses_only_what_falls_short() {
        let of = |ratio, give| scaling("x".into(), Interval::exact(ratio), 1.6, give).outcome;
        assert_eq!(of(1.2, 1.9), Outcome::FallsShort);
        assert_eq!(of(1.2, 1.1), Outcome::NotMeasurable);
        assert_eq!(of(1.7, 1.1), Outcome::Pass);
    }

    #[test]
    fn a_row_that_cannot_be_measured_says_why() {
        let stop = AtomicBool::new(false);
        let lab = Lab { quick: true, seed: 1, stop: &stop, root: None };
        let row = Row {
            id: "x",
            title: "t",
            promise: "p",
            note: "",
            measure: |_| Err("no such part".to_owned()),
        };
        let found = row.run(&lab);
        assert_eq!(found.outcome, Outcome::NotMeasurable);
        assert_eq!(found.checks[0].note, "no such part");
    }
}
