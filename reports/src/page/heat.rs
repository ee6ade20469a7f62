//! The winners: op x dim per residence, each cell the fastest variant and how far it leads.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures;
use crate::schema::{Cell, CellGroup, Run, Standing, Verdict};
use crate::stats;

/// One table.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    residence: String,
    alignment: String,
    build: String,
    /// Of the setting that most cells have; the others are folded away.
    main: bool,
    dims: Vec<usize>,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// The op's path in parts: a line may break between them.
    op: Vec<String>,
    cells: Vec<Option<Heat>>,
}

#[derive(Debug, Serialize)]
struct Heat {
    /// Place in `run.groups()`; the anchor of the cell's first row in the full table.
    group: usize,
    variant: String,
    /// `+2 tied`, `+2 open`: variants beside the named one that are not told from it.
    more: String,
    /// The rival's time over this one's, with its sign: `1.62x`, `~1.03x` where the interval does
    /// not show the rival behind, `=` where the two are tied.
    margin: String,
    rival: String,
    /// `W`, `T`, `U`, `N` or `-`.
    mark: &'static str,
    verdict: &'static str,
    /// Step of the background, 0 to 4.
    step: u8,
}

/// The letter and the name of a verdict.
pub(super) fn mark(verdict: Option<Verdict>) -> (&'static str, &'static str) {
    match verdict {
        Some(Verdict::Winner) => ("W", "WINNER"),
        Some(Verdict::Tie) => ("T", "TIE"),
        Some(Verdict::Undecided) => ("U", "UNDECIDED"),
        Some(Verdict::Noisy) => ("N", "NOISY"),
        None => ("-", "not judged"),
    }
}

/// The tables, those of the main setting first, residences from near to far.
pub(super) fn tables(run: &Run, groups: &[CellGroup<'_>]) -> Vec<Table> {
    let main = stats::main_setting(run);
    type Key<'a> = (bool, u8, &'a str, &'a str, &'a str);
    let mut by_table: BTreeMap<Key<'_>, Vec<(usize, &CellGroup<'_>)>> = BTreeMap::new();
    for (i, group) in groups.iter().enumerate() {
        let k = &group.key;
        let other = main != Some((k.alignment, k.build));
        by_table
            .entry((other, k.residence_rank, k.residence, k.alignment, k.build))
            .or_default()
            .push((i, group));
    }
    by_table
        .into_iter()
        .filter_map(|((other, _, residence, alignment, build), groups)| {
            let dims: BTreeSet<usize> = groups.iter().map(|(_, g)| g.key.dim).collect();
            let mut ops: BTreeMap<&str, BTreeMap<usize, Heat>> = BTreeMap::new();
            for (i, group) in &groups {
                if let Some(heat) = heat(*i, group) {
                    ops.entry(group.key.op).or_default().insert(group.key.dim, heat);
                }
            }
            let row = |(op, mut cells): (&str, BTreeMap<usize, Heat>)| Row {
                op: op.split('/').map(str::to_owned).collect(),
                cells: dims.iter().map(|d| cells.remove(d)).collect(),
            };
            let rows: Vec<Row> = ops.into_iter().map(row).collect();
            (!rows.is_empty()).then(|| Table {
                residence: figures::text(residence),
                alignment: figures::text(alignment),
                build: figures::text(build),
                main: !other,
                dims: dims.iter().copied().collect(),
                rows,
            })
        })
        .collect()
}

fn heat(group_index: usize, group: &CellGroup<'_>) -> Option<Heat> {
    let best = group.best()?;
    let rival = rival(group, best);
    let lead = rival.and_then(|r| Some(r.ratio_to_best? / best.ratio_to_best.unwrap_or(1.0)));
    let lead = lead.filter(|l| l.is_finite());
    let (mark, name) = mark(group.verdict());
    let standing = rival.and_then(|r| r.standing);
    let step = match (standing, lead) {
        (Some(Standing::Behind), Some(l)) => match l {
            l if l >= 2.0 => 4,
            l if l >= 1.5 => 3,
            l if l >= 1.2 => 2,
            l if l >= 1.02 => 1,
            _ => 0,
        },
        _ => 0,
    };
    Some(Heat {
        group: group_index,
        variant: best.variant.clone(),
        more: more(group, best),
        margin: lead.map_or_else(String::new, |l| margin(l, standing)),
        rival: rival.map_or_else(String::new, |r| r.technique.clone()),
        mark,
        verdict: name,
        step,
    })
}

