//! One target under libFuzzer, which has the command line; the variable `ANNVIL_FUZZ_TARGET` names
//! the target.
#![no_main]

use std::sync::LazyLock;

use annvil_kernels::testkit::fuzz;

static TARGET: LazyLock<String> =
    LazyLock::new(|| std::env::var("ANNVIL_FUZZ_TARGET").unwrap_or_default());

libfuzzer_sys::fuzz_target!(
    init: {
        // libFuzzer's crate ends the process at every panic; the bodies ask for some, and catch
        // and report the others.
        drop(std::panic::take_hook());
        fuzz::silence_wanted_panics();
        if fuzz::targets().iter().all(|target| target.name != *TARGET) {
            eprintln!("ANNVIL_FUZZ_TARGET={} is no target; `cases list` names them", *TARGET);
            std::process::exit(2);
        }
    },
    |input: &[u8]| {
        if let Err(crash) = fuzz::run(&TARGET, input) {
            eprintln!("FOUND {crash}");
            std::process::abort();
        }
    }
);
