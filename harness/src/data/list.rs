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
    /// The licence note, if a README there has one.
    pub licence: Option<String>,
}

/// Every set below `roots`, in their order; a set that cannot be used is there as the reason why.
///
/// The licence note is the text after `Licence:` in the set's own `README.md`, or in the section
/// named like the set in the `README.md` one folder up.
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
        licence: licence(set),
    }
}

fn licence(set: &Dataset) -> Option<String> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let own = read(&set.dir().join("README.md")).and_then(|text| note(text.lines()));
    own.or_else(|| {
        let whole = fs::canonicalize(set.dir()).ok()?;
        let text = read(&whole.parent()?.join("README.md"))?;
        let mut lines = text.lines();
        lines.find(|l| l.strip_prefix("## ").is_some_and(|title| title.trim() == set.name()))?;
        note(lines.take_while(|l| !l.starts_with("## ")))
    })
}

/// The paragraph that starts with `Licence:`, in one line.
fn note<'a>(lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut lines = lines.skip_while(|l| !l.starts_with("Licence:"));
    let first = lines.next()?.strip_prefix("Licence:")?.trim();
    let rest = lines.take_while(|l| !l.trim().is_empty()).map(str::trim);
    let all: Vec<&str> = std::iter::once(first).chain(rest).filter(|l| !l.is_empty()).collect();
    Some(all.join(" "))
}
