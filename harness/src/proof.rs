//! Proof of dispatch: which instruction-set level a kernel really executed.
//!
//! The kernel runs a few values with the processor's trap flag set
//! ([`annvil_kernels::testkit::steps`]), and every executed instruction is decoded. A kernel that
//! claims AVX-512 and runs SSE is a wrong kernel, however right its values.

use std::ops::Range;

use annvil_kernels::testkit::steps::{Step, trace};
use annvil_kernels::{Batch, Level, RowsRef, Runner};
use iced_x86::{Decoder, DecoderOptions, Instruction, Register};

/// Instructions looked at: enough to leave the call's prologue and be deep in the first loop.
const STEPS: usize = 1500;

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

    /// Whether a kernel that claims `level` may have executed this.
    fn fits(self, level: Level) -> bool {
        match level {
            Level::Sse42 => self == Self::Sse || cfg!(target_feature = "avx"),
            Level::Avx2 => self == Self::Avx || cfg!(target_feature = "avx512f"),
            Level::Avx512 => self == Self::Avx512,
            // Dispatches inside, or has nothing to claim.
            _ => true,
        }
    }
}

/// The level that `runner` executes on the first values of `batch`; `None` where this platform
/// cannot tell.
///
/// # Errors
/// The kernel claims `level` and executes another one.
pub fn prove(
    runner: &dyn Runner,
    level: Level,
    batch: &Batch<'_>,
    values: usize,
) -> Result<Option<Executed>, String> {
    let few = values.min(4);
    let rows = if batch.ids.is_empty() { batch.rows.slice(0, few) } else { batch.rows };
    let ids = &batch.ids[..batch.ids.len().min(few)];
    // A scan takes every row it is given: give it a few, whatever it ignores.
    let rows = first_rows(rows, few);
    let inv_norms = &batch.inv_norms[..batch.inv_norms.len().min(rows.len())];
    let scan = Batch { rows, inv_norms, ids: &[], ..*batch };
    let listed = Batch { ids, ..*batch };
    let short = if values == batch.ids.len() { listed } else { scan };
    let mut out = vec![0.0; few];
    // The first call pays for the detection of features.
    runner.run(&short, &mut out);
    let Ok(steps) = trace(STEPS, &mut || runner.run(&short, &mut out)) else { return Ok(None) };
    let executed = highest(&steps);
    if executed.fits(level) {
        Ok(Some(executed))
    } else {
        Err(format!("claims {level} and executed {}", executed.name()))
    }
}

fn first_rows<'a>(rows: RowsRef<'a, f32>, n: usize) -> RowsRef<'a, f32> {
    rows.slice(0, n.min(rows.len()))
}

/// The highest level among the instructions of this program. The C library's copies are left out:
/// they use the widest registers there are, whatever the kernel claims.
fn highest(steps: &[Step]) -> Executed {
    let own = own_code();
    let ours = |step: &&Step| own.is_empty() || own.iter().any(|r| r.contains(&step.address));
    steps.iter().filter(ours).map(classify).max().unwrap_or(Executed::Scalar)
}

/// Where this program's own instructions lie; empty where the system does not say.
fn own_code() -> Vec<Range<u64>> {
    let (Ok(maps), Ok(program)) =
        (std::fs::read_to_string("/proc/self/maps"), std::env::current_exe())
    else {
        return Vec::new();
    };
    let executable = |line: &str| {
        let mut fields = line.split_whitespace();
        let (range, rights) = (fields.next()?, fields.next()?);
        let path = fields.nth(3)?;
        let (start, end) = range.split_once('-')?;
        let hex = |text| u64::from_str_radix(text, 16).ok();
        let own = rights.contains('x') && Some(path) == program.to_str();
        own.then_some(hex(start)?..hex(end)?)
    };
    maps.lines().filter_map(executable).collect()
}

