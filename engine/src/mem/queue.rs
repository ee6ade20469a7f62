//! Work that waits, bounded; and batches of it that come to an end.
//!
//! ```text
//! state of a queue   | items that have a place | closed |      one word
//!
//! push    place taken, if there is one and the queue is open -> item put in
//! pop     item taken out -> place given back
//! ```
//! An item has its place before it is in, and keeps it until it is out. So a queue that is closed and
//! has no place taken holds nothing and never will: whoever drains it knows that it is at the end. And
//! who has no place is refused before anybody could have counted the item.

use std::fmt;

use super::sync::{ArrayQueue, AtomicUsize, Ordering, SegQueue};

/// A refusal that hands the item back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full or closed; take work out of it first, or try later")
    }
}

impl<T: fmt::Debug> std::error::Error for Full<T> {}

/// Set in a state once nothing more is taken in.
const CLOSED: usize = 1;
/// What a place counts in a state.
const PLACE: usize = 2;

/// A queue of bounded length that any number of threads may use; nobody waits.
///
/// ```
/// use annvil::mem::{Full, WorkQueue};
///
/// let queue = WorkQueue::new(1);
/// assert_eq!(queue.try_push("a"), Ok(()));
/// assert_eq!(queue.try_push("b"), Err(Full("b")));
/// queue.close();
/// assert_eq!((queue.try_pop(), queue.is_drained()), (Some("a"), true));
/// ```
#[derive(Debug)]
pub struct WorkQueue<T> {
    items: ArrayQueue<T>,
    max: usize,
    state: AtomicUsize,
}

impl<T> WorkQueue<T> {
    /// Holds up to `max` items, at least one.
    #[must_use]
    pub fn new(max: usize) -> Self {
        let max = max.max(1);
        Self { items: ArrayQueue::new(max), max, state: AtomicUsize::new(0) }
    }

    /// Puts an item in.
    ///
    /// # Errors
    /// The item, if there is no room or the queue is closed.
    pub fn try_push(&self, item: T) -> Result<(), Full<T>> {
        if !self.take_place() {
            return Err(Full(item));
        }
        self.put(item)
    }

    /// A place for one item, which is then put in.
    fn take_place(&self) -> bool {
        let place =
            |state: usize| (state & CLOSED == 0 && state / PLACE < self.max).then(|| state + PLACE);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, place).is_ok()
    }

    /// Puts in the item that has a place. There is room: there are as many places as the queue is long.
    fn put(&self, item: T) -> Result<(), Full<T>> {
        self.items.push(item).map_err(|item| {
            self.state.fetch_sub(PLACE, Ordering::AcqRel);
            Full(item)
        })
    }

    /// Takes the oldest item out. None, if none is in; one that has its place only may still come, see
    /// [`WorkQueue::is_drained`].
    #[must_use]
    pub fn try_pop(&self) -> Option<T> {
        let item = self.items.pop()?;
        self.state.fetch_sub(PLACE, Ordering::AcqRel);
        Some(item)
    }

    /// Refuses items from now on; those inside can be taken out.
    pub fn close(&self) {
        self.state.fetch_or(CLOSED, Ordering::AcqRel);
    }

    /// Whether the queue is closed and every item that it took is out again. Once true, always true.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.state.load(Ordering::Acquire) == CLOSED
    }

    /// Items that wait, those included that are being put in or taken out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.load(Ordering::Acquire) / PLACE
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Work with results: what was taken in comes out as a result, and then it is done. Each item that is
/// taken out gets one result.
#[derive(Debug)]
pub struct BatchProcessor<T, R> {
    work: WorkQueue<T>,
    results: SegQueue<R>,
    /// Items that were taken in: counted before anybody can take them out.
    submitted: AtomicUsize,
    /// Results: counted once they are there.
    completed: AtomicUsize,
}

