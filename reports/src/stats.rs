//! Tables made from a run: verdict counts, standings, and how quiet the machine was.
//!
//! Times are never averaged over cells: what is aggregated is the ratio to the fastest variant of
//! the cell, by geometric mean, and only over cells that all the compared names have.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use crate::schema::{Cell, CellGroup, Run, Standing, Verdict};

/// How quiet the machine was during the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Discarded <= 5 %, half-width <= 0.5 %, no more than 2 % of the cells NOISY.
    A,
    /// Discarded <= 15 %, half-width <= 1 %, no more than 5 % of the cells NOISY.
    B,
    /// Discarded <= 35 %, half-width <= 3 %, no more than 20 % of the cells NOISY.
    C,
    /// Anything worse.
    D,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
            Self::D => "D",
        })
    }
}

/// The figures behind a [`Grade`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// `None` when no cell carries an interval or a discarded share.
    pub grade: Option<Grade>,
    /// Median over cells of the discarded share, percent.
    pub discarded_pct: Option<f64>,
    /// Median over the entries behind the fastest of half their interval's width, as a percentage
    /// of the ratio.
    pub half_width_pct: Option<f64>,
    /// Cells judged NOISY, percent of the judged.
    pub noisy_pct: f64,
}

/// The run in one line's worth of figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Cells in which at least one variant was timed.
    pub cells: usize,
    /// Cells per verdict, in the order of [`Verdict::ALL`].
    pub verdicts: [usize; 4],
    /// Timed cells that carry no verdict.
    pub unjudged: usize,
    /// Entries (variant in cell) that carry a time.
    pub timed: usize,
    /// Entries that could not run.
    pub not_run: usize,
    /// At most so many WINNER cells are expected to be chance: alpha times their number.
    pub expected_false_winners: f64,
    /// How quiet the machine was.
    pub noise: Noise,
}

impl Summary {
    /// Cells with the verdict `v`.
    pub fn of(&self, v: Verdict) -> usize {
        Verdict::ALL.iter().position(|w| *w == v).map_or(0, |i| self.verdicts[i])
    }
}

/// Counts of a run.
pub fn summary(run: &Run) -> Summary {
    let groups = run.groups();
    let mut verdicts = [0; 4];
    let (mut cells, mut unjudged) = (0, 0);
    for group in groups.iter().filter(|g| g.timed().next().is_some()) {
        cells += 1;
        match group.verdict().and_then(|v| Verdict::ALL.iter().position(|w| *w == v)) {
            Some(i) => verdicts[i] += 1,
            None => unjudged += 1,
        }
    }
    let timed = run.cells.iter().filter(|c| c.has_run()).count();
    Summary {
        cells,
        verdicts,
        unjudged,
        timed,
        not_run: run.cells.len() - timed,
        expected_false_winners: run.rule.alpha * verdicts[0] as f64,
        noise: noise(&groups, verdicts),
    }
}

fn noise(groups: &[CellGroup<'_>], verdicts: [usize; 4]) -> Noise {
    let discarded = median(groups.iter().filter_map(|g| g.timed().find_map(|c| c.discarded_pct)));
    let widths = groups.iter().flat_map(CellGroup::timed).filter_map(half_width_pct);
    let half_width = median(widths);
    let judged: usize = verdicts.iter().sum();
    let noisy_pct = if judged == 0 { 0.0 } else { 100.0 * verdicts[3] as f64 / judged as f64 };
    let within = |d: f64, w: f64, n: f64| {
        discarded.unwrap_or(0.0) <= d && half_width.unwrap_or(0.0) <= w && noisy_pct <= n
    };
    let grade = (discarded.is_some() || half_width.is_some()).then(|| {
        if within(5.0, 0.5, 2.0) {
            Grade::A
        } else if within(15.0, 1.0, 5.0) {
            Grade::B
        } else if within(35.0, 3.0, 20.0) {
            Grade::C
        } else {
            Grade::D
        }
    });
    Noise { grade, discarded_pct: discarded, half_width_pct: half_width, noisy_pct }
}

/// Half the width of an entry's interval, percent of its ratio; the fastest has none of its own.
fn half_width_pct(cell: &Cell) -> Option<f64> {
    let (ratio, lo, hi) = (cell.ratio_to_best?, cell.ratio_lo?, cell.ratio_hi?);
    let width = 50.0 * (hi - lo) / ratio;
    (hi > lo && width.is_finite()).then_some(width)
}

/// The middle of the finite values; the mean of the two middle ones of an even number.
fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.filter(|v| v.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let (n, mid) = (values.len(), values.len() / 2);
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(values[mid]),
        _ => Some((values[mid - 1] + values[mid]) / 2.0),
    }
}

/// One name (a variant or a technique) over a set of cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// Variant or technique.
    pub name: String,
    /// Technique of the variant; the name again for a technique.
    pub technique: String,
    /// Cells in which it was timed.
    pub cells: usize,
    /// Cells that it won.
    pub winners: usize,
    /// Cells in which it is one of the tied.
    pub ties: usize,
    /// Geometric mean of its ratio to the fastest over the common cells; `None` when it has fewer
    /// than half of the cells, and so took no part in the intersection.
    pub geomean: Option<f64>,
}

/// Names compared over the cells of one op, or of the whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Standings {
    /// The op; empty for the whole run.
    pub op: String,
    /// Timed cells.
    pub cells: usize,
    /// Cells that all names with a geometric mean share.
    pub common: usize,
    /// Names, best geometric mean first, those without one last.
    pub tallies: Vec<Tally>,
}

