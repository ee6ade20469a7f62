//! The vector engine: exact and approximate nearest neighbours on the kernels that won.
//!
//! [`Flat`] compares a query with every row and is exact. [`io`] reads the field's vector files.
//! [`Metric`] says what near means.
//!
//! The engine holds resolved kernels and calls them with blocks of rows: it contains no distance
//! loop, names no instruction set, opens no file, reads no clock, and runs on a thread pool only
//! when one is handed to it.
//!
//! # Which vectors are near?
//! ```
//! use annvil::{AlignedRows, Flat, Metric};
//!
//! let rows = AlignedRows::from_packed(&[0.0, 0.0, 3.0, 4.0, 1.0, 0.0], 2)?;
//! let index = Flat::new(rows, Metric::L2)?;
//! let found = index.search(&[0.0, 0.0], 2)?;
//! assert_eq!((found[0].id, found[0].distance), (0, 0.0));
//! assert_eq!((found[1].id, found[1].distance), (2, 1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod collection;
mod error;
mod filter;
mod index;
pub mod io;
mod metric;
mod order;
#[cfg(feature = "pq")]
pub mod quant;
pub mod scorer;
mod topk;
mod unit;
mod value;

pub use annvil_kernels::{
    AlignedRows, BindError, Element, FORCE_VAR, Forced, LayoutError, RowsRef,
};
pub use collection::{
    Bytes, Collection, CollectionBuilder, CollectionError, Hit, Id, IndexKind, Originals, Plan,
    Query, Record, Stats,
};
pub use error::{InputError, QueryError};
pub use filter::{Ends, Filter, FilterError};
#[cfg(feature = "hnsw")]
pub use index::hnsw::{
    Graph, GraphParts, GraphReport, Hnsw, HnswError, HnswOptions, HnswScratch, PartsError, Scratch,
};
pub use index::{Flat, Neighbor, exact};
pub use metric::{Metric, UnknownMetric};
pub use scorer::Encoding;
pub use value::{Metadata, Value};
