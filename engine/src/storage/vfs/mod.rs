//! The one door to files: a directory of plain names. [`OsVfs`] is the real one, [`MemVfs`] lives in
//! memory, and `SimVfs` (feature `storage-sim`) loses power and fails on request. The database of
//! the records goes through the same door, so one simulated disk covers every file of a store.

mod mem;
mod os;
#[cfg(any(test, feature = "storage-sim"))]
mod sim;

use std::fmt;
use std::io;

pub use mem::MemVfs;
pub use os::OsVfs;
#[cfg(any(test, feature = "storage-sim"))]
pub use sim::{Fault, Power, SimVfs};

use super::mmap::Mapping;

/// One directory. Names are of `[a-z0-9.-]`: nothing leads out of it.
pub trait Vfs: Send + Sync + fmt::Debug {
    /// Opens a file that exists, to read and write.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or whatever the system says. A link is no file.
    fn open(&self, name: &str) -> io::Result<Box<dyn File>>;

    /// Makes a file that does not exist.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], or whatever the system says.
    fn create(&self, name: &str) -> io::Result<Box<dyn File>>;

    /// Gives a file another name, in the place of what has it. Lasting after [`Vfs::sync_dir`].
    ///
    /// # Errors
    /// Whatever the system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Takes a name away. Whoever has the file open keeps it.
    ///
    /// # Errors
    /// Whatever the system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Every name.
    ///
    /// # Errors
    /// Whatever the system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Names made, given and taken last from now on.
    ///
    /// # Errors
    /// Whatever the system says; nothing is known of any of them then.
    fn sync_dir(&self) -> io::Result<()>;

    /// Locks the file of this name, made if it is missing, against other processes and other openers
    /// in this one, until what is returned is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] if it is locked; it does not wait.
    fn lock(&self, name: &str) -> io::Result<Box<dyn Lock>>;
}

/// An open file.
pub trait File: Send + Sync + fmt::Debug {
    /// Its length in bytes.
    ///
    /// # Errors
    /// Whatever the system says.
    fn len(&self) -> io::Result<u64>;

    /// Whether it holds nothing.
    ///
    /// # Errors
    /// As [`File::len`].
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// Fills `to` from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] if there is not as much, or whatever the system says.
    fn read_at(&self, offset: u64, to: &mut [u8]) -> io::Result<()>;

    /// Writes all of `from`. Lasting after [`File::sync`].
    ///
    /// # Errors
    /// Whatever the system says; any part may be written then.
    fn write_at(&self, offset: u64, from: &[u8]) -> io::Result<()>;

    /// Cuts the file, or continues it by zeros.
    ///
    /// # Errors
    /// Whatever the system says.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Contents and length last from now on; the name is the directory's.
    ///
    /// # Errors
    /// Whatever the system says. What was written since the last success may be lost then, even if
    /// a later call succeeds.
    fn sync(&self) -> io::Result<()>;

    /// The whole file as memory, or `None` where files cannot be mapped.
    ///
    /// # Errors
    /// Whatever the system says.
    fn map(&self) -> io::Result<Option<Mapping>>;
}

/// A lock, held until it is dropped.
pub trait Lock: Send + Sync + fmt::Debug {}

/// Refuses what is no plain name.
fn check_name(name: &str) -> io::Result<()> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no plain file name"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_directory() {
        for name in ["", ".", "..", "../a", "a/b", "A", ".hidden", "a\\b", "a\0"] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["lock", "records.redb", "seg-00000001.rows", "graph-00000001.idx"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }

    /// What every door has to do.
    pub(super) fn behaves(vfs: &dyn Vfs) {
        assert_eq!(vfs.open("a").unwrap_err().kind(), io::ErrorKind::NotFound);
        let a = vfs.create("a").unwrap();
        assert_eq!(vfs.create("a").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        a.write_at(4, b"abc").unwrap();
        a.sync().unwrap();
        vfs.sync_dir().unwrap();
        assert_eq!(a.len().unwrap(), 7);
        let mut back = [9; 7];
        a.read_at(0, &mut back).unwrap();
        assert_eq!(&back, b"\0\0\0\0abc");
        assert_eq!(a.read_at(1, &mut back).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        a.set_len(2).unwrap();
        a.set_len(6).unwrap();
        a.read_at(0, &mut back[..6]).unwrap();
        assert_eq!(&back[..6], &[0; 6]);
        vfs.create("b").unwrap().write_at(0, b"x").unwrap();
        vfs.rename("b", "a").unwrap();
        assert_eq!(
            vfs.list().unwrap().into_iter().filter(|n| n != "lock").collect::<Vec<_>>(),
            ["a"]
        );
        // Whoever has it open keeps it.
        assert_eq!((a.len().unwrap(), vfs.open("a").unwrap().len().unwrap()), (6, 1));
        let held = vfs.lock("lock").unwrap();
        assert_eq!(vfs.lock("lock").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(held);
        drop(vfs.lock("lock").unwrap());
        vfs.remove("a").unwrap();
        assert!(vfs.open("a").is_err() && vfs.remove("a").is_err());
        assert!(vfs.open("../a").is_err() && vfs.create("a/b").is_err());
    }

    #[test]
    fn memory_and_the_simulated_disk_behave_as_files_do() {
        behaves(&MemVfs::new());
        behaves(&SimVfs::new());
    }

    #[test]
    fn real_files_behave_so_too() {
        let dir = std::env::temp_dir().join(format!("annvil-vfs-{}", std::process::id()));
        behaves(&OsVfs::create(dir.join("deep").join("er")).unwrap());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
