//! Arithmetic on bytes: products of `i8` summed in 32 bits, exactly.
//!
//! A sum of products of up to 131,072 elements fits an `i32`: each product is at most 2^14.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512vnni;

/// The inner product of two `i8` vectors.
#[derive(Clone, Copy)]
pub(crate) struct Dot<T>(T);
