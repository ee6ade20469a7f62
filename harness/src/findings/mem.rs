//! OPT-MEM-1 to 5: what is allocated, counted.

use annvil::quant::{Init, KMeansOptions, Pq, PqOptions, kmeans as train};
use annvil::scorer::{F32Rows, Rows};
use annvil::{AlignedRows, Flat, Forced, Graph, Hnsw, HnswOptions, HnswScratch, Metric};
use annvil_reports::findings::Check;

use super::Lab;
use super::alloc::{Counts, counted};
use super::check::{at_least, at_most, count, missing, shown};
use super::interval::Interval;
use crate::baseline::{store, training};

/// Counts, or why there are none.
fn of<T>(large: usize, work: impl FnOnce() -> T) -> Result<(Counts, T), String> {
    let (counts, made) = counted(large, work);
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
    let (found, kept) = of(large, || store::insert_batch(&batch))?;
    let held = kept.points.len() + kept.vectors.len();
    drop((kept.id_to_point, kept.point_to_id));
    let empty = AlignedRows::with_capacity(0, dim).map_err(text)?;
    let rows = F32Rows::new(empty, Metric::L2, &Forced::default()).map_err(text)?;
    let (pushed, rows) = of(large, || -> Result<F32Rows, String> {
        let mut rows = rows;
        rows.reserve(batch.len()).map_err(text)?;
        for (_, vector) in &batch {
            rows.push(vector).map_err(text)?;
        }
        Ok(rows)
    })?;
    let rows = rows?;
    lab.go_on()?;
    let mut graph = Graph::new(HnswOptions::default()).map_err(text)?;
    let (linked, done) = of(large, || graph.extend(&rows))?;
    done.map_err(text)?;
    let payload = (n * large + graph.bytes()) as f64;
    let blocks = (pushed.large + linked.large) as f64 / n as f64;
    let whole = (pushed.bytes + linked.bytes) as f64 / payload;
    let saved = Interval::exact(found.bytes as f64 / pushed.bytes as f64);
    Ok(vec![
        count(format!("{n} rows: blocks of a vector's size a row"), blocks, "", 0.01),
        shown("the same as found", Interval::exact(found.large as f64 / n as f64), ""),
        shown("copies held as found", Interval::exact(held as f64 / n as f64), ""),
        at_most("all bytes over rows and graph", Interval::exact(whole), "x", 1.5),
        shown("of these for the rows", Interval::exact(pushed.bytes as f64 / payload), "x"),
        at_least("bytes as found over ours, without graphs", saved, "x", 2.0),
    ])
}

pub(super) fn kmeans(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim, k) = (lab.size(4_000, 20_000), 32, 64);
    let rows = lab.rows(n, dim)?;
    let ours = |iterations| {
        let options =
            KMeansOptions { iterations, init: Init::Sample, sample: n, ..KMeansOptions::new(k) };
        let (counts, found) = of(1, || train(rows.view(), &options, &Forced::default()))?;
        Ok::<_, String>((counts, found.map_err(text)?.iterations))
    };
    let ((few, five), (many, twenty)) = (ours(5)?, ours(20)?);
    let copies = vectors(&rows);
    let (found, _) = of(1, || training::kmeans(&copies, k, 20, lab.seed))?;
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
        let (counts, made) = of(1, || Pq::train(view, &options, &Forced::default()))?;
        made.map_err(text)?;
        Ok::<_, String>(counts.blocks as f64)
    };
    // Kernels are looked up once a process; that is not the training's.
    ours(1000)?;
    let more = ours(2000)? - ours(1000)?;
    let copies = vectors(&rows);
    let found = |n: usize| Ok::<_, String>(of(1, || training::pq(&copies[..n], m, 64, 1, 1))?.0);
    let differ = found(2000)?.blocks as f64 - found(1000)?.blocks as f64;
    let as_found = Interval::exact(differ);
    Ok(vec![
        count("blocks for 1000 more rows", more, "", 16.0),
        at_least("the same as found", as_found, "", (m * 1000) as f64),
    ])
}

pub(super) fn pool(_: &Lab<'_>) -> Result<Vec<Check>, String> {
    let pool = store::Pool::new(1536, 4, 8);
    for _ in 0..100 {
        let vector = pool.acquire();
        pool.give_back(vector);
    }
    let hits = pool.hits.load(std::sync::atomic::Ordering::Relaxed) as f64;
    Ok(vec![
        shown("as found: hits in 100 of a pool of 4 to 8", Interval::exact(hits), ""),
        missing("ours: time without zeroing, share of hits", "the engine has no pool yet"),
    ])
}

pub(super) fn enrichment(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim, k) = (2_000, 768, 100);
    let rows = lab.rows(n + 1, dim)?;
    let query = rows.row(n).to_vec();
    let flat = Flat::new(rows.clone(), Metric::L2).map_err(text)?;
    let options = HnswOptions { ef_construction: 40, ..HnswOptions::default() };
    let graph = Hnsw::new(rows, Metric::L2, options).map_err(text)?;
    let mut scratch = HnswScratch::default();
    graph.search(&query, k, k, &mut scratch).map_err(text)?;
    let (flat, found) = of(4 * dim, || flat.search(&query, k))?;
    found.map_err(text)?;
    let (hnsw, found) = of(4 * dim, || graph.search(&query, k, k, &mut scratch))?;
    found.map_err(text)?;
    let mut copied = count("graph: blocks of a vector's size a query", hnsw.large as f64, "", 0.0);
    copied.note = format!("{} bytes in all, k = {k}, {dim} dims", hnsw.bytes);
    let mut whole = shown("flat: the same", Interval::exact(flat.large as f64), "");
    whole.note = format!("{} bytes in all: a copy of the query, and results", flat.bytes);
    Ok(vec![
        copied,
        whole,
        missing("reads of a store, with and without vectors", "no stored collection yet"),
    ])
}
