//! By hand: NEON.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

isa_variants! {
    level: Neon, technique: Hand, name: "neon",
    when: target_arch = "aarch64", absent: "compiled for aarch64 only",
    features: target_feature(enable = "neon"),
    token: crate::isa::neon::Neon, blocked: [4, 2],
    fixed: [8 9 10 11 12 13 14 15 16],
    constant: [
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
        17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
    ],
}
