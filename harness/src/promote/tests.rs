//! The rules of promotion, each with a run made for it.

use annvil_kernels::Technique;

use super::*;
use crate::protocol::Alignment;

fn row(dim: usize, residence: &str, variant: &str, technique: &str, ratio: f64) -> Cell {
    Cell {
        op: "f32/dot/pair".into(),
        dim,
        residence: residence.into(),
        alignment: "64".into(),
        variant: variant.into(),
        technique: technique.into(),
        level: if variant == "scalar" { "scalar" } else { "avx2" }.into(),
        ns_p50: Some(ratio),
        ratio_to_best: Some(ratio),
        ratio_lo: Some(ratio * 0.998),
        ratio_hi: Some(ratio * 1.002),
        verified: true,
        ..Cell::default()
    }
}

fn run(cells: Vec<Cell>) -> Run {
    let mut run = Run { cells, created: "2030-01-01T00:00:00Z".into(), ..Run::default() };
    run.toolchain.profile = "release".into();
    run.toolchain.target = "x86_64-unknown-linux-gnu".into();
    run.source.revision = "0123456789abcdef".into();
    let flags = ["avx", "avx2", "fma", "bmi1", "bmi2", "f16c", "popcnt", "sse4_2"];
    run.host.flags = flags.map(str::to_owned).to_vec();
    run
}

/// A suite of just the cells that a run has.
fn suite_of(run: &Run) -> Vec<CellSpec> {
    let spec = |g: CellGroup<'_>| CellSpec {
        op: g.key.op.to_owned(),
        dim: g.key.dim,
        residence: g.key.residence.parse().unwrap(),
        alignment: if g.key.alignment == "64" { Alignment::Aligned } else { Alignment::Unaligned },
    };
    run.groups().into_iter().map(spec).collect()
}

/// Adds the variants that a run lacks, as rows that did not run: it was not narrowed.
fn whole(mut run: Run) -> Run {
    let mut rows = Vec::new();
    for group in run.groups() {
        for v in metas(group.key.op) {
            if !group.cells.iter().any(|c| c.variant == v.name) {
                let first = group.cells[0].clone();
                rows.push(Cell {
                    op: first.op,
                    dim: first.dim,
                    residence: first.residence,
                    alignment: first.alignment,
                    variant: v.name.into(),
                    technique: v.technique.to_string(),
                    not_run: Some("not here".into()),
                    ..Cell::default()
                });
            }
        }
    }
    run.cells.append(&mut rows);
    run
}

fn decide_by(run: &Run, before: &Table) -> Result<Promotion, PromoteError> {
    let suite = suite_of(run);
    promote(run, before, metas, Terms { suite: &suite, allow_dirty: false })
}

fn promoted(run: Run, before: &Table) -> Result<Table, PromoteError> {
    decide_by(&whole(run), before).map(|p| p.table)
}

fn metas(_: &str) -> Vec<VariantMeta> {
    [
        ("scalar", Technique::Scalar),
        ("simsimd", Technique::Simsimd),
        ("x4", Technique::Hand),
        ("x8", Technique::Hand),
    ]
    .map(|(name, technique)| VariantMeta { name, level: Level::Avx2, technique, not_run: None })
    .to_vec()
}

fn winners(run: &Run, before: &Table) -> Vec<(usize, Option<usize>, String)> {
    let table = promoted(run.clone(), before).unwrap();
    table.winner.into_iter().map(|w| (w.min_dim, w.max_dim, w.variant)).collect()
}

#[test]
fn classes_join_and_the_last_is_open() {
    let mut cells = Vec::new();
    for (dim, x4, x8) in [(8, 1.0, 1.5), (16, 1.0, 1.2), (96, 1.4, 1.0), (768, 1.3, 1.0)] {
        cells.push(row(dim, "L1", "scalar", "scalar", 4.0));
        cells.push(row(dim, "L1", "x4", "hand", x4));
        cells.push(row(dim, "L1", "x8", "hand", x8));
    }
    let found = winners(&run(cells.clone()), &Table::default());
    assert_eq!(found, [(1, Some(16), "x4".into()), (17, None, "x8".into())]);
    let table = promoted(run(cells), &Table::default()).unwrap();
    assert_eq!(table.winner[0].next_ratio, Some(1.2));
    assert_eq!(
        (table.winner[0].level.as_str(), table.winner[0].residence.as_str()),
        ("avx2", "cache")
    );
}

