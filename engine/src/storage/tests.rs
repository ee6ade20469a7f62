//! What a store promises, call by call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(feature = "hnsw")]
use super::error::Corruption;
use super::error::CorruptionFault as Fault;
use super::vfs::{SimVfs, Vfs};
use super::*;
use crate::{Id, Metadata, Value};

/// Beside rows there is no pad, and what lies there is one piece.
#[test]
fn what_lies_beside_rows_is_packed() {
    let disk = Arc::new(MemVfs::new());
    let segments = vec![SegmentSpec::vectors(2), SegmentSpec::side(Kind::F32, 1)];
    let store = Store::create(disk, &StoreOptions::new(segments)).unwrap();
    for i in 0..100u64 {
        let mut batch = store.batch();
        let (row, beside) = ([i as f32, 0.0], [i as f32 * 0.5]);
        let rows: [&[u8]; 2] = [bytes_of(&row), bytes_of(&beside)];
        batch.insert(&i.into(), None, &rows).unwrap();
        store.commit(batch).unwrap();
    }
    let view = store.view(1).unwrap();
    let all = view.rows::<f32>().unwrap().contiguous().unwrap();
    assert_eq!(all, (0..100).map(|i| i as f32 * 0.5).collect::<Vec<_>>());
    assert!(store.verify().unwrap().faults.is_empty());
}

fn options(dim: usize) -> StoreOptions {
    StoreOptions::new(vec![SegmentSpec::vectors(dim)]).param("metric", "l2").cache_bytes(1 << 20)
}

fn fresh(dim: usize) -> (Arc<MemVfs>, Store) {
    let disk = Arc::new(MemVfs::new());
    let store = Store::create(disk.clone(), &options(dim)).unwrap();
    (disk, store)
}

fn put(store: &Store, ids: std::ops::Range<u64>) -> Receipt {
    let mut batch = store.batch();
    for id in ids {
        batch.insert_vector(&id.into(), None, &[id as f32, 1.0]).unwrap();
    }
    store.commit(batch).unwrap()
}

#[test]
fn refusals_change_nothing_and_stop_nobody() {
    let (_, store) = fresh(2);
    put(&store, 0..3);
    let before = store.info();
    let mut batch = store.batch();
    batch.insert_vector(&7.into(), None, &[1.0, 2.0]).unwrap();
    assert!(matches!(
        batch.insert_vector(&7.into(), None, &[1.0, 2.0]),
        Err(StoreError::IdTwice { .. })
    ));
    assert!(matches!(batch.delete(&7.into()), Err(StoreError::IdTwice { .. })));
    assert!(matches!(
        batch.insert_vector(&8.into(), None, &[1.0]),
        Err(StoreError::RowLength { segment: 0, expected: 8, found: 4 })
    ));
    assert!(matches!(
        batch.insert(&8.into(), None, &[&[0; 8], &[0; 8]]),
        Err(StoreError::RowLength { segment: 1, expected: 0, found: 8 })
    ));
    assert!(matches!(
        batch.insert_vector(&"".into(), None, &[1.0, 2.0]),
        Err(StoreError::BadId { bytes: 0 })
    ));
    batch.insert_vector(&2.into(), None, &[1.0, 2.0]).unwrap();
    let refused = store.commit(batch);
    assert!(matches!(refused, Err(StoreError::IdExists { id }) if id == 2.into()));
    let (_, other) = fresh(3);
    assert!(matches!(store.commit(other.batch()), Err(StoreError::OtherStore)));
    let mut bulk = store.bulk().unwrap();
    let mut twice = store.batch();
    twice.insert_vector(&1.into(), None, &[0.0; 2]).unwrap();
    assert!(matches!(bulk.push(&twice), Err(StoreError::IdExists { .. })));
    drop(bulk);
    assert_eq!(store.info(), before);
    assert!(!store.is_poisoned());
    assert_eq!(put(&store, 3..4).first_slot, 3);
}

