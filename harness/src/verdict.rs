//! From batch times to a verdict. Pure functions: no clock, no randomness, no I/O.
//!
//! The unit of replication is the process: within one, each pair of variants is compared by the
//! median over rounds of `ln(t_i / t_best)`; between processes, Student's t gives the interval. A
//! difference counts only when the whole interval clears a practical margin. METHODOLOGY.md says why.

mod student;

pub use student::quantile_upper;

use std::fmt;

/// The share of discarded rounds above which nothing is decided.
pub const NOISY_SHARE: f64 = 0.5;

/// A process with fewer kept rounds than this is left out.
pub const MIN_KEPT_ROUNDS: usize = 5;

/// In which order a process measured its variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schedule {
    /// Every variant once per round, in a fresh random order.
    Interleaved,
    /// All batches of one variant, then all of the next. Drift passes for a difference: refused.
    Sequential,
}

/// What one process measured: `ns[round][variant]`, in nanoseconds per value.
#[derive(Debug, Clone)]
pub struct ProcessSamples {
    /// The order of measurement.
    pub schedule: Schedule,
    /// Nanoseconds per value, one row per round, one column per variant.
    pub ns: Vec<Vec<f64>>,
    /// Whether a round counts; one entry per round. A round is discarded for all variants together.
    pub kept: Vec<bool>,
}

/// The constants of the decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Probability allowed for a wrong separation within one cell.
    pub alpha: f64,
    /// Smallest relative difference that counts, for example `0.01`.
    pub margin: f64,
    /// How many times the data may be looked at; each look gets `alpha / looks`.
    pub looks: u32,
}

impl Rule {
    /// 5 % and a margin of 1 %, over `looks` looks.
    pub fn over(looks: u32) -> Self {
        Self { alpha: 0.05, margin: 0.01, looks: looks.max(1) }
    }
}

/// The outcome for a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every other variant is slower by more than the margin.
    Winner,
    /// The variants that could not be separated are all within the margin of the best.
    Tie,
    /// The data separate neither way; more processes may.
    Undecided,
    /// More than half of the rounds were disturbed.
    Noisy,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Winner => "WINNER",
            Self::Tie => "TIE",
            Self::Undecided => "UNDECIDED",
            Self::Noisy => "NOISY",
        })
    }
}

/// Where one variant stands against the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The lowest mean of per-process median logs.
    Best,
    /// The whole interval lies within the margin of the best.
    Equal,
    /// The whole interval lies beyond the margin.
    Slower,
    /// The interval crosses the margin.
    Unclear,
}

/// The result for one variant.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantResult {
    /// Time over the best variant's time.
    pub ratio_to_best: f64,
    /// Lower end of the ratio's interval; `None` when there is no interval.
    pub lo: Option<f64>,
    /// Upper end of the ratio's interval.
    pub hi: Option<f64>,
    /// Place against the best.
    pub standing: Standing,
    /// Smallest relative slow-down that this measurement would have found: half-width and margin.
    pub mde: Option<f64>,
    /// Median nanoseconds per value over all kept rounds.
    pub ns_p50: f64,
    /// Fifth percentile of the same: the floor without neighbours.
    pub ns_p5: f64,
}

/// The result for a cell. `variants` has the order of the columns that went in.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Column of the best variant.
    pub best: usize,
    /// One result per column.
    pub variants: Vec<VariantResult>,
    /// Share of the rounds that were discarded, over all processes.
    pub discarded: f64,
    /// Processes that took part in the interval.
    pub processes: usize,
}

/// Why samples cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JudgeError {
    /// No process, no variant or no round.
    Empty,
    /// The samples were taken one variant after the other.
    Sequential {
        /// Index of the process.
        process: usize,
    },
    /// A row or the list of kept rounds has the wrong length.
    Ragged {
        /// Index of the process.
        process: usize,
    },
    /// A time is not a positive finite number.
    BadTime {
        /// Index of the process.
        process: usize,
        /// Index of the round.
        round: usize,
        /// Column.
        variant: usize,
    },
}

impl fmt::Display for JudgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("no samples: at least one process, round and variant needed")
            }
            Self::Sequential { process } => write!(
                f,
                "process {process} measured its variants one after the other; drift would pass for \
                 a difference, so no verdict is given: interleave the variants"
            ),
            Self::Ragged { process } => {
                write!(f, "process {process}: rows of different lengths")
            }
            Self::BadTime { process, round, variant } => write!(
                f,
                "process {process}, round {round}, variant {variant}: time is not a positive number"
            ),
        }
    }
}

