//! Rows of `i8`: the list. What they are is in `ops/int8`, for both kinds of bytes.

use super::int8::Int8;
use crate::isa::int8::{Cosine, Dot, L2Sq};
use crate::kernel::{AnyOp, Erased};
use crate::shape::{CodeNorms, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

/// The operations on `i8`.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<Int8<i8, L2Sq, Pair<i8, i8, u32>>>::new(),
    &Erased::<Int8<i8, L2Sq, Scan<i8, i8, u32>>>::new(),
    &Erased::<Int8<i8, L2Sq, Gather<i8, i8, u32>>>::new(),
    &Erased::<Int8<i8, L2Sq, PairNorms<i8, i8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, L2Sq, ScanNorms<i8, i8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, L2Sq, GatherNorms<i8, i8, u32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, Dot, Pair<i8, i8, i32>>>::new(),
    &Erased::<Int8<i8, Dot, Scan<i8, i8, i32>>>::new(),
    &Erased::<Int8<i8, Dot, Gather<i8, i8, i32>>>::new(),
    &Erased::<Int8<i8, Dot, PairNorms<i8, i8, i32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, Dot, ScanNorms<i8, i8, i32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, Dot, GatherNorms<i8, i8, i32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, Cosine, Pair<i8, i8, f32>>>::new(),
    &Erased::<Int8<i8, Cosine, Scan<i8, i8, f32>>>::new(),
    &Erased::<Int8<i8, Cosine, Gather<i8, i8, f32>>>::new(),
    &Erased::<Int8<i8, Cosine, PairNorms<i8, i8, f32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, Cosine, ScanNorms<i8, i8, f32, CodeNorms>>>::new(),
    &Erased::<Int8<i8, Cosine, GatherNorms<i8, i8, f32, CodeNorms>>>::new(),
];
