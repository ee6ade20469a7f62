//! The crate `ruvector-core` 2.4: its index alone, and its database over a file, as it is by default,
//! or over its memory store.
//!
//! Neither takes a seed: layers come from a fixed one. Both name rows by strings.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use annvil::AlignedRows;
use rayon::ThreadPoolBuilder;
use ruvector_core::index::VectorIndex;
use ruvector_core::index::hnsw::HnswIndex;
use ruvector_core::types::{DbOptions, HnswConfig};
use ruvector_core::{DistanceMetric, SearchQuery, SearchResult, VectorDB, VectorEntry};

use super::super::clock::BuildTimer;
use super::super::contestant::{
    BuildPlan, Built, Cause, Contestant, EF_CONSTRUCTION, Filter, M, Said, Setting,
};

/// Rows of a batch.
const BATCH: usize = 10_000;

fn config(rows: usize) -> HnswConfig {
    HnswConfig {
        m: M,
        ef_construction: EF_CONSTRUCTION,
        ef_search: EF_CONSTRUCTION,
        max_elements: rows.max(1),
    }
}

/// Its batches go to whatever pool they are called in, so one is always given.
fn in_pool<T: Send>(plan: &BuildPlan<'_>, work: impl FnOnce() -> T + Send) -> Result<T, Cause> {
    match plan.pool {
        Some(pool) => Ok(pool.install(work)),
        None => Ok(ThreadPoolBuilder::new().num_threads(1).build()?.install(work)),
    }
}

fn ids(found: &[SearchResult]) -> Vec<u32> {
    // Strings that this file made.
    found.iter().filter_map(|r| r.id.parse().ok()).collect()
}

pub(super) struct Index;

impl Contestant for Index {
    fn name(&self) -> &'static str {
        "ruvector index"
    }

    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause> {
        let mut batches = Vec::new();
        for from in (0..base.len()).step_by(BATCH) {
            let to = (from + BATCH).min(base.len());
            batches.push(
                (from..to).map(|i| (i.to_string(), base.row(i).to_vec())).collect::<Vec<_>>(),
            );
        }
        let (dim, rows) = (base.dim(), base.len());
        let index = timer.time(|| {
            in_pool(plan, || {
                let mut index = HnswIndex::new(dim, DistanceMetric::Euclidean, config(rows))?;
                for batch in batches {
                    index.add_batch(batch)?;
                }
                Ok::<_, ruvector_core::RuvectorError>(index)
            })
        })??;
        Ok(Box::new(BuiltIndex { index, found: Vec::new() }))
    }
}

struct BuiltIndex {
    index: HnswIndex,
    found: Vec<SearchResult>,
}

impl Built for BuiltIndex {
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause> {
        self.found = self.index.search_with_ef(query, k, setting.ef)?;
        Ok(())
    }

    fn search_where(
        &mut self,
        _query: &[f32],
        _k: usize,
        _setting: Setting,
        _filter: &Filter,
    ) -> Result<(), Cause> {
        Err(Box::new(Said(NO_FILTER.to_owned())))
    }

    fn no_filter(&self) -> Option<&'static str> {
        Some(NO_FILTER)
    }

    fn found(&self) -> Vec<u32> {
        ids(&self.found)
    }
}

const NO_FILTER: &str = "its index has no filtered search";
const FILTER_AFTER: &str =
    "its database drops what does not match from the k rows that it has found";

/// Its database.
pub(super) struct Database {
    /// Over its memory store; else over a file.
    pub(super) in_memory: bool,
}

/// A folder of this process that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, Cause> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("annvil-rival-{}-{serial}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover in the temporary folder is harmless.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Contestant for Database {
    fn name(&self) -> &'static str {
        if self.in_memory { "ruvector database, memory" } else { "ruvector database" }
    }

    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause> {
        let entry = |i: usize| VectorEntry {
            id: Some(i.to_string()),
            vector: base.row(i).to_vec(),
            metadata: None,
        };
        let mut batches: Vec<Vec<VectorEntry>> = Vec::new();
        for from in (0..base.len()).step_by(BATCH) {
            batches.push((from..(from + BATCH).min(base.len())).map(entry).collect());
        }
        let folder = Folder::new()?;
        let storage_path = match self.in_memory {
            true => "memory://".to_owned(),
            false => folder.0.join("db.redb").display().to_string(),
        };
        let options = DbOptions {
            dimensions: base.dim(),
            distance_metric: DistanceMetric::Euclidean,
            storage_path,
            hnsw_config: Some(config(base.len())),
            quantization: None,
        };
        let db = timer.time(|| {
            in_pool(plan, || {
                let db = VectorDB::new(options)?;
                for batch in batches {
                    db.insert_batch(batch)?;
                }
                Ok::<_, ruvector_core::RuvectorError>(db)
            })
        })??;
        Ok(Box::new(BuiltDatabase { db, found: Vec::new(), _folder: folder }))
    }
}

struct BuiltDatabase {
    db: VectorDB,
    found: Vec<SearchResult>,
    /// Dropped after the database.
    _folder: Folder,
}

impl Built for BuiltDatabase {
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause> {
        // Its query owns the vector: the copy belongs to a search.
        self.found = self.db.search(SearchQuery {
            vector: query.to_vec(),
            k,
            filter: None,
            ef_search: Some(setting.ef),
        })?;
        Ok(())
    }

    fn search_where(
        &mut self,
        _query: &[f32],
        _k: usize,
        _setting: Setting,
        _filter: &Filter,
    ) -> Result<(), Cause> {
        Err(Box::new(Said(FILTER_AFTER.to_owned())))
    }

    fn no_filter(&self) -> Option<&'static str> {
        Some(FILTER_AFTER)
    }

    fn found(&self) -> Vec<u32> {
        ids(&self.found)
    }
}
