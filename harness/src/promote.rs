//! From a recorded run to the winners table: which variant the engine shall use, and on what
//! evidence.
//!
//! Only variants that the engine's default build contains can win: hand-written and scalar ones. A
//! challenger replaces an incumbent when it is faster beyond the margin with its interval clear of
//! it somewhere in the class and nowhere loses more than 2 %; what cannot be told apart stays with
//! the incumbent, and without one goes to the variant listed first, the simpler one.

use std::fmt;

use annvil_kernels::{Level, VariantMeta};
use annvil_reports::schema::{Cell, Run};
use serde::{Deserialize, Serialize};

use crate::hash::fnv1a64;

/// Largest loss in any cell of a class that a challenger may have.
const MAX_LOSS: f64 = 1.02;

/// One row of `winners.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// `encoding/metric/shape`.
    pub op: String,
    /// Best level of the CPU that was measured.
    pub level: String,
    /// `cache` or `dram`.
    pub residence: String,
    /// Smallest dimension of the class.
    pub min_dim: usize,
    /// Largest dimension of the class; absent for the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_dim: Option<usize>,
    /// The winner.
    pub variant: String,
    /// Time of the next best candidate over the winner's, at the class's measured dimensions,
    /// the smallest; absent without another candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_ratio: Option<f64>,
    /// Lower end of that ratio's interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_ratio_lo: Option<f64>,
    /// The run: when it began, at which revision.
    pub record: String,
}

/// `winners.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The winners.
    #[serde(default)]
    pub winner: Vec<Entry>,
}

/// Why a run promotes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromoteError {
    /// The run was built without optimisation.
    Profile {
        /// The profile.
        profile: String,
    },
    /// No cell has a candidate that ran.
    NoCandidate,
    /// A file of the table is not what it should be.
    BadFile {
        /// Which.
        file: &'static str,
        /// What is wrong.
        why: String,
    },
}

impl fmt::Display for PromoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile { profile } => write!(
                f,
                "the run was measured with the profile {profile:?}; winners need `release`: run \
                 `cargo xtask bench` and promote its folder"
            ),
            Self::NoCandidate => f.write_str(
                "no cell of the run has a hand-written or scalar variant that was timed and verified",
            ),
            Self::BadFile { file, why } => write!(f, "{file}: {why}"),
        }
    }
}

impl std::error::Error for PromoteError {}

/// A candidate in one cell, times relative to the cell's best of any technique.
#[derive(Debug, Clone, Copy)]
struct Showing {
    ratio: f64,
    lo: f64,
    hi: f64,
}

/// The measured cells of one op, residence class and dimension, candidates by name.
struct Class<'a> {
    op: &'a str,
    residence: &'static str,
    dim: usize,
    cells: Vec<Vec<(&'a str, Showing)>>,
}

/// The table after `run`: its ops and residence classes decided anew, everything else as before.
///
/// `variants` gives an op's variants in the registry's order.
///
/// # Errors
/// An unoptimised run, or one without candidates.
pub fn promote(
    run: &Run,
    before: &Table,
    variants: impl Fn(&str) -> Vec<VariantMeta>,
) -> Result<Table, PromoteError> {
    if !["release", "bench"].contains(&run.toolchain.profile.as_str()) {
        return Err(PromoteError::Profile { profile: run.toolchain.profile.clone() });
    }
    let level = run
        .cells
        .iter()
        .filter(|c| c.has_run())
        .filter_map(|c| Level::ALL.into_iter().find(|l| l.name() == c.level))
        .max()
        .ok_or(PromoteError::NoCandidate)?;
    let mut classes = classes(run);
    classes.retain(|c| c.cells.iter().all(|cell| !cell.is_empty()));
    if classes.is_empty() {
        return Err(PromoteError::NoCandidate);
    }
    let short: String = run.source.revision.chars().take(12).collect();
    let record = format!("{} {short}", run.created);
    let mut entries: Vec<Entry> = Vec::new();
    for class in &classes {
        let incumbent = before.winner.iter().find(|w| {
            w.op == class.op
                && w.level == level.name()
                && w.residence == class.residence
                && (w.min_dim..=w.max_dim.unwrap_or(usize::MAX)).contains(&class.dim)
        });
        let order: Vec<&str> = variants(class.op).iter().map(|v| v.name).collect();
        let Some(choice) =
            choose(class, &order, incumbent.map(|w| w.variant.as_str()), run.rule.margin)
        else {
            continue;
        };
        extend(&mut entries, class, level, choice, &record);
    }
    open_ends(&mut entries);
    let replaced = |w: &Entry| {
        entries.iter().any(|e| e.op == w.op && e.level == w.level && e.residence == w.residence)
    };
    let mut winner: Vec<Entry> = before.winner.iter().filter(|w| !replaced(w)).cloned().collect();
    winner.append(&mut entries);
    winner.sort_by(|a, b| {
        (&a.op, &a.level, &a.residence, a.min_dim).cmp(&(&b.op, &b.level, &b.residence, b.min_dim))
    });
    Ok(Table { winner })
}

