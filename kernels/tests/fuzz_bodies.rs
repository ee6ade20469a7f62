//! The bodies of the fuzz targets on seeded inputs: a short run that needs no fuzzer. `cargo xtask
//! fuzz` gives them more time, coverage and a sanitizer.

use annvil_kernels::ops;
use annvil_kernels::testkit::fuzz::{
    FIXED, describe, run, run_random, seeds, silence_wanted_panics, targets,
};

/// Inputs a target. An emulated CPU is slow, and one without optimisation too.
const COUNT: usize = if cfg!(target_arch = "x86_64") { 400 } else { 60 };

#[test]
fn seeded_inputs_find_nothing() {
    silence_wanted_panics();
    let mut found = Vec::new();
    for target in targets() {
        match run_random(&target, 0xa2e1, COUNT) {
            Ok(judged) if judged >= COUNT as u64 / 2 => {}
            Ok(judged) => found.push(format!("{}: only {judged} values judged", target.name)),
            Err(crash) => found.push(crash.to_string()),
        }
        let seeds = seeds(&target);
        let crash = seeds.iter().find_map(|seed| run(target.name, seed).err());
        found.extend(crash.map(|crash| crash.to_string()));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_shape_is_a_target() {
    let names: Vec<_> = targets().into_iter().map(|target| target.name).collect();
    for op in ops() {
        assert_eq!(names.iter().filter(|name| **name == op.shape()).count(), 1, "{}", op.path());
        assert!(!FIXED.contains(&op.shape()), "{} is the name of a fixed target", op.shape());
    }
    for fixed in FIXED {
        assert!(names.contains(&fixed));
    }
}

#[test]
fn a_crash_says_what_the_input_means() {
    silence_wanted_panics();
    let crash = run("no-such-shape", &[1, 0xfe]).unwrap_err();
    assert!(crash.to_string().contains("no target no-such-shape"), "{crash}");
    assert!(crash.to_string().contains("[01, fe]"), "{crash}");
    for target in targets() {
        assert!(!describe(target.name, &[7; 40]).is_empty());
    }
    assert!(describe("pair", &[]).contains("f32/l2sq/pair"), "{}", describe("pair", &[]));
}
