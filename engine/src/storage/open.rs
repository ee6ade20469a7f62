//! Making a store, and opening one: what is believed, and what is swept away.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};

use super::commit::{Queue, Turns};
use super::error::{CorruptionFault as Fault, Doing, StoreError};
use super::options::StoreOptions;
use super::records::{Head, Records};
use super::segment::{BLOCK, Segment, Sums};
use super::store::{Shared, Store, Writer};
use super::vfs::{Lock, Vfs};
use super::{Identity, LOCK, RECORDS, RECORDS_NEW, graph_name, number_of, open_file, segment_name};

impl Store {
    /// Makes a store in a directory that holds none.
    ///
    /// # Errors
    /// [`StoreError::Exists`], [`StoreError::Locked`], options that cannot be, or what the system
    /// gives; what was begun is swept away by the next attempt.
    pub fn create(vfs: Arc<dyn Vfs>, options: &StoreOptions) -> Result<Self, StoreError> {
        let params = options.check()?;
        let lock = take_lock(&*vfs)?;
        let names = list(&*vfs)?;
        if names.iter().any(|name| name == RECORDS) {
            return Err(StoreError::Exists);
        }
        sweep(&*vfs, &names, |_| false);
        let identity = options.identity.unwrap_or_else(random_identity);
        let mut segments = Vec::new();
        for (number, spec) in (1u32..).zip(&options.segments) {
            let segment = Segment::create(&*vfs, number, *spec, &identity, options.heap)?;
            segment.sync()?;
            segments.push((number, *spec));
        }
        write_records(&*vfs, options.cache, |change| {
            change.init(&identity, &params)?;
            change.set_segments(&segments)
        })?;
        #[cfg(any(test, feature = "storage-sim"))]
        let dir = options.knob != super::options::Knob::NoDirSync;
        #[cfg(not(any(test, feature = "storage-sim")))]
        let dir = true;
        publish_records(&*vfs, dir)?;
        Self::open_locked(vfs, lock, options)
    }

    /// Opens the store of a directory. `options` are what is expected of it; the store's own win.
    ///
    /// A crash leaves nothing to be repaired by hand: what was not committed is not there.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], [`StoreError::Locked`], [`StoreError::Newer`], an option that
    /// contradicts the store's, [`StoreError::Corrupt`], or what the system gives.
    pub fn open(vfs: Arc<dyn Vfs>, options: &StoreOptions) -> Result<Self, StoreError> {
        let lock = take_lock(&*vfs)?;
        if !list(&*vfs)?.iter().any(|name| name == RECORDS) {
            return Err(StoreError::NoStore);
        }
        Self::open_locked(vfs, lock, options)
    }

    /// Opens the store of a directory, or makes one.
    ///
    /// # Errors
    /// As [`Store::open`] and [`Store::create`].
    pub fn open_or_create(vfs: Arc<dyn Vfs>, options: &StoreOptions) -> Result<Self, StoreError> {
        match Self::open(Arc::clone(&vfs), options) {
            Err(StoreError::NoStore) => Self::create(vfs, options),
            result => result,
        }
    }

