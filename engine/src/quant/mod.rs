//! Quantisers that are trained: k-means, and product quantisation on it.
//!
//! Training borrows its rows. A sub-space is a window of columns of the same memory, so nothing is
//! cut out; all buffers are there before the first iteration; and the codebook is the same, bit by
//! bit, on any number of threads.

mod error;
mod kmeans;
mod lloyd;
pub(crate) mod pq;
mod random;
mod share;

pub use error::{PqError, TrainError};
#[cfg(feature = "parallel")]
pub use kmeans::kmeans_in;
pub use kmeans::{Init, KMeans, KMeansOptions, kmeans};
pub use pq::{Pq, PqOptions, Sdc};
