//! Clocks of the suite: CPU time of the calling thread and of the process, wall time, resident memory.

use std::time::Instant;

/// Nanoseconds of CPU that the calling thread used; wall time where the system does not say.
#[must_use]
pub fn thread_ns(start: Instant) -> u64 {
    cpu_ns(Whose::Thread).unwrap_or_else(|| wall_ns(start))
}

/// Whether [`thread_ns`] is CPU time here.
#[must_use]
pub fn counts_cpu() -> bool {
    cpu_ns(Whose::Thread).is_some() && cpu_ns(Whose::Process).is_some()
}

fn wall_ns(start: Instant) -> u64 {
    // 584 years fit.
    start.elapsed().as_nanos() as u64
}

#[derive(Clone, Copy)]
enum Whose {
    Thread,
    Process,
}

#[cfg(target_os = "linux")]
fn cpu_ns(whose: Whose) -> Option<u64> {
    use nix::time::{ClockId, clock_gettime};
    let id = match whose {
        Whose::Thread => ClockId::CLOCK_THREAD_CPUTIME_ID,
        Whose::Process => ClockId::CLOCK_PROCESS_CPUTIME_ID,
    };
    let time = clock_gettime(id).ok()?;
    Some(u64::try_from(time.tv_sec()).ok()? * 1_000_000_000 + u64::try_from(time.tv_nsec()).ok()?)
}

#[cfg(not(target_os = "linux"))]
fn cpu_ns(_whose: Whose) -> Option<u64> {
    None
}

/// Memory of the process that is in RAM, bytes, where the system says.
#[must_use]
pub fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Measures a build: what runs inside [`BuildTimer::time`], summed up. CPU is the whole process's,
/// since some libraries hand their work to threads of their own.
#[derive(Debug, Default)]
pub struct BuildTimer {
    /// Seconds of CPU; `None` where the system does not say.
    pub cpu_s: Option<f64>,
    /// Seconds on the wall.
    pub wall_s: f64,
}

impl BuildTimer {
    /// Runs `work` and adds what it took.
    pub fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (cpu, start) = (cpu_ns(Whose::Process), Instant::now());
        let done = work();
        self.wall_s += start.elapsed().as_secs_f64();
        if let (Some(before), Some(now)) = (cpu, cpu_ns(Whose::Process)) {
            let spent = now.saturating_sub(before) as f64 / 1e9;
            self.cpu_s = Some(self.cpu_s.unwrap_or(0.0) + spent);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_the_sum_of_its_parts() {
        let mut timer = BuildTimer::default();
        let spin = || (0..400_000_u64).map(std::hint::black_box).sum::<u64>();
        assert_eq!(timer.time(spin), timer.time(spin));
        assert!(timer.wall_s > 0.0);
        if counts_cpu() {
            assert!(timer.cpu_s.is_some_and(|s| s > 0.0));
        }
    }
}
