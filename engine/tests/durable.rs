//! Collections on disk: what was acknowledged is there after any end, and a collection that was opened
//! anew answers as the one that was closed.
#![cfg(feature = "storage")]
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[cfg(feature = "hnsw")]
use annvil::storage::vfs::Vfs as _;
use annvil::storage::{MemVfs, StoreError};
use annvil::{
    Collection, CollectionBuilder, CollectionError, Encoding, Filter, Id, IndexKind, Metric,
    Originals, Plan, Query, Record,
};

/// A directory of its own, gone with it.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("annvil-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Numbers without order (splitmix64).
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn vector(dim: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x1234_5678_9abc_def1);
    (0..dim).map(|_| (random(&mut state) >> 40) as f32 / (1 << 23) as f32 - 1.0).collect()
}

fn records(n: u64, dim: usize) -> Vec<Record> {
    let record = |i| Record::new(i, vector(dim, i)).with("n", i as i64);
    (0..n).map(record).collect()
}

/// Ids and distances, and in which way they were found.
fn answers(c: &Collection, dim: usize) -> Vec<(Vec<(Id, f32)>, Plan)> {
    let query = |q: u64| {
        let (hits, plan) = c.explain(&Query::new(&vector(dim, 1_000_000 + q))).unwrap();
        (hits.into_iter().map(|hit| (hit.id, hit.distance)).collect(), plan)
    };
    (0..20).map(query).collect()
}

#[test]
fn a_collection_that_was_closed_answers_the_same_when_it_is_opened() {
    let cases = [
        (Metric::L2, Encoding::F32),
        (Metric::Dot, Encoding::F32),
        (Metric::Cosine, Encoding::F32),
        (Metric::L1, Encoding::F32),
        (Metric::Linf, Encoding::F32),
        (Metric::Hamming, Encoding::BINARY),
        (Metric::Cosine, Encoding::F16),
        (Metric::L2, Encoding::SQ8),
        (Metric::L2, Encoding::INT4),
        (Metric::Dot, Encoding::BINARY),
        #[cfg(feature = "pq")]
        (Metric::L2, Encoding::Pq { m: 6, nbits: 8 }),
    ];
    for (metric, encoding) in cases {
        let disk = Arc::new(MemVfs::new());
        let builder = Collection::builder(24).metric(metric).encoding(encoding).seed(5);
        let c = builder.clone().create_in(disk.clone()).unwrap();
        for chunk in records(1500, 24).chunks(500) {
            c.insert_batch(chunk.to_vec()).unwrap();
        }
        c.delete([7, 8]).unwrap();
        c.upsert(Record::new(9, vector(24, 99)).with("new", true)).unwrap();
        c.wait_for_index();
        let (before, stats) = (answers(&c, 24), c.stats());
        let (nine, ids) = (c.get(9).unwrap(), c.ids());
        c.close().unwrap();

        let c = Collection::open_in(disk).unwrap();
        // The same codes: nothing was learnt anew.
        assert_eq!(answers(&c, 24), before, "{metric:?} {encoding}");
        assert_eq!((c.stats().rows, c.stats().tombstones), (1498, 3));
        assert_eq!((c.stats().encoded, c.stats().indexed), (stats.encoded, stats.indexed));
        assert_eq!((c.get(9).unwrap(), c.ids(), c.get(7)), (nine, ids, None));
        assert!(c.verify().unwrap().unwrap().faults.is_empty());
        #[cfg(feature = "hnsw")]
        {
            assert_eq!(c.store_info().unwrap().graph_slots, Some(1501));
            assert!(c.check_graph().unwrap().is_sound());
        }
        let found = c.search(&Query::new(&vector(24, 99)).k(1).filter(Filter::exists("new")));
        assert_eq!(found.unwrap()[0].id, Id::from(9));
    }
}

