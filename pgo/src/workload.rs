//! A workload: a set, searched in three manners, every answer compared with the truth.

use annvil::{AlignedRows, Flat, Metric, Neighbor};

use crate::Stop;
use crate::clock::{Clock, Running};

/// Which queries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    /// The even ones.
    Train,
    /// The odd ones.
    Holdout,
}

impl Half {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Holdout => "holdout",
        }
    }

    fn has(self, query: usize) -> bool {
        query.is_multiple_of(2) == (self == Self::Train)
    }
}

/// Rows, queries and the true answers.
pub(crate) struct Set {
    pub(crate) name: String,
    pub(crate) metric: Metric,
    pub(crate) base: AlignedRows,
    pub(crate) query: AlignedRows,
    /// Neighbours per query.
    pub(crate) k: usize,
    /// `k` true distances per query, nearest first.
    pub(crate) distances: Vec<f32>,
    /// `k` true row numbers per query, where no distances are equal.
    pub(crate) ids: Option<Vec<u32>>,
}

/// What came of a workload.
pub(crate) struct Outcome {
    /// What was done on what, the same in every build: `digits/l2/flat/single`.
    pub(crate) name: String,
    pub(crate) rows: usize,
    pub(crate) dim: usize,
    /// Queries answered or rows taken in, repetitions included.
    pub(crate) operations: usize,
    pub(crate) seconds: f64,
    pub(crate) clock: Clock,
    /// A hash of all answers: builds must agree.
    pub(crate) answers: u64,
}

/// FNV-1a over row numbers, in order.
pub(crate) fn hash(ids: impl IntoIterator<Item = u32>) -> u64 {
    let bytes = ids.into_iter().flat_map(u32::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3))
}

/// Searches one half of the queries `repeat` times: one by one, all in a batch, and one by one
/// shared by the threads of `pool`.
pub(crate) fn run(
    set: Set,
    half: Half,
    repeat: usize,
    pool: &rayon::ThreadPool,
) -> Result<Vec<Outcome>, Stop> {
    let Set { name, metric, base, query: all, k, distances, ids } = set;
    let chosen: Vec<usize> = (0..all.len()).filter(|&q| half.has(q)).collect();
    let mut query = AlignedRows::with_capacity(chosen.len(), all.dim()).map_err(Stop::failed)?;
    for &q in &chosen {
        query.push(all.row(q)).map_err(Stop::failed)?;
    }
    let (rows, dim) = (base.len(), base.dim());
    let index = Flat::new(base, metric).map_err(Stop::failed)?;
    let each =
        |search: &dyn Fn(&[f32]) -> _| (0..query.len()).map(|q| search(query.row(q))).collect();
    let single = || each(&|q| index.search(q, k));
    let batch = || index.search_batch(query.view(), k);
    let shared = || each(&|q| index.search_in(pool, q, k));
    type Search<'a> = &'a dyn Fn() -> Result<Vec<Vec<Neighbor>>, annvil::QueryError>;
    let modes: [(&'static str, Clock, Search<'_>); 3] = [
        ("single", Clock::Cpu, &single),
        ("batch", Clock::Cpu, &batch),
        ("shared", Clock::Wall, &shared),
    ];

    let mut outcomes = Vec::new();
    for (mode, clock, search) in modes {
        let running = Running::start(clock);
        let mut answers = Vec::new();
        for _ in 0..repeat {
            answers = search().map_err(Stop::failed)?;
        }
        let seconds = running.seconds();
        // Outside of the time; every repetition gave the same answer or the last is the witness.
        for (&q, found) in chosen.iter().zip(&answers) {
            let truth = &distances[q * k..][..k];
            let ids = ids.as_ref().map(|ids| &ids[q * k..][..k]);
            if let Some(place) = first_wrong(metric, found, truth, ids) {
                return Err(Stop::wrong(format!(
                    "{name}, {metric}, {mode}: query {q}, neighbour {place}: found {:?}, the true \
                     distance is {}",
                    found.get(place),
                    truth[place]
                )));
            }
        }
        outcomes.push(Outcome {
            name: format!("{name}/{metric}/flat/{mode}"),
            rows,
            dim,
            operations: chosen.len() * repeat,
            seconds,
            clock,
            answers: hash(answers.iter().flatten().map(|n| n.id)),
        });
    }
    Ok(outcomes)
}

/// The first place whose answer is not the true one. Distances may differ by what f32 rounds.
fn first_wrong(
    metric: Metric,
    found: &[Neighbor],
    truth: &[f32],
    ids: Option<&[u32]>,
) -> Option<usize> {
    // Dot and cosine are differences of larger numbers: their rounding is that of the norms, 1.
    let floor = match metric {
        Metric::Dot | Metric::Cosine => 2e-6,
        Metric::L2 | Metric::L1 | Metric::Linf | Metric::Hamming => 1e-6,
    };
    (0..truth.len()).find(|&place| {
        let Some(n) = found.get(place) else { return true };
        let near = (n.distance - truth[place]).abs() <= 1e-5 * truth[place].abs() + floor;
        !near || ids.is_some_and(|ids| ids[place] != n.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_answers_are_found() {
        let n = |id, distance| Neighbor { id, distance };
        let truth = [1.0, 2.0];
        let check = |found: &[Neighbor], ids| first_wrong(Metric::L2, found, &truth, ids);
        assert_eq!(check(&[n(4, 1.0), n(5, 2.000_001)], Some(&[4, 5][..])), None);
        assert_eq!(check(&[n(4, 1.0), n(6, 2.0)], None), None);
        assert_eq!(check(&[n(4, 1.0), n(6, 2.0)], Some(&[4, 5][..])), Some(1));
        assert_eq!(check(&[n(4, 1.0), n(5, 2.001)], None), Some(1));
        assert_eq!(check(&[n(4, f32::NAN), n(5, 2.0)], None), Some(0));
        assert_eq!(check(&[n(4, 1.0)], None), Some(1));
    }
}
