//! `report`: the page of a record.

use annvil_harness::store::REPORT_FILE;
use annvil_reports::page;
use annvil_reports::schema::Run;

use super::record_path;
use crate::cli::ReportArgs;
use crate::progress::out;
use crate::stop::Stop;

pub(crate) fn run(args: &ReportArgs) -> Result<(), Stop> {
    let record = record_path(&args.run);
    let run = Run::load(&record).map_err(Stop::failed)?;
    let to = args.out.clone().unwrap_or_else(|| record.with_file_name(REPORT_FILE));
    page::write(&run, &to).map_err(Stop::failed)?;
    out(&format!("{}\n", to.display()));
    Ok(())
}
