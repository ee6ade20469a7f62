//! Who may do what: the one table of rooms and arrows.
//!
//! A new room is one row here, with the reason. A pattern ends in `/` (a folder and all below it), holds one `*` (any
//! text, also over folders), or is a whole path.

/// The crates of the workspace by folder, and which others each may use.
pub(crate) const ARROWS: &[(&str, &str, &[&str])] = &[
    ("kernels", "annvil-kernels", &[]),
    ("engine", "annvil", &["annvil-kernels"]),
    ("harness", "annvil-harness", &["annvil-kernels", "annvil", "annvil-reports"]),
    ("reports", "annvil-reports", &[]),
    ("pgo", "annvil-pgo", &["annvil"]),
    ("xtask", "xtask", &[]),
];

/// Dependencies that compile C: a crate may offer them as an option, and the engine's tree never holds them.
pub(crate) const C_DEPENDENCIES: &[&str] = &["simsimd", "numkong", "usearch"];

/// Where `unsafe` may stand. Everywhere else the compiler denies it, and nobody may allow it.
pub(crate) const UNSAFE: &[&str] = &[
    // Tokens and intrinsics.
    "kernels/src/isa/",
    // The trait's contract, and the calls of a pointer whose level was checked when it was bound.
    "kernels/src/kernel.rs",
    "kernels/src/shape/",
    // Rows that name a level, and the step from a level to a token. The arithmetic in `metric/` is safe.
    "kernels/src/ops/at.rs",
    "kernels/src/ops/plain.rs",
    "kernels/src/ops/encode.rs",
    "kernels/src/ops/*/variants.rs",
    "kernels/src/ops/*/isa_variants.rs",
    "kernels/src/ops/*/plain_rows.rs",
    "kernels/src/ops/*/scalar.rs",
    "kernels/src/ops/*/autovec.rs",
    "kernels/src/ops/*/pulp.rs",
    "kernels/src/ops/*/wide.rs",
    "kernels/src/ops/*/sse42.rs",
    "kernels/src/ops/*/avx2.rs",
    "kernels/src/ops/*/avx512.rs",
    "kernels/src/ops/*/neon.rs",
    "kernels/src/ops/*/simd128.rs",
    // FFI.
    "kernels/src/ops/*/simsimd.rs",
    // The aligned view of a row store.
    "kernels/src/layout.rs",
    "kernels/src/layout_block.rs",
    // Guard pages, and single-stepping: the proof of which instructions ran.
    "kernels/src/testkit/guard*",
    "kernels/src/testkit/trial/memory.rs",
    "kernels/src/testkit/steps*",
    // Our elements as a library's transparent wrappers of them; only with the feature `rivals`.
    "harness/src/outside/numkong.rs",
    // Arena, pool and the mapped file.
    "engine/src/mem/",
    "engine/src/storage/mmap.rs",
    // A global allocator that counts, in a test of its own.
    "engine/tests/hnsw_alloc.rs",
    "engine/tests/train_alloc.rs",
    // The same for the whole bench: the findings count blocks.
    "harness/src/findings/alloc.rs",
];

/// Where instructions of one CPU may be named.
pub(crate) const INTRINSICS: &[&str] = &["kernels/src/isa/", "kernels/src/testkit/steps*"];

/// Where a CPU may be asked what it has.
pub(crate) const DETECTION: &[&str] = &["kernels/src/isa/"];

/// Loops over two vectors outside `kernels`: oracles that must not share code with what they judge.
pub(crate) const ORACLES: &[&str] = &["harness/src/baseline/", "harness/src/data/truth.rs"];

/// Libraries that never print.
pub(crate) const SILENT: &[&str] = &["kernels/src/", "engine/src/", "reports/src/"];

/// Libraries whose results depend on their arguments alone: no clock, no process-wide random source.
pub(crate) const PURE: &[&str] = &["kernels/src/", "engine/src/"];

/// The test kit measures nothing, yet it may watch a child process against a clock.
pub(crate) const IMPURE: &[&str] = &["kernels/src/testkit/"];

/// Whether a path lies in one of the rooms.
pub(crate) fn holds(rooms: &[&str], path: &str) -> bool {
    rooms.iter().any(|room| match room.split_once('*') {
        Some((head, tail)) => {
            path.len() >= head.len() + tail.len() && path.starts_with(head) && path.ends_with(tail)
        }
        None if room.ends_with('/') => path.starts_with(room),
        None => path == *room,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_say() {
        assert!(holds(UNSAFE, "kernels/src/isa/avx2.rs"));
        assert!(holds(UNSAFE, "kernels/src/ops/f32/simsimd.rs"));
        assert!(holds(UNSAFE, "kernels/src/testkit/guard.rs"));
        assert!(!holds(UNSAFE, "kernels/src/ops/f32/metric/dot.rs"));
        assert!(!holds(UNSAFE, "engine/src/memory.rs"));
        assert!(!holds(UNSAFE, "kernels/src/kernel.rs.bak"));
    }
}