impl std::error::Error for JudgeError {}

/// Judges a cell.
///
/// # Errors
/// [`JudgeError`] when the samples are empty, ragged, not positive or were taken sequentially.
pub fn judge(processes: &[ProcessSamples], rule: &Rule) -> Result<Judgement, JudgeError> {
    let variants = check(processes)?;
    let rounds: usize = processes.iter().map(|p| p.ns.len()).sum();
    let kept: usize = processes.iter().map(count_kept).sum();
    let discarded = 1.0 - kept as f64 / rounds as f64;

    let enough: Vec<&ProcessSamples> =
        processes.iter().filter(|p| count_kept(p) >= MIN_KEPT_ROUNDS).collect();
    let noisy = discarded > NOISY_SHARE || (enough.len() < 2 && processes.len() >= 2);
    // Point estimates are shown for a noisy cell too, from every round if none was clean.
    let (used, all_rounds) =
        if enough.is_empty() { (processes.iter().collect(), true) } else { (enough, false) };

    let best = fastest(&used, variants, all_rounds);
    let gaps: Vec<Gap> = (0..variants)
        .map(|v| {
            let logs: Vec<f64> = used.iter().map(|p| median_log(p, v, best, all_rounds)).collect();
            Gap::of(&logs)
        })
        .collect();
    let results: Vec<VariantResult> = holm_shares(&gaps, best, rule, used.len())
        .into_iter()
        .enumerate()
        .map(|(v, share)| {
            let (ns_p50, ns_p5) = percentiles(&used, v, all_rounds);
            if v == best {
                return VariantResult {
                    ratio_to_best: 1.0,
                    lo: Some(1.0),
                    hi: Some(1.0),
                    standing: Standing::Best,
                    mde: None,
                    ns_p50,
                    ns_p5,
                };
            }
            compare(&gaps[v], share, rule, used.len(), ns_p50, ns_p5)
        })
        .collect();
    let verdict = if noisy { Verdict::Noisy } else { decide(&results) };
    let mut judgement =
        Judgement { verdict, best, variants: results, discarded, processes: used.len() };
    fill_best_mde(&mut judgement);
    Ok(judgement)
}

/// Checks shapes and values; returns the number of variants.
fn check(processes: &[ProcessSamples]) -> Result<usize, JudgeError> {
    let variants =
        processes.first().and_then(|p| p.ns.first()).map(Vec::len).ok_or(JudgeError::Empty)?;
    if variants == 0 {
        return Err(JudgeError::Empty);
    }
    for (process, p) in processes.iter().enumerate() {
        if p.ns.is_empty() {
            return Err(JudgeError::Empty);
        }
        if p.schedule == Schedule::Sequential {
            return Err(JudgeError::Sequential { process });
        }
        if p.kept.len() != p.ns.len() || p.ns.iter().any(|row| row.len() != variants) {
            return Err(JudgeError::Ragged { process });
        }
        for (round, row) in p.ns.iter().enumerate() {
            if let Some(variant) = row.iter().position(|t| !t.is_finite() || *t <= 0.0) {
                return Err(JudgeError::BadTime { process, round, variant });
            }
        }
    }
    Ok(variants)
}

fn count_kept(p: &ProcessSamples) -> usize {
    p.kept.iter().filter(|k| **k).count()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = values.len() as f64;
    values.sum::<f64>() / n
}

/// The variant that loses to no other by the very ratios that are reported. Medians can run in a
/// circle (a before b before c before a); then it is the one whose worst loss is the smallest.
fn fastest(used: &[&ProcessSamples], variants: usize, all_rounds: bool) -> usize {
    let mut worst = vec![0.0_f64; variants];
    for a in 0..variants {
        for b in 0..a {
            let loss = mean(used.iter().map(|p| median_log(p, a, b, all_rounds)));
            worst[a] = worst[a].max(loss);
            worst[b] = worst[b].max(-loss);
        }
    }
    (0..variants).min_by(|&a, &b| worst[a].total_cmp(&worst[b])).unwrap_or(0)
}

