//! The section of the engine suite: a chart and tables for each set.

use serde::Serialize;

use super::figures::{NONE, count, fixed, maybe, significant};
use crate::chart::pareto::{Curve, Pareto};
use crate::chart::{ChartError, MAX_SERIES};
use crate::engine_text::{contestants, targets};
use crate::schema::{Dataset, Engine, EngineRatio, Run};

/// Everything that the section shows.
#[derive(Debug, Serialize)]
pub(super) struct EngineView {
    lede: String,
    sets: Vec<SetView>,
    method: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SetView {
    name: String,
    shape: String,
    chart: String,
    left_out: String,
    tables: Vec<Table>,
}

/// The first `words` columns are text, the others figures.
#[derive(Debug, Serialize)]
struct Table {
    name: &'static str,
    about: &'static str,
    words: usize,
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The section; `None` where the run has none.
pub(super) fn view(run: &Run) -> Result<Option<EngineView>, ChartError> {
    let Some(engine) = &run.engine else { return Ok(None) };
    let has_rows = |d: &&Dataset| engine.build.iter().any(|b| b.dataset == d.name);
    let sets = run.datasets.iter().filter(has_rows).enumerate();
    let sets = sets.map(|(i, d)| set(engine, d, i)).collect::<Result<Vec<_>, _>>()?;
    let lede = format!(
        "The {} nearest by L2. Every index has m {} and ef_construction {}; {} of each, {} over each. \
         Times are {} of one thread, and all contestants take part in every round.",
        engine.k,
        engine.m,
        engine.ef_construction,
        plural(engine.builds, "build"),
        plural(engine.rounds, "round"),
        engine.clock
    );
    let method = METHOD.iter().map(|p| (*p).to_owned()).collect();
    Ok(Some(EngineView { lede, sets, method }))
}

const METHOD: [&str; 4] = [
    "The engine suite builds every contestant over the same rows in the same order and keeps all of \
     them in one process. A round asks every contestant every query at every setting, in a fresh \
     random order, and takes the CPU time of the calling thread. Recall counts an answer as right if \
     its distance, computed in f64, is at most that of the true k-th neighbour, with a relative slack \
     of 1e-5.",
    "Rates at a recall are interpolated, in the logarithm of time, between the two settings that \
     bracket it on the front of the settings that none beats. A rate with > is a lower bound: the \
     cheapest setting that was tried already finds more. Ratios compare times of the same round, \
     at one recall; ~ marks those where a side is such a bound.",
    "The unit of replication is the build. The first inserts rows in the order of the set, each \
     further one in a random order that is the same for all contestants, since some libraries take no \
     seed. With one build, an interval spans the rounds over it and says nothing about other builds.",
    "Memory is the growth of resident memory while building, in a process of its own that holds the \
     rows to insert beside the index; held bytes are what an index says itself. Filtered searches are \
     compared with the exact scan of the rows that match, in rounds of their own, each at its \
     cheapest setting that finds 0.95.",
];

fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn set(engine: &Engine, d: &Dataset, index: usize) -> Result<SetView, ChartError> {
    let (curves, left_out) = curves(engine, &d.name);
    let title = format!("Recall against queries per second over {}", d.name);
    let chart = Pareto { id: format!("pareto{index}"), title, curves }.svg()?;
    Ok(SetView {
        name: d.name.clone(),
        shape: format!(
            "{} rows of {} elements, {} queries",
            count(d.rows),
            d.dim,
            count(d.queries)
        ),
        chart,
        left_out,
        tables: vec![
            rates(engine, &d.name),
            ratios(engine, &d.name),
            builds(engine, &d.name),
            filtered(engine, &d.name),
            waits(engine, &d.name),
            settings(engine, &d.name),
        ],
    })
}

/// Most lines of ours in a drawing.
const OURS_DRAWN: usize = 4;

/// The fronts of the first build; where there are too many, the fastest of ours and the first of the
/// others.
fn curves(engine: &Engine, dataset: &str) -> (Vec<Curve>, String) {
    let names = contestants(engine, dataset);
    let is_ours =
        |name: &str| engine.ratios.iter().any(|r| r.dataset == dataset && r.contestant == name);
    let (mut ours, others): (Vec<&str>, Vec<&str>) = names.iter().partition(|n| is_ours(n));
    let rate = |name: &str| {
        let here = engine.at_recall.iter().filter(|a| a.dataset == dataset && a.contestant == name);
        here.filter_map(|a| a.qps).fold(0.0, f64::max)
    };
    // The first is the plain one, and always drawn.
    if ours.len() > 1 {
        ours[1..].sort_by(|a, b| rate(b).total_cmp(&rate(a)));
    }
    let mut left_out = ours.split_off(OURS_DRAWN.min(ours.len()));
    let mut others = others;
    left_out.extend(others.split_off(MAX_SERIES.saturating_sub(ours.len()).min(others.len())));
    let curve = |name: &str| {
        let mut points: Vec<(f64, f64)> = engine
            .points
            .iter()
            .filter(|p| p.dataset == dataset && p.contestant == name && p.build == 0 && p.us > 0.0)
            .map(|p| (p.recall, 1e6 / p.us))
            .collect();
        points.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.0.total_cmp(&a.0)));
        let mut best = f64::NEG_INFINITY;
        points.retain(|p| {
            let more = p.0 > best;
            best = best.max(p.0);
            more
        });
        Curve { name: name.to_owned(), points }
    };
    let shown = ours.into_iter().chain(others).map(curve).filter(|c| !c.points.is_empty());
    (shown.take(MAX_SERIES).collect(), left_out.join(", "))
}

