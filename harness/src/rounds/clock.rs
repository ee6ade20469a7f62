//! The clocks of a round.

use std::time::Instant;

/// What the system charged to the calling thread so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadUse {
    /// CPU time in nanoseconds.
    pub cpu_ns: u64,
    /// Times the thread was switched out although it wanted to go on.
    pub involuntary_switches: u64,
}

/// Time as the timing core sees it; replaced in tests.
pub trait Clock {
    /// Monotonic nanoseconds since some fixed moment.
    fn wall_ns(&self) -> u64;

    /// Use of the calling thread, where the system tells.
    fn thread_use(&self) -> Option<ThreadUse>;
}

/// The machine's own clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall_ns(&self) -> u64 {
        // 584 years fit.
        self.start.elapsed().as_nanos() as u64
    }

    #[cfg(target_os = "linux")]
    fn thread_use(&self) -> Option<ThreadUse> {
        use nix::sys::resource::{UsageWho, getrusage};
        use nix::time::{ClockId, clock_gettime};
        let cpu = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
        let usage = getrusage(UsageWho::RUSAGE_THREAD).ok()?;
        Some(ThreadUse {
            cpu_ns: u64::try_from(cpu.tv_sec()).ok()? * 1_000_000_000
                + u64::try_from(cpu.tv_nsec()).ok()?,
            involuntary_switches: u64::try_from(usage.involuntary_context_switches()).ok()?,
        })
    }

    #[cfg(not(target_os = "linux"))]
    fn thread_use(&self) -> Option<ThreadUse> {
        None
    }
}
