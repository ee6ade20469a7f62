//! What is said while work goes on: a bar with the time left on a terminal, plain lines elsewhere.
//!
//! Results go to standard output, everything else to standard error. A closed pipe is no error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shortest time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Characters of the bar.
const WIDTH: usize = 24;

/// Writes a result.
pub(crate) fn out(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Writes a remark.
pub(crate) fn note(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Progress over a known number of steps.
#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    done: usize,
    start: Instant,
    last_line: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Nothing of `total` steps done yet.
    pub(crate) fn new(total: usize) -> Self {
        let start = Instant::now();
        Self { total, done: 0, start, last_line: None, terminal: io::stderr().is_terminal() }
    }

    /// The step called `name` begins.
    pub(crate) fn begin(&mut self, name: &str) {
        if self.terminal {
            let left = time_left(self.done, self.total, self.start.elapsed());
            note(&format!("\r\x1b[2K{} {left}  {name}", bar(self.done, self.total)));
        } else if self.last_line.is_none_or(|t| t.elapsed() >= LINE_EVERY) {
            let left = time_left(self.done, self.total, self.start.elapsed());
            note(&format!("{}/{} {left}  {name}\n", self.done, self.total));
            self.last_line = Some(Instant::now());
        }
    }

    /// A step has ended.
    pub(crate) fn end(&mut self) {
        self.done += 1;
    }

    /// Clears the bar.
    pub(crate) fn finish(&self) {
        if self.terminal {
            note("\r\x1b[2K");
        }
    }
}

fn bar(done: usize, total: usize) -> String {
    let filled = (WIDTH * done).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    format!("[{}{}] {done}/{total}", "#".repeat(filled), ".".repeat(WIDTH - filled))
}

/// The time left if the rest goes as what is done went.
fn time_left(done: usize, total: usize, elapsed: Duration) -> String {
    if done == 0 {
        return "time left unknown".to_owned();
    }
    let left = elapsed.as_secs_f64() / done as f64 * total.saturating_sub(done) as f64;
    format!("{} left", human_time(left))
}

/// `45 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn human_time(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_bars_are_readable() {
        assert_eq!(human_time(0.4), "0 s");
        assert_eq!(human_time(59.9), "1 min 0 s");
        assert_eq!(human_time(7_500.0), "2 h 5 min");
        assert_eq!(bar(0, 0), format!("[{}] 0/0", "#".repeat(WIDTH)));
        assert!(bar(1, 2).starts_with("[############............]"));
        assert_eq!(time_left(0, 9, Duration::from_secs(5)), "time left unknown");
        assert_eq!(time_left(2, 6, Duration::from_secs(10)), "20 s left");
    }
}
