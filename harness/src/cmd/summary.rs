//! The end of a bench on the terminal: one line a cell, and how often who won.

use annvil_reports::schema::{CellGroup, Run, Verdict};
use annvil_reports::stats::text_summary;

/// The table of a run.
pub(crate) fn table(run: &Run) -> String {
    let groups = run.groups();
    let mut text = format!(
        "{:<26} {:>5} {:<5} {:<3} {:<9} {:<22} {:>9} {:>10} {:>8}\n",
        "op", "dim", "where", "al", "verdict", "best", "ns", "vs simsimd", "% limit"
    );
    for group in &groups {
        let Some(verdict) = group.verdict() else { continue };
        text += &line(group, verdict);
    }
    text += &text_summary(run);
    text + &searches(run)
}

/// One line a search.
fn searches(run: &Run) -> String {
    if run.workloads.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n{:<26} {:<8} {:<18} {:>3} {:>7} {:>10} {:>9} {:>9}  {}\n",
        "exact search",
        "metric",
        "index",
        "thr",
        "recall",
        "queries/s",
        "p50 us",
        "p99 us",
        "kernel"
    );
    let figure = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}"))
    };
    for w in &run.workloads {
        if let Some(why) = &w.not_run {
            text += &format!("{:<26} not run: {why}\n", w.dataset);
            continue;
        }
        text += &format!(
            "{:<26} {:<8} {:<18} {:>3} {:>7} {:>10} {:>9} {:>9}  {}\n",
            w.dataset,
            w.metric,
            w.index,
            w.threads,
            figure(w.recall, 4),
            figure(w.qps, 0),
            figure(w.p50_us, 1),
            figure(w.p99_us, 1),
            w.kernel
        );
    }
    text
}

fn line(group: &CellGroup<'_>, verdict: Verdict) -> String {
    let Some(best) = group.best() else { return String::new() };
    let figure = |value: Option<f64>, digits: usize, unit: &str| {
        value.map_or_else(|| "-".to_owned(), |v| format!("{v:.digits$}{unit}"))
    };
    // How much longer the fastest SimSIMD kernel takes than the best.
    let rival = group
        .timed()
        .filter(|c| c.technique == "simsimd")
        .filter_map(|c| c.ratio_to_best)
        .min_by(f64::total_cmp);
    format!(
        "{:<26} {:>5} {:<5} {:<3} {:<9} {:<22} {:>9} {:>10} {:>8}\n",
        group.key.op,
        group.key.dim,
        group.key.residence,
        group.key.alignment,
        verdict.name(),
        best.variant,
        figure(best.ns_p50, 2, ""),
        figure(rival, 2, "x"),
        figure(best.pct_of_limit, 0, " %")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use annvil_reports::schema::Cell;

    #[test]
    fn a_cell_shows_its_best_and_the_rival() {
        let row = |variant: &str, technique: &str, ns: f64, ratio: f64| Cell {
            op: "f32/dot/pair".into(),
            dim: 96,
            residence: "L1".into(),
            variant: variant.into(),
            technique: technique.into(),
            ns_p50: Some(ns),
            ratio_to_best: Some(ratio),
            verdict: Some(Verdict::Winner),
            ..Cell::default()
        };
        let cells = vec![row("hand-x4", "hand", 2.0, 1.0), row("simsimd", "simsimd", 3.0, 1.5)];
        let text = table(&Run { cells, ..Run::default() });
        assert!(text.contains("hand-x4") && text.contains("1.50x"), "{text}");
        assert!(text.contains("\n1 cells: 1 WINNER"), "{text}");
        assert!(table(&Run::default()).contains("0 cells"));
    }
}