/// Median over the counted rounds of `ln(t_v / t_base)`.
fn median_log(p: &ProcessSamples, v: usize, base: usize, all_rounds: bool) -> f64 {
    let mut logs: Vec<f64> =
        p.ns.iter()
            .zip(&p.kept)
            .filter(|(_, kept)| all_rounds || **kept)
            .map(|(row, _)| (row[v] / row[base]).ln())
            .collect();
    percentile(&mut logs, 0.5)
}

/// The `q` quantile by linear interpolation; sorts in place. NaN for an empty slice.
pub(crate) fn percentile(values: &mut [f64], q: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let at = q * last as f64;
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    values[below] + (values[above] - values[below]) * (at - at.floor())
}

fn percentiles(used: &[&ProcessSamples], v: usize, all_rounds: bool) -> (f64, f64) {
    let mut ns: Vec<f64> = used
        .iter()
        .flat_map(|p| p.ns.iter().zip(&p.kept))
        .filter(|(_, kept)| all_rounds || **kept)
        .map(|(row, _)| row[v])
        .collect();
    let p50 = percentile(&mut ns, 0.5);
    (p50, percentile(&mut ns, 0.05))
}

/// The distance of a variant from the best, from its per-process log ratios.
#[derive(Debug, Clone, Copy)]
struct Gap {
    center: f64,
    /// Standard error of `center`; `None` with fewer than two processes.
    error: Option<f64>,
}

impl Gap {
    fn of(logs: &[f64]) -> Self {
        let n = logs.len() as f64;
        let center = mean(logs.iter().copied());
        let error = (logs.len() >= 2).then(|| {
            let squares: f64 = logs.iter().map(|x| (x - center).powi(2)).sum();
            (squares / (n - 1.0) / n).sqrt()
        });
        Self { center, error }
    }

    /// The interval at a two-sided error probability of `share`.
    fn interval(&self, share: f64, processes: usize) -> Option<(f64, f64)> {
        let half = quantile_upper(share / 2.0, processes as f64 - 1.0) * self.error?;
        Some((self.center - half, self.center + half))
    }

    /// How clearly the gap exceeds `eps`: larger means a smaller p-value.
    fn clarity(&self, eps: f64) -> f64 {
        match self.error {
            Some(error) if error > 0.0 => (self.center - eps) / error,
            Some(_) if self.center > eps => f64::INFINITY,
            _ => f64::NEG_INFINITY,
        }
    }
}

/// The error probability that each comparison with the best may use (Holm): the clearest gets
/// `alpha / m`, the next `alpha / (m - 1)`, and so on to the first that is not separated; it and
/// all behind it share that step's. Looks divide `alpha` before.
fn holm_shares(gaps: &[Gap], best: usize, rule: &Rule, processes: usize) -> Vec<f64> {
    let eps = rule.margin.ln_1p();
    let alpha = rule.alpha / f64::from(rule.looks.max(1));
    let mut order: Vec<usize> = (0..gaps.len()).filter(|v| *v != best).collect();
    order.sort_by(|&a, &b| gaps[b].clarity(eps).total_cmp(&gaps[a].clarity(eps)));
    let mut shares = vec![alpha; gaps.len()];
    let mut left = order.len();
    for v in order {
        shares[v] = alpha / left as f64;
        if gaps[v].interval(shares[v], processes).is_some_and(|(lo, _)| lo > eps) {
            // At the end of the list the last share stays whole.
            left = (left - 1).max(1);
        }
    }
    shares
}

/// One variant against the best.
fn compare(
    gap: &Gap,
    share: f64,
    rule: &Rule,
    processes: usize,
    ns_p50: f64,
    ns_p5: f64,
) -> VariantResult {
    let mut result = VariantResult {
        ratio_to_best: gap.center.exp(),
        lo: None,
        hi: None,
        standing: Standing::Unclear,
        mde: None,
        ns_p50,
        ns_p5,
    };
    let Some((lo, hi)) = gap.interval(share, processes) else { return result };
    let eps = rule.margin.ln_1p();
    result.lo = Some(lo.exp());
    result.hi = Some(hi.exp());
    result.mde = Some(((hi - lo) / 2.0 + eps).exp_m1());
    result.standing = if lo > eps {
        Standing::Slower
    } else if lo > -eps && hi < eps {
        Standing::Equal
    } else {
        Standing::Unclear
    };
    result
}

