//! Searches among the rows that match a filter, against the exact scan of those rows.

use std::time::Instant;

use annvil::{AlignedRows, Metric, RowsRef};
use annvil_reports::schema::EngineFiltered;
use rayon::ThreadPool;

use super::clock::thread_ns;
use super::contestant::{Cause, Filter, Setting};
use super::ours::MatchScan;
use super::search::Player;
use super::stats::{Spread, spread};
use super::{EngineError, K, SELECTIVITIES, Watch};
use crate::data::{Truth, exact_f64, recall};
use crate::rng::{Rng, derive_seed};
use crate::verdict::percentile;

/// Most queries of a filtered search.
const QUERIES: usize = 200;
/// The recall that a setting is looked for, see the goals.
const RECALL: f64 = 0.95;
/// The scan's name in records.
const SCAN: &str = "exact scan";

/// What is searched: the rows in their order of insertion, and how.
pub(super) struct Rows<'a> {
    pub(super) dataset: &'a str,
    pub(super) base: &'a AlignedRows,
    pub(super) queries: RowsRef<'a, f32>,
    pub(super) pool: &'a ThreadPool,
    pub(super) rounds: usize,
    pub(super) seed: u64,
}

/// What filters ask about: every row draws a number below 1 once.
pub(super) fn attribute(rows: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(derive_seed(seed, 0xf1_17e2));
    (0..rows).map(|_| rng.uniform()).collect()
}

/// The filters of a set: each takes the rows whose number is below its share, so a narrower filter
/// takes a part of a wider one.
pub(super) fn filters(rows: usize, seed: u64) -> Vec<Filter> {
    let drawn = attribute(rows, seed);
    let make = |pct: &f64| {
        let mask: Vec<bool> = drawn.iter().map(|x| *x < pct / 100.0).collect();
        let slots = (0..rows as u32).filter(|i| mask[*i as usize]).collect();
        Filter { pct: *pct, mask, slots }
    };
    SELECTIVITIES.iter().map(make).collect()
}

/// One contestant under one filter.
struct Tried {
    /// Place among the players; the scan has none.
    player: Option<usize>,
    name: &'static str,
    setting: Setting,
    recall: f64,
    ns: Vec<f64>,
}

/// Every contestant that can filter, under every filter: the cheapest setting that finds 0.95 of the
/// right rows (or the dearest there is), timed in the rounds of the scan.
pub(super) fn run(
    players: &mut [Player],
    rows: &Rows<'_>,
    watch: &mut dyn Watch,
) -> Result<Vec<EngineFiltered>, EngineError> {
    let failed = |e: Cause| EngineError::contestant(SCAN, "set up", e);
    let mut scan = MatchScan::new(rows.base).map_err(failed)?;
    let queries = rows.queries.slice(0, rows.queries.len().min(QUERIES));
    let mut records = Vec::new();
    for filter in filters(rows.base.len(), rows.seed) {
        if filter.slots.is_empty() {
            continue;
        }
        let truth = truth_of(rows, queries, &filter);
        let mut tried = explore(players, &mut scan, rows, queries, &filter, &truth)?;
        for round in 0..rows.rounds {
            let mut order: Vec<usize> = (0..tried.len()).collect();
            Rng::new(derive_seed(rows.seed, round as u64)).shuffle(&mut order);
            for &t in &order {
                if watch.stopped() {
                    return Ok(records);
                }
                let ns = pass(players, &mut scan, queries, &filter, &tried[t])?;
                tried[t].ns.push(ns);
            }
        }
        watch.done(&format!("{}: {} % match", rows.dataset, filter.pct));
        records.extend(record(rows.dataset, &filter, &tried));
    }
    Ok(records)
}

/// The exact answers among the rows that match; ids are places in the set.
fn truth_of(rows: &Rows<'_>, queries: RowsRef<'_, f32>, filter: &Filter) -> Truth {
    let dim = rows.base.dim();
    let packed: Vec<f32> =
        filter.slots.iter().flat_map(|s| rows.base.row(*s as usize)).copied().collect();
    let truth = RowsRef::packed(&packed, dim)
        .map(|part| exact_f64(part, queries, Metric::L2, K, rows.pool));
    // Rows of the set's own dimension are rows of the part's.
    let mut truth = truth.unwrap_or(Truth { k: 0, ids: Vec::new(), values: Vec::new() });
    truth.ids.iter_mut().for_each(|id| *id = filter.slots[*id as usize]);
    truth
}

