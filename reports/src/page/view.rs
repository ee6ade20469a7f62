//! The other sections: strip, standings, workloads, curves, what did not run, environment, method.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::{bytes, count, fixed, maybe, percent, significant, text};
use super::heat::mark;
use crate::chart::{self, Chart, ChartError, Measure};
use crate::schema::{CellGroup, Run, Verdict, Workload};
use crate::stats::{self, Standings, Summary};

#[derive(Debug, Serialize)]
pub(super) struct Strip {
    title: String,
    created: String,
    mode: String,
    command: String,
    cells: usize,
    timed: usize,
    not_run: usize,
    verdicts: Vec<Count>,
    expected_false: String,
    alpha_pct: String,
    grade: String,
    noise: String,
    host: String,
}

#[derive(Debug, Serialize)]
struct Count {
    mark: &'static str,
    name: &'static str,
    n: usize,
}

pub(super) fn strip(run: &Run, s: &Summary) -> Strip {
    let mut verdicts: Vec<Count> = Verdict::ALL
        .iter()
        .map(|v| Count { mark: mark(Some(*v)).0, name: v.name(), n: s.of(*v) })
        .collect();
    if s.unjudged > 0 {
        verdicts.push(Count { mark: "-", name: "NOT JUDGED", n: s.unjudged });
    }
    let noise = match s.noise.grade {
        None => "no interval and no discarded share is recorded".to_owned(),
        Some(_) => format!(
            "median discarded {} %, median interval half-width {} %",
            maybe(s.noise.discarded_pct, 2),
            maybe(s.noise.half_width_pct, 2)
        ),
    };
    Strip {
        title: if run.host.cpu.is_empty() { "a run".into() } else { run.host.cpu.clone() },
        created: text(&run.created),
        mode: run.mode.to_string(),
        command: run.command.clone(),
        cells: s.cells,
        timed: s.timed,
        not_run: s.not_run,
        verdicts,
        expected_false: format!("{:.1}", s.expected_false_winners),
        alpha_pct: percent(run.rule.alpha),
        grade: s.noise.grade.map_or_else(|| text(""), |g| g.to_string()),
        noise,
        host: host_line(run),
    }
}

fn host_line(run: &Run) -> String {
    let host = &run.host;
    let mut parts = Vec::new();
    parts.extend(host.cores.map(|n| format!("{n} cores")));
    parts.extend(host.memory_bytes.map(bytes));
    parts.extend(host.hypervisor.as_ref().map(|h| format!("under {h}")));
    for part in [&host.os, &run.toolchain.rustc] {
        if !part.is_empty() {
            parts.push(part.clone());
        }
    }
    if !run.source.revision.is_empty() {
        let short: String = run.source.revision.chars().take(12).collect();
        let dirty = if run.source.dirty { ", with local changes" } else { "" };
        parts.push(format!("source {short}{dirty}"));
    }
    parts.join(" \u{b7} ")
}

#[derive(Debug, Serialize)]
pub(super) struct StandingsView {
    op: String,
    cells: usize,
    common: usize,
    rows: Vec<StandingsRow>,
}

#[derive(Debug, Serialize)]
struct StandingsRow {
    name: String,
    technique: String,
    winners: usize,
    ties: usize,
    cells: usize,
    geomean: String,
}

pub(super) fn standings(s: &Standings) -> StandingsView {
    let row = |t: &stats::Tally| StandingsRow {
        name: text(&t.name),
        technique: text(&t.technique),
        winners: t.winners,
        ties: t.ties,
        cells: t.cells,
        geomean: fixed(t.geomean, 3),
    };
    StandingsView {
        op: s.op.clone(),
        cells: s.cells,
        common: s.common,
        rows: s.tallies.iter().map(row).collect(),
    }
}

/// The workloads over one data set.
#[derive(Debug, Serialize)]
pub(super) struct WorkloadGroup {
    dataset: String,
    shape: String,
    rows: Vec<WorkloadRow>,
}

#[derive(Debug, Serialize)]
struct WorkloadRow {
    index: String,
    metric: String,
    k: usize,
    recall: String,
    exact: bool,
    queries: String,
    qps: String,
    p50: String,
    p99: String,
    threads: usize,
    kernel: String,
    place: usize,
}

/// Workloads that ran, in the record's order, each run of one data set under its name.
pub(super) fn workloads(run: &Run) -> Vec<WorkloadGroup> {
    let ran: Vec<(usize, &Workload)> =
        run.workloads.iter().enumerate().filter(|(_, w)| w.not_run.is_none()).collect();
    let over = |w: &Workload| (w.dataset.clone(), w.rows, w.dim);
    ran.chunk_by(|(_, a), (_, b)| over(a) == over(b))
        .map(|of_set| {
            let w = of_set[0].1;
            WorkloadGroup {
                dataset: text(&w.dataset),
                shape: format!("{} rows of {} values", count(w.rows), w.dim),
                rows: of_set.iter().map(|(place, w)| workload(*place, w)).collect(),
            }
        })
        .collect()
}

