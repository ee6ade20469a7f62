//! Tokens: a level as a value. Whoever holds one runs on a CPU that has the level.
//!
//! They are declared for every architecture, so that a list of variants reads the same everywhere;
//! what they can do is implemented where their instructions exist.
#![allow(unsafe_code, reason = "making a token is a promise about the CPU")]

/// Proof of a level, made where the level's features are enabled.
pub(crate) trait Token: Copy + Send + Sync + 'static {}

macro_rules! tokens {
    ($($name:ident)*) => {$(
        #[doc = concat!("Proof of [`crate::Level::", stringify!($name), "`].")]
        #[derive(Clone, Copy)]
        pub(crate) struct $name(());

        impl $name {
            /// # Safety
            #[doc = concat!("The CPU has [`crate::Level::", stringify!($name), "`].")]
            #[allow(dead_code, reason = "foreign architectures")]
            #[inline(always)]
            pub(crate) const unsafe fn assume() -> Self {
                Self(())
            }
        }

        impl Token for $name {}
    )*};
}

tokens! { Sse42 Avx2 Avx512 Avx512Bf16 Avx512Vnni Avx512Vbmi Avx512Popcnt Neon NeonDot Simd128 }

/// Tokens of levels that contain AVX-512 as a whole.
macro_rules! contain_avx512 {
    ($($name:ident)*) => {$(
        impl $name {
            /// The level below.
            #[allow(dead_code, reason = "foreign architectures")]
            #[inline(always)]
            pub(crate) const fn avx512(self) -> Avx512 {
                Avx512(())
            }
        }
    )*};
}

contain_avx512! { Avx512Bf16 Avx512Vnni Avx512Vbmi Avx512Popcnt }

impl Avx512 {
    /// The level below.
    #[allow(dead_code, reason = "foreign architectures")]
    #[inline(always)]
    pub(crate) const fn avx2(self) -> Avx2 {
        Avx2(())
    }
}

impl NeonDot {
    /// The level below.
    #[allow(dead_code, reason = "foreign architectures")]
    #[inline(always)]
    pub(crate) const fn neon(self) -> Neon {
        Neon(())
    }
}

/// One level as a macro sees it: calls `$then!` with a description and the rest.
///
/// The only place that spells out the features of a level for code generation; `Level::missing`
/// spells them out for detection, and a test holds the two together.
macro_rules! with_level {
    ($level:ident => $then:ident! $rest:tt) => {
        with_level! { @ $level $then $rest }
    };
    (@ Sse42 $then:ident $rest:tt) => {
        $then! { { Sse42, "sse42", target_arch = "x86_64", "compiled for x86-64 only",
            target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt") } $rest }
    };
    (@ Avx2 $then:ident $rest:tt) => {
        $then! { { Avx2, "avx2", target_arch = "x86_64", "compiled for x86-64 only",
            target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c") } $rest }
    };
    (@ Avx512 $then:ident $rest:tt) => {
        $then! { { Avx512, "avx512", target_arch = "x86_64", "compiled for x86-64 only",
            target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl") } $rest }
    };
    (@ Avx512Bf16 $then:ident $rest:tt) => {
        $then! { { Avx512Bf16, "avx512bf16", target_arch = "x86_64", "compiled for x86-64 only",
            target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16") } $rest }
    };
    (@ Avx512Vnni $then:ident $rest:tt) => {
        $then! { { Avx512Vnni, "avx512vnni", target_arch = "x86_64", "compiled for x86-64 only",
            target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vnni") } $rest }
    };
    (@ Avx512Vbmi $then:ident $rest:tt) => {
        $then! { { Avx512Vbmi, "avx512vbmi", target_arch = "x86_64", "compiled for x86-64 only",
            target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vnni,avx512vbmi,avx512vbmi2") } $rest }
    };
    (@ Avx512Popcnt $then:ident $rest:tt) => {
        $then! { { Avx512Popcnt, "avx512popcnt", target_arch = "x86_64", "compiled for x86-64 only",
            target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vnni,avx512bitalg,avx512vpopcntdq") } $rest }
    };
    (@ Neon $then:ident $rest:tt) => {
        $then! { { Neon, "neon", target_arch = "aarch64", "compiled for aarch64 only",
            target_feature(enable = "neon") } $rest }
    };
    (@ NeonDot $then:ident $rest:tt) => {
        $then! { { NeonDot, "neondot", target_arch = "aarch64", "compiled for aarch64 only",
            target_feature(enable = "neon,dotprod") } $rest }
    };
    (@ Simd128 $then:ident $rest:tt) => {
        $then! { { Simd128, "simd128", all(target_arch = "wasm32", target_feature = "simd128"),
            "compiled for wasm32 with simd128 only", target_feature(enable = "simd128") } $rest }
    };
}
