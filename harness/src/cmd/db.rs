//! `db`: a thin command line over the crate's collections on disk.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use annvil::io::{Format, RowReader, write_fvecs};
use annvil::storage::{MAX_DIM, StoreError};
use annvil::{
    Collection, CollectionError, HnswOptions, Id, IndexKind, Metadata, Query, Record, Value,
};
use serde_json::Value as Json;

use super::on_interrupt;
use crate::cli::{DbArgs, DbVerb, IndexName};
use crate::progress::{Progress, note, out};
use crate::stop::{INTERRUPTED, MISSING, Stop, WRONG};

pub(crate) fn run(args: DbArgs) -> Result<(), Stop> {
    match args.what {
        DbVerb::Create { dir, dim, metric, encoding, index, m, ef_construction, seed } => {
            let index = match index {
                IndexName::Flat => IndexKind::Flat,
                IndexName::Hnsw => IndexKind::Hnsw(HnswOptions { m, ef_construction, seed }),
            };
            let options = Collection::builder(dim).metric(metric).encoding(encoding);
            options.index(index).seed(seed).create(&dir).map_err(refused)?;
            out(&format!("{}: an empty collection\n", dir.display()));
            Ok(())
        }
        DbVerb::Import { dir, file, first_id, skip, batch, upsert, threads } => {
            let c = open(&dir, threads)?;
            let how = Import { first_id, skip, batch: batch.max(1), upsert };
            import(&c, &file, &how)?;
            c.close().map_err(refused)
        }
        DbVerb::Export { dir, file } => export(&open(&dir, None)?, &file),
        DbVerb::Search { dir, like, vector, queries, k, ef, exact } => {
            let c = open(&dir, None)?;
            let ask = |vector: &[f32], name: &str| search(&c, vector, name, k, ef, exact);
            match (like, vector, queries) {
                (Some(id), _, _) => {
                    let found = named(&c, &id);
                    let row = found.ok_or_else(|| Stop::new(MISSING, format!("no row {id}")))?;
                    ask(&row.vector, &id)
                }
                (_, Some(vector), _) => ask(&vector, "the vector"),
                (_, _, Some(file)) => {
                    let mut at = 0;
                    each_row(&file, c.dim(), |vector| {
                        at += 1;
                        ask(&vector, &format!("query {}", at - 1)).map(|()| true)
                    })
                }
                _ => Err(Stop::usage("give --like, --vector or --queries")),
            }
        }
        DbVerb::Info { dir } => info(&open(&dir, None)?, &dir),
        DbVerb::Verify { dir } => verify(&dir),
        DbVerb::Compact { dir } => {
            let c = open(&dir, None)?;
            let before = c.stats();
            note("compacting; a first Ctrl-C cannot stop it, and nothing is lost by a second\n");
            c.compact().map_err(refused)?;
            wait(&c)?;
            let after = c.stats();
            out(&format!(
                "{} slots before, {} rows now\n",
                before.rows + before.tombstones,
                after.rows
            ));
            c.close().map_err(refused)
        }
        DbVerb::Snapshot { dir, to } => {
            open(&dir, None)?.snapshot(&to).map_err(refused)?;
            out(&format!("{}\n", to.display()));
            Ok(())
        }
    }
}

/// What the crate says, with the exit code for it.
fn refused(e: CollectionError) -> Stop {
    match &e {
        CollectionError::Store(StoreError::Corrupt(_)) => Stop::new(WRONG, e),
        CollectionError::Store(StoreError::NoStore) => Stop::new(MISSING, e),
        _ => Stop::failed(e),
    }
}

fn open(dir: &Path, threads: Option<usize>) -> Result<Collection, Stop> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.unwrap_or_else(cores);
    Collection::open_with(dir, |options| options.threads(threads)).map_err(refused)
}

struct Import {
    first_id: u64,
    skip: usize,
    batch: usize,
    upsert: bool,
}