#[test]
fn a_rival_technique_never_wins_and_a_tie_goes_to_the_simpler() {
    let cells = vec![
        row(96, "L1", "simsimd", "simsimd", 1.0),
        row(96, "L1", "x8", "hand", 1.1),
        row(96, "L1", "x4", "hand", 1.105),
        row(96, "L1", "scalar", "scalar", 3.0),
    ];
    assert_eq!(winners(&run(cells), &Table::default()), [(1, None, "x4".into())]);
}

#[test]
fn an_incumbent_falls_only_to_a_clear_gain_without_a_loss() {
    let incumbent = |variant: &str| {
        let cells = vec![row(96, "L1", variant, "hand", 1.0)];
        promoted(run(cells), &Table::default()).unwrap()
    };
    let duel = |l1: f64, l2: f64| {
        let mut unaligned = row(96, "L1", "x4", "hand", l2.max(1.0));
        unaligned.alignment = "4".into();
        let mut other = row(96, "L1", "x8", "hand", (1.0 / l2).max(1.0));
        other.alignment = "4".into();
        run(vec![
            row(96, "L1", "x4", "hand", l1),
            row(96, "L1", "x8", "hand", 1.0),
            unaligned,
            other,
        ])
    };
    // x8 is faster by 30 % aligned; unaligned it is equal, then 5 % slower.
    assert_eq!(winners(&duel(1.3, 1.0), &incumbent("x4"))[0].2, "x8");
    assert_eq!(winners(&duel(1.3, 0.95), &incumbent("x4"))[0].2, "x4");
    // Within the margin the incumbent stays, whichever it is.
    assert_eq!(winners(&duel(1.005, 1.0), &incumbent("x4"))[0].2, "x4");
    assert_eq!(winners(&duel(1.005, 1.0), &incumbent("x8"))[0].2, "x8");
}

#[test]
fn residences_are_kept_apart_and_other_ops_are_kept() {
    let scan = |c: Cell| Cell { op: "f32/dot/scan".into(), ..c };
    let cells =
        vec![scan(row(96, "L1", "x4", "hand", 1.0)), scan(row(96, "DRAM", "x8", "hand", 1.0))];
    let mut before = promoted(run(cells.clone()), &Table::default()).unwrap();
    assert_eq!(before.winner.len(), 2);
    before.winner[0].op = "f32/l1/pair".into();
    let after = promoted(run(cells), &before).unwrap();
    assert!(after.winner.iter().any(|w| w.op == "f32/l1/pair"));
    assert_eq!(after.winner.len(), 3);
}

#[test]
fn nothing_is_promoted_from_a_debug_build_or_from_unverified_rows() {
    let mut bad = run(vec![row(96, "L1", "x4", "hand", 1.0)]);
    bad.cells[0].verified = false;
    let result = promoted(bad.clone(), &Table::default());
    assert_eq!(result, Err(PromoteError::NoCandidate));
    bad.toolchain.profile = "debug".into();
    let result = promoted(bad.clone(), &Table::default());
    assert!(matches!(result, Err(PromoteError::Profile { .. })));
}

