//! By hand: Avx2.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

with_level! { Avx2 => hand! {
    token: crate::isa::tokens::Avx2, blocked: [3, 1],
    fixed: [4 5 6 7 8 9 10 11 12 13 14 15 16],
    constant: [
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
        17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
    ],
} }
