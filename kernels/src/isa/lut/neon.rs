//! 128 bits: 4 centroids, one sub-space of nibbles; and tables of 64 entries in four registers,
//! which `tbl` looks up at once.
#![allow(unsafe_code, reason = "intrinsics; the token proves the level")]

use core::arch::aarch64::*;

use super::{Bytes, HandBlocks, Interleaved, Lanes, Nibbles};
use crate::isa::tokens::{Neon, NeonDot};
use crate::shape::{BlockLayout, CodeBlocksRef, Interleaved4, Rows64};

/// Sub-spaces whose bytes fit 16 bits in sum.
const BEFORE_FLUSH: usize = 256;

impl Lanes for Neon {
    #[inline(always)]
    fn keep_less(self, new: [float32x4_t; 2], old: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: the token proves NEON.
        unsafe { keep_less(new, old) }
    }

    #[inline(always)]
    fn first_least(self, best: [float32x4_t; 2]) -> usize {
        // SAFETY: the token proves NEON.
        unsafe { first_least(best) }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn keep_less(new: [float32x4_t; 2], old: [float32x4_t; 2]) -> [float32x4_t; 2] {
    let less = vcltq_f32(new[0], old[0]);
    [vbslq_f32(less, new[0], old[0]), vbslq_f32(less, new[1], old[1])]
}

#[inline]
#[target_feature(enable = "neon")]
fn first_least([value, mark]: [float32x4_t; 2]) -> usize {
    // SAFETY: 4 elements.
    let lanes = unsafe { vld1q_f32([0.0, 1.0, 2.0, 3.0].as_ptr()) };
    let those = vceqq_f32(value, vdupq_n_f32(vminvq_f32(value)));
    let index = vfmaq_f32(lanes, mark, vdupq_n_f32(4.0));
    vminvq_f32(vbslq_f32(those, index, vdupq_n_f32(f32::INFINITY))) as usize
}

impl Nibbles for Neon {
    type V = uint8x16_t;
    type Chunk = [u8; 16];

    #[inline(always)]
    fn zero(self) -> uint8x16_t {
        // SAFETY: the token proves NEON.
        unsafe { vdupq_n_u8(0) }
    }

    #[inline(always)]
    fn chunks(self, x: &[u8]) -> &[[u8; 16]] {
        x.as_chunks().0
    }

    #[inline(always)]
    fn load(self, x: &[u8; 16]) -> uint8x16_t {
        // SAFETY: the token proves NEON; the chunk has 16 bytes.
        unsafe { vld1q_u8(x.as_ptr()) }
    }

    #[inline(always)]
    fn look_up(self, table: uint8x16_t, codes: uint8x16_t) -> [uint8x16_t; 2] {
        // SAFETY: the token proves NEON.
        unsafe { look_up(table, codes) }
    }

    // Widening additions: rows 0..8 in the first register, rows 8..16 in the second.
    #[inline(always)]
    fn add(self, acc: [uint8x16_t; 2], x: uint8x16_t) -> [uint8x16_t; 2] {
        // SAFETY: the token proves NEON.
        unsafe { add(acc, x) }
    }

    #[inline(always)]
    fn flush(self, acc: [uint8x16_t; 2], sums: &mut [u32; 16]) {
        let (low, high) = sums.split_at_mut(8);
        // SAFETY: the token proves NEON.
        unsafe { add_to(low, vreinterpretq_u16_u8(acc[0])) };
        // SAFETY: the token proves NEON.
        unsafe { add_to(high, vreinterpretq_u16_u8(acc[1])) };
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn look_up(table: uint8x16_t, codes: uint8x16_t) -> [uint8x16_t; 2] {
    let low = vandq_u8(codes, vdupq_n_u8(15));
    [vqtbl1q_u8(table, low), vqtbl1q_u8(table, vshrq_n_u8::<4>(codes))]
}

#[inline]
#[target_feature(enable = "neon")]
fn add(acc: [uint8x16_t; 2], x: uint8x16_t) -> [uint8x16_t; 2] {
    let low = vaddw_u8(vreinterpretq_u16_u8(acc[0]), vget_low_u8(x));
    let high = vaddw_high_u8(vreinterpretq_u16_u8(acc[1]), x);
    [vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high)]
}

/// Adds 8 lanes to 8 sums.
#[inline]
#[target_feature(enable = "neon")]
fn add_to(to: &mut [u32], rows: uint16x8_t) {
    for (to, rows) in to
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .zip([vmovl_u16(vget_low_u16(rows)), vmovl_high_u16(rows)])
    {
        // SAFETY: 4 words.
        let before = unsafe { vld1q_u32(to.as_ptr()) };
        // SAFETY: 4 words.
        unsafe { vst1q_u32(to.as_mut_ptr(), vaddq_u32(before, rows)) };
    }
}

/// 64 bytes in four registers.
#[inline]
#[target_feature(enable = "neon")]
fn load_64(line: &[u8; 64]) -> uint8x16x4_t {
    // SAFETY: 64 bytes.
    unsafe { vld1q_u8_x4(line.as_ptr()) }
}

macro_rules! interleaved {
    ($($token:ident $dot:literal)*) => {$(
        impl HandBlocks<Interleaved4, 16> for Interleaved<$token, 1> {
            type Token = $token;

            #[inline(always)]
            fn blocks(
                _: $token,
                table: &[[u8; 16]],
                blocks: CodeBlocksRef<'_, Interleaved4>,
                out: &mut [u32],
            ) {
                // SAFETY: the token proves NEON, and DotProd where it is asked for.
                unsafe { nibbles::<$dot>(table, blocks, out) }
            }
        }
    )*};
}

interleaved! { Neon false NeonDot true }

/// # Safety
/// With `DOT`, the CPU has DotProd.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn nibbles<const DOT: bool>(
    table: &[[u8; 16]],
    blocks: CodeBlocksRef<'_, Interleaved4>,
    out: &mut [u32],
) {
    let bytes = Interleaved4::block_bytes(blocks.m());
    if bytes == 0 {
        return out.fill(0);
    }
    let tables = table.as_flattened().as_chunks::<64>().0;
    for (block, out) in blocks.data().chunks_exact(bytes).zip(out.chunks_mut(32)) {
        let mut acc = [vdupq_n_u32(0); 8];
        for (table, codes) in tables.iter().zip(block.as_chunks().0) {
            let table = load_64(table);
            let codes = load_64(codes);
            // SAFETY: DotProd as promised.
            acc = unsafe { add_four::<DOT>(acc, table, [codes.0, codes.1, codes.2, codes.3]) };
        }
        let mut sums = [[0; 4]; 8];
        for (to, sum) in sums.iter_mut().zip(acc) {
            // SAFETY: 4 words.
            unsafe { vst1q_u32(to.as_mut_ptr(), sum) };
        }
        out.copy_from_slice(&sums.as_flattened()[..out.len()]);
    }
}

/// # Safety
/// With `DOT`, the CPU has DotProd.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_four<const DOT: bool>(
    mut acc: [uint32x4_t; 8],
    table: uint8x16x4_t,
    codes: [uint8x16_t; 4],
) -> [uint32x4_t; 8] {
    // Bits 4 and 5 of an index say which of the four tables.
    let which = vreinterpretq_u8_u32(vdupq_n_u32(0x3020_1000));
    for i in 0..4 {
        let low = vorrq_u8(vandq_u8(codes[i], vdupq_n_u8(15)), which);
        let high = vorrq_u8(vshrq_n_u8::<4>(codes[i]), which);
        // SAFETY: DotProd as promised.
        acc[i] = unsafe { add_quads::<DOT>(acc[i], vqtbl4q_u8(table, low)) };
        // SAFETY: DotProd as promised.
        acc[i + 4] = unsafe { add_quads::<DOT>(acc[i + 4], vqtbl4q_u8(table, high)) };
    }
    acc
}

/// Adds each four bytes to a lane.
///
/// # Safety
/// With `DOT`, the CPU has DotProd.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn add_quads<const DOT: bool>(acc: uint32x4_t, x: uint8x16_t) -> uint32x4_t {
    if !DOT {
        return vpadalq_u16(acc, vpaddlq_u8(x));
    }
    let mut sum = acc;
    // SAFETY: DotProd as promised; registers only.
    unsafe {
        core::arch::asm!(
            ".arch_extension dotprod",
            "udot {sum:v}.4s, {x:v}.16b, {ones:v}.16b",
            sum = inout(vreg) sum,
            x = in(vreg) x,
            ones = in(vreg) vdupq_n_u8(1),
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}

impl HandBlocks<Rows64, 256> for Bytes<Neon, 1, false> {
    type Token = Neon;

    #[inline(always)]
    fn blocks(_: Neon, table: &[[u8; 256]], blocks: CodeBlocksRef<'_, Rows64>, out: &mut [u32]) {
        let bytes = Rows64::block_bytes(blocks.m());
        if bytes == 0 {
            return out.fill(0);
        }
        for (block, out) in blocks.data().chunks_exact(bytes).zip(out.chunks_mut(64)) {
            let mut sums = [[0; 16]; 4];
            let lines = block.as_chunks().0;
            for (tables, lines) in table.chunks(BEFORE_FLUSH).zip(lines.chunks(BEFORE_FLUSH)) {
                // SAFETY: the token proves NEON.
                unsafe { add_bytes(tables, lines, &mut sums) };
            }
            out.copy_from_slice(&sums.as_flattened()[..out.len()]);
        }
    }
}

/// Adds the entries of 64 rows: at most 257 sub-spaces.
#[inline]
#[target_feature(enable = "neon")]
fn add_bytes(tables: &[[u8; 256]], lines: &[[u8; 64]], sums: &mut [[u32; 16]; 4]) {
    let mut acc = [[vdupq_n_u16(0); 2]; 4];
    for (table, line) in tables.iter().zip(lines) {
        let t = table.as_chunks().0;
        let t = [load_64(&t[0]), load_64(&t[1]), load_64(&t[2]), load_64(&t[3])];
        // SAFETY: 64 bytes; every fourth in a register, as their rows belong together.
        let codes = unsafe { vld4q_u8(line.as_ptr()) };
        let codes = [codes.0, codes.1, codes.2, codes.3];
        let quarter = vdupq_n_u8(64);
        for i in 0..4 {
            // An index beyond 64 entries leaves what is there: each quarter finds its own.
            let mut at = codes[i];
            let mut x = vqtbl4q_u8(t[0], at);
            at = vsubq_u8(at, quarter);
            x = vqtbx4q_u8(x, t[1], at);
            at = vsubq_u8(at, quarter);
            x = vqtbx4q_u8(x, t[2], at);
            at = vsubq_u8(at, quarter);
            x = vqtbx4q_u8(x, t[3], at);
            acc[i] = [vaddw_u8(acc[i][0], vget_low_u8(x)), vaddw_high_u8(acc[i][1], x)];
        }
    }
    for (sums, acc) in sums.iter_mut().zip(acc) {
        let (low, high) = sums.split_at_mut(8);
        add_to(low, acc[0]);
        add_to(high, acc[1]);
    }
}
