//! Exact nearest neighbours over real vectors, through the engine: is every answer right, and how
//! many queries a second does it give?
//!
//! Every metric is asked. For L2 the ground truth comes with the set and every query is asked; for
//! the others it is computed here in `f64`, for a bounded number of queries.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use annvil::{AlignedRows, Flat, Forced, InputError, Metric, Neighbor, QueryError, RowsRef};
use annvil_reports::schema::Workload;
use rayon::ThreadPool;

use crate::data::{DataError, Dataset, Truth, exact_f64, recall};
use crate::verdict::percentile;

/// Neighbours asked for.
pub const K: usize = 10;

/// Queries whose ground truth is computed here, for metrics without one in the set.
const COMPUTED_QUERIES: usize = 100;

/// How long each way of searching is timed, at least; and once through all queries.
const AT_LEAST: Duration = Duration::from_millis(250);

/// Why a set could not be searched.
#[derive(Debug)]
pub enum WorkloadError {
    /// The set cannot be read.
    Data(DataError),
    /// The engine refuses its rows, or a forced kernel.
    Rows(InputError),
    /// The engine refuses a query.
    Query(QueryError),
}

impl fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(e) => e.fmt(f),
            Self::Rows(e) => e.fmt(f),
            Self::Query(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for WorkloadError {}

impl From<DataError> for WorkloadError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<InputError> for WorkloadError {
    fn from(error: InputError) -> Self {
        Self::Rows(error)
    }
}

impl From<QueryError> for WorkloadError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}

/// One question: queries, their truth, a metric.
struct Question<'a> {
    name: String,
    metric: Metric,
    queries: RowsRef<'a, f32>,
    truth: Truth,
}

/// Searches `dataset` in every metric and every way of sharing the work; the rows so far when
/// `stop` is set. `command` repeats them.
///
/// # Errors
/// A damaged set, or rows, queries or a forced kernel that the engine refuses.
pub fn search(
    dataset: &Dataset,
    forced: &Forced,
    pool: &ThreadPool,
    command: &str,
    stop: &AtomicBool,
) -> Result<Vec<Workload>, WorkloadError> {
    let base = dataset.base().load()?;
    let queries = dataset.query().load()?;
    let outside = dataset.query_ood().map(|part| part.load()).transpose()?;
    let mut rows = Vec::new();
    for metric in Metric::DENSE {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let index = Flat::forced(base.clone(), metric, forced)?;
        for question in questions(dataset, metric, &base, &queries, outside.as_ref(), pool)? {
            for way in Way::ALL {
                let row = answer(&index, &base, &question, way, pool)?;
                rows.push(Workload { command: command.to_owned(), ..row });
            }
        }
    }
    Ok(rows)
}

fn questions<'a>(
    dataset: &Dataset,
    metric: Metric,
    base: &AlignedRows,
    queries: &'a AlignedRows,
    outside: Option<&'a AlignedRows>,
    pool: &ThreadPool,
) -> Result<Vec<Question<'a>>, WorkloadError> {
    let name = dataset.name().to_owned();
    if metric != Metric::L2 {
        let queries = queries.view().slice(0, queries.len().min(COMPUTED_QUERIES));
        let truth = exact_f64(base.view(), queries, metric, K, pool);
        return Ok(vec![Question { name, metric, queries, truth }]);
    }
    let mut all = Vec::new();
    if let (Some(rows), Some(truth)) = (outside, dataset.load_truth_ood()?) {
        let name = format!("{name} (other queries)");
        all.push(Question { name, metric, queries: rows.view(), truth });
    }
    let truth = dataset.load_truth()?;
    all.insert(0, Question { name, metric, queries: queries.view(), truth });
    Ok(all)
}

/// How the work is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// One query at a time, on the calling thread.
    Single,
    /// One query at a time, its rows shared by the threads.
    Shared,
    /// All queries at once, shared by the threads.
    Batch,
}

