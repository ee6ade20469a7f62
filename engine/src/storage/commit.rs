//! Commits: in which order, for whom.
//!
//! ```text
//! tables changed (in memory) -> rows written -> rows synced -> tables committed -> acknowledged
//! ```
//! Those who commit at the same time share the two last waits: one of them leads, takes whoever is
//! waiting along, and hands the lead over. A leader waits a moment for as many as there were the last
//! time; one thread alone waits for nobody.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::StoreError;
#[cfg(any(test, feature = "storage-sim"))]
use super::options::Knob;
use super::records::{Change, State};
use super::segment::{Segment, Sums};
use super::store::{Store, Writer};
use super::{Batch, SegmentSpec};

/// How long a leader waits for those who committed with the last one; a fraction of a sync.
const GATHER: Duration = Duration::from_micros(300);

/// What was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The commit; others may have shared it.
    pub sequence: u64,
    /// The slot of the batch's first row. The others follow in their order.
    pub first_slot: u32,
    /// Rows that were put in.
    pub rows: u32,
    /// Slots whose ids were deleted or given to rows of the batch.
    pub buried: Vec<u32>,
    order: u64,
}

/// Batches that wait for a leader.
#[derive(Debug, Default)]
pub(super) struct Queue {
    inner: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: Vec<(u64, Batch)>,
    done: HashMap<u64, Result<Receipt, StoreError>>,
    tickets: u64,
    leading: bool,
    /// How many may come.
    expected: usize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is one step.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who may act on a receipt: in the order of slots.
#[derive(Debug, Default)]
pub(super) struct Turns {
    inner: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Turn {
    next: u64,
    /// Those behind the next that have acted, or never will.
    done: BTreeSet<u64>,
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, order: u64) {
        let mut turn = self.lock();
        while turn.next < order {
            turn = self.changed.wait(turn).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn pass(&self, order: u64) {
        let mut turn = self.lock();
        turn.done.insert(order);
        loop {
            let next = turn.next;
            if !turn.done.remove(&next) {
                break;
            }
            turn.next += 1;
        }
        drop(turn);
        self.changed.notify_all();
    }
}

/// Passes the turn on, even if what was to be done panics.
struct Passing<'a>(&'a Turns, u64);

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0.pass(self.1);
    }
}

/// Whoever leads and panics leaves a store that nobody writes to any more, and nobody waiting.
struct Leading<'a> {
    store: &'a Store,
    tickets: Vec<u64>,
    results: Vec<Result<Receipt, StoreError>>,
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        let mut waiting = self.store.queue.lock();
        if self.results.len() < self.tickets.len() {
            let _ = self.store.poison(StoreError::Poisoned);
        }
        waiting.leading = false;
        waiting.expected = self.tickets.len() + waiting.batches.len();
        let results = self.results.drain(..).map(Some).chain(std::iter::repeat_with(|| None));
        for (ticket, result) in self.tickets.drain(..).zip(results) {
            waiting.done.insert(ticket, result.unwrap_or(Err(StoreError::Poisoned)));
        }
        drop(waiting);
        self.store.queue.changed.notify_all();
    }
}

impl Store {
    /// Does a batch; when this returns, it is on disk. Threads that commit at once share a commit.
    ///
    /// # Errors
    /// An id in use or rows too many: nothing was done, others may go on. What writing, syncing or
    /// committing gives: whether the batch is there shows when the store is opened anew, and until
    /// then nothing is written. [`StoreError::Poisoned`] after that.
    pub fn commit(&self, batch: Batch) -> Result<Receipt, StoreError> {
        let receipt = self.queue_up(batch)?;
        self.turns.pass(receipt.order);
        Ok(receipt)
    }

    /// [`Store::commit`], and then `act`, which sees receipts in the order of their slots: what is
    /// kept in memory beside the store is changed in the order in which the store was. Each thread
    /// waits for those before it, so `act` must not commit.
    ///
    /// # Errors
    /// As [`Store::commit`]; then `act` is not called.
    pub fn commit_then<T>(
        &self,
        batch: Batch,
        act: impl FnOnce(&Receipt) -> T,
    ) -> Result<(Receipt, T), StoreError> {
        let receipt = self.queue_up(batch)?;
        let passing = Passing(&self.turns, receipt.order);
        self.turns.wait(receipt.order);
        let done = act(&receipt);
        drop(passing);
        Ok((receipt, done))
    }