fn classify(step: &Step) -> Executed {
    let mut decoder = Decoder::with_ip(64, &step.bytes, step.address, DecoderOptions::NONE);
    let instruction = decoder.decode();
    match opcode(&step.bytes) {
        EVEX => Executed::Avx512,
        VEX2 | VEX3 if masks(&instruction) => Executed::Avx512,
        VEX2 | VEX3 if vectors(&instruction) => Executed::Avx,
        _ if packed_arithmetic(&instruction) => Executed::Sse,
        _ => Executed::Scalar,
    }
}

// In 64-bit mode these three first bytes are nothing but the prefixes of these encodings.
const EVEX: u8 = 0x62;
const VEX3: u8 = 0xc4;
const VEX2: u8 = 0xc5;

/// The first byte behind segment and address-size prefixes.
fn opcode(bytes: &[u8]) -> u8 {
    let prefixes = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x67];
    bytes.iter().copied().find(|byte| !prefixes.contains(byte)).unwrap_or(0)
}

fn registers(instruction: &Instruction) -> impl Iterator<Item = Register> + '_ {
    (0..instruction.op_count()).map(|i| instruction.op_register(i))
}

/// `kmov` and its like are VEX-encoded and AVX-512.
fn masks(instruction: &Instruction) -> bool {
    registers(instruction).any(Register::is_k)
}

/// BMI is VEX-encoded as well, and works on general registers.
fn vectors(instruction: &Instruction) -> bool {
    registers(instruction).any(Register::is_vector_register)
}

/// Compilers use packed moves and logic for scalar code: only arithmetic on several lanes counts.
fn packed_arithmetic(instruction: &Instruction) -> bool {
    let name = format!("{:?}", instruction.mnemonic());
    let arithmetic = ["Add", "Sub", "Mul", "Hadd", "Max", "Pmax", "Padd"];
    let packed = name.ends_with("ps") || name.ends_with("pd") || name.starts_with('P');
    packed && arithmetic.iter().any(|a| name.starts_with(a)) && vectors(instruction)
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use annvil_kernels::testkit::cases::Recipe;

    use super::*;

    #[test]
    fn every_variant_runs_what_it_claims() {
        let case = Recipe::plain(100, 8, 3).make();
        let batch = case.batch();
        for op in annvil_kernels::ops() {
            let values = if op.shape().starts_with("scan") { 8 } else { batch.ids.len() };
            for meta in op.variants().iter().filter(|m| m.not_run.is_none()) {
                let Ok(runner) = op.bind(meta.name, 100) else { continue };
                let proof = prove(&*runner, meta.level, &batch, values);
                assert!(matches!(proof, Ok(Some(_))), "{}#{}: {proof:?}", op.path(), meta.name);
            }
        }
    }

    #[test]
    fn a_false_claim_is_found() {
        let case = Recipe::plain(64, 4, 3).make();
        let op = annvil_kernels::find("f32/l2sq/pair").unwrap();
        let scalar = op.bind("scalar", 64).unwrap();
        let batch = case.batch();
        for claim in [Level::Sse42, Level::Avx2, Level::Avx512] {
            assert!(prove(&*scalar, claim, &batch, batch.ids.len()).is_err(), "{claim}");
        }
    }

    #[test]
    fn instructions_are_classified_by_their_encoding() {
        let of = |code: &[u8]| {
            let mut bytes = [0x90; 15];
            bytes[..code.len()].copy_from_slice(code);
            classify(&Step { address: 0, bytes })
        };
        assert_eq!(of(&[0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1]), Executed::Avx512, "vaddps zmm");
        assert_eq!(of(&[0xc5, 0xf8, 0x92, 0xc8]), Executed::Avx512, "kmovw k1, eax");
        assert_eq!(of(&[0xc5, 0xfc, 0x58, 0xc1]), Executed::Avx, "vaddps ymm");
        assert_eq!(of(&[0x0f, 0x58, 0xc1]), Executed::Sse, "addps");
        assert_eq!(of(&[0xf3, 0x0f, 0x58, 0xc1]), Executed::Scalar, "addss");
        assert_eq!(of(&[0x0f, 0x28, 0xc1]), Executed::Scalar, "movaps");
        assert_eq!(of(&[0xc4, 0xe2, 0x70, 0xf5, 0xc2]), Executed::Scalar, "bzhi");
    }
}
