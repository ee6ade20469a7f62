//! `promote`: the winners table from a record.

use std::fs;
use std::path::Path;

use annvil_harness::env;
use annvil_harness::promote::{Table, Terms, promote};
use annvil_harness::suite::{Selection, Suite};
use annvil_reports::schema::{Run, write_atomically};

use super::record_path;
use crate::cli::PromoteArgs;
use crate::progress::{note, out};
use crate::stop::Stop;

pub(crate) fn run(args: &PromoteArgs) -> Result<(), Stop> {
    let root = env::workspace_root().ok_or_else(|| Stop::usage("no workspace here"))?;
    let (table_path, code_path) =
        (root.join("kernels/winners.toml"), root.join("kernels/src/winners.rs"));
    let run = Run::load(record_path(&args.run)).map_err(Stop::failed)?;
    let ops: Vec<String> = annvil_kernels::ops().iter().map(|op| op.path()).collect();
    let suite = Suite::of(run.mode)
        .and_then(|suite| suite.cells(&Selection::default(), &ops))
        .map_err(Stop::failed)?;
    let before = Table::parse(&read(&table_path)?).map_err(Stop::failed)?;
    let variants = |op: &str| annvil_kernels::find(op).map(|op| op.variants()).unwrap_or_default();
    let terms = Terms { suite: &suite, allow_dirty: args.allow_dirty };
    let promotion = promote(&run, &before, variants, terms).map_err(Stop::failed)?;
    for class in &promotion.undecided {
        note(&format!("undecided: {class}\n"));
    }
    let after = promotion.table;
    for w in &after.winner {
        let old = before.winner.iter().find(|b| {
            (&b.op, &b.level, &b.residence, b.min_dim) == (&w.op, &w.level, &w.residence, w.min_dim)
        });
        let mark = match old {
            Some(old) if old.variant == w.variant && old.max_dim == w.max_dim => " ",
            Some(_) => "~",
            None => "+",
        };
        let to = w.max_dim.map_or_else(|| "any".to_owned(), |d| d.to_string());
        let lead = w.next_ratio.map_or_else(String::new, |r| format!("  next x{r:.3}"));
        out(&format!(
            "{mark} {:<26} {:<7} {:<5} dim {:>4} to {to:<4} {}{lead}\n",
            w.op, w.level, w.residence, w.min_dim, w.variant
        ));
    }
    if args.dry_run {
        return Ok(());
    }
    let toml = after.to_toml().map_err(Stop::failed)?;
    let code = after.to_code(&toml, &read(&code_path)?).map_err(Stop::failed)?;
    // The code first: its header then disagrees with the table until both are there.
    write(&code_path, &code)?;
    write(&table_path, &toml)
}

fn read(path: &Path) -> Result<String, Stop> {
    fs::read_to_string(path)
        .map_err(|e| Stop::failed(format!("cannot read {}: {e}", path.display())))
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    write_atomically(path, text.as_bytes())
        .map_err(|e| Stop::failed(format!("cannot write {}: {e}", path.display())))
}
