//! The record on disk: round trips, refusals, hostile text.

use super::*;

fn run() -> Run {
    let cell = |variant: &str, dim, residence: &str| Cell {
        op: "f32/l2sq/pair".into(),
        variant: variant.into(),
        dim,
        residence: residence.into(),
        ns_p50: Some(1.0 / 3.0),
        verdict: Some(Verdict::Winner),
        standing: Some(Standing::Behind),
        ..Cell::default()
    };
    Run {
        cells: vec![
            cell("a", 1024, "DRAM"),
            cell("b", 96, "L2"),
            cell("a", 96, "L1"),
            cell("b", 96, "L1"),
        ],
        ..Run::default()
    }
}

#[test]
fn a_saved_record_loads_and_saves_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("results.json");
    run().save(&path).unwrap();
    let first = fs::read(&path).unwrap();
    Run::load(&path).unwrap().save(&path).unwrap();
    assert_eq!(first, fs::read(&path).unwrap());
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "a file was left beside the record");
}

#[test]
fn the_packed_form_reads_back_to_the_same_run() {
    let rounded = Run::from_json(run().to_json().unwrap().as_bytes(), Path::new("x")).unwrap();
    let packed = rounded.to_packed_json().unwrap();
    assert_eq!(Run::from_json(packed.as_bytes(), Path::new("x")).unwrap(), rounded);
}

#[test]
fn another_schema_is_refused_with_the_file_and_the_id() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.json");
    fs::write(&path, r#"{"schema":"annvil.run/2","cells":"of another kind"}"#).unwrap();
    let said = Run::load(&path).unwrap_err().to_string();
    assert!(said.contains("r.json") && said.contains("annvil.run/2"), "{said}");
    fs::write(&path, "{}").unwrap();
    let said = Run::load(&path).unwrap_err().to_string();
    assert!(said.contains("names no schema"), "{said}");
}

#[test]
fn unknown_and_missing_fields_are_tolerated() {
    let text = br#"{"schema":"annvil.run/1","new":{"a":[1]},"cells":[{"op":"x","later":3}]}"#;
    let run = Run::from_json(text, Path::new("x")).unwrap();
    assert_eq!((run.cells.len(), run.cells[0].op.as_str()), (1, "x"));
    assert_eq!(run.rule, Rule::default());
}

#[test]
fn hostile_text_gives_an_error() {
    for text in [
        &b""[..],
        b"[",
        b"null",
        b"\xff\xfe",
        br#"{"schema":"annvil.run/1","cells":7}"#,
        br#"{"schema":"annvil.run/1","cells":{"fields":["op"],"rows":[["a",1]]}}"#,
        br#"{"schema":"annvil.run/1","cells":{"fields":["dim"],"rows":[["a"]]}}"#,
        br#"{"schema":"annvil.run/1","cells":{"fields":["op"],"coded":["op"],"rows":[[0]]}}"#,
        br#"{"schema":"annvil.run/1","limits":[{"value":null}]}"#,
    ] {
        assert!(Run::from_json(text, Path::new("x")).is_err(), "{text:?}");
    }
    let deep = format!(r#"{{"schema":"annvil.run/1","x":{}"#, "[".repeat(100_000));
    assert!(Run::from_json(deep.as_bytes(), Path::new("x")).is_err());
}

#[test]
fn figures_that_are_not_finite_are_refused_or_become_absent() {
    let mut run = run();
    run.cells[0].mde = Some(f64::NAN);
    let back = Run::from_json(run.to_json().unwrap().as_bytes(), Path::new("x")).unwrap();
    assert_eq!(back.cells[0].mde, None);
    run.limits.push(Limit { value: f64::INFINITY, ..Limit::default() });
    assert!(matches!(run.to_json(), Err(SchemaError::NotFinite { .. })));
}

#[test]
fn groups_come_in_key_order_whatever_the_records_order() {
    let mut run = run();
    let keys = |run: &Run| -> Vec<(usize, String, usize)> {
        let of = |g: &CellGroup<'_>| (g.key.dim, g.key.residence.to_owned(), g.cells.len());
        run.groups().iter().map(of).collect()
    };
    let want = vec![(96, "L1".into(), 2), (96, "L2".into(), 1), (1024, "DRAM".into(), 1)];
    assert_eq!(keys(&run), want);
    run.cells.reverse();
    assert_eq!(keys(&run), want);
}

#[test]
fn the_engine_section_is_absent_where_that_suite_did_not_run() {
    let run = Run::default();
    assert!(!run.to_json().unwrap().contains("engine"));
    let with = Run { engine: Some(Engine { k: 10, ..Engine::default() }), ..run };
    let text = with.to_json().unwrap();
    assert_eq!(Run::from_json(text.as_bytes(), Path::new("x")).unwrap(), with);
    // Later fields and rows without some are read.
    let text = text.replace("\"k\": 10,", "\"k\": 10, \"later\": 1, \"points\": [{\"ef\": 3}],");
    let text = text.replacen("\"points\": [],", "", 1);
    let back = Run::from_json(text.as_bytes(), Path::new("x")).unwrap();
    assert_eq!(back.engine.unwrap().points[0].ef, 3);
}
