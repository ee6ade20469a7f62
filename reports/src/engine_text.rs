//! The section `engine` of a record as text, for the terminal.

use crate::schema::{Engine, Run};

/// Tables of rates, ratios, builds, filtered searches and waits; empty without the section.
#[must_use]
pub fn summary(run: &Run) -> String {
    let Some(engine) = &run.engine else { return String::new() };
    let mut text = String::new();
    for set in &run.datasets {
        let name = set.name.as_str();
        text += &format!("\n{name}: {} x {}, {} queries\n", set.rows, set.dim, set.queries);
        rates(engine, name, &mut text);
        ratios(engine, name, &mut text);
        builds(engine, name, &mut text);
        filtered(engine, name, &mut text);
        waits(engine, name, &mut text);
    }
    for n in &run.not_run {
        text += &format!("not run: {}: {}\n", n.what, n.why);
    }
    for n in &run.notes {
        text += &format!("note: {n}\n");
    }
    text
}

fn figure(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"))
}

/// The recalls that a record compares at, ascending.
pub(crate) fn targets(engine: &Engine) -> Vec<f64> {
    let mut all: Vec<f64> = engine.at_recall.iter().map(|a| a.target).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// Contestants of a set, in the record's order.
pub(crate) fn contestants<'a>(engine: &'a Engine, dataset: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for at in engine.at_recall.iter().filter(|a| a.dataset == dataset) {
        if !names.contains(&at.contestant.as_str()) {
            names.push(at.contestant.as_str());
        }
    }
    names
}

fn rates(engine: &Engine, dataset: &str, text: &mut String) {
    let targets = targets(engine);
    *text += &format!("  {:<26}", "queries/CPU-s at recall");
    targets.iter().for_each(|t| *text += &format!(" {t:>10.2}"));
    *text += "\n";
    for name in contestants(engine, dataset) {
        *text += &format!("  {name:<26}");
        for target in &targets {
            let at = engine
                .at_recall
                .iter()
                .find(|a| a.dataset == dataset && a.contestant == name && a.target == *target);
            let qps = at.and_then(|a| a.qps);
            let mark = if qps.is_some() && at.is_some_and(|a| !a.bracketed) { ">" } else { "" };
            *text += &format!(" {:>10}", format!("{mark}{}", figure(qps, 0)));
        }
        *text += "\n";
    }
}

fn ratios(engine: &Engine, dataset: &str, text: &mut String) {
    let here = || engine.ratios.iter().filter(|r| r.dataset == dataset);
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for r in here() {
        let pair = (r.contestant.as_str(), r.rival.as_str());
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    if pairs.is_empty() {
        return;
    }
    *text += "  rate of ours over the other's, with its interval\n";
    for (ours, rival) in pairs {
        *text += &format!("  {ours:<26} / {rival:<26}");
        for target in targets(engine) {
            let found =
                here().find(|r| r.contestant == ours && r.rival == rival && r.target == target);
            let cell = found.map_or_else(
                || "-".to_owned(),
                |r| {
                    let mark = if r.bracketed { "" } else { "~" };
                    let (lo, hi) = (figure(r.qps_ratio_lo, 2), figure(r.qps_ratio_hi, 2));
                    format!("{mark}{:.2} ({lo}..{hi})", r.qps_ratio)
                },
            );
            *text += &format!(" {cell:>20}");
        }
        *text += "\n";
    }
}

fn builds(engine: &Engine, dataset: &str, text: &mut String) {
    *text += &format!(
        "  {:<26} {:>5} {:>10} {:>10} {:>10} {:>10} {:>10}\n",
        "build", "nr", "CPU s, 1", "CPU s, 2", "wall s, 2", "RSS B/row", "held B/row"
    );
    for b in engine.build.iter().filter(|b| b.dataset == dataset) {
        *text += &format!(
            "  {:<26} {:>5} {:>10} {:>10} {:>10} {:>10} {:>10}\n",
            b.contestant,
            b.build,
            figure(b.cpu_s, 2),
            figure(b.cpu_2_s, 2),
            figure(b.wall_2_s, 2),
            figure(b.resident_per_row, 0),
            figure(b.held_per_row, 0)
        );
    }
}

fn filtered(engine: &Engine, dataset: &str, text: &mut String) {
    *text += &format!(
        "  {:<26} {:>7} {:>8} {:>5} {:>7} {:>10} {:>20}\n",
        "filtered", "% match", "matches", "ef", "recall", "us", "time / scan's"
    );
    for f in engine.filtered.iter().filter(|f| f.dataset == dataset) {
        *text += &format!(
            "  {:<26} {:>7} {:>8} {:>5} {:>7.4} {:>10.1} {:>20}\n",
            f.contestant,
            f.match_pct,
            f.matches,
            f.ef,
            f.recall,
            f.us,
            format!("{:.2} ({}..{})", f.to_scan, figure(f.to_scan_lo, 2), figure(f.to_scan_hi, 2))
        );
    }
}

fn waits(engine: &Engine, dataset: &str, text: &mut String) {
    *text += &format!(
        "  {:<26} {:>5} {:>6} {:>7} {:>10} {:>10}\n",
        "waiting", "ef", "rerank", "recall", "p50 us", "p99 us"
    );
    for l in engine.latency.iter().filter(|l| l.dataset == dataset) {
        *text += &format!(
            "  {:<26} {:>5} {:>6} {:>7.4} {:>10.1} {:>10.1}\n",
            l.contestant, l.ef, l.rerank, l.recall, l.p50_us, l.p99_us
        );
    }
}
