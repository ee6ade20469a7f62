//! From a recorded run to the winners table: which variant the engine shall use, and on what
//! evidence.
//!
//! Only variants that the engine's default build contains can win: hand-written and scalar ones. A
//! challenger replaces an incumbent when it is faster beyond the margin with its interval clear of
//! it somewhere in the class and nowhere loses more than 2 %; what cannot be told apart stays with
//! the incumbent. Without one, the simplest variant wins that is nowhere slower than the fastest by
//! more than the margin.
//!
//! A run decides only what it measured in whole: every cell of its suite, with every variant that
//! can win. Less would stretch the classes it has over those it lacks. A noisy cell decides
//! nothing; a class without any other keeps its incumbent, or stays open for the engine's own
//! choice. Rows are made only for what is asked for at run time: but for scans and gathers, a cache
//! is taken for granted. One run decides the table of its CPU's best level, and of each level below
//! it of which a variant ran.

mod table;

use std::fmt;

use annvil_kernels::{Level, VariantMeta};
use annvil_reports::schema::{Cell, CellGroup, Host, Run, Verdict};

pub use self::table::{Entry, Table};
use crate::protocol::CellSpec;

/// Largest loss in any cell of a class that a challenger may have.
const MAX_LOSS: f64 = 1.02;

/// Why a run promotes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromoteError {
    /// The run was built without optimisation.
    Profile {
        /// The profile.
        profile: String,
    },
    /// Nobody can tell which code was measured.
    Source {
        /// Why.
        why: &'static str,
    },
    /// The run measured less than its suite has.
    Partial {
        /// Cells or rows that are missing.
        missing: usize,
        /// The first of them.
        first: String,
    },
    /// The table tells more dimensions apart than the run measured.
    Coarser {
        /// The op.
        op: String,
        /// The residence class.
        residence: String,
        /// Where the table has a border.
        dim: usize,
    },
    /// The record's CPU flags name no level.
    NoLevel,
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
            Self::Source { why } => write!(
                f,
                "the run was measured on {why}, so its evidence cannot be found again: commit and \
                 run again, or say --allow-dirty"
            ),
            Self::Partial { missing, first } => write!(
                f,
                "the run is a part of its suite: {missing} cells or rows are missing, the first \
                 is {first}; promote a run without --op, --dim, --variant and the like, made by \
                 this version"
            ),
            Self::Coarser { op, residence, dim } => write!(
                f,
                "the table tells dimensions of {op} ({residence}) apart at {dim}, which the run \
                 did not measure: it came from a fuller run; promote one of `bench --full`, or \
                 take those rows out of winners.toml"
            ),
            Self::NoLevel => {
                f.write_str("the record does not say which instruction-set level its CPU has")
            }
            Self::NoCandidate => f.write_str(
                "no cell of the run has a hand-written or scalar variant that was timed and \
                 verified without noise",
            ),
            Self::BadFile { file, why } => write!(f, "{file}: {why}"),
        }
    }
}

impl std::error::Error for PromoteError {}

/// What a run is held against.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The cells of the run's suite, un-narrowed.
    pub suite: &'a [CellSpec],
    /// Take a run of a tree with uncommitted changes, or of no known revision.
    pub allow_dirty: bool,
}

/// What a run makes of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    /// The table after the run.
    pub table: Table,
    /// Classes that the run could not decide, in words.
    pub undecided: Vec<String>,
}

/// A candidate in one cell, times relative to the cell's best of any technique.
#[derive(Debug, Clone, Copy)]
struct Showing {
    ratio: f64,
    lo: f64,
    hi: f64,
}

/// The cells of one op, residence class and dimension, the noisy ones left out: their candidates
/// by name.
#[derive(Debug)]
struct Class<'a> {
    op: &'a str,
    residence: &'static str,
    dim: usize,
    cells: Vec<Vec<(&'a str, Showing)>>,
}

impl<'a> Class<'a> {
    /// The class with these candidates alone.
    fn only(&self, names: &[&str]) -> Self {
        let of = |cell: &Vec<(&'a str, Showing)>| -> Vec<(&'a str, Showing)> {
            cell.iter().filter(|(name, _)| names.contains(name)).copied().collect()
        };
        let cells = self.cells.iter().map(of).collect();
        Self { op: self.op, residence: self.residence, dim: self.dim, cells }
    }