fn workload(place: usize, w: &Workload) -> WorkloadRow {
    WorkloadRow {
        index: text(&w.index),
        metric: text(&w.metric),
        k: w.k,
        recall: fixed(w.recall, 4),
        exact: w.recall == Some(1.0),
        queries: count(w.queries),
        qps: w.qps.map_or_else(
            || text(""),
            |q| if (100.0..1e15).contains(&q) { count(q as u64) } else { significant(q, 3) },
        ),
        p50: maybe(w.p50_us, 3),
        p99: maybe(w.p99_us, 3),
        threads: w.threads,
        kernel: text(&w.kernel),
        place,
    }
}

#[derive(Debug, Serialize)]
pub(super) struct OpView {
    op: String,
    standings: StandingsView,
    figures: Vec<Figure>,
}

#[derive(Debug, Serialize)]
struct Figure {
    residence: String,
    charts: Vec<Drawing>,
}

#[derive(Debug, Serialize)]
struct Drawing {
    caption: &'static str,
    /// Markup, made by this crate.
    svg: String,
}

/// Per op: its variants' standings, and two drawings per residence in the main setting.
pub(super) fn ops(run: &Run, groups: &[CellGroup<'_>]) -> Result<Vec<OpView>, ChartError> {
    let main = stats::main_setting(run);
    let mut charts: BTreeMap<(&str, u8, &str), Vec<CellGroup<'_>>> = BTreeMap::new();
    for group in groups.iter().filter(|g| main == Some((g.key.alignment, g.key.build))) {
        let k = &group.key;
        charts.entry((k.op, k.residence_rank, k.residence)).or_default().push(group.clone());
    }
    let mut views = Vec::new();
    let mut serial = 0;
    for of_op in stats::variant_standings(run).iter().filter(|s| s.cells > 0) {
        let mut view =
            OpView { op: of_op.op.clone(), standings: standings(of_op), figures: Vec::new() };
        for ((op, _, residence), groups) in charts.iter().filter(|((op, ..), _)| *op == of_op.op) {
            let mut drawings = Vec::new();
            for (measure, caption) in [
                (Measure::NsPerValue, "ns per value, log scale"),
                (Measure::PctOfLimit, "percent of the measured limit"),
            ] {
                let series = chart::series(groups, measure);
                if series.is_empty() {
                    continue;
                }
                serial += 1;
                let title = format!("{op}, rows in {residence}: {caption}, over dimensions");
                let chart = Chart { id: format!("chart-{serial}"), title, measure, series };
                drawings.push(Drawing { caption, svg: chart.svg()? });
            }
            if !drawings.is_empty() {
                view.figures.push(Figure { residence: text(residence), charts: drawings });
            }
        }
        views.push(view);
    }
    Ok(views)
}

#[derive(Debug, Serialize)]
pub(super) struct NotRunRow {
    what: String,
    scope: String,
    why: String,
}

/// Variants that could not run, joined by variant and reason, then workloads, then the rest.
pub(super) fn not_run(run: &Run) -> Vec<NotRunRow> {
    type Scope<'a> = (BTreeSet<&'a str>, usize);
    let mut variants: BTreeMap<(&str, &str), Scope<'_>> = BTreeMap::new();
    for cell in run.cells.iter().filter(|c| !c.has_run()) {
        let why = cell.not_run.as_deref().unwrap_or("no time is recorded");
        let (ops, n) = variants.entry((&cell.variant, why)).or_default();
        ops.insert(&cell.op);
        *n += 1;
    }
    let mut rows: Vec<NotRunRow> = variants
        .into_iter()
        .map(|((variant, why), (ops, n))| NotRunRow {
            what: text(variant),
            scope: format!(
                "{n} {}: {}",
                if n == 1 { "cell" } else { "cells" },
                ops.into_iter().collect::<Vec<_>>().join(", ")
            ),
            why: why.to_owned(),
        })
        .collect();
    for w in &run.workloads {
        if let Some(why) = &w.not_run {
            rows.push(NotRunRow {
                what: text(&w.dataset),
                scope: format!("workload {} {}", w.index, w.metric),
                why: why.clone(),
            });
        }
    }
    rows.extend(run.not_run.iter().map(|n| NotRunRow {
        what: text(&n.what),
        scope: text(""),
        why: n.why.clone(),
    }));
    rows
}

