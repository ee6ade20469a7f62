//! A directory in memory: for tests, and for files that come from elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{File, Lock, Vfs, check_name};
use crate::storage::mmap::Mapping;

type Contents = Arc<Mutex<Vec<u8>>>;

/// A directory in memory. Clones are the same directory.
#[derive(Clone, Debug, Default)]
pub struct MemVfs {
    files: Arc<Mutex<BTreeMap<String, Contents>>>,
    locked: Arc<Mutex<BTreeSet<String>>>,
}

impl MemVfs {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that holds these files.
    #[must_use]
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Self {
        let files = files.into_iter().map(|(name, bytes)| (name, Arc::new(Mutex::new(bytes))));
        Self { files: Arc::new(Mutex::new(files.collect())), locked: Arc::default() }
    }

    /// A copy of every file.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let copy = |(name, file): (&String, &Contents)| (name.clone(), hold(file).clone());
        hold(&self.files).iter().map(copy).collect()
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Vfs for MemVfs {
    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        check_name(name)?;
        let file = hold(&self.files).get(name).cloned();
        Ok(Box::new(MemFile(file.ok_or(io::ErrorKind::NotFound)?)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        check_name(name)?;
        let mut files = hold(&self.files);
        if files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = Contents::default();
        files.insert(name.to_owned(), Arc::clone(&file));
        Ok(Box::new(MemFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        check_name(to)?;
        let mut files = hold(&self.files);
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let file = hold(&self.files).remove(name);
        file.map(|_| ()).ok_or(io::ErrorKind::NotFound.into())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(hold(&self.files).keys().cloned().collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn Lock>> {
        check_name(name)?;
        if !hold(&self.locked).insert(name.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemLock { locked: Arc::clone(&self.locked), name: name.to_owned() }))
    }
}

#[derive(Debug)]
struct MemLock {
    locked: Arc<Mutex<BTreeSet<String>>>,
    name: String,
}

impl Lock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        hold(&self.locked).remove(&self.name);
    }
}

#[derive(Debug)]
struct MemFile(Contents);

impl File for MemFile {
    fn len(&self) -> io::Result<u64> {
        Ok(hold(&self.0).len() as u64)
    }

    fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        read(&hold(&self.0), offset, to)
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        write(&mut hold(&self.0), offset, from)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        hold(&self.0).resize(index(len)?, 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    fn map(&self) -> io::Result<Option<Mapping>> {
        Ok(None)
    }
}

fn index(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// Reads of a file that is bytes.
pub(super) fn read(bytes: &[u8], offset: u64, to: &mut [u8]) -> io::Result<()> {
    let from = index(offset)?;
    let end = from.checked_add(to.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
    to.copy_from_slice(bytes.get(from..end).ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}

/// Writes to a file that is bytes.
pub(super) fn write(bytes: &mut Vec<u8>, offset: u64, from: &[u8]) -> io::Result<()> {
    let start = index(offset)?;
    let end = start.checked_add(from.len()).ok_or(io::ErrorKind::FileTooLarge)?;
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[start..end].copy_from_slice(from);
    Ok(())
}
