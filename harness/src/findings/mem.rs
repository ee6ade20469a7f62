//! OPT-MEM-1 to 5: what is allocated, counted.

use std::hint::black_box;

use annvil::mem::VectorPool;
use annvil::quant::{Init, KMeansOptions, Pq, PqOptions, kmeans as train};
use annvil::{AlignedRows, Collection, Forced, HnswOptions, IndexKind, Metric, Query, Record};
use annvil_reports::findings::Check;

use super::Lab;
use super::alloc::{Counts, Who, counted};
use super::check::{at_least, at_most, count, shown};
use super::interval::Interval;
use crate::baseline::{store, training};
use crate::rounds::Contestant;

/// Counts, or why there are none.
fn of<T>(who: Who, large: usize, work: impl FnOnce() -> T) -> Result<(Counts, T), String> {
    let (counts, made) = counted(who, large, work);
    counts.map(|c| (c, made)).ok_or_else(|| "this program does not count its blocks".to_owned())
}

fn text(e: impl std::fmt::Display) -> String {
    e.to_string()
}

pub(super) fn vectors(rows: &AlignedRows) -> Vec<Vec<f32>> {
    (0..rows.len()).map(|i| rows.row(i).to_vec()).collect()
}

pub(super) fn batch_insert(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim) = (lab.size(2_000, 10_000), 128);
    let large = 4 * dim;
    let vectors = vectors(&lab.rows(n, dim)?);
    let batch: Vec<(String, Vec<f32>)> =
        (0..n).map(|i| format!("vector-{i}")).zip(vectors).collect();
    let (found, kept) = of(Who::All, large, || store::insert_batch(&batch))?;
    let held = kept.points.len() + kept.vectors.len();
    drop((kept.id_to_point, kept.point_to_id));
    lab.go_on()?;
    let put = |index| {
        let collection = collection(dim, index)?;
        let record = |(id, vector): &(String, Vec<f32>)| Record::new(id.as_str(), vector.clone());
        let records = batch.iter().map(record).collect();
        let (counts, done) = of(Who::All, large, || collection.insert_batch(records))?;
        done.map_err(text)?;
        Ok::<_, String>((counts, collection.stats().bytes.links))
    };
    let (flat, _) = put(IndexKind::Flat)?;
    let (linked, links) = put(IndexKind::Hnsw(HnswOptions::default()))?;
    let each = |counts: Counts| counts.large as f64 / n as f64;
    let whole = Interval::exact(linked.bytes as f64 / (n * large + links) as f64);
    let saved = Interval::exact(found.bytes as f64 / flat.bytes as f64);
    Ok(vec![
        count(format!("{n} rows, flat: blocks of a vector's size a row"), each(flat), "", 0.01),
        count("with a graph: the same", each(linked), "", 0.01),
        shown("as found: the same", Interval::exact(each(found)), ""),
        shown("as found: copies held", Interval::exact(held as f64 / n as f64), ""),
        at_most("with a graph: all bytes over vectors and graph", whole, "x", 1.5),
        at_least("flat: bytes as found over ours", saved, "x", 2.0),
    ])
}

/// An empty collection.
fn collection(dim: usize, index: IndexKind) -> Result<Collection, String> {
    Collection::builder(dim).metric(Metric::L2).index(index).threads(2).build().map_err(text)
}

/// An empty collection with a graph.
pub(super) fn hnsw(dim: usize) -> Result<Collection, String> {
    collection(dim, IndexKind::Hnsw(HnswOptions::default()))
}

pub(super) fn kmeans(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim, k) = (lab.size(4_000, 20_000), 32, 64);
    let rows = lab.rows(n, dim)?;
    let ours = |iterations| {
        let options =
            KMeansOptions { iterations, init: Init::Sample, sample: n, ..KMeansOptions::new(k) };
        let (counts, found) =
            of(Who::Caller, 1, || train(rows.view(), &options, &Forced::default()))?;
        Ok::<_, String>((counts, found.map_err(text)?.iterations))
    };
    let ((few, five), (many, twenty)) = (ours(5)?, ours(20)?);
    let copies = vectors(&rows);
    let (found, _) = of(Who::Caller, 1, || training::kmeans(&copies, k, 20, lab.seed))?;
    let more = many.blocks.saturating_sub(few.blocks);
    let growth = Interval::exact(many.bytes as f64 / few.bytes as f64);
    let saved = Interval::exact(found.bytes as f64 / many.bytes as f64);
    let mut blocks = count("blocks of more iterations", more as f64, "", 0.0);
    blocks.note = format!("{five} and {twenty} iterations ran");
    Ok(vec![
        blocks,
        at_most("bytes of up to 20 iterations over 5", growth, "x", 1.05),
        at_least("bytes as found over ours", saved, "x", 10.0),
        shown("blocks as found over ours", ratio(found.blocks, many.blocks), "x"),
    ])
}

