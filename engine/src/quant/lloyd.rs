//! Lloyd's iteration on borrowed rows.
//!
//! ```text
//! rows     |block|block|block| |block|block|block| ...   blocks go through the assign kernel
//! chunks   |    chunk 0      | |    chunk 1      | ...   sums, counts and errors of each
//! sums     chunk 0 + chunk 1 + ...                       joined in this order: f64
//! ```
//! How rows are cut into chunks depends on their number alone, and a chunk's sums are taken in the
//! order of its rows. So it does not matter who works on which chunk, and the centroids are the
//! same bits on any number of threads.

use annvil_kernels::{
    AlignedRows, Assign, Bound, Forced, Residence, RowsRef, Scan, norm_sq, resolve,
};

use super::error::TrainError;
use super::kmeans::Init;
use super::random::Random;
use super::share::Share;
use crate::mem::{Arena, ArenaError};

/// Rows of one kernel call.
const BLOCK: usize = 256;
/// Rows that are worth sums of their own.
const CHUNK: usize = 2048;
/// Most chunks: work for as many threads in one sub-space.
const CHUNKS: usize = 16;
/// Rows a centroid that a k-means++ start looks at.
const CANDIDATES: usize = 16;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) iterations: usize,
    pub(super) tolerance: f64,
}

/// What is known of a centroid's rows.
#[derive(Clone, Copy, Debug, Default)]
struct Cluster {
    rows: u32,
    /// The sum of their squared distances.
    error: f64,
    /// The largest of these, and the first row that has it.
    farthest: (f32, u32),
}

/// A part of the rows, with all that one iteration finds out about it.
#[derive(Debug)]
struct Chunk<'a> {
    from: usize,
    to: usize,
    ids: &'a mut [u32],
    values: &'a mut [f32],
    sums: &'a mut [f64],
    clusters: Vec<Cluster>,
}

/// The centroids of one window of columns.
#[derive(Debug)]
pub(super) struct Task<'a> {
    rows: RowsRef<'a, f32>,
    /// Of the window in its vector, for errors.
    position: usize,
    assign: Bound<Assign>,
    centroids: AlignedRows,
    norms: &'a mut [f32],
    chunks: Vec<Chunk<'a>>,
    error: f64,
    iterations: usize,
    failed: Option<TrainError>,
}

impl<'a> Task<'a> {
    /// Everything that the iterations need, out of `arena`, and the first centroids. `rows` are
    /// finite.
    pub(super) fn new(
        arena: &'a Arena,
        rows: RowsRef<'a, f32>,
        position: usize,
        k: usize,
        init: Init,
        mut random: Random,
        forced: &Forced,
    ) -> Result<Self, TrainError> {
        let (n, dim) = (rows.len(), rows.dim());
        if k == 0 {
            return Err(TrainError::NoCentroids);
        }
        if n < k {
            return Err(TrainError::TooFewRows { rows: n, k });
        }
        if u32::try_from(n).is_err() {
            return Err(TrainError::TooManyRows { rows: n });
        }
        let assign = resolve::<Assign>("f32/l2sq/assign", dim, Residence::Cache, forced)?;
        let mut centroids = AlignedRows::zeroed(k, dim)?;
        let first = match init {
            Init::Sample => random.choose(k, n),
            Init::PlusPlus => spread(arena, rows, k, &mut random, forced)?,
        };
        for (c, row) in first.into_iter().enumerate() {
            centroids.row_mut(c).copy_from_slice(rows.row(row));
        }
        // Few chunks where centroids are many, or their sums would outweigh the rows.
        let parts = (n / CHUNK.max(4 * k)).clamp(1, CHUNKS);
        let blocks = n.div_ceil(BLOCK);
        let cut = |part: usize| (blocks * part / parts * BLOCK).min(n);
        let chunk = |part| Chunk::new(arena, cut(part), cut(part + 1), k, dim);
        let chunks = (0..parts).map(chunk).collect::<Result<_, _>>()?;
        let norms = arena.zeroed(k)?;
        let (error, iterations, failed) = (f64::INFINITY, 0, None);
        Ok(Self { rows, position, assign, centroids, norms, chunks, error, iterations, failed })
    }

    /// Moves centroids until they rest or the limit is reached, and computes the error of where
    /// they are then. Allocates nothing.
    pub(super) fn run(&mut self, limits: Limits, share: &impl Share) {
        self.error = f64::INFINITY;
        loop {
            let before = self.error;
            self.assign(share);
            if !self.error.is_finite() {
                self.failed = Some(TrainError::Overflow { position: self.position });
                return;
            }
            let rests = before.is_finite() && before - self.error <= limits.tolerance * before;
            if rests || self.error == 0.0 || self.iterations == limits.iterations {
                return;
            }
            self.update();
            self.iterations += 1;
        }
    }

    /// The centroids, the mean squared distance to them, and the iterations that it took.
    pub(super) fn finish(self) -> Result<(AlignedRows, f64, usize), TrainError> {
        match self.failed {
            Some(e) => Err(e),
            None => Ok((self.centroids, self.error / self.rows.len() as f64, self.iterations)),
        }
    }

    /// Finds the nearest centroid of each row; the sums are then in the first chunk.
    fn assign(&mut self, share: &impl Share) {
        let Self { rows, assign, centroids, norms, chunks, .. } = self;
        let centroids = centroids.view();
        for (c, norm) in norms.iter_mut().enumerate() {
            *norm = norm_sq(centroids.row(c));
        }
        let (rows, norms) = (*rows, &norms[..]);
        share.each(chunks, |chunk| chunk.assign(assign, rows, centroids, norms));
        if let Some((first, others)) = chunks.split_first_mut() {
            others.iter().for_each(|chunk| first.add(chunk));
            self.error = first.clusters.iter().map(|c| c.error).sum();
        }
    }

