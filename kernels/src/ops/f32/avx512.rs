//! By hand: AVX-512, with masked tails.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

isa_variants! {
    level: Avx512, technique: Hand, name: "avx512",
    when: target_arch = "x86_64", absent: "compiled for x86-64 only",
    features: target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl"),
    token: crate::isa::avx512::Avx512, blocked: 2,
    fixed: [0 1 2 3 4 5 6 7 8],
}
