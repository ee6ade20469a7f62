//! Collections against a model of their rows, and against those who use them badly.

#![allow(clippy::unwrap_used, reason = "a test's helpers")]

use std::collections::BTreeMap;

use annvil::{
    Collection, CollectionError, Encoding, Filter, Id, IndexKind, Metadata, Metric, Originals,
    Plan, Query, Record,
};
use proptest::prelude::*;

fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    }
}

fn records(n: usize, dim: usize, seed: u64) -> Vec<Record> {
    let mut next = numbers(seed);
    let centres: Vec<f32> = (0..10 * dim).map(|_| 3.0 * next()).collect();
    (0..n)
        .map(|i| {
            let centre = &centres[(i % 10) * dim..][..dim];
            let vector = centre.iter().map(|c| c + next()).collect();
            Record::new(i as u64, vector)
                .with("n", i as i64)
                .with("parity", if i % 2 == 0 { "even" } else { "odd" })
        })
        .collect()
}

fn kinds() -> Vec<IndexKind> {
    vec![
        IndexKind::Flat,
        IndexKind::default(),
        #[cfg(feature = "hnsw_rs")]
        IndexKind::HnswRs(annvil::HnswOptions::default()),
    ]
}

fn distance(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let pairs = || a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)));
    let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let dot: f64 = pairs().map(|(x, y)| x * y).sum();
    match metric {
        Metric::L2 => pairs().map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt(),
        Metric::Dot => -dot,
        Metric::Cosine if norm(a) * norm(b) == 0.0 => 1.0,
        Metric::Cosine => 1.0 - dot / (norm(a) * norm(b)),
        Metric::L1 => pairs().map(|(x, y)| (x - y).abs()).sum(),
        Metric::Linf => pairs().map(|(x, y)| (x - y).abs()).fold(0.0, f64::max),
        Metric::Hamming => pairs().filter(|(x, y)| (*x > 0.0) != (*y > 0.0)).count() as f64,
    }
}

/// A filter, and the same as a function.
type Asked = (Filter, fn(i64) -> bool);

/// The share of the ten nearest that comes back, over some queries.
fn recall(collection: &Collection, rows: &[Record], metric: Metric, filter: Option<Asked>) -> f64 {
    let keep = |i: usize| filter.as_ref().is_none_or(|(_, wanted)| wanted(i as i64));
    let (mut hit, mut all) = (0, 0);
    for at in (0..rows.len()).step_by(rows.len() / 20) {
        let q: Vec<f32> = rows[at].vector.iter().map(|v| v + 0.03).collect();
        let mut truth: Vec<f64> = (0..rows.len())
            .filter(|i| keep(*i))
            .map(|i| distance(metric, &q, &rows[i].vector))
            .collect();
        truth.sort_by(f64::total_cmp);
        truth.truncate(10);
        let mut query = Query::new(&q).k(10);
        if let Some((f, _)) = &filter {
            query = query.filter(f.clone());
        }
        let found = collection.search(&query).unwrap();
        assert_eq!(found.len(), truth.len());
        let worst = truth[truth.len() - 1];
        for h in &found {
            let Id::Number(id) = h.id else { panic!("{}", h.id) };
            assert!(keep(id as usize));
        }
        hit += found
            .iter()
            .filter(|h| f64::from(h.distance) <= worst + 1e-4 * worst.abs() + 1e-5)
            .count();
        all += truth.len();
    }
    hit as f64 / all as f64
}

#[test]
fn every_metric_finds_the_nearest() {
    let rows = records(1500, 12, 1);
    for metric in Metric::ALL {
        for index in kinds() {
            #[cfg(feature = "hnsw_rs")]
            if matches!(index, IndexKind::HnswRs(_))
                && matches!(metric, Metric::Dot | Metric::Hamming)
            {
                assert!(Collection::builder(12).metric(metric).index(index).build().is_err());
                continue;
            }
            let encoding = if metric == Metric::Hamming { Encoding::BINARY } else { Encoding::F32 };
            let c = Collection::builder(12)
                .metric(metric)
                .encoding(encoding)
                .index(index)
                .build()
                .unwrap();
            c.insert_batch(rows.clone()).unwrap();
            let floor = if index == IndexKind::Flat { 1.0 } else { 0.95 };
            let found = recall(&c, &rows, metric, None);
            assert!(found >= floor, "{metric} {index:?}: {found}");
        }
    }
}