#[derive(Debug, Serialize)]
pub(super) struct Environment {
    facts: Vec<(&'static str, String)>,
    flags: Vec<String>,
    limits: Vec<LimitRow>,
    datasets: Vec<DatasetRow>,
}

#[derive(Debug, Serialize)]
struct LimitRow {
    name: String,
    level: String,
    value: String,
    unit: String,
    how: String,
}

#[derive(Debug, Serialize)]
struct DatasetRow {
    name: String,
    rows: String,
    dim: usize,
    queries: String,
    dtype: String,
    source: String,
    licence: String,
    sha256: String,
}

pub(super) fn environment(run: &Run) -> Environment {
    let (host, tool) = (&run.host, &run.toolchain);
    let number = |n: Option<u32>| n.map_or_else(|| text(""), |n| n.to_string());
    let caches: Vec<String> = host
        .caches
        .iter()
        .map(|c| {
            format!("L{} {} {} (shared by {})", c.level, c.kind, bytes(c.size_bytes), c.shared_by)
        })
        .collect();
    let load: Vec<String> = host.load_avg.iter().map(|l| significant(*l, 3)).collect();
    let absent = |s: &Option<String>, none: &str| s.clone().unwrap_or_else(|| none.to_owned());
    let dirty = if run.source.dirty { " (with local changes)" } else { "" };
    let facts = vec![
        ("CPU", text(&host.cpu)),
        (
            "Vendor, family, model",
            format!("{}, {}, {}", text(&host.vendor), number(host.family), number(host.model)),
        ),
        ("Microcode", absent(&host.microcode, "not visible")),
        ("Caches", text(&caches.join("; "))),
        ("Memory", host.memory_bytes.map_or_else(|| text(""), bytes)),
        ("Logical cores", number(host.cores)),
        ("Hypervisor", absent(&host.hypervisor, "none seen")),
        (
            "Steal during the run",
            host.steal_pct.map_or_else(|| text(""), |s| format!("{} %", significant(s, 2))),
        ),
        ("Frequency governor", absent(&host.governor, "not visible")),
        ("Load average at start", text(&load.join(", "))),
        ("Operating system", text(&host.os)),
        ("Kernel", text(&host.kernel)),
        ("Compiler", text(&tool.rustc)),
        ("LLVM", text(&tool.llvm)),
        ("Target", text(&tool.target)),
        ("Flags", text(&tool.flags)),
        ("Profile", text(&tool.profile)),
        ("Source", format!("{}{dirty}", text(&run.source.revision))),
        ("Command", text(&run.command)),
        ("Schema", run.schema.clone()),
    ];
    let limit = |l: &crate::schema::Limit| LimitRow {
        name: text(&l.name),
        level: text(&l.level),
        value: significant(l.value, 4),
        unit: l.unit.clone(),
        how: text(&l.how),
    };
    let dataset = |d: &crate::schema::Dataset| DatasetRow {
        name: text(&d.name),
        rows: count(d.rows),
        dim: d.dim,
        queries: count(d.queries),
        dtype: text(&d.dtype),
        source: text(&d.source),
        licence: text(&d.licence),
        sha256: d.sha256.as_deref().map_or_else(|| text(""), |s| s.chars().take(16).collect()),
    };
    Environment {
        facts,
        flags: host.flags.clone(),
        limits: run.limits.iter().map(limit).collect(),
        datasets: run.datasets.iter().map(dataset).collect(),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Method {
    alpha_pct: String,
    margin_pct: String,
    correction: String,
    /// Timed entries whose results were not checked, and whose level was not observed.
    unverified: usize,
    unproved: usize,
    notes: Vec<String>,
    selftest: Option<SelftestView>,
    example: String,
    main_alignment: String,
    main_build: String,
}

#[derive(Debug, Serialize)]
struct SelftestView {
    passed: bool,
    rows: Vec<(String, String)>,
    notes: Vec<String>,
}

pub(super) fn method(run: &Run) -> Method {
    let of = |n: u64, all: u64| format!("{n} of {all}");
    let selftest = run.selftest.as_ref().map(|s| SelftestView {
        passed: s.passed,
        rows: vec![
            (
                "Winners named among identical kernels, without the margin".into(),
                of(s.aa_false_winners, s.aa_trials),
            ),
            (
                "Winners named among identical kernels, with the margin".into(),
                of(s.aa_false_winners_margin, s.aa_trials),
            ),
            (
                format!("Planted slow-downs of {} % found", percent(s.injected_pct / 100.0)),
                of(s.injected_found, s.injected_trials),
            ),
        ],
        notes: s.notes.clone(),
    });
    let example = run.cells.iter().find(|c| c.has_run() && !c.command.is_empty());
    let (alignment, build) = stats::main_setting(run).unwrap_or(("", ""));
    Method {
        alpha_pct: percent(run.rule.alpha),
        margin_pct: percent(run.rule.margin),
        correction: text(&run.rule.correction),
        unverified: run.cells.iter().filter(|c| c.has_run() && !c.verified).count(),
        unproved: run.cells.iter().filter(|c| c.has_run() && c.ran_level.is_none()).count(),
        notes: run.notes.clone(),
        selftest,
        example: example.map_or_else(String::new, |c| c.command.clone()),
        main_alignment: text(alignment),
        main_build: text(build),
    }
}
