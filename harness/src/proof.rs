//! Proof of dispatch: which instruction-set level a kernel really executed.
//!
//! The kernel runs a few values with the processor's trap flag set
//! ([`annvil_kernels::testkit::steps`]), and every executed instruction is decoded. A kernel that
//! claims AVX-512 and runs SSE is a wrong kernel, however right its values. A kernel whose level is
//! written by hand has to execute packed arithmetic in registers of that level: a wide move or a
//! mask alone proves nothing. What compilers and libraries choose only has to fit its level.

use std::ops::Range;

use annvil_kernels::testkit::steps::{Step, trace};
use annvil_kernels::testkit::trial::Work;
use annvil_kernels::{Level, Technique, VariantMeta};
use iced_x86::{Decoder, DecoderOptions, EncodingKind, Instruction, Mnemonic, Register};

/// Instructions looked at: enough to leave the call's prologue and be deep in the first loop.
const STEPS: usize = 1500;

/// Values to compute: a block of four rows.
const FEW: usize = 4;

/// Values that may be fewer than a register holds.
const SHORT: usize = 16;

/// What was seen to execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Executed {
    /// No packed arithmetic.
    Scalar,
    /// Packed arithmetic in the legacy encoding: SSE.
    Sse,
    /// VEX-encoded instructions: AVX, AVX2, FMA.
    Avx,
    /// EVEX-encoded instructions or mask registers: AVX-512.
    Avx512,
}

impl Executed {
    /// The level in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Sse => "sse42",
            Self::Avx => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether what a compiler or a library chose may have executed this under `level`.
    fn fits(self, level: Level) -> bool {
        match level {
            Level::Sse42 => self == Self::Sse || AVX_BUILD,
            Level::Avx2 => self == Self::Avx || AVX512_BUILD,
            Level::Avx512 => self == Self::Avx512,
            // Dispatches inside, or has nothing to claim.
            _ => true,
        }
    }
}

/// In such a build the compiler writes even SSE kernels in the VEX encoding,
const AVX_BUILD: bool = cfg!(target_feature = "avx");
/// and in such a one AVX2 kernels in the EVEX encoding, on registers of their own width.
const AVX512_BUILD: bool = cfg!(target_feature = "avx512f");

/// What a variant says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Claim {
    level: Level,
    technique: Technique,
    /// A form of AVX-512 that keeps to 256 bits: where the compiler can, it writes those in the
    /// encoding of AVX2, and the level shows in tails only.
    narrow: bool,
}

impl Claim {
    /// The claim of a variant.
    pub fn of(meta: &VariantMeta) -> Self {
        let narrow = meta.name.split('-').any(|part| part == "y");
        Self { level: meta.level.base(), technique: meta.technique, narrow }
    }
}

/// The level that `work` executes on the first values of its first window; `None` where this
/// cannot be told: not on this platform, or no instruction of this program was seen.
///
/// # Errors
/// The kernel claims `level` and does not execute it.
pub fn prove(work: &mut dyn Work, claim: Claim, dim: usize) -> Result<Option<Executed>, String> {
    // The first call pays for the detection of features.
    work.run_first(0, FEW);
    let own = own_code();
    let mut look = |limit: usize| {
        let Ok(steps) = trace(limit, &mut || work.run_first(0, FEW)) else { return (0, Ok(None)) };
        (steps.len(), judge(&steps, &own, claim, dim))
    };
    match look(STEPS) {
        // Some kernels lay their operands out anew before they compute.
        (STEPS, Err(_)) => look(64 * STEPS).1,
        (_, judged) => judged,
    }
}

/// Judges the steps that lie in `own`. The C library's copies are left out: they use the widest
/// registers there are, whatever the kernel claims.
fn judge(
    steps: &[Step],
    own: &[Range<u64>],
    Claim { level, technique, narrow }: Claim,
    dim: usize,
) -> Result<Option<Executed>, String> {
    let mut ours = steps.iter().filter(|s| own.iter().any(|r| r.contains(&s.address))).peekable();
    if ours.peek().is_none() {
        return Ok(None);
    }
    let mut seen = Seen::default();
    ours.for_each(|step| seen.add(step));
    let executed = seen.highest();
    let proven = match level {
        // One value is nothing to pack.
        _ if dim < 2 && executed == Executed::Scalar => return Ok(Some(executed)),
        _ if !matches!(technique, Technique::Hand | Technique::Pulp) => None,
        Level::Sse42 => Some((Executed::Sse, seen.proves_sse())),
        Level::Avx2 => Some((Executed::Avx, seen.proves_avx2(dim))),
        Level::Avx512 if narrow && !seen.evex => Some((Executed::Avx, seen.packed256)),
        Level::Avx512 => Some((Executed::Avx512, seen.proves_avx512())),
        _ => None,
    };
    match proven {
        Some((claimed, true)) => Ok(Some(claimed)),
        // A vector shorter than any register may be a matter of scalar instructions.
        Some(_) if dim < SHORT && (executed == Executed::Scalar || executed.fits(level)) => {
            Ok(Some(executed))
        }
        None if executed.fits(level) => Ok(Some(executed)),
        _ => Err(format!("claims {level} and executed {}: {seen:?}", executed.name())),
    }
}

