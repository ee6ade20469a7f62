//! The nearest rows of any [`Scorer`], by scoring all of them or all that are listed.
//!
//! Ranges go through `score_range` and lists through `score_ids`, a block of ranks at a time; ranks
//! go straight into a top-k buffer. Results are (rank, slot), nearest first, ties by the lower slot.
//! What is rejected is never returned and is scored all the same: where few rows are wanted, list
//! them.

use crate::scorer::Scorer;
use crate::topk::TopK;

/// Ranks of one call: whole blocks of every layout, and 4 KiB.
const BLOCK: usize = 1024;

/// The `k` nearest of all rows that `accept` takes, in `out`. On the calling thread.
///
/// ```
/// use annvil::scorer::{F32Rows, Scorer};
/// use annvil::{AlignedRows, Forced, Metric, exact};
///
/// let rows = AlignedRows::from_packed(&[0.0, 4.0, 1.0, 3.0], 1)?;
/// let rows = F32Rows::new(rows, Metric::L1, &Forced::default())?;
/// let (mut query, mut found) = (Vec::new(), Vec::new());
/// rows.prepare(&[0.5], &mut query);
/// exact::nearest(&rows, &query, 2, &|slot| slot != 0, &mut found);
/// assert_eq!(found, [(0.5, 2), (2.5, 3)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn nearest<S: Scorer>(
    rows: &S,
    query: &S::Query,
    k: usize,
    accept: &(impl Fn(u32) -> bool + ?Sized),
    out: &mut Vec<(f32, u32)>,
) {
    let top = top_of_range(rows, query, k, accept, 0, rows.len());
    finish(top, out);
}

/// Adds the nearest rows from slot `from` on to `out`, in order, and leaves its `k` nearest.
#[cfg(feature = "hnsw")]
pub(crate) fn add_nearest_from<S: Scorer>(
    rows: &S,
    query: &S::Query,
    k: usize,
    accept: &(impl Fn(u32) -> bool + ?Sized),
    from: usize,
    out: &mut Vec<(f32, u32)>,
) {
    let mut more = Vec::new();
    finish(top_of_range(rows, query, k, accept, from, rows.len()), &mut more);
    out.append(&mut more);
    out.sort_by_key(|&(rank, slot)| crate::order::key(rank, slot));
    out.truncate(k);
}

/// As [`nearest`], shared by the threads of `pool`: contiguous parts, a top-k buffer each. The
/// answer is the same.
#[cfg(feature = "parallel")]
pub fn nearest_in<S: Scorer>(
    pool: &rayon::ThreadPool,
    rows: &S,
    query: &S::Query,
    k: usize,
    accept: &(impl Fn(u32) -> bool + Sync + ?Sized),
    out: &mut Vec<(f32, u32)>,
) {
    let len = rows.len();
    let top = shared(pool, k, len, |from, to| top_of_range(rows, query, k, accept, from, to));
    finish(top, out);
}

/// The `k` nearest of the rows at `slots`, in `out`. On the calling thread. A slot that is listed
/// twice may be found twice.
///
/// # Panics
/// If a slot is out of range.
pub fn nearest_of<S: Scorer>(
    rows: &S,
    query: &S::Query,
    k: usize,
    slots: &[u32],
    out: &mut Vec<(f32, u32)>,
) {
    finish(top_of_list(rows, query, k, slots), out);
}

/// As [`nearest_of`], shared by the threads of `pool`. The answer is the same.
///
/// # Panics
/// As [`nearest_of`].
#[cfg(feature = "parallel")]
pub fn nearest_of_in<S: Scorer>(
    pool: &rayon::ThreadPool,
    rows: &S,
    query: &S::Query,
    k: usize,
    slots: &[u32],
    out: &mut Vec<(f32, u32)>,
) {
    let list = |from: usize, to: usize| top_of_list(rows, query, k, &slots[from..to]);
    finish(shared(pool, k, slots.len(), list), out);
}

