//! A disk that loses power and fails, from a seed.
//!
//! What a process wrote and did not sync is in the system's memory. When the power goes, each sector
//! of 512 bytes holds what some moment since the file's last sync left in it, independently of the
//! others: writes are dropped, torn and reordered. So are lengths, and names since the directory's
//! last sync. A failed sync loses what it was to keep, whatever later syncs say.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::mem::{read, write};
use super::{File, Lock, Vfs, check_name};
use crate::storage::mmap::Mapping;

/// What an operation does instead of what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails as a broken device does.
    Io,
    /// It fails as a full device does.
    Full,
    /// Half of a write is done, then it fails; others fail as a broken device does.
    Short,
}

/// When the power goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Power {
    /// Never.
    #[default]
    On,
    /// At the change of this number, from 0; it is half done, and whatever comes then fails.
    OffAt(u64),
}

/// How much of what was not synced survives.
#[derive(Clone, Copy, Debug)]
enum Profile {
    /// Nothing.
    Nothing,
    /// Everything.
    All,
    /// Everything up to a moment.
    Prefix,
    /// Each sector up to a moment of its own.
    Sectors,
    /// Each sector all or nothing.
    AllOrNothing,
}

/// Bytes that a device writes at once.
const SECTOR: u64 = 512;

/// The disk of a machine. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimVfs {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Clone, Debug, Default)]
struct Disk {
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    name_changes: Vec<NameChange>,
    locked: bool,
    calls: u64,
    changes: u64,
    power: Power,
    off: bool,
    fault: Option<(u64, Fault)>,
    failed: bool,
    /// Bytes that all files may have together.
    capacity: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    now: Vec<u8>,
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Len(u64),
}

#[derive(Clone, Debug)]
enum NameChange {
    Give(String, usize),
    Take(String),
    Move(String, String),
}

impl SimVfs {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk that holds the same, unsynced changes included, for another try.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { disk: Arc::new(Mutex::new(self.disk().clone())) }
    }

    /// When the power goes, counted from the disk's first change.
    pub fn set_power(&self, power: Power) {
        self.disk().power = power;
    }

    /// Makes the call of this number fail, from 0.
    pub fn set_fault(&self, call: u64, fault: Fault) {
        let mut disk = self.disk();
        disk.fault = Some((call, fault));
        disk.failed = false;
    }

    /// Bytes that all files may have together from now on; what would make them more fails, and does
    /// nothing.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.disk().capacity = capacity;
    }

    /// Bytes that all files have together.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.disk().used()
    }

    /// Takes the fault away.
    pub fn clear_fault(&self) {
        self.disk().fault = None;
    }

    /// Whether the fault came.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.disk().failed
    }

    /// Calls so far: reads, changes, syncs.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.disk().calls
    }

    /// Changes so far: writes, lengths, names, syncs.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.disk().changes
    }

    /// Whether the power has gone.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.disk().off
    }

    /// What another machine finds on the disk if the power goes now, with power again.
    #[must_use]
    pub fn image(&self, seed: u64) -> Self {
        let disk = self.disk();
        let mut random = Random(seed);
        let name_profile = random.profile();
        let kept = random.below(disk.name_changes.len() as u64 + 1);
        let mut names = disk.synced_names.clone();
        for (i, change) in disk.name_changes.iter().enumerate() {
            let keep = match name_profile {
                Profile::Nothing => false,
                Profile::All => true,
                Profile::Prefix => (i as u64) < kept,
                Profile::Sectors | Profile::AllOrNothing => random.below(2) == 0,
            };
            if keep {
                apply(&mut names, change);
            }
        }
        let profile = random.profile();
        let mut image = Disk::default();
        for (name, file) in names {
            let bytes = disk.files[file].after_power(profile, random.next() ^ file as u64);
            image.synced_names.insert(name.clone(), image.files.len());
            image.names.insert(name, image.files.len());
            image.files.push(Inode { now: bytes.clone(), synced: bytes, since: Vec::new() });
        }
        Self { disk: Arc::new(Mutex::new(image)) }
    }

    /// A copy of every file, as the process sees it.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let disk = self.disk();
        disk.names.iter().map(|(n, &file)| (n.clone(), disk.files[file].now.clone())).collect()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of a change.
enum Turn {
    Whole,
    /// Half of it, then the error.
    Half(io::Error),
}

impl Disk {
    /// Counts a call.
    fn call(&mut self) -> Result<(), Fault> {
        let call = self.calls;
        self.calls += 1;
        match self.fault {
            Some((at, fault)) if at == call => {
                self.failed = true;
                Err(fault)
            }
            _ => Ok(()),
        }
    }

