//! The worker: verifies and times one cell per request, until its input ends.

use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::io::{self, BufRead, Write};

use annvil_kernels::testkit::verify_batch;
use annvil_kernels::{AnyOp, Batch, Level, Runner, Technique};

use super::operands::{CacheSizes, Operands, Pool};
use super::{
    ContestantReply, ContestantSpec, LimitReply, Measured, PROTOCOL, Refusal, Reply, Request,
};
use crate::hash::fnv1a64;
use crate::limits;
use crate::proof::prove;
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
    let mut worker = Worker { seed, sizes: CacheSizes::detect(), pool: Pool::default() };
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
    pool: Pool,
}

impl Worker {
    fn measure(&mut self, request: &Request) -> Result<Measured, String> {
        let cell = &request.cell;
        let op = annvil_kernels::find(&cell.op).map_err(|e| e.to_string())?;
        // The cell's own seed: what ran before it must not matter.
        let seed = derive_seed(self.seed, fnv1a64(cell.to_string().bytes()));
        let mut rng = Rng::new(seed);
        let operands = Operands::draw(cell, &mut self.pool, &self.sizes, &mut rng)
            .map_err(|e| format!("{cell}: {e}"))?;
        let measured = measure_on(op, request, &operands, rng.next_u64());
        drop(operands);
        if request.release_pool {
            self.pool.release();
        }
        Ok(measured)
    }
}

fn measure_on(op: &dyn AnyOp, request: &Request, operands: &Operands<'_>, seed: u64) -> Measured {
    let batches: Vec<Batch<'_>> = (0..operands.windows()).map(|i| operands.batch(i)).collect();
    let mut replies = Vec::with_capacity(request.contestants.len());
    let mut runners: Vec<(Box<dyn Runner>, f64)> = Vec::new();
    for contestant in &request.contestants {
        let (reply, runner) = admit(op, contestant, request, &batches, operands.values());
        runners.extend(runner.map(|r| (r, contestant.planted_pct)));
        replies.push(reply);
    }
    let limits = limits::of_cell(op, request.cell.residence);

    let turn = Turn {
        batches: &batches,
        next: Cell::new(0),
        out: RefCell::new(vec![0.0; operands.values()]),
    };
    let values_per_iter = operands.values() as u64;
    let mut contestants: Vec<Contestant<'_>> = runners
        .iter()
        .map(|(runner, planted)| (runner, *planted))
        .chain(limits.iter().map(|(_, runner)| (runner, 0.0)))
        .map(|(runner, planted)| {
            let turn = &turn;
            Contestant {
                values_per_iter,
                run: Box::new(move |iters| turn.take(runner.as_ref(), iters, planted)),
            }
        })
        .collect();
    let timed =
        time_rounds(&SystemClock::new(), &mut contestants, &Plan::new(request.rounds, seed));

    let mut columns = (0..contestants.len()).map(|c| timed.ns.iter().map(|r| r[c]).collect());
    for reply in replies.iter_mut().filter(|r| r.refused.is_none()) {
        reply.ns = columns.next().unwrap_or_default();
    }
    let limits = limits
        .iter()
        .map(|(name, _)| LimitReply {
            name: (*name).to_owned(),
            ns: columns.next().unwrap_or_default(),
        })
        .collect();
    Measured {
        contestants: replies,
        limits,
        kept: timed.kept,
        bytes_per_value: operands.bytes_per_value(),
    }
}

/// What the contestants share: the batches go round among them, so that in a large set nobody
/// finds rows that the one before has just read.
struct Turn<'a> {
    batches: &'a [Batch<'a>],
    next: Cell<usize>,
    out: RefCell<Vec<f32>>,
}

impl Turn<'_> {
    /// Runs `iters` batches and `planted` percent more values. Each result is stored, and the
    /// store is kept by `black_box`; nothing is summed up.
    fn take(&self, runner: &dyn Runner, iters: u64, planted: f64) {
        let mut out = self.out.borrow_mut();
        let mut next = self.next.get();
        for _ in 0..iters {
            runner.run(&self.batches[next], &mut out);
            black_box(out.as_mut_slice());
            next += 1;
            if next == self.batches.len() {
                next = 0;
            }
        }
        self.next.set(next);
        let mut extra = (iters as f64 * out.len() as f64 * planted / 100.0).round() as usize;
        while extra > 0 {
            let values = extra.min(out.len());
            runner.run(&first_values(&self.batches[next], values), &mut out[..values]);
            black_box(out.as_mut_slice());
            extra -= values;
        }
    }
}

/// The part of a batch that asks for its first `values` values, whatever its shape.
fn first_values<'a>(batch: &Batch<'a>, values: usize) -> Batch<'a> {
    if batch.ids.is_empty() {
        let inv_norms = &batch.inv_norms[..batch.inv_norms.len().min(values)];
        return Batch { rows: batch.rows.slice(0, values), inv_norms, ..*batch };
    }
    Batch { ids: &batch.ids[..values], ..*batch }
}

/// Binds and verifies one contestant; it is timed only if both succeed.
fn admit(
    op: &dyn AnyOp,
    contestant: &ContestantSpec,
    request: &Request,
    batches: &[Batch<'_>],
    values: usize,
) -> (ContestantReply, Option<Box<dyn Runner>>) {
    let mut reply = ContestantReply {
        variant: contestant.variant.clone(),
        max_error_ulp: None,
        ran_level: None,
        refused: None,
        ns: Vec::new(),
    };
    let runner = match op.bind(&contestant.variant, request.cell.dim) {
        Ok(runner) => runner,
        Err(e) => {
            reply.refused = Some(Refusal::Unavailable(e.to_string()));
            return (reply, None);
        }
    };
    match verify(op, runner.as_ref(), batches, values) {
        Ok(ulp) => reply.max_error_ulp = Some(ulp),
        Err(why) => {
            reply.refused = Some(Refusal::Wrong(why));
            return (reply, None);
        }
    }
    if request.prove {
        let meta = op.variants().into_iter().find(|m| m.name == contestant.variant);
        let claim = meta.map_or((Level::Scalar, Technique::Scalar), |m| (m.level, m.technique));
        match prove(runner.as_ref(), claim, &batches[0], values) {
            Ok(executed) => reply.ran_level = executed.map(|e| e.name().to_owned()),
            Err(why) => {
                reply.refused = Some(Refusal::Wrong(why));
                return (reply, None);
            }
        }
    }
    (reply, Some(runner))
}

/// Checks evenly spread batches of `values` values against the oracle; the largest error in ulp.
fn verify(
    op: &dyn AnyOp,
    runner: &dyn Runner,
    batches: &[Batch<'_>],
    values: usize,
) -> Result<f64, String> {
    let bytes = values * batches[0].rows.dim() * size_of::<f32>();
    let checked = (VERIFY_BYTES / bytes.max(1)).clamp(1, batches.len());
    let mut out = Vec::new();
    let mut worst = 0.0_f64;
    for i in 0..checked {
        let batch = &batches[i * batches.len() / checked];
        let report =
            verify_batch(op, runner, batch, &mut out).map_err(|failure| failure.to_string())?;
        worst = worst.max(report.max_error_ulp);
    }
    Ok(worst)
}
