//! From what was measured to rows of the record.

use annvil_reports::schema::{
    Engine, EngineAt, EngineBuild, EngineLatency, EnginePoint, EngineRatio,
};

use super::TARGETS;
use super::child::ChildBuild;
use super::clock::BuildTimer;
use super::pareto::Reach;
use super::search::Searched;
use super::stats::over_builds;
use crate::verdict::percentile;

/// Which build a row is about.
pub(super) struct Built<'a> {
    pub(super) dataset: &'a str,
    pub(super) name: &'a str,
    pub(super) build: usize,
    pub(super) rows: usize,
}

impl Built<'_> {
    pub(super) fn record(
        &self,
        timer: &BuildTimer,
        alone: Option<ChildBuild>,
        held: Option<usize>,
    ) -> EngineBuild {
        let a_row = |bytes: f64| bytes / self.rows.max(1) as f64;
        EngineBuild {
            dataset: self.dataset.to_owned(),
            contestant: self.name.to_owned(),
            build: self.build,
            rows: self.rows as u64,
            cpu_s: timer.cpu_s,
            wall_2_s: alone.map(|a| a.wall_s),
            cpu_2_s: alone.and_then(|a| a.cpu_s),
            resident_per_row: alone.and_then(|a| a.resident).map(|b| a_row(b as f64)),
            held_per_row: held.map(|b| a_row(b as f64)),
        }
    }
}

/// The points, rates and ratios of a set, from the searches of each build.
pub(super) fn searches(dataset: &str, builds: &[Vec<Searched>], engine: &mut Engine) {
    for (number, build) in builds.iter().enumerate() {
        for searched in build {
            engine.points.extend(points(dataset, number, searched));
        }
    }
    let names: Vec<(&str, bool)> =
        builds.first().into_iter().flatten().map(|s| (s.name, s.is_ours)).collect();
    for target in TARGETS {
        for (name, _) in &names {
            engine.at_recall.push(at(dataset, builds, name, target));
        }
        for (ours, _) in names.iter().filter(|n| n.1) {
            // Ours among each other: against the plain graph only.
            let compared = |n: &&(&str, bool)| n.0 != *ours && (!n.1 || n.0 == super::ours::PLAIN);
            for (rival, _) in names.iter().filter(compared) {
                engine.ratios.extend(ratio(dataset, builds, (ours, rival), target));
            }
        }
    }
}

fn points(dataset: &str, build: usize, searched: &Searched) -> Vec<EnginePoint> {
    let timed = searched.tried.iter().filter(|t| !t.ns.is_empty());
    timed
        .map(|t| EnginePoint {
            dataset: dataset.to_owned(),
            contestant: searched.name.to_owned(),
            build,
            ef: t.setting.ef,
            rerank: t.setting.rerank,
            recall: t.recall,
            us: t.median_ns() / 1e3,
            hops: t.hops,
            scored: t.scored,
        })
        .collect()
}

fn find<'a>(build: &'a [Searched], name: &str) -> Option<&'a Searched> {
    build.iter().find(|s| s.name == name)
}

/// The rounds of a contestant at a recall, for each build; `None` where one does not reach it.
fn rounds(builds: &[Vec<Searched>], name: &str, target: f64) -> Option<(Vec<Vec<f64>>, bool)> {
    let reached: Option<Vec<(&Searched, Reach)>> =
        builds.iter().map(|b| find(b, name).and_then(|s| Some((s, s.reach(target)?)))).collect();
    let reached = reached.filter(|r| !r.is_empty())?;
    let bracketed = reached.iter().all(|(_, r)| r.is_bracketed());
    Some((reached.iter().map(|(s, r)| s.rounds_at(r)).collect(), bracketed))
}

fn at(dataset: &str, builds: &[Vec<Searched>], name: &str, target: f64) -> EngineAt {
    let reached = rounds(builds, name, target);
    let logs = reached.as_ref().map(|(rounds, _)| {
        rounds.iter().map(|r| percentile(&mut r.clone(), 0.5).ln()).collect::<Vec<f64>>()
    });
    EngineAt {
        dataset: dataset.to_owned(),
        contestant: name.to_owned(),
        target,
        qps: logs.map(|l| 1e9 / (l.iter().sum::<f64>() / l.len() as f64).exp()),
        bracketed: reached.is_some_and(|(_, bracketed)| bracketed),
    }
}

fn ratio(
    dataset: &str,
    builds: &[Vec<Searched>],
    (ours, rival): (&str, &str),
    target: f64,
) -> Option<EngineRatio> {
    let (a, a_between) = rounds(builds, ours, target)?;
    let (b, b_between) = rounds(builds, rival, target)?;
    // Times of one round of one build belong together.
    let logs: Vec<Vec<f64>> = a
        .iter()
        .zip(&b)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| (b / a).ln()).collect())
        .collect();
    let (spread, over) = over_builds(&logs);
    Some(EngineRatio {
        dataset: dataset.to_owned(),
        contestant: ours.to_owned(),
        rival: rival.to_owned(),
        target,
        qps_ratio: spread.center,
        qps_ratio_lo: spread.lo,
        qps_ratio_hi: spread.hi,
        builds: logs.len(),
        spread_over: over.to_owned(),
        bracketed: a_between && b_between,
    })
}

/// Percentiles of the waits at the setting that [`Searched::setting_for`] gives; `None` without waits.
pub(super) fn latency(
    dataset: &str,
    searched: &Searched,
    target: f64,
    waits: &mut [f64],
) -> Option<EngineLatency> {
    let tried = searched.setting_for(target)?;
    if waits.is_empty() {
        return None;
    }
    Some(EngineLatency {
        dataset: dataset.to_owned(),
        contestant: searched.name.to_owned(),
        ef: tried.setting.ef,
        rerank: tried.setting.rerank,
        recall: tried.recall,
        p50_us: percentile(waits, 0.5),
        p99_us: percentile(waits, 0.99),
        samples: waits.len() as u64,
    })
}
