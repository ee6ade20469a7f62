//! Vector distance kernels: every implementation of an operation behind one trait, enumerable,
//! verified against an oracle, and resolved once into a plain function pointer.
//!
//! A kernel has four coordinates, `encoding/metric/shape#variant`, for example
//! `f32/l2sq/gather#avx512-r4-pf4`. [`ops`] lists every operation; each lists its variants with the
//! instruction-set level they need and whether this CPU has it. Tests, benches and reports are
//! loops over that list.
//!
//! # Which kernel do I call?
//! [`F32Kernels`] resolves the measured winners for a metric and a dimension:
//! ```
//! use annvil_kernels::{F32Kernels, Metric};
//! let k = F32Kernels::new(Metric::L2Sq, 3)?;
//! assert_eq!(k.pair.call(&[1.0, 2.0, 3.0], &[1.0, 0.0, 0.0]), 13.0);
//! # Ok::<(), annvil_kernels::BindError>(())
//! ```
//!
//! # What every kernel promises
//! - It returns the mathematical value: `dot` is the raw inner product, `l2sq` has no root,
//!   `cosine` is 1 - cos, and exactly 1 when either vector is zero and the other finite.
//! - NaN in any element gives NaN (all metrics); an infinite element gives infinity or NaN.
//! - It never allocates, locks, logs or reads the environment.
//! - Its loops are safe Rust over checked slices. What an entry point asks for - its
//!   instruction-set level, and vectors of the dimension it was resolved for - [`Bound`] checks;
//!   whatever the lengths, nothing is read out of bounds.

#[macro_use]
pub mod isa;
mod kernel;
pub mod layout;
pub mod layout_block;
mod loops;
mod ops;
mod registry;
mod set;
mod shape;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod winners;

pub use isa::{Level, prefetch};
pub use kernel::{AnyOp, BindError, Bound, Technique, VariantMeta};
pub use layout::{AlignedRows, Element, LayoutError, RowsRef};
pub use layout_block::{AlignedBlocks, BLOCK, BlocksRef};
pub use ops::bits::{bits_u4_query, bits_u4_query_len};
pub use ops::int4::{int4_pack, int4_query, int4_unpack};
pub use ops::sq8::Sq8;
pub use registry::{find, ops};
pub use set::{F32Kernels, FORCE_VAR, Forced, Metric, Residence, resolve};
pub use shape::{Argmin, Combine, Edges, Map1, Map2, Map3, Scored, Select, TopK, Update};
pub use shape::{Assign, Block, BlockPrune, Tile, TileNorms, norm_sq};
pub use shape::{
    Batch, CodeNorms, Encode, EncodeBits, Gather, GatherNorms, Pair, PairNorms, Row, Scan,
    ScanNorms, Shape, Steps, VectorShape, cosine_from_norms, inv_norm,
};
pub use shape::{
    BlockLayout, CodeBlocksRef, CodeScan, Codebook, FastScan, Interleaved4, Lut, LutRef, NotFinite,
    Planar4, PqEncode, QuantizedLut, Rows64, SdcRef,
};
