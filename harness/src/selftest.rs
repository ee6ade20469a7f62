//! The harness measured by its own yardstick: known truth in, verdicts out, error rates checked.

mod checks;
mod live;
mod machine;

pub use checks::synthetic;
pub use live::{LiveSize, live};
pub use machine::{Disturbance, Machine};

/// One property of the harness: what was measured, what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// Trials behind the figure.
    pub trials: usize,
    /// The measured figure.
    pub measured: String,
    /// The bound that it must keep.
    pub bound: String,
    /// Whether it does.
    pub passed: bool,
}

impl Check {
    /// A rate that must not exceed `nominal` by more than three standard deviations.
    pub(crate) fn rate_at_most(name: &str, hits: usize, trials: usize, nominal: f64) -> Self {
        let n = trials.max(1) as f64;
        let bound = nominal + 3.0 * (nominal * (1.0 - nominal) / n).sqrt();
        Self::of(name, hits, trials, hits as f64 / n <= bound, &format!("<= {}", percent(bound)))
    }

    /// A rate that must reach `floor`.
    pub(crate) fn rate_at_least(name: &str, hits: usize, trials: usize, floor: f64) -> Self {
        let rate = hits as f64 / trials.max(1) as f64;
        Self::of(name, hits, trials, rate >= floor, &format!(">= {}", percent(floor)))
    }

    /// Something that must never happen.
    pub(crate) fn never(name: &str, hits: usize, trials: usize) -> Self {
        Self::of(name, hits, trials, hits == 0, "0")
    }

    fn of(name: &str, hits: usize, trials: usize, passed: bool, bound: &str) -> Self {
        let rate = hits as f64 / trials.max(1) as f64;
        Self {
            name: name.to_owned(),
            trials,
            measured: format!("{hits} = {}", percent(rate)),
            bound: bound.to_owned(),
            passed: passed && trials > 0,
        }
    }
}

fn percent(rate: f64) -> String {
    format!("{:.1} %", 100.0 * rate)
}

/// The checks as a text table.
pub fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0).max(5);
    let mut out =
        format!("{:4} {:width$} {:>7} {:>16} {:>12}\n", "", "check", "trials", "measured", "bound");
    for c in checks {
        let mark = if c.passed { "ok" } else { "FAIL" };
        out += &format!(
            "{mark:4} {:width$} {:>7} {:>16} {:>12}\n",
            c.name, c.trials, c.measured, c.bound
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The short form of `cargo xtask selftest`.
    #[test]
    fn the_synthetic_checks_hold() {
        let checks = synthetic(200, 11);
        assert!(checks.iter().all(|c| c.passed), "\n{}", table(&checks));
    }

    #[test]
    fn bounds_can_fail() {
        assert!(Check::rate_at_most("x", 5, 100, 0.05).passed);
        assert!(!Check::rate_at_most("x", 20, 100, 0.05).passed);
        assert!(!Check::rate_at_least("x", 94, 100, 0.95).passed);
        assert!(!Check::never("x", 1, 100).passed);
        assert!(!Check::never("x", 0, 0).passed, "no trial proves nothing");
        assert!(table(&[Check::never("x", 1, 2)]).contains("FAIL"));
    }
}
