//! Arithmetic on `f16` and `bf16`, widened to `f32`.
