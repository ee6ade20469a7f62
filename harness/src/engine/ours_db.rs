//! The engine's collection: ids, metadata, filters with a planner.

use annvil::{
    AlignedRows, Collection, Encoding, Ends, Hit, HnswOptions, Id, IndexKind, Originals, Query,
    Record,
};

use super::clock::BuildTimer;
use super::contestant::{BuildPlan, Built, Cause, Contestant, EF_CONSTRUCTION, Filter, M, Setting};

/// Rows of a batch, as the other database gets them.
const BATCH: usize = 10_000;
/// The field that filters ask about.
const FIELD: &str = "share";
const NO_FIELD: &str = "built without metadata";

/// A collection of some encoding, over a graph or without one.
pub(super) struct Stored {
    pub(super) name: &'static str,
    pub(super) encoding: Encoding,
    pub(super) graph: bool,
    /// Candidates that are compared again, as multiples of the neighbours wanted.
    pub(super) oversampling: &'static [usize],
}

/// Collections that take part as ours.
pub(super) fn all(full: bool) -> Vec<Box<dyn Contestant>> {
    let stored = |name, encoding, oversampling| -> Box<dyn Contestant> {
        Box::new(Stored { name, encoding, graph: true, oversampling })
    };
    let mut list = vec![stored("annvil collection f32", Encoding::F32, &[][..])];
    if full {
        list.push(stored("annvil collection sq8", Encoding::SQ8, &[2, 4]));
    }
    list
}

/// The collection that compares every row: what an index has to beat.
pub(super) fn flat() -> Box<dyn Contestant> {
    Box::new(Stored {
        name: "annvil collection flat",
        encoding: Encoding::F32,
        graph: false,
        oversampling: &[],
    })
}

impl Contestant for Stored {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_ours(&self) -> bool {
        self.graph
    }

    fn filters_by_metadata(&self) -> bool {
        true
    }

    fn settings(&self, k: usize, efs: &[usize]) -> Vec<Setting> {
        if !self.graph {
            return vec![Setting::exact(k)];
        }
        if self.oversampling.is_empty() {
            return efs.iter().filter(|ef| **ef >= k).map(|ef| Setting::exact(*ef)).collect();
        }
        super::ours::with_reranks(k, efs, self.oversampling)
    }

    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause> {
        let record = |i: usize| {
            let record = Record::new(i as u64, base.row(i).to_vec());
            match plan.attribute {
                Some(values) => record.with(FIELD, values[i]),
                None => record,
            }
        };
        let mut batches: Vec<Vec<Record>> = Vec::new();
        for from in (0..base.len()).step_by(BATCH) {
            batches.push((from..(from + BATCH).min(base.len())).map(record).collect());
        }
        let options = HnswOptions { m: M, ef_construction: EF_CONSTRUCTION, seed: plan.seed };
        let kept = if self.encoding == Encoding::F32 { Originals::Drop } else { Originals::Keep };
        let builder = Collection::builder(base.dim())
            .encoding(self.encoding)
            .originals(kept)
            .index(if self.graph { IndexKind::Hnsw(options) } else { IndexKind::Flat })
            .threads(plan.pool.map_or(1, rayon::ThreadPool::current_num_threads));
        let collection = timer.time(|| -> Result<Collection, Cause> {
            let collection = builder.build()?;
            for batch in batches {
                collection.insert_batch(batch)?;
            }
            Ok(collection)
        })?;
        let has_field = plan.attribute.is_some();
        Ok(Box::new(StoredIndex { collection, has_field, found: Vec::new() }))
    }
}

struct StoredIndex {
    collection: Collection,
    has_field: bool,
    found: Vec<Hit>,
}

/// The question as a collection takes it.
fn ask(query: &[f32], k: usize, setting: Setting) -> Query<'_> {
    let asked = Query::new(query).k(k).ef_search(setting.ef);
    match setting.rerank {
        0 => asked,
        rerank => asked.oversampling(rerank as f32 / k.max(1) as f32),
    }
}

impl Built for StoredIndex {
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause> {
        self.found = self.collection.search(&ask(query, k, setting))?;
        Ok(())
    }

    fn search_where(
        &mut self,
        query: &[f32],
        k: usize,
        setting: Setting,
        filter: &Filter,
    ) -> Result<(), Cause> {
        let below = Ends { lt: Some((filter.pct / 100.0).into()), ..Ends::default() };
        let asked = ask(query, k, setting).filter(annvil::Filter::range(FIELD, below));
        self.found = self.collection.search(&asked)?;
        Ok(())
    }

    fn no_filter(&self) -> Option<&'static str> {
        (!self.has_field).then_some(NO_FIELD)
    }

    fn found(&self) -> Vec<u32> {
        let number = |hit: &Hit| match &hit.id {
            Id::Number(id) => u32::try_from(*id).ok(),
            Id::Text(_) => None,
        };
        self.found.iter().filter_map(number).collect()
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.collection.stats().bytes.total())
    }
}