#[test]
fn filters_of_any_selectivity_find_what_there_is() {
    let rows = records(3000, 16, 2);
    let c = Collection::builder(16).build().unwrap();
    c.insert_batch(rows.clone()).unwrap();
    let cases: [Asked; 5] = [
        (Filter::at_least("n", 0), |_| true),
        (Filter::eq("parity", "odd"), |i| i % 2 == 1),
        (Filter::at_most("n", 299), |i| i < 300),
        (Filter::at_least("n", 2970), |i| i >= 2970),
        (Filter::eq("n", 5).or(Filter::eq("n", 9)), |i| i == 5 || i == 9),
    ];
    for (filter, wanted) in cases {
        let found = recall(&c, &rows, Metric::L2, Some((filter.clone(), wanted)));
        assert!(found >= 0.95, "{filter:?}: {found}");
    }
    let plan = |filter: Filter| c.explain(&Query::new(&[0.0; 16]).filter(filter)).unwrap().1;
    // Without graphs all is scanned.
    let most = if cfg!(feature = "hnsw") { Plan::Graph } else { Plan::Scan };
    assert_eq!(plan(Filter::at_least("n", 0)), most);
    assert_eq!(plan(Filter::at_least("n", 2970)), Plan::Matches);
    assert_eq!(c.explain(&Query::new(&[0.0; 16])).unwrap().1, most);
    assert_eq!(c.explain(&Query::new(&[0.0; 16]).exact()).unwrap().1, Plan::Scan);
}

#[test]
fn k_rows_come_back_though_most_were_deleted() {
    let rows = records(600, 8, 3);
    for index in kinds() {
        let c = Collection::builder(8).index(index).build().unwrap();
        c.insert_batch(rows.clone()).unwrap();
        assert_eq!(c.delete((0..590).map(Id::from)).unwrap(), 590);
        assert_eq!(c.delete([0, 595]).unwrap(), 1);
        let found = c.search(&Query::new(&rows[0].vector).k(20)).unwrap();
        assert_eq!(found.len(), 9);
        assert!(found.iter().all(|h| h.id > Id::from(589)));
        assert_eq!((c.len(), c.stats().tombstones), (9, 591));
        c.compact().unwrap();
        assert_eq!((c.len(), c.stats().tombstones), (9, 0));
        // A row's company in a kernel call may change its last bits.
        let again = c.search(&Query::new(&rows[0].vector).k(20)).unwrap();
        for (a, b) in again.iter().zip(&found) {
            assert!(a.id == b.id && (a.distance - b.distance).abs() <= 1e-5 * b.distance);
        }
        assert_eq!(again.len(), found.len());
    }
}

#[test]
fn a_replaced_row_leaves_no_ghost() {
    for index in kinds() {
        let c = Collection::builder(2).index(index).build().unwrap();
        c.insert_batch(vec![
            Record::new("a", vec![0.0, 0.0]).with("old", true),
            Record::new("b", vec![5.0, 5.0]),
        ])
        .unwrap();
        c.upsert(Record::new("a", vec![9.0, 9.0])).unwrap();
        let found = c.search(&Query::new(&[0.0, 0.0]).k(5)).unwrap();
        assert_eq!(found.iter().map(|h| h.id.to_string()).collect::<Vec<_>>(), ["\"b\"", "\"a\""]);
        assert_eq!(c.get("a").unwrap(), Record::new("a", vec![9.0, 9.0]));
        assert!(
            c.search(&Query::new(&[0.0, 0.0]).filter(Filter::exists("old"))).unwrap().is_empty()
        );
    }
}

#[test]
fn encodings_find_by_codes_and_rank_by_vectors() {
    let rows = records(2000, 32, 4);
    for encoding in [
        Encoding::F16,
        Encoding::Bf16,
        Encoding::SQ8,
        Encoding::INT4,
        Encoding::BINARY,
        #[cfg(feature = "pq")]
        Encoding::Pq { m: 16, nbits: 8 },
    ] {
        for metric in [Metric::L2, Metric::Cosine] {
            let keep = Collection::builder(32)
                .metric(metric)
                .encoding(encoding)
                .originals(Originals::Keep);
            let c = keep.build().unwrap();
            c.insert_batch(rows.clone()).unwrap();
            assert!(c.stats().encoded, "{encoding}");
            let found = recall(&c, &rows, metric, None);
            let floor = if encoding == Encoding::BINARY { 0.70 } else { 0.93 };
            assert!(found >= floor, "{encoding} {metric}: {found}");
            // Exactly ranked: the distance is that of the vectors.
            let h = &c.search(&Query::new(&rows[7].vector).k(1).include_vectors()).unwrap()[0];
            let d = distance(metric, &rows[7].vector, h.vector.as_ref().unwrap());
            assert!((f64::from(h.distance) - d).abs() < 1e-3, "{encoding}: {} {d}", h.distance);
        }
    }
}