    fn reading(&mut self) -> io::Result<()> {
        if self.off {
            return Err(off());
        }
        self.call().map_err(error)
    }

    fn changing(&mut self) -> io::Result<Turn> {
        if self.off {
            return Err(off());
        }
        let change = self.changes;
        self.changes += 1;
        if self.power == Power::OffAt(change) {
            self.off = true;
            return Ok(Turn::Half(off()));
        }
        match self.call() {
            Ok(()) => Ok(Turn::Whole),
            Err(Fault::Short) => Ok(Turn::Half(error(Fault::Short))),
            Err(fault) => Err(error(fault)),
        }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|&file| self.files[file].now.len() as u64).sum()
    }

    /// Whether a file may end there.
    fn fits(&self, file: usize, end: u64) -> io::Result<()> {
        let more = end.saturating_sub(self.files[file].now.len() as u64);
        match self.capacity {
            Some(capacity) if more > 0 && self.used() + more > capacity => Err(error(Fault::Full)),
            _ => Ok(()),
        }
    }

    /// A change of names: whole, or as if it were not.
    fn change_name(&mut self, change: NameChange) -> io::Result<()> {
        let turn = self.changing()?;
        if matches!(turn, Turn::Whole) || self.off {
            apply(&mut self.names, &change);
            self.name_changes.push(change);
        }
        match turn {
            Turn::Whole => Ok(()),
            Turn::Half(e) => Err(e),
        }
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Give(name, file) => {
            names.insert(name.clone(), *file);
        }
        NameChange::Take(name) => {
            names.remove(name);
        }
        NameChange::Move(from, to) => {
            if let Some(file) = names.remove(from) {
                names.insert(to.clone(), file);
            }
        }
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}

fn error(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        Fault::Io | Fault::Short => io::Error::other("the device fails"),
    }
}

impl Inode {
    fn change(&mut self, change: Change) -> io::Result<()> {
        put(&mut self.now, &change)?;
        self.since.push(change);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        for change in self.since.drain(..) {
            put(&mut self.synced, &change)?;
        }
        Ok(())
    }

    fn after_power(&self, profile: Profile, seed: u64) -> Vec<u8> {
        let changes = self.since.len() as u64;
        let mut random = Random(seed);
        let moment = random.below(changes + 1);
        // The moment of a sector, or of the length.
        let until = |sector: u64| match profile {
            Profile::Nothing => 0,
            Profile::All => changes,
            Profile::Prefix => moment,
            Profile::Sectors => Random(seed ^ ((sector + 1) << 8)).below(changes + 1),
            Profile::AllOrNothing => Random(seed ^ ((sector + 1) << 8)).below(2) * changes,
        };
        let mut bytes = self.synced.clone();
        let mut len = bytes.len() as u64;
        let len_until = until(u64::MAX >> 9);
        for (at, change) in (0u64..).zip(&self.since) {
            match change {
                Change::Len(to) => {
                    // What lies behind a cut is gone for every sector that knows of the cut.
                    for sector in to / SECTOR..(bytes.len() as u64).div_ceil(SECTOR) {
                        if at < until(sector) {
                            let from = (sector * SECTOR).max(*to) as usize;
                            let end = bytes.len().min(((sector + 1) * SECTOR) as usize);
                            bytes[from.min(end)..end].fill(0);
                        }
                    }
                    if at < len_until {
                        len = *to;
                    }
                }
                Change::Write { offset, bytes: new } => {
                    let end = offset + new.len() as u64;
                    if (bytes.len() as u64) < end {
                        bytes.resize(end as usize, 0);
                    }
                    let mut from = *offset;
                    while from < end {
                        let sector = from / SECTOR;
                        let to = end.min((sector + 1) * SECTOR);
                        if at < until(sector) {
                            let source = (from - offset) as usize..(to - offset) as usize;
                            bytes[from as usize..to as usize].copy_from_slice(&new[source]);
                        }
                        from = to;
                    }
                    if at < len_until {
                        len = len.max(end);
                    }
                }
            }
        }
        bytes.resize(len as usize, 0);
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, change: &Change) -> io::Result<()> {
    match change {
        Change::Write { offset, bytes: new } => write(bytes, *offset, new),
        Change::Len(len) => {
            bytes.resize(*len as usize, 0);
            Ok(())
        }
    }
}

impl Vfs for SimVfs {
    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        check_name(name)?;
        let mut disk = self.disk();
        disk.reading()?;
        let file = *disk.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), file }))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        check_name(name)?;
        let mut disk = self.disk();
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = disk.files.len();
        disk.files.push(Inode::default());
        disk.change_name(NameChange::Give(name.to_owned(), file))?;
        Ok(Box::new(SimFile { disk: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(to)?;
        let mut disk = self.disk();
        if !disk.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change_name(NameChange::Move(from.to_owned(), to.to_owned()))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        if !disk.names.contains_key(name) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change_name(NameChange::Take(name.to_owned()))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut disk = self.disk();
        disk.reading()?;
        Ok(disk.names.keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = self.disk();
        match disk.changing()? {
            Turn::Whole => {
                disk.name_changes.clear();
                disk.synced_names = disk.names.clone();
                Ok(())
            }
            Turn::Half(e) => Err(e),
        }
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn Lock>> {
        check_name(name)?;
        let mut disk = self.disk();
        disk.reading()?;
        if std::mem::replace(&mut disk.locked, true) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock(self.clone())))
    }
}

#[derive(Debug)]
struct SimLock(SimVfs);

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.0.disk().locked = false;
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimVfs,
    file: usize,
}