/// How many others are not told from the named variant; nothing in a noisy cell, which says nothing.
fn more(group: &CellGroup<'_>, best: &Cell) -> String {
    let (standing, word) = match group.verdict() {
        Some(Verdict::Tie) => (Standing::Tied, "tied"),
        Some(Verdict::Undecided) => (Standing::Undecided, "open"),
        _ => return String::new(),
    };
    let others = group.timed().filter(|c| c.standing == Some(standing) && !std::ptr::eq(*c, best));
    match others.count() {
        0 => String::new(),
        n => format!("+{n} {word}"),
    }
}

fn margin(lead: f64, rival: Option<Standing>) -> String {
    match rival {
        Some(Standing::Tied) => "=".to_owned(),
        // A rival that may be the faster one: the named variant leads by nothing, not by less.
        Some(Standing::Undecided) => {
            format!("\u{2248}{}\u{d7}", figures::significant(lead.max(1.0), 3))
        }
        _ => format!("{}\u{d7}", figures::significant(lead, 3)),
    }
}

/// The fastest SimSIMD entry; where there is none, or it is itself the best, the fastest of any
/// other technique.
fn rival<'a>(group: &CellGroup<'a>, best: &Cell) -> Option<&'a Cell> {
    let fastest = |of: &dyn Fn(&Cell) -> bool| {
        group
            .timed()
            .filter(|c| c.technique != best.technique && of(c))
            .filter(|c| c.ratio_to_best.is_some_and(f64::is_finite))
            .min_by(|a, b| {
                let ratio = |c: &Cell| c.ratio_to_best.unwrap_or(f64::MAX);
                ratio(a).total_cmp(&ratio(b))
            })
    };
    fastest(&|c| c.technique == "simsimd").or_else(|| fastest(&|_| true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(variant: &str, technique: &str, ratio: f64, standing: Standing, v: Verdict) -> Cell {
        let reference = ratio == 1.0;
        Cell {
            op: "f32/dot/pair".into(),
            dim: 8,
            variant: variant.into(),
            technique: technique.into(),
            ns_p50: Some(ratio),
            ratio_to_best: Some(ratio),
            ratio_lo: Some(if reference { 1.0 } else { ratio - 0.04 }),
            ratio_hi: Some(if reference { 1.0 } else { ratio + 0.04 }),
            standing: Some(standing),
            verdict: Some(v),
            ..Cell::default()
        }
    }

    fn only_heat(cells: Vec<Cell>) -> Heat {
        let run = Run { cells, ..Run::default() };
        heat(0, &run.groups()[0]).expect("an entry carries a time")
    }

    #[test]
    fn an_undecided_cell_names_the_reference_and_no_negative_lead() {
        let of = |name, technique, ratio, s| entry(name, technique, ratio, s, Verdict::Undecided);
        let h = only_heat(vec![
            of("a", "simsimd", 0.98, Standing::Undecided),
            of("b", "hand", 1.0, Standing::Undecided),
            of("c", "hand", 1.02, Standing::Undecided),
        ]);
        assert_eq!((h.variant.as_str(), h.mark, h.more.as_str()), ("b", "U", "+2 open"));
        assert_eq!(
            (h.margin.as_str(), h.rival.as_str(), h.step),
            ("\u{2248}1.00\u{d7}", "simsimd", 0)
        );
        let h = only_heat(vec![
            of("b", "hand", 1.0, Standing::Undecided),
            of("c", "hand", 1.02, Standing::Undecided),
            of("d", "simsimd", 2.5, Standing::Behind),
        ]);
        assert_eq!((h.margin.as_str(), h.more.as_str(), h.step), ("2.50\u{d7}", "+1 open", 4));
    }

    #[test]
    fn a_tie_is_no_lead_and_a_noisy_cell_counts_nobody() {
        let h = only_heat(vec![
            entry("a", "pulp", 0.996, Standing::Tied, Verdict::Tie),
            entry("b", "hand", 1.0, Standing::Tied, Verdict::Tie),
        ]);
        assert_eq!((h.variant.as_str(), h.margin.as_str()), ("b", "="));
        assert_eq!((h.more.as_str(), h.step), ("+1 tied", 0));
        let h = only_heat(vec![
            entry("b", "hand", 1.0, Standing::Undecided, Verdict::Noisy),
            entry("c", "pulp", 1.3, Standing::Undecided, Verdict::Noisy),
        ]);
        assert_eq!((h.margin.as_str(), h.more.as_str(), h.step), ("\u{2248}1.30\u{d7}", "", 0));
    }
}
