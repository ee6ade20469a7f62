//! The table of data sets: one row a set.

use std::fs;
use std::path::{Path, PathBuf};

use annvil::io::Element;

use super::{DataError, Dataset, discover};

/// What a table of data sets says about one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRow {
    /// The folder's own name.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// Rows to search.
    pub rows: usize,
    /// Elements of a row.
    pub dim: usize,
    /// What the file's rows are made of.
    pub element: Element,
    /// Queries.
    pub queries: usize,
    /// Queries of another kind than the base; 0 if the set has none.
    pub queries_ood: usize,
    /// Neighbours per query in the ground truth.
    pub truth_k: usize,
    /// Bytes of its files.
    pub bytes: u64,
    /// The licence note, see [`origin`].
    pub licence: Option<String>,
}

/// Every set below `roots`, in their order; a set that cannot be used is there as the reason why.
///
/// # Errors
/// A root that cannot be listed.
pub fn list(roots: &[PathBuf]) -> Result<Vec<Result<ListRow, DataError>>, DataError> {
    let mut rows = Vec::new();
    for root in roots {
        rows.extend(discover(root)?.into_iter().map(|set| set.map(|set| row(&set))));
    }
    Ok(rows)
}

fn row(set: &Dataset) -> ListRow {
    ListRow {
        name: set.name().to_owned(),
        dir: set.dir().to_path_buf(),
        rows: set.base().rows,
        dim: set.base().dim,
        element: set.base().element,
        queries: set.query().rows,
        queries_ood: set.query_ood().map_or(0, |q| q.rows),
        truth_k: set.truth_k(),
        bytes: set.bytes(),
        licence: origin(set).licence,
    }
}

/// What a README says about where a set comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The text after `Source:`.
    pub source: Option<String>,
    /// The text after `Licence:`.
    pub licence: Option<String>,
}

/// The notes on `set`: paragraphs that start with `Source:` and `Licence:` in the set's own
/// `README.md`, or in the section named like the set in the `README.md` one folder up.
#[must_use]
pub fn origin(set: &Dataset) -> Origin {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let own = read(&set.dir().join("README.md"));
    let shared = || {
        let whole = fs::canonicalize(set.dir()).ok()?;
        let text = read(&whole.parent()?.join("README.md"))?;
        let mut lines = text.lines();
        lines.find(|l| l.strip_prefix("## ").is_some_and(|title| title.trim() == set.name()))?;
        let section: Vec<&str> = lines.take_while(|l| !l.starts_with("## ")).collect();
        Some(section.join("\n"))
    };
    let about = |text: Option<String>| {
        let text = text.unwrap_or_default();
        Origin { source: note(text.lines(), "Source:"), licence: note(text.lines(), "Licence:") }
    };
    let own = about(own);
    if own.source.is_some() && own.licence.is_some() {
        return own;
    }
    let shared = about(shared());
    Origin { source: own.source.or(shared.source), licence: own.licence.or(shared.licence) }
}

/// The paragraph that starts with `word`, in one line.
fn note<'a>(lines: impl Iterator<Item = &'a str>, word: &str) -> Option<String> {
    let mut lines = lines.skip_while(|l| !l.starts_with(word));
    let first = lines.next()?.strip_prefix(word)?.trim();
    let rest = lines.take_while(|l| !l.trim().is_empty()).map(str::trim);
    let all: Vec<&str> = std::iter::once(first).chain(rest).filter(|l| !l.is_empty()).collect();
    Some(all.join(" "))
}
