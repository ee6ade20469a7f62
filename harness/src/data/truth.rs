//! Exact nearest neighbours in f64: the judge of every answer.
//!
//! Nothing here is shared with the kernels and the index that are judged. It is plain code over
//! f64, in eight partial sums, over blocks of rows that stay in a core's cache.

use annvil::{Metric, RowsRef};
use rayon::prelude::*;

/// Relative slack when distances are compared: what rounding to f32 may change.
pub const SLACK: f64 = 1e-5;

/// Rows converted to f64 at a time.
const BLOCK_ROWS: usize = 64;
/// Most queries that share a converted block.
const GROUP: usize = 128;

/// The exact nearest rows of each query.
///
/// Values are smaller for nearer rows: the squared distance for [`Metric::L2`], the negated inner
/// product for [`Metric::Dot`], 1 - cos, and the distance itself for the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Neighbours per query.
    pub k: usize,
    /// `k` row numbers per query, nearest first, ties to the lower number.
    pub ids: Vec<u32>,
    /// Their values.
    pub values: Vec<f64>,
}

impl Truth {
    /// How many queries.
    #[must_use]
    pub fn queries(&self) -> usize {
        self.ids.len().checked_div(self.k).unwrap_or(0)
    }

    /// The row numbers of query `i`.
    ///
    /// # Panics
    /// If there is no such query.
    #[must_use]
    pub fn ids(&self, i: usize) -> &[u32] {
        &self.ids[i * self.k..][..self.k]
    }

    /// The values of query `i`.
    ///
    /// # Panics
    /// If there is no such query.
    #[must_use]
    pub fn values(&self, i: usize) -> &[f64] {
        &self.values[i * self.k..][..self.k]
    }
}

/// The `k` nearest rows (all, if there are fewer) of each query, by definition: every row is
/// compared, in f64, on the threads of `pool`. For a sample of the queries, pass a
/// [`slice`](RowsRef::slice) of them. A NaN counts as farther than everything.
///
/// # Panics
/// If the dimensions differ, or there are more rows than `u32` counts.
#[must_use]
pub fn exact_f64(
    base: RowsRef<'_, f32>,
    query: RowsRef<'_, f32>,
    metric: Metric,
    k: usize,
    pool: &rayon::ThreadPool,
) -> Truth {
    assert_eq!(base.dim(), query.dim(), "base and query of one dimension");
    assert!(u32::try_from(base.len()).is_ok(), "row numbers are u32");
    let k = k.min(base.len());
    let group = query.len().div_ceil(2 * pool.current_num_threads()).clamp(1, GROUP);
    let starts: Vec<usize> = (0..query.len()).step_by(group).collect();
    let found: Vec<(f64, u32)> = pool.install(|| {
        let nearest = |start: usize| {
            let group = query.slice(start, (start + group).min(query.len()));
            // One loop a metric: the choice is made outside of it.
            match metric {
                Metric::L2 => nearest_of(base, group, k, widen, l2sq),
                Metric::Dot => nearest_of(base, group, k, widen, |a, b| -dot(a, b)),
                Metric::Cosine => nearest_of(base, group, k, unit, |a, b| 1.0 - dot(a, b)),
                Metric::L1 => nearest_of(base, group, k, widen, l1),
                Metric::Linf => nearest_of(base, group, k, widen, linf),
                Metric::Hamming => nearest_of(base, group, k, widen, hamming),
            }
        };
        starts.into_par_iter().flat_map_iter(nearest).collect()
    });
    let (values, ids) = found.into_iter().unzip();
    Truth { k, ids, values }
}

/// The value of `query` and `row` as [`Truth`] defines it.
pub(super) fn value_f64(metric: Metric, query: &[f32], row: &[f32]) -> f64 {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    let prepare = if metric == Metric::Cosine { unit } else { widen };
    prepare(query, &mut a);
    prepare(row, &mut b);
    match metric {
        Metric::L2 => l2sq(&a, &b),
        Metric::Dot => -dot(&a, &b),
        Metric::Cosine => 1.0 - dot(&a, &b),
        Metric::L1 => l1(&a, &b),
        Metric::Linf => linf(&a, &b),
        Metric::Hamming => hamming(&a, &b),
    }
}

/// Elements of which one is above 0 and the other is not.
fn hamming(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).filter(|(x, y)| (**x > 0.0) != (**y > 0.0)).count() as f64
}

/// The nearest rows of each query of a group, one query's after the other's.
fn nearest_of(
    base: RowsRef<'_, f32>,
    group: RowsRef<'_, f32>,
    k: usize,
    prepare: impl Fn(&[f32], &mut Vec<f64>),
    value: impl Fn(&[f64], &[f64]) -> f64,
) -> Vec<(f64, u32)> {
    let dim = base.dim();
    let mut queries = Vec::with_capacity(group.len() * dim);
    (0..group.len()).for_each(|i| prepare(group.row(i), &mut queries));
    let mut nearest: Vec<Nearest> = (0..group.len()).map(|_| Nearest::new(k)).collect();
    let mut block = Vec::with_capacity(BLOCK_ROWS * dim);
    for start in (0..base.len()).step_by(BLOCK_ROWS) {
        block.clear();
        let end = (start + BLOCK_ROWS).min(base.len());
        (start..end).for_each(|i| prepare(base.row(i), &mut block));
        for (query, nearest) in queries.chunks_exact(dim).zip(&mut nearest) {
            for (id, row) in (start as u32..).zip(block.chunks_exact(dim)) {
                nearest.offer(value(query, row), id);
            }
        }
    }
    nearest.into_iter().flat_map(Nearest::finish).collect()
}

