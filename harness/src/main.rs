//! The bench's command line. `cargo xtask <verb>` builds and becomes it.

mod cli;
mod cmd;
mod progress;
mod stop;

use std::process::ExitCode;

use annvil_harness::findings::alloc::Counting;
use clap::Parser;

/// Counts what a finding allocates; else one relaxed load a call.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => {
            // Help and version go to standard output and are no mistake.
            let code = if e.use_stderr() { stop::USAGE } else { 0 };
            let _ = e.print();
            return ExitCode::from(code);
        }
    };
    match cmd::run(cli.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            if !stop.why.is_empty() {
                progress::note(&format!("error: {}\n", stop.why));
            }
            ExitCode::from(stop.code)
        }
    }
}
