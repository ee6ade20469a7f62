//! Rows of `i8`.

mod scalar;
#[cfg(feature = "testkit")]
mod subject;

use core::marker::PhantomData;

use super::{at, plain};
use crate::isa::int8;
use crate::isa::tokens::{Avx2, Avx512Vnni};
use crate::kernel::{AnyOp, Erased, Op, Variant};
use crate::shape::{Gather, Pair, Scan};

/// The operations on `i8`.
pub(crate) static OPS: &[&dyn AnyOp] = &[
    &Erased::<I8<Dot, Pair<i8, i8, i32>>>::new(),
    &Erased::<I8<Dot, Scan<i8, i8, i32>>>::new(),
    &Erased::<I8<Dot, Gather<i8, i8, i32>>>::new(),
];

/// The inner product.
pub(crate) struct Dot;

/// The operation of metric `M` in shape `S` on rows of `i8`.
pub(crate) struct I8<M, S>(PhantomData<fn() -> (M, S)>);

impl Op for I8<Dot, Pair<i8, i8, i32>> {
    type Shape = Pair<i8, i8, i32>;
    const ENCODING: &'static str = "i8";
    const METRIC: &'static str = "dot";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::pair::<Self, scalar::Dot>(),
        at::avx2::pair::<Self, int8::Dot<Avx2>, 4>(),
        at::avx512vnni::pair::<Self, int8::Dot<Avx512Vnni>, 4>(),
    ];
}

impl Op for I8<Dot, Scan<i8, i8, i32>> {
    type Shape = Scan<i8, i8, i32>;
    const ENCODING: &'static str = "i8";
    const METRIC: &'static str = "dot";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::scan::<Self, scalar::Dot>(),
        at::avx2::scan::<Self, int8::Dot<Avx2>, 2>(),
        at::avx512vnni::scan::<Self, int8::Dot<Avx512Vnni>, 2>(),
        at::avx512vnni::scan8::<Self, int8::Dot<Avx512Vnni>, 1>(),
        at::avx512vnni::stream::<Self, int8::Dot<Avx512Vnni>, 4>(),
    ];
}

impl Op for I8<Dot, Gather<i8, i8, i32>> {
    type Shape = Gather<i8, i8, i32>;
    const ENCODING: &'static str = "i8";
    const METRIC: &'static str = "dot";
    const VARIANTS: &'static [Variant<Self>] = &[
        plain::gather::<Self, scalar::Dot>(),
        at::avx2::gather::<Self, int8::Dot<Avx2>, 2>(),
        at::avx512vnni::gather::<Self, int8::Dot<Avx512Vnni>, 2>(),
        at::avx512vnni::gather_pf4::<Self, int8::Dot<Avx512Vnni>, 2>(),
    ];
}
