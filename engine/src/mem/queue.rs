//! Work that waits, bounded; and batches of it that come to an end.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam_queue::{ArrayQueue, SegQueue};

/// A refusal that hands the item back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full or closed; take work out of it first, or try later")
    }
}

impl<T: fmt::Debug> std::error::Error for Full<T> {}

/// A queue of bounded length that any number of threads may use; nobody waits.
#[derive(Debug)]
pub struct WorkQueue<T> {
    items: ArrayQueue<T>,
    closed: AtomicBool,
}

impl<T> WorkQueue<T> {
    /// Holds up to `max` items, at least one.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self { items: ArrayQueue::new(max.max(1)), closed: AtomicBool::new(false) }
    }

    /// Puts an item in.
    ///
    /// # Errors
    /// The item, if there is no room or the queue is closed.
    pub fn try_push(&self, item: T) -> Result<(), Full<T>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Full(item));
        }
        self.items.push(item).map_err(Full)
    }

    /// Takes the oldest item out.
    #[must_use]
    pub fn try_pop(&self) -> Option<T> {
        self.items.pop()
    }

    /// Refuses items from now on; those inside can be taken out.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Items that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// Work with results: what was taken in comes out as a result, and then it is done.
#[derive(Debug)]
pub struct BatchProcessor<T, R> {
    work: WorkQueue<T>,
    results: SegQueue<R>,
    submitted: AtomicUsize,
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

    /// Puts an item in. One that is refused does not count.
    ///
    /// # Errors
    /// The item, if there is no room.
    pub fn submit(&self, item: T) -> Result<(), Full<T>> {
        // Counted before it can be taken: a worker that is quick must not complete what was not
        // submitted. A refusal takes the count back.
        self.submitted.fetch_add(1, Ordering::AcqRel);
        self.work.try_push(item).inspect_err(|_| {
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

    /// Items that were taken in and have no result yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        // The smaller number first: it only grows.
        let completed = self.completed.load(Ordering::Acquire);
        self.submitted.load(Ordering::Acquire).saturating_sub(completed)
    }

    /// Items with a result.
    #[must_use]
    pub fn completed(&self) -> usize {
        self.completed.load(Ordering::Acquire)
    }

    /// Whether everything that was taken in has its result.
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
        queue.close();
        assert_eq!(queue.try_push("d"), Err(Full("d")));
        assert_eq!((queue.try_pop(), queue.try_pop(), queue.is_empty()), (Some("b"), None, true));
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
        let taken = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for from in [0u64, 10_000] {
                let batch = &batch;
                scope.spawn(move || {
                    for mut item in from..from + 1000 {
                        while let Err(Full(back)) = batch.submit(item) {
                            item = back;
                            std::thread::yield_now();
                        }
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    while taken.load(Ordering::Relaxed) < 2000 {
                        match batch.try_get_work() {
                            Some(item) => {
                                taken.fetch_add(1, Ordering::Relaxed);
                                batch.submit_result(item);
                            }
                            None => std::thread::yield_now(),
                        }
                    }
                });
            }
        });
        let mut results = batch.collect_results();
        results.sort_unstable();
        let all: Vec<u64> = (0..1000).chain(10_000..11_000).collect();
        assert!(batch.is_done() && results == all);
    }
}