fn ratio(a: u64, b: u64) -> Interval {
    Interval::exact(a as f64 / b.max(1) as f64)
}

pub(super) fn pq(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (dim, m) = (64, 8);
    let rows = lab.rows(2000, dim)?;
    let ours = |n| {
        let options = PqOptions { iterations: 3, ..PqOptions::new(m) };
        let view = rows.view().slice(0, n);
        let (counts, made) = of(Who::Caller, 1, || Pq::train(view, &options, &Forced::default()))?;
        made.map_err(text)?;
        Ok::<_, String>(counts.blocks as f64)
    };
    // Kernels are looked up once a process; that is not the training's.
    ours(1000)?;
    let more = ours(2000)? - ours(1000)?;
    let copies = vectors(&rows);
    let found = |n: usize| {
        Ok::<_, String>(of(Who::Caller, 1, || training::pq(&copies[..n], m, 64, 1, 1))?.0)
    };
    let differ = found(2000)?.blocks as f64 - found(1000)?.blocks as f64;
    let as_found = Interval::exact(differ);
    Ok(vec![
        count("blocks for 1000 more rows", more, "", 16.0),
        at_least("the same as found", as_found, "", (m * 1000) as f64),
    ])
}

pub(super) fn pool(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    const DIM: usize = 1536;
    let found = store::Pool::new(DIM, 4, 8);
    for _ in 0..100 {
        let vector = found.acquire();
        found.give_back(vector);
    }
    let hits = found.hits.load(std::sync::atomic::Ordering::Relaxed) as f64;
    let ours = VectorPool::new(DIM, 8).map_err(text)?;
    let cycle = |times: usize| {
        for _ in 0..times {
            drop(black_box(ours.acquire_for_overwrite()));
        }
    };
    cycle(100_000);
    std::thread::scope(|scope| {
        let threads = [scope.spawn(|| cycle(100_000)), scope.spawn(|| cycle(100_000))];
        threads.map(|t| t.join().is_ok())
    });
    let stats = ours.stats();
    let share = stats.hits as f64 / (stats.hits + stats.misses) as f64;
    let acquire = |zeroed: bool| Contestant {
        values_per_iter: 1,
        run: {
            let ours = &ours;
            Box::new(move |iters| {
                for _ in 0..iters {
                    drop(black_box(if zeroed {
                        ours.acquire()
                    } else {
                        ours.acquire_for_overwrite()
                    }));
                }
            })
        },
    };
    let race = lab.race(&mut [acquire(true), acquire(false)]);
    Ok(vec![
        shown("as found: hits in 100 of a pool of 4 to 8", Interval::exact(hits), ""),
        at_least("ours: share of hits, one thread and two", Interval::exact(share), "", 0.99),
        at_least("1536 dims: zeroed over not zeroed", race.ratio(0, 1), "x", 1.3),
    ])
}

pub(super) fn enrichment(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    // Vectors larger than the list of hits, which is no vector.
    let (n, dim, k) = (500, 3072, 100);
    let rows = lab.rows(n + 1, dim)?;
    let query = rows.row(n);
    let collection = hnsw(dim)?;
    let record = |i| Record::new(format!("vector-{i}"), rows.row(i).to_vec());
    collection.insert_batch((0..n).map(record).collect()).map_err(text)?;
    let search = |vectors: bool| {
        let query = Query::new(query).k(k);
        let query = if vectors { query.include_vectors() } else { query };
        // The first one makes the buffers that the next ones find.
        collection.search(&query).map_err(text)?;
        let (counts, found) = of(Who::Caller, 4 * dim, || collection.search(&query))?;
        let with = found.map_err(text)?.iter().filter(|h| h.vector.is_some()).count();
        Ok::<_, String>((counts, with))
    };
    let ((without, _), (with, vectors)) = (search(false)?, search(true)?);
    let blocks = |c: Counts| Interval::exact(c.large as f64);
    let mut bare = at_most("blocks of a vector's size, without vectors", blocks(without), "", 0.0);
    bare.note = format!("{} bytes in all, k {k}, {dim} dims", without.bytes);
    let mut full = at_most("the same with vectors", blocks(with), "", k as f64);
    full.note = format!("{} bytes in all, {vectors} vectors", with.bytes);
    let mut checks = vec![bare, full];
    checks.extend(super::disk::enrichment(lab)?);
    Ok(checks)
}
