//! The ledger of what ran: one line of JSON per (op, variant), for whoever asks with
//! `ANNVIL_LEDGER=FILE`. A variant that ran in no lane must not go unnoticed.

use std::io::{self, Write};
use std::path::Path;

use crate::kernel::VariantMeta;

/// The environment variable that names the ledger's file.
pub const LEDGER_VAR: &str = "ANNVIL_LEDGER";

/// What became of one variant of one operation.
#[derive(Clone, Debug)]
pub struct Row {
    /// The operation.
    pub op: String,
    /// The variant, and why it could not run, if it could not.
    pub variant: VariantMeta,
    /// Cases that it passed.
    pub cases: u64,
}

/// Writes the rows as a JSON array, over what was there.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, rows: &[Row]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut text = String::from("[\n");
    for (i, row) in rows.iter().enumerate() {
        let why = match &row.variant.not_run {
            Some(why) => format!("\"{}\"", why.replace('\\', "\\\\").replace('"', "\\\"")),
            None => "null".to_owned(),
        };
        let comma = if i + 1 == rows.len() { "" } else { "," };
        text += &format!(
            "{{\"op\":\"{}\",\"variant\":\"{}\",\"level\":\"{}\",\"technique\":\"{}\",\
             \"ran\":{},\"cases\":{},\"why\":{why}}}{comma}\n",
            row.op,
            row.variant.name,
            row.variant.level,
            row.variant.technique,
            row.variant.not_run.is_none(),
            row.cases,
        );
    }
    text += "]\n";
    std::fs::File::create(path)?.write_all(text.as_bytes())
}
