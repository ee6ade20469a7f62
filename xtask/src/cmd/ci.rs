//! `cargo xtask ci`: what a submission must pass.

use crate::exit::{Outcome, Stop};
use crate::shell;
use std::ffi::OsString;
use std::process::Command;

pub(crate) const HELP: &str = "\
cargo xtask ci

Runs `.ci/run`, the one list of what a change must pass: format, clippy with warnings denied, tidy, the tests, the
aarch64 and wasm lanes where their tools are present, and the merged coverage. Here it installs nothing; a lane that
cannot run is named as not run. On a build machine call `.ci/run` itself: it also fetches missing tools.
";

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    if let Some(extra) = args.first() {
        return Err(Stop::usage(format!(
            "`ci` takes no argument, got `{}`",
            extra.to_string_lossy()
        )));
    }
    let root = shell::root();
    shell::become_program(
        Command::new("bash")
            .arg(root.join(".ci/run"))
            .current_dir(&root)
            .env("ANNVIL_CI_INSTALL", "0"),
    )
}
