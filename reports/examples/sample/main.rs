//! Writes a page and a record with invented figures, to look at the layout:
//! `cargo run -p annvil-reports --example sample -- OUT_DIR`.

use std::error::Error;
use std::path::PathBuf;

use annvil_reports::page;

mod fixture;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: sample OUT_DIR")?;
    let dir = PathBuf::from(dir);
    let run = fixture::sample();
    run.save(dir.join("results.json"))?;
    page::write(&run, dir.join("report.html"))?;
    Ok(())
}
