//! The synthetic checks: error rates of the real timing core and the real decision.

use super::Check;
use super::machine::{Disturbance, Truth};
use crate::rng::{Rng, derive_seed};
use crate::verdict::{JudgeError, ProcessSamples, Rule, Standing, Verdict, judge};

const PROCESSES: usize = 5;
const ROUNDS: usize = 40;
const MARGIN: Rule = Rule { alpha: 0.05, margin: 0.01, looks: 1 };
const NO_MARGIN: Rule = Rule { alpha: 0.05, margin: 0.0, looks: 1 };

/// Six identical variants.
const SAME_SIX: &[f64] = &[10.0; 6];
/// Two identical variants.
const SAME_TWO: &[f64] = &[10.0; 2];
/// Six variants, one of them 2 % slower.
const ONE_SLOWER: &[f64] = &[10.0, 10.0, 10.0, 10.2, 10.0, 10.0];
/// The place of the slower one.
const SLOWER: usize = 3;

/// All synthetic checks, each over `trials` trials.
pub fn synthetic(trials: usize, seed: u64) -> Vec<Check> {
    let seed = |part| derive_seed(seed, part);
    let mut checks = Vec::new();
    identical(trials, seed(1), &mut checks);
    slower(trials, seed(2), &mut checks);
    checks.push(coverage(trials, seed(3)));
    checks.push(permuted(trials, seed(4)));
    disturbed(trials, seed(5), &mut checks);
    sequential(trials, seed(6), &mut checks);
    checks
}

fn cells<'a>(
    ns: &'a [f64],
    disturbance: Disturbance,
    trials: usize,
    seed: u64,
) -> impl Iterator<Item = Vec<ProcessSamples>> + 'a {
    let truth = Truth { ns, disturbance };
    (0..trials).map(move |t| truth.cell(PROCESSES, ROUNDS, derive_seed(seed, t as u64)))
}

/// Counts the cells of which `wanted` holds; a refusal to judge counts as not.
fn count(
    cells: impl Iterator<Item = Vec<ProcessSamples>>,
    rule: &Rule,
    wanted: impl Fn(&crate::verdict::Judgement) -> bool,
) -> usize {
    cells.filter(|c| judge(c, rule).is_ok_and(|j| wanted(&j))).count()
}

fn any_slower(j: &crate::verdict::Judgement) -> bool {
    j.variants.iter().any(|v| v.standing == Standing::Slower)
}

/// Identical variants: how often one is called the winner, how often one is called slower.
fn identical(trials: usize, seed: u64, checks: &mut Vec<Check>) {
    let busy = Disturbance::BUSY;
    let wins = |ns, rule: &Rule| {
        count(cells(ns, busy, trials, seed), rule, |j| j.verdict == Verdict::Winner)
    };
    checks.push(Check::rate_at_most(
        "2 identical, no margin: false winner",
        wins(SAME_TWO, &NO_MARGIN),
        trials,
        0.05,
    ));
    checks.push(Check::rate_at_most(
        "6 identical, no margin: false winner",
        wins(SAME_SIX, &NO_MARGIN),
        trials,
        0.05,
    ));
    checks.push(Check::rate_at_most(
        "6 identical, no margin: any called slower",
        count(cells(SAME_SIX, busy, trials, seed), &NO_MARGIN, any_slower),
        trials,
        // The best is chosen from the same data. A union over all pairs at alpha / 5 each is what
        // can be promised: 15 alpha / 5.
        0.15,
    ));
    checks.push(Check::never("2 identical: false winner", wins(SAME_TWO, &MARGIN), trials));
    checks.push(Check::never(
        "6 identical: any called slower",
        count(cells(SAME_SIX, busy, trials, seed), &MARGIN, any_slower),
        trials,
    ));
}

/// One variant 2 % slower than five identical ones: found, and never preferred.
fn slower(trials: usize, seed: u64, checks: &mut Vec<Check>) {
    let found = count(cells(ONE_SLOWER, Disturbance::BUSY, trials, seed), &MARGIN, |j| {
        j.variants[SLOWER].standing == Standing::Slower
    });
    checks.push(Check::rate_at_least("2 % slower: found", found, trials, 0.95));
    let wrong = count(cells(ONE_SLOWER, Disturbance::BUSY, trials, seed), &NO_MARGIN, |j| {
        j.best == SLOWER && any_slower(j)
    });
    checks.push(Check::never("2 % slower: preferred", wrong, trials));
}

