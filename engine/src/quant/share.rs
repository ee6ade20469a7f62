//! Work on this thread, or on those of a pool.

/// Who does a list of jobs. Each job owns what it writes, so nobody can tell the difference.
pub(super) trait Share: Sync {
    /// Does every job, in any order.
    fn each<T: Send>(&self, jobs: &mut [T], work: impl Fn(&mut T) + Send + Sync);
}

/// The calling thread, in order.
pub(super) struct Alone;

impl Share for Alone {
    fn each<T: Send>(&self, jobs: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
        jobs.iter_mut().for_each(work);
    }
}

/// The pool whose thread this is: made inside `ThreadPool::install` only, once for all the work,
/// since entering a pool from outside allocates and a fork within it does not.
#[cfg(feature = "parallel")]
pub(super) struct Pooled;

#[cfg(feature = "parallel")]
impl Share for Pooled {
    fn each<T: Send>(&self, jobs: &mut [T], work: impl Fn(&mut T) + Send + Sync) {
        use rayon::prelude::*;

        jobs.par_iter_mut().with_max_len(1).for_each(work);
    }
}