impl<T, R> BatchProcessor<T, R> {
    /// Holds up to `max` items that nobody works on yet.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self {
            work: WorkQueue::new(max),
            results: SegQueue::new(),
            submitted: AtomicUsize::new(0),
            completed: AtomicUsize::new(0),
        }
    }

    /// Puts an item in. One that is refused is never counted.
    ///
    /// # Errors
    /// The item, if there is no room or the batch is closed.
    pub fn submit(&self, item: T) -> Result<(), Full<T>> {
        if !self.work.take_place() {
            return Err(Full(item));
        }
        // Before it is in: a worker that is quick must not complete what was not submitted.
        self.submitted.fetch_add(1, Ordering::AcqRel);
        self.work.put(item).inspect_err(|_| {
            self.submitted.fetch_sub(1, Ordering::AcqRel);
        })
    }

    /// The next item to work on.
    #[must_use]
    pub fn try_get_work(&self) -> Option<T> {
        self.work.try_pop()
    }

    /// The result of an item that was taken out.
    pub fn submit_result(&self, result: R) {
        // There before it counts: who sees it counted finds it.
        self.results.push(result);
        self.completed.fetch_add(1, Ordering::AcqRel);
    }

    /// The results so far, each once.
    #[must_use]
    pub fn collect_results(&self) -> Vec<R> {
        std::iter::from_fn(|| self.results.pop()).collect()
    }

    /// Refuses items from now on.
    pub fn close(&self) {
        self.work.close();
    }

    /// Whether the batch is closed and all its items were taken out: a worker that finds nothing may go.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.work.is_drained()
    }

    /// Items that were taken in and have no result yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        let (submitted, completed) = self.counts();
        submitted.saturating_sub(completed)
    }

    /// Items taken in, and results. Results first: whoever sees one counted sees its item counted, so
    /// they are never more.
    pub(super) fn counts(&self) -> (usize, usize) {
        let completed = self.completed.load(Ordering::Acquire);
        (self.submitted.load(Ordering::Acquire), completed)
    }

    /// Items with a result.
    #[must_use]
    pub fn completed(&self) -> usize {
        self.completed.load(Ordering::Acquire)
    }

    /// Whether everything that was taken in so far has its result.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pending() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_or_closed_queue_hands_the_item_back() {
        let queue = WorkQueue::new(2);
        assert_eq!((queue.try_push("a"), queue.try_push("b")), (Ok(()), Ok(())));
        assert_eq!(queue.try_push("c"), Err(Full("c")));
        assert_eq!((queue.try_pop(), queue.len()), (Some("a"), 1));
        assert!(!queue.is_drained());
        queue.close();
        assert_eq!((queue.try_push("d"), queue.is_drained()), (Err(Full("d")), false));
        assert_eq!((queue.try_pop(), queue.try_pop(), queue.is_empty()), (Some("b"), None, true));
        assert!(queue.is_drained());
    }

    #[test]
    fn a_refused_item_does_not_count() {
        let batch: BatchProcessor<u32, u32> = BatchProcessor::new(1);
        assert!(batch.is_done() && batch.submit(1).is_ok() && batch.submit(2) == Err(Full(2)));
        assert_eq!((batch.pending(), batch.is_done()), (1, false));
        let work = batch.try_get_work().unwrap();
        batch.submit_result(work * 10);
        assert_eq!(
            (batch.is_done(), batch.completed(), batch.collect_results()),
            (true, 1, vec![10])
        );
    }

    #[cfg(not(target_family = "wasm"))]
    #[test]
    fn it_is_drained_to_done_by_any_number_of_threads() {
        let batch: BatchProcessor<u64, u64> = BatchProcessor::new(16);
        let submit = |from: u64| {
            for mut item in from..from + 1000 {
                while let Err(Full(back)) = batch.submit(item) {
                    item = back;
                    std::thread::yield_now();
                }
            }
        };
        let drain = || {
            while !batch.is_drained() {
                match batch.try_get_work() {
                    Some(item) => batch.submit_result(item),
                    None => std::thread::yield_now(),
                }
            }
        };
        std::thread::scope(|scope| {
            let submitters = [scope.spawn(|| submit(0)), scope.spawn(|| submit(10_000))];
            scope.spawn(drain);
            scope.spawn(drain);
            submitters.into_iter().for_each(|s| s.join().unwrap());
            batch.close();
        });
        let mut results = batch.collect_results();
        results.sort_unstable();
        let all: Vec<u64> = (0..1000).chain(10_000..11_000).collect();
        assert!(batch.is_done() && results == all);
        assert_eq!((batch.completed(), batch.submit(1)), (2000, Err(Full(1))));
    }
}
