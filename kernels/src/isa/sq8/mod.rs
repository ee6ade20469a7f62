//! Arithmetic of an `f32` query on `u8` codes.
