//! The vector engine: exact and approximate nearest neighbours on the kernels that won.
//!
//! [`Collection`] holds vectors with ids and metadata, and is what most programs want. Below it:
//! [`Hnsw`] and [`Flat`] search rows by number; [`scorer`] has the rows of each encoding;
//! [`exact`] scans any of them; [`io`] reads the field's vector files. [`Metric`] says what near
//! means.
//!
//! The engine holds resolved kernels and calls them with blocks of rows: it contains no distance
//! loop, names no instruction set, opens files in `storage` only, reads no clock, and runs on a thread pool only
//! when one is handed to it or asked for.
//!
//! # Which vectors are near?
//! ```
//! use annvil::{Collection, Filter, Metric, Query, Record};
//!
//! let books = Collection::builder(3).metric(Metric::Cosine).build()?;
//! books.insert_batch(vec![
//!     Record::new("dune", vec![0.9, 0.1, 0.0]).with("year", 1965),
//!     Record::new("emma", vec![0.0, 0.2, 0.9]).with("year", 1815),
//! ])?;
//! let recent = Query::new(&[1.0, 0.0, 0.1]).k(1).filter(Filter::at_least("year", 1900));
//! assert_eq!(books.search(&recent)?[0].id, "dune".into());
//! # Ok::<(), annvil::CollectionError>(())
//! ```

mod collection;
mod error;
mod filter;
mod index;
pub mod io;
pub mod mem;
mod metric;
mod order;
#[cfg(feature = "pq")]
pub mod quant;
pub mod scorer;
#[cfg(feature = "storage")]
pub mod storage;
pub mod tier;
mod topk;
mod unit;
mod value;

pub use annvil_kernels::{
    AlignedRows, BindError, Element, FORCE_VAR, Forced, LayoutError, RowsRef,
};
#[cfg(feature = "storage")]
pub use collection::BulkInsert;
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