fn explore(
    players: &mut [Player],
    scan: &mut MatchScan,
    rows: &Rows<'_>,
    queries: RowsRef<'_, f32>,
    filter: &Filter,
    truth: &Truth,
) -> Result<Vec<Tried>, EngineError> {
    let k = truth.k;
    let tally = |answers: &[Vec<u32>]| {
        recall(rows.base.view(), queries, Metric::L2, truth, k, answers).value()
    };
    // What does not match is no answer.
    let allowed = |mut found: Vec<u32>| {
        found.retain(|id| filter.mask.get(*id as usize) == Some(&true));
        found
    };
    let scanned: Vec<Vec<u32>> = (0..queries.len())
        .map(|i| {
            scan.search(queries.row(i), k, filter);
            allowed(scan.found())
        })
        .collect();
    let nothing = Setting::exact(0);
    let mut all = vec![Tried {
        player: None,
        name: SCAN,
        setting: nothing,
        recall: tally(&scanned),
        ns: Vec::new(),
    }];
    for (place, player) in players.iter_mut().enumerate() {
        if player.index.no_filter().is_some() {
            continue;
        }
        let mut best: Option<Tried> = None;
        for &setting in &player.settings {
            let mut answers = Vec::with_capacity(queries.len());
            for i in 0..queries.len() {
                player
                    .index
                    .search_where(queries.row(i), k, setting, filter)
                    .map_err(|e| EngineError::contestant(player.name, "filtered search", e))?;
                answers.push(allowed(player.index.found()));
            }
            let recall = tally(&answers);
            if best.as_ref().is_none_or(|b| recall > b.recall) {
                let (name, ns) = (player.name, Vec::new());
                best = Some(Tried { player: Some(place), name, setting, recall, ns });
            }
            if recall >= RECALL {
                break;
            }
        }
        all.extend(best);
    }
    Ok(all)
}

/// Nanoseconds of CPU for a query.
fn pass(
    players: &mut [Player],
    scan: &mut MatchScan,
    queries: RowsRef<'_, f32>,
    filter: &Filter,
    tried: &Tried,
) -> Result<f64, EngineError> {
    let start = Instant::now();
    let mut ask = |i: usize| match tried.player {
        Some(place) => players[place]
            .index
            .search_where(queries.row(i), K, tried.setting, filter)
            .map_err(|e| EngineError::contestant(tried.name, "filtered search", e)),
        None => {
            scan.search(queries.row(i), K, filter);
            Ok(())
        }
    };
    (0..queries.len().min(8)).try_for_each(&mut ask)?;
    let before = thread_ns(start);
    (0..queries.len()).try_for_each(&mut ask)?;
    let spent = thread_ns(start).saturating_sub(before).max(1);
    Ok(spent as f64 / queries.len().max(1) as f64)
}

fn record(dataset: &str, filter: &Filter, tried: &[Tried]) -> Vec<EngineFiltered> {
    let Some(scan) = tried.iter().find(|t| t.player.is_none()) else { return Vec::new() };
    let one = |t: &Tried| {
        let logs: Vec<f64> = t.ns.iter().zip(&scan.ns).map(|(a, b)| (a / b).ln()).collect();
        let Spread { center, lo, hi } = spread(&logs);
        EngineFiltered {
            dataset: dataset.to_owned(),
            contestant: t.name.to_owned(),
            match_pct: filter.pct,
            matches: filter.slots.len() as u64,
            ef: t.setting.ef,
            rerank: t.setting.rerank,
            recall: t.recall,
            us: percentile(&mut t.ns.clone(), 0.5) / 1e3,
            to_scan: center,
            to_scan_lo: lo,
            to_scan_hi: hi,
        }
    };
    tried.iter().filter(|t| !t.ns.is_empty()).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrower_filter_takes_a_part_of_a_wider_one() {
        let all = filters(20_000, 7);
        assert_eq!(all.len(), SELECTIVITIES.len());
        assert_eq!(all[0].slots.len(), 20_000, "100 % is every row");
        for pair in all.windows(2) {
            assert!(pair[1].slots.iter().all(|s| pair[0].mask[*s as usize]));
        }
        for f in &all {
            let share = f.slots.len() as f64 / 20_000.0;
            assert!((share - f.pct / 100.0).abs() < 0.02, "{} for {}", share, f.pct);
            assert_eq!(f.mask.iter().filter(|m| **m).count(), f.slots.len());
        }
    }
}