#[test]
fn receipts_say_which_slots_and_whose_ids_they_took() {
    let (_, store) = fresh(2);
    put(&store, 0..4);
    let mut batch = store.batch();
    batch.upsert_vector(&1.into(), None, &[9.0, 9.0]).unwrap();
    batch.upsert_vector(&5.into(), None, &[5.0, 5.0]).unwrap();
    batch.delete(&3.into()).unwrap();
    batch.delete(&77.into()).unwrap();
    let receipt = store.commit(batch).unwrap();
    assert_eq!((receipt.first_slot, receipt.rows, receipt.buried), (4, 2, vec![3, 1]));
    let reader = store.reader().unwrap();
    assert_eq!((reader.slots(), reader.live()), (6, 4));
    assert_eq!(reader.tombstones().unwrap(), [1, 3]);
    assert_eq!(reader.slot(&1.into()).unwrap(), Some(4));
    assert_eq!(reader.slot(&3.into()).unwrap(), None);
    assert_eq!(reader.entry(3).unwrap(), None);
    assert_eq!(reader.entry(5).unwrap().unwrap().id, 5.into());
    assert!(store.verify().unwrap().faults.is_empty());
}

#[test]
fn what_was_there_is_there_after_opening_with_metadata_and_blobs() {
    let (disk, store) = fresh(2);
    let metadata = Metadata::from([
        ("a".to_owned(), Value::List(vec![1.into(), 2.5.into(), "x".into(), Value::Null])),
        ("b".to_owned(), Value::Map(Metadata::from([("c".to_owned(), true.into())]))),
    ]);
    let mut batch = store.batch();
    batch.insert_vector(&"x".into(), Some(&metadata), &[1.0, -0.0]).unwrap();
    batch.insert_vector(&u64::MAX.into(), Some(&Metadata::new()), &[f32::MIN, 3.0]).unwrap();
    store.commit(batch).unwrap();
    store.set_blob("codebook", b"bytes").unwrap();
    assert!(store.set_blob("", b"x").is_err() && !store.is_poisoned());
    let info = store.info();
    drop(store);
    let store = Store::open(disk, &StoreOptions::expecting()).unwrap();
    assert_eq!(store.info(), info);
    let reader = store.reader().unwrap();
    let mut entries = Vec::new();
    reader.entries(0..reader.slots(), |entry| entries.push(entry)).unwrap();
    assert_eq!(entries[0].metadata, Some(metadata));
    assert_eq!((&entries[1].id, &entries[1].metadata), (&u64::MAX.into(), &Some(Metadata::new())));
    assert_eq!(reader.blob("codebook").unwrap().unwrap(), b"bytes");
    let view = store.view(0).unwrap();
    let row = view.rows::<f32>().unwrap().row(0);
    assert_eq!([row[0].to_bits(), row[1].to_bits()], [1.0f32.to_bits(), (-0.0f32).to_bits()]);
}

#[test]
fn stored_options_win_and_contradictions_are_named() {
    let (disk, store) = fresh(2);
    assert!(matches!(Store::open(disk.clone(), &options(2)), Err(StoreError::Locked)));
    drop(store);
    assert!(matches!(Store::create(disk.clone(), &options(2)), Err(StoreError::Exists)));
    let open = |options: StoreOptions| Store::open(disk.clone(), &options).map(|_| ());
    let name = |result| match result {
        Err(StoreError::OptionMismatch { name, stored, asked }) => (name, stored, asked),
        other => panic!("{other:?}"),
    };
    let asked = StoreOptions::expecting().param("metric", "cosine");
    assert_eq!(name(open(asked)), ("metric".into(), "l2".into(), "cosine".into()));
    assert_eq!(name(open(StoreOptions::expecting().param("m", "16"))).0, "m");
    assert_eq!(name(open(options(3))).0, "segments");
    open(options(2)).unwrap();
    let none = Arc::new(MemVfs::new());
    assert!(matches!(
        Store::open(none.clone(), &StoreOptions::expecting()),
        Err(StoreError::NoStore)
    ));
    drop(Store::open_or_create(none, &options(5)).unwrap());
    for segments in [vec![], vec![SegmentSpec::vectors(1); 9], vec![SegmentSpec::vectors(0)]] {
        let bad = Store::create(Arc::new(MemVfs::new()), &StoreOptions::new(segments));
        assert!(matches!(bad, Err(StoreError::BadOption(_))), "{bad:?}");
    }
    let long = options(2).param("x", "y".repeat(5000));
    assert!(Store::create(Arc::new(MemVfs::new()), &long).is_err());
}

