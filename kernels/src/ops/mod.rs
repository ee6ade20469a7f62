//! The operations, by encoding.

pub(crate) mod at;
pub(crate) mod plain;

#[macro_use]
pub(crate) mod half;

pub(crate) mod bf16;
pub(crate) mod bits;
pub(crate) mod f16;
pub(crate) mod f32;
pub(crate) mod i8;
pub(crate) mod int4;
pub(crate) mod int8;
pub(crate) mod pq;
pub(crate) mod select;
pub(crate) mod sq8;
pub(crate) mod u8;
