//! The timing core: every contestant once per round, in a fresh random order, against one clock.

mod clock;

pub use clock::{Clock, SystemClock, ThreadUse};

use crate::rng::Rng;
use crate::verdict::{ProcessSamples, Schedule};

/// Length that a batch is calibrated to. Several hundred times the cost of reading the clock, and
/// far below a scheduler's slice, so that most batches run undisturbed.
pub const TARGET_BATCH_NS: u64 = 35_000;

/// Wall time over thread CPU time above which a round counts as preempted.
pub const MAX_WALL_OVER_CPU: f64 = 1.2;

/// Upper bound of the calibrated iterations; reached only by work that takes no time.
const MAX_ITERS: u64 = 1 << 22;

/// One thing to be timed.
pub struct Contestant<'a> {
    /// Values computed by one iteration; times are reported per value.
    pub values_per_iter: u64,
    /// Runs so many iterations. Its results must go to memory, never into one running sum: a sum
    /// would chain the calls and hide throughput.
    pub run: Box<dyn FnMut(u64) + 'a>,
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant")
            .field("values_per_iter", &self.values_per_iter)
            .finish_non_exhaustive()
    }
}

/// What to do with the contestants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Number of rounds.
    pub rounds: usize,
    /// Seed of the order.
    pub seed: u64,
    /// Length of a batch in nanoseconds; [`TARGET_BATCH_NS`] unless a test wants another.
    pub target_ns: u64,
}

impl Plan {
    /// `rounds` rounds in the order drawn from `seed`.
    pub fn new(rounds: usize, seed: u64) -> Self {
        Self { rounds, seed, target_ns: TARGET_BATCH_NS }
    }
}

/// The raw result of one process for one cell.
#[derive(Debug, Clone)]
pub struct Timed {
    /// Iterations per batch, one per contestant.
    pub iters: Vec<u64>,
    /// `ns[round][contestant]`: nanoseconds per value.
    pub ns: Vec<Vec<f64>>,
    /// Whether the round ran undisturbed.
    pub kept: Vec<bool>,
}

impl Timed {
    /// As input of the decision.
    pub fn into_samples(self) -> ProcessSamples {
        ProcessSamples { schedule: Schedule::Interleaved, ns: self.ns, kept: self.kept }
    }
}

/// Calibrates each contestant, then runs the rounds.
///
/// A round is discarded as a whole when the kernel switched the thread out against its will, or
/// when wall time exceeds CPU time by more than [`MAX_WALL_OVER_CPU`]: throwing away the batch of
/// one variant alone would favour whichever variant was disturbed more.
pub fn time_rounds(clock: &impl Clock, contestants: &mut [Contestant<'_>], plan: &Plan) -> Timed {
    let iters: Vec<u64> =
        contestants.iter_mut().map(|c| calibrate(clock, c, plan.target_ns)).collect();
    let mut rng = Rng::new(plan.seed);
    let mut order: Vec<usize> = (0..contestants.len()).collect();
    let mut ns = vec![vec![0.0; contestants.len()]; plan.rounds];
    let mut kept = vec![true; plan.rounds];
    for (row, kept) in ns.iter_mut().zip(&mut kept) {
        rng.shuffle(&mut order);
        let before = clock.thread_use();
        let start = clock.wall_ns();
        for &v in &order {
            let t0 = clock.wall_ns();
            (contestants[v].run)(iters[v]);
            let elapsed = clock.wall_ns().saturating_sub(t0).max(1);
            row[v] = elapsed as f64 / (iters[v] * contestants[v].values_per_iter.max(1)) as f64;
        }
        let wall = clock.wall_ns().saturating_sub(start);
        *kept = undisturbed(before, clock.thread_use(), wall);
    }
    Timed { iters, ns, kept }
}

/// Whether a round of `wall` nanoseconds ran without preemption. True where the system does not
/// say: then only the robust medians protect.
fn undisturbed(before: Option<ThreadUse>, after: Option<ThreadUse>, wall: u64) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return true };
    let cpu = after.cpu_ns.saturating_sub(before.cpu_ns).max(1);
    after.involuntary_switches == before.involuntary_switches
        && wall as f64 <= MAX_WALL_OVER_CPU * cpu as f64
}

