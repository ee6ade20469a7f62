//! Shapes: calling conventions, and nothing else. What is computed is the operation's business.
//!
//! An entry asks for its instruction-set level, and for operands of the lengths that it was
//! resolved for; both are checked by [`Bound`](crate::Bound), the second on every call. Ids, the
//! number of rows and the number of outputs are bounded by the slices themselves.
//!
//! One file for each family of shapes: a query and rows are in [`vector`].

pub(crate) mod block;
pub(crate) mod encode;
pub(crate) mod encode_bits;
pub(crate) mod lut;
pub(crate) mod map;
pub(crate) mod select;
pub(crate) mod tile;
pub(crate) mod vector;

pub use block::{Block, BlockPrune};
pub use encode_bits::EncodeBits;
#[cfg(feature = "testkit")]
pub(crate) use lut::padded;
pub use lut::{
    BlockLayout, CodeBlocksRef, CodeScan, Codebook, FastScan, Interleaved4, Lut, LutRef, NotFinite,
    Planar4, PqEncode, QuantizedLut, Rows64, SdcRef,
};
pub use map::{Combine, Edges, Map1, Map2, Map3, Update};
pub use select::{Argmin, Scored, Select, TopK};
pub use tile::{Assign, Tile, TileNorms, norm_sq};
pub use vector::{
    Batch, CodeNorms, Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms, VectorShape,
    cosine_from_norms, inv_norm,
};

/// A calling convention.
pub trait Shape: Sized + 'static {
    /// Its name in coordinates.
    const NAME: &'static str;
    /// The function pointer.
    type Entry: Copy + Send + Sync + 'static;
}