/// The techniques over the whole run, each by its best variant in every cell.
pub fn technique_standings(run: &Run) -> Standings {
    standings("", &run.groups(), |c| &c.technique)
}

/// The variants of every op, ops in alphabetical order.
pub fn variant_standings(run: &Run) -> Vec<Standings> {
    let mut by_op: BTreeMap<&str, Vec<CellGroup<'_>>> = BTreeMap::new();
    for group in run.groups() {
        by_op.entry(group.key.op).or_default().push(group);
    }
    by_op.iter().map(|(op, groups)| standings(op, groups, |c| &c.variant)).collect()
}

fn standings<'a>(
    op: &str,
    groups: &[CellGroup<'a>],
    name: impl Fn(&'a Cell) -> &'a str,
) -> Standings {
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut ratios: Vec<BTreeMap<&str, f64>> = Vec::new();
    for group in groups.iter().filter(|g| g.timed().next().is_some()) {
        let mut of_cell: BTreeMap<&str, f64> = BTreeMap::new();
        let (mut won, mut tied) = (BTreeSet::new(), BTreeSet::new());
        for cell in group.timed() {
            let key = name(cell);
            let ratio = cell.ratio_to_best.filter(|r| r.is_finite() && *r > 0.0);
            // Below 1 the interval leaves the order open: as good as the reference, not better.
            let ratio = ratio.map(|r| r.max(1.0));
            let best = of_cell.entry(key).or_insert(f64::INFINITY);
            *best = best.min(ratio.unwrap_or(f64::INFINITY));
            match cell.standing {
                Some(Standing::Winner) => _ = won.insert(key),
                Some(Standing::Tied) => _ = tied.insert(key),
                _ => {}
            }
            tallies.entry(key).or_insert_with(|| Tally {
                name: key.to_owned(),
                technique: cell.technique.clone(),
                cells: 0,
                winners: 0,
                ties: 0,
                geomean: None,
            });
        }
        for (key, tally) in &mut tallies {
            tally.cells += usize::from(of_cell.contains_key(key));
            tally.winners += usize::from(won.contains(key));
            tally.ties += usize::from(tied.contains(key));
        }
        ratios.push(of_cell);
    }
    let cells = ratios.len();
    let sharing: Vec<&str> =
        tallies.iter().filter(|(_, t)| 2 * t.cells >= cells).map(|(k, _)| *k).collect();
    ratios.retain(|of| sharing.iter().all(|k| of.get(k).is_some_and(|r| r.is_finite())));
    for key in sharing {
        let logs = ratios.iter().filter_map(|of| of.get(key)).map(|r| r.ln());
        if let Some(tally) = tallies.get_mut(key).filter(|_| !ratios.is_empty()) {
            tally.geomean = Some((logs.sum::<f64>() / ratios.len() as f64).exp());
        }
    }
    let mut tallies: Vec<Tally> = tallies.into_values().collect();
    let place = |t: &Tally| t.geomean.unwrap_or(f64::INFINITY);
    tallies.sort_by(|a, b| {
        place(a).total_cmp(&place(b)).then(b.winners.cmp(&a.winners)).then(a.name.cmp(&b.name))
    });
    Standings { op: op.to_owned(), cells, common: ratios.len(), tallies }
}

/// The pair (alignment, build) that most timed entries have; among equals the larger alignment,
/// then the first build in order.
pub fn main_setting(run: &Run) -> Option<(&str, &str)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for cell in run.cells.iter().filter(|c| c.has_run()) {
        *counts.entry((&cell.alignment, &cell.build)).or_default() += 1;
    }
    type Counted<'a> = ((&'a str, &'a str), usize);
    fn place<'a>(((alignment, build), n): &Counted<'a>) -> impl Ord + use<'a> {
        (*n, alignment.parse::<u64>().ok(), std::cmp::Reverse((*alignment, *build)))
    }
    counts.into_iter().max_by(|a, b| place(a).cmp(&place(b))).map(|(key, _)| key)
}

/// The summary and the techniques' standings as plain text for a terminal, lines of at most
/// 100 columns.
pub fn text_summary(run: &Run) -> String {
    let s = summary(run);
    let mut out = String::new();
    let counts: Vec<String> =
        Verdict::ALL.iter().map(|v| format!("{} {}", s.of(*v), v.name())).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{} cells: {}", s.cells, counts.join(", "));
    let _ = writeln!(
        out,
        "expected false winners <= {:.1} (alpha {}); noise grade {}; {} entries timed, {} not run",
        s.expected_false_winners,
        run.rule.alpha,
        s.noise.grade.map_or("-".to_owned(), |g| g.to_string()),
        s.timed,
        s.not_run
    );
    let standings = technique_standings(run);
    if !standings.tallies.is_empty() {
        let _ = writeln!(
            out,
            "{:<12} {:>7} {:>5} {:>7}  geometric mean of the ratio to the fastest, {} common cells",
            "technique", "winner", "tied", "cells", standings.common
        );
    }
    for t in &standings.tallies {
        let mean = t.geomean.map_or("-".to_owned(), |g| format!("{g:.3}"));
        let name: String = t.name.chars().take(12).collect();
        let _ = writeln!(out, "{name:<12} {:>7} {:>5} {:>7}  {mean}", t.winners, t.ties, t.cells);
    }
    out
}

#[cfg(test)]
mod tests;
