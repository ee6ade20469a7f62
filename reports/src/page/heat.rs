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
    /// Tied variants beside the one that is named.
    more: usize,
    /// `1.62x name`: the rival's time over this one's.
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
    let verdict = group.verdict();
    let (mark, name) = mark(verdict);
    let tied = group.timed().filter(|c| c.standing == Some(Standing::Tied)).count();
    let step = match (verdict, lead) {
        (Some(Verdict::Winner | Verdict::Tie), Some(l)) => match l {
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
        more: if verdict == Some(Verdict::Tie) { tied.saturating_sub(1) } else { 0 },
        margin: lead.map_or_else(String::new, |l| figures::significant(l, 3)),
        rival: rival.map_or_else(String::new, |r| r.technique.clone()),
        mark,
        verdict: name,
        step,
    })
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
