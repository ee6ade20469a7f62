//! Stores: rows, ids and metadata in a directory, where nothing that was acknowledged is lost.
//!
//! `FORMAT.md` beside the crate has every byte, the assumptions about the medium, and what each
//! failure does. A store knows nothing of distances or indexes: it holds rows in segments, an id and
//! metadata for each slot, parameters and blobs for whoever is above it, and a graph that can be made
//! again. In short:
//!
//! ```text
//! lock                 one writer
//! records.redb         ids, metadata, tombstones, how many rows there are, checksums
//! seg-00000001.rows    rows, mapped to be read
//! graph-00000002.idx   links, derived
//!
//! commit:  rows written -> synced -> one transaction of the records -> acknowledged
//! ```
//!
//! ```
//! use std::sync::Arc;
//! use annvil::storage::{Batch, MemVfs, SegmentSpec, Store, StoreOptions};
//!
//! let disk = Arc::new(MemVfs::new());
//! let options = StoreOptions::new(vec![SegmentSpec::vectors(2)]).param("metric", "l2");
//! let store = Store::create(disk.clone(), &options)?;
//! let mut batch = store.batch();
//! batch.insert_vector(&"dune".into(), None, &[0.9, 0.1])?;
//! let receipt = store.commit(batch)?;
//! assert_eq!((receipt.first_slot, receipt.rows), (0, 1));
//! drop(store);
//!
//! let store = Store::open(disk, &StoreOptions::expecting().param("metric", "l2"))?;
//! assert_eq!(store.slot(&"dune".into())?, Some(0));
//! assert_eq!(store.view(0)?.rows::<f32>().unwrap().row(0), [0.9, 0.1]);
//! # Ok::<(), annvil::storage::StoreError>(())
//! ```

mod backend;
mod batch;
mod codec;
mod commit;
mod error;
#[cfg(feature = "hnsw")]
mod graph_file;
mod maintain;
mod mmap;
mod open;
mod options;
mod records;
mod segment;
mod store;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "storage-sim"))]
pub mod torture;
pub mod vfs;

pub use batch::Batch;
pub use commit::{Bulk, Receipt};
pub use error::{
    BadMetadata, BadOption, Corruption, CorruptionFault, Doing, RecordsError, StoreError,
};
#[cfg(feature = "hnsw")]
pub use graph_file::StoredGraph;
pub use maintain::{Rewrite, RewriteSegment, VerifyReport};
pub use mmap::{Mapping, StoredVectors};
pub use options::StoreOptions;
pub use records::{Entry, Reader};
pub use segment::{Kind, Role, RowsView, SegmentSpec};
pub use store::{Store, StoreInfo};
pub use vfs::{MemVfs, OsVfs};

pub(crate) use mmap::bytes_of;
use vfs::{File, Vfs};

/// The version of the format that is written; earlier ones are read.
pub const FORMAT: u32 = 1;
/// Most elements of a row.
pub const MAX_DIM: usize = 65_536;
/// Most segments of a store.
pub const MAX_SEGMENTS: usize = 8;
/// Most slots: a slot leaves one bit for the graph.
pub const MAX_SLOTS: u32 = (1 << 31) - 1;

/// Bytes of a store's identity.
const IDENTITY: usize = 16;
/// What tells a store's files from those of another.
type Identity = [u8; IDENTITY];

const LOCK: &str = "lock";
pub(crate) const RECORDS: &str = "records.redb";
/// Records that are being made.
const RECORDS_NEW: &str = "records.tmp";

fn segment_name(number: u32) -> String {
    format!("seg-{number:08}.rows")
}

fn graph_name(number: u32) -> String {
    format!("graph-{number:08}.idx")
}

/// The number in a name of ours, whether of a segment or a graph, finished or not.
fn number_of(name: &str) -> Option<u32> {
    let rest = name.strip_prefix("seg-").or_else(|| name.strip_prefix("graph-"))?;
    let (number, ending) = rest.split_once('.')?;
    let ours = number.len() >= 8 && matches!(ending, "rows" | "idx" | "tmp");
    if ours { number.parse().ok() } else { None }
}

/// Opens a file that has to be there.
fn open_file(vfs: &dyn Vfs, name: &str) -> Result<Box<dyn File>, StoreError> {
    vfs.open(name).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => StoreError::corrupt(name, CorruptionFault::Missing),
        _ => StoreError::io(Doing::Open, name, e),
    })
}
