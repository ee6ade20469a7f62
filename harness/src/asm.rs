//! The code of a kernel as it ran: its hot loop, out of a trace of the processor's own steps.
//!
//! A trace has every executed instruction in order, so nothing is guessed from a listing: loops are
//! the backward jumps that were taken, and an instruction's count is how often it ran.

use std::collections::BTreeMap;

use annvil_kernels::AnyOp;
use annvil_kernels::testkit::cases::{Batches, Family, Place, Recipe, Stride};
use annvil_kernels::testkit::steps::{Step, trace};
use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Formatter, GasFormatter, Instruction,
    InstructionInfoFactory, IntelFormatter, OpAccess, Register,
};

use crate::proof::own_code;

/// Most steps of a trace.
const LIMIT: usize = 200_000;
/// Rows of the traced call.
const ROWS: usize = 32;

/// An instruction and how often it ran.
#[derive(Debug, Clone)]
pub struct Line {
    /// Where it stands.
    pub address: u64,
    /// How often it ran.
    pub count: usize,
    /// Decoded.
    pub instruction: Instruction,
}

/// What a kernel executed.
#[derive(Debug, Clone)]
pub struct Listing {
    /// All instructions of the program that ran, by address.
    pub lines: Vec<Line>,
    /// The part of `lines` that is the hottest loop; empty for a straight line.
    pub hot: std::ops::Range<usize>,
    /// Steps in all.
    pub steps: usize,
}

/// Why there is no listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsmError {
    /// The variant cannot be had.
    Unavailable(String),
    /// Nothing can be traced here.
    NoTrace(String),
}

