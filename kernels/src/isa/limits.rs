//! What the machine itself allows: plain reads, multiply-adds in registers, and a chain of
//! dependent additions whose length in cycles is known.
//!
//! Each is a [`Runner`], so that a harness can time it in the same rounds as the kernels: a limit
//! from another minute of a shared machine is no limit.
#![allow(unsafe_code, reason = "entries that enable a level, and an assembly chain")]

use core::hint::black_box;

use super::Level;
use super::simd::Simd;
use crate::kernel::Runner;
use crate::shape::Batch;

/// Dependent additions per output of [`ClockChain`].
pub const CHAIN: usize = 256;

/// What a plain read touches for each output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Every row of the batch, in order.
    Rows,
    /// The same, each row on four sums of its own, as streaming kernels work.
    RowsOnFour,
    /// The same, from both halves of the batch by turns: two far streams.
    RowsOfHalves,
    /// The listed rows.
    ListedRows,
    /// The listed rows, and the query with each of them.
    ListedRowsAndQuery,
    /// As many rows as are listed, one after the other from the first listed: what memory gives
    /// at best to whoever need not jump.
    InSequence,
}

/// Reads what the kernel of a cell reads, with the widest loads there are, and does nothing else.
#[derive(Clone, Copy, Debug)]
pub struct PlainRead {
    level: Level,
    reads: Reads,
}

impl PlainRead {
    /// A read at the best level of this CPU.
    #[must_use]
    pub fn new(reads: Reads) -> Self {
        Self { level: Level::best(), reads }
    }

    /// Bytes read for one output.
    #[must_use]
    pub fn bytes_per_value(&self, dim: usize) -> usize {
        let vectors = if self.reads == Reads::ListedRowsAndQuery { 2 } else { 1 };
        vectors * dim * size_of::<f32>()
    }
}

/// Multiply-adds in registers: as many as a kernel needs for each output.
#[derive(Clone, Copy, Debug)]
pub struct MultiplyAdds {
    level: Level,
    per_element: usize,
}

impl MultiplyAdds {
    /// `per_element` multiply-adds for each element of a row, at the best level of this CPU.
    #[must_use]
    pub fn new(per_element: usize) -> Self {
        Self { level: Level::best(), per_element }
    }
}

/// [`CHAIN`] additions for each output, each waiting for the one before it: one cycle each.
#[derive(Clone, Copy, Debug)]
pub struct ClockChain;

impl Runner for ClockChain {
    fn run(&self, _batch: &Batch<'_>, out: &mut [f32]) {
        let mut x = 1u64;
        for o in out {
            for _ in 0..CHAIN / 16 {
                x = add16(x);
            }
            *o = x as f32;
        }
    }
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

#[inline(always)]
fn read_batch<S: Simd>(s: S, reads: Reads, batch: &Batch<'_>) -> f32 {
    let mut acc = [s.zero(); STREAMS];
    match reads {
        Reads::Rows => {
            for i in 0..batch.rows.len() {
                acc = read(s, batch.rows.row(i), acc);
            }
        }
        Reads::RowsOnFour => {
            for i in 0..batch.rows.len() {
                let [a, b, c, d] = read(s, batch.rows.row(i), [s.zero(); 4]);
                acc[0] = s.add(acc[0], s.add(s.add(a, b), s.add(c, d)));
            }
        }
        Reads::RowsOfHalves => {
            let half = batch.rows.len() / 2;
            for i in 0..half {
                acc = read(s, batch.rows.row(i), acc);
                acc = read(s, batch.rows.row(half + i), acc);
            }
            for i in 2 * half..batch.rows.len() {
                acc = read(s, batch.rows.row(i), acc);
            }
        }
        Reads::ListedRows => {
            for &id in batch.ids {
                acc = read(s, batch.rows.row(id as usize), acc);
            }
        }
        Reads::InSequence => {
            let count = batch.ids.len().min(batch.rows.len());
            let first = batch.ids.first().map_or(0, |&id| id as usize);
            let from = first.min(batch.rows.len() - count);
            for i in from..from + count {
                acc = read(s, batch.rows.row(i), acc);
            }
        }
        Reads::ListedRowsAndQuery => {
            for &id in batch.ids {
                acc = read(s, black_box(batch.query), acc);
                acc = read(s, batch.rows.row(id as usize), acc);
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

at_level!(read_at(reads: Reads, batch: &Batch<'_>) -> f32 = |s| read_batch(s, reads, batch));
at_level!(multiply_add_at(elements: usize) -> f32 = |s| multiply_add(s, per(s, elements)));

/// Registers for so many elements.
#[inline(always)]
fn per<S: Simd>(_s: S, elements: usize) -> usize {
    elements.div_ceil(S::LANES)
}

impl Runner for PlainRead {
    fn run(&self, batch: &Batch<'_>, out: &mut [f32]) {
        let value = read_at(self.level, self.reads, batch);
        if let Some(first) = out.first_mut() {
            *first = value;
        }
    }
}

impl Runner for MultiplyAdds {
    fn run(&self, batch: &Batch<'_>, out: &mut [f32]) {
        let elements = batch.rows.dim() * self.per_element * out.len();
        let value = multiply_add_at(self.level, elements);
        if let Some(first) = out.first_mut() {
            *first = value;
        }
    }
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
    fn zero(self) -> f32 {
        0.0
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
    use crate::testkit::cases::Recipe;

    #[test]
    fn a_read_adds_up_everything_at_every_level() {
        // Seven rows: the halves leave one over.
        let case = Recipe::plain(37, 7, 1).make();
        let batch = case.batch();
        let sum = |i: usize| -> f64 { batch.rows.row(i).iter().map(|&x| f64::from(x)).sum() };
        let all: f64 = (0..7).map(sum).sum();
        let listed: f64 = batch.ids.iter().map(|&id| sum(id as usize)).sum();
        let query: f64 = batch.query.iter().map(|&x| f64::from(x)).sum();
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let near = |found: f32, truth: f64| (f64::from(found) - truth).abs() < 1e-3;
            for reads in [Reads::Rows, Reads::RowsOnFour, Reads::RowsOfHalves] {
                assert!(near(read_at(level, reads, &batch), all), "{level} {reads:?}");
            }
            assert!(near(read_at(level, Reads::ListedRows, &batch), listed), "{level}");
            let with_query = listed + batch.ids.len() as f64 * query;
            assert!(near(read_at(level, Reads::ListedRowsAndQuery, &batch), with_query), "{level}");
        }
    }
}
