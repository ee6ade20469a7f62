//! Centres and intervals of ratios, from the logarithms of paired times.

use crate::verdict::quantile_upper;

/// Probability that an interval misses.
const ALPHA: f64 = 0.05;

/// A ratio with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The geometric mean.
    pub center: f64,
    /// Lower end; `None` from fewer than two values.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
}

/// The geometric mean of ratios given as logarithms, with Student's interval at 5 %.
#[must_use]
pub fn spread(logs: &[f64]) -> Spread {
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    if logs.len() < 2 {
        return Spread { center: mean.exp(), lo: None, hi: None };
    }
    let squares: f64 = logs.iter().map(|x| (x - mean).powi(2)).sum();
    let half = quantile_upper(ALPHA / 2.0, n - 1.0) * (squares / (n - 1.0) / n).sqrt();
    Spread { center: mean.exp(), lo: Some((mean - half).exp()), hi: Some((mean + half).exp()) }
}

/// The ratio over several builds, each with logarithms of paired rounds: over builds where there are
/// several, by the median of each; over the rounds of the only one otherwise. And which it was.
#[must_use]
pub fn over_builds(builds: &[Vec<f64>]) -> (Spread, &'static str) {
    match builds {
        [only] => (spread(only), "rounds"),
        _ => {
            let mid = |logs: &Vec<f64>| crate::verdict::percentile(&mut logs.clone(), 0.5);
            let medians: Vec<f64> = builds.iter().map(mid).collect();
            (spread(&medians), "builds")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_students() {
        // Mean 0, standard deviation 1, three values: half-width 4.303 / sqrt(3).
        let s = spread(&[-1.0, 0.0, 1.0]);
        assert!((s.center - 1.0).abs() < 1e-12);
        assert!((s.hi.unwrap().ln() - 4.302_653 / 3.0_f64.sqrt()).abs() < 1e-4);
        assert!((s.lo.unwrap() * s.hi.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(spread(&[2.0_f64.ln()]).lo, None);
    }

    #[test]
    fn builds_are_what_counts_where_there_are_several() {
        let rounds = vec![0.0, 0.1, -0.1, 5.0];
        let (one, over) = over_builds(std::slice::from_ref(&rounds));
        assert_eq!(over, "rounds");
        assert!(one.center > 1.5, "the mean of all rounds");
        let (two, over) = over_builds(&[rounds.clone(), rounds]);
        assert_eq!(over, "builds");
        assert!((two.center.ln() - 0.05).abs() < 1e-9, "medians: one wild round is not felt");
        assert_eq!((two.lo, two.hi), (Some(two.center), Some(two.center)));
    }
}
