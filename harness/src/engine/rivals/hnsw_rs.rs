//! The crate `hnsw_rs` 0.3, with the faster of its own distances (feature `simdeez_f`).
//!
//! It takes no seed: its layers come from a fixed one.

use annvil::AlignedRows;
use hnsw_rs::anndists::dist::distances::DistL2;
use hnsw_rs::prelude::{Hnsw, Neighbour};

use super::super::clock::BuildTimer;
use super::super::contestant::{
    BuildPlan, Built, Cause, Contestant, EF_CONSTRUCTION, Filter, M, Setting,
};

/// Most layers that it takes.
const LAYERS: usize = 16;

pub(super) struct HnswRs;

impl Contestant for HnswRs {
    fn name(&self) -> &'static str {
        "hnsw_rs f32"
    }

    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause> {
        let rows: Vec<(&[f32], usize)> = (0..base.len()).map(|i| (base.row(i), i)).collect();
        let index = timer.time(|| {
            let mut index =
                Hnsw::<f32, DistL2>::new(M, rows.len(), LAYERS, EF_CONSTRUCTION, DistL2);
            match plan.pool {
                Some(pool) => pool.install(|| index.parallel_insert_slice(&rows)),
                None => rows.iter().for_each(|row| index.insert_slice(*row)),
            }
            index.set_searching_mode(true);
            index
        });
        Ok(Box::new(Index { index, found: Vec::new() }))
    }
}

struct Index {
    index: Hnsw<'static, f32, DistL2>,
    found: Vec<Neighbour>,
}

impl Built for Index {
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause> {
        self.found = self.index.search(query, k, setting.ef);
        Ok(())
    }

    fn search_where(
        &mut self,
        query: &[f32],
        k: usize,
        setting: Setting,
        filter: &Filter,
    ) -> Result<(), Cause> {
        let accept = |id: &usize| filter.mask[*id];
        self.found = self.index.search_filter(query, k, setting.ef, Some(&accept));
        Ok(())
    }

    fn found(&self) -> Vec<u32> {
        self.found.iter().map(|n| n.d_id as u32).collect()
    }
}