#[test]
fn threads_share_commits_and_act_in_the_order_of_slots() {
    let (disk, store) = fresh(2);
    let next = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (store, next) = (&store, &next);
            scope.spawn(move || {
                for i in 0..40 {
                    let id = thread * 1000 + i;
                    let mut batch = store.batch();
                    batch.insert_vector(&id.into(), None, &[id as f32, 0.0]).unwrap();
                    // One id that all want: one of them gets it.
                    let mut same = store.batch();
                    same.insert_vector(&(100_000 + i).into(), None, &[i as f32, 0.0]).unwrap();
                    for batch in [batch, same] {
                        let done = store.commit_then(batch, |receipt| {
                            let at = next.fetch_add(receipt.rows, Ordering::SeqCst);
                            assert_eq!(at, receipt.first_slot);
                        });
                        match done {
                            Ok(_) => {}
                            Err(e) => assert!(matches!(e, StoreError::IdExists { .. }), "{e}"),
                        }
                    }
                    assert_eq!(store.view(0).unwrap().spec().dim, 2);
                }
            });
        }
        // Readers go on: what they see is whole.
        let store = &store;
        scope.spawn(move || {
            for _ in 0..200 {
                let reader = store.reader().unwrap();
                let view = store.view(0).unwrap();
                let rows = view.rows::<f32>().unwrap();
                let mut seen = 0;
                reader
                    .entries(0..reader.slots(), |entry| {
                        let Id::Number(id) = entry.id else { panic!("{:?}", entry.id) };
                        let value = if id >= 100_000 { id - 100_000 } else { id };
                        assert_eq!(rows.row(entry.slot as usize)[0], value as f32);
                        seen += 1;
                    })
                    .unwrap();
                assert_eq!(seen, reader.live());
            }
        });
    });
    let info = store.info();
    assert_eq!((info.slots, info.live), (8 * 40 + 40, 8 * 40 + 40));
    assert!(store.verify().unwrap().faults.is_empty());
    drop(store);
    Store::open(disk, &StoreOptions::expecting()).unwrap();
}

#[test]
fn a_bulk_lasts_as_a_whole_or_not_at_all() {
    let disk = SimVfs::new();
    let store = Store::create(Arc::new(disk.clone()), &options(2)).unwrap();
    put(&store, 0..2);
    let mut bulk = store.bulk().unwrap();
    for id in 10..20u64 {
        let mut batch = store.batch();
        batch.upsert_vector(&(id % 15).into(), None, &[id as f32, 0.0]).unwrap();
        bulk.push(&batch).unwrap();
    }
    assert_eq!(bulk.len(), 10);
    drop(bulk);
    assert_eq!(store.info().slots, 2);
    // What was dropped is overwritten.
    put(&store, 50..53);
    let mut bulk = store.bulk().unwrap();
    let mut batch = store.batch();
    batch.upsert_vector(&1.into(), None, &[7.0, 7.0]).unwrap();
    bulk.push(&batch).unwrap();
    let (receipt, seen) = bulk.finish_then(|receipt| receipt.buried.clone()).unwrap();
    assert_eq!((receipt.first_slot, receipt.rows, seen), (5, 1, vec![1]));
    drop(store);
    let store = Store::open(Arc::new(disk.image(0)), &StoreOptions::expecting()).unwrap();
    let view = store.view(0).unwrap();
    let rows = view.rows::<f32>().unwrap();
    assert_eq!((0..6).map(|i| rows.row(i)[0]).collect::<Vec<_>>(), [0., 1., 50., 51., 52., 7.]);
}

