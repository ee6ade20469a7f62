//! A synthetic machine: a clock that lies the way shared machines do, with the truth known.

use std::cell::{Cell, RefCell};

use crate::rng::{Rng, derive_seed};
use crate::rounds::{Clock, Contestant, Plan, ThreadUse, time_rounds};
use crate::verdict::{ProcessSamples, Schedule};

/// What disturbs the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbance {
    /// Standard deviation of a batch's own lognormal noise.
    pub noise: f64,
    /// Standard deviation of what a process draws once for each variant: layout, page placement.
    pub process: f64,
    /// Chance per batch of a pause 250 times its length. Half of the pauses are preemptions, which
    /// the system reports; the others are stolen from the virtual machine and look like work.
    pub spike: f64,
    /// Standard deviation of the innovations of a drift with memory 0.98 per batch.
    pub drift: f64,
    /// Chance per process of one lasting change of speed by up to 30 % at a random moment.
    pub step: f64,
}

impl Disturbance {
    /// A busy shared machine.
    pub const BUSY: Self =
        Self { noise: 0.006, process: 0.001, spike: 0.01, drift: 0.003, step: 0.5 };
    /// Pauses everywhere: one batch in eight.
    pub const SPIKES: Self = Self { spike: 0.125, ..Self::BUSY };
    /// The speed wanders by tens of percent within a process.
    pub const DRIFT: Self = Self { drift: 0.04, step: 1.0, ..Self::BUSY };
}

/// Drift that a batch keeps from the one before.
const MEMORY: f64 = 0.98;

/// One process on the synthetic machine.
#[derive(Debug)]
pub struct Machine {
    disturbance: Disturbance,
    rng: RefCell<Rng>,
    wall: Cell<f64>,
    cpu: Cell<f64>,
    switches: Cell<u64>,
    drift: Cell<f64>,
    step_at: f64,
    step_by: f64,
}

impl Machine {
    /// A process seeded with `seed`, expected to last `span_ns`.
    pub fn new(disturbance: Disturbance, span_ns: f64, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let steps = rng.uniform() < disturbance.step;
        let step_at = if steps { rng.uniform() * span_ns } else { f64::INFINITY };
        let step_by = 0.6 * rng.uniform() - 0.3;
        Self {
            disturbance,
            rng: RefCell::new(rng),
            wall: Cell::new(0.0),
            cpu: Cell::new(0.0),
            switches: Cell::new(0),
            drift: Cell::new(0.0),
            step_at,
            step_by,
        }
    }

    /// Spends `ns` of nominal work.
    fn work(&self, ns: f64) {
        let d = &self.disturbance;
        let mut rng = self.rng.borrow_mut();
        let drift = MEMORY * self.drift.get() + d.drift * rng.normal();
        self.drift.set(drift);
        let step = if self.wall.get() >= self.step_at { self.step_by } else { 0.0 };
        let busy = ns * (drift + step + d.noise * rng.normal()).exp();
        self.wall.set(self.wall.get() + busy);
        self.cpu.set(self.cpu.get() + busy);
        if rng.uniform() < d.spike {
            self.wall.set(self.wall.get() + 250.0 * ns);
            if rng.uniform() < 0.5 {
                self.switches.set(self.switches.get() + 1);
            } else {
                self.cpu.set(self.cpu.get() + 250.0 * ns);
            }
        }
    }

    /// What this process draws once for each of `variants` variants.
    fn process_effects(&self, variants: usize) -> Vec<f64> {
        let mut rng = self.rng.borrow_mut();
        (0..variants).map(|_| (self.disturbance.process * rng.normal()).exp()).collect()
    }
}

impl Clock for Machine {
    fn wall_ns(&self) -> u64 {
        self.wall.get() as u64
    }

    fn thread_use(&self) -> Option<ThreadUse> {
        Some(ThreadUse { cpu_ns: self.cpu.get() as u64, involuntary_switches: self.switches.get() })
    }
}

/// True times in nanoseconds per value of the variants of a synthetic cell.
#[derive(Debug, Clone)]
pub(crate) struct Truth<'a> {
    pub(crate) ns: &'a [f64],
    pub(crate) disturbance: Disturbance,
}

impl Truth<'_> {
    /// `processes` processes of `rounds` rounds each, through the real timing core.
    pub(crate) fn cell(&self, processes: usize, rounds: usize, seed: u64) -> Vec<ProcessSamples> {
        (0..processes).map(|p| self.process(rounds, derive_seed(seed, p as u64))).collect()
    }

    fn process(&self, rounds: usize, seed: u64) -> ProcessSamples {
        let plan = Plan::new(rounds, derive_seed(seed, u64::MAX));
        let span = (rounds * self.ns.len()) as f64 * plan.target_ns as f64;
        let machine = Machine::new(self.disturbance, span, seed);
        let effects = machine.process_effects(self.ns.len());
        let mut contestants: Vec<Contestant<'_>> = self
            .ns
            .iter()
            .zip(effects)
            .map(|(ns, effect)| {
                let (machine, ns) = (&machine, ns * effect);
                Contestant {
                    values_per_iter: 16,
                    run: Box::new(move |iters| machine.work(iters as f64 * 16.0 * ns)),
                }
            })
            .collect();
        time_rounds(&machine, &mut contestants, &plan).into_samples()
    }

    /// One process that measures all batches of the first variant, then all of the next.
    pub(crate) fn sequential(&self, rounds: usize, seed: u64) -> ProcessSamples {
        let batch = 35_000.0;
        let span = (rounds * self.ns.len()) as f64 * batch;
        let machine = Machine::new(self.disturbance, span, seed);
        let mut ns = vec![vec![0.0; self.ns.len()]; rounds];
        for (v, truth) in self.ns.iter().enumerate() {
            for row in &mut ns {
                let t0 = machine.wall.get();
                machine.work(batch);
                row[v] = (machine.wall.get() - t0) / batch * truth;
            }
        }
        ProcessSamples { schedule: Schedule::Sequential, ns, kept: vec![true; rounds] }
    }
}
