//! Rules about single words of code: what may only be said in its room.

use super::rooms::{self, holds};
use super::source::Source;
use super::{Finding, Tree};

/// `unsafe`, and every way to allow it, outside the rooms that registered for it.
pub(crate) fn unsafe_rooms(tree: &Tree, out: &mut Vec<Finding>) {
    for source in tree.rust().filter(|s| !holds(rooms::UNSAFE, &s.path)) {
        for at in source.words("unsafe") {
            out.push(Finding::at("unsafe", source, at, "`unsafe` outside its rooms"));
        }
        for at in source.words("unsafe_code") {
            let before = source.code[..at].trim_end();
            if before.ends_with("allow(")
                || before.ends_with("expect(")
                || before.ends_with("warn(")
            {
                out.push(Finding::at(
                    "unsafe",
                    source,
                    at,
                    "`unsafe_code` allowed outside its rooms",
                ));
            }
        }
    }
}

/// Feature detection outside the ISA room.
pub(crate) fn detection(tree: &Tree, out: &mut Vec<Finding>) {
    const WORDS: &[&str] = &[
        "is_x86_feature_detected",
        "is_aarch64_feature_detected",
        "is_arm_feature_detected",
        "__cpuid",
        "__cpuid_count",
        "_xgetbv",
        "raw_cpuid",
        "cpufeatures",
    ];
    for source in tree.rust().filter(|s| !holds(rooms::DETECTION, &s.path)) {
        for at in WORDS.iter().flat_map(|word| source.words(word)) {
            let what =
                "CPU features are asked for in kernels/src/isa only; use `Level::is_available`";
            out.push(Finding::at("detection", source, at, what));
        }
    }
}

/// Instructions of one CPU outside the ISA room.
pub(crate) fn intrinsics(tree: &Tree, out: &mut Vec<Finding>) {
    for source in tree.rust().filter(|s| !holds(rooms::INTRINSICS, &s.path)) {
        let paths = ["core::arch", "std::arch"].iter().flat_map(|path| source.words(path));
        let names = source
            .code
            .match_indices("_mm")
            .map(|(at, _)| at)
            .filter(|&at| is_intrinsic(&source.code, at));
        for at in paths.chain(names) {
            out.push(Finding::at(
                "intrinsics",
                source,
                at,
                "an instruction of one CPU outside kernels/src/isa",
            ));
        }
    }
}

/// `_mm_`, `_mm256_`, `_mm512_` at the start of a name.
fn is_intrinsic(code: &str, at: usize) -> bool {
    let inside =
        at > 0 && matches!(code.as_bytes()[at - 1], b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z');
    let rest = code[at + 3..].trim_start_matches(|c: char| c.is_ascii_digit());
    !inside && rest.starts_with('_')
}

/// Libraries return what they have to say; they never print it, and never end the process.
pub(crate) fn silence(tree: &Tree, out: &mut Vec<Finding>) {
    for source in tree.rust().filter(|s| holds(rooms::SILENT, &s.path)) {
        for name in ["print", "println", "eprint", "eprintln", "dbg"] {
            for at in
                source.words(name).filter(|at| source.code[at + name.len()..].starts_with('!'))
            {
                if !source.in_tests(at) {
                    out.push(Finding::at("silence", source, at, format!("`{name}!` in a library")));
                }
            }
        }
        for at in source.words("process::exit").chain(source.words("process::abort")) {
            out.push(Finding::at("silence", source, at, "a library ends the process"));
        }
    }
}

/// No clock and no process-wide random source where results have to be reproducible.
pub(crate) fn purity(tree: &Tree, out: &mut Vec<Finding>) {
    const WORDS: &[&str] = &[
        "Instant::now",
        "SystemTime::now",
        "thread_rng",
        "from_entropy",
        "from_os_rng",
        "getrandom",
    ];
    let pure = |s: &&Source| holds(rooms::PURE, &s.path) && !holds(rooms::IMPURE, &s.path);
    for source in tree.rust().filter(pure) {
        for at in
            WORDS.iter().flat_map(|word| source.words(word)).filter(|at| !source.in_tests(*at))
        {
            out.push(Finding::at(
                "purity",
                source,
                at,
                "a clock or a global random source; take it as an option",
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    #[test]
    fn planted_unsafe_is_found() {
        let body = "fn f() { unsafe { g() } }";
        assert_eq!(planted(unsafe_rooms, "engine/src/flat.rs", body), 1);
        assert_eq!(planted(unsafe_rooms, "engine/src/mem/arena.rs", body), 0);
        assert_eq!(
            planted(unsafe_rooms, "engine/src/flat.rs", "#![allow(unsafe_code, reason = \"x\")]"),
            1
        );
        assert_eq!(planted(unsafe_rooms, "engine/src/flat.rs", "// unsafe\n\"unsafe\""), 0);
    }

    #[test]
    fn planted_detection_is_found() {
        let body = "fn f() -> bool { is_x86_feature_detected!(\"avx2\") }";
        assert_eq!(planted(detection, "engine/src/flat.rs", body), 1);
        assert_eq!(planted(detection, "harness/src/env.rs", body), 1);
        assert_eq!(planted(detection, "kernels/src/isa/mod.rs", body), 0);
    }

    #[test]
    fn planted_intrinsics_are_found() {
        assert_eq!(
            planted(intrinsics, "kernels/src/ops/f32/hand.rs", "use core::arch::x86_64::*;"),
            1
        );
        assert_eq!(
            planted(
                intrinsics,
                "kernels/src/ops/f32/hand.rs",
                "let a = _mm256_add_ps(b, c) + _mm_add_ps(d);"
            ),
            2
        );
        assert_eq!(planted(intrinsics, "engine/src/flat.rs", "let comm_mm_x = my_mm_add();"), 0);
        assert_eq!(planted(intrinsics, "kernels/src/isa/avx2.rs", "use core::arch::x86_64::*;"), 0);
    }

    #[test]
    fn planted_prints_are_found() {
        assert_eq!(planted(silence, "engine/src/flat.rs", "fn f() { println!(\"x\"); }"), 1);
        assert_eq!(planted(silence, "reports/src/page.rs", "fn f() { std::process::exit(1) }"), 1);
        assert_eq!(
            planted(silence, "engine/src/flat.rs", "#[cfg(test)]\nmod t { fn f() { println!() } }"),
            0
        );
        assert_eq!(planted(silence, "harness/src/cmd/env.rs", "fn f() { println!(\"x\"); }"), 0);
    }

    #[test]
    fn planted_clocks_are_found() {
        assert_eq!(planted(purity, "engine/src/flat.rs", "let t = Instant::now();"), 1);
        assert_eq!(planted(purity, "kernels/src/testkit/steps.rs", "let t = Instant::now();"), 0);
        assert_eq!(planted(purity, "harness/src/time.rs", "let t = Instant::now();"), 0);
    }
}