#[test]
fn compacting_gives_new_slots_in_the_same_order_and_old_views_stay() {
    let (disk, store) = fresh(2);
    put(&store, 0..2000);
    let mut batch = store.batch();
    (0..2000u64).filter(|id| id % 3 != 0).for_each(|id| batch.delete(&id.into()).unwrap());
    store.commit(batch).unwrap();
    let before = store.view(0).unwrap();
    let reader = store.reader().unwrap();
    let kept = store.compact().unwrap();
    assert_eq!(kept, (0..2000).filter(|slot| slot % 3 == 0).collect::<Vec<u32>>());
    assert_eq!(before.rows::<f32>().unwrap().row(1999)[0], 1999.0);
    assert_eq!(reader.slot(&1998.into()).unwrap(), Some(1998));
    drop(reader);
    let check = |store: &Store| {
        let view = store.view(0).unwrap();
        let rows = view.rows::<f32>().unwrap();
        assert_eq!(rows.len(), kept.len());
        for (slot, old) in kept.iter().enumerate() {
            assert_eq!(rows.row(slot)[0], *old as f32);
            assert_eq!(store.slot(&u64::from(*old).into()).unwrap(), Some(slot as u32));
        }
        assert!(store.verify().unwrap().faults.is_empty());
    };
    check(&store);
    put(&store, 1..2);
    let files = disk.files();
    assert_eq!(
        files.keys().filter(|name| name.starts_with("seg-")).count(),
        1,
        "the old one is gone"
    );
    drop(store);
    let store = Store::open(disk, &StoreOptions::expecting()).unwrap();
    assert_eq!(store.slot(&1.into()).unwrap(), Some(kept.len() as u32));
}