/// What kinds of instructions ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    /// Packed arithmetic in the legacy encoding.
    legacy: bool,
    /// Any VEX-encoded instruction on vectors.
    vex: bool,
    /// Any EVEX-encoded instruction, or one on masks.
    evex: bool,
    /// Any on 512-bit registers.
    zmm: bool,
    /// Packed arithmetic on 128 bits, VEX or EVEX.
    packed128: bool,
    /// Packed arithmetic on 256 bits, VEX or EVEX.
    packed256: bool,
    /// Packed arithmetic on 512 bits or under a mask.
    packed512: bool,
}

impl Seen {
    fn add(&mut self, step: &Step) {
        let mut decoder = Decoder::with_ip(64, &step.bytes, step.address, DecoderOptions::NONE);
        let instruction = decoder.decode();
        let any = |is: fn(Register) -> bool| registers(&instruction).any(is);
        let packed = packed_arithmetic(&instruction);
        let masks = any(Register::is_k) || instruction.op_mask() != Register::None;
        match instruction.code().encoding() {
            EncodingKind::EVEX => self.evex = true,
            // `kmov` and its like.
            EncodingKind::VEX if masks => self.evex = true,
            // BMI is VEX-encoded as well, and works on general registers.
            EncodingKind::VEX if any(Register::is_vector_register) => self.vex = true,
            // The count of bits came with SSE4.2, and works on general registers.
            EncodingKind::Legacy => {
                self.legacy |= packed || instruction.mnemonic() == Mnemonic::Popcnt;
                return;
            }
            _ => return,
        }
        let zmm = any(Register::is_zmm);
        self.zmm |= zmm;
        if packed && (zmm || masks) {
            self.packed512 = true;
        } else if packed && any(Register::is_ymm) {
            self.packed256 = true;
        } else if packed {
            self.packed128 = true;
        }
    }

    fn highest(self) -> Executed {
        match self {
            Self { evex: true, .. } => Executed::Avx512,
            Self { vex: true, .. } => Executed::Avx,
            Self { legacy: true, .. } => Executed::Sse,
            _ => Executed::Scalar,
        }
    }

    fn proves_sse(self) -> bool {
        if AVX_BUILD {
            self.legacy || self.packed128
        } else {
            self.legacy && !self.vex && !self.evex
        }
    }

    /// Forms that keep to 256 bits for a CPU's sake show the level in their encoding.
    fn proves_avx512(self) -> bool {
        self.packed512 || (self.evex && self.packed256)
    }

    fn proves_avx2(self, dim: usize) -> bool {
        let foreign = if AVX512_BUILD { self.zmm } else { self.evex };
        // A vector that fits into half a register may be worked on there.
        (self.packed256 || (dim < 8 && self.packed128)) && !foreign
    }
}

/// Where this program's own instructions lie; empty where the system does not say.
pub(crate) fn own_code() -> Vec<Range<u64>> {
    let (Ok(maps), Ok(program)) =
        (std::fs::read_to_string("/proc/self/maps"), std::env::current_exe())
    else {
        return Vec::new();
    };
    program.to_str().map_or_else(Vec::new, |program| code_of(&maps, program))
}

/// The executable ranges of `program` in the text of a `maps` file.
fn code_of(maps: &str, program: &str) -> Vec<Range<u64>> {
    // Both sides say so when the file was replaced since.
    let whole = |path: &'_ str| path.strip_suffix(" (deleted)").unwrap_or(path).to_owned();
    let program = whole(program);
    let executable = |line: &str| {
        // range rights offset device inode, and the path with whatever blanks it has.
        let mut rest = line;
        let mut next = || {
            let (field, after) = rest.split_once(' ')?;
            rest = after.trim_start();
            Some(field)
        };
        let (range, rights) = (next()?, next()?);
        next()?;
        next()?;
        next()?;
        let (start, end) = range.split_once('-')?;
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let own = rights.contains('x') && whole(rest) == program;
        own.then_some(hex(start)?..hex(end)?)
    };
    maps.lines().filter_map(executable).collect()
}

