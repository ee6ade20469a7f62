//! Searches of one build of every contestant: what each setting finds, and what it costs in rounds
//! that all contestants share.

use std::time::Instant;

use annvil::{AlignedRows, Metric, RowsRef};

use super::clock::thread_ns;
use super::contestant::{Built, Setting};
use super::pareto::{Point, Reach, front, reach};
use super::{EngineError, K, Watch};
use crate::data::{Truth, recall};
use crate::rng::{Rng, derive_seed};
use crate::verdict::percentile;

/// Settings that find no more than this less than all need no slower one beside them.
const ENOUGH: f64 = 0.9995;

/// A contestant with its index, and the number of each of its rows in the set.
pub(super) struct Player {
    pub(super) name: &'static str,
    pub(super) is_ours: bool,
    pub(super) index: Box<dyn Built>,
    pub(super) settings: Vec<Setting>,
}

/// What is asked, and what is right.
pub(super) struct Question<'a> {
    pub(super) base: &'a AlignedRows,
    pub(super) queries: RowsRef<'a, f32>,
    pub(super) truth: &'a Truth,
    /// `order[place]` = the number in the set of the row that was inserted there.
    pub(super) order: &'a [u32],
}

/// A setting that was tried.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub(super) setting: Setting,
    pub(super) recall: f64,
    pub(super) hops: Option<f64>,
    pub(super) scored: Option<f64>,
    /// Nanoseconds of a query, a round each.
    pub(super) ns: Vec<f64>,
}

impl Tried {
    pub(super) fn median_ns(&self) -> f64 {
        percentile(&mut self.ns.clone(), 0.5)
    }
}

/// Everything about a contestant's searches over one build.
#[derive(Clone, Debug)]
pub(super) struct Searched {
    pub(super) name: &'static str,
    pub(super) is_ours: bool,
    pub(super) tried: Vec<Tried>,
}

impl Searched {
    pub(super) fn points(&self) -> Vec<Point> {
        self.tried.iter().map(|t| Point { recall: t.recall, ns: t.median_ns() }).collect()
    }

    pub(super) fn reach(&self, target: f64) -> Option<Reach> {
        reach(&self.points(), target)
    }

    /// Nanoseconds of a query at a recall, a round each.
    pub(super) fn rounds_at(&self, reach: &Reach) -> Vec<f64> {
        let rounds = self.tried.first().map_or(0, |t| t.ns.len());
        (0..rounds).map(|r| reach.ns(|i| self.tried[i].ns[r])).collect()
    }

    /// The fastest setting that finds `target`, or the one that finds most.
    pub(super) fn setting_for(&self, target: f64) -> Option<&Tried> {
        let points = self.points();
        let front = front(&points);
        let place = front.iter().find(|&&i| points[i].recall >= target).or(front.last())?;
        Some(&self.tried[*place])
    }
}

/// What each setting finds, not timed. Slower settings than one that finds nearly all are left out.
pub(super) fn explore(
    player: &mut Player,
    question: &Question<'_>,
) -> Result<Searched, EngineError> {
    let mut tried: Vec<Tried> = Vec::new();
    for &setting in &player.settings {
        // A wider search after one that finds all has nothing to show.
        if tried.iter().any(|t| t.recall >= ENOUGH && t.setting.ef < setting.ef) {
            break;
        }
        let (mut answers, mut hops, mut scored) = (Vec::new(), 0, 0);
        for i in 0..question.queries.len() {
            player
                .index
                .search(question.queries.row(i), K, setting)
                .map_err(|e| EngineError::contestant(player.name, "search", e))?;
            answers.push(numbers(player.index.found(), question.order));
            if let Some(effort) = player.index.effort() {
                hops += effort.hops;
                scored += effort.scored;
            }
        }
        let counts = player.index.effort().is_some();
        let each = |sum: usize| counts.then(|| sum as f64 / question.queries.len().max(1) as f64);
        let recall = tally(question, &answers);
        tried.push(Tried {
            setting,
            recall,
            hops: each(hops),
            scored: each(scored),
            ns: Vec::new(),
        });
    }
    Ok(Searched { name: player.name, is_ours: player.is_ours, tried })
}

fn numbers(places: Vec<u32>, order: &[u32]) -> Vec<u32> {
    // A place that does not exist stays one that does not: it counts as wrong.
    places.into_iter().map(|p| order.get(p as usize).copied().unwrap_or(u32::MAX)).collect()
}

fn tally(question: &Question<'_>, answers: &[Vec<u32>]) -> f64 {
    let base = question.base.view();
    recall(base, question.queries, Metric::L2, question.truth, K, answers).value()
}

/// Times every setting of every contestant, `rounds` times: in each round all contestants answer all
/// queries, setting after setting, in a fresh order. False if it was stopped; then only whole rounds
/// are kept.
pub(super) fn time(
    players: &mut [Player],
    searched: &mut [Searched],
    queries: RowsRef<'_, f32>,
    rounds: usize,
    seed: u64,
    watch: &mut dyn Watch,
) -> Result<bool, EngineError> {
    let start = Instant::now();
    let deepest = searched.iter().map(|s| s.tried.len()).max().unwrap_or(0);
    for round in 0..rounds {
        let mut rng = Rng::new(derive_seed(seed, round as u64));
        let mut order: Vec<usize> = (0..players.len()).collect();
        let mut times: Vec<Vec<f64>> = searched.iter().map(|_| Vec::new()).collect();
        for level in 0..deepest {
            rng.shuffle(&mut order);
            for &p in &order {
                let Some(tried) = searched[p].tried.get(level) else { continue };
                if watch.stopped() {
                    return Ok(false);
                }
                times[p].push(pass(&mut players[p], queries, tried.setting, start)?);
            }
        }
        for (searched, times) in searched.iter_mut().zip(times) {
            searched.tried.iter_mut().zip(times).for_each(|(t, ns)| t.ns.push(ns));
        }
        watch.done("round");
    }
    Ok(true)
}

/// Nanoseconds of CPU for a query, over one pass through all of them.
fn pass(
    player: &mut Player,
    queries: RowsRef<'_, f32>,
    setting: Setting,
    start: Instant,
) -> Result<f64, EngineError> {
    // The first few bring the index back into the caches after another contestant's turn.
    let warm = queries.len().min(16);
    let ask = |player: &mut Player, i: usize| {
        let asked = player.index.search(queries.row(i), K, setting);
        asked.map_err(|e| EngineError::contestant(player.name, "search", e))
    };
    for i in 0..warm {
        ask(player, i)?;
    }
    let before = thread_ns(start);
    for i in 0..queries.len() {
        ask(player, i)?;
    }
    let spent = thread_ns(start).saturating_sub(before).max(1);
    Ok(spent as f64 / queries.len().max(1) as f64)
}

/// How long single queries wait at one setting: microseconds of each, on the wall.
pub(super) fn waits(
    player: &mut Player,
    queries: RowsRef<'_, f32>,
    setting: Setting,
    into: &mut Vec<f64>,
) -> Result<(), EngineError> {
    for i in 0..queries.len() {
        let start = Instant::now();
        player
            .index
            .search(queries.row(i), K, setting)
            .map_err(|e| EngineError::contestant(player.name, "search", e))?;
        into.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(())
}