fn import(c: &Collection, file: &Path, how: &Import) -> Result<(), Stop> {
    let stop = interrupted();
    let start = Instant::now();
    let mut batch = Vec::with_capacity(how.batch);
    let (mut at, mut done) = (0, 0);
    let bytes = file.metadata().map_err(|e| unreadable(file, &e))?.len();
    let mut progress = Progress::new(100);
    let flush = |batch: &mut Vec<Record>, done: &mut usize| {
        let count = batch.len();
        let records = std::mem::take(batch);
        let put = if how.upsert { c.upsert_batch(records) } else { c.insert_batch(records) };
        put.map_err(|e| {
            let rows = how.skip + *done;
            Stop::new(
                refused(e.clone()).code,
                format!("{}: after {rows} rows: {e}", file.display()),
            )
        })?;
        *done += count;
        Ok::<(), Stop>(())
    };
    let mut shown = 0;
    let whole = each_record(file, c.dim(), how.first_id, |record, read| {
        at += 1;
        if at <= how.skip {
            return Ok(true);
        }
        batch.push(record);
        if batch.len() == how.batch {
            progress.begin(&format!("{} rows", how.skip + done));
            flush(&mut batch, &mut done)?;
            let percent = (read.saturating_mul(100) / bytes.max(1)) as usize;
            (shown..percent.min(100)).for_each(|_| progress.end());
            shown = shown.max(percent);
        }
        Ok(!stop.load(Ordering::Relaxed))
    })?;
    if whole {
        flush(&mut batch, &mut done)?;
    }
    progress.finish();
    let rows = how.skip + done;
    if !whole {
        let go_on = format!("interrupted; {rows} rows are in, go on with --skip {rows}");
        return Err(Stop::new(INTERRUPTED, go_on));
    }
    let seconds = start.elapsed().as_secs_f64();
    out(&format!(
        "{done} rows in {seconds:.1} s, {:.0} a second\n",
        done as f64 / seconds.max(1e-9)
    ));
    wait(c)
}

/// Waits until every row is linked, and says so.
fn wait(c: &Collection) -> Result<(), Stop> {
    let slots = |s: annvil::Stats| s.rows + s.tombstones;
    let behind = |s: annvil::Stats| slots(s) - s.indexed;
    let first = behind(c.stats());
    if first == 0 {
        return Ok(());
    }
    note(&format!("linking {first} rows; they are on disk and can be found meanwhile\n"));
    let stop = interrupted();
    let mut progress = Progress::new(first);
    let mut last = first;
    while behind(c.stats()) > 0 {
        let now = behind(c.stats());
        (now..last).for_each(|_| progress.end());
        last = last.min(now);
        progress.begin("linked");
        std::thread::sleep(std::time::Duration::from_millis(200));
        if stop.load(Ordering::Relaxed) {
            progress.finish();
            return Err(Stop::new(
                INTERRUPTED,
                "interrupted; the rows are in, and opening links on",
            ));
        }
    }
    progress.finish();
    c.wait_for_index();
    Ok(())
}

/// Whether Ctrl-C was pressed since; there is one handler for all that a command does.
fn interrupted() -> &'static AtomicBool {
    on_interrupt().unwrap_or(&super::STOP)
}

fn unreadable(file: &Path, e: &dyn std::fmt::Display) -> Stop {
    Stop::failed(format!("{}: {e}", file.display()))
}

fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|e| e == "jsonl" || e == "ndjson")
}

/// The records of a file, each with the bytes read so far; `false` if `each` wanted no more.
fn each_record(
    file: &Path,
    dim: usize,
    first_id: u64,
    mut each: impl FnMut(Record, u64) -> Result<bool, Stop>,
) -> Result<bool, Stop> {
    if !is_json(file) {
        let mut id = first_id;
        let mut more = true;
        let row = 4 * dim as u64;
        let mut read = 0;
        each_row(file, dim, |vector| {
            let record = Record::new(id, vector);
            id += 1;
            read += row;
            more = each(record, read)?;
            Ok(more)
        })?;
        return Ok(more);
    }
    let mut lines = BufReader::new(File::open(file).map_err(|e| unreadable(file, &e))?);
    let (mut line, mut number, mut read) = (String::new(), 0, 0);
    loop {
        line.clear();
        number += 1;
        let bytes = lines.read_line(&mut line).map_err(|e| unreadable(file, &e))?;
        if bytes == 0 {
            return Ok(true);
        }
        read += bytes as u64;
        if line.trim().is_empty() {
            continue;
        }
        let at = |why: &dyn std::fmt::Display| {
            Stop::failed(format!("{}, line {number}: {why}", file.display()))
        };
        let record = from_json(&line).map_err(|why| at(&why))?;
        if !each(record, read)? {
            return Ok(false);
        }
    }
}