    fn queue_up(&self, batch: Batch) -> Result<Receipt, StoreError> {
        let mut waiting = self.queue.lock();
        let ticket = waiting.tickets;
        waiting.tickets += 1;
        waiting.batches.push((ticket, batch));
        self.queue.changed.notify_all();
        loop {
            if let Some(done) = waiting.done.remove(&ticket) {
                return done;
            }
            if waiting.leading {
                waiting = self.queue.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            waiting.leading = true;
            let more = |w: &mut Waiting| w.batches.len() < w.expected;
            let waited = self.queue.changed.wait_timeout_while(waiting, GATHER, more);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
            let (tickets, batches): (Vec<_>, Vec<_>) =
                std::mem::take(&mut waiting.batches).into_iter().unzip();
            drop(waiting);
            let mut leading = Leading { store: self, tickets, results: Vec::new() };
            leading.results = self.write_group(&batches);
            drop(leading);
            waiting = self.queue.lock();
        }
    }

    fn write_group(&self, batches: &[Batch]) -> Vec<Result<Receipt, StoreError>> {
        let written = self.writer().and_then(|mut writer| self.write(&mut writer, batches));
        written.unwrap_or_else(|e| {
            let e = self.poison(e);
            batches.iter().map(|_| Err(e.clone())).collect()
        })
    }

    fn write(
        &self,
        writer: &mut Writer,
        batches: &[Batch],
    ) -> Result<Vec<Result<Receipt, StoreError>>, StoreError> {
        let mut work = Work::begin(self, writer)?;
        let mut results = Vec::with_capacity(batches.len());
        let mut accepted = false;
        for batch in batches {
            let result = match work.take(self, batch) {
                Err(e) if !e.is_refusal() => return Err(e),
                result => result,
            };
            accepted |= result.is_ok();
            results.push(result);
        }
        if accepted {
            work.commit(self, writer)?;
        }
        for (result, order) in results.iter_mut().flatten().zip(writer.orders..) {
            result.order = order;
        }
        writer.orders += results.iter().flatten().count() as u64;
        Ok(results)
    }

    /// The right to write, for many batches that last together; see [`Bulk`]. Other writers wait.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`], or what the records give.
    pub fn bulk(&self) -> Result<Bulk<'_>, StoreError> {
        let writer = self.writer()?;
        let work = Work::begin(self, &writer).map_err(|e| self.poison(e))?;
        let (first_slot, buried) = (work.state.slots, Vec::new());
        Ok(Bulk { store: self, work, first_slot, buried, writer })
    }
}

/// What is under way and not committed.
#[derive(Debug)]
struct Work {
    change: Change,
    state: State,
    sums: Vec<Sums>,
    /// Of each segment, the blocks whose checksums changed.
    changed: Vec<Vec<(u32, u32)>>,
    specs: Vec<SegmentSpec>,
    /// Rows that are written too late, on purpose.
    #[cfg(any(test, feature = "storage-sim"))]
    late: Vec<(Arc<Segment>, u64, Vec<u8>)>,
}

impl Work {
    fn begin(store: &Store, writer: &Writer) -> Result<Self, StoreError> {
        let change = store.records.change()?;
        let shared = store.shared();
        let specs: Vec<_> = shared.segments.iter().map(|s| s.spec).collect();
        let changed = vec![Vec::new(); specs.len()];
        Ok(Self {
            change,
            state: shared.state,
            sums: writer.sums.clone(),
            changed,
            specs,
            #[cfg(any(test, feature = "storage-sim"))]
            late: Vec::new(),
        })
    }

    /// A batch into the tables and the segments' files.
    fn take(&mut self, store: &Store, batch: &Batch) -> Result<Receipt, StoreError> {
        if batch.specs != self.specs {
            return Err(StoreError::OtherStore);
        }
        let first_slot = self.state.slots;
        let mut buried = Vec::new();
        {
            let mut tables = self.change.tables()?;
            tables.check(batch, self.state)?;
            tables.apply(batch, &mut self.state, &mut buried)?;
        }
        let segments = store.shared().segments.clone();
        for (at, segment) in segments.iter().enumerate() {
            let rows = &batch.rows[at];
            if !rows.is_empty() {
                #[cfg(any(test, feature = "storage-sim"))]
                if store.knob == Knob::WriteLast {
                    self.late.push((Arc::clone(segment), u64::from(first_slot), rows.clone()));
                }
                #[cfg(any(test, feature = "storage-sim"))]
                let write = store.knob != Knob::WriteLast;
                #[cfg(not(any(test, feature = "storage-sim")))]
                let write = true;
                if write {
                    segment.write(u64::from(first_slot), rows)?;
                }
                self.sums[at].extend(rows, &mut self.changed[at]);
            }
        }
        let (sequence, rows) = (self.state.sequence + 1, batch.puts.len() as u32);
        Ok(Receipt { sequence, first_slot, rows, buried, order: 0 })
    }