fn rates(engine: &Engine, dataset: &str) -> Table {
    let targets = targets(engine);
    let row = |name: &&str| {
        let cell = |target: &f64| {
            let at = engine
                .at_recall
                .iter()
                .find(|a| a.dataset == dataset && a.contestant == *name && a.target == *target);
            match at.and_then(|a| Some((a.qps?, a.bracketed))) {
                Some((qps, true)) => count(qps.round() as u64),
                Some((qps, false)) => format!("> {}", count(qps.round() as u64)),
                None => NONE.to_owned(),
            }
        };
        std::iter::once((*name).to_owned()).chain(targets.iter().map(cell)).collect()
    };
    let recalls = targets.iter().map(|t| format!("recall {t}"));
    Table {
        name: "Queries per second",
        about: "One thread, at equal recall; no figure where no setting that was tried finds as much.",
        words: 1,
        heads: std::iter::once("Contestant".to_owned()).chain(recalls).collect(),
        rows: contestants(engine, dataset).iter().map(row).collect(),
    }
}

fn ratios(engine: &Engine, dataset: &str) -> Table {
    let targets = targets(engine);
    let here: Vec<&EngineRatio> = engine.ratios.iter().filter(|r| r.dataset == dataset).collect();
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for r in &here {
        let pair = (r.contestant.as_str(), r.rival.as_str());
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    let row = |pair: &(&str, &str)| {
        let cell = |target: &f64| {
            let found = here.iter().find(|r| {
                (r.contestant.as_str(), r.rival.as_str()) == *pair && r.target == *target
            });
            found.map_or_else(
                || NONE.to_owned(),
                |r| {
                    let mark = if r.bracketed { "" } else { "~ " };
                    let ends = (fixed(r.qps_ratio_lo, 2), fixed(r.qps_ratio_hi, 2));
                    format!("{mark}{:.2} ({} to {})", r.qps_ratio, ends.0, ends.1)
                },
            )
        };
        let names = [pair.0.to_owned(), pair.1.to_owned()];
        names.into_iter().chain(targets.iter().map(cell)).collect()
    };
    let recalls = targets.iter().map(|t| format!("recall {t}"));
    Table {
        name: "Ours over theirs",
        about: "Rate of ours over the other's from paired rounds, with its 95 % interval; above 1, \
                ours is faster.",
        words: 2,
        heads: ["Ours".to_owned(), "Other".to_owned()].into_iter().chain(recalls).collect(),
        rows: pairs.iter().map(row).collect(),
    }
}

fn heads(list: &[&str]) -> Vec<String> {
    list.iter().map(|h| (*h).to_owned()).collect()
}

fn builds(engine: &Engine, dataset: &str) -> Table {
    let here = engine.build.iter().filter(|b| b.dataset == dataset);
    let row = |b: &crate::schema::EngineBuild| {
        vec![
            b.contestant.clone(),
            b.build.to_string(),
            maybe(b.cpu_s, 3),
            maybe(b.cpu_2_s, 3),
            maybe(b.wall_2_s, 3),
            fixed(b.resident_per_row, 0),
            fixed(b.held_per_row, 0),
        ]
    };
    Table {
        name: "Building, and memory",
        about: "Seconds of CPU on one thread and on two, and on the wall on two; growth of resident \
                memory on two threads and bytes that the index says it holds, a row.",
        words: 1,
        heads: heads(&[
            "Contestant",
            "Build",
            "CPU s, 1 thread",
            "CPU s, 2 threads",
            "Wall s, 2 threads",
            "Resident B/row",
            "Held B/row",
        ]),
        rows: here.map(row).collect(),
    }
}

fn filtered(engine: &Engine, dataset: &str) -> Table {
    let here = engine.filtered.iter().filter(|f| f.dataset == dataset);
    let row = |f: &crate::schema::EngineFiltered| {
        let ends = (maybe(f.to_scan_lo, 3), maybe(f.to_scan_hi, 3));
        vec![
            f.contestant.clone(),
            significant(f.match_pct, 3),
            count(f.matches),
            if f.ef == 0 { NONE.to_owned() } else { f.ef.to_string() },
            fixed(Some(f.recall), 4),
            significant(f.us, 3),
            format!("{} ({} to {})", significant(f.to_scan, 3), ends.0, ends.1),
        ]
    };
    Table {
        name: "Filtered searches",
        about: "At the cheapest setting that finds 0.95 of the right rows, or the one that finds most; \
                time over that of the exact scan of the rows that match, above 1 the scan is faster.",
        words: 1,
        heads: heads(&[
            "Contestant",
            "% match",
            "Rows that match",
            "ef",
            "Recall",
            "\u{b5}s",
            "Time / scan's",
        ]),
        rows: here.map(row).collect(),
    }
}

fn waits(engine: &Engine, dataset: &str) -> Table {
    let here = engine.latency.iter().filter(|l| l.dataset == dataset);
    let row = |l: &crate::schema::EngineLatency| {
        vec![
            l.contestant.clone(),
            l.ef.to_string(),
            l.rerank.to_string(),
            fixed(Some(l.recall), 4),
            significant(l.p50_us, 3),
            significant(l.p99_us, 3),
            count(l.samples),
        ]
    };
    Table {
        name: "How long a query waits",
        about: "Single queries on the wall, at the cheapest setting that finds 0.95.",
        words: 1,
        heads: heads(&[
            "Contestant",
            "ef",
            "Compared again",
            "Recall",
            "p50, \u{b5}s",
            "p99, \u{b5}s",
            "Queries",
        ]),
        rows: here.map(row).collect(),
    }
}

/// What the graphs did, for those that count it, over the first build.
fn settings(engine: &Engine, dataset: &str) -> Table {
    let here = engine.points.iter().filter(|p| p.dataset == dataset && p.build == 0);
    let row = |p: &crate::schema::EnginePoint| {
        vec![
            p.contestant.clone(),
            p.ef.to_string(),
            p.rerank.to_string(),
            fixed(Some(p.recall), 4),
            significant(p.us, 3),
            fixed(p.hops, 1),
            fixed(p.scored, 0),
        ]
    };
    Table {
        name: "Every setting",
        about: "Median time of a query over the rounds of the first build; nodes whose links were \
                followed and rows compared, where the index counts them.",
        words: 1,
        heads: heads(&[
            "Contestant",
            "ef",
            "Compared again",
            "Recall",
            "\u{b5}s",
            "Hops",
            "Compared",
        ]),
        rows: here.map(row).collect(),
    }
}
