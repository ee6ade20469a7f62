//! What the machine allows: the limits of a cell, timed in its own rounds, and those of the
//! session.
//!
//! In the first-level cache the limit is the width of the load ports times the clock, both
//! measured: a plain read loop of our own reaches some nine tenths of it, and would flatter the
//! kernels. Farther out it is a plain read of the same bytes; rows from memory are read in several
//! ways, of which the fastest counts. One-pass cosine has a second limit, its multiply-adds. Of
//! several resources the slowest binds.

use std::hint::black_box;

use annvil_kernels::testkit::Failure;
use annvil_kernels::testkit::Report;
use annvil_kernels::testkit::limits::{CHAIN, Manner, MultiplyAdds, PlainRead, clock_chain};
use annvil_kernels::testkit::trial::{Reads, Trial, Work};
use annvil_kernels::{AnyOp, Level};
use annvil_reports::schema;

use crate::protocol::{LimitReply, Residence};
use crate::rounds::{Clock, Contestant, Plan, SystemClock, time_rounds};
use crate::verdict::percentile;

/// A plain read of what the kernels read.
pub const READ: &str = "plain read";
/// Further ways to read, in the worker's replies; a record has the fastest of all as [`READ`].
const MORE_READS: [(&str, Manner); 2] =
    [("read on four sums", Manner::OnFourSums), ("read of halves", Manner::OfHalves)];
/// Multiply-adds in registers.
pub const FMA: &str = "multiply-adds";
/// The dependent chain; it becomes [`loads`] and never reaches a record under this name.
pub const CLOCK: &str = "clock";

/// The name of the load limit for a width in bytes per cycle.
pub fn loads(width: u32) -> String {
    format!("L1 loads, {width} B/cycle")
}

/// Something timed beside the kernels that computes nothing to be judged.
struct Limit<F>(F);

impl<F: FnMut(usize, usize)> Work for Limit<F> {
    fn run(&mut self, window: usize) {
        self.0(window, usize::MAX);
    }

    fn run_first(&mut self, window: usize, values: usize) {
        self.0(window, values);
    }

    fn verify(&mut self, _window: usize) -> Result<Report, Failure> {
        Ok(Report::default())
    }
}

/// The limits to time beside the variants of a cell.
pub fn of_cell<'t>(
    op: &dyn AnyOp,
    residence: Residence,
    trial: &'t dyn Trial,
) -> Vec<(&'static str, Box<dyn Work + 't>)> {
    let shape = op.shape();
    let all = trial.values();
    let mut limits: Vec<(&'static str, Box<dyn Work + 't>)> = Vec::new();
    if residence == Residence::L1 {
        limits.push((CLOCK, Box::new(Limit(move |_, values| clock_chain(all.min(values))))));
    } else {
        // From memory the jumps are what a gather is about, so they are not in its limit.
        let far = residence == Residence::Dram;
        let reads = if far { Reads::InSequence } else { Reads::Window };
        limits.push((READ, read(trial, reads, Manner::InTurn)));
        if far && shape.starts_with("scan") {
            limits.extend(MORE_READS.map(|(name, manner)| (name, read(trial, reads, manner))));
        }
    }
    if let Some(per_element) = multiply_adds(op) {
        let (dim, fma) = (trial.recipe().dim, MultiplyAdds::new());
        let work = move |_, values: usize| {
            black_box(fma.run(dim * per_element * all.min(values)));
        };
        limits.push((FMA, Box::new(Limit(work))));
    }
    limits
}

/// Multiply-adds for each element of a value, where they may bind.
fn multiply_adds(op: &dyn AnyOp) -> Option<usize> {
    match (op.encoding(), op.metric(), op.shape()) {
        ("f32", "cosine", shape) if shape.ends_with("_norms") => None,
        ("f32", "cosine", "pair") => Some(3),
        ("f32", "cosine", "scan" | "gather") => Some(2),
        ("f32", _, "tile" | "tile_norms" | "assign") => Some(1),
        _ => None,
    }
}

/// A plain read of what the windows of a trial read.
fn read<'t>(trial: &'t dyn Trial, reads: Reads, manner: Manner) -> Box<dyn Work + 't> {
    let windows: Vec<Vec<&[u8]>> = (0..trial.windows()).map(|w| trial.reads(w, reads)).collect();
    let read = PlainRead::new(manner);
    Box::new(Limit(move |window: usize, _| {
        black_box(read.run(&windows[window % windows.len()]));
    }))
}