impl std::fmt::Display for AsmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(why) | Self::NoTrace(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for AsmError {}

/// Runs `variant` of `op` on vectors of `dim` once and lists what it executed.
///
/// # Errors
/// A variant that is unknown or cannot run here; a platform without single steps.
pub fn listing(op: &dyn AnyOp, variant: &str, dim: usize) -> Result<Listing, AsmError> {
    let place = Place::Lines { lines: 0, elements: 0 };
    let recipe = Recipe {
        family: Family::Normal,
        dim,
        rows: ROWS,
        stride: Stride::Lines,
        query_at: place,
        rows_at: place,
        batches: Batches::Windows { per: ROWS },
        seed: 1,
    };
    let unavailable = |e: &dyn std::fmt::Display| AsmError::Unavailable(e.to_string());
    let trial = op.trial(&recipe).map_err(|e| unavailable(&e))?;
    let mut work = trial.bind(variant).map_err(|e| unavailable(&e))?;
    // The first call pays for the detection of features.
    work.run_first(0, ROWS);
    let steps = trace(LIMIT, &mut || work.run_first(0, ROWS));
    let steps = steps.map_err(|e| AsmError::NoTrace(e.to_string()))?;
    let own = own_code();
    let ours: Vec<Step> =
        steps.into_iter().filter(|s| own.iter().any(|r| r.contains(&s.address))).collect();
    if ours.is_empty() {
        return Err(AsmError::NoTrace("no instruction of this program was seen".to_owned()));
    }
    Ok(of(&ours))
}

/// Runs `work` twice and lists what it executed the second time.
///
/// # Errors
/// A platform without single steps, or more steps than a trace holds.
pub fn listing_of(work: &mut dyn FnMut()) -> Result<Listing, AsmError> {
    work();
    let steps = trace(LIMIT, work).map_err(|e| AsmError::NoTrace(e.to_string()))?;
    if steps.len() >= LIMIT {
        return Err(AsmError::NoTrace(format!("more than {LIMIT} steps")));
    }
    let own = own_code();
    let ours: Vec<Step> =
        steps.into_iter().filter(|s| own.iter().any(|r| r.contains(&s.address))).collect();
    Ok(of(&ours))
}

fn decode(step: &Step) -> Instruction {
    Decoder::with_ip(64, &step.bytes, step.address, DecoderOptions::NONE).decode()
}

fn of(steps: &[Step]) -> Listing {
    let mut lines: BTreeMap<u64, Line> = BTreeMap::new();
    // Taken backward jumps: from, to.
    let mut jumps: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for (i, step) in steps.iter().enumerate() {
        let line = lines.entry(step.address).or_insert_with(|| Line {
            address: step.address,
            count: 0,
            instruction: decode(step),
        });
        line.count += 1;
        let flow = line.instruction.flow_control();
        let branch =
            matches!(flow, FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch);
        if let Some(next) = steps.get(i + 1)
            && branch
            && next.address <= step.address
        {
            *jumps.entry((step.address, next.address)).or_default() += 1;
        }
    }
    let lines: Vec<Line> = lines.into_values().collect();
    let at = |address: u64| lines.partition_point(|l| l.address < address);
    // The innermost loop in which most instructions ran: taken jumps times the body's length.
    let hot = jumps
        .into_iter()
        .map(|((from, to), times)| (times * (at(from) + 1 - at(to)), at(to)..at(from) + 1))
        .filter(|(_, body)| !body.is_empty())
        .max_by_key(|(ran, body)| (*ran, std::cmp::Reverse(body.len())))
        .map_or(0..0, |(_, body)| body);
    Listing { steps: steps.len(), hot, lines }
}

impl Listing {
    /// The hot loop, or everything where there is none.
    #[must_use]
    pub fn body(&self) -> &[Line] {
        if self.hot.is_empty() { &self.lines } else { &self.lines[self.hot.clone()] }
    }

    /// Vector registers that the body both reads and writes: what a sum is kept in. A chain of as
    /// many is what hides the latency of an addition.
    #[must_use]
    pub fn accumulators(&self) -> usize {
        let mut factory = InstructionInfoFactory::new();
        let mut found: Vec<Register> = Vec::new();
        for line in self.body() {
            let name = mnemonic(&line.instruction);
            let sums = ["fmadd", "fmsub", "fnmadd", "dpbusd", "dpwssd", "dpbf16"];
            let adds = ["addp", "paddd", "paddq", "paddw", "maxp", "pmax"];
            if !sums.iter().chain(&adds).any(|s| name.contains(s)) {
                continue;
            }
            let info = factory.info(&line.instruction);
            let used = info.used_registers();
            let of = |want: fn(OpAccess) -> bool| {
                used.iter()
                    .filter(move |u| u.register().is_vector_register() && want(u.access()))
                    .map(|u| u.register().full_register())
            };
            let reads = |a| matches!(a, OpAccess::Read | OpAccess::ReadWrite | OpAccess::CondRead);
            let writes = |a| matches!(a, OpAccess::Write | OpAccess::ReadWrite);
            let read: Vec<Register> = of(reads).collect();
            for register in of(writes).filter(|r| read.contains(r)) {
                if !found.contains(&register) {
                    found.push(register);
                }
            }
        }
        found.len()
    }

    /// Calls in the body: something was not inlined, or a check failed to go away.
    #[must_use]
    pub fn calls(&self) -> usize {
        let call = |l: &&Line| {
            matches!(l.instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall)
        };
        self.body().iter().filter(call).count()
    }

    /// Conditional jumps out of the hot loop other than its own end: checks of bounds, mostly.
    #[must_use]
    pub fn checks(&self) -> usize {
        let body = self.body();
        if self.hot.is_empty() {
            return 0;
        }
        let (Some(first), Some(last)) = (body.first(), body.last()) else { return 0 };
        let inside = first.address..=last.address;
        let leaves = |l: &&Line| {
            l.address != last.address
                && l.instruction.flow_control() == FlowControl::ConditionalBranch
                && !inside.contains(&l.instruction.near_branch_target())
        };
        body.iter().filter(leaves).count()
    }

    /// How often each mnemonic ran, the most frequent first.
    #[must_use]
    pub fn mix(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for line in &self.lines {
            *counts.entry(mnemonic(&line.instruction)).or_default() += line.count;
        }
        let mut mix: Vec<_> = counts.into_iter().collect();
        mix.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        mix
    }

    /// Whether a mnemonic that contains `word` ran.
    #[must_use]
    pub fn ran(&self, word: &str) -> bool {
        self.lines.iter().any(|l| mnemonic(&l.instruction).contains(word))
    }

    /// The lines in Intel's syntax; addresses count from the first one.
    #[must_use]
    pub fn text(&self) -> String {
        let mut formatter = IntelFormatter::new();
        let start = self.lines.first().map_or(0, |l| l.address);
        let mut out = String::new();
        for (i, line) in self.lines.iter().enumerate() {
            let mut code = String::new();
            let mut instruction = line.instruction;
            // Targets as distances too.
            instruction.set_ip(line.address - start);
            if has_target(&instruction) {
                let target = instruction.near_branch_target().wrapping_sub(start);
                instruction.set_near_branch64(target);
            }
            formatter.format(&instruction, &mut code);
            let mark = if self.hot.contains(&i) { '|' } else { ' ' };
            out += &format!("{mark} {:>6}x {:>6x}  {code}\n", line.count, line.address - start);
        }
        out
    }

    /// The body in AT&T's syntax without its jumps, which predictors of throughput do not model.
    #[must_use]
    pub fn gas(&self) -> String {
        let mut formatter = GasFormatter::new();
        let mut out = String::new();
        for line in self.body() {
            if line.instruction.flow_control() != FlowControl::Next {
                continue;
            }
            let mut code = String::new();
            formatter.format(&line.instruction, &mut code);
            out += &code;
            out.push('\n');
        }
        out
    }
}

fn has_target(instruction: &Instruction) -> bool {
    matches!(
        instruction.flow_control(),
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch | FlowControl::Call
    ) && instruction.near_branch_target() != 0
}

fn mnemonic(instruction: &Instruction) -> String {
    format!("{:?}", instruction.mnemonic()).to_lowercase()
}

/// What a winner's code must hold, by a part of its name: the instruction that it is named for.
pub const GOLDEN: &[(&str, &str, &str)] = &[
    ("f32/l2sq/pair", "avx512-x4", "fmadd"),
    ("f32/dot/scan", "avx512-r4", "fmadd"),
    ("f32/l2sq/gather", "avx512-r4-pf4", "prefetch"),
    ("i8/dot/scan", "avx512vnni-r4", "vpdpbusd"),
    ("bits/hamming/scan", "avx512popcnt-r4", "vpopcntq"),
    ("pq4/adc/fast_scan", "avx512vbmi-b2", "vpermb"),
    ("f32/l2sq/pair", "avx2-x4", "fmadd"),
    ("f32/dot/pair", "sse42-x4", "mulps"),
];

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn steps(code: &[(u64, &[u8])]) -> Vec<Step> {
        let step = |&(address, code): &(u64, &[u8])| {
            let mut bytes = [0x90; 15];
            bytes[..code.len()].copy_from_slice(code);
            Step { address, bytes }
        };
        code.iter().map(step).collect()
    }

    #[test]
    fn the_hot_loop_is_the_backward_jump_taken_most() {
        // 0: nop; 1: vfmadd231ps zmm0, zmm1, zmm2; 7: jne 1; 9: ret
        let fma: &[u8] = &[0x62, 0xf2, 0x75, 0x48, 0xb8, 0xc2];
        let mut code: Vec<(u64, &[u8])> = vec![(0, &[0x90])];
        for _ in 0..5 {
            code.extend([(1, fma), (7, &[0x75, 0xf8][..])]);
        }
        code.push((9, &[0xc3]));
        let found = of(&steps(&code));
        assert_eq!((found.hot.clone(), found.steps, found.calls()), (1..3, 12, 0));
        assert_eq!((found.accumulators(), found.checks()), (1, 0));
        assert_eq!(found.mix()[0], ("jne".to_owned(), 5));
        assert!(found.text().contains("|      5x      1  vfmadd231ps"));
        assert!(found.gas().contains("vfmadd231ps") && !found.gas().contains("jne"));
    }

    /// The winners' forms: no call in the loop, and the instruction that is the point of each.
    #[test]
    fn golden_forms_execute_what_they_are_named_for() {
        let mut checked = 0;
        for (path, variant, word) in GOLDEN {
            let op = annvil_kernels::find(path).unwrap();
            let metas = op.variants();
            let meta = metas.iter().find(|m| m.name == *variant);
            let meta = meta.unwrap_or_else(|| panic!("{path} has no {variant}"));
            if meta.not_run.is_some() {
                continue;
            }
            let dim = if path.starts_with("pq") { 32 } else { 768 };
            let found = listing(op, variant, dim).unwrap();
            assert!(found.ran(word), "{path}#{variant}: no {word}:\n{}", found.text());
            assert_eq!(found.calls(), 0, "{path}#{variant}:\n{}", found.text());
            checked += 1;
        }
        assert!(checked > 0, "no level of this CPU was checked");
    }

    #[test]
    fn four_sums_are_kept_side_by_side() {
        let op = annvil_kernels::find("f32/dot/pair").unwrap();
        for name in ["avx512-x4", "avx2-x4", "sse42-x4"] {
            let metas = op.variants();
            if metas.iter().any(|m| m.name == name && m.not_run.is_none()) {
                let found = listing(op, name, 768).unwrap();
                assert!(found.accumulators() >= 4, "{name}:\n{}", found.text());
            }
        }
    }
}
