//! `selftest`: the harness measured by its own yardstick.

use annvil_harness::protocol::Crew;
use annvil_harness::selftest::{self, LiveSize};

use super::on_interrupt;
use crate::cli::SelftestArgs;
use crate::progress::{note, out};
use crate::stop::{INTERRUPTED, Stop, WRONG};

pub(crate) fn run(args: &SelftestArgs) -> Result<(), Stop> {
    let (trials, live) = if args.short {
        (200, LiveSize { contests: 10, processes: 5, rounds: 40 })
    } else {
        (2_000, LiveSize { contests: 100, processes: 5, rounds: 40 })
    };
    let stop = on_interrupt()?;
    note(&format!("synthetic: {trials} trials a check\n"));
    let mut checks = selftest::synthetic(trials, args.seed);
    note(&format!(
        "live: {} contests of identical kernels, as many with one planted slow-down\n",
        live.contests
    ));
    let exe = std::env::current_exe().map_err(Stop::failed)?;
    let mut crew = Crew::new(exe, args.seed);
    let Some(found) = selftest::live(&mut crew, &live, stop).map_err(Stop::failed)? else {
        return Err(Stop { code: INTERRUPTED, why: String::new() });
    };
    checks.extend(found);
    out(&selftest::table(&checks));
    match checks.iter().filter(|c| !c.passed).count() {
        0 => Ok(()),
        n => Err(Stop::new(WRONG, format!("{n} checks of the timing method failed"))),
    }
}
