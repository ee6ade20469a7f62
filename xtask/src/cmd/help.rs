//! `cargo xtask help`: the verbs, one line each.

use super::VERBS;
use crate::exit::Outcome;
use std::ffi::OsString;

pub(crate) const HELP: &str = "cargo xtask help\n\nLists every verb with one line, and examples.\n";

const TAIL: &str = "
`cargo xtask VERB --help` tells the rest. It works from any folder of the repository.

Examples
  cargo xtask bench                      every f32 distance on this CPU, about three minutes after the build
  cargo xtask bench f32/l2sq --full      one family, with narrow intervals
  cargo xtask test                       the tests of this machine's architecture
  cargo xtask test --lane aarch64        the NEON kernels under qemu
  cargo xtask doctor                     what could be installed, and the line that installs it

Exit codes
  0 ok   1 a tool or test failed   2 usage   3 reserved   4 undecided or noisy, where asked to fail on it
  5 wrong answer or wrong dispatch   6 something has to be installed first   130 interrupted
";

pub(crate) fn run(_: Vec<OsString>) -> Outcome {
    println!(
        "Annvil: which implementation of each vector distance wins on this CPU, with evidence.\n"
    );
    println!("cargo xtask VERB [ARGS]\n");
    for verb in VERBS {
        println!("  {:<9} {}", verb.name, verb.about);
    }
    print!("{TAIL}");
    Ok(())
}
