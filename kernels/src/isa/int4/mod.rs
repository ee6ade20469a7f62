//! Arithmetic on 4-bit codes.