#[test]
fn an_encoding_that_was_learnt_comes_as_one_step() {
    let (disk, store) = fresh(2);
    put(&store, 0..100);
    let vectors = store.view(0).unwrap();
    let mut fill = |slot: u32, to: &mut [u8]| {
        let row = vectors.rows::<f32>().unwrap().row(slot as usize);
        to[0] = row[0] as u8;
        to[1] = row[1] as u8;
    };
    let codes = SegmentSpec::codes(Kind::U8, 2, 16);
    let rewrite = Rewrite {
        compact: false,
        segments: vec![
            RewriteSegment::Keep(0),
            RewriteSegment::Make { spec: codes, fill: &mut fill },
        ],
        params: vec![("encoded".to_owned(), "yes".to_owned())],
        blobs: vec![("ranges", b"0..255")],
    };
    store.rewrite(rewrite).unwrap();
    let mut batch = store.batch();
    let vector: Vec<u8> = [100.0f32, 1.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    batch.insert(&100.into(), None, &[&vector, &[100, 1]]).unwrap();
    store.commit(batch).unwrap();
    drop(store);
    let store =
        Store::open(disk.clone(), &StoreOptions::expecting().param("encoded", "yes")).unwrap();
    assert_eq!(store.info().segments, [SegmentSpec::vectors(2), codes]);
    let view = store.view(1).unwrap();
    let rows = view.rows::<u8>().unwrap();
    assert!((0..=100).all(|slot| rows.row(slot) == [slot as u8, 1]));
    assert_eq!(store.blob("ranges").unwrap().unwrap(), b"0..255");
    // No segment is two, and none comes from nowhere.
    for segments in [vec![0, 0], vec![0, 2], vec![]] {
        let segments = segments.into_iter().map(RewriteSegment::Keep).collect();
        let (params, blobs) = (Vec::new(), Vec::new());
        let bad = store.rewrite(Rewrite { compact: false, segments, params, blobs });
        assert!(matches!(bad, Err(StoreError::BadOption(BadOption::Segments { .. }))), "{bad:?}");
    }
    // Vectors may go.
    let segments = vec![RewriteSegment::Keep(1)];
    let (params, blobs) = (Vec::new(), Vec::new());
    store.rewrite(Rewrite { compact: true, segments, params, blobs }).unwrap();
    assert_eq!(store.info().segments, [codes]);
    assert!(store.view(0).unwrap().rows::<f32>().is_none() && store.view(1).is_err());
    assert!(store.verify().unwrap().faults.is_empty());
}

#[test]
fn a_snapshot_is_a_store_of_its_own() {
    let (_, store) = fresh(2);
    put(&store, 0..300);
    let mut batch = store.batch();
    batch.delete(&7.into()).unwrap();
    store.commit(batch).unwrap();
    store.set_blob("b", b"c").unwrap();
    #[cfg(feature = "hnsw")]
    store.publish_graph(store.info().sequence, &torture::chain(300)).unwrap();
    let copy = MemVfs::new();
    let sequence = store.snapshot(&copy).unwrap();
    assert_eq!(sequence, store.info().sequence);
    assert!(matches!(store.snapshot(&copy), Err(StoreError::Exists)));
    put(&store, 1000..1001);
    let copy = Store::open(Arc::new(copy), &StoreOptions::expecting()).unwrap();
    assert_eq!((copy.info().slots, copy.info().live), (300, 299));
    assert!(copy.verify().unwrap().faults.is_empty());
    assert_eq!(copy.view(0).unwrap().bytes(), &store.view(0).unwrap().bytes()[..300 * 64]);
    assert_eq!(copy.blob("b").unwrap().unwrap(), b"c");
    #[cfg(feature = "hnsw")]
    assert_eq!(copy.graph().unwrap().unwrap(), store.graph().unwrap().unwrap());
}

#[cfg(feature = "hnsw")]
#[test]
fn a_graph_covers_what_was_there_and_goes_with_new_numbers() {
    let (disk, store) = fresh(2);
    put(&store, 0..50);
    assert_eq!(store.graph().unwrap(), None);
    let sequence = store.info().sequence;
    assert!(matches!(
        store.publish_graph(sequence, &torture::chain(51)),
        Err(StoreError::OtherStore)
    ));
    store.publish_graph(sequence, &torture::chain(50)).unwrap();
    put(&store, 50..60);
    assert_eq!(store.info().graph_slots, Some(50));
    drop(store);
    let store = Store::open(disk.clone(), &StoreOptions::expecting()).unwrap();
    let stored = store.graph().unwrap().unwrap();
    assert_eq!((stored.sequence, &stored.parts), (sequence, &torture::chain(50)));
    crate::Graph::from_parts(&stored.parts).unwrap();
    let mut batch = store.batch();
    batch.delete(&3.into()).unwrap();
    store.commit(batch).unwrap();
    store.compact().unwrap();
    assert_eq!(store.graph().unwrap(), None);
    // One that was made of the old numbers comes too late.
    assert!(matches!(
        store.publish_graph(sequence, &torture::chain(50)),
        Err(StoreError::OtherStore)
    ));
    assert!(!store.is_poisoned());
    // A damaged one is an error of its own, and the store opens.
    store.publish_graph(store.info().sequence, &torture::chain(59)).unwrap();
    drop(store);
    let mut files = disk.files();
    let name = files.keys().find(|name| name.starts_with("graph-")).unwrap().clone();
    files.get_mut(&name).unwrap()[300] ^= 1;
    let store =
        Store::open(Arc::new(MemVfs::from_files(files)), &StoreOptions::expecting()).unwrap();
    let fault = store.graph().unwrap_err();
    assert!(
        matches!(&fault, StoreError::Corrupt(Corruption { file, fault: Fault::Checksum { offset: 256 } }) if *file == name),
        "{fault}"
    );
    assert_eq!(store.verify().unwrap().faults.len(), 1);
}

#[test]
fn damage_of_rows_is_named_and_may_be_looked_for_later() {
    let (disk, store) = fresh(2);
    put(&store, 0..3000);
    drop(store);
    let mut files = disk.files();
    files.get_mut("seg-00000001.rows").unwrap()[4096 + 70_000] ^= 0x10;
    let disk = Arc::new(MemVfs::from_files(files));
    let wrong = |e: &StoreError| matches!(e, StoreError::Corrupt(c) if c.fault == Fault::Checksum { offset: 4096 + 65_536 });
    assert!(wrong(&Store::open(disk.clone(), &StoreOptions::expecting()).unwrap_err()));
    let later = StoreOptions::expecting().verify_on_open(false);
    let store = Store::open(disk, &later).unwrap();
    let report = store.verify().unwrap();
    assert_eq!((report.faults.len(), report.blocks), (1, 3));
    assert!(wrong(&report.faults[0]), "{:?}", report.faults);
    // Damage is not copied.
    assert!(wrong(&store.snapshot(&MemVfs::new()).unwrap_err()));
}

#[test]
fn newer_versions_are_refused_as_such() {
    let (disk, store) = fresh(2);
    put(&store, 0..10);
    #[cfg(feature = "hnsw")]
    store.publish_graph(store.info().sequence, &torture::chain(10)).unwrap();
    drop(store);
    let files = disk.files();
    for (name, header) in [("seg-00000001.rows", 4096), ("graph-00000002.idx", 256)] {
        let Some(bytes) = files.get(name) else { continue };
        let mut bytes = bytes.clone();
        bytes[8] = 2;
        let sum = crc32c::crc32c(&bytes[..header - 4]).to_le_bytes();
        bytes[header - 4..header].copy_from_slice(&sum);
        let mut files = files.clone();
        files.insert(name.to_owned(), bytes);
        let vfs = Arc::new(MemVfs::from_files(files));
        let error = match Store::open(vfs, &StoreOptions::expecting()) {
            Err(e) => e,
            #[cfg(feature = "hnsw")]
            Ok(store) => store.graph().unwrap_err(),
            #[cfg(not(feature = "hnsw"))]
            Ok(_) => panic!("{name}"),
        };
        assert!(
            matches!(&error, StoreError::Newer { file, found: 2, known: 1 } if file == name),
            "{error}"
        );
    }
    let records = records::Records::open(disk.open(RECORDS).unwrap(), 1 << 20).unwrap();
    let change = records.change().unwrap();
    change.meta("format", &7u32.to_le_bytes()).unwrap();
    change.commit().unwrap();
    drop(records);
    let error = Store::open(disk, &StoreOptions::expecting()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 7, known: 1, .. }), "{error}");
}

