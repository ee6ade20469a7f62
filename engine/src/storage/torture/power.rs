//! The power goes, at every change of a script, and again while the store is opened.

use std::sync::Arc;

use super::model::{options, run, sound};
use super::{Failure, Knob, Model, Random, Step, script};
use crate::storage::vfs::{Power, SimVfs};
use crate::storage::{Store, StoreError};

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct PowerTally {
    /// Disks that were opened after the power had gone.
    pub images: u64,
    /// Of those, the ones where it went again while the store was opened.
    pub double: u64,
    /// Changes at which it went.
    pub moments: u64,
    /// Images in which the step under way was whole, and those in which it was not there.
    pub whole: u64,
    /// See there.
    pub absent: u64,
}

/// Runs scripts from seeds `seed..` until `images` disks were opened, `per_moment` of each change at
/// which the power goes. With a mistake made on purpose it ought to fail.
///
/// # Errors
/// A commit lost, half a batch seen, or a store that does not open.
pub fn power(
    seed: u64,
    images: u64,
    per_moment: u64,
    mistake: Knob,
) -> Result<PowerTally, Failure> {
    let mut tally = PowerTally::default();
    let mut at = seed;
    while tally.images < images {
        one(at, images, per_moment, mistake, &mut tally)?;
        at += 1;
    }
    Ok(tally)
}

/// How far a script came.
struct Progress {
    /// Whether the store was made.
    made: bool,
    acked: Model,
    /// The model with the step that was under way.
    under_way: Option<Model>,
}

fn one(
    seed: u64,
    images: u64,
    per_moment: u64,
    mistake: Knob,
    tally: &mut PowerTally,
) -> Result<(), Failure> {
    let steps = script(seed, 10);
    let whole = SimVfs::new();
    let fail = |case: &str, what: String| Failure { seed, case: case.to_owned(), what };
    let progress = play(&whole, mistake, &steps);
    if let Some(what) = progress.1 {
        return Err(fail("with power", what.to_string()));
    }
    let changes = whole.changes();
    let mut random = Random(seed ^ 0x5eed);
    // Every moment of a few scripts is less than some moments of many.
    let every = 1 + random.below(5);
    let mut moment = random.below(every);
    while moment < changes && tally.images < images {
        let disk = SimVfs::new();
        disk.set_power(Power::OffAt(moment));
        let (progress, _) = play(&disk, mistake, &steps);
        tally.moments += 1;
        for _ in 0..per_moment {
            let image = random.next();
            let case = format!("power off at change {moment} of {changes}, image {image}");
            recover(&disk, image, &progress, &mut random, tally).map_err(|w| fail(&case, w))?;
        }
        moment += every;
    }
    Ok(())
}

fn play(disk: &SimVfs, mistake: Knob, steps: &[Step]) -> (Progress, Option<StoreError>) {
    let mut progress = Progress { made: false, acked: Model::default(), under_way: None };
    let store = match Store::create(Arc::new(disk.clone()), &options().mistake(mistake)) {
        Ok(store) => store,
        Err(e) => return (progress, Some(e)),
    };
    progress.made = true;
    for step in steps {
        let next = progress.acked.after(step);
        match run(&store, step) {
            Ok(()) => progress.acked = next,
            Err(e) => {
                progress.under_way = Some(next);
                return (progress, Some(e));
            }
        }
    }
    (progress, None)
}

fn recover(
    disk: &SimVfs,
    image: u64,
    progress: &Progress,
    random: &mut Random,
    tally: &mut PowerTally,
) -> Result<(), String> {
    let mut found = disk.image(image);
    tally.images += 1;
    if random.below(10) < 3 {
        // The power goes again while the store is opened, or soon after.
        let again = random.below(24);
        found.set_power(Power::OffAt(again));
        if let Ok(store) = Store::open(Arc::new(found.clone()), &options()) {
            let _ = store.set_blob("again", &[1; 100]);
        }
        tally.double += u64::from(found.is_off());
        found = found.image(image ^ again);
    }
    let store = match Store::open(Arc::new(found.clone()), &options()) {
        Ok(store) => store,
        Err(StoreError::NoStore) if !progress.made => {
            return Store::create(Arc::new(found), &options())
                .map(|_| ())
                .map_err(|e| format!("what was begun is in the way: {e}"));
        }
        Err(e) => return Err(format!("does not open: {e}")),
    };
    let text = |e: StoreError| format!("cannot be read: {e}");
    let acked = progress.acked.compare(&store).map_err(text)?;
    let mut now = &progress.acked;
    if let Some(differs) = acked {
        match &progress.under_way {
            Some(next) if next.compare(&store).map_err(text)?.is_none() => {
                tally.whole += 1;
                now = next;
            }
            _ => return Err(differs),
        }
    } else {
        tally.absent += 1;
    }
    if let Some(fault) = sound(&store).map_err(text)? {
        return Err(fault);
    }
    // Life goes on: what is written now is written where garbage may lie.
    if random.below(4) == 0 {
        let more = script(image, 2);
        let mut next = now.clone();
        for step in &more {
            run(&store, step).map_err(|e| format!("cannot go on: {e}"))?;
            next = next.after(step);
        }
        drop(store);
        let found = found.image(image);
        let store = Store::open(Arc::new(found), &options());
        let store = store.map_err(|e| format!("does not open again: {e}"))?;
        if let Some(differs) = next.compare(&store).map_err(text)? {
            return Err(format!("after going on: {differs}"));
        }
    }
    Ok(())
}