#[test]
fn vectors_lie_once_in_the_file_and_codes_are_ranked_by_them() {
    let dir = Dir::new("once");
    let builder = Collection::builder(32).encoding(Encoding::SQ8).metric(Metric::Cosine);
    let c = builder.clone().create(&dir.0).unwrap();
    c.insert_batch(records(1100, 32)).unwrap();
    let bytes = c.stats().bytes;
    assert_eq!((bytes.vectors, bytes.mapped), (0, 1100 * 128));
    assert!(c.stats().encoded && bytes.codes < 1100 * 64);
    let exact = c.search(&Query::new(&vector(32, 5)).exact()).unwrap();
    assert!(exact[0].id == Id::from(5) && exact[0].distance.abs() < 1e-6);
    let by_codes = c.search(&Query::new(&vector(32, 5)).oversampling(10.0)).unwrap();
    assert_eq!(by_codes[..5], exact[..5]);
    // The vector as it was given, not as it is compared.
    let got = c.get(5).unwrap().vector;
    assert!(got.iter().zip(vector(32, 5)).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn openers_are_told_what_is_wrong() {
    let dir = Dir::new("openers");
    let is = |e: Result<Collection, CollectionError>, wanted: &str| {
        let text = e.map(drop).unwrap_err().to_string();
        assert!(text.contains(wanted), "{text:?} does not say {wanted:?}");
    };
    assert_eq!(
        Collection::open(&dir.0).map(drop),
        Err(CollectionError::Store(StoreError::NoStore)),
        "{}",
        dir.0.display()
    );
    let builder = Collection::builder(4).metric(Metric::Dot);
    let c = builder.clone().open_or_create(&dir.0).unwrap();
    assert_eq!(c.insert(1, vec![1.0; 3]).unwrap_err().to_string().lines().count(), 1);
    c.insert(1, vec![1.0; 4]).unwrap();
    assert_eq!(c.insert(1, vec![2.0; 4]), Err(CollectionError::IdExists { id: 1.into() }));
    assert_eq!(Collection::open(&dir.0).map(drop), Err(CollectionError::Store(StoreError::Locked)));
    drop(c);
    is(builder.clone().create(&dir.0), "already");
    is(Collection::builder(5).metric(Metric::Dot).open(&dir.0), "dim");
    is(Collection::builder(4).open(&dir.0), "metric");
    is(builder.clone().encoding(Encoding::SQ8).open(&dir.0), "encoding");
    is(builder.clone().index(IndexKind::Flat).open(&dir.0), "index");
    is(builder.clone().originals(Originals::Keep).open(&dir.0), "originals");
    assert_eq!(builder.open_or_create(&dir.0).unwrap().get(1).unwrap().vector, [1.0; 4]);
    // What cannot be is refused before there is a file.
    let none = Dir::new("none");
    assert!(Collection::builder(0).create(&none.0).is_err());
    assert!(Collection::builder(4).metric(Metric::Hamming).create(&none.0).is_err());
    assert_eq!(
        Collection::open(&none.0).map(drop),
        Err(CollectionError::Store(StoreError::NoStore))
    );
}

#[test]
fn a_bulk_lasts_as_a_whole_or_not_at_all() {
    let disk = Arc::new(MemVfs::new());
    let c = Collection::builder(8).create_in(disk.clone()).unwrap();
    c.insert(5000, vec![0.5; 8]).unwrap();
    let mut bulk = c.bulk().unwrap();
    bulk.push(records(10, 8)).unwrap();
    assert_eq!(c.len(), 1);
    drop(bulk);
    assert_eq!((c.len(), c.get(3)), (1, None));
    let mut bulk = c.bulk().unwrap();
    for chunk in records(3000, 8).chunks(700) {
        bulk.push(chunk.to_vec()).unwrap();
    }
    let twice = bulk.push(vec![Record::new(17, vec![0.0; 8])]).unwrap_err();
    assert_eq!(twice, CollectionError::IdExists { id: 17.into() });
    let bad = bulk.push(vec![Record::new(9999, vec![f32::NAN; 8])]).unwrap_err();
    assert!(matches!(bad, CollectionError::NotFinite { .. }));
    assert_eq!((bulk.len(), c.len()), (3000, 1));
    assert_eq!(bulk.finish().unwrap(), 3000);
    // Found from the first moment, by whatever way.
    let hit = &c.search(&Query::new(&vector(8, 2999)).k(1)).unwrap()[0];
    assert_eq!((&hit.id, hit.distance), (&Id::from(2999), 0.0));
    c.wait_for_index();
    assert_eq!(c.stats().indexed, 3001);
    let (hits, plan) = c.explain(&Query::new(&vector(8, 2999)).k(1)).unwrap();
    assert_eq!(hits[0].id, Id::from(2999));
    assert_eq!(plan, if cfg!(feature = "hnsw") { Plan::Graph } else { Plan::Scan });
    drop(c);
    assert_eq!(Collection::open_in(disk).unwrap().len(), 3001);

    // In memory too.
    let c = Collection::builder(8).build().unwrap();
    let mut bulk = c.bulk().unwrap();
    bulk.push(records(10, 8)).unwrap();
    assert_eq!((bulk.finish().unwrap(), c.len()), (10, 10));
    assert_eq!(c.store_info(), None);
    assert!(c.verify().unwrap().is_none() && c.snapshot("nowhere").is_err());
}

#[test]
fn compaction_takes_the_dead_out_of_the_files() {
    let disk = Arc::new(MemVfs::new());
    let builder = Collection::builder(8).metric(Metric::Cosine).encoding(Encoding::SQ8);
    let c = builder.create_in(disk.clone()).unwrap();
    c.insert_batch(records(2500, 8)).unwrap();
    assert_eq!(c.delete(0..1000u64).unwrap(), 1000);
    assert_eq!(c.delete([5, 2000]).unwrap(), 1);
    let wanted = c.search(&Query::new(&vector(8, 77)).exact()).unwrap();
    c.compact().unwrap();
    // Compared by codes or not at all, linked or not yet: the same rows.
    let close = |hits: &[annvil::Hit]| {
        assert_eq!(hits.len(), wanted.len());
        for (a, b) in hits.iter().zip(&wanted) {
            assert!(a.id == b.id && (a.distance - b.distance).abs() < 1e-5);
        }
    };
    close(&c.search(&Query::new(&vector(8, 77)).exact()).unwrap());
    c.wait_for_index();
    close(&c.search(&Query::new(&vector(8, 77)).exact()).unwrap());
    let stats = c.stats();
    assert_eq!((stats.rows, stats.tombstones, stats.indexed), (1499, 0, 1499));
    c.insert(7, vector(8, 7)).unwrap();
    c.compact().unwrap();
    c.close().unwrap();
    let c = Collection::open_in(disk).unwrap();
    assert_eq!((c.len(), c.stats().tombstones, c.stats().indexed), (1500, 0, 1500));
    assert!(c.contains(7) && !c.contains(8) && !c.contains(2000));
    assert!(c.verify().unwrap().unwrap().faults.is_empty());
}

#[cfg(feature = "hnsw")]
#[test]
fn a_damaged_graph_costs_time_and_no_row() {
    for harm in ["flipped", "gone"] {
        let disk = Arc::new(MemVfs::new());
        let c = Collection::builder(8).create_in(disk.clone()).unwrap();
        c.insert_batch(records(1000, 8)).unwrap();
        let before = answers(&c, 8);
        c.close().unwrap();
        let graph = disk.list().unwrap().into_iter().find(|name| name.starts_with("graph-"));
        let graph = graph.unwrap();
        if harm == "gone" {
            disk.remove(&graph).unwrap();
        } else {
            let file = disk.open(&graph).unwrap();
            let mut byte = [0];
            file.read_at(5000, &mut byte).unwrap();
            file.write_at(5000, &[byte[0] ^ 1]).unwrap();
        }
        let c = Collection::open_in(disk.clone()).unwrap();
        c.wait_for_index();
        assert_eq!((c.len(), c.stats().indexed), (1000, 1000), "{harm}");
        // Linked at once, as they were: the same graph.
        assert_eq!(answers(&c, 8), before, "{harm}");
        c.close().unwrap();
        let c = Collection::open_in(disk).unwrap();
        let faults = c.verify().unwrap().unwrap().faults;
        assert!(faults.is_empty(), "{harm}: {faults:?}");
    }
}

#[test]
fn rows_behind_the_graph_are_found_before_and_after_they_are_linked() {
    let disk = Arc::new(MemVfs::new());
    let c = Collection::builder(8).create_in(disk.clone()).unwrap();
    c.insert_batch(records(900, 8)).unwrap();
    c.checkpoint().unwrap();
    c.insert_batch(records(1800, 8).split_off(900)).unwrap();
    // A copy of the disk as a crash would leave it.
    let crashed = Arc::new(MemVfs::from_files(disk.files()));
    let c2 = Collection::open_in(crashed).unwrap();
    assert_eq!(c2.len(), 1800);
    for i in (0..1800).step_by(50) {
        let hit = &c2.search(&Query::new(&vector(8, i)).k(1)).unwrap()[0];
        assert_eq!((&hit.id, hit.distance), (&Id::from(i), 0.0));
    }
    c2.wait_for_index();
    assert_eq!(c2.stats().indexed, 1800);
    c.close().unwrap();
}

#[test]
fn a_snapshot_is_the_collection_of_its_moment() {
    let (dir, copy) = (Dir::new("from"), Dir::new("snapshot"));
    let c = Collection::builder(8).create(&dir.0).unwrap();
    c.insert_batch(records(600, 8)).unwrap();
    c.snapshot(&copy.0).unwrap();
    c.insert(600, vector(8, 600)).unwrap();
    let wanted = CollectionError::Store(StoreError::Exists);
    assert_eq!(c.snapshot(&copy.0), Err(wanted));
    let then = Collection::open(&copy.0).unwrap();
    assert_eq!((then.len(), then.stats().indexed, c.len()), (600, 600, 601));
    assert_eq!(then.get(5), c.get(5));
}

/// What a collection should hold.
type Model = BTreeMap<u64, (Vec<f32>, i64)>;

fn agrees(c: &Collection, model: &Model, dim: usize) {
    assert_eq!(c.len(), model.len());
    for (id, (vector, n)) in model {
        let record = c.get(*id).unwrap_or_else(|| panic!("{id} is lost"));
        assert_eq!(
            (&record.vector, record.metadata),
            (vector, Record::new(0, vec![]).with("n", *n).metadata)
        );
    }
    for q in 0..3 {
        let query = vector(dim, 777 + q);
        let square = |v: &[f32]| v.iter().zip(&query).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        let mut wanted: Vec<_> = model.values().map(|(v, _)| square(v).sqrt()).collect();
        wanted.sort_by(f32::total_cmp);
        let found = c.search(&Query::new(&query).exact()).unwrap();
        assert_eq!(found.len(), wanted.len().min(10));
        for (hit, wanted) in found.iter().zip(&wanted) {
            assert!((hit.distance - wanted).abs() <= 1e-5 * wanted.max(1.0));
        }
    }
}

#[test]
fn any_sequence_of_changes_and_openings_agrees_with_a_map() {
    for seed in 0..6 {
        let (disk, dim) = (Arc::new(MemVfs::new()), 6);
        let index = if seed % 2 == 0 { IndexKind::default() } else { IndexKind::Flat };
        let builder = Collection::builder(dim).index(index).seed(seed);
        let mut c = builder.create_in(disk.clone()).unwrap();
        let (mut model, mut state) = (Model::new(), seed);
        for step in 0..120u64 {
            let draw = random(&mut state);
            let id = (draw >> 8) % 60;
            let row =
                |id: u64| Record::new(id, vector(dim, step * 100 + id)).with("n", step as i64);
            let keep = |id: u64| (id, (vector(dim, step * 100 + id), step as i64));
            match draw % 10 {
                0..4 => {
                    let result = c.insert_batch(vec![row(id), row(id + 100)]);
                    let free = !model.contains_key(&id) && !model.contains_key(&(id + 100));
                    assert_eq!(result.is_ok(), free, "seed {seed} step {step}");
                    if free {
                        model.extend([keep(id), keep(id + 100)]);
                    }
                }
                4..6 => {
                    c.upsert_batch(vec![row(id), row(id + 1)]).unwrap();
                    model.extend([keep(id), keep(id + 1)]);
                }
                6..8 => {
                    let had = usize::from(model.remove(&id).is_some());
                    assert_eq!(c.delete([id]).unwrap(), had);
                }
                8 => c.compact().unwrap(),
                _ => {
                    // Closed, dropped, or left as a crash leaves it.
                    c = match draw % 3 {
                        0 => {
                            c.close().unwrap();
                            Collection::open_in(disk.clone()).unwrap()
                        }
                        1 => {
                            drop(c);
                            Collection::open_in(disk.clone()).unwrap()
                        }
                        _ => {
                            let crashed =
                                Collection::open_in(Arc::new(MemVfs::from_files(disk.files())))
                                    .unwrap();
                            agrees(&crashed, &model, dim);
                            c
                        }
                    };
                    agrees(&c, &model, dim);
                }
            }
        }
        c.wait_for_index();
        agrees(&c, &model, dim);
        assert!(c.verify().unwrap().unwrap().faults.is_empty());
    }
}

#[test]
fn writers_and_readers_at_once_lose_nothing() {
    let (dir, dim) = (Dir::new("soak"), 8);
    let c = Collection::builder(dim).create(&dir.0).unwrap();
    let (done, searches) = (AtomicBool::new(false), AtomicU64::new(0));
    let each = 300u64;
    std::thread::scope(|s| {
        let readers: Vec<_> = (0..4u64)
            .map(|r| {
                let (c, done, searches) = (&c, &done, &searches);
                s.spawn(move || {
                    let mut q = r;
                    while !done.load(Ordering::Acquire) {
                        q += 4;
                        // Whoever is acknowledged is found, whatever else goes on.
                        let hits = c.search(&Query::new(&vector(dim, q % 600)).k(3)).unwrap();
                        assert!(hits.windows(2).all(|w| w[0].distance <= w[1].distance));
                        searches.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..2u64)
            .map(|w| {
                let c = &c;
                s.spawn(move || {
                    for i in 0..each {
                        let id = w * 10_000 + i;
                        c.insert(id, vector(dim, id)).unwrap();
                        let mine = c.search(&Query::new(&vector(dim, id)).k(1)).unwrap();
                        assert_eq!(mine[0].distance, 0.0);
                        if i % 5 == 4 {
                            assert_eq!(c.delete([id - 3]).unwrap(), 1);
                        }
                        if w == 0 && i % 97 == 96 {
                            c.compact().unwrap();
                        }
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|w| w.join().unwrap());
        done.store(true, Ordering::Release);
        readers.into_iter().for_each(|r| r.join().unwrap());
    });
    assert!(searches.load(Ordering::Relaxed) > 0);
    let check = |c: &Collection| {
        assert_eq!(c.len() as u64, 2 * (each - each / 5));
        for w in 0..2 {
            for i in 0..each {
                assert_eq!(c.contains(w * 10_000 + i), i % 5 != 1, "{w} {i}");
            }
        }
    };
    check(&c);
    drop(c);
    let c = Collection::open(&dir.0).unwrap();
    check(&c);
    assert!(c.verify().unwrap().unwrap().faults.is_empty());
}

#[cfg(unix)]
mod killed {
    //! Processes that write to a collection are killed; see `storage_kill.rs` for what that shows.

    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;

    const CHILD: &str = "ANNVIL_KILL_COLLECTION";

    fn builder() -> CollectionBuilder {
        Collection::builder(16).metric(Metric::Cosine).encoding(Encoding::SQ8).train_at(200)
    }

    /// The child: inserts, replaces and deletes, and says what was acknowledged.
    #[test]
    fn child() {
        let Some(dir) = std::env::var_os(CHILD) else { return };
        let c = builder().open_or_create(dir).unwrap();
        let mut out = std::io::stdout().lock();
        let from = c.ids().into_iter().filter_map(|id| match id {
            Id::Number(n) => Some(n),
            Id::Text(_) => None,
        });
        let from = from.max().map_or(0, |n| n + 1);
        // The last step may have been cut before its end.
        if from > 10 {
            c.delete([from - 11]).unwrap();
        }
        writeln!(out, "\nready").unwrap();
        for id in from.. {
            let batch = (0..3).map(|j| {
                let name = format!("b{id}.{j}");
                Record::new(name, vector(16, id * 3 + j)).with("of", id as i64)
            });
            c.insert_batch(batch.collect()).unwrap();
            c.upsert(Record::new(id, vector(16, id))).unwrap();
            if id >= 10 {
                c.delete([id - 10]).unwrap();
            }
            writeln!(out, "ack {id}").unwrap();
            out.flush().unwrap();
        }
    }

    #[test]
    fn what_killed_processes_acknowledged_is_there() {
        let cycles = std::env::var("ANNVIL_KILL_CYCLES").ok().and_then(|n| n.parse().ok());
        let cycles: u64 = cycles.map_or(12, |n: u64| n / 10);
        let (dir, mut last, mut state) = (Dir::new("killed"), None, 7);
        for cycle in 0..cycles {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["killed::child", "--exact", "--nocapture"])
                .env(CHILD, &dir.0)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            while lines.next().unwrap().unwrap() != "ready" {}
            std::thread::sleep(Duration::from_millis(5 + random(&mut state) % 120));
            child.kill().unwrap();
            let acks = lines.map_while(Result::ok);
            let acks = acks.filter_map(|line| line.strip_prefix("ack ")?.parse::<u64>().ok());
            last = acks.max().or(last);
            child.wait().unwrap();

            let c = builder().open_or_create(&dir.0).unwrap();
            let Some(last) = last else { continue };
            for id in 0..=last {
                // The step after the last may have begun.
                if id + 10 != last + 1 {
                    assert_eq!(c.contains(id), id + 10 > last, "cycle {cycle}: {id} of {last}");
                }
                for j in 0..3 {
                    let record = c.get(format!("b{id}.{j}"));
                    assert!(record.is_some(), "cycle {cycle}: batch {id} is lost in part");
                }
            }
            let next: Vec<bool> =
                (0..3).map(|j| c.contains(format!("b{}.{j}", last + 1))).collect();
            assert!(next.iter().all(|n| *n == next[0]), "half a batch: {next:?}");
            // The child goes on behind what is there.
            if next[0] && !c.contains(last + 1) {
                c.upsert(Record::new(last + 1, vector(16, last + 1))).unwrap();
            }
            let hit = c.search(&Query::new(&vector(16, last)).filter(Filter::exists("of")).k(1));
            assert_eq!(hit.unwrap().len(), 1);
            c.wait_for_index();
            assert!(c.verify().unwrap().unwrap().faults.is_empty(), "cycle {cycle}");
        }
        assert!(last.is_some(), "nothing was ever acknowledged");
    }
}
