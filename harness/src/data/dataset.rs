//! A folder with a data set in it: which files, how large, and their contents on demand.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use annvil::AlignedRows;
use annvil::io::{Element, Format, RowReader};

use super::{DataError, Truth};

/// One file of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub path: PathBuf,
    /// Its rows.
    pub rows: usize,
    /// Elements of a row.
    pub dim: usize,
    /// What its rows are made of.
    pub element: Element,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Part {
    fn open(path: PathBuf) -> Result<Self, DataError> {
        let (reader, bytes) = open(&path)?;
        let (rows, dim, element) = (reader.rows(), reader.dim(), reader.element());
        Ok(Self { path, rows, dim, element, bytes })
    }

    /// A streaming reader over the file, at its first row.
    ///
    /// # Errors
    /// A file that cannot be opened, or is damaged.
    pub fn reader(&self) -> Result<RowReader<BufReader<File>>, DataError> {
        Ok(open(&self.path)?.0)
    }

    /// The rows, as f32.
    ///
    /// # Errors
    /// A file that cannot be opened, or is damaged.
    pub fn load(&self) -> Result<AlignedRows, DataError> {
        Ok(self.reader()?.load()?)
    }
}

/// Opens a vector file: the one place where the file system's length meets the reader.
fn open(path: &Path) -> Result<(RowReader<BufReader<File>>, u64), DataError> {
    let format = Format::from_path(path)
        .ok_or_else(|| DataError::UnknownFormat { path: path.to_path_buf() })?;
    let file = File::open(path).map_err(DataError::io(path))?;
    let len = file.metadata().map_err(DataError::io(path))?.len();
    Ok((RowReader::new(BufReader::new(file), len, format, path)?, len))
}

/// Queries with their ground truth.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Questions {
    query: Part,
    ids: Part,
    distances: Part,
}

/// A data set whose files were found and whose headers agree. Rows are read on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    name: String,
    dir: PathBuf,
    base: Part,
    questions: Questions,
    ood: Option<Questions>,
}

impl Dataset {
    /// Looks at the files of `dir`: their headers and lengths, no rows.
    ///
    /// # Errors
    /// A missing or damaged file, or two that do not fit together.
    pub fn open(dir: &Path) -> Result<Self, DataError> {
        let missing = |what| DataError::Missing { dir: dir.to_path_buf(), what };
        let base = Part::open(find(dir, "base")?.ok_or_else(|| missing("base.*"))?)?;
        let query = find(dir, "query")?.ok_or_else(|| missing("query.*"))?;
        let questions = Questions::open(dir, query, &base, "")?;
        let ood = match find(dir, "query_ood")? {
            Some(query) => Some(Questions::open(dir, query, &base, "_ood")?),
            None => None,
        };
        // `a/b/..` and `.` have no last name of their own.
        let whole = fs::canonicalize(dir).map_err(DataError::io(dir))?;
        let name = whole.file_name().unwrap_or(whole.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, dir: dir.to_path_buf(), base, questions, ood })
    }

    /// The folder's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The rows to search.
    #[must_use]
    pub fn base(&self) -> &Part {
        &self.base
    }

    /// The queries.
    #[must_use]
    pub fn query(&self) -> &Part {
        &self.questions.query
    }

    /// Neighbours per query in the ground truth.
    #[must_use]
    pub fn truth_k(&self) -> usize {
        self.questions.ids.dim
    }

    /// The queries of another kind than the base, if the set has such.
    #[must_use]
    pub fn query_ood(&self) -> Option<&Part> {
        self.ood.as_ref().map(|q| &q.query)
    }

    /// All files of the set.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let questions = std::iter::once(&self.questions).chain(&self.ood);
        std::iter::once(&self.base).chain(questions.flat_map(|q| [&q.query, &q.ids, &q.distances]))
    }

    /// Bytes of all files of the set.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts().map(|p| p.bytes).sum()
    }

    /// The ground truth for squared L2. Every row number in it is one of the base.
    ///
    /// # Errors
    /// A damaged file, or a row number that the base does not have.
    pub fn load_truth(&self) -> Result<Truth, DataError> {
        self.questions.load_truth(self.base.rows)
    }

    /// The ground truth of [`Dataset::query_ood`], if the set has such.
    ///
    /// # Errors
    /// As [`Dataset::load_truth`].
    pub fn load_truth_ood(&self) -> Result<Option<Truth>, DataError> {
        self.ood.as_ref().map(|q| q.load_truth(self.base.rows)).transpose()
    }
}

