//! `worker`: the process that measures.

use std::io;

use crate::cli::WorkerArgs;
use crate::stop::Stop;

pub(crate) fn run(args: &WorkerArgs) -> Result<(), Stop> {
    // Ctrl-C reaches the whole group; the parent decides, and closes the pipe.
    ctrlc::set_handler(|| {}).map_err(Stop::failed)?;
    match annvil_harness::protocol::serve(io::stdin().lock(), io::stdout().lock(), args.seed) {
        // The parent is gone: nothing to report, and nobody to report it to.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Stop::failed),
    }
}