    /// Whether one of these candidates ran.
    fn has_any(&self, names: &[&str]) -> bool {
        self.cells.iter().flatten().any(|(name, _)| names.contains(name))
    }
}

/// The levels of a CPU's architecture up to its best, extensions aside.
fn levels_below(best: Level) -> impl Iterator<Item = Level> {
    let x86 = [Level::Sse42, Level::Avx2, Level::Avx512];
    let same = move |l: &Level| *l == best || (x86.contains(l) && x86.contains(&best));
    Level::ALL.into_iter().filter(|l| l.base() == *l).filter(same).filter(move |l| *l <= best)
}

/// The table after `run`: its ops and residence classes decided anew, everything else as before.
///
/// `variants` gives an op's variants in the registry's order.
///
/// # Errors
/// A run that is unoptimised, of unknown source, partial or coarser than the table, and one
/// without candidates.
pub fn promote(
    run: &Run,
    before: &Table,
    variants: impl Fn(&str) -> Vec<VariantMeta>,
    terms: Terms<'_>,
) -> Result<Promotion, PromoteError> {
    check_origin(run, terms.allow_dirty)?;
    let best = best_level(&run.host, &run.toolchain.target).ok_or(PromoteError::NoLevel)?;
    let groups = run.groups();
    check_whole(&groups, terms.suite, &variants)?;
    let classes = classes(&groups, terms.suite);
    if classes.iter().all(|c| c.cells.iter().all(Vec::is_empty)) {
        return Err(PromoteError::NoCandidate);
    }
    let short: String = run.source.revision.chars().take(12).collect();
    let record = format!("{} {short}{}", run.created, if run.source.dirty { "+" } else { "" });
    let mut winner = before.winner.clone();
    let mut undecided = Vec::new();
    for part in classes.chunk_by(|a, b| (a.op, a.residence) == (b.op, b.residence)) {
        let Some(Class { op, residence, .. }) = part.first() else { continue };
        let metas = variants(op);
        let order: Vec<&str> = metas.iter().map(|v| v.name).collect();
        for level in levels_below(best) {
            // The CPU's best level takes every candidate; one below it those that it could run, and
            // a row only where one of its own ran.
            let runs = |v: &VariantMeta| v.level == Level::Scalar || v.level.base() <= level;
            let names: Vec<&str> = metas.iter().filter(|v| runs(v)).map(|v| v.name).collect();
            let own: Vec<&str> =
                metas.iter().filter(|v| v.level.base() == level).map(|v| v.name).collect();
            let part: Vec<Class<'_>> = part.iter().map(|c| c.only(&names)).collect();
            if level != best && !part.iter().any(|c| c.has_any(&own)) {
                continue;
            }
            let ours =
                |w: &Entry| w.op == *op && w.level == level.name() && w.residence == *residence;
            let incumbents: Vec<Entry> = winner.iter().filter(|w| ours(w)).cloned().collect();
            check_borders(&incumbents, &part)?;
            winner.retain(|w| !ours(w));
            let decided = decide(&part, &incumbents, &order, run.rule.margin, &mut undecided);
            winner.extend(join(decided, level, &record));
        }
    }
    winner.sort_by(|a, b| {
        (&a.op, &a.level, &a.residence, a.min_dim).cmp(&(&b.op, &b.level, &b.residence, b.min_dim))
    });
    Ok(Promotion { table: Table { winner }, undecided })
}

/// Refuses a build or a source that is no evidence.
fn check_origin(run: &Run, allow_dirty: bool) -> Result<(), PromoteError> {
    if !["release", "bench"].contains(&run.toolchain.profile.as_str()) {
        return Err(PromoteError::Profile { profile: run.toolchain.profile.clone() });
    }
    let why = match (run.source.dirty, run.source.revision.is_empty()) {
        _ if allow_dirty => return Ok(()),
        (true, _) => "a tree with uncommitted changes",
        (false, true) => "a tree of no known revision",
        (false, false) => return Ok(()),
    };
    Err(PromoteError::Source { why })
}

