//! Floats to halves, as fast as the CPU can: for peers that want the query in the rows' encoding.
#![allow(unsafe_code, reason = "intrinsics behind a check of the level")]

use half::{bf16, f16};

/// `out[i]` = `x[i]`, rounded to nearest.
pub(crate) fn to_f16(x: &[f32], out: &mut [f16]) {
    #[cfg(target_arch = "x86_64")]
    if crate::Level::Avx2.is_available() {
        // SAFETY: the level was checked, and contains F16C.
        return unsafe { to_f16_f16c(x, out) };
    }
    for (o, &v) in out.iter_mut().zip(x) {
        *o = f16::from_f32(v);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx,f16c")]
fn to_f16_f16c(x: &[f32], out: &mut [f16]) {
    use core::arch::x86_64::*;
    let ((chunks, tail), (out_chunks, out_tail)) = (x.as_chunks::<8>(), out.as_chunks_mut::<8>());
    for (x, o) in chunks.iter().zip(out_chunks) {
        // SAFETY: the chunk has 8 elements; the load is unaligned.
        let v = unsafe { _mm256_loadu_ps(x.as_ptr()) };
        let narrow = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(v);
        // SAFETY: the chunk has 16 bytes; the store is unaligned.
        unsafe { _mm_storeu_si128(o.as_mut_ptr().cast(), narrow) };
    }
    for (o, &v) in out_tail.iter_mut().zip(tail) {
        *o = f16::from_f32(v);
    }
}

/// `out[i]` = `x[i]`, rounded to nearest; for numbers.
pub(crate) fn to_bf16(x: &[f32], out: &mut [bf16]) {
    #[cfg(target_arch = "x86_64")]
    if crate::Level::Avx2.is_available() {
        // SAFETY: the level was checked.
        return unsafe { to_bf16_avx2(x, out) };
    }
    to_bf16_body(x, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn to_bf16_avx2(x: &[f32], out: &mut [bf16]) {
    to_bf16_body(x, out);
}

#[inline(always)]
fn to_bf16_body(x: &[f32], out: &mut [bf16]) {
    for (o, &v) in out.iter_mut().zip(x) {
        let bits = v.to_bits();
        let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
        *o = bf16::from_bits((rounded >> 16) as u16);
    }
}