#[test]
fn a_chosen_encoding_shrinks_what_is_held() {
    let bytes = |encoding: Encoding, originals: Originals| {
        let c = Collection::builder(256)
            .encoding(encoding)
            .originals(originals)
            .index(IndexKind::Flat)
            .build()
            .unwrap();
        c.insert_batch(records(2000, 256, 5)).unwrap();
        let bytes = c.stats().bytes;
        bytes.vectors + bytes.codes
    };
    let plain = bytes(Encoding::F32, Originals::Drop) as f64;
    for (encoding, times) in [
        (Encoding::F16, 2.0),
        (Encoding::SQ8, 4.0),
        (Encoding::INT4, 8.0),
        (Encoding::BINARY, 32.0),
    ] {
        let shrunk = plain / bytes(encoding, Originals::Drop) as f64;
        // Four to eight bytes a row beside the codes, and what was learnt.
        assert!(shrunk >= times * 0.72, "{encoding}: {shrunk}");
        assert!(bytes(encoding, Originals::Keep) as f64 > plain);
    }
}

#[test]
fn what_is_learnt_waits_for_enough_rows() {
    let c = Collection::builder(8).encoding(Encoding::SQ8).train_at(100).build().unwrap();
    let rows = records(150, 8, 6);
    c.insert_batch(rows[..50].to_vec()).unwrap();
    assert!(!c.stats().encoded);
    assert_eq!(c.search(&Query::new(&rows[3].vector).k(1)).unwrap()[0].id, 3.into());
    c.insert_batch(rows[50..].to_vec()).unwrap();
    assert!(c.stats().encoded && c.stats().bytes.vectors == 0);
    assert_eq!(c.search(&Query::new(&rows[3].vector).k(1)).unwrap()[0].id, 3.into());
    let early = Collection::builder(8).encoding(Encoding::INT4).build().unwrap();
    early.insert_batch(rows[..50].to_vec()).unwrap();
    early.train().unwrap();
    assert!(early.stats().encoded);
}

#[test]
fn hits_bring_what_was_asked_for() {
    let c = Collection::builder(2).metric(Metric::Cosine).build().unwrap();
    c.insert_batch(vec![
        Record::new(1, vec![3.0, 4.0]).with("a", 1),
        Record::new(2, vec![0.0, 0.0]),
    ])
    .unwrap();
    let bare = c.search(&Query::new(&[3.0, 4.0])).unwrap();
    assert!(bare.iter().all(|h| h.vector.is_none() && h.metadata.is_none()));
    let full = c.search(&Query::new(&[3.0, 4.0]).include_vectors().include_metadata()).unwrap();
    assert_eq!(full[0].vector.as_deref(), Some(&[3.0, 4.0][..]));
    assert_eq!(full[0].metadata, Some(Metadata::from([("a".into(), 1.into())])));
    assert_eq!((full[1].distance, full[1].metadata.clone()), (1.0, None));
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let c = Collection::builder(3).build().unwrap();
    c.insert(1, vec![1.0, 2.0, 3.0]).unwrap();
    let good = || Record::new(2, vec![0.0; 3]);
    type Refused = (Vec<Record>, fn(&CollectionError) -> bool);
    let cases: Vec<Refused> = vec![
        (vec![good(), Record::new(3, vec![0.0; 2])], |e| {
            matches!(e, CollectionError::DimMismatch { record: 1, expected: 3, found: 2 })
        }),
        (vec![good(), Record::new(3, vec![0.0, f32::NAN, 0.0])], |e| {
            matches!(e, CollectionError::NotFinite { record: 1, position: 1, .. })
        }),
        (vec![good(), Record::new(3, vec![f32::INFINITY, 0.0, 0.0])], |e| {
            matches!(e, CollectionError::NotFinite { .. })
        }),
        (vec![good(), Record::new(1, vec![0.0; 3])], |e| {
            matches!(e, CollectionError::IdExists { .. })
        }),
        (vec![good(), good()], |e| matches!(e, CollectionError::IdTwice { .. })),
        (vec![good(), Record::new("", vec![0.0; 3])], |e| {
            matches!(e, CollectionError::BadId { record: 1, bytes: 0 })
        }),
        (vec![good(), Record::new("x".repeat(1 << 20), vec![0.0; 3])], |e| {
            matches!(e, CollectionError::BadId { .. })
        }),
    ];
    for (batch, is) in cases {
        let error = c.insert_batch(batch).unwrap_err();
        assert!(is(&error) && !error.to_string().is_empty(), "{error:?}");
        assert_eq!((c.len(), c.contains(2)), (1, false));
    }
    assert!(c.insert_batch(Vec::new()).is_ok());
    let q = [1.0, 2.0, 3.0];
    let search = |q: Query<'_>| c.search(&q);
    assert!(search(Query::new(&[1.0])).is_err());
    assert!(search(Query::new(&[f32::NAN; 3])).is_err());
    assert_eq!(search(Query::new(&q).k(0)).unwrap().len(), 0);
    assert_eq!(search(Query::new(&q).k(usize::MAX).ef_search(0)).unwrap().len(), 1);
    assert_eq!(search(Query::new(&q).ef_search(usize::MAX)).unwrap().len(), 1);
    assert!(search(Query::new(&q).oversampling(0.5)).is_err());
    assert!(search(Query::new(&q).filter(Filter::eq("a", f64::NAN))).is_err());
    let empty = Collection::builder(3).build().unwrap();
    assert_eq!(empty.search(&Query::new(&q)).unwrap(), []);
    assert!(
        empty.get(1).is_none()
            && empty.is_empty()
            && empty.compact().is_ok()
            && empty.train().is_ok()
    );
}

