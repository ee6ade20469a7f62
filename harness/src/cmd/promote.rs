//! `promote`.
use crate::cli::PromoteArgs;
use crate::stop::Stop;
pub(crate) fn run(args: &PromoteArgs) -> Result<(), Stop> {
    let _ = args;
    Ok(())
}
