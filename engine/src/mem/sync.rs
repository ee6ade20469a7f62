//! What threads share here, and what stands in its place under loom.
//!
//! The models of loom judge our own protocols: which count changes when, and what may be concluded
//! from it. The queues are crossbeam's and are not judged; there a lock takes their place, with the
//! same promises and the same answers.

#[cfg(not(all(test, loom)))]
pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[cfg(not(all(test, loom)))]
pub(super) use crossbeam_queue::{ArrayQueue, SegQueue};
#[cfg(all(test, loom))]
pub(super) use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[cfg(all(test, loom))]
pub(super) use queues::{ArrayQueue, SegQueue};

#[cfg(all(test, loom))]
mod queues {
    use std::collections::VecDeque;

    use loom::sync::{Mutex, MutexGuard};

    /// A queue of bounded length.
    #[derive(Debug)]
    pub(in crate::mem) struct ArrayQueue<T> {
        items: SegQueue<T>,
        max: usize,
    }

    impl<T> ArrayQueue<T> {
        pub(in crate::mem) fn new(max: usize) -> Self {
            Self { items: SegQueue::new(), max }
        }

        pub(in crate::mem) fn push(&self, item: T) -> Result<(), T> {
            let mut items = self.items.lock();
            if items.len() == self.max {
                return Err(item);
            }
            items.push_back(item);
            Ok(())
        }

        pub(in crate::mem) fn pop(&self) -> Option<T> {
            self.items.pop()
        }

        pub(in crate::mem) fn len(&self) -> usize {
            self.items.lock().len()
        }
    }

    /// A queue of any length.
    #[derive(Debug)]
    pub(in crate::mem) struct SegQueue<T>(Mutex<VecDeque<T>>);

    impl<T> SegQueue<T> {
        pub(in crate::mem) fn new() -> Self {
            Self(Mutex::new(VecDeque::new()))
        }

        pub(in crate::mem) fn push(&self, item: T) {
            self.lock().push_back(item);
        }

        pub(in crate::mem) fn pop(&self) -> Option<T> {
            self.lock().pop_front()
        }

        fn lock(&self) -> MutexGuard<'_, VecDeque<T>> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }
}
