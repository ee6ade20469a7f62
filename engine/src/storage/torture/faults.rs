//! Each call to the disk fails, one after the other.

use std::sync::Arc;

use super::model::{filled, options, run, sound};
use super::{Failure, Model, Step, script};
use crate::storage::vfs::{Fault, SimVfs};
use crate::storage::{Store, StoreError};

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct FaultTally {
    /// Calls that failed.
    pub calls: u64,
    /// Of those, the ones that made a step or an opening fail.
    pub felt: u64,
}

/// Runs a script on a store that has rows, closes it, opens it again; with every `stride`th call
/// failing in turn, in each of three ways.
///
/// # Errors
/// A panic is not caught; a commit lost, half a batch seen, writing after an error, reading that does
/// not go on, or a store that does not open any more.
pub fn faults(seed: u64, steps: usize, stride: u64) -> Result<FaultTally, Failure> {
    let fail = |case: String, what: String| Failure { seed, case, what };
    let base = SimVfs::new();
    let first = script(seed, 3);
    let (store, model) = filled(Arc::new(base.clone()), &options(), &first)
        .map_err(|e| fail("before".to_owned(), e.to_string()))?;
    drop(store);
    let steps = script(seed ^ 0xfa11, steps);
    let whole = base.copy();
    let from = whole.calls();
    play(&whole, &model, &steps, false).map_err(|w| fail("without a fault".to_owned(), w))?;
    let mut tally = FaultTally::default();
    for call in (from..whole.calls()).step_by(stride.max(1) as usize) {
        for fault in [Fault::Io, Fault::Full, Fault::Short] {
            let disk = base.copy();
            disk.set_fault(call, fault);
            let felt = play(&disk, &model, &steps, true)
                .map_err(|w| fail(format!("call {call} fails as {fault:?}"), w))?;
            tally.calls += u64::from(disk.has_failed());
            tally.felt += u64::from(felt);
        }
    }
    // A store that is being made.
    let made = SimVfs::new();
    drop(Store::create(Arc::new(made.clone()), &options()));
    for call in (0..made.calls()).step_by(stride.max(1) as usize) {
        let disk = SimVfs::new();
        disk.set_fault(call, Fault::Full);
        let result = Store::create(Arc::new(disk.clone()), &options());
        tally.calls += 1;
        tally.felt += u64::from(result.is_err());
        drop(result);
        disk.clear_fault();
        Store::open_or_create(Arc::new(disk), &options()).map_err(|e| {
            fail(format!("call {call} of making it fails"), format!("in the way: {e}"))
        })?;
    }
    Ok(tally)
}

/// Runs a script on a store whose disk has room for `more` bytes only, opens it while the disk is
/// full, and runs on once it has room again; whether it came to be full.
///
/// # Errors
/// As [`faults`], or a store that does not open on a full disk.
pub fn full(seed: u64, steps: usize, more: u64) -> Result<bool, Failure> {
    let fail = |what: String| Failure { seed, case: format!("room for {more} bytes"), what };
    let text = |e: StoreError| fail(format!("cannot be read: {e}"));
    let disk = SimVfs::new();
    let (store, mut model) = filled(Arc::new(disk.clone()), &options(), &script(seed, 3))
        .map_err(|e| fail(e.to_string()))?;
    disk.set_capacity(Some(disk.used() + more));
    let steps = script(seed ^ 0xf011, steps);
    let mut stopped = None;
    for (at, step) in steps.iter().enumerate() {
        if let Err(e) = run(&store, step) {
            after(&store, &e).map_err(fail)?;
            stopped = Some(at);
            break;
        }
        model = model.after(step);
    }
    drop(store);
    let store = Store::open(Arc::new(disk.clone()), &options())
        .map_err(|e| fail(format!("does not open while the disk is full: {e}")))?;
    if let Some(differs) = model.compare(&store).map_err(text)? {
        return Err(fail(differs));
    }
    disk.set_capacity(None);
    for step in &steps[stopped.unwrap_or(0)..] {
        run(&store, step).map_err(|e| fail(format!("cannot go on: {e}")))?;
        model = model.after(step);
    }
    match model.compare(&store).map_err(text)? {
        Some(differs) => Err(fail(differs)),
        None => Ok(stopped.is_some()),
    }
}

/// Opens, runs, closes, opens; whether a fault was felt.
fn play(disk: &SimVfs, model: &Model, steps: &[Step], faulty: bool) -> Result<bool, String> {
    let mut acked = model.clone();
    let mut under_way = None;
    let mut felt = false;
    match Store::open(Arc::new(disk.clone()), &options()) {
        Err(e) if !faulty => return Err(e.to_string()),
        Err(_) => felt = true,
        Ok(store) => {
            for step in steps {
                let next = acked.after(step);
                match run(&store, step) {
                    Ok(()) => acked = next,
                    Err(e) if !faulty => return Err(e.to_string()),
                    Err(e) => {
                        felt = true;
                        under_way = Some(next);
                        after(&store, &e)?;
                        break;
                    }
                }
            }
        }
    }
    disk.clear_fault();
    // After the process, and after the power. A device that failed to sync may have lost what the
    // system's memory still shows: then only what the device has counts.
    for found in [disk.copy(), disk.image(1), disk.image(2)] {
        let store = Store::open(Arc::new(found), &options());
        let store = store.map_err(|e| format!("does not open any more: {e}"))?;
        let text = |e: StoreError| format!("cannot be read: {e}");
        if let Some(differs) = acked.compare(&store).map_err(text)? {
            match &under_way {
                Some(next) if next.compare(&store).map_err(text)?.is_none() => {}
                _ => return Err(differs),
            }
        }
        if let Some(fault) = sound(&store).map_err(text)? {
            return Err(fault);
        }
    }
    Ok(felt)
}

/// After an error: nothing is written unless nothing had been, and rows can be read.
fn after(store: &Store, error: &StoreError) -> Result<(), String> {
    let rows = store.view(0).map_err(|e| format!("rows cannot be read after `{error}`: {e}"))?;
    if rows.len() != store.info().slots as usize {
        return Err("another number of rows".to_owned());
    }
    if store.is_poisoned() {
        let mut batch = store.batch();
        let refused = batch.delete(&1.into()).and_then(|()| store.commit(batch).map(|_| ()));
        if !matches!(refused, Err(StoreError::Poisoned)) {
            return Err(format!("after `{error}` a commit gives {refused:?}"));
        }
    }
    Ok(())
}
