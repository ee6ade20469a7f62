//! Instruction-set levels: the only feature detection in the workspace, and the tokens that prove
//! a level to the loops.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod bits;
mod fetch;
pub(crate) mod half;
pub(crate) mod int4;
pub(crate) mod int8;
#[cfg(feature = "testkit")]
pub mod limits;
pub(crate) mod lut;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod select;
pub(crate) mod simd;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod simd128;
pub(crate) mod sq8;
#[cfg(target_arch = "x86_64")]
pub(crate) mod sse42;

#[macro_use]
pub(crate) mod tokens;

use core::fmt;

pub use fetch::prefetch;

/// An instruction-set level: a named set of CPU features that comes as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// What every CPU of the build's target has.
    Scalar,
    /// x86-64-v2: SSE4.2, popcnt. 128-bit vectors.
    Sse42,
    /// x86-64-v3: AVX2, FMA, BMI. 256-bit vectors.
    Avx2,
    /// x86-64-v4: AVX-512 F, BW, CD, DQ, VL. 512-bit vectors and masks.
    Avx512,
    /// AVX-512 and BF16: products of `bf16` pairs summed in `f32`.
    Avx512Bf16,
    /// AVX-512 and VNNI: products of bytes summed in 32 bits.
    Avx512Vnni,
    /// AVX-512, VNNI and VBMI (1 and 2): permutations of bytes, tables in registers.
    Avx512Vbmi,
    /// AVX-512, VNNI, VPOPCNTDQ and BITALG: population counts of lanes.
    Avx512Popcnt,
    /// aarch64 Advanced SIMD. 128-bit vectors.
    Neon,
    /// NEON and DotProd: products of bytes summed in 32 bits.
    NeonDot,
    /// WebAssembly fixed-width SIMD. 128-bit vectors.
    Simd128,
}

/// The features of a level that this CPU lacks, from a list of names.
#[cfg(target_arch = "x86_64")]
macro_rules! missing {
    ($($feature:tt)*) => {{
        let mut missing: Vec<&str> = Vec::new();
        $(if !std::arch::is_x86_feature_detected!($feature) {
            missing.push($feature);
        })*
        if missing.is_empty() { None } else { Some(missing.join(", ")) }
    }};
}

impl Level {
    /// Every level, lowest first within an architecture.
    pub const ALL: [Self; 11] = [
        Self::Scalar,
        Self::Sse42,
        Self::Avx2,
        Self::Avx512,
        Self::Avx512Bf16,
        Self::Avx512Vnni,
        Self::Avx512Vbmi,
        Self::Avx512Popcnt,
        Self::Neon,
        Self::NeonDot,
        Self::Simd128,
    ];

    /// The name in coordinates, tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Sse42 => "sse42",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
            Self::Avx512Vnni => "avx512vnni",
            Self::Avx512Vbmi => "avx512vbmi",
            Self::Avx512Popcnt => "avx512popcnt",
            Self::Neon => "neon",
            Self::NeonDot => "neondot",
            Self::Simd128 => "simd128",
        }
    }

    /// The level of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Whether this CPU (and, for wasm, this build) has the level.
    #[must_use]
    pub fn is_available(self) -> bool {
        self.missing().is_none()
    }

    /// What of the level is missing here; `None` if it is there.
    #[must_use]
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Scalar => None,
            #[cfg(target_arch = "x86_64")]
            Self::Sse42 => missing!("sse3" "ssse3" "sse4.1" "sse4.2" "popcnt"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Self::Sse42
                .missing()
                .or_else(|| missing!("avx" "avx2" "fma" "bmi1" "bmi2" "lzcnt" "f16c")),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Self::Avx2
                .missing()
                .or_else(|| missing!("avx512f" "avx512bw" "avx512cd" "avx512dq" "avx512vl")),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => Self::Avx512.missing().or_else(|| missing!("avx512bf16")),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vnni => Self::Avx512.missing().or_else(|| missing!("avx512vnni")),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Vbmi => {
                Self::Avx512Vnni.missing().or_else(|| missing!("avx512vbmi" "avx512vbmi2"))
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Popcnt => {
                Self::Avx512Vnni.missing().or_else(|| missing!("avx512bitalg" "avx512vpopcntdq"))
            }
            #[cfg(target_arch = "aarch64")]
            Self::NeonDot if std::arch::is_aarch64_feature_detected!("dotprod") => {
                Self::Neon.missing()
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon if std::arch::is_aarch64_feature_detected!("neon") => None,
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Simd128 => None,
            other => Some(other.name().to_owned()),
        }
    }

    /// The level that this one extends by an instruction-set extension of its own; most levels
    /// extend none, and are their own base.
    #[must_use]
    pub fn base(self) -> Self {
        match self {
            Self::Avx512Bf16 | Self::Avx512Vnni | Self::Avx512Vbmi | Self::Avx512Popcnt => {
                Self::Avx512
            }
            Self::NeonDot => Self::Neon,
            other => other,
        }
    }

    /// The best level of this CPU, extensions aside: what a table of winners is kept for.
    #[must_use]
    pub fn best() -> Self {
        let mut best_first = Self::ALL.into_iter().rev().filter(|level| level.base() == *level);
        best_first.find(|level| level.is_available()).unwrap_or(Self::Scalar)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_read_back() {
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
        assert_eq!(Level::from_name("avx1024"), None);
    }

    #[test]
    fn the_best_level_is_available_and_foreign_ones_are_not() {
        assert!(Level::best().is_available());
        let foreign = if cfg!(target_arch = "x86_64") { Level::Neon } else { Level::Avx2 };
        assert!(foreign.missing().is_some());
    }
}