/// Groups the cells by op, residence class and dimension, in that order.
fn classes(run: &Run) -> Vec<Class<'_>> {
    let mut classes: Vec<Class<'_>> = Vec::new();
    for group in run.groups() {
        let residence = if group.key.residence == "DRAM" { "dram" } else { "cache" };
        let showings = group.cells.iter().filter_map(|c| Some((c.variant.as_str(), showing(c)?)));
        let showings: Vec<(&str, Showing)> = showings.collect();
        let same = |c: &&mut Class<'_>| {
            c.op == group.key.op && c.residence == residence && c.dim == group.key.dim
        };
        match classes.iter_mut().find(same) {
            Some(class) => class.cells.push(showings),
            None => classes.push(Class {
                op: group.key.op,
                residence,
                dim: group.key.dim,
                cells: vec![showings],
            }),
        }
    }
    classes.sort_by_key(|c| (c.op, c.residence, c.dim));
    classes
}

/// A row as a candidate: part of the engine's build, verified, timed with an interval.
fn showing(cell: &Cell) -> Option<Showing> {
    let native = cell.technique == "hand" || cell.technique == "scalar";
    if !native || !cell.verified || !cell.has_run() {
        return None;
    }
    Some(Showing { ratio: cell.ratio_to_best?, lo: cell.ratio_lo?, hi: cell.ratio_hi? })
}

/// The chosen variant, and the ratio of the next candidate to it with its lower end.
type Choice<'a> = (&'a str, Option<(f64, f64)>);

fn choose<'a>(
    class: &Class<'a>,
    order: &[&str],
    incumbent: Option<&str>,
    margin: f64,
) -> Option<Choice<'a>> {
    // A candidate has to be in every cell of the class.
    let first = class.cells.first()?;
    let mut candidates: Vec<(&'a str, Vec<Showing>)> = first
        .iter()
        .filter_map(|(name, _)| {
            let shown: Option<Vec<Showing>> = class
                .cells
                .iter()
                .map(|cell| cell.iter().find(|(n, _)| n == name).map(|(_, s)| *s))
                .collect();
            Some((*name, shown?))
        })
        .collect();
    candidates.sort_by_key(|(name, _)| order.iter().position(|o| o == name));
    let mean = |shown: &[Showing]| shown.iter().map(|s| s.ratio.ln()).sum::<f64>();
    let fastest = candidates.iter().min_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)))?;
    // The incumbent defends itself first, then the simpler ones.
    let defender = incumbent
        .and_then(|name| candidates.iter().find(|(n, _)| *n == name))
        .filter(|inc| !beats(&fastest.1, &inc.1, margin));
    let chosen = defender
        .or_else(|| candidates.iter().find(|c| !beats(&fastest.1, &c.1, margin)))
        .unwrap_or(fastest);
    let next = candidates
        .iter()
        .filter(|(name, _)| *name != chosen.0)
        .map(|(_, shown)| shown)
        .min_by(|a, b| mean(a).total_cmp(&mean(b)))
        .map(|shown| {
            let pairs = || shown.iter().zip(&chosen.1);
            let least =
                |f: fn((&Showing, &Showing)) -> f64| pairs().map(f).fold(f64::MAX, f64::min);
            (least(|(a, b)| a.ratio / b.ratio), least(|(a, b)| a.lo / b.hi))
        });
    Some((chosen.0, next))
}