    /// Rows first, then the records: what the records count is there.
    fn commit(mut self, store: &Store, writer: &mut Writer) -> Result<(), StoreError> {
        let segments = store.shared().segments.clone();
        #[cfg(any(test, feature = "storage-sim"))]
        let late = store.knob != Knob::Right;
        #[cfg(not(any(test, feature = "storage-sim")))]
        let late = false;
        if !late {
            sync(&segments, &self.changed)?;
        }
        for (segment, changed) in segments.iter().zip(&self.changed) {
            self.change.set_sums(segment.number, changed)?;
        }
        self.state.sequence += 1;
        self.change.set_state(self.state)?;
        self.change.commit()?;
        #[cfg(any(test, feature = "storage-sim"))]
        if !self.late.is_empty() {
            std::thread::sleep(Duration::from_millis(2));
            for (segment, first, rows) in &self.late {
                segment.write(*first, rows)?;
            }
        }
        #[cfg(any(test, feature = "storage-sim"))]
        if matches!(store.knob, Knob::RowsLast | Knob::WriteLast) {
            sync(&segments, &self.changed)?;
        }
        writer.sums = self.sums;
        store.shared_mut().state = self.state;
        Ok(())
    }
}

/// Waits until the rows that were written are on the device.
fn sync(segments: &[Arc<Segment>], changed: &[Vec<(u32, u32)>]) -> Result<(), StoreError> {
    let mut dirty = segments.iter().zip(changed).filter(|(_, changed)| !changed.is_empty());
    dirty.try_for_each(|(segment, _)| segment.sync())
}

/// Many batches that last together: nothing of them is there before [`Bulk::finish`], and nothing of
/// them if it is dropped instead. The thread that holds it has the right to write, and must not
/// commit by other ways meanwhile.
#[derive(Debug)]
#[must_use = "nothing lasts before `finish`"]
pub struct Bulk<'s> {
    store: &'s Store,
    work: Work,
    first_slot: u32,
    buried: Vec<u32>,
    writer: MutexGuard<'s, Writer>,
}

impl Bulk<'_> {
    /// Takes a batch along. Its rows go to the file, and are not waited for.
    ///
    /// # Errors
    /// A refusal, with what came before as it was; or what writing gives, after which nothing is
    /// written any more.
    pub fn push(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.store.is_poisoned() {
            return Err(StoreError::Poisoned);
        }
        let receipt = self.work.take(self.store, batch).map_err(|e| self.store.poison(e))?;
        self.buried.extend(receipt.buried);
        Ok(())
    }

    /// Rows so far.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.work.state.slots - self.first_slot) as usize
    }

    /// Whether there is none so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When this returns, all of it is on disk.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn finish(self) -> Result<Receipt, StoreError> {
        self.finish_then(|_| ()).map(|(receipt, ())| receipt)
    }

    /// [`Bulk::finish`], and then `act`, as [`Store::commit_then`] has it.
    ///
    /// # Errors
    /// As [`Store::commit`]; then `act` is not called.
    pub fn finish_then<T>(
        self,
        act: impl FnOnce(&Receipt) -> T,
    ) -> Result<(Receipt, T), StoreError> {
        let Self { store, work, first_slot, buried, mut writer } = self;
        if store.is_poisoned() {
            return Err(StoreError::Poisoned);
        }
        let sequence = work.state.sequence + 1;
        let rows = work.state.slots - first_slot;
        work.commit(store, &mut writer).map_err(|e| store.poison(e))?;
        let order = writer.orders;
        writer.orders += 1;
        drop(writer);
        let receipt = Receipt { sequence, first_slot, rows, buried, order };
        let passing = Passing(&store.turns, order);
        store.turns.wait(order);
        let done = act(&receipt);
        drop(passing);
        Ok((receipt, done))
    }
}
