//! What the machine itself allows: plain reads, multiply-adds in registers, and a chain of
//! dependent additions whose length in cycles is known.
//!
//! A harness times them in the same rounds as the kernels: a limit from another minute of a shared
//! machine is no limit.
#![allow(unsafe_code, reason = "entries that enable a level, and an assembly chain")]

use core::hint::black_box;

use super::Level;
use super::simd::Simd;

/// Dependent additions per output of [`clock_chain`].
pub const CHAIN: usize = 256;

/// In which manner a plain read goes over its slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// One after the other.
    InTurn,
    /// The same, each slice on four sums of its own, as streaming kernels work.
    OnFourSums,
    /// From both halves by turns: two far streams.
    OfHalves,
}

/// Reads slices with the widest loads there are, and does nothing else.
#[derive(Clone, Copy, Debug)]
pub struct PlainRead {
    level: Level,
    manner: Manner,
}

impl PlainRead {
    /// A read at the best level of this CPU.
    #[must_use]
    pub fn new(manner: Manner) -> Self {
        Self { level: Level::best(), manner }
    }

    /// Reads; what comes out is the sum of what was read, as `f32`.
    #[must_use]
    pub fn run(&self, slices: &[&[u8]]) -> f32 {
        read_at(self.level, self.manner, slices)
    }
}

/// Multiply-adds of `f32` in registers.
#[derive(Clone, Copy, Debug)]
pub struct MultiplyAdds {
    level: Level,
}

impl MultiplyAdds {
    /// At the best level of this CPU.
    #[must_use]
    pub fn new() -> Self {
        Self { level: Level::best() }
    }

    /// So many multiply-adds, and what came of them.
    #[must_use]
    pub fn run(&self, count: usize) -> f32 {
        multiply_add_at(self.level, count)
    }
}

impl Default for MultiplyAdds {
    fn default() -> Self {
        Self::new()
    }
}

/// [`CHAIN`] additions for each output, each waiting for the one before it: one cycle each.
pub fn clock_chain(outputs: usize) {
    let mut x = 1u64;
    for _ in 0..outputs * (CHAIN / 16) {
        x = add16(x);
    }
    black_box(x);
}

/// Sixteen dependent additions.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn add16(mut x: u64) -> u64 {
    // SAFETY: register arithmetic only. `y` is unknown to the assembler, so nothing is folded.
    unsafe {
        core::arch::asm!(
            "add {0}, {1}", "add {0}, {1}", "add {0}, {1}", "add {0}, {1}",
            "add {0}, {1}", "add {0}, {1}", "add {0}, {1}", "add {0}, {1}",
            "add {0}, {1}", "add {0}, {1}", "add {0}, {1}", "add {0}, {1}",
            "add {0}, {1}", "add {0}, {1}", "add {0}, {1}", "add {0}, {1}",
            inout(reg) x, in(reg) 3u64, options(nomem, nostack, pure)
        );
    }
    x
}

/// Sixteen dependent additions.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn add16(mut x: u64) -> u64 {
    // SAFETY: register arithmetic only.
    unsafe {
        core::arch::asm!(
            "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}",
            "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}",
            "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}",
            "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}", "add {0}, {0}, {1}",
            inout(reg) x, in(reg) 3u64, options(nomem, nostack, pure)
        );
    }
    x
}

/// Sixteen additions; on other targets only about a cycle each.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline(always)]
fn add16(mut x: u64) -> u64 {
    for _ in 0..16 {
        x = black_box(x.wrapping_add(3));
    }
    x
}

/// Loads in flight.
const STREAMS: usize = 8;

#[inline(always)]
fn read<S: Simd, const N: usize>(s: S, x: &[f32], mut acc: [S::V; N]) -> [S::V; N] {
    let (chunks, tail) = s.chunks(x);
    let (groups, single) = chunks.as_chunks::<N>();
    for group in groups {
        for u in 0..N {
            acc[u] = s.add(acc[u], s.load(&group[u]));
        }
    }
    for (u, chunk) in (0..N).zip(single) {
        acc[u] = s.add(acc[u], s.load(chunk));
    }
    if !tail.is_empty() {
        acc[0] = s.add(acc[0], s.load_partial(tail));
    }
    acc
}

/// The `f32` values in a slice of bytes; a byte or three at the ends may be left out.
#[inline(always)]
fn numbers(bytes: &[u8]) -> &[f32] {
    // SAFETY: every bit pattern is an `f32`.
    unsafe { bytes.align_to::<f32>().1 }
}

/// Bytes of one turn where a single slice is read from both halves.
const TURN: usize = 1024;

#[inline(always)]
fn read_slices<S: Simd>(s: S, manner: Manner, slices: &[&[u8]]) -> f32 {
    let mut acc = [s.zero(); STREAMS];
    match (manner, slices) {
        (Manner::InTurn, _) => {
            for slice in slices {
                acc = read(s, numbers(slice), acc);
            }
        }
        (Manner::OnFourSums, _) => {
            for slice in slices {
                let [a, b, c, d] = read(s, numbers(slice), [s.zero(); 4]);
                acc[0] = s.add(acc[0], s.add(s.add(a, b), s.add(c, d)));
            }
        }
        (Manner::OfHalves, [one]) => {
            let (low, high) = one.split_at(one.len() / 2 / TURN * TURN);
            for (a, b) in low.chunks(TURN).zip(high.chunks(TURN)) {
                acc = read(s, numbers(a), acc);
                acc = read(s, numbers(b), acc);
            }
            acc = read(s, numbers(&high[low.len().min(high.len())..]), acc);
        }
        (Manner::OfHalves, _) => {
            let (low, high) = slices.split_at(slices.len() / 2);
            for (a, b) in low.iter().zip(high) {
                acc = read(s, numbers(a), acc);
                acc = read(s, numbers(b), acc);
            }
            for rest in &high[low.len()..] {
                acc = read(s, numbers(rest), acc);
            }
        }
    }
    let all = acc.into_iter().fold(s.zero(), |a, b| s.add(a, b));
    s.sum(all)
}