impl SimFile {
    fn change(&self, whole: Change, half: impl FnOnce() -> Option<Change>) -> io::Result<()> {
        let mut disk = self.disk.disk();
        let end = match &whole {
            Change::Write { offset, bytes } => offset + bytes.len() as u64,
            Change::Len(len) => *len,
        };
        disk.fits(self.file, end)?;
        let (change, result) = match disk.changing()? {
            Turn::Whole => (Some(whole), Ok(())),
            Turn::Half(e) if disk.off => (Some(whole), Err(e)),
            Turn::Half(e) => (half(), Err(e)),
        };
        if let Some(change) = change {
            disk.files[self.file].change(change)?;
        }
        result
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut disk = self.disk.disk();
        disk.reading()?;
        Ok(disk.files[self.file].now.len() as u64)
    }

    fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        let mut disk = self.disk.disk();
        disk.reading()?;
        read(&disk.files[self.file].now, offset, to)
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        let half = from[..from.len() / 2].to_vec();
        self.change(Change::Write { offset, bytes: from.to_vec() }, || {
            Some(Change::Write { offset, bytes: half })
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Len(len), || None)
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.disk.disk();
        match disk.changing() {
            Ok(Turn::Whole) => disk.files[self.file].sync(),
            Ok(Turn::Half(e)) | Err(e) => {
                // Without power some of it may still have arrived; on a failure it is lost.
                if !disk.off {
                    disk.files[self.file].since.clear();
                }
                Err(e)
            }
        }
    }

    fn map(&self) -> io::Result<Option<Mapping>> {
        Ok(None)
    }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn profile(&mut self) -> Profile {
        match self.below(8) {
            0 => Profile::Nothing,
            1 => Profile::All,
            2 => Profile::Prefix,
            3 | 4 => Profile::AllOrNothing,
            _ => Profile::Sectors,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_lasts_and_what_was_not_may_not() {
        let disk = SimVfs::new();
        let file = disk.create("a").unwrap();
        file.write_at(0, &[1; 4096]).unwrap();
        file.sync().unwrap();
        disk.sync_dir().unwrap();
        file.write_at(0, &[2; 4096]).unwrap();
        disk.create("b").unwrap();
        let (mut torn, mut named) = (0, 0);
        for seed in 0..200 {
            let files = disk.image(seed).files();
            named += usize::from(files.contains_key("b"));
            let a = &files["a"];
            assert_eq!(a.len(), 4096, "seed {seed}");
            for sector in a.chunks(512) {
                assert!(sector == [1; 512] || sector == [2; 512], "seed {seed}");
            }
            torn += usize::from(a[..512] != a[3584..]);
        }
        assert!(torn > 20 && (20..180).contains(&named), "{torn} torn, {named} named");
    }

    #[test]
    fn a_failed_sync_loses_what_later_syncs_pretend_to_keep() {
        let disk = SimVfs::new();
        let file = disk.create("a").unwrap();
        disk.sync_dir().unwrap();
        file.write_at(0, b"lost").unwrap();
        disk.set_fault(disk.calls(), Fault::Io);
        assert!(file.sync().is_err() && disk.has_failed());
        file.sync().unwrap();
        for seed in 0..20 {
            assert_eq!(disk.image(seed).files()["a"], b"");
        }
    }

    #[test]
    fn without_power_nothing_goes() {
        let disk = SimVfs::new();
        let file = disk.create("a").unwrap();
        disk.set_power(Power::OffAt(disk.changes()));
        assert!(file.write_at(0, b"x").is_err() && disk.is_off());
        assert!(file.len().is_err() && disk.open("a").is_err() && disk.sync_dir().is_err());
        let short = SimVfs::new();
        let file = short.create("a").unwrap();
        short.set_fault(short.calls(), Fault::Short);
        assert!(file.write_at(0, b"1234").is_err());
        assert_eq!(short.files()["a"], b"12");
    }
}