fn registers(instruction: &Instruction) -> impl Iterator<Item = Register> + '_ {
    (0..instruction.op_count()).map(|i| instruction.op_register(i))
}

/// Compilers use packed moves and logic for scalar code: only arithmetic on several lanes counts,
/// and of the rest what only kernels use: look-ups, comparisons, conversions and counts of lanes.
fn packed_arithmetic(instruction: &Instruction) -> bool {
    const ARITHMETIC: [&str; 28] = [
        "add", "sub", "mul", "div", "hadd", "max", "min", "pmax", "pmin", "padd", "psub", "pmul",
        "fmadd", "fmsub", "fnmadd", "fnmsub", "range", "pdp", "dpbf16", "pmadd", "psad", "popcnt",
        "pshuf", "perm", "pcmp", "cmp", "cvt", "cvtph",
    ];
    let name = format!("{:?}", instruction.mnemonic()).to_lowercase();
    let name = name.strip_prefix('v').unwrap_or(&name);
    // `vpermps`, `vcvtph2ps`, `vcmpps`; but not `popcnt` on a general register, or `cvtss2sd`.
    let packed = name.ends_with("ps") || name.ends_with("pd") || name.starts_with('p');
    packed
        && ARITHMETIC.iter().any(|a| name.starts_with(a))
        && registers(instruction).any(Register::is_vector_register)
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use annvil_kernels::testkit::cases::Recipe;

    use super::*;

    fn by_hand(level: Level) -> Claim {
        Claim { level, technique: Technique::Hand, narrow: false }
    }

    #[test]
    fn every_variant_runs_what_it_claims() {
        for dim in [1, 8, 31, 100] {
            for op in annvil_kernels::ops() {
                let trial = op.trial(&Recipe::plain(dim, 8, 3)).unwrap();
                for meta in op.variants().iter().filter(|m| m.not_run.is_none()) {
                    let Ok(mut work) = trial.bind(meta.name) else { continue };
                    let proof = prove(&mut *work, Claim::of(meta), dim);
                    let name = format!("{}@{dim}#{}", op.path(), meta.name);
                    assert!(matches!(proof, Ok(Some(_))), "{name}: {proof:?}");
                }
            }
        }
    }

    #[test]
    fn a_false_claim_is_found() {
        let op = annvil_kernels::find("f32/l2sq/pair").unwrap();
        let trial = op.trial(&Recipe::plain(64, 4, 3)).unwrap();
        let false_claim = |variant: &str, claim| {
            let mut work = trial.bind(variant).unwrap();
            let proof = prove(&mut *work, by_hand(claim), 64);
            assert!(proof.is_err(), "{variant} as {claim}: {proof:?}");
        };
        for claim in [Level::Sse42, Level::Avx2, Level::Avx512] {
            false_claim("scalar", claim);
        }
        // Each level's own kernel under the names of the others.
        for level in [Level::Avx2, Level::Avx512].into_iter().filter(|l| l.is_available()) {
            for claim in [Level::Sse42, Level::Avx2, Level::Avx512] {
                // In such a build an SSE kernel is written with the same instructions.
                if claim != level && !(AVX_BUILD && claim < level) {
                    false_claim(&format!("{level}-x4"), claim);
                }
            }
        }
    }

    fn seen(codes: &[&[u8]]) -> Seen {
        let mut seen = Seen::default();
        for code in codes {
            seen.add(&step(0, code));
        }
        seen
    }

    fn step(address: u64, code: &[u8]) -> Step {
        let mut bytes = [0x90; 15];
        bytes[..code.len()].copy_from_slice(code);
        Step { address, bytes }
    }

    const VADDPS_ZMM: &[u8] = &[0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1];
    const VADDPS_YMM_MASKED: &[u8] = &[0x62, 0xf1, 0x7c, 0x29, 0x58, 0xc1];
    const VADDPS_YMM_EVEX: &[u8] = &[0x62, 0xf1, 0x7c, 0x28, 0x58, 0xc1];
    const VMOVAPS_ZMM: &[u8] = &[0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc1];
    const KMOVW: &[u8] = &[0xc5, 0xf8, 0x92, 0xc8];
    const VADDPS_YMM: &[u8] = &[0xc5, 0xfc, 0x58, 0xc1];
    const VADDPS_XMM: &[u8] = &[0xc5, 0xf8, 0x58, 0xc1];
    const VFMADD231PS_YMM: &[u8] = &[0xc4, 0xe2, 0x7d, 0xb8, 0xc1];
    const ADDPS: &[u8] = &[0x0f, 0x58, 0xc1];
    const ADDSS: &[u8] = &[0xf3, 0x0f, 0x58, 0xc1];
    const MOVAPS: &[u8] = &[0x0f, 0x28, 0xc1];
    const BZHI: &[u8] = &[0xc4, 0xe2, 0x70, 0xf5, 0xc2];

    #[test]
    fn instructions_are_classified_by_encoding_width_and_kind() {
        for (code, executed) in [
            (VADDPS_ZMM, Executed::Avx512),
            (KMOVW, Executed::Avx512),
            (VADDPS_YMM, Executed::Avx),
            (ADDPS, Executed::Sse),
            (ADDSS, Executed::Scalar),
            (MOVAPS, Executed::Scalar),
            (BZHI, Executed::Scalar),
        ] {
            assert_eq!(seen(&[code]).highest(), executed, "{code:x?}");
        }
        assert!(seen(&[VADDPS_ZMM]).packed512 && seen(&[VADDPS_YMM_MASKED]).packed512);
        assert!(seen(&[VFMADD231PS_YMM]).packed256 && seen(&[VADDPS_YMM_EVEX]).packed256);
    }

    #[test]
    fn wide_moves_and_masks_prove_nothing() {
        assert!(!seen(&[VMOVAPS_ZMM, KMOVW, VADDPS_YMM]).packed512);
        assert!(!seen(&[VADDPS_XMM]).proves_avx2(8) && seen(&[VADDPS_XMM]).proves_avx2(7));
        assert!(seen(&[VADDPS_YMM]).proves_avx2(8));
        assert!(!seen(&[VADDPS_YMM, VMOVAPS_ZMM]).proves_avx2(8));
        assert_eq!(seen(&[VADDPS_YMM_EVEX]).proves_avx2(8), AVX512_BUILD);
        assert!(seen(&[ADDPS]).proves_sse() && !seen(&[MOVAPS, ADDSS]).proves_sse());
    }

    #[test]
    fn no_trace_and_no_code_of_ours_cannot_be_told() {
        let claim = by_hand(Level::Avx512);
        let own = 0x1000..0x2000;
        let own = std::slice::from_ref(&own);
        assert_eq!(judge(&[], own, claim, 64), Ok(None));
        assert_eq!(judge(&[step(0x1000, VADDPS_ZMM)], &[], claim, 64), Ok(None));
        assert_eq!(judge(&[step(0x9000, VADDPS_ZMM)], own, claim, 64), Ok(None));
        let found = judge(&[step(0x1000, VADDPS_ZMM)], own, claim, 64);
        assert_eq!(found, Ok(Some(Executed::Avx512)));
        assert!(judge(&[step(0x1000, VADDPS_YMM)], own, claim, 64).is_err());
    }

    #[test]
    fn own_code_is_found_whatever_the_path() {
        let maps = "\
            1000-2000 r--p 00000000 08:01 42                         /my builds/annvil harness\n\
            2000-3000 r-xp 00001000 08:01 42                         /my builds/annvil harness\n\
            5000-6000 r-xp 00001000 08:01 43                         /my builds/annvil\n\
            7000-8000 r-xp 00000000 00:00 0 \n\
            8000-9000 r-xp 00000000 00:00 0                          [vdso]\n\
            9000-a000 r-xp 00000000 08:01 44                         /old (deleted)\n\
            garbage\n";
        let found = |program: &str| -> Vec<(u64, u64)> {
            code_of(maps, program).iter().map(|r| (r.start, r.end)).collect()
        };
        assert_eq!(found("/my builds/annvil harness"), [(0x2000, 0x3000)]);
        assert_eq!(found("/my builds/annvil harness (deleted)"), [(0x2000, 0x3000)]);
        assert_eq!(found("/old"), [(0x9000, 0xa000)]);
        assert_eq!(found("/other"), []);
        assert!(!own_code().is_empty());
    }
}
