//! What a collection on disk reads: when it is opened, and when it is searched.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use annvil::storage::vfs::{File, Lock, OsVfs, Vfs};
use annvil::storage::{Mapping, Store, StoreOptions};
use annvil::{AlignedRows, Collection, Id, IndexKind, Query, Record};
use annvil_reports::findings::Check;

use super::alloc::{Who, counted};
use super::check::{at_least, at_most, count, missing, shown};
use super::interval::Interval;
use super::{Lab, pool, scaling, two_cores, two_threads_give};
use crate::rounds::{Clock, SystemClock};

fn text(e: impl fmt::Display) -> String {
    e.to_string()
}

/// A directory that goes with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self, String> {
        let path = std::env::temp_dir().join(format!("annvil-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).map_err(text)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Real files, whose reads are counted.
#[derive(Clone, Debug)]
struct Watched {
    files: Arc<OsVfs>,
    reads: Arc<AtomicU64>,
}

#[derive(Debug)]
struct WatchedFile(Box<dyn File>, Arc<AtomicU64>);

impl Watched {
    fn open(folder: &Folder) -> Result<Self, String> {
        let files = Arc::new(OsVfs::open(&folder.0).map_err(text)?);
        Ok(Self { files, reads: Arc::default() })
    }

    fn file(&self, file: Box<dyn File>) -> Box<dyn File> {
        Box::new(WatchedFile(file, Arc::clone(&self.reads)))
    }

    fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

impl Vfs for Watched {
    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(self.file(self.files.open(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(self.file(self.files.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.files.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.files.list()
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.files.sync_dir()
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn Lock>> {
        self.files.lock(name)
    }
}

impl File for WatchedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read_at(offset, to)
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, from)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn map(&self) -> io::Result<Option<Mapping>> {
        self.0.map()
    }
}

/// A collection of the first `n` rows, linked and closed.
fn stored(folder: &Folder, rows: &AlignedRows, n: usize) -> Result<(), String> {
    let dim = rows.dim();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let c = Collection::builder(dim).threads(threads).create(&folder.0).map_err(text)?;
    let mut bulk = c.bulk().map_err(text)?;
    for from in (0..n).step_by(4096) {
        let record =
            |i| Record::new(format!("vector-{i}"), rows.row(i).to_vec()).with("n", i as i64);
        bulk.push((from..n.min(from + 4096)).map(record).collect()).map_err(text)?;
    }
    bulk.finish().map_err(text)?;
    c.wait_for_index();
    c.close().map_err(text)
}

/// Ids and distances of a search.
type Found = Vec<(Id, f32)>;

fn found(c: &Collection, query: &[f32]) -> Result<Found, String> {
    let hits = c.search(&Query::new(query)).map_err(text)?;
    Ok(hits.into_iter().map(|hit| (hit.id, hit.distance)).collect())
}

/// OPT-PAR-2 of whole collections: opened, with nothing linked anew.
pub(super) fn reopen(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let sizes = [lab.size(2_500, 10_000), lab.size(10_000, 40_000)];
    let rows = lab.rows(sizes[1] + 50, 128)?;
    let folders = [Folder::new("open-0")?, Folder::new("open-1")?];
    let mut built = 0.0;
    for (folder, n) in folders.iter().zip(sizes) {
        let mut done = Ok(());
        built = lab.long_race(1, &mut [&mut || done = stored(folder, &rows, n)])?.time(0).median;
        done?;
    }
    let mut failed = None;
    let mut open = |folder: &Folder| match Collection::open(&folder.0) {
        Ok(c) => drop(std::hint::black_box(c.len())),
        Err(e) => failed = Some(e.to_string()),
    };
    let shared = std::cell::RefCell::new(&mut open);
    let race = lab.long_race(
        lab.size(9, 21),
        &mut [&mut || (shared.borrow_mut())(&folders[0]), &mut || {
            (shared.borrow_mut())(&folders[1]);
        }],
    )?;
    if let Some(why) = failed {
        return Err(why);
    }
    let c = Collection::open(&folders[1].0).map_err(text)?;
    let unlinked = sizes[1] - c.stats().indexed;
    let once: Vec<Found> =
        (sizes[1]..rows.len()).map(|q| found(&c, rows.row(q))).collect::<Result<_, _>>()?;
    c.close().map_err(text)?;
    let c = Collection::open(&folders[1].0).map_err(text)?;
    let mut differ = 0;
    for (q, before) in (sizes[1]..rows.len()).zip(&once) {
        differ += usize::from(found(&c, rows.row(q))? != *before);
    }
    let growth = (sizes[1] as f64 / sizes[0] as f64).ln();
    let exponent = race.ratio(1, 0).map(|r| r.ln() / growth);
    let faster = race.time(1).map(|t| built / t);
    Ok(vec![
        at_most(
            format!("exponent of opening a collection, {} and {} rows", sizes[0], sizes[1]),
            exponent,
            "",
            1.15,
        ),
        shown("opening the larger, checksums compared", race.time(1).map(|t| t / 1e6), "ms"),
        count("rows that opening links anew", unlinked as f64, "", 0.0),
        at_least("importing and linking it over opening it", faster, "x", 100.0),
        count("of 50 queries, those answered otherwise after", differ as f64, "", 0.0),
    ])
}

/// OPT-MEM-5 of a collection on disk.
pub(super) fn enrichment(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim, k) = (500, 3072, 100);
    let rows = lab.rows(n + 1, dim)?;
    let folder = Folder::new("enrichment")?;
    stored(&folder, &rows, n)?;
    let files = Watched::open(&folder)?;
    let c = Collection::open_in(Arc::new(files.clone())).map_err(text)?;
    let mut checks = Vec::new();
    for vectors in [false, true] {
        let query = Query::new(rows.row(n)).k(k).include_metadata();
        let query = if vectors { query.include_vectors() } else { query };
        c.search(&query).map_err(text)?;
        let before = files.reads();
        let (counts, hits) = counted(Who::Caller, 4 * dim, || c.search(&query));
        let hits = hits.map_err(text)?;
        let with = hits.iter().filter(|hit| hit.vector.is_some()).count();
        if hits.len() != k || with != if vectors { k } else { 0 } {
            return Err(format!("{} hits, {with} with vectors", hits.len()));
        }
        let counts = counts.ok_or("this program does not count its blocks")?;
        let (name, most) = if vectors { ("with", k) } else { ("without", 0) };
        let reads = (files.reads() - before) as f64;
        checks.push(count(format!("on disk, {name} vectors: reads of a search"), reads, "", 0.0));
        let blocks = counts.large as f64;
        let what = format!("on disk, {name} vectors: blocks of a vector's size");
        checks.push(count(what, blocks, "", most as f64));
    }
    Ok(checks)
}

/// Reads at the start: by how many transactions, and how fast.
pub(super) fn startup(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let n = lab.size(8_000, 50_000);
    let rows = lab.rows(n, 16)?;
    let folder = Folder::new("startup")?;
    stored(&folder, &rows, n)?;
    let files = Watched::open(&folder)?;
    drop(Collection::open_in(Arc::new(files.clone())).map_err(text)?);
    let reads = files.reads() as f64;
    let store = Store::open(Arc::new(files), &StoreOptions::expecting()).map_err(text)?;
    let ids: Vec<Id> = (0..n).map(|i| Id::from(format!("vector-{i}"))).collect();
    let (mut one_each, mut one) = (Ok(0), Ok(0));
    // As found: the ids of a list, each looked up and read by a transaction of its own.
    let found = |some: &[Id]| {
        let mut read = 0;
        for id in some {
            let slot = store.slot(id).map_err(text)?.ok_or("an id is lost")?;
            read += usize::from(store.entry(slot).map_err(text)?.is_some());
        }
        Ok::<usize, String>(read)
    };
    let at_once = || {
        let (reader, mut read) = (store.reader().map_err(text)?, 0);
        reader.entries(0..reader.slots(), |_| read += 1).map_err(text)?;
        Ok::<usize, String>(read)
    };
    let some = &ids[..n / 8];
    let race = lab.long_race(
        lab.size(7, 15),
        &mut [&mut || one_each = found(some), &mut || one = at_once()],
    )?;
    if (one_each?, one?) != (some.len(), n) {
        return Err("not every row was read".to_owned());
    }
    let ratio = race.ratio(0, 1).map(|r| r * 8.0);
    let mut checks = vec![
        at_most("reads of files in an opening, a row", Interval::exact(reads / n as f64), "", 0.1),
        at_least(format!("{n} rows, a transaction each, over one"), ratio, "x", 2.0),
        shown("all records by one transaction", race.time(1).map(|t| t / 1e6), "ms"),
    ];
    two_cores()?;
    checks.extend(readers(lab, &store)?);
    drop(store);
    let mut opened = Ok(());
    let mut open = || opened = Collection::open(&folder.0).map(drop).map_err(text);
    let race = lab.long_race(lab.size(7, 15), &mut [&mut open])?;
    opened?;
    checks.push(shown("opening all of it", race.time(0).map(|t| t / 1e6), "ms"));
    Ok(checks)
}

/// Records decoded by one thread, and by two with a transaction each.
fn readers(lab: &Lab<'_>, store: &Store) -> Result<Vec<Check>, String> {
    let what = "decoding all records: one thread over two, a transaction each";
    if cfg!(debug_assertions) {
        let why = "with debug assertions the database counts its open pages under one lock";
        return Ok(vec![missing(what, why)]);
    }
    let before = two_threads_give()?;
    let (two, slots) = (pool(2)?, store.reader().map_err(text)?.slots());
    let part = |from: u32, to: u32| {
        let mut entries = Vec::with_capacity((to - from) as usize);
        let reader = store.reader().map_err(text)?;
        reader.entries(from..to, |entry| entries.push(entry)).map_err(text)?;
        Ok::<_, String>(entries.len())
    };
    let (mut one, mut both) = (Ok(0), (Ok(0), Ok(0)));
    let race = lab.long_race(
        lab.size(9, 21),
        &mut [&mut || one = part(0, slots), &mut || {
            both = two.install(|| rayon::join(|| part(0, slots / 2), || part(slots / 2, slots)));
        }],
    )?;
    if one? != both.0? + both.1? {
        return Err("two threads read other records than one".to_owned());
    }
    let give = before.min(two_threads_give()?);
    Ok(vec![scaling(what.to_owned(), race.ratio(0, 1), 1.5, give)])
}

/// Collections on disk against what the disk and a collection in memory give.
pub(super) fn durable(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let mut checks = import(lab)?;
    checks.extend(beside_memory(lab)?);
    checks.push(group_commits(lab)?);
    Ok(checks)
}

/// A bulk import against a file that gets the same bytes in the same pieces.
fn import(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim, batch) = (lab.size(5_000, 100_000), 768, 4096);
    let rows = lab.rows(n, dim)?;
    let folder = Folder::new("import")?;
    let (mut failed, mut plain_failed) = (None, None);
    let mut records: Vec<Vec<Record>> = Vec::new();
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for _ in 0..lab.size(5, 9) {
        lab.go_on()?;
        let record = |i| Record::new(i as u64, rows.row(i).to_vec());
        let pieces = (0..n).step_by(batch);
        records.extend(pieces.map(|from| (from..n.min(from + batch)).map(record).collect()));
        let target = folder.0.join("collection");
        let _ = std::fs::remove_dir_all(&target);
        let race = lab.long_race(
            1,
            &mut [
                &mut || {
                    let imported = bulk_import(&target, dim, std::mem::take(&mut records));
                    failed = failed.take().or(imported.err());
                },
                &mut || {
                    let written = plain_write(&folder.0.join("plain"), &rows, batch);
                    plain_failed = plain_failed.take().or(written.err());
                },
            ],
        )?;
        if let Some(why) = failed.or(plain_failed.take()) {
            return Err(why);
        }
        failed = None;
        let row = &race.ns[0];
        ours.push(row[0]);
        plain.push(row[1]);
        let files = std::fs::read_dir(&target).map_err(text)?;
        bytes = files.filter_map(|f| f.ok()?.metadata().ok()).map(|m| m.len()).sum::<u64>();
    }
    let speed: Vec<f64> = plain.iter().zip(&ours).map(|(p, o)| p / o).collect();
    let payload = (n * dim * 4) as f64;
    let rate: Vec<f64> = ours.iter().map(|ns| payload / ns).collect();
    let what = format!("{n} x {dim}: a bulk import's speed over plain writing and one sync");
    Ok(vec![
        at_least(what, Interval::of(&speed), "x", 0.7),
        shown("a bulk import", Interval::of(&rate), "GB/s"),
        count(
            "bytes of its files over the vectors', without a graph",
            bytes as f64 / payload,
            "x",
            1.1,
        ),
    ])
}

fn bulk_import(
    target: &std::path::Path,
    dim: usize,
    records: Vec<Vec<Record>>,
) -> Result<(), String> {
    let c = Collection::builder(dim).index(IndexKind::Flat).create(target).map_err(text)?;
    let mut bulk = c.bulk().map_err(text)?;
    for batch in records {
        bulk.push(batch).map_err(text)?;
    }
    bulk.finish().map_err(text).map(drop)
}

fn plain_write(path: &std::path::Path, rows: &AlignedRows, batch: usize) -> Result<(), String> {
    let _ = std::fs::remove_file(path);
    let mut file = std::fs::File::create(path).map_err(text)?;
    let elements = rows.view();
    let mut bytes = Vec::new();
    for from in (0..rows.len()).step_by(batch) {
        bytes.clear();
        for row in from..rows.len().min(from + batch) {
            elements.row(row).iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
        }
        file.write_all(&bytes).map_err(text)?;
    }
    file.sync_data().map_err(text)
}

/// The same rows in memory and on disk, linked in the same steps: what the disk costs a search.
fn beside_memory(lab: &Lab<'_>) -> Result<Vec<Check>, String> {
    let (n, dim) = (lab.size(5_000, 50_000), 384);
    let rows = lab.rows(n + 64, dim)?;
    let folder = Folder::new("beside")?;
    let disk = Collection::builder(dim).create(&folder.0).map_err(text)?;
    let memory = Collection::builder(dim).build().map_err(text)?;
    for from in (0..n).step_by(1024) {
        lab.go_on()?;
        for c in [&disk, &memory] {
            let record = |i| Record::new(i as u64, rows.row(i).to_vec());
            c.insert_batch((from..n.min(from + 1024)).map(record).collect()).map_err(text)?;
        }
    }
    disk.close().map_err(text)?;
    let clock = SystemClock::new();
    let from = clock.wall_ns();
    let disk = Collection::open(&folder.0).map_err(text)?;
    let first = found(&disk, rows.row(n))?;
    let first_ms = clock.wall_ns().saturating_sub(from) as f64 / 1e6;
    let mut differ = usize::from(first != found(&memory, rows.row(n))?);
    for q in n..rows.len() {
        differ += usize::from(found(&disk, rows.row(q))? != found(&memory, rows.row(q))?);
    }
    let ask = |c: &Collection| {
        for q in n..rows.len() {
            drop(std::hint::black_box(c.search(&Query::new(rows.row(q)))));
        }
    };
    let race = lab.long_race(lab.size(15, 41), &mut [&mut || ask(&disk), &mut || ask(&memory)])?;
    Ok(vec![
        count(format!("{n} x {dim}: opened, and the first answer"), first_ms, "ms", 100.0),
        at_most("a search on disk over one in memory", race.ratio(0, 1), "x", 1.05),
        count("of 65 queries, those answered otherwise", differ as f64, "", 0.0),
    ])
}

/// Single inserts of eight threads against those of one.
fn group_commits(lab: &Lab<'_>) -> Result<Check, String> {
    let each = lab.size(40, 150) as u64;
    let folder = Folder::new("group")?;
    let c = Collection::builder(8).index(IndexKind::Flat).create(&folder.0).map_err(text)?;
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(0);
    let insert = |count: u64| {
        for _ in 0..count {
            let id = next.fetch_add(1, Ordering::Relaxed);
            if c.insert(id, vec![id as f32; 8]).is_err() {
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    let race = lab.long_race(
        lab.size(5, 9),
        &mut [&mut || insert(each), &mut || {
            std::thread::scope(|s| (0..8).for_each(|_| drop(s.spawn(|| insert(each)))));
        }],
    )?;
    if failed.into_inner() > 0 {
        return Err("an insert failed".to_owned());
    }
    let rate = race.ratio(0, 1).map(|r| r * 8.0);
    Ok(at_least("single inserts of eight threads over those of one", rate, "x", 5.0))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    #[test]
    fn reads_are_counted_and_what_is_stored_is_found_again() {
        let stop = AtomicBool::new(false);
        let lab = Lab { quick: true, seed: 3, stop: &stop, root: None };
        let rows = lab.rows(300, 8).unwrap();
        let folder = Folder::new("test").unwrap();
        stored(&folder, &rows, 290).unwrap();
        let files = Watched::open(&folder).unwrap();
        let c = Collection::open_in(Arc::new(files.clone())).unwrap();
        assert!(files.reads() > 0);
        assert_eq!(c.len(), 290);
        assert_eq!(found(&c, rows.row(7)).unwrap()[0], (Id::from("vector-7"), 0.0));
        let path = folder.0.clone();
        drop((c, folder));
        assert!(!path.exists());
    }
}
