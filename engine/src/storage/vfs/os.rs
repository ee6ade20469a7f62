//! A directory of the file system.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{File, Lock, Vfs, check_name};
use crate::storage::mmap::Mapping;

/// A directory of the file system. Files are made for their owner alone.
#[derive(Debug)]
pub struct OsVfs {
    dir: PathBuf,
}

impl OsVfs {
    /// A directory that exists.
    ///
    /// # Errors
    /// There is none, or it cannot be read.
    pub fn open(dir: impl AsRef<Path>) -> io::Result<Self> {
        // A relative path would change its meaning with the process's directory.
        let dir = fs::canonicalize(dir)?;
        if !fs::metadata(&dir)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { dir })
    }

    /// A directory, made with all above it if it is missing.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn create(dir: impl AsRef<Path>) -> io::Result<Self> {
        let missing: Vec<_> = dir.as_ref().ancestors().take_while(|d| !d.exists()).collect();
        fs::create_dir_all(&dir)?;
        let vfs = Self::open(&dir)?;
        // A directory lasts with its name, which is its parent's.
        for (_, above) in missing.iter().zip(vfs.dir.ancestors().skip(1)) {
            sync_names(above)?;
        }
        Ok(vfs)
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, name: &str) -> io::Result<PathBuf> {
        check_name(name)?;
        Ok(self.dir.join(name))
    }
}

/// Elsewhere a directory cannot be opened, and its names last without.
fn sync_names(dir: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(dir)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = dir;
    Ok(())
}

fn options() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

impl Vfs for OsVfs {
    fn open(&self, name: &str) -> io::Result<Box<dyn File>> {
        let path = self.path(name)?;
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link or no plain file"));
        }
        Ok(Box::new(OsFile::new(options().open(path)?)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn File>> {
        Ok(Box::new(OsFile::new(options().create_new(true).open(self.path(name)?)?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from)?, self.path(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name)?)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            // What has no plain name is not ours.
            names.extend(entry?.file_name().into_string());
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self) -> io::Result<()> {
        sync_names(&self.dir)
    }

    fn lock(&self, name: &str) -> io::Result<Box<dyn Lock>> {
        let file = options().create(true).truncate(false).open(self.path(name)?)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(OsLock { _file: file })),
            Err(fs::TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(fs::TryLockError::Error(e)) => Err(e),
        }
    }
}

#[derive(Debug)]
struct OsLock {
    _file: fs::File,
}

impl Lock for OsLock {}

#[derive(Debug)]
struct OsFile {
    file: fs::File,
    /// The place where the next byte is read is the file's, not the caller's.
    #[cfg(not(unix))]
    seek: std::sync::Mutex<()>,
}

impl OsFile {
    fn new(file: fs::File) -> Self {
        Self {
            file,
            #[cfg(not(unix))]
            seek: std::sync::Mutex::default(),
        }
    }

    #[cfg(not(unix))]
    fn at(&self, offset: u64) -> io::Result<std::sync::MutexGuard<'_, ()>> {
        let guard = self.seek.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        io::Seek::seek(&mut &self.file, io::SeekFrom::Start(offset))?;
        Ok(guard)
    }
}

impl File for OsFile {
    fn len(&self) -> io::Result<u64> {
        self.file.metadata().map(|m| m.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, to, offset)
    }

    #[cfg(unix)]
    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(&self.file, from, offset)
    }

    #[cfg(not(unix))]
    fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()> {
        let _at = self.at(offset)?;
        io::Read::read_exact(&mut &self.file, to)
    }

    #[cfg(not(unix))]
    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        let _at = self.at(offset)?;
        io::Write::write_all(&mut &self.file, from)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn map(&self) -> io::Result<Option<Mapping>> {
        Mapping::of(&self.file).map(Some)
    }
}