#[test]
fn slots_have_an_end() {
    let (_, store) = fresh(2);
    let mut batch = store.batch();
    batch.insert_vector(&1.into(), None, &[0.0; 2]).unwrap();
    let change = store.records.change().unwrap();
    let state = |slots| records::State { sequence: 1, slots, live: 0 };
    let tables = change.tables().unwrap();
    tables.check(&batch, state(MAX_SLOTS - 1)).unwrap();
    let full = tables.check(&batch, state(MAX_SLOTS)).unwrap_err();
    assert!(matches!(full, StoreError::Full { rows } if rows == u64::from(MAX_SLOTS) + 1));
}

#[test]
fn records_that_contradict_each_other_are_found() {
    for (what, fault) in [("count", true), ("id", false), ("dead", true), ("garbage", false)] {
        let (disk, store) = fresh(2);
        put(&store, 0..10);
        drop(store);
        let records = records::Records::open(disk.open(RECORDS).unwrap(), 1 << 20).unwrap();
        let change = records.change().unwrap();
        match what {
            "count" => {
                change.set_state(records::State { sequence: 9, slots: 10, live: 9 }).unwrap();
            }
            "id" => {
                let mut tables = change.tables().unwrap();
                let key = codec::encode_id(&3.into()).unwrap();
                tables.put(&key, 4, &codec::encode_slot(&key, None)).unwrap();
            }
            "dead" => change.tables().unwrap().set_dead(3).unwrap(),
            _ => {
                let mut tables = change.tables().unwrap();
                let key = codec::encode_id(&3.into()).unwrap();
                tables.put(&key, 3, &[200; 9]).unwrap();
            }
        }
        change.commit().unwrap();
        drop(records);
        let opened = Store::open(disk, &StoreOptions::expecting());
        assert_eq!(opened.is_err(), fault, "{what}: {opened:?}");
        if let Ok(store) = opened {
            assert!(!store.verify().unwrap().faults.is_empty(), "{what}");
            if what == "garbage" {
                let reader = store.reader().unwrap();
                assert!(matches!(reader.entry(3), Err(StoreError::Corrupt(_))));
            }
        }
    }
}

#[test]
fn files_that_are_not_ours_are_left_alone() {
    let (disk, store) = fresh(2);
    put(&store, 0..5);
    drop(store);
    let others = ["notes.txt", "seg-1.rows", "seg-00000009.rows.bak", "graph-x.idx"];
    let ours = ["seg-00000009.rows", "graph-00000007.idx", "graph-00000008.tmp", RECORDS_NEW];
    for name in others.into_iter().chain(ours) {
        disk.create(name).unwrap().write_at(0, b"x").unwrap();
    }
    let store = Store::open(disk.clone(), &StoreOptions::expecting()).unwrap();
    let files = disk.files();
    assert!(others.iter().all(|name| files.contains_key(*name)), "{:?}", files.keys());
    assert!(ours.iter().all(|name| !files.contains_key(*name)), "{:?}", files.keys());
    put(&store, 5..6);
    store.compact().unwrap();
}
