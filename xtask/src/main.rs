//! `cargo xtask`: one command line over the whole workspace.
//!
//! It drives cargo and the harness as processes and links no other crate of the workspace, so it keeps working while
//! they do not compile. `cargo xtask help` lists the verbs; each has one file in `cmd/`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line talks to its terminal"
)]

mod cmd;
mod exit;
mod ledger;
mod llvm;
mod shell;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let verb = args.next();
    match cmd::dispatch(verb.as_deref(), args.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            if !stop.why.is_empty() {
                eprintln!("xtask: {}", stop.why);
            }
            ExitCode::from(stop.code)
        }
    }
}