#[test]
fn files_round_trip() {
    let cells = vec![row(8, "L1", "x4", "hand", 1.0), row(96, "L1", "x8", "hand", 1.0)];
    let table = promoted(run(cells), &Table::default()).unwrap();
    let text = table.to_toml().unwrap();
    assert_eq!(Table::parse(&text).unwrap(), table);
    assert_eq!(Table::parse(&Table::default().to_toml().unwrap()).unwrap(), Table::default());
    assert!(Table::parse("[[winner]]\nop = 3\n").is_err());
    let code = "// old\nuse x;\npub static WINNERS: &[Winner] = &[];\nfn f() {}\n";
    let made = table.to_code(&text, code).unwrap();
    assert!(made.starts_with("// @generated by cargo xtask promote from kernels/winners.toml"));
    let last = "won(\"f32/dot/pair\", Level::Avx2, 9, usize::MAX, Residence::Cache, \"x8\"),";
    assert!(made.contains(last), "{made}");
    assert!(made.ends_with("];\nfn f() {}\n") && made.contains("use x;"));
    assert_eq!(table.to_code(&text, &made).unwrap(), made, "replacing is idempotent");
    assert!(table.to_code(&text, "no list\n").is_err());
}

#[test]
fn a_part_of_a_suite_is_refused() {
    let mut cells = Vec::new();
    for dim in [8, 96] {
        cells.extend(
            ["scalar", "x4", "x8"]
                .map(|v| row(dim, "L1", v, if v == "scalar" { "scalar" } else { "hand" }, 1.5)),
        );
    }
    let full = run(cells);
    let suite = suite_of(&full);
    let against = |run: &Run| {
        promote(run, &Table::default(), metas, Terms { suite: &suite, allow_dirty: false })
    };
    against(&full).unwrap();
    let partial = |keep: fn(&Cell) -> bool| {
        let mut part = full.clone();
        part.cells.retain(keep);
        match against(&part) {
            Err(PromoteError::Partial { missing, first }) => (missing, first),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(partial(|c| c.dim == 8), (1, "f32/dot/pair@96@L1@aligned".into()));
    assert_eq!(partial(|c| c.variant != "x4").0, 2);
    assert_eq!(partial(|c| c.dim == 8 || c.variant != "x8").1, "f32/dot/pair@96@L1@aligned#x8");
}

#[test]
fn a_border_that_the_run_did_not_measure_is_not_stretched_over() {
    let of = |dims: &[(usize, f64)]| {
        let mut cells = Vec::new();
        for &(dim, x4) in dims {
            cells.push(row(dim, "L1", "x4", "hand", x4));
            cells.push(row(dim, "L1", "x8", "hand", 1.2));
        }
        run(cells)
    };
    let fine = promoted(of(&[(8, 1.0), (12, 1.5), (16, 1.0)]), &Table::default()).unwrap();
    assert_eq!(fine.winner.len(), 3);
    let coarse = of(&[(8, 1.0), (16, 1.0)]);
    let refused = promoted(coarse.clone(), &fine);
    assert!(matches!(refused, Err(PromoteError::Coarser { dim: 12, .. })), "{refused:?}");
    // The other way about, and between equals, all is decided anew.
    assert_eq!(winners(&of(&[(8, 1.0), (12, 1.0), (16, 1.5)]), &fine).len(), 2);
    assert_eq!(winners(&coarse, &Table::default()), [(1, None, "x4".into())]);
}

#[test]
fn a_noisy_cell_decides_nothing() {
    let quiet = |x4: f64, x8: f64| {
        let at = |dim| [row(dim, "L1", "x4", "hand", x4), row(dim, "L1", "x8", "hand", x8)];
        run([8, 96, 768].into_iter().flat_map(at).collect())
    };
    let mut loud = quiet(1.0, 1.5);
    for c in loud.cells.iter_mut().filter(|c| c.dim == 96) {
        c.verdict = Some(Verdict::Noisy);
    }
    // Without an incumbent the class stays open, and its neighbours do not reach over it.
    let expected = [(1, Some(8), "x4".to_owned()), (97, None, "x4".to_owned())];
    assert_eq!(winners(&loud, &Table::default()), expected);
    let p = decide_by(&whole(loud.clone()), &Table::default()).unwrap();
    assert!(p.undecided[0].contains("dim 96") && p.undecided.len() == 1, "{:?}", p.undecided);
    // With one it stays, on the evidence that it had.
    let mut before = promoted(quiet(1.5, 1.0), &Table::default()).unwrap();
    before.winner[0].record = "older".into();
    let after = promoted(loud.clone(), &before).unwrap().winner;
    let found: Vec<_> = after.iter().map(|w| (w.min_dim, w.max_dim, w.variant.as_str())).collect();
    assert_eq!(found, [(1, Some(8), "x4"), (9, Some(96), "x8"), (97, None, "x4")]);
    assert_eq!(after[1].record, "older");
    // A last class without a decision does not leave the one before it open.
    for c in &mut loud.cells {
        c.verdict = (c.dim == 768).then_some(Verdict::Noisy);
    }
    assert_eq!(winners(&loud, &Table::default()), [(1, Some(96), "x4".into())]);
    // All noisy: nothing at all.
    loud.cells.iter_mut().for_each(|c| c.verdict = Some(Verdict::Noisy));
    assert_eq!(promoted(loud, &Table::default()), Err(PromoteError::NoCandidate));
}

#[test]
fn the_level_is_the_cpus_and_not_that_of_what_ran() {
    let mut wide = run(vec![row(96, "L1", "x4", "hand", 1.0)]);
    let more = ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"];
    wide.host.flags.extend(more.map(str::to_owned));
    let levels: Vec<String> = promoted(wide.clone(), &Table::default())
        .unwrap()
        .winner
        .into_iter()
        .map(|w| w.level)
        .collect();
    // One for this CPU, and one for CPUs of the level of the variant that ran.
    assert_eq!(levels, ["avx2", "avx512"]);
    wide.host.flags.clear();
    assert_eq!(promoted(wide.clone(), &Table::default()), Err(PromoteError::NoLevel));
    wide.toolchain.target = "aarch64-apple-darwin".into();
    assert_eq!(promoted(wide, &Table::default()).unwrap().winner[0].level, "neon");
}

#[test]
fn this_cpus_flags_name_its_level() {
    let target = crate::env::toolchain().target;
    if target.starts_with("x86_64") && cfg!(target_os = "linux") {
        let level = best_level(&crate::env::host(), &target);
        assert_eq!(level.unwrap_or(Level::Scalar), Level::best());
    }
}

#[test]
fn a_dirty_tree_needs_a_word() {
    let mut dirty = run(vec![row(96, "L1", "x4", "hand", 1.0)]);
    dirty.source.dirty = true;
    let refused = promoted(dirty.clone(), &Table::default());
    assert!(matches!(refused, Err(PromoteError::Source { .. })));
    let dirty = whole(dirty);
    let suite = suite_of(&dirty);
    let terms = Terms { suite: &suite, allow_dirty: true };
    let table = promote(&dirty, &Table::default(), metas, terms).unwrap().table;
    assert!(table.winner[0].record.ends_with("0123456789ab+"), "the row says so");
    let mut unknown = dirty;
    unknown.source = annvil_reports::schema::Source::default();
    assert!(matches!(promoted(unknown, &Table::default()), Err(PromoteError::Source { .. })));
}

#[test]
fn only_scans_and_gathers_have_rows_for_memory() {
    let mut cells = Vec::new();
    for op in ["f32/dot/pair", "f32/dot/scan", "f32/cosine/scan_norms", "f32/norm_sq/row"] {
        for residence in ["L1", "DRAM"] {
            cells.push(Cell { op: op.into(), ..row(96, residence, "x4", "hand", 1.0) });
        }
    }
    let table = promoted(run(cells), &Table::default()).unwrap();
    let found: Vec<_> =
        table.winner.iter().map(|w| (w.op.as_str(), w.residence.as_str())).collect();
    assert_eq!(
        found,
        [
            ("f32/cosine/scan_norms", "cache"),
            ("f32/cosine/scan_norms", "dram"),
            ("f32/dot/pair", "cache"),
            ("f32/dot/scan", "cache"),
            ("f32/dot/scan", "dram"),
            ("f32/norm_sq/row", "cache"),
        ]
    );
}