/// The limits of a record from those that workers timed: of several reads the fastest, and of the
/// chain the time that the loads of one value take at least.
pub fn resolve(replies: Vec<LimitReply>, bytes_per_value: f64, width: u32) -> Vec<LimitReply> {
    let is_read = |r: &LimitReply| r.name == READ || MORE_READS.iter().any(|m| m.0 == r.name);
    let (reads, others): (Vec<_>, Vec<_>) = replies.into_iter().partition(is_read);
    let median = |r: &LimitReply| percentile(&mut r.ns.clone(), 0.5);
    let fastest = reads
        .into_iter()
        .min_by(|a, b| median(a).total_cmp(&median(b)))
        .map(|read| LimitReply { name: READ.to_owned(), ..read });
    let others = others.into_iter().map(|r| resolve_clock(r, bytes_per_value, width));
    fastest.into_iter().chain(others).collect()
}

fn resolve_clock(reply: LimitReply, bytes_per_value: f64, width: u32) -> LimitReply {
    if reply.name != CLOCK {
        return reply;
    }
    let cycles = bytes_per_value / f64::from(width);
    let ns = reply.ns.iter().map(|chain| chain / CHAIN as f64 * cycles).collect();
    LimitReply { name: loads(width), ns }
}

/// Bytes that the load ports deliver in a cycle, as CPUs are built: one to four ports of 16, 32 or
/// 64 bytes, since loops reach a little less than the ports give.
pub fn load_width() -> u32 {
    let once = || {
        let (clock, read) = (clock_ns(), read_ns(8 << 10));
        read.map_or(0.0, |ns_per_byte| clock / ns_per_byte)
    };
    // A neighbour can only slow the reads down, so the best of several is nearest to the truth.
    width_of((0..9).map(|_| once()).fold(0.0, f64::max), Level::best() == Level::Avx512)
}

/// The narrowest ports that explain what was measured, with a twentieth of slack, for a neighbour
/// that slowed the clock down instead of the reads.
fn width_of(per_cycle: f64, zmm: bool) -> u32 {
    const WIDTHS: [u32; 6] = [16, 32, 48, 64, 96, 128];
    let enough = |w: &u32| f64::from(*w) >= 0.95 * per_cycle;
    // A third port of 32 bytes is idle while registers of 64 are loaded.
    let built = |w: &u32| !zmm || ![48, 96].contains(w);
    WIDTHS.into_iter().filter(built).find(enough).unwrap_or(128)
}

/// Nanoseconds of a cycle, the fastest of many.
fn clock_ns() -> f64 {
    fastest(16, 60, || clock_chain(16)) / CHAIN as f64
}

/// Nanoseconds per byte of the fastest plain read over `bytes` of rows; `None` without the memory.
fn read_ns(bytes: usize) -> Option<f64> {
    /// Bytes of a row.
    const ROW: usize = 4096;
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(bytes + 64).ok()?;
    memory.resize(bytes + 64, 0);
    let start = memory.as_ptr().align_offset(64).min(63);
    let slices: Vec<&[u8]> = memory[start..start + bytes].chunks(ROW).collect();
    let manners = MORE_READS.iter().map(|m| m.1).chain([Manner::InTurn]);
    // One round over a large set is a long sample already.
    let rounds = if bytes > LARGE { 20 } else { 60 };
    let ns = manners.map(|manner| {
        let read = PlainRead::new(manner);
        fastest(1, rounds, || {
            black_box(read.run(&slices));
        })
    });
    Some(ns.fold(f64::INFINITY, f64::min) / bytes as f64)
}

/// Bytes beyond which a read takes longer than a batch of a cell.
const LARGE: usize = 4 << 20;

/// The 5th percentile of the time per output.
fn fastest(outputs: usize, rounds: usize, work: impl Fn()) -> f64 {
    let run = |iters: u64| (0..iters).for_each(|_| work());
    let contestant = Contestant { values_per_iter: outputs as u64, run: Box::new(run) };
    let timed = time_rounds(&SystemClock::new(), &mut [contestant], &Plan::new(rounds, 1));
    let mut ns: Vec<f64> = timed.ns.iter().map(|round| round[0]).collect();
    percentile(&mut ns, 0.05)
}