/// The `k` smallest so far, by value and then by row number.
struct Nearest {
    k: usize,
    /// A larger value is not among them.
    limit: f64,
    held: Vec<(f64, u32)>,
}

impl Nearest {
    fn new(k: usize) -> Self {
        Self { k, limit: f64::NAN, held: Vec::with_capacity(2 * k) }
    }

    fn offer(&mut self, value: f64, id: u32) {
        if self.k == 0 || value > self.limit {
            return;
        }
        // Adding zero turns -0 into 0, which ties with it.
        self.held.push((value + 0.0, id));
        if self.held.len() == 2 * self.k {
            let (_, worst, _) = self.held.select_nth_unstable_by(self.k - 1, nearer);
            self.limit = worst.0;
            self.held.truncate(self.k);
        }
    }

    fn finish(mut self) -> Vec<(f64, u32)> {
        self.held.sort_unstable_by(nearer);
        self.held.truncate(self.k);
        self.held
    }
}

/// NaN is the farthest, whatever its sign.
fn nearer(a: &(f64, u32), b: &(f64, u32)) -> std::cmp::Ordering {
    let order = a.0.partial_cmp(&b.0).unwrap_or_else(|| a.0.is_nan().cmp(&b.0.is_nan()));
    order.then(a.1.cmp(&b.1))
}

fn widen(row: &[f32], out: &mut Vec<f64>) {
    out.extend(row.iter().copied().map(f64::from));
}

/// Widened and divided by its norm; a zero vector stays one.
fn unit(row: &[f32], out: &mut Vec<f64>) {
    let start = out.len();
    widen(row, out);
    let row = &mut out[start..];
    let norm = dot(row, row).sqrt();
    if norm > 0.0 {
        row.iter_mut().for_each(|v| *v /= norm);
    }
}

fn l2sq(a: &[f64], b: &[f64]) -> f64 {
    lanes(a, b, |s, x, y| s + (x - y) * (x - y), |s, t| s + t)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    lanes(a, b, |s, x, y| s + x * y, |s, t| s + t)
}

fn l1(a: &[f64], b: &[f64]) -> f64 {
    lanes(a, b, |s, x, y| s + (x - y).abs(), |s, t| s + t)
}

fn linf(a: &[f64], b: &[f64]) -> f64 {
    let larger = |s: f64, t: f64| if s > t || s.is_nan() { s } else { t };
    lanes(a, b, |s, x, y| larger(s, (x - y).abs()), larger)
}

/// Folds two vectors of one length in eight lanes, so that no step waits for the one before.
#[inline(always)]
fn lanes(
    a: &[f64],
    b: &[f64],
    step: impl Fn(f64, f64, f64) -> f64,
    join: impl Fn(f64, f64) -> f64,
) -> f64 {
    let mut sums = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] = step(sums[lane], a[lane], b[lane]);
        }
    }
    for (lane, (x, y)) in a_rest.iter().zip(b_rest).enumerate() {
        sums[lane] = step(sums[lane], *x, *y);
    }
    sums.into_iter().reduce(join).unwrap_or(0.0)
}

/// How many of the answers are right.
#[derive(Clone, Debug, PartialEq)]
pub struct Recall {
    /// Neighbours that the ground truth has for these queries.
    pub expected: usize,
    /// Answers that are as near as the ground truth's last.
    pub found: usize,
    /// The first query with an answer missing or too far.
    pub first_wrong: Option<usize>,
}

impl Recall {
    /// Found over expected; 1 when nothing was expected.
    #[must_use]
    pub fn value(&self) -> f64 {
        if self.expected == 0 { 1.0 } else { self.found as f64 / self.expected as f64 }
    }
}

/// Counts right answers by distance: `answers[i]` are the row numbers found for query `i`, of which
/// the first `k` are looked at. One is right if it is a row, not a repetition, and its own distance,
/// computed here in f64, is not above that of the true `k`-th neighbour, with [`SLACK`]; so equal
/// distances may come in any order. Dot and cosine have a further slack of 1e-6 of the product of
/// the norms, which is where their rounding is measured.
///
/// # Panics
/// If there are more answers than queries or the ground truth has fewer queries, if the dimensions
/// differ, or if the ground truth has fewer than `min(k, rows)` neighbours a query.
#[must_use]
pub fn recall(
    base: RowsRef<'_, f32>,
    query: RowsRef<'_, f32>,
    metric: Metric,
    truth: &Truth,
    k: usize,
    answers: &[Vec<u32>],
) -> Recall {
    assert_eq!(base.dim(), query.dim(), "base and query of one dimension");
    let k = k.min(base.len());
    let mut tally = Recall { expected: answers.len() * k, found: 0, first_wrong: None };
    if k == 0 {
        return tally;
    }
    let norm = |v: &[f32]| value_f64(Metric::Dot, v, v).abs().sqrt();
    for (i, answer) in answers.iter().enumerate() {
        let (query, kth) = (query.row(i), truth.values(i)[k - 1]);
        let mut seen: Vec<u32> = Vec::with_capacity(k);
        for &id in answer.iter().take(k) {
            if id as usize >= base.len() || seen.contains(&id) {
                continue;
            }
            let row = base.row(id as usize);
            let scale = match metric {
                Metric::Dot => norm(query) * norm(row),
                Metric::Cosine => 1.0,
                Metric::L2 | Metric::L1 | Metric::Linf | Metric::Hamming => 0.0,
            };
            if value_f64(metric, query, row) <= kth + SLACK * kth.abs() + 1e-6 * scale {
                seen.push(id);
            }
        }
        tally.found += seen.len();
        if seen.len() < k && tally.first_wrong.is_none() {
            tally.first_wrong = Some(i);
        }
    }
    tally
}
