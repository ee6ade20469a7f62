//! The worker: verifies and times one cell per request, until its input ends.

use std::cell::Cell;
use std::io::{self, BufRead, Write};

use annvil_kernels::AnyOp;
use annvil_kernels::testkit::cases::Recipe;
use annvil_kernels::testkit::trial::{Trial, Work, release};

use super::operands::{CacheSizes, few, recipe};
use super::{
    ContestantReply, ContestantSpec, LimitReply, Measured, PROTOCOL, Refusal, Reply, Request,
};
use crate::hash::fnv1a64;
use crate::limits;
use crate::measure::variants;
use crate::outside;
use crate::proof::{Claim, prove};
use crate::rng::{Rng, derive_seed};
use crate::rounds::{Contestant, Plan, SystemClock, time_rounds};

/// Rows checked against the oracle per variant and cell, in bytes; a cache-resident cell is
/// smaller and is checked whole.
const VERIFY_BYTES: usize = 1 << 20;

/// Answers requests from `input` on `output`; `seed` makes this process's orders and offsets its own.
///
/// # Errors
/// A pipe that breaks. A request that cannot be understood or served is answered, not an error.
pub fn serve(input: impl BufRead, mut output: impl Write, seed: u64) -> io::Result<()> {
    let worker = Worker { seed, sizes: CacheSizes::detect() };
    send(&mut output, &Reply::Hello { protocol: PROTOCOL })?;
    for line in input.lines() {
        let reply = match serde_json::from_str::<Request>(&line?) {
            Ok(request) => match worker.measure(&request) {
                Ok(measured) => Reply::Measured(measured),
                Err(why) => Reply::Failed { why },
            },
            Err(e) => Reply::Failed { why: format!("request not understood: {e}") },
        };
        send(&mut output, &reply)?;
    }
    Ok(())
}

fn send(output: &mut impl Write, reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_string(reply)?;
    line.push('\n');
    output.write_all(line.as_bytes())?;
    output.flush()
}

struct Worker {
    seed: u64,
    sizes: CacheSizes,
}

impl Worker {
    fn measure(&self, request: &Request) -> Result<Measured, String> {
        let cell = &request.cell;
        let op = annvil_kernels::find(&cell.op).map_err(|e| e.to_string())?;
        // The cell's own seed: what ran before it must not matter.
        let seed = derive_seed(self.seed, fnv1a64(cell.to_string().bytes()));
        let mut rng = Rng::new(seed);
        let recipe = recipe(op, cell, &self.sizes, &mut rng);
        let of = |recipe: &Recipe| op.trial(recipe).map_err(|e| format!("{cell}: {e}"));
        let trial = of(&recipe)?;
        let proof = if request.prove { Some(of(&few(&recipe))?) } else { None };
        let measured = measure_on(op, request, &*trial, proof.as_deref(), rng.next_u64());
        drop(trial);
        if request.release_memory {
            release();
        }
        Ok(measured)
    }
}

