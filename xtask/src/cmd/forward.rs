//! The verbs of the harness: build it once as released, then become it.

use crate::exit::{Outcome, Stop};
use crate::shell;
use std::ffi::OsString;
use std::io::IsTerminal;

const PACKAGE: &str = "annvil-harness";

/// Hands `verb` and its arguments, unread, to the release build of the harness.
pub(crate) fn run(verb: &str, args: Vec<OsString>) -> Outcome {
    let manifest = shell::root().join("Cargo.toml");
    let select = |sub: &str| {
        let mut cargo = shell::cargo();
        cargo.arg(sub).args(["--release", "--package", PACKAGE, "--manifest-path"]).arg(&manifest);
        cargo
    };

    let mut build = select("build");
    let built = shell::target_dir()
        .join("release")
        .join(PACKAGE)
        .with_extension(std::env::consts::EXE_EXTENSION);
    if !built.exists() {
        eprintln!("xtask: the first release build takes a few minutes; later ones do not");
    } else if !std::io::stderr().is_terminal() {
        build.arg("--quiet");
    }
    let status = build.status().map_err(|e| Stop::missing(format!("cannot start cargo: {e}")))?;
    if !status.success() {
        return Err(Stop::failed(format!(
            "the harness does not build; `cargo check -p {PACKAGE}` shows why sooner"
        )));
    }

    let mut harness = select("run");
    shell::become_program(harness.args(["--quiet", "--", verb]).args(args))
}