#[test]
fn bad_options_are_refused_at_once() {
    assert!(Collection::builder(0).build().is_err());
    assert!(Collection::builder(usize::MAX).build().is_err());
    for (metric, encoding) in [
        (Metric::Hamming, Encoding::F32),
        (Metric::L1, Encoding::SQ8),
        (Metric::Linf, Encoding::F16),
        (Metric::L1, Encoding::BINARY),
    ] {
        let built = Collection::builder(4).metric(metric).encoding(encoding).build();
        assert!(matches!(built, Err(CollectionError::Encoding(_))), "{metric} {encoding}");
    }
    #[cfg(feature = "pq")]
    assert!(Collection::builder(4).encoding(Encoding::Pq { m: 5, nbits: 8 }).build().is_err());
    let dropped = Collection::builder(4).encoding(Encoding::SQ8).train_at(1).build().unwrap();
    dropped.insert(1, vec![1.0; 4]).unwrap();
    let error = dropped.search(&Query::new(&[1.0; 4]).oversampling(2.0)).unwrap_err();
    assert_eq!(error, CollectionError::NoOriginals);
}

#[test]
fn a_budget_is_kept_and_a_refused_batch_leaves_nothing() {
    let c = Collection::builder(64).memory_budget(400_000).build().unwrap();
    let rows = records(3000, 64, 8);
    c.insert_batch(rows[..300].to_vec()).unwrap();
    let before = c.stats();
    assert!(matches!(c.insert_batch(rows[300..].to_vec()), Err(CollectionError::Budget { .. })));
    assert_eq!((c.stats(), c.len()), (before, 300));
    let mut held = 0;
    for record in &rows[300..] {
        if c.upsert(record.clone()).is_err() {
            break;
        }
        held += 1;
    }
    assert!(held > 100 && held < 2000, "{held}");
}