impl Questions {
    fn open(dir: &Path, query: PathBuf, base: &Part, suffix: &str) -> Result<Self, DataError> {
        let (ids_name, distances_name) = match suffix {
            "" => ("groundtruth.ivecs", "groundtruth_dist.fvecs"),
            _ => ("groundtruth_ood.ivecs", "groundtruth_ood_dist.fvecs"),
        };
        let file = |name| {
            let path = dir.join(name);
            match path.is_file() {
                true => Part::open(path),
                false => Err(DataError::Missing { dir: dir.to_path_buf(), what: name }),
            }
        };
        let query = Part::open(query)?;
        let (ids, distances) = (file(ids_name)?, file(distances_name)?);
        let agree = |part: &Part, what, expected, found| match expected == found {
            true => Ok(()),
            false => {
                let path = part.path.clone();
                Err(DataError::Disagree { path, what, expected, found })
            }
        };
        agree(&query, "the dimension", base.dim, query.dim)?;
        agree(&ids, "the number of queries", query.rows, ids.rows)?;
        agree(&distances, "the number of queries", query.rows, distances.rows)?;
        agree(&distances, "the number of neighbours", ids.dim, distances.dim)?;
        Ok(Self { query, ids, distances })
    }

    fn load_truth(&self, rows: usize) -> Result<Truth, DataError> {
        let k = self.ids.dim;
        let mut reader = self.ids.reader()?;
        let (mut row, mut ids) = (vec![0; k], Vec::with_capacity(self.ids.rows * k));
        for query in 0.. {
            if !reader.next_i32(&mut row)? {
                break;
            }
            for &id in &row {
                match u32::try_from(id) {
                    Ok(known) if (known as usize) < rows => ids.push(known),
                    _ => {
                        let path = self.ids.path.clone();
                        return Err(DataError::NoSuchRow { path, query, id, rows });
                    }
                }
            }
        }
        let mut reader = self.distances.reader()?;
        let (mut row, mut values) = (vec![0.0; k], Vec::with_capacity(ids.len()));
        while reader.next_f32(&mut row)? {
            values.extend(row.iter().copied().map(f64::from));
        }
        Ok(Truth { k, ids, values })
    }
}

/// The folder of the two sets that come with the source.
#[must_use]
pub fn builtin_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// Every set in the sub-folders of `root`, and in `root` itself, in the order of their paths: every
/// folder that holds a `base.*`. A set that cannot be used is there as the reason why.
///
/// # Errors
/// A folder that cannot be listed.
pub fn discover(root: &Path) -> Result<Vec<Result<Dataset, DataError>>, DataError> {
    let mut dirs = vec![root.to_path_buf()];
    for entry in fs::read_dir(root).map_err(DataError::io(root))? {
        let path = entry.map_err(DataError::io(root))?.path();
        if path.is_dir() {
            dirs.push(path);
        }
    }
    dirs.sort();
    let mut sets = Vec::new();
    for dir in dirs {
        match find(&dir, "base") {
            Ok(None) => {}
            Ok(Some(_)) => sets.push(Dataset::open(&dir)),
            Err(e) => sets.push(Err(e)),
        }
    }
    Ok(sets)
}

/// The file `stem.*` of a format that is read; none if there is none.
fn find(dir: &Path, stem: &str) -> Result<Option<PathBuf>, DataError> {
    if !dir.is_dir() {
        // Lists the folder for its error.
        fs::read_dir(dir).map_err(DataError::io(dir))?;
    }
    let mut found: Option<PathBuf> = None;
    for format in Format::ALL {
        let path = dir.join(stem).with_extension(format.extension());
        if path.is_file() {
            if let Some(first) = found {
                return Err(DataError::Ambiguous { first, second: path });
            }
            found = Some(path);
        }
    }
    Ok(found)
}