fn decide(results: &[VariantResult]) -> Verdict {
    let any = |s: Standing| results.iter().any(|r| r.standing == s);
    if any(Standing::Unclear) {
        Verdict::Undecided
    } else if any(Standing::Equal) {
        Verdict::Tie
    } else {
        Verdict::Winner
    }
}

/// The best has no comparison of its own: what could have been found against it is the largest
/// effect that its nearest rival could have hidden.
fn fill_best_mde(judgement: &mut Judgement) {
    let best = judgement.best;
    let nearest = judgement
        .variants
        .iter()
        .enumerate()
        .filter(|(v, _)| *v != best)
        .min_by(|a, b| a.1.ratio_to_best.total_cmp(&b.1.ratio_to_best))
        .and_then(|(_, r)| r.mde);
    judgement.variants[best].mde = nearest;
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { alpha: 0.05, margin: 0.01, looks: 1 };

    /// Processes whose variant `v` takes `base[v]`, scattered by `jitter` between processes.
    fn steady(base: &[f64], processes: usize, jitter: f64) -> Vec<ProcessSamples> {
        (0..processes)
            .map(|p| {
                let ns = (0..40)
                    .map(|r| {
                        base.iter()
                            .enumerate()
                            .map(|(v, b)| {
                                let wobble = ((p * 7 + v * 3) % 5) as f64 - 2.0;
                                b * (1.0 + jitter * wobble) * (1.0 + 0.001 * ((r * 13 % 7) as f64))
                            })
                            .collect()
                    })
                    .collect();
                ProcessSamples { schedule: Schedule::Interleaved, ns, kept: vec![true; 40] }
            })
            .collect()
    }

    #[test]
    fn a_clear_difference_is_a_winner() {
        let j = judge(&steady(&[12.0, 10.0, 11.0], 5, 0.001), &RULE).unwrap();
        assert_eq!((j.verdict, j.best), (Verdict::Winner, 1));
        assert!((j.variants[0].ratio_to_best - 1.2).abs() < 0.01);
        assert!(j.variants[0].lo.unwrap() > 1.15 && j.variants[0].hi.unwrap() < 1.25);
        assert_eq!(j.variants[1].standing, Standing::Best);
        assert_eq!(j.variants[2].standing, Standing::Slower);
        assert!(j.variants.iter().all(|v| v.mde.unwrap() >= 0.01));
    }

    #[test]
    fn the_best_is_chosen_by_the_ratios_that_are_reported() {
        // The medians of the times say 5 against 2, those of the ratios that the first is faster.
        let rounds = [[1.0, 2.0, 30.0], [5.0, 1.0, 30.0], [9.0, 10.0, 30.0]];
        let ns: Vec<Vec<f64>> = rounds.iter().cycle().take(15).map(|r| r.to_vec()).collect();
        let p = ProcessSamples { schedule: Schedule::Interleaved, ns, kept: vec![true; 15] };
        let j = judge(&[p.clone(), p], &RULE).unwrap();
        assert_eq!(j.best, 0);
        assert!(j.variants.iter().all(|v| v.ratio_to_best >= 1.0), "{j:?}");
        // In a circle somebody has to lose; by the least.
        let circle = [[1.0, 1.1, 1.3], [1.3, 1.0, 1.2], [1.1, 1.2, 1.0]];
        let ns: Vec<Vec<f64>> = circle.iter().cycle().take(15).map(|r| r.to_vec()).collect();
        let p = ProcessSamples { schedule: Schedule::Interleaved, ns, kept: vec![true; 15] };
        let j = judge(&[p.clone(), p], &RULE).unwrap();
        let least = j.variants.iter().map(|v| v.ratio_to_best).fold(f64::MAX, f64::min);
        assert!((0.9..=1.0).contains(&least), "{j:?}");
    }

    #[test]
    fn equal_within_the_margin_is_a_tie_of_the_unseparated() {
        let j = judge(&steady(&[10.0, 10.01, 15.0], 5, 0.000_1), &RULE).unwrap();
        assert_eq!(j.verdict, Verdict::Tie);
        assert_eq!(j.variants[1].standing, Standing::Equal);
        assert_eq!(j.variants[2].standing, Standing::Slower);
    }

    #[test]
    fn a_wide_interval_is_undecided() {
        let j = judge(&steady(&[10.0, 10.3], 3, 0.02), &RULE).unwrap();
        assert_eq!(j.verdict, Verdict::Undecided);
    }

    #[test]
    fn a_margin_swallows_a_significant_but_small_difference() {
        let samples = steady(&[10.0, 10.05], 5, 0.000_1);
        let strict = Rule { margin: 0.0, ..RULE };
        assert_eq!(judge(&samples, &strict).unwrap().verdict, Verdict::Winner);
        assert_eq!(judge(&samples, &RULE).unwrap().verdict, Verdict::Tie);
    }

    #[test]
    fn the_nearest_rival_is_not_charged_for_the_clear_losers() {
        let with = |base: &[f64]| judge(&steady(base, 5, 0.004), &RULE).unwrap();
        let width = |j: &Judgement| j.variants[1].hi.unwrap() - j.variants[1].lo.unwrap();
        let two = with(&[10.0, 11.0]);
        let many = with(&[10.0, 11.0, 20.0, 21.0, 22.0, 23.0, 24.0, 25.0]);
        assert_eq!(many.verdict, Verdict::Winner);
        assert!((width(&many) / width(&two) - 1.0).abs() < 1e-9);
        let close = with(&[10.0, 10.05, 10.1, 10.15, 10.2, 10.05]);
        assert!(width(&close) > 1.3 * width(&two), "together unseparated, they share alpha");
    }

    #[test]
    fn more_looks_widen_the_interval() {
        let samples = steady(&[10.0, 10.5], 5, 0.001);
        let width = |looks| {
            let j = judge(&samples, &Rule { looks, ..RULE }).unwrap();
            j.variants[1].hi.unwrap() - j.variants[1].lo.unwrap()
        };
        assert!(width(3) > 1.2 * width(1));
    }

    #[test]
    fn mostly_discarded_is_noisy_and_still_shows_its_estimates() {
        let mut samples = steady(&[10.0, 20.0], 5, 0.001);
        for p in &mut samples {
            for (r, k) in p.kept.iter_mut().enumerate() {
                *k = r % 10 == 0;
            }
        }
        let j = judge(&samples, &RULE).unwrap();
        assert_eq!(j.verdict, Verdict::Noisy);
        assert!((j.discarded - 0.9).abs() < 1e-9);
        assert!((j.variants[1].ratio_to_best - 2.0).abs() < 0.05);
    }

    #[test]
    fn discarded_rounds_do_not_move_the_estimate() {
        let mut samples = steady(&[10.0, 11.0], 5, 0.000_1);
        let clean = judge(&samples, &RULE).unwrap();
        for p in &mut samples {
            for r in 0..15 {
                p.kept[r] = false;
                p.ns[r] = vec![1e6, 1.0];
            }
        }
        let j = judge(&samples, &RULE).unwrap();
        assert_eq!(j.best, clean.best);
        assert!((j.variants[1].ratio_to_best - clean.variants[1].ratio_to_best).abs() < 1e-3);
    }

    #[test]
    fn one_process_gives_no_interval_and_one_variant_no_contest() {
        let j = judge(&steady(&[10.0, 20.0], 1, 0.0), &RULE).unwrap();
        assert_eq!((j.verdict, j.variants[1].lo), (Verdict::Undecided, None));
        let j = judge(&steady(&[10.0], 5, 0.0), &RULE).unwrap();
        assert_eq!(j.verdict, Verdict::Winner);
        assert_eq!(j.variants[0].mde, None);
    }

    #[test]
    fn bad_samples_are_named() {
        let good = steady(&[1.0, 2.0], 2, 0.0);
        assert_eq!(judge(&[], &RULE), Err(JudgeError::Empty));
        let mut bad = good.clone();
        bad[1].schedule = Schedule::Sequential;
        assert_eq!(judge(&bad, &RULE), Err(JudgeError::Sequential { process: 1 }));
        let mut bad = good.clone();
        bad[0].ns[3].pop();
        assert_eq!(judge(&bad, &RULE), Err(JudgeError::Ragged { process: 0 }));
        for t in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let mut bad = good.clone();
            bad[1].ns[4][1] = t;
            let want = JudgeError::BadTime { process: 1, round: 4, variant: 1 };
            assert_eq!(judge(&bad, &RULE), Err(want));
        }
    }

    #[test]
    fn percentile_interpolates() {
        assert_eq!(percentile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(percentile(&mut [1.0, 2.0], 0.5), 1.5);
        assert!(percentile(&mut [], 0.5).is_nan());
    }
}
