//! What a workload took: a thread's own time where it works alone, else what passed meanwhile.

use std::time::Instant;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The time of the calling thread on a CPU; a neighbour on the machine does not count.
    Cpu,
    /// The time that passes: for work on several threads.
    Wall,
}

impl Clock {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
        }
    }
}

/// A clock that runs.
pub(crate) struct Running {
    clock: Clock,
    wall: Instant,
    cpu: Option<f64>,
}

impl Running {
    pub(crate) fn start(clock: Clock) -> Self {
        Self { clock, wall: Instant::now(), cpu: thread_seconds() }
    }

    /// Seconds since the start. Where the system has no clock of a thread: what passed.
    pub(crate) fn seconds(&self) -> f64 {
        match (self.clock, self.cpu, thread_seconds()) {
            (Clock::Cpu, Some(from), Some(to)) => to - from,
            _ => self.wall.elapsed().as_secs_f64(),
        }
    }
}

#[cfg(unix)]
fn thread_seconds() -> Option<f64> {
    use nix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
    Some(time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9)
}

#[cfg(not(unix))]
fn thread_seconds() -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_sleeps_does_not_work() {
        let (cpu, wall) = (Running::start(Clock::Cpu), Running::start(Clock::Wall));
        std::thread::sleep(std::time::Duration::from_millis(30));
        assert!(wall.seconds() >= 0.03);
        if thread_seconds().is_some() {
            assert!(cpu.seconds() < wall.seconds());
        }
    }
}