/// Iterations that make one batch last about `target_ns`.
///
/// Doubles until a batch is measurable, then scales by the fastest of five batches; the slower ones
/// were disturbed.
fn calibrate(clock: &impl Clock, contestant: &mut Contestant<'_>, target_ns: u64) -> u64 {
    let mut time = |iters: u64| {
        let t0 = clock.wall_ns();
        (contestant.run)(iters);
        clock.wall_ns().saturating_sub(t0).max(1)
    };
    // The first call pays for cold code and cold data.
    time(1);
    let mut iters = 1;
    while time(iters) < target_ns / 4 && iters < MAX_ITERS {
        iters *= 2;
    }
    let fastest = (0..5).map(|_| time(iters)).min().unwrap_or(1);
    let per_iter = fastest as f64 / iters as f64;
    ((target_ns as f64 / per_iter).round() as u64).clamp(1, MAX_ITERS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::{Cell, RefCell};

    /// A clock that moves only when a contestant says so.
    #[derive(Default)]
    struct FakeClock {
        wall: Cell<u64>,
        cpu: Cell<u64>,
        switches: Cell<u64>,
    }

    impl FakeClock {
        fn work(&self, ns: u64) {
            self.wall.set(self.wall.get() + ns);
            self.cpu.set(self.cpu.get() + ns);
        }
    }

    impl Clock for FakeClock {
        fn wall_ns(&self) -> u64 {
            self.wall.get()
        }

        fn thread_use(&self) -> Option<ThreadUse> {
            Some(ThreadUse { cpu_ns: self.cpu.get(), involuntary_switches: self.switches.get() })
        }
    }

    fn steady<'a>(clock: &'a FakeClock, ns: u64, values: u64) -> Contestant<'a> {
        Contestant { values_per_iter: values, run: Box::new(move |iters| clock.work(ns * iters)) }
    }

    #[test]
    fn batches_are_calibrated_per_contestant_and_times_are_per_value() {
        let clock = FakeClock::default();
        let mut all = [steady(&clock, 10, 4), steady(&clock, 1_000, 2), steady(&clock, 90_000, 1)];
        let timed = time_rounds(&clock, &mut all, &Plan::new(7, 1));
        assert_eq!(timed.iters, [3_500, 35, 1]);
        assert_eq!(timed.ns, vec![vec![2.5, 500.0, 90_000.0]; 7]);
        assert_eq!(timed.kept, vec![true; 7]);
    }

    #[test]
    fn calibration_ignores_spikes_and_ends_on_free_work() {
        let clock = FakeClock::default();
        let calls = Cell::new(0_u64);
        let mut spiky = Contestant {
            values_per_iter: 1,
            run: Box::new(|iters| {
                calls.set(calls.get() + 1);
                clock.work(iters * 10 + if calls.get().is_multiple_of(3) { 4_000_000 } else { 0 });
            }),
        };
        let iters = calibrate(&clock, &mut spiky, 35_000);
        assert!((3_000..4_000).contains(&iters), "{iters}");
        let mut free = Contestant { values_per_iter: 1, run: Box::new(|_| ()) };
        assert_eq!(calibrate(&clock, &mut free, 35_000), MAX_ITERS);
    }

    #[test]
    fn every_round_runs_every_contestant_once_in_varying_orders() {
        let clock = FakeClock::default();
        let log = RefCell::new(Vec::new());
        let mut all: Vec<Contestant<'_>> = (0..4)
            .map(|v| Contestant {
                values_per_iter: 1,
                run: Box::new({
                    let (clock, log) = (&clock, &log);
                    move |iters| {
                        log.borrow_mut().push(v);
                        clock.work(iters * 1_000);
                    }
                }),
            })
            .collect();
        time_rounds(&clock, &mut all, &Plan::new(100, 5));
        drop(all);
        let log = log.into_inner();
        let rounds: Vec<&[i32]> = log[log.len() - 400..].chunks(4).collect();
        let mut first = [0; 4];
        for round in &rounds {
            let mut sorted = round.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            first[round[0] as usize] += 1;
        }
        assert!(first.iter().all(|&n| n > 10), "{first:?}");
    }

    #[test]
    fn a_preempted_round_is_discarded_whole_and_steal_is_not_seen() {
        let clock = FakeClock::default();
        let calls = Cell::new(0_u64);
        let disturb = Cell::new(None::<fn(&FakeClock)>);
        let mut all = [
            steady(&clock, 1_000, 1),
            Contestant {
                values_per_iter: 1,
                run: Box::new(|iters| {
                    clock.work(iters * 1_000);
                    calls.set(calls.get() + 1);
                    if calls.get() > 20
                        && calls.get().is_multiple_of(2)
                        && let Some(f) = disturb.get()
                    {
                        f(&clock);
                    }
                }),
            },
        ];
        let kept = |all: &mut [Contestant<'_>]| {
            let timed = time_rounds(&clock, all, &Plan::new(60, 5));
            timed.kept.iter().filter(|k| **k).count()
        };
        assert_eq!(kept(&mut all), 60);
        disturb.set(Some(|c| c.switches.set(c.switches.get() + 1)));
        assert!((28..=32).contains(&kept(&mut all)));
        disturb.set(Some(|c| c.wall.set(c.wall.get() + 40_000)));
        assert!((28..=32).contains(&kept(&mut all)));
        disturb.set(Some(|c| c.work(40_000)));
        assert_eq!(kept(&mut all), 60);
    }

    #[test]
    fn the_system_clock_moves_and_counts_this_thread() {
        let clock = SystemClock::new();
        let before = (clock.wall_ns(), clock.thread_use());
        std::hint::black_box((0..200_000_u64).map(std::hint::black_box).sum::<u64>());
        let after = (clock.wall_ns(), clock.thread_use());
        assert!(after.0 > before.0);
        if let (Some(a), Some(b)) = (before.1, after.1) {
            assert!(b.cpu_ns > a.cpu_ns && b.involuntary_switches >= a.involuntary_switches);
        }
    }
}
