//! A data set against itself: finite rows, ground truth computed anew, checksums.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};

use annvil::{AlignedRows, Metric};

use super::checksum::{listed, sha256_file};
use super::truth::{SLACK, value_f64};
use super::{DataError, Dataset, Part, Truth, exact_f64};

/// Most problems that are listed; the rest are counted.
const LISTED: usize = 20;

/// Something in a data set is wrong.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// A NaN or an infinity.
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Row number from 0.
        row: usize,
        /// Position in the row, from 0.
        position: usize,
        /// What stands there.
        value: f32,
    },
    /// The ground truth's neighbour is not as far as the true one of its place.
    WrongNeighbour {
        /// Whether the query is one of `query_ood`.
        ood: bool,
        /// Which query.
        query: usize,
        /// Its place, from 0.
        place: usize,
        /// The row number there.
        id: u32,
        /// That row's squared distance, computed in f64.
        found: f64,
        /// The true squared distance of this place.
        expected: f64,
    },
    /// A row number twice among a query's neighbours.
    Repeated {
        /// Whether the query is one of `query_ood`.
        ood: bool,
        /// Which query.
        query: usize,
        /// Its second place, from 0.
        place: usize,
        /// The row number.
        id: u32,
    },
    /// The stored distance is not that of the stored neighbour.
    WrongDistance {
        /// Whether the query is one of `query_ood`.
        ood: bool,
        /// Which query.
        query: usize,
        /// Its place, from 0.
        place: usize,
        /// The stored squared distance.
        found: f64,
        /// The stored neighbour's squared distance, computed in f64.
        expected: f64,
    },
    /// A file has other bytes than its checksum says.
    Checksum {
        /// The file.
        path: PathBuf,
        /// What its bytes give.
        found: String,
        /// What the list says.
        expected: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = |ood: &bool| if *ood { "query_ood" } else { "query" };
        match self {
            Self::NotFinite { path, row, position, value } => write!(
                f,
                "{}: row {row}, position {position}: {value} is not a finite number",
                path.display()
            ),
            Self::WrongNeighbour { ood, query, place, id, found, expected } => write!(
                f,
                "{} {query}, neighbour {place}: row {id} is at {found} (squared), the true \
                 neighbour at {expected}",
                which(ood)
            ),
            Self::Repeated { ood, query, place, id } => {
                write!(f, "{} {query}, neighbour {place}: row {id} for the second time", which(ood))
            }
            Self::WrongDistance { ood, query, place, found, expected } => write!(
                f,
                "{} {query}, neighbour {place}: the stored distance is {found}, the row's is \
                 {expected} (squared)",
                which(ood)
            ),
            Self::Checksum { path, found, expected } => write!(
                f,
                "{}: its SHA-256 is {found} and the list says {expected}; fetch it again",
                path.display()
            ),
        }
    }
}

/// What was checked, and what was wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The folder's own name.
    pub name: String,
    /// Rows to search.
    pub rows: usize,
    /// Elements of a row.
    pub dim: usize,
    /// Neighbours per query in the ground truth.
    pub truth_k: usize,
    /// Queries whose ground truth was computed anew, those of another kind included.
    pub queries_checked: usize,
    /// Files whose checksum was compared; 0 if there is no list.
    pub files_hashed: usize,
    /// The first problems.
    pub problems: Vec<Problem>,
    /// Problems beyond those.
    pub unlisted: usize,
}

impl Verified {
    /// Whether nothing was wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    fn add(&mut self, problem: Problem) {
        if self.problems.len() < LISTED {
            self.problems.push(problem);
        } else {
            self.unlisted += 1;
        }
    }
}

/// Checks the set in `dir`: layout and sizes, every value finite, every neighbour and distance of
/// the ground truth against exact ones computed in f64 on the threads of `pool` (compared by
/// distance with [`SLACK`]), and every file in a list of checksums. `limit` bounds how many queries
/// of each kind are computed.
///
/// # Errors
/// A set that cannot be read at all. A wrong one is a [`Verified`] with problems.
pub fn verify(
    dir: &Path,
    limit: Option<usize>,
    pool: &rayon::ThreadPool,
) -> Result<Verified, DataError> {
    let set = Dataset::open(dir)?;
    let base = set.base().load()?;
    let mut report = Verified {
        name: set.name().to_owned(),
        rows: base.len(),
        dim: base.dim(),
        truth_k: set.truth_k(),
        queries_checked: 0,
        files_hashed: 0,
        problems: Vec::new(),
        unlisted: 0,
    };
    check_finite(set.base(), &base, &mut report);
    let truth = set.load_truth()?;
    check_truth(false, set.query(), &base, &truth, limit, pool, &mut report)?;
    if let (Some(query), Some(truth)) = (set.query_ood(), set.load_truth_ood()?) {
        check_truth(true, query, &base, &truth, limit, pool, &mut report)?;
    }
    for (path, expected) in listed(dir)? {
        let found = sha256_file(&path)?;
        report.files_hashed += 1;
        if found != expected {
            report.add(Problem::Checksum { path, found, expected });
        }
    }
    Ok(report)
}

fn check_finite(part: &Part, rows: &AlignedRows, report: &mut Verified) {
    for row in 0..rows.len() {
        let bad = rows.row(row).iter().position(|v| !v.is_finite());
        if let Some(position) = bad {
            let (path, value) = (part.path.clone(), rows.row(row)[position]);
            report.add(Problem::NotFinite { path, row, position, value });
        }
    }
}

fn check_truth(
    ood: bool,
    part: &Part,
    base: &AlignedRows,
    stored: &Truth,
    limit: Option<usize>,
    pool: &rayon::ThreadPool,
    report: &mut Verified,
) -> Result<(), DataError> {
    let query = part.load()?;
    check_finite(part, &query, report);
    let queries = limit.map_or(query.len(), |limit| limit.min(query.len()));
    let sample = query.view().slice(0, queries);
    let exact = exact_f64(base.view(), sample, Metric::L2, stored.k, pool);
    // More neighbours than rows: the surplus can only be repetitions, which are found below.
    let close = |found: f64, expected: f64| (found - expected).abs() <= SLACK * expected.abs();
    for i in 0..queries {
        let mut seen = HashSet::with_capacity(stored.k);
        for (place, (&id, &distance)) in stored.ids(i).iter().zip(stored.values(i)).enumerate() {
            if !seen.insert(id) {
                report.add(Problem::Repeated { ood, query: i, place, id });
                continue;
            }
            let own = value_f64(Metric::L2, sample.row(i), base.row(id as usize));
            if let Some(&expected) = exact.values(i).get(place)
                && !close(own, expected)
            {
                report.add(Problem::WrongNeighbour {
                    ood,
                    query: i,
                    place,
                    id,
                    found: own,
                    expected,
                });
            }
            if !close(distance, own) {
                report.add(Problem::WrongDistance {
                    ood,
                    query: i,
                    place,
                    found: distance,
                    expected: own,
                });
            }
        }
    }
    report.queries_checked += queries;
    Ok(())
}