    fn open_locked(
        vfs: Arc<dyn Vfs>,
        lock: Box<dyn Lock>,
        options: &StoreOptions,
    ) -> Result<Self, StoreError> {
        let file = open_file(&*vfs, RECORDS)?;
        // The database would take an empty file for one to begin in.
        if file.is_empty().map_err(|e| StoreError::io(Doing::Read, RECORDS, e))? {
            return Err(StoreError::corrupt(RECORDS, Fault::Short { needed: 1, found: 0 }));
        }
        let records = Records::open(file, options.cache)?;
        let view = records.read()?;
        let head = view.head()?;
        let specs: Vec<_> = head.segments.iter().map(|(_, spec)| *spec).collect();
        options.compare(&head.params, &specs)?;
        let (mut segments, mut running) = (Vec::new(), Vec::new());
        for &(number, spec) in &head.segments {
            let rows = u64::from(head.state.slots);
            let bytes = rows * spec.stride as u64;
            let sums = view.sums(number, bytes)?;
            let segment = Segment::open(&*vfs, number, spec, &head.identity, rows, options.heap)?;
            if options.verify {
                segment.check(segment.view(rows as usize)?.bytes(), &sums)?;
            }
            let cut = !bytes.is_multiple_of(BLOCK as u64);
            let last = if cut { sums.last().copied().unwrap_or(0) } else { 0 };
            running.push(Sums { bytes, last });
            segments.push(Arc::new(segment));
        }
        drop(view);
        let names = list(&*vfs)?;
        let wanted = |name: &str| is_wanted(&head, name);
        sweep(&*vfs, &names, wanted);
        // A graph that is gone has its number still, or the one after it would be taken for it.
        let numbers = names.iter().filter_map(|name| number_of(name));
        let numbers = numbers.chain(head.graph.map(|graph| graph.number));
        let next_file = numbers.max().unwrap_or(0).saturating_add(1);
        let Head { identity, params, state, graph, .. } = head;
        Ok(Self {
            vfs,
            identity,
            heap: options.heap,
            records,
            shared: RwLock::new(Shared { state, segments, params, graph, renumbered: 0 }),
            writer: Mutex::new(Writer { sums: running, next_file, orders: 0 }),
            queue: Queue::default(),
            turns: Turns::default(),
            poisoned: AtomicBool::new(false),
            #[cfg(any(test, feature = "storage-sim"))]
            knob: options.knob,
            _lock: lock,
        })
    }
}

fn is_wanted(head: &Head, name: &str) -> bool {
    head.segments.iter().any(|(number, _)| segment_name(*number) == name)
        || head.graph.is_some_and(|graph| graph_name(graph.number) == name)
}

pub(super) fn take_lock(vfs: &dyn Vfs) -> Result<Box<dyn Lock>, StoreError> {
    vfs.lock(LOCK).map_err(|e| match e.kind() {
        io::ErrorKind::WouldBlock => StoreError::Locked,
        _ => StoreError::io(Doing::Lock, LOCK, e),
    })
}

pub(super) fn list(vfs: &dyn Vfs) -> Result<Vec<String>, StoreError> {
    vfs.list().map_err(|e| StoreError::io(Doing::List, "the directory", e))
}

/// Removes files of ours that nothing refers to: what a crash left. Others are not touched, and what
/// cannot be removed is left for the next time.
pub(super) fn sweep(vfs: &dyn Vfs, names: &[String], wanted: impl Fn(&str) -> bool) {
    for name in names {
        if (number_of(name).is_some() && !wanted(name)) || name == RECORDS_NEW {
            let _ = vfs.remove(name);
        }
    }
}

/// Writes a database of records beside its place.
pub(super) fn write_records(
    vfs: &dyn Vfs,
    cache: usize,
    fill: impl FnOnce(&super::records::Change) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let file =
        vfs.create(RECORDS_NEW).map_err(|e| StoreError::io(Doing::Create, RECORDS_NEW, e))?;
    let records = Records::open(file, cache)?;
    let change = records.change()?;
    fill(&change)?;
    change.commit()?;
    drop(records);
    let file = open_file(vfs, RECORDS_NEW)?;
    file.sync().map_err(|e| StoreError::io(Doing::Sync, RECORDS_NEW, e))
}

/// Gives them their place: with it, and not before, there is a store.
pub(super) fn publish_records(vfs: &dyn Vfs, sync: bool) -> Result<(), StoreError> {
    let sync_dir = || match sync {
        true => vfs.sync_dir().map_err(|e| StoreError::io(Doing::Sync, "the directory", e)),
        false => Ok(()),
    };
    // The files that they refer to have their names first.
    sync_dir()?;
    vfs.rename(RECORDS_NEW, RECORDS).map_err(|e| StoreError::io(Doing::Rename, RECORDS, e))?;
    sync_dir()
}

/// From what the standard library seeds its tables with: it tells files apart and is no secret.
fn random_identity() -> Identity {
    let state = RandomState::new();
    let mut identity = [0; 16];
    identity[..8].copy_from_slice(&state.hash_one(0u8).to_le_bytes());
    identity[8..].copy_from_slice(&state.hash_one(1u8).to_le_bytes());
    identity
}