/// The best level of the CPU that was measured, by its flags: not that of the variants that ran,
/// since the engine asks for the winners of its CPU's best level.
fn best_level(host: &Host, target: &str) -> Option<Level> {
    const AVX512: [&str; 5] = ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"];
    let has = |flags: &[&str]| flags.iter().all(|f| host.flags.iter().any(|h| h == f));
    if target.starts_with("x86_64") {
        let avx2 = has(&["avx", "avx2", "fma", "bmi1", "bmi2", "f16c"]);
        return Some(if avx2 && has(&AVX512) {
            Level::Avx512
        } else if avx2 {
            Level::Avx2
        } else if has(&["sse4_2", "popcnt"]) {
            Level::Sse42
        } else {
            return None;
        });
    }
    target.starts_with("aarch64").then_some(Level::Neon)
}

/// Whether somebody looks for winners of this shape in this residence class.
fn is_asked_for(op: &str, residence: &str) -> bool {
    match op.rsplit('/').next() {
        Some("scan" | "gather" | "scan_norms" | "gather_norms") => true,
        Some(_) => residence == "cache",
        None => false,
    }
}

fn residence_class(residence: &str) -> &'static str {
    if residence == "DRAM" { "dram" } else { "cache" }
}

fn is_native(technique: &str) -> bool {
    technique == "hand" || technique == "scalar"
}

/// Refuses a run that lacks a cell of its suite, or a variant in one of them.
fn check_whole(
    groups: &[CellGroup<'_>],
    suite: &[CellSpec],
    variants: impl Fn(&str) -> Vec<VariantMeta>,
) -> Result<(), PromoteError> {
    let mut missing: Vec<String> = Vec::new();
    for spec in suite {
        let residence = spec.residence.to_string();
        if !is_asked_for(&spec.op, residence_class(&residence)) {
            continue;
        }
        let group = groups.iter().find(|g| {
            g.key.op == spec.op
                && g.key.dim == spec.dim
                && g.key.residence == residence
                && g.key.alignment == spec.alignment.bytes()
        });
        let Some(group) = group else {
            missing.push(spec.to_string());
            continue;
        };
        for v in variants(&spec.op).iter().filter(|v| is_native(v.technique.name())) {
            if !group.cells.iter().any(|c| c.variant == v.name) {
                missing.push(format!("{spec}#{}", v.name));
            }
        }
    }
    match missing.len() {
        0 => Ok(()),
        n => Err(PromoteError::Partial { missing: n, first: missing.swap_remove(0) }),
    }
}

/// Refuses to replace borders that the run did not measure: it would stretch over them.
fn check_borders(incumbents: &[Entry], part: &[Class<'_>]) -> Result<(), PromoteError> {
    let measured = |dim: usize| part.iter().any(|c| c.dim == dim);
    for w in incumbents {
        let borders = [w.min_dim.checked_sub(1).filter(|d| *d > 0), w.max_dim];
        if let Some(dim) = borders.into_iter().flatten().find(|d| !measured(*d)) {
            let (op, residence) = (w.op.clone(), w.residence.clone());
            return Err(PromoteError::Coarser { op, residence, dim });
        }
    }
    Ok(())
}

/// Groups the cells of the suite by op, residence class and dimension, in that order. A class
/// whose cells are all noisy is there without cells.
fn classes<'a>(groups: &[CellGroup<'a>], suite: &[CellSpec]) -> Vec<Class<'a>> {
    let mut classes: Vec<Class<'a>> = Vec::new();
    for group in groups {
        let residence = residence_class(group.key.residence);
        let (op, dim) = (group.key.op, group.key.dim);
        let in_suite = suite.iter().any(|s| {
            s.op == op && s.dim == dim && residence_class(s.residence.name()) == residence
        });
        if !in_suite || !is_asked_for(op, residence) {
            continue;
        }
        let at = classes.iter().position(|c| (c.op, c.residence, c.dim) == (op, residence, dim));
        let at = at.unwrap_or_else(|| {
            classes.push(Class { op, residence, dim, cells: Vec::new() });
            classes.len() - 1
        });
        if group.verdict() != Some(Verdict::Noisy) {
            let named = |c: &&'a Cell| Some((c.variant.as_str(), showing(c)?));
            classes[at].cells.push(group.cells.iter().filter_map(named).collect());
        }
    }
    classes.sort_by_key(|c| (c.op, c.residence, c.dim));
    classes
}