#[cfg(not(target_family = "wasm"))]
#[test]
fn readers_see_whole_batches_while_writers_write() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let c = Collection::builder(4).build().unwrap();
    let (done, deleted) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for writer in 0..2u64 {
            let (c, deleted) = (&c, &deleted);
            scope.spawn(move || {
                for batch in 0..60u64 {
                    let id = |i: u64| writer * 100_000 + batch * 10 + i;
                    let rows = (0..10)
                        .map(|i| Record::new(id(i), vec![id(i) as f32, 1.0, 0.0, 0.0]))
                        .collect();
                    c.insert_batch(rows).unwrap();
                    if batch == 30 && writer == 0 {
                        c.delete(0..10u64).unwrap();
                        deleted.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
        for _ in 0..4 {
            let (c, done, deleted) = (&c, &done, &deleted);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let gone = deleted.load(Ordering::SeqCst);
                    let found = c.search(&Query::new(&[0.0; 4]).k(25)).unwrap();
                    let mut ids: Vec<_> = found.iter().map(|h| h.id.clone()).collect();
                    ids.sort();
                    ids.dedup();
                    assert_eq!(ids.len(), found.len());
                    assert!(found.windows(2).all(|w| w[0].distance <= w[1].distance));
                    assert!(!gone || ids.iter().all(|id| *id >= Id::from(10)));
                    // Batches are of ten.
                    assert_eq!(c.len() % 10, 0);
                }
            });
        }
        while c.len() < 1190 {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(c.len(), 1190);
    #[cfg(feature = "hnsw")]
    assert!(c.check_graph().unwrap().is_sound());
}

#[cfg(feature = "parallel")]
#[test]
fn threads_change_nothing_but_the_time() {
    let rows = records(1500, 16, 9);
    let build = |threads: usize| {
        let c = Collection::builder(16).threads(threads).build().unwrap();
        c.insert_batch(rows.clone()).unwrap();
        c
    };
    let (one, three) = (build(1), build(3));
    let queries: Vec<Query<'_>> = rows.iter().step_by(50).map(|r| Query::new(&r.vector)).collect();
    assert_eq!(one.search_batch(&queries).unwrap(), three.search_batch(&queries).unwrap());
    assert!(three.search_batch(&[Query::new(&[0.0])]).is_err());
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, i8),
    Upsert(u8, i8),
    Delete(u8),
    Compact,
    Search(i8, u8, Option<i8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<u8>(), any::<i8>()).prop_map(|(id, v)| Step::Insert(id, v)),
        3 => (any::<u8>(), any::<i8>()).prop_map(|(id, v)| Step::Upsert(id, v)),
        3 => any::<u8>().prop_map(Step::Delete),
        1 => Just(Step::Compact),
        4 => (any::<i8>(), 0u8..30, prop::option::of(any::<i8>())).prop_map(|(v, k, f)| Step::Search(v, k, f)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_collection_behaves_like_its_model(steps in prop::collection::vec(step(), 1..120), flat in any::<bool>()) {
        let index = if flat { IndexKind::Flat } else { IndexKind::default() };
        let c = Collection::builder(2).metric(Metric::L1).index(index).build().unwrap();
        let mut model: BTreeMap<u8, i8> = BTreeMap::new();
        let record = |id: u8, v: i8| Record::new(u64::from(id), vec![f32::from(v), 0.5]).with("v", i64::from(v));
        for step in steps {
            match step {
                Step::Insert(id, v) => {
                    let put = c.insert_batch(vec![record(id, v)]);
                    prop_assert_eq!(put.is_ok(), !model.contains_key(&id));
                    model.entry(id).or_insert(v);
                }
                Step::Upsert(id, v) => {
                    c.upsert(record(id, v)).unwrap();
                    model.insert(id, v);
                }
                Step::Delete(id) => {
                    prop_assert_eq!(c.delete([u64::from(id)]).unwrap() == 1, model.remove(&id).is_some());
                }
                Step::Compact => c.compact().unwrap(),
                Step::Search(v, k, floor) => {
                    let q = [f32::from(v), 0.5];
                    let mut query = Query::new(&q).k(k.into()).ef_search(300).include_metadata();
                    if let Some(floor) = floor {
                        query = query.filter(Filter::at_least("v", i64::from(floor)));
                    }
                    let found = c.search(&query).unwrap();
                    let wanted = |value: &i8| floor.is_none_or(|f| *value >= f);
                    let mut truth: Vec<i32> = model.values().filter(|x| wanted(x)).map(|x| (i32::from(*x) - i32::from(v)).abs()).collect();
                    truth.sort_unstable();
                    truth.truncate(k.into());
                    let got: Vec<i32> = found.iter().map(|h| h.distance as i32).collect();
                    prop_assert_eq!(got, truth);
                    for h in &found {
                        let Id::Number(id) = h.id else { panic!() };
                        let value = model[&(id as u8)];
                        prop_assert_eq!(h.metadata.as_ref().unwrap()["v"].clone(), i64::from(value).into());
                    }
                }
            }
            prop_assert_eq!(c.len(), model.len());
        }
        let ids: Vec<Id> = model.keys().map(|id| Id::from(u64::from(*id))).collect();
        let mut held = c.ids();
        held.sort();
        prop_assert_eq!(held, ids);
    }
}
