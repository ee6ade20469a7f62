//! The report page: one HTML file, complete without scripts and without a network.
//!
//! Everything a reader needs is in the markup; the script only sorts, filters, copies, downloads
//! and switches the colours. The page's policy forbids it every request. Text from the record is
//! escaped in one place, the template engine's formatter, and the data island cannot end its
//! element. The same run renders to the same bytes.

use std::fmt;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};

use crate::chart::ChartError;
use crate::escape::{escape, escape_json};
use crate::schema::{Run, SchemaError, write_atomically};
use crate::stats;

mod engine;
mod figures;
mod heat;
mod rows;
mod view;

const TEMPLATE: &str = include_str!("../templates/page.html");
const ENGINE: &str = include_str!("../templates/engine.html");
const STYLE: &str = include_str!("../templates/style.css");
const SCRIPT: &str = include_str!("../templates/script.js");

/// Why a page could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum PageError {
    /// The run cannot be written as a record.
    Record(SchemaError),
    /// A chart could not be drawn.
    Chart(ChartError),
    /// The template failed: a defect of this crate.
    Template(minijinja::Error),
    /// The page could not be written.
    Io {
        /// The page's path.
        path: std::path::PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(e) => write!(f, "the run cannot stand in a page: {e}"),
            Self::Chart(e) => e.fmt(f),
            Self::Template(e) => write!(f, "the page's template failed: {e:#}"),
            Self::Io { path, source } => {
                write!(f, "cannot write the page {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for PageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Record(e) => Some(e),
            Self::Chart(e) => Some(e),
            Self::Template(e) => Some(e),
            Self::Io { source, .. } => Some(source),
        }
    }
}

impl From<ChartError> for PageError {
    fn from(e: ChartError) -> Self {
        Self::Chart(e)
    }
}

impl From<minijinja::Error> for PageError {
    fn from(e: minijinja::Error) -> Self {
        Self::Template(e)
    }
}

/// The page of `run`. Same run, same bytes.
///
/// # Errors
/// [`PageError::Record`] when a figure that must be a number is none; the other kinds are defects.
pub fn render(run: &Run) -> Result<String, PageError> {
    let json = run.to_packed_json().map_err(PageError::Record)?;
    let mut env = Environment::new();
    env.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    env.set_formatter(|out, state, value| match value.as_str() {
        // Shorter than the engine's own escaping, which also replaces every slash.
        Some(text) if !value.is_safe() => Ok(out.write_str(&escape(text))?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    env.add_template("page.html", TEMPLATE)?;
    env.add_template("engine.html", ENGINE)?;
    let groups = run.groups();
    let page = env.get_template("page.html")?.render(context! {
        style => Value::from_safe_string(STYLE.to_owned()),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        json => Value::from_safe_string(escape_json(&json)),
        kernels => run.engine.is_none() || !run.cells.is_empty(),
        engine => Value::from(Serde(engine::view(run)?)),
        strip => Value::from(Serde(view::strip(run, &stats::summary(run)))),
        techniques => Value::from(Serde(view::standings(&stats::technique_standings(run)))),
        heat => Value::from(Serde(heat::tables(run, &groups))),
        workloads => Value::from(Serde(view::workloads(run))),
        table => Value::from(Serde(rows::table(run, &groups))),
        ops => Value::from(Serde(view::ops(run, &groups)?)),
        not_run => Value::from(Serde(view::not_run(run))),
        environment => Value::from(Serde(view::environment(run))),
        method => Value::from(Serde(view::method(run))),
    })?;
    Ok(page)
}

/// Renders `run` and writes the page to `path` in one step.
///
/// # Errors
/// As [`render`], or [`PageError::Io`].
pub fn write(run: &Run, path: impl AsRef<Path>) -> Result<(), PageError> {
    let path = path.as_ref();
    let page = render(run)?;
    write_atomically(path, page.as_bytes())
        .map_err(|source| PageError::Io { path: path.to_owned(), source })
}