/// The rows of a vector file, until `each` wants no more.
fn each_row(
    file: &Path,
    dim: usize,
    mut each: impl FnMut(Vec<f32>) -> Result<bool, Stop>,
) -> Result<(), Stop> {
    let format = Format::from_path(file).ok_or_else(|| {
        Stop::usage(format!(
            "{}: give a file of .jsonl, .fvecs, .bvecs, .fbin, .u8bin or .npy",
            file.display()
        ))
    })?;
    let open = File::open(file).map_err(|e| unreadable(file, &e))?;
    let len = open.metadata().map_err(|e| unreadable(file, &e))?.len();
    let mut rows = RowReader::new(open, len, format, file).map_err(Stop::failed)?;
    if rows.rows() > 0 && rows.dim() != dim {
        return Err(Stop::failed(format!(
            "{}: rows of {} elements for a collection of dimension {dim}",
            file.display(),
            rows.dim()
        )));
    }
    if rows.rows() == 0 {
        return Ok(());
    }
    loop {
        let mut row = vec![0.0; dim];
        if !rows.next_f32(&mut row).map_err(Stop::failed)? || !each(row)? {
            return Ok(());
        }
    }
}

/// A row by its number or its text.
fn named(c: &Collection, id: &str) -> Option<Record> {
    let number = id.parse::<u64>().ok().and_then(|number| c.get(number));
    number.or_else(|| c.get(id))
}

fn search(
    c: &Collection,
    vector: &[f32],
    name: &str,
    k: usize,
    ef: usize,
    exact: bool,
) -> Result<(), Stop> {
    let mut query = Query::new(vector).k(k).ef_search(ef).include_metadata();
    if exact {
        query = query.exact();
    }
    let start = Instant::now();
    let (hits, plan) = c.explain(&query).map_err(refused)?;
    let micros = start.elapsed().as_secs_f64() * 1e6;
    note(&format!("{name}: {} found by {plan:?} in {micros:.0} us\n", hits.len()));
    for hit in hits {
        let metadata = hit.metadata.map_or(String::new(), |m| to_json_map(&m).to_string());
        out(&format!("{:>14.6}  {}  {metadata}\n", hit.distance, hit.id));
    }
    Ok(())
}

fn info(c: &Collection, dir: &Path) -> Result<(), Stop> {
    let (stats, store) = (c.stats(), c.store_info());
    let store = store.ok_or_else(|| Stop::failed("no store"))?;
    out(&format!("{}\n", dir.display()));
    let line = |name: &str, value: String| out(&format!("  {name:<20} {value}\n"));
    line("rows", stats.rows.to_string());
    line("tombstones", stats.tombstones.to_string());
    line("linked slots", stats.indexed.to_string());
    line("stored graph", store.graph_slots.map_or("none".to_owned(), |n| format!("{n} slots")));
    line("commits", store.sequence.to_string());
    let mib = |bytes: f64| format!("{:.1} MiB", bytes / f64::from(1 << 20));
    line("files of rows", mib(store.segment_bytes as f64));
    line("mapped", mib(stats.bytes.mapped as f64));
    line("codes", mib(stats.bytes.codes as f64));
    line("links", mib(stats.bytes.links as f64));
    line("ids, metadata", mib((stats.bytes.ids + stats.bytes.metadata) as f64));
    for (name, value) in store.params {
        line(&name, value);
    }
    Ok(())
}

