//! The operations, by encoding.

pub(crate) mod f32;
