//! The C library NumKong, through its Rust traits.

use super::Outsider;

#[cfg(not(feature = "rivals"))]
pub(super) const LIST: &[Outsider] = super::absent! {
    "numkong";
    "f32" "l2sq"; "f32" "dot"; "f32" "cosine";
};

#[cfg(feature = "rivals")]
pub(super) const LIST: &[Outsider] = {
    use numkong::{Angular, Dot, Euclidean};

    super::pairwise! {
        "numkong", Rival, super::PAIRWISE;
        "f32" "l2sq" <f32, f32, f32, f32> |_dim| |q: &[f32], r: &[f32]| {
            <f32 as Euclidean>::sqeuclidean(q, r).map_or(f32::NAN, |v| v as f32)
        };
        "f32" "dot" <f32, f32, f32, f32> |_dim| |q: &[f32], r: &[f32]| {
            <f32 as Dot>::dot(q, r).map_or(f32::NAN, |v| v as f32)
        };
        "f32" "cosine" <f32, f32, f32, f32> |_dim| |q: &[f32], r: &[f32]| {
            <f32 as Angular>::angular(q, r).map_or(f32::NAN, |v| v as f32)
        };
        "i8" "dot" <i8, i8, i32, f32> |_dim| |q: &[i8], r: &[i8]| {
            <i8 as Dot>::dot(q, r).unwrap_or(i32::MIN)
        };
    }
};