/// Whether `a` is faster than `b`: beyond the margin on the whole, with the intervals clear of it
/// in some cell, and slower by more than [`MAX_LOSS`] in none.
fn beats(a: &[Showing], b: &[Showing], margin: f64) -> bool {
    let pairs = || b.iter().zip(a);
    let gain: f64 = pairs().map(|(b, a)| (b.ratio / a.ratio).ln()).sum::<f64>() / a.len() as f64;
    gain > margin.ln_1p()
        && pairs().any(|(b, a)| b.lo / a.hi > 1.0 + margin)
        && pairs().all(|(b, a)| a.ratio <= MAX_LOSS * b.ratio)
}

/// Adds a class: it reaches from behind the class before to its own dimension.
fn extend(
    entries: &mut Vec<Entry>,
    class: &Class<'_>,
    level: Level,
    choice: Choice<'_>,
    record: &str,
) {
    let (variant, next) = choice;
    let (ratio, lo) = (next.map(|n| rounded(n.0)), next.map(|n| rounded(n.1)));
    let last = entries.last_mut().filter(|e| e.op == class.op && e.residence == class.residence);
    let mut min_dim = 1;
    if let Some(last) = last {
        if last.variant == variant {
            last.max_dim = Some(class.dim);
            last.next_ratio = least(last.next_ratio, ratio);
            last.next_ratio_lo = least(last.next_ratio_lo, lo);
            return;
        }
        min_dim = last.max_dim.unwrap_or(0) + 1;
    }
    entries.push(Entry {
        op: class.op.to_owned(),
        level: level.name().to_owned(),
        residence: class.residence.to_owned(),
        min_dim,
        max_dim: Some(class.dim),
        variant: variant.to_owned(),
        next_ratio: ratio,
        next_ratio_lo: lo,
        record: record.to_owned(),
    });
}

/// Lets the last class of each op and residence reach to any dimension.
fn open_ends(entries: &mut [Entry]) {
    for i in 0..entries.len() {
        let more = entries
            .get(i + 1)
            .is_some_and(|n| n.op == entries[i].op && n.residence == entries[i].residence);
        if !more {
            entries[i].max_dim = None;
        }
    }
}