/// A row as a candidate: part of the engine's build, verified, timed with an interval.
fn showing(cell: &Cell) -> Option<Showing> {
    if !is_native(&cell.technique) || !cell.verified || !cell.has_run() {
        return None;
    }
    Some(Showing { ratio: cell.ratio_to_best?, lo: cell.ratio_lo?, hi: cell.ratio_hi? })
}

/// What holds for one class: an incumbent that stays for want of a decision keeps its evidence.
enum Decision<'a> {
    Chosen(Choice<'a>),
    Kept(Entry),
}

/// Decides each class of one op and residence: it reaches from behind the one before to its own
/// dimension, the last to any. Classes that stay undecided without an incumbent are left out.
fn decide<'c, 'a>(
    part: &'c [Class<'a>],
    incumbents: &[Entry],
    order: &[&str],
    margin: f64,
    undecided: &mut Vec<String>,
) -> Vec<(&'c Class<'a>, usize, Option<usize>, Decision<'a>)> {
    let mut decided = Vec::new();
    let mut min_dim = 1;
    for (i, class) in part.iter().enumerate() {
        let max_dim = (i + 1 < part.len()).then_some(class.dim);
        let incumbent = incumbents.iter().find(|w| {
            (w.min_dim..=w.max_dim.unwrap_or(usize::MAX)).contains(&class.dim)
                && order.contains(&w.variant.as_str())
        });
        let choice = choose(class, order, incumbent.map(|w| w.variant.as_str()), margin);
        let kept = || Some(Decision::Kept(incumbent?.clone()));
        if choice.is_none() {
            let what = if incumbent.is_some() { "its incumbent stays" } else { "left open" };
            undecided.push(format!(
                "{} {} dim {}: no quiet cell with a candidate, {what}",
                class.op, class.residence, class.dim
            ));
        }
        if let Some(decision) = choice.map(Decision::Chosen).or_else(kept) {
            decided.push((class, min_dim, max_dim, decision));
        }
        min_dim = class.dim + 1;
    }
    decided
}

/// The rows of decided classes; neighbours with one winner on one evidence become one row.
fn join(
    decided: Vec<(&Class<'_>, usize, Option<usize>, Decision<'_>)>,
    level: Level,
    record: &str,
) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (class, min_dim, max_dim, decision) in decided {
        let entry = match decision {
            Decision::Kept(old) => Entry { min_dim, max_dim, ..old },
            Decision::Chosen((variant, next)) => Entry {
                op: class.op.to_owned(),
                level: level.name().to_owned(),
                residence: class.residence.to_owned(),
                min_dim,
                max_dim,
                variant: variant.to_owned(),
                next_ratio: next.map(|n| rounded(n.0)),
                next_ratio_lo: next.map(|n| rounded(n.1)),
                record: record.to_owned(),
            },
        };
        let last = entries.last_mut().filter(|last| {
            last.variant == entry.variant
                && last.record == entry.record
                && last.max_dim.is_some_and(|d| d + 1 == entry.min_dim)
        });
        match last {
            Some(last) => {
                last.max_dim = entry.max_dim;
                last.next_ratio = least(last.next_ratio, entry.next_ratio);
                last.next_ratio_lo = least(last.next_ratio_lo, entry.next_ratio_lo);
            }
            None => entries.push(entry),
        }
    }
    entries
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
    // An incumbent stays until it is beaten. Without one, the simplest that costs nothing: an
    // interval too wide to separate a slower variant is no reason to choose it.
    let costs_nothing = |shown: &[Showing]| {
        shown.iter().zip(&fastest.1).all(|(s, best)| s.ratio / best.ratio <= 1.0 + margin)
    };
    let defender = incumbent
        .and_then(|name| candidates.iter().find(|(n, _)| *n == name))
        .filter(|inc| !beats(&fastest.1, &inc.1, margin));
    let chosen =
        defender.or_else(|| candidates.iter().find(|c| costs_nothing(&c.1))).unwrap_or(fastest);
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

#[cfg(test)]
mod tests;
