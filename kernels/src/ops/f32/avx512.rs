//! By hand: AVX-512, with masked tails.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

isa_variants! {
    level: Avx512, technique: Hand, name: "avx512",
    when: target_arch = "x86_64", absent: "compiled for x86-64 only",
    features: target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt,avx,avx2,fma,bmi1,bmi2,lzcnt,f16c,avx512f,avx512bw,avx512cd,avx512dq,avx512vl"),
    token: crate::isa::avx512::Avx512, blocked: [2, 2],
    fixed: [2 3 4 5 6 7 8],
    constant: [
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
        17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
    ],
}
