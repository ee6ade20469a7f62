//! Every order in which two or three threads can meet, within loom's bounds: `cargo xtask test --lane
//! loom`.

use loom::sync::Arc;
use loom::thread;

use super::pool::{Pool, PoolStats};
use super::queue::{BatchProcessor, WorkQueue};
use super::sync::{ArrayQueue, AtomicUsize, Ordering};

/// Takes a buffer and gives it back.
fn cycle(pool: &Pool<u8>) {
    drop(pool.acquire());
}

#[test]
fn a_pool_accounts_for_every_buffer() {
    loom::model(|| {
        let pool: Arc<Pool<u8>> = Arc::new(Pool::new(1));
        let other = Arc::clone(&pool);
        let handle = thread::spawn(move || cycle(&other));
        cycle(&pool);
        assert_eq!(pool.acquire().detach(), 0);
        handle.join().unwrap();
        let PoolStats { hits, misses, outstanding, idle, dropped } = pool.stats();
        assert_eq!((hits + misses, outstanding), (3, 0));
        // What was made is kept, was dropped, or was detached.
        assert_eq!(misses, idle as u64 + dropped + 1);
    });
}

#[test]
fn whoever_looks_never_sees_more_come_back_than_went_out() {
    loom::model(|| {
        let pool: Arc<Pool<u8>> = Arc::new(Pool::new(1));
        let handles = [0, 1].map(|_| {
            let pool = Arc::clone(&pool);
            thread::spawn(move || cycle(&pool))
        });
        let (hits, misses, back) = pool.balance();
        assert!(hits + misses >= back, "{hits} hits, {misses} misses, {back} back");
        assert!(hits + misses - back <= 2);
        handles.into_iter().for_each(|h| h.join().unwrap());
    });
}

#[test]
fn what_a_queue_takes_comes_out_though_it_closes_meanwhile() {
    loom::model(|| {
        let queue = Arc::new(WorkQueue::new(1));
        let other = Arc::clone(&queue);
        let push = thread::spawn(move || other.try_push(7).is_ok());
        queue.close();
        let mut out = 0;
        while !queue.is_drained() {
            match queue.try_pop() {
                Some(item) => out += item,
                None => thread::yield_now(),
            }
        }
        assert_eq!(push.join().unwrap(), out == 7);
        assert!(queue.try_pop().is_none() && queue.is_drained());
    });
}

#[test]
fn a_full_queue_refuses_and_one_with_room_does_not() {
    loom::model(|| {
        let queue = Arc::new(WorkQueue::new(1));
        let pushers = [1, 2].map(|item| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.try_push(item).is_ok())
        });
        let out: usize = queue.try_pop().into_iter().sum();
        let taken = pushers.into_iter().map(|p| p.join().unwrap()).filter(|ok| *ok).count();
        let left = usize::from(queue.try_pop().is_some());
        assert_eq!(taken, left + usize::from(out > 0));
        assert!(taken >= 1 && queue.is_empty() && queue.try_push(3).is_ok());
    });
}

#[test]
fn a_refused_item_is_never_seen_in_the_counts() {
    loom::model(|| {
        let batch: Arc<BatchProcessor<u32, u32>> = Arc::new(BatchProcessor::new(1));
        assert!(batch.submit(1).is_ok());
        let other = Arc::clone(&batch);
        let refused = thread::spawn(move || other.submit(2).is_err());
        assert_eq!(batch.pending(), 1);
        assert!(refused.join().unwrap());
        assert_eq!((batch.pending(), batch.is_done()), (1, false));
    });
}

#[test]
fn what_is_done_has_its_results_there() {
    loom::model(|| {
        let batch: Arc<BatchProcessor<u32, u32>> = Arc::new(BatchProcessor::new(2));
        assert!(batch.submit(1).is_ok());
        let other = Arc::clone(&batch);
        let worker = thread::spawn(move || {
            while !other.is_drained() {
                match other.try_get_work() {
                    Some(item) => other.submit_result(item * 10),
                    None => thread::yield_now(),
                }
            }
        });
        assert!(batch.submit(2).is_ok());
        batch.close();
        while !batch.is_done() {
            thread::yield_now();
        }
        let mut results = batch.collect_results();
        results.sort_unstable();
        assert_eq!((results, batch.completed()), (vec![10, 20], 2));
        worker.join().unwrap();
    });
}

#[test]
fn completed_never_runs_ahead_of_submitted() {
    loom::model(|| {
        let batch: Arc<BatchProcessor<u32, u32>> = Arc::new(BatchProcessor::new(1));
        let (submitter, worker) = (Arc::clone(&batch), Arc::clone(&batch));
        let submit = thread::spawn(move || assert!(submitter.submit(1).is_ok()));
        let work = thread::spawn(move || {
            if let Some(item) = worker.try_get_work() {
                worker.submit_result(item);
            }
        });
        // One result seen means one item seen.
        let (submitted, completed) = batch.counts();
        assert!(completed <= submitted && submitted <= 1);
        submit.join().unwrap();
        work.join().unwrap();
        assert_eq!(batch.pending() + batch.completed(), 1);
    });
}

/// The queue as it is often written: a flag that is looked at before the push. The models are worth
/// something only if they find what is wrong with it.
#[test]
#[should_panic(expected = "taken in and lost")]
fn the_models_find_an_item_that_a_flag_loses() {
    loom::model(|| {
        let (items, closed) = (Arc::new(ArrayQueue::new(1)), Arc::new(AtomicUsize::new(0)));
        let (their_items, their_flag) = (Arc::clone(&items), Arc::clone(&closed));
        let push = thread::spawn(move || {
            their_flag.load(Ordering::Acquire) == 0 && their_items.push(7).is_ok()
        });
        closed.store(1, Ordering::Release);
        let out = items.pop();
        // Closed, and empty: the one who drains it goes.
        let taken = push.join().unwrap();
        assert!(!taken || out.is_some(), "taken in and lost");
    });
}
