//! Processes that write are killed, and what they acknowledged is looked for. Each cycle kills another
//! process at another moment and opens the store that it left. `ANNVIL_KILL_CYCLES` makes it longer.
//!
//! This shows that no state between two system calls is a bad one. It cannot show that the right
//! calls are waited for: a killed process leaves the system's memory as it is. The simulated disk does.
#![cfg(all(feature = "storage", unix))]
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use annvil::storage::{OsVfs, SegmentSpec, Store, StoreError, StoreOptions};

const CHILD: &str = "ANNVIL_KILL_CHILD";
#[cfg(feature = "storage-sim")]
const MISTAKE: &str = "ANNVIL_KILL_MISTAKE";
const DIM: usize = 24;

fn options() -> StoreOptions {
    let options = StoreOptions::new(vec![SegmentSpec::vectors(DIM)]).param("metric", "l2");
    #[cfg(feature = "storage-sim")]
    if std::env::var_os(MISTAKE).is_some() {
        return options.mistake(annvil::storage::torture::Knob::WriteLast);
    }
    options
}

fn open(dir: &Path) -> Result<Store, StoreError> {
    Store::open_or_create(Arc::new(OsVfs::create(dir).unwrap()), &options())
}

fn vector(id: u64, step: u64) -> [f32; DIM] {
    std::array::from_fn(|i| (id * 31 + step * 7 + i as u64) as f32)
}

/// What a step does: ids that are put in or replaced, an id that goes.
fn step_of(step: u64) -> (Vec<u64>, u64) {
    (vec![step * 3, step * 3 + 1, step / 2, 1_000_000 + step % 5], step * 2)
}

fn model_after(model: &mut BTreeMap<u64, u64>, step: u64) {
    let (puts, gone) = step_of(step);
    model.remove(&gone);
    model.extend(puts.into_iter().filter(|id| *id != gone).map(|id| (id, step)));
}

fn run(store: &Store, step: u64) -> Result<(), StoreError> {
    let (mut puts, gone) = step_of(step);
    puts.retain(|id| *id != gone);
    puts.sort_unstable();
    puts.dedup();
    // Every fifth step is a bulk of two batches.
    let (first, second) = puts.split_at(if step.is_multiple_of(5) { 1 } else { puts.len() });
    let batch = |ids: &[u64]| {
        let mut batch = store.batch();
        for &id in ids {
            batch.upsert_vector(&id.into(), None, &vector(id, step))?;
        }
        Ok::<_, StoreError>(batch)
    };
    let mut last = batch(first)?;
    last.delete(&gone.into())?;
    if second.is_empty() {
        store.commit(last)?;
    } else {
        let mut bulk = store.bulk()?;
        bulk.push(&last)?;
        bulk.push(&batch(second)?)?;
        bulk.finish()?;
    }
    if step % 17 == 3 {
        store.compact()?;
    }
    Ok(())
}

