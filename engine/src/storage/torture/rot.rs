//! Bytes that change, files that are cut: a typed error, or the same answers.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::model::{filled, options};
use super::{Failure, Random, script};
use crate::storage::{MemVfs, Store, StoreError};

/// What was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct RotTally {
    /// Bytes that were changed, one at a time.
    pub flips: u64,
    /// Lengths that files were cut to.
    pub cuts: u64,
    /// Of all these, those that gave an error.
    pub errors: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Everything that can be asked of a store, as text.
fn answers(vfs: MemVfs) -> Result<String, StoreError> {
    let store = Store::open(Arc::new(vfs), &options())?;
    let reader = store.reader()?;
    let info = store.info();
    let mut all = format!("{:?} {:?} {:?}", info.sequence, info.params, info.segments);
    reader.entries(0..u32::MAX, |entry| all += &format!("{entry:?}"))?;
    for id in (0..40).map(crate::Id::from) {
        all += &format!("{:?}", reader.slot(&id)?);
    }
    all += &format!("{:?} {:?}", reader.tombstones()?, store.blob("blob")?);
    all += &format!(
        "{:?}",
        store
            .view(0)?
            .rows::<f32>()
            .map(|rows| { (0..rows.len()).map(|row| rows.row(row).to_vec()).collect::<Vec<_>>() })
    );
    #[cfg(feature = "hnsw")]
    {
        all += &format!("{:?}", store.graph()?);
    }
    Ok(all)
}

/// Bytes of a file of rows beyond which nothing is but room, which no reader looks at.
const ROWS: usize = 8192;

/// Changes bytes of a small store's files, one at a time, and cuts the files: at each place of the
/// graph and of rows, and at every `stride`th of the records and of room.
///
/// # Errors
/// A panic, or other answers.
pub fn rot(seed: u64, stride: usize) -> Result<RotTally, Failure> {
    let fail = |case: &str, what: String| Failure { seed, case: case.to_owned(), what };
    let vfs = MemVfs::new();
    let mut steps = script(seed, 4);
    steps.extend([super::Step::Blob(7), super::Step::Graph]);
    let made = filled(Arc::new(vfs.clone()), &options(), &steps);
    drop(made.map_err(|e| fail("before", e.to_string()))?);
    let files = vfs.files();
    let right = answers(MemVfs::from_files(files.clone()));
    let right = right.map_err(|e| fail("as it is", e.to_string()))?;
    let mut tally = RotTally::default();
    let mut random = Random(seed);
    for (name, bytes) in files.iter().filter(|(name, _)| *name != crate::storage::LOCK) {
        tally.bytes += bytes.len() as u64;
        let each = if name == crate::storage::RECORDS { 0 } else { bytes.len().min(ROWS) };
        let from = each + random.below(stride as u64) as usize;
        for at in (0..each).chain((from..bytes.len()).step_by(stride)) {
            let bit = 1u8 << random.below(8);
            let case = format!("{name}: byte {at} ^ {bit}");
            let error = look(&files, name, |bytes| bytes[at] ^= bit, &right);
            tally.errors += u64::from(error.map_err(|w| fail(&case, w))?);
            tally.flips += 1;
        }
        for len in (0..each).chain((from..bytes.len()).step_by(stride)) {
            let case = format!("{name}: cut to {len} of {}", bytes.len());
            let error = look(&files, name, |bytes| bytes.truncate(len), &right);
            tally.errors += u64::from(error.map_err(|w| fail(&case, w))?);
            tally.cuts += 1;
        }
    }
    Ok(tally)
}

/// Whether there was an error; other answers and panics are failures.
fn look(
    files: &BTreeMap<String, Vec<u8>>,
    name: &str,
    change: impl FnOnce(&mut Vec<u8>),
    right: &str,
) -> Result<bool, String> {
    let mut files = files.clone();
    files.get_mut(name).map(change);
    let vfs = MemVfs::from_files(files);
    match catch_unwind(AssertUnwindSafe(|| answers(vfs))) {
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Err(format!("a panic: {}", text.unwrap_or_default()))
        }
        Ok(Err(_)) => Ok(true),
        Ok(Ok(found)) if found == right => Ok(false),
        Ok(Ok(_)) => Err("other answers, and no error".to_owned()),
    }
}
