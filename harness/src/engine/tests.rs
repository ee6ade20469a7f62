//! The suite from end to end, on the smallest set.

use std::cell::Cell;

use annvil_reports::schema::Run;

use super::*;
use crate::data::builtin_root;

struct Quiet {
    steps: usize,
    /// Says stop after so many.
    end_after: usize,
    asked: Cell<usize>,
}

impl Quiet {
    fn new(end_after: usize) -> Self {
        Self { steps: 0, end_after, asked: Cell::new(0) }
    }
}

impl Watch for Quiet {
    fn begin(&mut self, _what: &str) {}

    fn done(&mut self, _what: &str) {
        self.steps += 1;
    }

    fn stopped(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.steps >= self.end_after
    }
}

fn plan(only: &[&str]) -> EnginePlan {
    let only = only.iter().map(|s| (*s).to_owned()).collect();
    EnginePlan { builds: 2, rounds: 2, seed: 5, only, full: false }
}

fn digits() -> Dataset {
    Dataset::open(&builtin_root().join("digits")).unwrap()
}

#[test]
fn digits_from_end_to_end() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let mut watch = Quiet::new(usize::MAX);
    let plan = plan(&["annvil f32", "annvil sq8"]);
    let out = run_set(&digits(), &plan, None, &pool, &mut watch).unwrap();
    assert!(!out.stopped && out.not_run.is_empty(), "{:?}", out.not_run);
    let engine = &out.engine;
    for name in ["annvil f32", "annvil sq8"] {
        let points: Vec<_> = engine.points.iter().filter(|p| p.contestant == name).collect();
        let most = points.iter().map(|p| p.recall).fold(0.0, f64::max);
        assert!(most > 0.99, "{name} finds {most}");
        assert!(points.iter().all(|p| p.us > 0.0 && p.scored.is_some_and(|s| s >= 10.0)));
        assert!(points.iter().any(|p| p.build == 1));
        let built: Vec<_> = engine.build.iter().filter(|b| b.contestant == name).collect();
        assert_eq!(built.len(), 2);
        // A row of 64 elements, its links, and what the code adds.
        assert!(built.iter().all(|b| b.held_per_row.is_some_and(|h| (384.0..900.0).contains(&h))));
        assert!(engine.latency.iter().any(|l| l.contestant == name && l.p99_us >= l.p50_us));
        for pct in SELECTIVITIES {
            let rows: Vec<_> = engine
                .filtered
                .iter()
                .filter(|f| f.match_pct == pct && f.contestant == name)
                .collect();
            assert_eq!(rows.len(), 1, "{name} at {pct} %");
            assert!(rows[0].recall > 0.9, "{:?}", rows[0]);
        }
    }
    let scans: Vec<_> = engine.filtered.iter().filter(|f| f.contestant == "exact scan").collect();
    assert_eq!(scans.len(), SELECTIVITIES.len());
    assert!(scans.iter().all(|s| s.recall == 1.0 && s.to_scan == 1.0), "{scans:?}");
    assert_eq!(engine.at_recall.len(), 2 * TARGETS.len());
    let ratio = engine.ratios.iter().find(|r| r.contestant == "annvil sq8" && r.target == 0.99);
    assert_eq!(ratio.unwrap().spread_over, "builds");
    // The record holds it all, and comes back the same.
    let run = Run { engine: Some(out.engine), ..Run::default() };
    let text = run.to_json().unwrap();
    let back = Run::from_json(text.as_bytes(), Path::new("x")).unwrap();
    assert_eq!(back.to_json().unwrap(), text);
}

#[test]
fn what_was_done_before_a_stop_is_kept() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    // Two steps build, one looks, two are rounds: the second build is not reached.
    let mut watch = Quiet::new(6);
    let out = run_set(&digits(), &plan(&["annvil f32"]), None, &pool, &mut watch).unwrap();
    assert!(out.stopped);
    assert!(out.engine.points.iter().all(|p| p.build == 0));
    assert_eq!(out.engine.build.iter().filter(|b| b.build == 0).count(), 1);
}

#[test]
fn an_order_is_a_permutation_and_the_first_is_the_sets_own() {
    assert_eq!(build_order(5, 0, 9), [0, 1, 2, 3, 4]);
    let (one, two) = (build_order(1000, 1, 9), build_order(1000, 2, 9));
    assert_ne!(one, two);
    let mut sorted = one;
    sorted.sort_unstable();
    assert_eq!(sorted, build_order(1000, 0, 9));
}

#[test]
fn contestants_have_names_of_their_own() {
    let all = contestants(true);
    let names: std::collections::BTreeSet<_> = all.iter().map(|c| c.name()).collect();
    assert_eq!(names.len(), all.len());
    for c in &all {
        let settings = c.settings(K, &EFS);
        assert!(settings.iter().all(|s| s.ef >= K && s.rerank <= s.ef), "{}", c.name());
        assert!(settings.windows(2).all(|w| w[0] != w[1] && w[0].ef <= w[1].ef));
    }
}

#[cfg(feature = "rivals")]
#[test]
fn rivals_answer_too() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let plan = EnginePlan { builds: 1, ..plan(&["f32", "ruvector"]) };
    let out = run_set(&digits(), &plan, None, &pool, &mut Quiet::new(usize::MAX)).unwrap();
    for name in ["hnsw_rs f32", "usearch f32", "ruvector index", "ruvector database"] {
        let points = out.engine.points.iter().filter(|p| p.contestant == name);
        let most = points.map(|p| p.recall).fold(0.0, f64::max);
        assert!(most > 0.97, "{name} finds {most}");
    }
    for name in ["hnsw_rs f32", "usearch f32"] {
        let all = out.engine.filtered.iter().find(|f| f.contestant == name && f.match_pct == 100.0);
        assert!(all.unwrap().recall > 0.9);
    }
    assert!(out.not_run.iter().any(|n| n.what.starts_with("ruvector database, filtered")));
}
