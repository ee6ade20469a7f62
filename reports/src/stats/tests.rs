//! Counts, means and grades on runs small enough to work out by hand.

use super::*;

fn cell(dim: usize, variant: &str, ratio: f64, standing: Standing, verdict: Verdict) -> Cell {
    Cell {
        op: "f32/dot/pair".into(),
        dim,
        residence: "L1".into(),
        variant: variant.into(),
        technique: if variant == "scalar" { "scalar".into() } else { "hand".into() },
        ns_p50: Some(10.0 * ratio),
        ratio_to_best: Some(ratio),
        ratio_lo: Some(if ratio > 1.0 { ratio * 0.996 } else { 1.0 }),
        ratio_hi: Some(if ratio > 1.0 { ratio * 1.004 } else { 1.0 }),
        standing: Some(standing),
        verdict: Some(verdict),
        discarded_pct: Some(3.0),
        ..Cell::default()
    }
}

/// Three cells: `a` wins two, `a` and `b` tie in one where `scalar` was not timed.
fn run() -> Run {
    use Standing::{Behind, Tied, Winner};
    Run {
        cells: vec![
            cell(64, "a", 1.0, Winner, Verdict::Winner),
            cell(64, "b", 2.0, Behind, Verdict::Winner),
            cell(64, "scalar", 8.0, Behind, Verdict::Winner),
            cell(96, "a", 1.0, Winner, Verdict::Winner),
            cell(96, "b", 8.0, Behind, Verdict::Winner),
            cell(96, "scalar", 2.0, Behind, Verdict::Winner),
            cell(128, "a", 1.0, Tied, Verdict::Tie),
            cell(128, "b", 1.002, Tied, Verdict::Tie),
            Cell { not_run: Some("no".into()), ..cell(128, "c", 1.0, Behind, Verdict::Tie) },
        ],
        ..Run::default()
    }
}

#[test]
fn verdicts_are_counted_per_cell_not_per_entry() {
    let s = summary(&run());
    assert_eq!((s.cells, s.verdicts, s.unjudged), (3, [2, 1, 0, 0], 0));
    assert_eq!((s.timed, s.not_run), (8, 1));
    assert!((s.expected_false_winners - 0.1).abs() < 1e-12);
}

#[test]
fn geometric_means_are_taken_over_the_common_cells() {
    let all = variant_standings(&run());
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].cells, all[0].common), (3, 2));
    let of = |name: &str| all[0].tallies.iter().find(|t| t.name == name).unwrap();
    assert!((of("b").geomean.unwrap() - 4.0).abs() < 1e-12);
    assert!((of("scalar").geomean.unwrap() - 4.0).abs() < 1e-12);
    assert_eq!((of("a").winners, of("a").ties, of("a").geomean), (2, 1, Some(1.0)));
    assert!(!all[0].tallies.iter().any(|t| t.name == "c"), "an entry without a time was tallied");
    assert_eq!(all[0].tallies[0].name, "a");
}

#[test]
fn a_technique_stands_by_its_best_variant() {
    let s = technique_standings(&run());
    assert_eq!(s.tallies[0].name, "hand");
    assert_eq!((s.tallies[0].winners, s.tallies[0].ties), (2, 1));
    assert_eq!(s.tallies[0].geomean, Some(1.0));
}

#[test]
fn a_rare_variant_does_not_shrink_the_intersection() {
    let mut run = run();
    run.cells.push(cell(64, "only-64", 1.5, Standing::Behind, Verdict::Winner));
    let all = variant_standings(&run);
    assert_eq!(all[0].common, 2);
    let rare = all[0].tallies.iter().find(|t| t.name == "only-64").unwrap();
    assert_eq!((rare.cells, rare.geomean), (1, None));
}

#[test]
fn the_grade_follows_discarded_share_interval_and_noisy_cells() {
    let grade = |f: &dyn Fn(&mut Cell)| {
        let mut run = run();
        run.cells.iter_mut().for_each(f);
        summary(&run).noise.grade
    };
    assert_eq!(grade(&|_| {}), Some(Grade::A));
    assert_eq!(grade(&|c| c.discarded_pct = Some(10.0)), Some(Grade::B));
    assert_eq!(grade(&|c| c.ratio_hi = c.ratio_lo.map(|r| r * 1.04)), Some(Grade::C));
    assert_eq!(grade(&|c| c.verdict = Some(Verdict::Noisy)), Some(Grade::D));
    let bare = |c: &mut Cell| (c.discarded_pct, c.ratio_lo) = (None, None);
    assert_eq!(grade(&bare), None);
}

#[test]
fn an_empty_run_has_no_grade_and_no_setting() {
    let run = Run::default();
    let s = summary(&run);
    assert_eq!((s.cells, s.noise.grade), (0, None));
    assert_eq!(main_setting(&run), None);
    assert!(technique_standings(&run).tallies.is_empty());
    assert!(text_summary(&run).starts_with("0 cells"));
}

#[test]
fn figures_that_are_not_numbers_do_not_spread() {
    let mut run = run();
    run.cells[0].ratio_to_best = Some(f64::NAN);
    run.cells[1].ratio_hi = Some(f64::INFINITY);
    run.cells[3].discarded_pct = Some(f64::NAN);
    let s = summary(&run);
    assert!(s.noise.half_width_pct.is_some_and(f64::is_finite));
    for t in &variant_standings(&run)[0].tallies {
        assert!(t.geomean.is_none_or(f64::is_finite), "{t:?}");
    }
}

#[test]
fn the_main_setting_is_the_commonest_then_the_best_aligned() {
    let mut run = run();
    run.cells.retain(Cell::has_run);
    for (i, cell) in run.cells.iter_mut().enumerate() {
        cell.alignment = if i % 2 == 0 { "4".into() } else { "64".into() };
        cell.build = "base".into();
    }
    assert_eq!(main_setting(&run), Some(("64", "base")));
    run.cells[1].alignment = "4".into();
    assert_eq!(main_setting(&run), Some(("4", "base")));
}
