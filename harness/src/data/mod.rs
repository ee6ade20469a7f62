//! Data sets: found, read, cut, and checked against ground truth computed anew in f64.
//!
//! A set is a folder:
//!
//! | file | what |
//! |---|---|
//! | `base.*` | the rows to search, numbered from 0 |
//! | `query.*` | queries, none of them in the base |
//! | `groundtruth.ivecs` | per query, the row numbers of its nearest rows by squared L2, nearest first, ties to the lower number |
//! | `groundtruth_dist.fvecs` | their squared L2 distances |
//! | `query_ood.*`, `groundtruth_ood.ivecs`, `groundtruth_ood_dist.fvecs` | optional: queries of another kind than the base, all three or none |
//! | `SHA256SUMS` | optional, here or one folder up with the set's name in its paths |
//!
//! `*` is any ending that [`annvil::io`] reads. Two small sets come with the source, see
//! [`builtin_root`].

mod checksum;
mod dataset;
mod error;
mod list;
mod slice;
#[cfg(test)]
mod tests;
mod truth;
mod verify;

pub use checksum::sha256_file;
pub use dataset::{Dataset, Part, builtin_root, discover};
pub use error::DataError;
pub use list::{ListRow, Origin, list, origin};
pub use slice::{Sliced, SlicedFile, slice};
pub use truth::{Recall, SLACK, Truth, exact_f64, recall};
pub use verify::{Problem, Verified, verify};
