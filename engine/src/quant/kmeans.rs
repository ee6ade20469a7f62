//! k-means: options, rows in, centroids out.

use annvil_kernels::{AlignedRows, Forced, RowsRef};

use super::error::TrainError;
use super::lloyd::{Limits, Task};
use super::random::Random;
use super::share::{Alone, Share};
use crate::error::first_not_finite;
use crate::mem::Arena;

/// Where the first centroids come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Init {
    /// Rows drawn evenly, each at most once.
    Sample,
    /// k-means++: rows drawn by their squared distance from those drawn before, out of a sample of
    /// 16 rows a centroid (Arthur and Vassilvitskii, 2007).
    #[default]
    PlusPlus,
}

/// What k-means shall do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KMeansOptions {
    /// Centroids.
    pub k: usize,
    /// Most moves of the centroids; fewer when they rest.
    pub iterations: usize,
    /// What is drawn at random depends on it alone.
    pub seed: u64,
    /// Stop when an iteration takes off no more than this part of the error. 0: when it takes off
    /// nothing.
    pub tolerance: f64,
    /// Train on a sample of this many rows if there are more.
    pub sample: usize,
    /// Where the first centroids come from.
    pub init: Init,
}

impl KMeansOptions {
    /// `k` centroids: 20 iterations, no tolerance, k-means++ and up to 256 rows a centroid.
    #[must_use]
    pub fn new(k: usize) -> Self {
        let sample = k.saturating_mul(256);
        Self { k, iterations: 20, seed: 0, tolerance: 0.0, sample, init: Init::default() }
    }

    pub(super) fn limits(&self) -> Result<Limits, TrainError> {
        let tolerance = self.tolerance;
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            return Err(TrainError::Tolerance { tolerance });
        }
        Ok(Limits { iterations: self.iterations, tolerance })
    }
}

/// Centroids, and how well they stand for the rows they were trained on.
#[derive(Clone, Debug)]
pub struct KMeans {
    /// The centroids.
    pub centroids: AlignedRows,
    /// The mean squared distance of a training row to its centroid.
    pub distortion: f64,
    /// How often the centroids were moved.
    pub iterations: usize,
}

/// The `k` centroids of `rows`, on the calling thread (Lloyd, Least squares quantization in PCM,
/// 1982). Rows are borrowed; a copy is made only of a sample.
///
/// A centroid that loses all its rows starts anew at the row that is farthest from its own one,
/// in the cluster with the largest error. Distances are those of `f32/l2sq/assign`: relative to
/// the norms, so rows far from the origin with little between them should be centred first.
///
/// # Errors
/// No centroid, fewer rows than centroids, a NaN or an infinity, squared distances beyond `f32`,
/// too little memory, or a forced kernel that cannot be had.
pub fn kmeans(
    rows: RowsRef<'_, f32>,
    options: &KMeansOptions,
    forced: &Forced,
) -> Result<KMeans, TrainError> {
    train(rows, options, forced, &Alone)
}

/// As [`kmeans`], on the threads of `pool`. The centroids are the same bits.
///
/// # Errors
/// As [`kmeans`].
#[cfg(feature = "parallel")]
pub fn kmeans_in(
    pool: &rayon::ThreadPool,
    rows: RowsRef<'_, f32>,
    options: &KMeansOptions,
    forced: &Forced,
) -> Result<KMeans, TrainError> {
    pool.install(|| train(rows, options, forced, &super::share::Pooled))
}

fn train(
    rows: RowsRef<'_, f32>,
    options: &KMeansOptions,
    forced: &Forced,
    share: &impl Share,
) -> Result<KMeans, TrainError> {
    let limits = options.limits()?;
    let rows = Training::of(rows, options.sample, options.seed)?;
    let random = Random::new(options.seed, 1);
    let arena = Arena::default();
    let mut task = Task::new(&arena, rows.view(), 0, options.k, options.init, random, forced)?;
    task.run(limits, share);
    let (centroids, distortion, iterations) = task.finish()?;
    Ok(KMeans { centroids, distortion, iterations })
}

/// Rows to train on: those given, or a copy of a sample.
pub(super) enum Training<'a> {
    All(RowsRef<'a, f32>),
    Sample(AlignedRows),
}

impl<'a> Training<'a> {
    /// At most `sample` of `rows`, all finite.
    pub(super) fn of(rows: RowsRef<'a, f32>, sample: usize, seed: u64) -> Result<Self, TrainError> {
        for row in 0..rows.len() {
            if let Some((position, value)) = first_not_finite(rows.row(row)) {
                return Err(TrainError::NotFinite { row, position, value });
            }
        }
        if rows.len() <= sample {
            return Ok(Self::All(rows));
        }
        let mut copy = AlignedRows::with_capacity(sample, rows.dim())?;
        for row in Random::new(seed, 0).choose(sample, rows.len()) {
            copy.push(rows.row(row))?;
        }
        Ok(Self::Sample(copy))
    }

    pub(super) fn view(&self) -> RowsRef<'_, f32> {
        match self {
            Self::All(rows) => *rows,
            Self::Sample(rows) => rows.view(),
        }
    }
}