    /// Moves each centroid to the mean of its rows. One without rows takes the farthest row of the
    /// cluster with the largest error, which no other takes from this cluster in this round; it
    /// stays where it is when no row is off its centroid.
    fn update(&mut self) {
        let Some(Chunk { sums, clusters, .. }) = self.chunks.first_mut() else { return };
        for (c, cluster) in clusters.iter().enumerate().filter(|(_, c)| c.rows > 0) {
            let centroid = self.centroids.row_mut(c);
            let count = f64::from(cluster.rows);
            for (x, sum) in centroid.iter_mut().zip(&sums[c * self.rows.dim()..]) {
                *x = (sum / count) as f32;
            }
        }
        for c in 0..clusters.len() {
            if clusters[c].rows > 0 {
                continue;
            }
            // Of equal errors the first: `max_by` alone would take the last.
            let worst = clusters.iter_mut().rev().max_by(|a, b| a.error.total_cmp(&b.error));
            match worst {
                Some(worst) if worst.error > 0.0 => {
                    worst.error = 0.0;
                    let row = self.rows.row(worst.farthest.1 as usize);
                    self.centroids.row_mut(c).copy_from_slice(row);
                }
                _ => break,
            }
        }
    }
}

impl<'a> Chunk<'a> {
    fn new(
        arena: &'a Arena,
        from: usize,
        to: usize,
        k: usize,
        dim: usize,
    ) -> Result<Self, ArenaError> {
        let block = BLOCK.min(to - from);
        let (ids, values) = (arena.zeroed(block)?, arena.zeroed(block)?);
        // All of these are zeroed before each iteration.
        let sums = arena.recycled(k.saturating_mul(dim))?;
        Ok(Self { from, to, ids, values, sums, clusters: vec![Cluster::default(); k] })
    }

    fn assign(
        &mut self,
        assign: &Bound<Assign>,
        rows: RowsRef<'_, f32>,
        centroids: RowsRef<'_, f32>,
        norms: &[f32],
    ) {
        let dim = rows.dim();
        self.sums.fill(0.0);
        self.clusters.fill(Cluster::default());
        for from in (self.from..self.to).step_by(BLOCK) {
            let block = rows.slice(from, (from + BLOCK).min(self.to));
            let (ids, values) = (&mut self.ids[..block.len()], &mut self.values[..block.len()]);
            assign.call(block, centroids, norms, ids, values);
            for (i, (&id, &value)) in ids.iter().zip(&*values).enumerate() {
                let sums = &mut self.sums[id as usize * dim..][..dim];
                for (sum, &x) in sums.iter_mut().zip(block.row(i)) {
                    *sum += f64::from(x);
                }
                let row = (from + i) as u32;
                let one = Cluster { rows: 1, error: f64::from(value), farthest: (value, row) };
                self.clusters[id as usize].add(&one);
            }
        }
    }

    /// Takes in what a later chunk found.
    fn add(&mut self, later: &Self) {
        self.sums.iter_mut().zip(&*later.sums).for_each(|(sum, x)| *sum += x);
        self.clusters.iter_mut().zip(&later.clusters).for_each(|(c, other)| c.add(other));
    }
}

impl Cluster {
    /// Takes in later rows.
    fn add(&mut self, later: &Self) {
        self.rows += later.rows;
        self.error += later.error;
        if later.farthest.0 > self.farthest.0 {
            self.farthest = later.farthest;
        }
    }
}

/// Rows far from each other: each is drawn with a probability in proportion to its squared distance
/// from the nearest one so far, out of a sample of 16 rows a centroid (k-means++: Arthur and
/// Vassilvitskii, k-means++: The Advantages of Careful Seeding, 2007).
fn spread(
    arena: &Arena,
    rows: RowsRef<'_, f32>,
    k: usize,
    random: &mut Random,
    forced: &Forced,
) -> Result<Vec<usize>, TrainError> {
    let scan = resolve::<Scan<f32>>("f32/l2sq/scan", rows.dim(), Residence::Cache, forced)?;
    let candidates = random.choose(k.saturating_mul(CANDIDATES), rows.len());
    let mut sample = arena.rows(candidates.len(), rows.dim())?;
    for (i, &row) in candidates.iter().enumerate() {
        sample.row_mut(i).copy_from_slice(rows.row(row));
    }
    let sample = sample.view();
    let (nearest, values) = (arena.recycled(candidates.len())?, arena.zeroed(candidates.len())?);
    nearest.fill(f32::INFINITY);
    let mut chosen = Vec::with_capacity(k);
    let mut next = random.below(candidates.len());
    while chosen.len() < k {
        chosen.push(candidates[next]);
        scan.call(sample.row(next), sample, values);
        for (nearest, &value) in nearest.iter_mut().zip(&*values) {
            *nearest = nearest.min(value);
        }
        let total: f64 = nearest.iter().map(|&v| f64::from(v)).sum();
        let mut target = random.unit() * total;
        // Where all candidates are taken or equal, the draw is even.
        next = random.below(candidates.len());
        if total > 0.0 && total.is_finite() {
            for (i, &value) in nearest.iter().enumerate().filter(|(_, v)| **v > 0.0) {
                next = i;
                target -= f64::from(value);
                if target < 0.0 {
                    break;
                }
            }
        }
    }
    Ok(chosen)
}
