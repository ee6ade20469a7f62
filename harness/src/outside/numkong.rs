//! The C library NumKong, through its Rust traits. It has no form for an `f32` query against rows of
//! halves.
#![cfg_attr(
    feature = "rivals",
    allow(unsafe_code, reason = "our elements as the library's transparent wrappers of them")
)]

use super::{Outsider, PAIRS, PAIRWISE};

#[cfg(not(feature = "rivals"))]
pub(super) static LISTS: &[&[Outsider]] = &[
    super::absent! {
        "numkong", PAIRWISE;
        "f32" "l2sq"; "f32" "dot"; "f32" "cosine";
        "i8" "l2sq"; "i8" "dot"; "i8" "cosine";
        "u8" "l2sq"; "u8" "dot"; "u8" "cosine";
        "int4" "l2sq"; "int4" "dot";
        "bits" "hamming"; "bits" "jaccard";
    },
    super::absent! {
        "numkong", PAIRS;
        "f16" "l2sq"; "f16" "dot"; "f16" "cosine";
        "bf16" "l2sq"; "bf16" "dot"; "bf16" "cosine";
    },
];

#[cfg(feature = "rivals")]
pub(super) static LISTS: &[&[Outsider]] = {
    use half::{bf16, f16};
    use numkong::{Angular, Dot, Euclidean, Hamming, Jaccard, u1x8, u4x2};

    /// Our elements and the library's name for them: a transparent wrapper of the same bits.
    ///
    /// # Safety
    /// The library's type is a `repr(transparent)` wrapper of the same size, for which every bit
    /// pattern is a value.
    unsafe trait Wrapped: Copy + 'static {
        type Theirs: Copy + 'static;
    }

    // SAFETY: `numkong::f16` is a transparent `u16`, as `half::f16` is.
    unsafe impl Wrapped for f16 {
        type Theirs = numkong::f16;
    }

    // SAFETY: `numkong::bf16` is a transparent `u16`, as `half::bf16` is.
    unsafe impl Wrapped for bf16 {
        type Theirs = numkong::bf16;
    }

    fn wrapped<T: Wrapped>(x: &[T]) -> &[T::Theirs] {
        const { assert!(size_of::<T>() == size_of::<T::Theirs>()) }
        const { assert!(align_of::<T>() == align_of::<T::Theirs>()) }
        // SAFETY: same size and alignment, asserted above; every bit pattern is a value, by `Wrapped`.
        unsafe { core::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
    }

    fn bits(x: &[u8]) -> &[u1x8] {
        // SAFETY: `u1x8` is a transparent `u8`.
        unsafe { core::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
    }

    fn nibbles(x: &[u8]) -> &[u4x2] {
        // SAFETY: `u4x2` is a transparent `u8`.
        unsafe { core::slice::from_raw_parts(x.as_ptr().cast(), x.len()) }
    }

    /// What the library says of vectors of unequal lengths, which never come here.
    fn wide(value: Option<f64>) -> f32 {
        value.map_or(f32::NAN, |v| v as f32)
    }

    &[
        super::pairwise! {
            "numkong", Rival, PAIRWISE;
            "f32" "l2sq" <f32, f32, f32> |_dim| |q: &[f32], r: &[f32]| wide(f32::sqeuclidean(q, r));
            "f32" "dot" <f32, f32, f32> |_dim| |q: &[f32], r: &[f32]| wide(f32::dot(q, r));
            "f32" "cosine" <f32, f32, f32> |_dim| |q: &[f32], r: &[f32]| wide(f32::angular(q, r));
            "i8" "l2sq" <i8, i8, u32> |_dim|
                |q: &[i8], r: &[i8]| i8::sqeuclidean(q, r).unwrap_or(u32::MAX);
            "i8" "dot" <i8, i8, i32> |_dim| |q: &[i8], r: &[i8]| i8::dot(q, r).unwrap_or(i32::MIN);
            "i8" "cosine" <i8, i8, f32> |_dim|
                |q: &[i8], r: &[i8]| i8::angular(q, r).unwrap_or(f32::NAN);
            "u8" "l2sq" <u8, u8, u32> |_dim|
                |q: &[u8], r: &[u8]| u8::sqeuclidean(q, r).unwrap_or(u32::MAX);
            "u8" "dot" <u8, u8, u32> |_dim| |q: &[u8], r: &[u8]| u8::dot(q, r).unwrap_or(u32::MAX);
            "u8" "cosine" <u8, u8, f32> |_dim|
                |q: &[u8], r: &[u8]| u8::angular(q, r).unwrap_or(f32::NAN);
            "int4" "l2sq" <u8, u8, u32> |_dim| |q: &[u8], r: &[u8]| {
                u4x2::sqeuclidean(nibbles(q), nibbles(r)).unwrap_or(u32::MAX)
            };
            "int4" "dot" <u8, u8, u32> |_dim|
                |q: &[u8], r: &[u8]| u4x2::dot(nibbles(q), nibbles(r)).unwrap_or(u32::MAX);
            "bits" "hamming" <u8, u8, u32> |_dim|
                |q: &[u8], r: &[u8]| u1x8::hamming(bits(q), bits(r)).unwrap_or(u32::MAX);
            "bits" "jaccard" <u8, u8, f32> |_dim|
                |q: &[u8], r: &[u8]| u1x8::jaccard(bits(q), bits(r)).unwrap_or(f32::NAN);
        },
        super::pairwise! {
            "numkong", Rival, PAIRS;
            "f16" "l2sq" <f16, f16, f32> |_dim| |q: &[f16], r: &[f16]| {
                numkong::f16::sqeuclidean(wrapped(q), wrapped(r)).unwrap_or(f32::NAN)
            };
            "f16" "dot" <f16, f16, f32> |_dim|
                |q: &[f16], r: &[f16]| numkong::f16::dot(wrapped(q), wrapped(r)).unwrap_or(f32::NAN);
            "f16" "cosine" <f16, f16, f32> |_dim| |q: &[f16], r: &[f16]| {
                numkong::f16::angular(wrapped(q), wrapped(r)).unwrap_or(f32::NAN)
            };
            "bf16" "l2sq" <bf16, bf16, f32> |_dim| |q: &[bf16], r: &[bf16]| {
                numkong::bf16::sqeuclidean(wrapped(q), wrapped(r)).unwrap_or(f32::NAN)
            };
            "bf16" "dot" <bf16, bf16, f32> |_dim| |q: &[bf16], r: &[bf16]| {
                numkong::bf16::dot(wrapped(q), wrapped(r)).unwrap_or(f32::NAN)
            };
            "bf16" "cosine" <bf16, bf16, f32> |_dim| |q: &[bf16], r: &[bf16]| {
                numkong::bf16::angular(wrapped(q), wrapped(r)).unwrap_or(f32::NAN)
            };
        },
    ]
};