impl Way {
    const ALL: [Self; 3] = [Self::Single, Self::Shared, Self::Batch];

    fn index(self) -> &'static str {
        match self {
            Self::Single => "flat",
            Self::Shared => "flat, rows shared",
            Self::Batch => "flat, batch",
        }
    }

    fn threads(self, pool: &ThreadPool) -> usize {
        if self == Self::Single { 1 } else { pool.current_num_threads() }
    }
}

fn answer(
    index: &Flat,
    base: &AlignedRows,
    question: &Question<'_>,
    way: Way,
    pool: &ThreadPool,
) -> Result<Workload, WorkloadError> {
    let queries = question.queries;
    let k = K.min(question.truth.k);
    // The first pass is not timed: it is the one that is judged.
    let (found, _) = pass(index, queries, k, way, pool)?;
    let ids: Vec<Vec<u32>> = found.iter().map(|near| near.iter().map(|n| n.id).collect()).collect();
    let tally = recall(base.view(), queries, question.metric, &question.truth, k, &ids);
    let (start, mut asked, mut latencies) = (Instant::now(), 0u64, Vec::new());
    while start.elapsed() < AT_LEAST || asked == 0 {
        let (again, each) = pass(index, queries, k, way, pool)?;
        asked += again.len() as u64;
        latencies.extend(each);
    }
    let qps = asked as f64 / start.elapsed().as_secs_f64();
    let mut at = |q| (!latencies.is_empty()).then(|| percentile(&mut latencies, q));
    Ok(Workload {
        dataset: question.name.clone(),
        index: way.index().to_owned(),
        metric: question.metric.name().to_owned(),
        k,
        qps: Some(qps),
        recall: Some(tally.value()),
        p50_us: at(0.5),
        p99_us: at(0.99),
        threads: way.threads(pool),
        kernel: index.kernel(way == Way::Batch),
        rows: index.len() as u64,
        dim: index.dim(),
        queries: queries.len() as u64,
        ..Workload::default()
    })
}

/// Every query once: the answers, and the microseconds of each where they are asked one by one.
fn pass(
    index: &Flat,
    queries: RowsRef<'_, f32>,
    k: usize,
    way: Way,
    pool: &ThreadPool,
) -> Result<(Vec<Vec<Neighbor>>, Vec<f64>), QueryError> {
    if way == Way::Batch {
        return Ok((index.search_batch_in(pool, queries, k)?, Vec::new()));
    }
    let mut answers = Vec::with_capacity(queries.len());
    let mut each = Vec::with_capacity(queries.len());
    for i in 0..queries.len() {
        let start = Instant::now();
        answers.push(match way {
            Way::Shared => index.search_in(pool, queries.row(i), k)?,
            _ => index.search(queries.row(i), k)?,
        });
        each.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok((answers, each))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{builtin_root, discover};

    #[test]
    fn every_answer_over_the_built_in_sets_is_right_at_every_level() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let go = AtomicBool::new(false);
        let digits = builtin_root().join("digits");
        let dataset = Dataset::open(&digits).unwrap();
        for level in annvil_kernels::Level::ALL.into_iter().filter(|l| l.is_available()) {
            let forced = Forced::parse(&format!("f32/*/*={level}")).unwrap();
            let rows = search(&dataset, &forced, &pool, "x", &go).unwrap();
            assert_eq!(rows.len(), Metric::DENSE.len() * Way::ALL.len());
            for row in rows {
                assert_eq!(row.recall, Some(1.0), "{level}: {row:?}");
                assert!(row.kernel.contains(level.base().name()), "{}", row.kernel);
            }
        }
    }

    #[test]
    fn a_search_can_be_stopped() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let dataset = discover(&builtin_root()).unwrap().remove(0).unwrap();
        let stopped = AtomicBool::new(true);
        assert!(search(&dataset, &Forced::default(), &pool, "x", &stopped).unwrap().is_empty());
    }
}
