//! The checked-in records can be read, and drawn.

use std::fs;
use std::path::Path;

use annvil_reports::page;
use annvil_reports::schema::Run;

#[test]
fn every_checked_in_record_is_whole_and_draws_a_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
    let mut seen = 0;
    for host in fs::read_dir(&root).unwrap().flatten().filter(|e| e.path().is_dir()) {
        for record in fs::read_dir(host.path()).unwrap().flatten() {
            let run = Run::load(record.path()).unwrap();
            assert!(!run.cells.is_empty() && !run.source.dirty, "{:?}", record.path());
            assert!(page::render(&run).unwrap().contains("<table"));
            seen += 1;
        }
    }
    assert!(seen > 0, "no record in {}", root.display());
}