/// Not a test of its own: the process that is killed. It says what is acknowledged.
#[test]
fn child() {
    let Ok(dir) = std::env::var(CHILD) else { return };
    let store = open(Path::new(&dir)).unwrap();
    // How far others came is in the store.
    let next = store.blob("next").unwrap().map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap()));
    let mut out = std::io::stdout();
    for step in next.. {
        run(&store, step).unwrap();
        writeln!(out, "\nack {step}").unwrap();
        out.flush().unwrap();
    }
}

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        // Nothing here depends on the device: memory is as good, and fast.
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let dir = base.join(format!("annvil-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn child_of(dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(CHILD, dir);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// What differs between a store and a model.
fn differs(store: &Store, model: &BTreeMap<u64, u64>) -> Option<String> {
    let (reader, view) = (store.reader().unwrap(), store.view(0).unwrap());
    let rows = view.rows::<f32>().unwrap();
    if reader.live() as usize != model.len() {
        return Some(format!("{} rows instead of {}", reader.live(), model.len()));
    }
    let mut what = None;
    reader
        .entries(0..reader.slots(), |entry| {
            let annvil::Id::Number(id) = entry.id else { return };
            match model.get(&id) {
                Some(step) if rows.row(entry.slot as usize) == vector(id, *step) => {}
                other => what = Some(format!("id {id}: {other:?} is not what is stored")),
            }
        })
        .unwrap();
    what
}

/// What was seen.
#[derive(Debug, Default)]
struct Tally {
    cycles: u64,
    acked: u64,
    /// Steps that nobody had acknowledged, and that were whole.
    under_way: u64,
}

fn kill(name: &str, cycles: u64, mistake: bool) -> Result<Tally, String> {
    let mut random = 0x1234_5678_9abc_def1u64;
    let mut tally = Tally::default();
    let mut dir = Dir::new(name);
    let (mut model, mut next) = (BTreeMap::new(), 0u64);
    for cycle in 0..cycles {
        if cycle % 50 == 0 {
            dir = Dir::new(&format!("{name}-{cycle}"));
            (model, next) = (BTreeMap::new(), 0);
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let end = one_life(&dir.0, random, mistake).map_or(next, |step| step + 1);
        // Steps from `next` to the last acknowledged one, and perhaps one more, whole.
        (next..end).for_each(|step| model_after(&mut model, step));
        tally.acked += end - next;
        tally.cycles += 1;
        let store = open(&dir.0).map_err(|e| format!("cycle {cycle}: {e}"))?;
        next = end;
        if let Some(what) = differs(&store, &model) {
            model_after(&mut model, next);
            next += 1;
            tally.under_way += 1;
            if let Some(other) = differs(&store, &model) {
                return Err(format!("cycle {cycle}, step {end}: {what}; {other}"));
            }
        }
        let report = store.verify().map_err(|e| format!("cycle {cycle}: {e}"))?;
        if let Some(fault) = report.faults.first() {
            return Err(format!("cycle {cycle}: {fault}"));
        }
        store.set_blob("next", &next.to_le_bytes()).unwrap();
    }
    Ok(tally)
}

/// A process from its start until it is killed; the last step that it acknowledged.
fn one_life(dir: &Path, random: u64, mistake: bool) -> Option<u64> {
    let mut command = child_of(dir);
    #[cfg(feature = "storage-sim")]
    if mistake {
        command.env(MISTAKE, "1");
    }
    #[cfg(not(feature = "storage-sim"))]
    assert!(!mistake);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = None;
    let mut ack = |line: String| {
        if let Some(step) = line.strip_prefix("ack ") {
            last = Some(step.parse::<u64>().unwrap());
        }
    };
    for _ in 0..(random >> 8) % 8 {
        if let Some(line) = lines.next() {
            ack(line.unwrap());
        }
    }
    std::thread::sleep(Duration::from_micros((random >> 20) % 6000));
    child.kill().unwrap();
    lines.map_while(Result::ok).for_each(&mut ack);
    child.wait().unwrap();
    last
}

#[test]
fn killed_writers_lose_nothing_that_they_acknowledged() {
    let cycles = std::env::var("ANNVIL_KILL_CYCLES").map_or(500, |n| n.parse().unwrap());
    let tally = kill("kill", cycles, false).unwrap_or_else(|e| panic!("{e}"));
    assert!(tally.acked > cycles / 2, "{tally:?}");
    writeln!(std::io::stdout(), "{tally:?}").unwrap();
}

/// A store that commits records before it writes rows is caught: the test can see what it is for.
#[cfg(feature = "storage-sim")]
#[test]
fn a_wrong_order_of_writing_is_seen() {
    let seen = kill("mistake", 100, true).unwrap_err();
    writeln!(std::io::stdout(), "{seen}").unwrap();
}

#[test]
fn a_second_process_is_told_that_the_store_is_taken() {
    let dir = Dir::new("locked");
    let store = open(&dir.0).unwrap();
    // The child panics at `Locked` and says so by its code.
    assert!(!child_of(&dir.0).status().unwrap().success());
    assert!(matches!(open(&dir.0), Err(StoreError::Locked)));
    drop(store);
    let mut child = child_of(&dir.0).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("ack ")));
    assert!(matches!(open(&dir.0), Err(StoreError::Locked)));
    child.kill().unwrap();
    child.wait().unwrap();
    open(&dir.0).unwrap();
}

/// A file may become so large and no larger: what a full disk does, without one. The shell sets the
/// limit and has the signal ignored, so that writes fail instead.
#[test]
fn a_full_disk_stops_writing_and_nothing_else() {
    let exe = std::env::current_exe().unwrap();
    let mut stopped = 0;
    for blocks in (300..600).step_by(30) {
        let dir = Dir::new(&format!("full-{blocks}"));
        drop(open(&dir.0).unwrap());
        let shell = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let mut limited = Command::new("sh");
        limited.args(["-c", &shell]).arg(&exe);
        limited.args(["--exact", "child", "--nocapture", "--test-threads=1"]).env(CHILD, &dir.0);
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = limited.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acks = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("ack ").map(|step| step.parse::<u64>().unwrap()));
        let (mut model, mut end) = (BTreeMap::new(), 0);
        for step in acks {
            model_after(&mut model, step);
            end = step + 1;
        }
        // It ends by itself: a write was refused.
        assert!(!child.wait().unwrap().success());
        stopped += 1;
        let store = open(&dir.0).unwrap_or_else(|e| panic!("{blocks}: {e}"));
        if let Some(what) = differs(&store, &model) {
            model_after(&mut model, end);
            assert_eq!(differs(&store, &model), None, "{blocks}, step {end}: {what}");
        }
        assert!(store.verify().unwrap().faults.is_empty(), "{blocks}");
    }
    assert_eq!(stopped, 10);
}