#[inline(always)]
fn multiply_add<S: Simd>(s: S, registers: usize) -> f32 {
    // Ten chains: 4 cycles of latency, 2 starts a cycle, and some to spare.
    let mut acc = [s.zero(); 10];
    let x = black_box([1.5f32; 64]);
    let x = s.load_partial(&x);
    for _ in 0..registers.div_ceil(10) {
        for a in &mut acc {
            *a = s.mul_add(x, x, *a);
        }
    }
    let all = acc.into_iter().fold(s.zero(), |a, b| s.add(a, b));
    s.sum(all)
}

/// Calls `$body` with the token of `$level`, inside a function that enables it.
macro_rules! at_level {
    ($name:ident($($arg:ident: $ty:ty),*) -> $ret:ty = |$s:ident| $body:expr) => {
        fn $name(level: Level, $($arg: $ty),*) -> $ret {
            match level {
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 => {
                    #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
                    fn entry($($arg: $ty),*) -> $ret {
                        // SAFETY: this function enables the level.
                        let $s = unsafe { super::avx512::Avx512::assume() };
                        $body
                    }
                    // SAFETY: only `Level::best()` and levels seen to be available get here.
                    unsafe { entry($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                Level::Avx2 => {
                    #[target_feature(enable = "avx2,fma")]
                    fn entry($($arg: $ty),*) -> $ret {
                        // SAFETY: this function enables the level.
                        let $s = unsafe { super::avx2::Avx2::assume() };
                        $body
                    }
                    // SAFETY: only `Level::best()` and levels seen to be available get here.
                    unsafe { entry($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                Level::Sse42 => {
                    #[target_feature(enable = "sse4.2,popcnt")]
                    fn entry($($arg: $ty),*) -> $ret {
                        // SAFETY: this function enables the level.
                        let $s = unsafe { super::sse42::Sse42::assume() };
                        $body
                    }
                    // SAFETY: only `Level::best()` and levels seen to be available get here.
                    unsafe { entry($($arg),*) }
                }
                #[cfg(target_arch = "aarch64")]
                Level::Neon => {
                    #[target_feature(enable = "neon")]
                    fn entry($($arg: $ty),*) -> $ret {
                        // SAFETY: this function enables the level.
                        let $s = unsafe { super::neon::Neon::assume() };
                        $body
                    }
                    // SAFETY: only `Level::best()` and levels seen to be available get here.
                    unsafe { entry($($arg),*) }
                }
                _ => {
                    let $s = Plain;
                    $body
                }
            }
        }
    };
}

at_level!(read_at(manner: Manner, slices: &[&[u8]]) -> f32 = |s| read_slices(s, manner, slices));
at_level!(multiply_add_at(elements: usize) -> f32 = |s| multiply_add(s, per(s, elements)));

/// Registers for so many elements.
#[inline(always)]
fn per<S: Simd>(_s: S, elements: usize) -> usize {
    elements.div_ceil(S::LANES)
}

/// One element at a time, for CPUs without a level of ours.
#[derive(Clone, Copy)]
struct Plain;

impl Simd for Plain {
    type V = f32;
    type Chunk = f32;
    const LANES: usize = 1;

    fn chunks(self, x: &[f32]) -> (&[f32], &[f32]) {
        (x, &[])
    }
    fn chunks_mut(self, x: &mut [f32]) -> (&mut [f32], &mut [f32]) {
        (x, &mut [])
    }
    fn zero(self) -> f32 {
        0.0
    }
    fn splat(self, x: f32) -> f32 {
        x
    }
    fn store(self, v: f32, out: &mut f32) {
        *out = v;
    }
    fn store_partial(self, v: f32, out: &mut [f32]) {
        if let Some(o) = out.first_mut() {
            *o = v;
        }
    }
    fn load(self, x: &f32) -> f32 {
        *x
    }
    fn load_partial(self, x: &[f32]) -> f32 {
        x.first().copied().unwrap_or(0.0)
    }
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }
    fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
    fn abs(self, a: f32) -> f32 {
        a.abs()
    }
    fn max_abs(self, a: f32, b: f32) -> f32 {
        f32::from_bits(a.to_bits().max(b.to_bits()))
    }
    fn sum(self, v: f32) -> f32 {
        v
    }
    fn max_lane(self, v: f32) -> f32 {
        v
    }
    fn prefetch(self, _x: &f32) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::cases::Element;

    #[test]
    fn a_read_adds_up_everything_at_every_level() {
        // Seven rows: the halves leave one over.
        let rows: Vec<Vec<f32>> =
            (0..7).map(|r| (0..37).map(|i| (r * 37 + i) as f32 / 64.0).collect()).collect();
        let all: f32 = rows.iter().flatten().sum();
        let long: Vec<f32> = (0..3000).map(|i| (i % 64) as f32 / 64.0).collect();
        let slices: Vec<&[u8]> = rows.iter().map(|r| f32::bytes(r)).collect();
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            for manner in [Manner::InTurn, Manner::OnFourSums, Manner::OfHalves] {
                let near = |found: f32, truth: f32| (found - truth).abs() < 1e-2;
                assert!(near(read_at(level, manner, &slices), all), "{level} {manner:?}");
                let one = read_at(level, manner, &[f32::bytes(&long)]);
                assert!(near(one, long.iter().sum()), "{level} {manner:?}, one slice");
            }
        }
    }
}
