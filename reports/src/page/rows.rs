//! The full table: every entry that carries a time.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::{fixed, maybe, text};
use super::heat::mark;
use crate::schema::{Cell, CellGroup, Run, residence_rank};

/// The table and the choices of its filters.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    rows: Vec<Row>,
    ops: Vec<String>,
    residences: Vec<String>,
    techniques: Vec<String>,
    dims: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct Row {
    /// Place of the cell when this is its first row: the anchor that the winners' table links to.
    anchor: Option<usize>,
    /// Place in `cells` of the record.
    index: usize,
    op: String,
    dim: usize,
    residence: String,
    alignment: String,
    build: String,
    variant: String,
    technique: String,
    level: String,
    ran: String,
    /// Whether another level ran than was claimed, see [`breaks_claim`].
    wrong_level: bool,
    verdict: &'static str,
    standing: &'static str,
    p50: String,
    p5: String,
    /// Speed relative to the fastest and its interval, percent of the bar.
    bar: String,
    low: String,
    high: String,
    ratio: String,
    interval: String,
    mde: String,
    gb_s: String,
    pct_limit: String,
    limit: String,
    error: String,
    verified: bool,
    sampling: String,
    discarded: String,
}

/// Whether the level that ran contradicts the one that the variant claims.
///
/// `scalar` claims nothing: such variants dispatch inside, or run what the compiler makes of them.
/// A build for more than the baseline may encode SSE4.2 and AVX2 code at a higher level.
fn breaks_claim(cell: &Cell) -> bool {
    const X86: [&str; 3] = ["sse42", "avx2", "avx512"];
    let Some(ran) = cell.ran_level.as_deref() else { return false };
    // A level that extends another has its name for a prefix, and executes on its registers.
    const BASES: [&str; 2] = ["avx512", "neon"];
    let base = BASES.into_iter().find(|b| cell.level.starts_with(b)).unwrap_or(&cell.level);
    let place = |level: &str| X86.iter().position(|l| *l == level);
    match (place(base), place(ran)) {
        (Some(claimed), Some(ran)) if cell.build != "base" => ran < claimed,
        (Some(_), _) => ran != base,
        (None, _) => matches!(base, "neon" | "simd128") && ran != base,
    }
}

/// Rows in the order of the cells, within a cell the reference first, then the fastest.
pub(super) fn table(run: &Run, groups: &[CellGroup<'_>]) -> Table {
    // A group borrows its entries from the record; their addresses give the record's order back.
    let place: BTreeMap<*const Cell, usize> =
        run.cells.iter().enumerate().map(|(i, c)| (std::ptr::from_ref(c), i)).collect();
    let mut rows = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        let mut cells: Vec<&Cell> = group.timed().collect();
        let best = group.best().map(std::ptr::from_ref);
        let by = |c: &Cell| (c.ratio_to_best.unwrap_or(f64::MAX), c.ns_p50.unwrap_or(f64::MAX));
        cells.sort_by(|a, b| {
            let (x, y) = (by(a), by(b));
            let behind = |c: &Cell| best != Some(std::ptr::from_ref(c));
            (behind(a).cmp(&behind(b)))
                .then(x.0.total_cmp(&y.0))
                .then(x.1.total_cmp(&y.1))
                .then(a.variant.cmp(&b.variant))
        });
        for (j, cell) in cells.into_iter().enumerate() {
            let index = place.get(&std::ptr::from_ref(cell)).copied().unwrap_or(0);
            rows.push(row(cell, index, (j == 0).then_some(i)));
        }
    }
    let timed = || run.cells.iter().filter(|c| c.has_run());
    let choices = |of: fn(&Cell) -> &str| -> Vec<String> {
        timed().map(of).collect::<BTreeSet<_>>().into_iter().map(str::to_owned).collect()
    };
    let mut residences = choices(|c| &c.residence);
    residences.sort_by_key(|r| residence_rank(r));
    Table {
        rows,
        ops: choices(|c| &c.op),
        residences,
        techniques: choices(|c| &c.technique),
        dims: timed().map(|c| c.dim).collect::<BTreeSet<_>>().into_iter().collect(),
    }
}

fn row(cell: &Cell, index: usize, anchor: Option<usize>) -> Row {
    let share = |ratio: Option<f64>| {
        let speed = ratio.filter(|r| *r > 0.0).map_or(0.0, |r| 100.0 / r);
        format!("{:.0}", speed.clamp(0.0, 100.0))
    };
    let interval = match (cell.ratio_lo, cell.ratio_hi) {
        (Some(lo), Some(hi)) if hi > lo => {
            format!("{}\u{2013}{}", fixed(Some(lo), 3), fixed(Some(hi), 3))
        }
        _ => text(""),
    };
    let ran = cell.ran_level.as_deref().unwrap_or("");
    let sampling = match (cell.processes, cell.rounds) {
        (Some(p), Some(r)) => format!("{p}\u{d7}{r}"),
        _ => text(""),
    };
    Row {
        anchor,
        index,
        op: cell.op.clone(),
        dim: cell.dim,
        residence: text(&cell.residence),
        alignment: text(&cell.alignment),
        build: text(&cell.build),
        variant: cell.variant.clone(),
        technique: text(&cell.technique),
        level: text(&cell.level),
        ran: text(ran),
        wrong_level: breaks_claim(cell),
        verdict: mark(cell.verdict).0,
        standing: cell.standing.map_or("\u{2013}", |s| s.name()),
        p50: maybe(cell.ns_p50, 4),
        p5: maybe(cell.ns_p5, 4),
        bar: share(cell.ratio_to_best),
        low: share(cell.ratio_hi),
        high: share(cell.ratio_lo),
        ratio: fixed(cell.ratio_to_best, 3),
        interval,
        mde: fixed(cell.mde.map(|m| 100.0 * m), 1),
        gb_s: maybe(cell.gb_per_s, 3),
        pct_limit: fixed(cell.pct_of_limit, 0),
        limit: text(cell.limit.as_deref().unwrap_or("")),
        error: maybe(cell.max_error_ulp, 2),
        verified: cell.verified,
        sampling,
        discarded: fixed(cell.discarded_pct, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_claim_is_marked() {
        let broken = |level: &str, ran: &str, build: &str| {
            let ran_level = (!ran.is_empty()).then(|| ran.to_owned());
            let (level, build) = (level.to_owned(), build.to_owned());
            breaks_claim(&Cell { level, build, ran_level, ..Cell::default() })
        };
        for ran in ["", "scalar", "sse42", "avx2", "avx512"] {
            assert!(!broken("scalar", ran, "base"), "scalar claims nothing, {ran} ran");
        }
        for level in ["sse42", "avx2", "avx512", "neon", "simd128"] {
            assert!(!broken(level, level, "base"));
            assert!(!broken(level, "", "base"), "nothing was seen");
            assert!(broken(level, "scalar", "base"), "{level}");
            assert!(broken(level, "scalar", "native"), "{level}");
        }
        assert!(broken("sse42", "avx2", "base") && !broken("sse42", "avx2", "native"));
        assert!(broken("avx2", "avx512", "base") && !broken("avx2", "avx512", "native"));
        assert!(broken("avx512", "avx2", "native") && broken("neon", "avx2", "native"));
    }
}