fn measure_on(
    op: &dyn AnyOp,
    request: &Request,
    trial: &dyn Trial,
    proof: Option<&dyn Trial>,
    seed: u64,
) -> Measured {
    let mut replies = Vec::with_capacity(request.contestants.len());
    let mut works: Vec<(Box<dyn Work + '_>, f64)> = Vec::new();
    for contestant in &request.contestants {
        let (reply, work) = admit(op, contestant, request.cell.dim, trial, proof);
        works.extend(work.map(|w| (w, contestant.planted_pct)));
        replies.push(reply);
    }
    let limits = limits::of_cell(op, request.cell.residence, trial);
    let names: Vec<&str> = limits.iter().map(|l| l.0).collect();
    works.extend(limits.into_iter().map(|(_, work)| (work, 0.0)));

    let turn = Turn { windows: trial.windows(), values: trial.values(), next: Cell::new(0) };
    let values_per_iter = trial.values() as u64;
    let mut contestants: Vec<Contestant<'_>> = works
        .iter_mut()
        .map(|(work, planted)| {
            let (turn, planted) = (&turn, *planted);
            Contestant {
                values_per_iter,
                run: Box::new(move |iters| turn.take(work.as_mut(), iters, planted)),
            }
        })
        .collect();
    let timed =
        time_rounds(&SystemClock::new(), &mut contestants, &Plan::new(request.rounds, seed));

    let mut columns = (0..contestants.len()).map(|c| timed.ns.iter().map(|r| r[c]).collect());
    for reply in replies.iter_mut().filter(|r| r.refused.is_none()) {
        reply.ns = columns.next().unwrap_or_default();
    }
    let limits = names
        .into_iter()
        .map(|name| LimitReply { name: name.to_owned(), ns: columns.next().unwrap_or_default() })
        .collect();
    Measured {
        contestants: replies,
        limits,
        kept: timed.kept,
        bytes_per_value: trial.bytes_per_value(),
    }
}

/// What the contestants share: the windows go round among them, so that in a large set nobody
/// finds rows that the one before has just read.
struct Turn {
    windows: usize,
    values: usize,
    next: Cell<usize>,
}

impl Turn {
    /// Runs `iters` windows and `planted` percent more values. Each work stores its results and
    /// keeps the store from being optimised away; nothing is summed up.
    fn take(&self, work: &mut dyn Work, iters: u64, planted: f64) {
        let mut next = self.next.get();
        for _ in 0..iters {
            work.run(next);
            next += 1;
            if next == self.windows {
                next = 0;
            }
        }
        self.next.set(next);
        let mut extra = (iters as f64 * self.values as f64 * planted / 100.0).round() as usize;
        while extra > 0 {
            let values = extra.min(self.values);
            work.run_first(next, values);
            extra -= values;
        }
    }
}

/// Binds and verifies one contestant; it is timed only if both succeed.
fn admit<'t>(
    op: &dyn AnyOp,
    contestant: &ContestantSpec,
    dim: usize,
    trial: &'t dyn Trial,
    proof: Option<&dyn Trial>,
) -> (ContestantReply, Option<Box<dyn Work + 't>>) {
    let mut reply = ContestantReply {
        variant: contestant.variant.clone(),
        max_error_ulp: None,
        ran_level: None,
        refused: None,
        ns: Vec::new(),
    };
    let mut work = match bind(op, &contestant.variant, trial) {
        Ok(work) => work,
        Err(why) => {
            reply.refused = Some(Refusal::Unavailable(why));
            return (reply, None);
        }
    };
    match verify(work.as_mut(), trial) {
        Ok(ulp) => reply.max_error_ulp = Some(ulp),
        Err(why) => {
            reply.refused = Some(Refusal::Wrong(why));
            return (reply, None);
        }
    }
    if let Some(few) = proof {
        let metas = variants(op);
        let Some(meta) = metas.iter().find(|m| m.name == contestant.variant) else {
            reply.refused = Some(Refusal::Unavailable("no variant of the name".to_owned()));
            return (reply, None);
        };
        let proven = bind(op, &contestant.variant, few)
            .and_then(|mut work| prove(work.as_mut(), Claim::of(meta), dim));
        match proven {
            Ok(executed) => reply.ran_level = executed.map(|e| e.name().to_owned()),
            Err(why) => {
                reply.refused = Some(Refusal::Wrong(why));
                return (reply, None);
            }
        }
    }
    (reply, Some(work))
}

/// A variant of ours, or one from outside, over the operands of `trial`.
fn bind<'t>(
    op: &dyn AnyOp,
    variant: &str,
    trial: &'t dyn Trial,
) -> Result<Box<dyn Work + 't>, String> {
    match outside::bind(op, variant, trial) {
        Some(outsider) => outsider,
        None => trial.bind(variant).map_err(|e| e.to_string()),
    }
}

/// Checks evenly spread windows against the oracle; the largest error in ulp.
fn verify(work: &mut dyn Work, trial: &dyn Trial) -> Result<f64, String> {
    let bytes = trial.values() as f64 * trial.bytes_per_value();
    let checked = ((VERIFY_BYTES as f64 / bytes.max(1.0)) as usize).clamp(1, trial.windows());
    let mut worst = 0.0_f64;
    for i in 0..checked {
        let window = i * trial.windows() / checked;
        let report = work.verify(window).map_err(|failure| failure.to_string())?;
        worst = worst.max(report.max_error_ulp);
    }
    Ok(worst)
}