/// The interval holds the truth about as often as it says.
fn coverage(trials: usize, seed: u64) -> Check {
    let truth = 1.05_f64;
    let hits = count(cells(&[10.0, 10.5], Disturbance::BUSY, trials, seed), &NO_MARGIN, |j| {
        let v = &j.variants[1];
        j.best == 0 && v.lo.is_some_and(|lo| lo <= truth) && v.hi.is_some_and(|hi| truth <= hi)
    });
    let rate = hits as f64 / trials as f64;
    let slack = (3.0 * (0.95_f64 * 0.05 / trials as f64).sqrt()).max(0.02);
    let (least, most) = (100.0 * (0.95 - slack), 100.0 * (0.95 + slack).min(1.0));
    Check {
        name: "95 % interval: holds the true ratio".to_owned(),
        trials,
        measured: format!("{hits} = {:.1} %", 100.0 * rate),
        bound: format!("{least:.1}-{most:.1} %"),
        passed: (rate - 0.95).abs() <= slack,
    }
}

/// Columns in another order give the same results in that order.
fn permuted(trials: usize, seed: u64) -> Check {
    let mut rng = Rng::new(seed);
    let ns = [10.0, 10.1, 10.0, 10.3, 12.0];
    let mut differ = 0;
    for cell in cells(&ns, Disturbance::BUSY, trials, seed) {
        let mut order: Vec<usize> = (0..ns.len()).collect();
        rng.shuffle(&mut order);
        let moved: Vec<ProcessSamples> = cell
            .iter()
            .map(|p| ProcessSamples {
                ns: p.ns.iter().map(|row| order.iter().map(|&v| row[v]).collect()).collect(),
                ..p.clone()
            })
            .collect();
        let same = match (judge(&cell, &MARGIN), judge(&moved, &MARGIN)) {
            (Ok(a), Ok(b)) => {
                a.verdict == b.verdict
                    && a.best == order[b.best]
                    && order.iter().zip(&b.variants).all(|(&v, r)| a.variants[v] == *r)
            }
            _ => false,
        };
        differ += usize::from(!same);
    }
    Check::never("variants in another order: other result", differ, trials)
}

/// Heavy spikes and heavy drift may cost power, never truth.
fn disturbed(trials: usize, seed: u64, checks: &mut Vec<Check>) {
    for (name, disturbance) in [("spikes", Disturbance::SPIKES), ("drift", Disturbance::DRIFT)] {
        let won = count(cells(SAME_SIX, disturbance, trials, seed), &MARGIN, |j| {
            j.verdict == Verdict::Winner
        });
        checks.push(Check::never(&format!("{name}: false winner"), won, trials));
        let ns = [10.0, 11.0];
        let flipped = count(cells(&ns, disturbance, trials, seed), &MARGIN, |j| {
            j.verdict == Verdict::Winner && j.best == 1
        });
        checks.push(Check::never(&format!("{name}: 10 % slower wins"), flipped, trials));
    }
}

/// What measuring one variant after the other would have said, and that it is refused.
fn sequential(trials: usize, seed: u64, checks: &mut Vec<Check>) {
    let truth = Truth { ns: SAME_TWO, disturbance: Disturbance::BUSY };
    let mut differ = 0;
    let mut accepted = 0;
    for t in 0..trials {
        let p = truth.sequential(ROUNDS, derive_seed(seed, t as u64));
        differ += usize::from(rank_sum_differs(&p));
        accepted += usize::from(!matches!(
            judge(std::slice::from_ref(&p), &MARGIN),
            Err(JudgeError::Sequential { .. })
        ));
    }
    checks.push(Check::rate_at_least(
        "one after the other: rank-sum test wrong (why it is refused)",
        differ,
        trials,
        0.30,
    ));
    checks.push(Check::never("one after the other: judged at all", accepted, trials));
}

/// The rank-sum test at 5 %, normal approximation, on two columns.
fn rank_sum_differs(p: &ProcessSamples) -> bool {
    let mut all: Vec<(f64, usize)> =
        p.ns.iter().flat_map(|row| [(row[0], 0), (row[1], 1)]).collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let n = p.ns.len() as f64;
    let ranks: f64 =
        all.iter().enumerate().filter(|(_, (_, v))| *v == 0).map(|(i, _)| (i + 1) as f64).sum();
    let mean = n * (2.0 * n + 1.0) / 2.0;
    let sd = (n * n * (2.0 * n + 1.0) / 12.0).sqrt();
    ((ranks - mean) / sd).abs() > 1.96
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Schedule;

    #[test]
    fn the_rank_sum_test_tells_apart_what_differs() {
        let columns = |shift: f64| ProcessSamples {
            schedule: Schedule::Sequential,
            ns: (0..40).map(|r| [f64::from(r), f64::from(r) + shift].to_vec()).collect(),
            kept: vec![true; 40],
        };
        assert!(!rank_sum_differs(&columns(0.1)));
        assert!(rank_sum_differs(&columns(20.0)));
    }
}