/// The limits of this session, for the record: clock, loads, reads from each residence,
/// multiply-adds. `width` is [`load_width`]; `sizes` are the bytes to read for each residence.
pub fn session(width: u32, sizes: &[(Residence, usize)]) -> Vec<schema::Limit> {
    let clock = clock_ns();
    let limit = |name: &str, value: f64, unit: &str, level: &str, how: &str| schema::Limit {
        name: name.to_owned(),
        value,
        unit: unit.to_owned(),
        level: level.to_owned(),
        how: how.to_owned(),
    };
    let mut limits = vec![
        limit(
            "clock_ghz",
            1.0 / clock,
            "GHz",
            "",
            "a chain of dependent additions, 5th percentile",
        ),
        limit(
            "load_bytes_per_cycle",
            f64::from(width),
            "B/cycle",
            "L1",
            "plain read over the clock, rounded up to what load ports are built for",
        ),
    ];
    for &(residence, bytes) in sizes {
        if let Some(ns_per_byte) = read_ns(bytes) {
            let how = format!(
                "fastest of three plain reads of {} KiB over and over, 5th percentile",
                bytes >> 10
            );
            limits.push(limit("read_gb_s", 1.0 / ns_per_byte, "GB/s", residence.name(), &how));
        }
    }
    let fma = MultiplyAdds::new();
    let ns = fastest(1, 60, || {
        black_box(fma.run(16 * 1024));
    });
    let how = "ten independent chains of multiply-adds in registers, 5th percentile";
    let gfma = 16.0 * 1024.0 / ns;
    limits.push(limit("fma_per_ns", gfma, "f32 FMA/ns", Level::best().name(), how));
    // The clock object is the one that times cells; its resolution is part of the record.
    let resolution = resolution_ns(&SystemClock::new());
    limits.push(limit("timer_ns", resolution, "ns", "", "smallest difference of two readings"));
    limits
}

fn resolution_ns(clock: &impl Clock) -> f64 {
    let differences = (0..2000).map(|_| {
        let start = clock.wall_ns();
        clock.wall_ns().saturating_sub(start)
    });
    differences.filter(|&d| d > 0).min().unwrap_or(0) as f64
}

#[cfg(test)]
mod tests {
    use annvil_kernels::testkit::cases::Recipe;

    use super::*;

    #[test]
    fn the_chain_becomes_the_time_of_the_loads() {
        let chain = LimitReply { name: CLOCK.into(), ns: vec![CHAIN as f64 * 0.25] };
        let load = &resolve(vec![chain], 768.0 * 8.0, 64)[0];
        assert_eq!((load.name.as_str(), &load.ns[..]), ("L1 loads, 64 B/cycle", &[24.0][..]));
        let other = vec![LimitReply { name: FMA.into(), ns: vec![1.0] }];
        assert_eq!(resolve(other.clone(), 1.0, 64), other);
    }

    #[test]
    fn the_fastest_read_is_the_limit() {
        let op = annvil_kernels::find("f32/l2sq/scan").unwrap();
        let trial = op.trial(&Recipe::plain(16, 8, 1)).unwrap();
        let of = |residence| -> Vec<&str> {
            of_cell(op, residence, &*trial).iter().map(|l| l.0).collect()
        };
        let names = of(Residence::Dram);
        assert_eq!(names, [READ, "read on four sums", "read of halves"]);
        assert_eq!(of(Residence::L2), [READ]);
        let ns = [[3.0, 9.0, 3.0], [2.0, 2.0, 8.0], [4.0, 1.0, 4.0]];
        let timed =
            names.iter().zip(ns).map(|(n, ns)| LimitReply { name: (*n).into(), ns: ns.into() });
        let expected = LimitReply { name: READ.into(), ns: vec![2.0, 2.0, 8.0] };
        assert_eq!(resolve(timed.collect(), 1.0, 64), [expected]);
    }

    #[test]
    fn ports_are_a_little_wider_than_what_loops_reach() {
        let found: Vec<u32> = [9.0, 30.0, 33.0, 45.0, 60.0, 67.0, 90.0, 118.0, 500.0]
            .map(|w| width_of(w, false))
            .to_vec();
        assert_eq!(found, [16, 32, 32, 48, 64, 64, 96, 128, 128]);
        assert_eq!([60.0, 67.0, 90.0].map(|w| width_of(w, true)), [64, 64, 128]);
    }

    #[test]
    fn a_session_has_finite_positive_limits() {
        let limits = session(64, &[(Residence::L1, 16 << 10), (Residence::L2, 256 << 10)]);
        assert!(limits.iter().all(|l| l.value.is_finite() && l.value > 0.0), "{limits:?}");
        assert!(load_width() >= 16);
    }
}
