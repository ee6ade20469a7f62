//! A median with an interval that assumes no distribution.

use crate::verdict::percentile;

/// A median and the interval of order statistics around it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The median.
    pub median: f64,
    /// Lower end.
    pub lo: f64,
    /// Upper end.
    pub hi: f64,
}

impl Interval {
    /// Of ratios, round by round: the interval covers their median with at least 95 % (sign test;
    /// from six rounds on, below that it is their range). It says nothing of what differs between
    /// processes.
    ///
    /// # Panics
    /// Without a value.
    pub fn of(values: &[f64]) -> Self {
        assert!(!values.is_empty(), "no round");
        let mut sorted = values.to_vec();
        let median = percentile(&mut sorted, 0.5);
        let n = sorted.len();
        let cut = order(n);
        Self { median, lo: sorted[cut], hi: sorted[n - 1 - cut] }
    }

    /// Of a figure that is counted, not timed.
    pub fn exact(value: f64) -> Self {
        Self { median: value, lo: value, hi: value }
    }

    /// The same after a function that rises or falls throughout.
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        let (a, b) = (f(self.lo), f(self.hi));
        Self { median: f(self.median), lo: a.min(b), hi: a.max(b) }
    }
}

/// How many values may be cut off each end: the largest count whose tail of the binomial
/// distribution holds at most 2.5 %.
fn order(n: usize) -> usize {
    // ln C(n, i) - n ln 2, summed up; n is a few hundred at most.
    let (mut tail, mut log, mut cut) = (0.0f64, -(n as f64) * std::f64::consts::LN_2, 0);
    for i in 0..n / 2 {
        tail += log.exp();
        if tail > 0.025 {
            break;
        }
        cut = i;
        log += ((n - i) as f64 / (i + 1) as f64).ln();
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_the_sign_tests() {
        // Known: for n = 10 the 2nd and 9th values cover 97.9 %; for 20 the 6th and 15th 95.9 %.
        assert_eq!((order(1), order(5), order(6), order(10), order(20)), (0, 0, 0, 1, 5));
        let ten: Vec<f64> = (1..=10).rev().map(f64::from).collect();
        assert_eq!(Interval::of(&ten), Interval { median: 5.5, lo: 2.0, hi: 9.0 });
        assert_eq!(Interval::of(&[3.0]), Interval::exact(3.0));
    }

    #[test]
    fn a_falling_function_turns_the_ends() {
        let found = Interval { median: 2.0, lo: 1.0, hi: 4.0 }.map(|x| 1.0 / x);
        assert_eq!(found, Interval { median: 0.5, lo: 0.25, hi: 1.0 });
    }
}