fn least(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Four decimals: what the intervals are worth.
fn rounded(ratio: f64) -> f64 {
    (ratio * 1e4).round() / 1e4
}

const HEAD: &str =
    "# The measured winners, with their evidence. Written by `cargo xtask promote RUN`.\n";

impl Table {
    /// Reads `winners.toml`.
    ///
    /// # Errors
    /// [`PromoteError::BadFile`] where it cannot be understood.
    pub fn parse(text: &str) -> Result<Self, PromoteError> {
        toml::from_str(text)
            .map_err(|e| PromoteError::BadFile { file: "winners.toml", why: e.to_string() })
    }

    /// The text of `winners.toml`.
    ///
    /// # Errors
    /// [`PromoteError::BadFile`], for a number that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, PromoteError> {
        let bad = |e: toml::ser::Error| PromoteError::BadFile {
            file: "winners.toml",
            why: e.to_string(),
        };
        let body = toml::to_string(self).map_err(bad)?;
        Ok(if self.winner.is_empty() { HEAD.to_owned() } else { format!("{HEAD}\n{body}") })
    }

    /// `winners.rs` after this table: `code` with its first line and its list replaced. `toml` is
    /// the text of `winners.toml` that the first line vouches for.
    ///
    /// # Errors
    /// [`PromoteError::BadFile`] where `code` has no list, or an entry names no level.
    pub fn to_code(&self, toml: &str, code: &str) -> Result<String, PromoteError> {
        const OPEN: &str = "pub static WINNERS: &[Winner] = &[";
        let bad = |why: String| PromoteError::BadFile { file: "winners.rs", why };
        let (_, rest) = code.split_once('\n').ok_or_else(|| bad("empty".to_owned()))?;
        let missing = || bad(format!("`{OPEN}` is missing"));
        let (before, rest) = rest.split_once(OPEN).ok_or_else(missing)?;
        let (_, after) = rest.split_once("];").ok_or_else(missing)?;
        let mut rows = String::new();
        for w in &self.winner {
            let level = Level::ALL
                .into_iter()
                .find(|l| l.name() == w.level)
                .ok_or_else(|| bad(format!("no level {:?}", w.level)))?;
            let max = w.max_dim.map_or_else(|| "usize::MAX".to_owned(), |d| d.to_string());
            let residence = if w.residence == "dram" { "Dram" } else { "Cache" };
            rows += &format!(
                "    Winner {{\n        op: {:?},\n        level: Level::{level:?},\n        \
                 min_dim: {},\n        max_dim: {max},\n        residence: \
                 Residence::{residence},\n        variant: {:?},\n    }},\n",
                w.op, w.min_dim, w.variant
            );
        }
        let rows = if rows.is_empty() { rows } else { format!("\n{rows}") };
        let hash = fnv1a64(toml.bytes());
        Ok(format!(
            "// @generated by cargo xtask promote from kernels/winners.toml (fnv1a64 {hash:016x})\n\
             {before}{OPEN}{rows}];{after}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use annvil_kernels::Technique;

    use super::*;

    fn row(dim: usize, residence: &str, variant: &str, technique: &str, ratio: f64) -> Cell {
        Cell {
            op: "f32/dot/pair".into(),
            dim,
            residence: residence.into(),
            alignment: "64".into(),
            variant: variant.into(),
            technique: technique.into(),
            level: if variant == "scalar" { "scalar" } else { "avx2" }.into(),
            ns_p50: Some(ratio),
            ratio_to_best: Some(ratio),
            ratio_lo: Some(ratio * 0.998),
            ratio_hi: Some(ratio * 1.002),
            verified: true,
            ..Cell::default()
        }
    }

    fn run(cells: Vec<Cell>) -> Run {
        let mut run = Run { cells, created: "2030-01-01T00:00:00Z".into(), ..Run::default() };
        run.toolchain.profile = "release".into();
        run
    }

    fn metas(_: &str) -> Vec<VariantMeta> {
        [
            ("scalar", Technique::Scalar),
            ("simsimd", Technique::Simsimd),
            ("x4", Technique::Hand),
            ("x8", Technique::Hand),
        ]
        .map(|(name, technique)| VariantMeta { name, level: Level::Avx2, technique, not_run: None })
        .to_vec()
    }

    fn winners(run: &Run, before: &Table) -> Vec<(usize, Option<usize>, String)> {
        let table = promote(run, before, metas).unwrap();
        table.winner.into_iter().map(|w| (w.min_dim, w.max_dim, w.variant)).collect()
    }

    #[test]
    fn classes_join_and_the_last_is_open() {
        let mut cells = Vec::new();
        for (dim, x4, x8) in [(8, 1.0, 1.5), (16, 1.0, 1.2), (96, 1.4, 1.0), (768, 1.3, 1.0)] {
            cells.push(row(dim, "L1", "scalar", "scalar", 4.0));
            cells.push(row(dim, "L1", "x4", "hand", x4));
            cells.push(row(dim, "L1", "x8", "hand", x8));
        }
        let found = winners(&run(cells.clone()), &Table::default());
        assert_eq!(found, [(1, Some(16), "x4".into()), (17, None, "x8".into())]);
        let table = promote(&run(cells), &Table::default(), metas).unwrap();
        assert_eq!(table.winner[0].next_ratio, Some(1.2));
        assert_eq!(
            (table.winner[0].level.as_str(), table.winner[0].residence.as_str()),
            ("avx2", "cache")
        );
    }

    #[test]
    fn a_rival_technique_never_wins_and_a_tie_goes_to_the_simpler() {
        let cells = vec![
            row(96, "L1", "simsimd", "simsimd", 1.0),
            row(96, "L1", "x8", "hand", 1.1),
            row(96, "L1", "x4", "hand", 1.105),
            row(96, "L1", "scalar", "scalar", 3.0),
        ];
        assert_eq!(winners(&run(cells), &Table::default()), [(1, None, "x4".into())]);
    }

    #[test]
    fn an_incumbent_falls_only_to_a_clear_gain_without_a_loss() {
        let incumbent = |variant: &str| {
            let cells = vec![row(96, "L1", variant, "hand", 1.0)];
            promote(&run(cells), &Table::default(), metas).unwrap()
        };
        let duel = |l1: f64, l2: f64| {
            let mut unaligned = row(96, "L1", "x4", "hand", l2.max(1.0));
            unaligned.alignment = "4".into();
            let mut other = row(96, "L1", "x8", "hand", (1.0 / l2).max(1.0));
            other.alignment = "4".into();
            run(vec![
                row(96, "L1", "x4", "hand", l1),
                row(96, "L1", "x8", "hand", 1.0),
                unaligned,
                other,
            ])
        };
        // x8 is faster by 30 % aligned; unaligned it is equal, then 5 % slower.
        assert_eq!(winners(&duel(1.3, 1.0), &incumbent("x4"))[0].2, "x8");
        assert_eq!(winners(&duel(1.3, 0.95), &incumbent("x4"))[0].2, "x4");
        // Within the margin the incumbent stays, whichever it is.
        assert_eq!(winners(&duel(1.005, 1.0), &incumbent("x4"))[0].2, "x4");
        assert_eq!(winners(&duel(1.005, 1.0), &incumbent("x8"))[0].2, "x8");
    }

    #[test]
    fn residences_are_kept_apart_and_other_ops_are_kept() {
        let cells = vec![row(96, "L1", "x4", "hand", 1.0), row(96, "DRAM", "x8", "hand", 1.0)];
        let mut before = promote(&run(cells.clone()), &Table::default(), metas).unwrap();
        assert_eq!(before.winner.len(), 2);
        before.winner[0].op = "f32/l1/pair".into();
        let after = promote(&run(cells), &before, metas).unwrap();
        assert!(after.winner.iter().any(|w| w.op == "f32/l1/pair"));
        assert_eq!(after.winner.len(), 3);
    }

    #[test]
    fn nothing_is_promoted_from_a_debug_build_or_from_unverified_rows() {
        let mut bad = run(vec![row(96, "L1", "x4", "hand", 1.0)]);
        bad.cells[0].verified = false;
        let result = promote(&bad, &Table::default(), metas);
        assert_eq!(result, Err(PromoteError::NoCandidate));
        bad.toolchain.profile = "debug".into();
        let result = promote(&bad, &Table::default(), metas);
        assert!(matches!(result, Err(PromoteError::Profile { .. })));
    }

    #[test]
    fn files_round_trip() {
        let cells = vec![row(8, "L1", "x4", "hand", 1.0), row(96, "L1", "x8", "hand", 1.0)];
        let table = promote(&run(cells), &Table::default(), metas).unwrap();
        let text = table.to_toml().unwrap();
        assert_eq!(Table::parse(&text).unwrap(), table);
        assert_eq!(Table::parse(&Table::default().to_toml().unwrap()).unwrap(), Table::default());
        assert!(Table::parse("[[winner]]\nop = 3\n").is_err());
        let code = "// old\nuse x;\npub static WINNERS: &[Winner] = &[];\nfn f() {}\n";
        let made = table.to_code(&text, code).unwrap();
        assert!(made.starts_with("// @generated by cargo xtask promote from kernels/winners.toml"));
        assert!(made.contains("level: Level::Avx2,") && made.contains("max_dim: usize::MAX,"));
        assert!(made.ends_with("];\nfn f() {}\n") && made.contains("use x;"));
        assert_eq!(table.to_code(&text, &made).unwrap(), made, "replacing is idempotent");
        assert!(table.to_code(&text, "no list\n").is_err());
    }
}
