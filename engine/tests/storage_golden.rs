//! Stores of every version of the format that was released are opened, from the first on and for ever.
//! `tests/golden/v1` was written by `cargo test --test storage_golden -- --ignored`, once.
#![cfg(all(feature = "storage", feature = "hnsw"))]
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annvil::storage::{
    Batch, Entry, Kind, MemVfs, OsVfs, SegmentSpec, Store, StoreError, StoreOptions,
};
use annvil::{AlignedRows, Forced, Graph, HnswOptions, Id, Metadata, Metric, Value};

const DIM: usize = 5;
const ROWS: u64 = 60;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("golden").join("v1")
}

fn vector(row: u64) -> [f32; DIM] {
    std::array::from_fn(|i| ((row * 37 + i as u64 * 101) % 1009) as f32 / 8.0 - 60.0)
}

fn code(row: u64) -> [u8; 3] {
    [row as u8, (row * 3) as u8, 255 - row as u8]
}

fn id(row: u64) -> Id {
    if row.is_multiple_of(4) { Id::from(format!("row-{row}")) } else { Id::from(row << 40) }
}

fn metadata(row: u64) -> Option<Metadata> {
    let inner = Metadata::from([("deep".to_owned(), Value::Bool(row.is_multiple_of(2)))]);
    let values = [
        Value::Null,
        Value::Bool(true),
        Value::Int(-(row as i64)),
        Value::Float(row as f64 / 3.0),
        Value::Text(format!("text {row}")),
        Value::List(vec![Value::Int(1), Value::Null, Value::Text(String::new())]),
        Value::Map(inner),
    ];
    let named = values.into_iter().enumerate().map(|(i, v)| (format!("k{i}"), v));
    (!row.is_multiple_of(5)).then(|| named.collect())
}

fn put(batch: &mut Batch, row: u64) {
    let vector: Vec<u8> = vector(row).iter().flat_map(|v| v.to_le_bytes()).collect();
    let rows: [&[u8]; 3] = [&vector, &code(row), &(row as f32).to_le_bytes()];
    batch.upsert(&id(row), metadata(row).as_ref(), &rows).unwrap();
}

fn segments() -> Vec<SegmentSpec> {
    let codes = SegmentSpec::codes(Kind::U8, 3, 16);
    vec![SegmentSpec::vectors(DIM), codes, SegmentSpec::side(Kind::F32, 1)]
}

/// The graph of the first rows, as the crate builds it today: what is stored is not made again.
fn graph(rows: u64) -> Graph {
    let mut of = AlignedRows::with_capacity(rows as usize, DIM).unwrap();
    (0..rows).for_each(|row| of.push(&vector(row)).unwrap());
    let rows = annvil::scorer::F32Rows::new(of, Metric::L2, &Forced::default()).unwrap();
    let options = HnswOptions { m: 4, ef_construction: 20, seed: 7 };
    let mut graph = Graph::new(options).unwrap();
    graph.extend(&rows).unwrap();
    graph
}

#[test]
#[ignore = "writes the golden files of this version; they are written once"]
fn write_golden_files() {
    let dir = golden();
    assert!(!dir.exists(), "golden files are never written again");
    let options = StoreOptions::new(segments())
        .param("dim", "5")
        .param("metric", "l2")
        .identity(*b"golden files, v1");
    let store = Store::create(Arc::new(OsVfs::create(&dir).unwrap()), &options).unwrap();
    let mut batch = store.batch();
    (0..ROWS - 10).for_each(|row| put(&mut batch, row));
    store.commit(batch).unwrap();
    let sequence = store.info().sequence;
    store.publish_graph(sequence, &graph(ROWS - 10).to_parts()).unwrap();
    let mut batch = store.batch();
    (ROWS - 10..ROWS).for_each(|row| put(&mut batch, row));
    batch.delete(&id(3)).unwrap();
    batch.delete(&id(8)).unwrap();
    store.commit(batch).unwrap();
    store.set_blob("codebook", &[1, 2, 3]).unwrap();
    drop(store);
    std::fs::remove_file(dir.join("lock")).unwrap();
}