fn verify(dir: &Path) -> Result<(), Stop> {
    let start = Instant::now();
    let c = Collection::open(dir).map_err(refused)?;
    let report = c.verify().map_err(refused)?.ok_or_else(|| Stop::failed("no store"))?;
    let graph = c.check_graph();
    for fault in &report.faults {
        out(&format!("damaged: {fault}\n"));
    }
    if let Some(graph) = graph.filter(|g| !g.is_sound()) {
        out(&format!("the graph is none: {graph:?}\n"));
        return Err(Stop::new(WRONG, "what is linked wrongly is linked anew by `compact`"));
    }
    if !report.faults.is_empty() {
        return Err(Stop::new(WRONG, format!("{} faults", report.faults.len())));
    }
    out(&format!(
        "sound: {} rows of {} slots, {} blocks compared, {:.2} s\n",
        report.live,
        report.slots,
        report.blocks,
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn export(c: &Collection, file: &Path) -> Result<(), Stop> {
    let stop = interrupted();
    let json = is_json(file);
    if !json && Format::from_path(file) != Some(Format::Fvecs) {
        return Err(Stop::usage(format!("{}: give a file of .jsonl or .fvecs", file.display())));
    }
    let made = File::create_new(file).map_err(|e| unreadable(file, &e))?;
    let mut to = BufWriter::new(made);
    let ids = c.ids();
    let mut progress = Progress::new(ids.len());
    let mut written = 0usize;
    for id in &ids {
        progress.begin("rows");
        // Deleted meanwhile, if it is not there.
        if let Some(record) = c.get(id.clone()) {
            let result = if json {
                writeln!(to, "{}", to_json(&record))
            } else {
                write_fvecs(&mut to, [record.vector.as_slice()])
            };
            result.map_err(|e| unreadable(file, &e))?;
            written += 1;
        }
        progress.end();
        if stop.load(Ordering::Relaxed) {
            drop(to);
            let _ = std::fs::remove_file(file);
            return Err(Stop::new(INTERRUPTED, "interrupted; no file was left"));
        }
    }
    to.flush().map_err(|e| unreadable(file, &e))?;
    progress.finish();
    out(&format!("{written} rows in {}\n", file.display()));
    Ok(())
}

fn to_json(record: &Record) -> Json {
    let mut map = serde_json::Map::new();
    let id = match &record.id {
        Id::Number(number) => Json::from(*number),
        Id::Text(text) => Json::from(&**text),
    };
    map.insert("id".to_owned(), id);
    map.insert("vector".to_owned(), record.vector.iter().map(|v| Json::from(*v)).collect());
    if let Some(metadata) = &record.metadata {
        map.insert("metadata".to_owned(), to_json_map(metadata));
    }
    Json::Object(map)
}

fn to_json_map(metadata: &Metadata) -> Json {
    let each = metadata.iter().map(|(name, value)| (name.clone(), to_json_value(value)));
    Json::Object(each.collect())
}

fn to_json_value(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(v) => Json::from(*v),
        Value::Int(v) => Json::from(*v),
        Value::Float(v) => Json::from(*v),
        Value::Text(v) => Json::from(v.as_str()),
        Value::List(v) => v.iter().map(to_json_value).collect(),
        Value::Map(v) => to_json_map(v),
    }
}

fn from_json(line: &str) -> Result<Record, String> {
    let Json::Object(mut map) = serde_json::from_str(line).map_err(|e| e.to_string())? else {
        return Err("no object; a line is {\"id\": .., \"vector\": [..]}".to_owned());
    };
    let id = match map.remove("id") {
        Some(Json::String(text)) => Id::from(text),
        Some(Json::Number(n)) => match n.as_u64() {
            Some(n) => Id::from(n),
            None => return Err(format!("id {n}: give a whole number from 0, or text")),
        },
        _ => return Err("no \"id\" that is a number or text".to_owned()),
    };
    let Some(Json::Array(elements)) = map.remove("vector") else {
        return Err("no \"vector\" that is a list".to_owned());
    };
    if elements.len() > MAX_DIM {
        return Err(format!("a vector of {} elements; {MAX_DIM} are the most", elements.len()));
    }
    let vector: Option<Vec<f32>> = elements.iter().map(|e| e.as_f64().map(|v| v as f32)).collect();
    let vector = vector.ok_or("a vector element that is no number")?;
    let metadata = match map.remove("metadata") {
        None | Some(Json::Null) => None,
        Some(Json::Object(fields)) => Some(from_json_map(fields)),
        Some(_) => return Err("\"metadata\" is no object".to_owned()),
    };
    if let Some(other) = map.keys().next() {
        return Err(format!("{other:?}: there are \"id\", \"vector\" and \"metadata\""));
    }
    Ok(Record { id, vector, metadata })
}

fn from_json_map(map: serde_json::Map<String, Json>) -> Metadata {
    map.into_iter().map(|(name, value)| (name, from_json_value(value))).collect()
}

fn from_json_value(value: Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(v) => Value::Bool(v),
        Json::Number(n) => match n.as_i64() {
            Some(v) => Value::Int(v),
            None => Value::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(v) => Value::Text(v),
        Json::Array(v) => Value::List(v.into_iter().map(from_json_value).collect()),
        Json::Object(v) => Value::Map(from_json_map(v)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_records_and_lines_again() {
        let line = r#"{"id":"a","metadata":{"deep":{"list":[1,2.5,null,true]},"n":-3},"vector":[0.5,-1.0]}"#;
        let record = from_json(line).unwrap();
        assert_eq!((&record.id, record.vector.as_slice()), (&Id::from("a"), &[0.5, -1.0][..]));
        assert_eq!(to_json(&record).to_string(), line);
        assert_eq!(from_json(r#"{"id":7,"vector":[]}"#).unwrap().id, Id::from(7));
        for bad in [
            "",
            "[]",
            r#"{"id":-1,"vector":[]}"#,
            r#"{"vector":[1]}"#,
            r#"{"id":1}"#,
            r#"{"id":1,"vector":["x"]}"#,
            r#"{"id":1,"vector":[1],"metadata":3}"#,
            r#"{"id":1,"vector":[1],"meta":{}}"#,
        ] {
            assert!(from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_collection_goes_out_and_comes_in() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let words = |words: &[&str]| {
            let mut all = vec!["cargo xtask".to_owned(), "db".to_owned()];
            all.extend(words.iter().map(|w| w.replace("@", dir.path().to_str().unwrap())));
            <crate::cli::Cli as clap::Parser>::try_parse_from(all).unwrap()
        };
        let run = |w: &[&str]| crate::cmd::run(words(w).verb);
        run(&["create", "@/a", "--dim", "2", "--metric", "cosine"]).unwrap();
        assert_eq!(run(&["create", "@/a", "--dim", "2"]).unwrap_err().code, crate::stop::FAILED);
        std::fs::write(at("in.jsonl"), "{\"id\":1,\"vector\":[3,4]}\n\n{\"id\":\"b\",\"vector\":[1,0],\"metadata\":{\"n\":1}}\n").unwrap();
        let c = open(&at("a"), Some(1)).unwrap();
        let how = Import { first_id: 0, skip: 0, batch: 1, upsert: false };
        import(&c, &at("in.jsonl"), &how).unwrap();
        let twice = import(&c, &at("in.jsonl"), &how).unwrap_err();
        assert!(twice.why.contains("in.jsonl: after 0 rows"), "{}", twice.why);
        import(&c, &at("in.jsonl"), &Import { upsert: true, ..how }).unwrap();
        assert_eq!((c.len(), c.get("b").unwrap().vector), (2, vec![1.0, 0.0]));
        drop(c);
        run(&["compact", "@/a"]).unwrap();
        run(&["verify", "@/a"]).unwrap();
        run(&["info", "@/a"]).unwrap();
        run(&["search", "@/a", "--like", "b"]).unwrap();
        run(&["search", "@/a", "--vector", "-1,0.5", "-k", "1", "--exact"]).unwrap();
        assert_eq!(run(&["search", "@/a", "--like", "c"]).unwrap_err().code, MISSING);
        run(&["snapshot", "@/a", "@/copy"]).unwrap();
        run(&["export", "@/copy", "@/out.jsonl"]).unwrap();
        run(&["export", "@/copy", "@/out.fvecs"]).unwrap();
        assert!(run(&["export", "@/copy", "@/out.fvecs"]).unwrap_err().why.contains("out.fvecs"));
        run(&["create", "@/b", "--dim", "2", "--index", "flat"]).unwrap();
        run(&["import", "@/b", "@/out.jsonl"]).unwrap();
        run(&["import", "@/b", "@/out.fvecs", "--first-id", "100", "--skip", "1"]).unwrap();
        let b = Collection::open(at("b")).unwrap();
        let a = Collection::open(at("copy")).unwrap();
        assert_eq!((b.len(), b.get("b"), b.get(1)), (3, a.get("b"), a.get(1)));
        assert!(b.contains(101) && !b.contains(100));
    }
}
