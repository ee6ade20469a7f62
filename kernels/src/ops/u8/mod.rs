//! Rows of `u8`: the list. What they are is in `ops/int8`, for both kinds of bytes.

use super::int8::Int8;
use crate::isa::int8::{Cosine, Dot, L1, L2Sq};
use crate::kernel::{AnyOp, Erased};
use crate::shape::{CodeNorms, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

/// The operations on `u8`.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<Int8<u8, L2Sq, Pair<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, L2Sq, Scan<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, L2Sq, Gather<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, L2Sq, PairNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, L2Sq, ScanNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, L2Sq, GatherNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, Dot, Pair<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, Dot, Scan<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, Dot, Gather<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, Dot, PairNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, Dot, ScanNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, Dot, GatherNorms<u8, u8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, Cosine, Pair<u8, u8, f32>>>::new(),
    &Erased::<Int8<u8, Cosine, Scan<u8, u8, f32>>>::new(),
    &Erased::<Int8<u8, Cosine, Gather<u8, u8, f32>>>::new(),
    &Erased::<Int8<u8, Cosine, PairNorms<u8, u8, f32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, Cosine, ScanNorms<u8, u8, f32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, Cosine, GatherNorms<u8, u8, f32, CodeNorms>>>::new(),
    &Erased::<Int8<u8, L1, Pair<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, L1, Scan<u8, u8, u32>>>::new(),
    &Erased::<Int8<u8, L1, Gather<u8, u8, u32>>>::new(),
];
