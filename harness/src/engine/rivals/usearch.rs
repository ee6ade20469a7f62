//! The crate `usearch` 2.26: C++, with NumKong's kernels.
//!
//! It takes no seed.

use annvil::AlignedRows;
use rayon::prelude::*;
use usearch::ffi::Matches;
use usearch::{Index as Library, IndexOptions, MetricKind, ScalarKind};

use super::super::clock::BuildTimer;
use super::super::contestant::{
    BuildPlan, Built, Cause, Contestant, EF_CONSTRUCTION, Filter, M, Setting,
};

pub(super) struct Usearch;

impl Contestant for Usearch {
    fn name(&self) -> &'static str {
        "usearch f32"
    }

    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause> {
        let options = IndexOptions {
            dimensions: base.dim(),
            metric: MetricKind::L2sq,
            quantization: ScalarKind::F32,
            connectivity: M,
            expansion_add: EF_CONSTRUCTION,
            expansion_search: EF_CONSTRUCTION,
            multi: false,
        };
        let index = timer.time(|| -> Result<Library, Cause> {
            let index = Library::new(&options)?;
            let add = |i: usize| index.add(i as u64, base.row(i));
            match plan.pool {
                Some(pool) => {
                    index.reserve_capacity_and_threads(base.len(), pool.current_num_threads())?;
                    pool.install(|| (0..base.len()).into_par_iter().try_for_each(add))?;
                }
                None => {
                    index.reserve_capacity_and_threads(base.len(), 1)?;
                    (0..base.len()).try_for_each(add)?;
                }
            }
            Ok(index)
        })?;
        let found = Matches { keys: Vec::new(), distances: Vec::new() };
        Ok(Box::new(Index { index, ef: 0, found }))
    }
}

struct Index {
    index: Library,
    /// What the library was last told.
    ef: usize,
    found: Matches,
}

impl Index {
    fn tell(&mut self, ef: usize) {
        if self.ef != ef {
            self.index.change_expansion_search(ef);
            self.ef = ef;
        }
    }
}

impl Built for Index {
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause> {
        self.tell(setting.ef);
        self.found = self.index.search(query, k)?;
        Ok(())
    }

    fn search_where(
        &mut self,
        query: &[f32],
        k: usize,
        setting: Setting,
        filter: &Filter,
    ) -> Result<(), Cause> {
        self.tell(setting.ef);
        let accept = |key: u64| filter.mask[key as usize];
        self.found = self.index.filtered_search(query, k, accept)?;
        Ok(())
    }

    fn found(&self) -> Vec<u32> {
        self.found.keys.iter().map(|key| *key as u32).collect()
    }

    fn bytes(&self) -> Option<usize> {
        // Less what it has only reserved: it takes memory in large steps.
        let m = self.index.memory_stats();
        let reserved = m.graph_reserved + m.vectors_reserved;
        Some((m.graph_allocated + m.vectors_allocated).saturating_sub(reserved))
    }
}