fn top_of_range<S: Scorer>(
    rows: &S,
    query: &S::Query,
    k: usize,
    accept: &(impl Fn(u32) -> bool + ?Sized),
    from: usize,
    to: usize,
) -> TopK {
    let mut top = TopK::new(k, to - from);
    let mut ranks = [0.0; BLOCK];
    for start in (from..to).step_by(BLOCK) {
        let ranks = &mut ranks[..BLOCK.min(to - start)];
        let first = start as u32;
        rows.score_range(query, first, ranks);
        top.offer_accepted(first, ranks, accept);
    }
    top
}

fn top_of_list<S: Scorer>(rows: &S, query: &S::Query, k: usize, slots: &[u32]) -> TopK {
    let mut top = TopK::new(k, slots.len());
    let mut ranks = [0.0; BLOCK];
    for slots in slots.chunks(BLOCK) {
        let ranks = &mut ranks[..slots.len()];
        rows.score_ids(query, slots, ranks);
        top.offer_listed(slots, ranks);
    }
    top
}

/// The best of as many parts as the pool has threads, whole blocks each.
#[cfg(feature = "parallel")]
fn shared(
    pool: &rayon::ThreadPool,
    k: usize,
    len: usize,
    part: impl Fn(usize, usize) -> TopK + Sync,
) -> TopK {
    use rayon::prelude::*;

    let blocks = len.div_ceil(BLOCK);
    let parts = pool.current_num_threads().min(blocks).max(1);
    let each = blocks.div_ceil(parts) * BLOCK;
    let tops: Vec<TopK> = pool.install(|| {
        let range = |i: usize| part((i * each).min(len), ((i + 1) * each).min(len));
        (0..parts).into_par_iter().map(range).collect()
    });
    let mut all = TopK::new(k, len);
    tops.iter().for_each(|top| all.merge(top));
    all
}

fn finish(top: TopK, out: &mut Vec<(f32, u32)>) {
    out.clear();
    out.extend(top.finish().into_iter().map(|(slot, rank)| (rank, slot)));
}

#[cfg(test)]
mod tests {
    use annvil_kernels::{AlignedRows, Forced};

    use super::*;
    use crate::Metric;
    use crate::scorer::F32Rows;

    /// Row i is i * 7919 mod 1009: most values several times.
    fn rows(len: usize) -> F32Rows {
        let data: Vec<f32> = (0..len).map(|i| (i * 7919 % 1009) as f32).collect();
        let rows = AlignedRows::from_packed(&data, 1).unwrap();
        F32Rows::new(rows, Metric::L1, &Forced::default()).unwrap()
    }

    fn by_sorting(len: usize, k: usize, accept: impl Fn(u32) -> bool) -> Vec<(f32, u32)> {
        let rank = |slot: u32| (slot as usize * 7919 % 1009) as f32;
        let mut all: Vec<_> =
            (0..len as u32).filter(|s| accept(*s)).map(|s| (rank(s), s)).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all.truncate(k);
        all
    }

    #[test]
    fn what_is_accepted_is_found_in_order() {
        let filters: [&(dyn Fn(u32) -> bool + Sync); 4] =
            [&|_| true, &|_| false, &|s| s % 3 == 1, &|s| s == 4999];
        for (len, k) in [(0, 3), (1, 3), (5000, 0), (5000, 1), (5000, 100), (3000, 9000)] {
            let rows = rows(len);
            let mut query = Vec::new();
            rows.prepare(&[0.0], &mut query);
            for accept in filters {
                let expected = by_sorting(len, k, accept);
                let mut found = vec![(9.0, 9)];
                nearest(&rows, &query, k, accept, &mut found);
                assert_eq!(found, expected, "{len} rows, {k} wanted");
                let slots: Vec<u32> = (0..len as u32).filter(|s| accept(*s)).collect();
                nearest_of(&rows, &query, k, &slots, &mut found);
                assert_eq!(found, expected);
                #[cfg(feature = "parallel")]
                for threads in [1, 3] {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    nearest_in(&pool, &rows, &query, k, accept, &mut found);
                    assert_eq!(found, expected);
                    nearest_of_in(&pool, &rows, &query, k, &slots, &mut found);
                    assert_eq!(found, expected);
                }
            }
        }
    }
}
