//! What holds vectors, as found: maps from text to vectors in shards, copies on every way in, a
//! pool that forgets its size, ids that are searched for one by one.

use std::collections::HashMap;
use std::sync::{Mutex, RwLock};

use rayon::prelude::*;

const SHARDS: usize = 16;

/// A map in shards behind locks.
#[derive(Debug, Default)]
pub(crate) struct Shards {
    shards: Vec<RwLock<HashMap<String, Vec<f32>>>>,
}

impl Shards {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }

    pub(crate) fn insert(&self, id: String, vector: Vec<f32>) {
        let hash = id.bytes().fold(0usize, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        if let Ok(mut shard) = self.shards[hash % SHARDS].write() {
            shard.insert(id, vector);
        }
    }

    /// OPT-PAR-3: all entries over `par_bridge`, an id cloned for each, all of them sorted.
    pub(crate) fn search(
        &self,
        pool: &rayon::ThreadPool,
        k: usize,
        distance: impl Fn(&[f32]) -> f32 + Sync,
    ) -> Vec<(String, f32)> {
        let guards: Vec<_> = self.shards.iter().filter_map(|s| s.read().ok()).collect();
        let mut all: Vec<(String, f32)> = pool.install(|| {
            let entries = guards.iter().flat_map(|g| g.iter());
            entries.par_bridge().map(|(id, v)| (id.clone(), distance(v))).collect()
        });
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        all.truncate(k);
        all
    }
}

/// What a batch insert leaves behind; the links of its graph are left out.
#[derive(Debug, Default)]
pub(crate) struct Inserted {
    pub(crate) vectors: HashMap<String, Vec<f32>>,
    pub(crate) points: Vec<Vec<f32>>,
    pub(crate) id_to_point: HashMap<String, usize>,
    pub(crate) point_to_id: HashMap<usize, String>,
}

/// OPT-MEM-1: a batch is borrowed and its vectors copied three times, its ids four times.
pub(crate) fn insert_batch(entries: &[(String, Vec<f32>)]) -> Inserted {
    let cloned: Vec<(String, Vec<f32>)> =
        entries.iter().map(|(id, v)| (id.clone(), v.clone())).collect();
    let mut into = Inserted::default();
    for (point, (id, vector)) in cloned.into_iter().enumerate() {
        into.vectors.insert(id.clone(), vector.clone());
        into.id_to_point.insert(id.clone(), point);
        into.point_to_id.insert(point, id.clone());
        into.points.push(vector.to_vec());
    }
    into
}

/// OPT-PAR-2: the ids of a stored index matched with their points by looking through all of them.
pub(crate) fn map_ids(stored: &[(String, usize)], order: &[String]) -> Vec<usize> {
    let find = |id: &String| stored.iter().find(|(other, _)| other == id).map_or(0, |(_, p)| *p);
    order.iter().map(find).collect()
}

/// OPT-MEM-4: vectors for reuse, zeroed when they are handed out; the size is raised on return and
/// never lowered on acquire, so after `max` returns all are dropped.
#[derive(Debug)]
pub(crate) struct Pool {
    free: Mutex<Vec<Vec<f32>>>,
    size: std::sync::atomic::AtomicUsize,
    max: usize,
    dim: usize,
    pub(crate) hits: std::sync::atomic::AtomicUsize,
}

impl Pool {
    pub(crate) fn new(dim: usize, initial: usize, max: usize) -> Self {
        let free = Mutex::new(vec![vec![0.0; dim]; initial]);
        Self { free, size: initial.into(), max, dim, hits: 0.into() }
    }

    pub(crate) fn acquire(&self) -> Vec<f32> {
        use std::sync::atomic::Ordering::Relaxed;
        match self.free.lock().ok().and_then(|mut f| f.pop()) {
            Some(mut vector) => {
                self.hits.fetch_add(1, Relaxed);
                vector.fill(0.0);
                vector
            }
            None => vec![0.0; self.dim],
        }
    }

    pub(crate) fn give_back(&self, vector: Vec<f32>) {
        use std::sync::atomic::Ordering::Relaxed;
        if self.size.load(Relaxed) < self.max {
            self.size.fetch_add(1, Relaxed);
            if let Ok(mut free) = self.free.lock() {
                free.push(vector);
            }
        }
    }
}