fn files() -> BTreeMap<String, Vec<u8>> {
    let read = |entry: std::fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
    };
    std::fs::read_dir(golden()).unwrap().map(|entry| read(entry.unwrap())).collect()
}

fn holds_what_was_stored(store: &Store) {
    let info = store.info();
    assert_eq!((&info.identity, info.slots, info.live), (b"golden files, v1", 60, 58));
    assert_eq!((info.segments, info.graph_slots), (segments(), Some(50)));
    assert_eq!(store.param("metric").as_deref(), Some("l2"));
    assert_eq!(store.blob("codebook").unwrap().unwrap(), [1, 2, 3]);
    let reader = store.reader().unwrap();
    assert_eq!(reader.tombstones().unwrap(), [3, 8]);
    let (vectors, codes) = (store.view(0).unwrap(), store.view(1).unwrap());
    let side = store.view(2).unwrap();
    let (vectors, codes) = (vectors.rows::<f32>().unwrap(), codes.rows::<u8>().unwrap());
    let mut expected = (0..ROWS).filter(|row| ![3, 8].contains(row));
    reader
        .entries(0..reader.slots(), |entry| {
            let row = expected.next().unwrap();
            let wanted = Entry { slot: row as u32, id: id(row), metadata: metadata(row) };
            assert_eq!(entry, wanted);
            assert_eq!(vectors.row(row as usize), vector(row));
            assert_eq!(codes.row(row as usize), code(row));
            assert_eq!(side.rows::<f32>().unwrap().row(row as usize), [row as f32]);
            assert_eq!(reader.slot(&id(row)).unwrap(), Some(row as u32));
        })
        .unwrap();
    assert_eq!(expected.next(), None);
    let stored = store.graph().unwrap().unwrap();
    assert_eq!((stored.sequence, stored.parts.layers.len()), (1, 50));
    assert_eq!(stored.parts.options, HnswOptions { m: 4, ef_construction: 20, seed: 7 });
    let report = Graph::from_parts(&stored.parts).unwrap().check();
    assert!(report.is_sound(), "{report:?}");
    assert!(store.verify().unwrap().faults.is_empty());
}

#[test]
fn version_1_is_read_and_written_on() {
    let vfs = Arc::new(MemVfs::from_files(files()));
    let store = Store::open(vfs.clone(), &StoreOptions::expecting().param("metric", "l2")).unwrap();
    holds_what_was_stored(&store);
    let mut batch = store.batch();
    put(&mut batch, 100);
    assert_eq!(store.commit(batch).unwrap().first_slot, 60);
    drop(store);
    assert_eq!(Store::open(vfs, &StoreOptions::expecting()).unwrap().info().live, 59);
}

#[test]
fn version_1_is_mapped_and_copied() {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden-copy");
    let _ = std::fs::remove_dir_all(&dir);
    let vfs = Arc::new(OsVfs::create(&dir).unwrap());
    for (name, bytes) in files() {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
    let store = Store::open(vfs, &StoreOptions::expecting()).unwrap();
    assert!(store.view(0).unwrap().is_mapped());
    holds_what_was_stored(&store);
    let copy = MemVfs::new();
    store.snapshot(&copy).unwrap();
    holds_what_was_stored(&Store::open(Arc::new(copy), &StoreOptions::expecting()).unwrap());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_later_version_is_refused_as_such() {
    for number in 1..4 {
        let mut files = files();
        files.get_mut(&format!("seg-{number:08}.rows")).unwrap()[8] = 9;
        let opened = Store::open(Arc::new(MemVfs::from_files(files)), &StoreOptions::expecting());
        let newer = opened.unwrap_err();
        assert!(matches!(newer, StoreError::Newer { found: 9, known: 1, .. }), "{newer}");
    }
}
