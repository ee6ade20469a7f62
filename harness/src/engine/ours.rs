//! The engine's own contestants: a graph over rows of each encoding.

use annvil::scorer::{AnyQuery, AnyRows, Encoding, F32Rows, Rows, Scorer};
use annvil::{
    AlignedRows, Forced, Graph, Hnsw, HnswOptions, HnswScratch, Metric, Neighbor, Scratch, exact,
};

use super::clock::BuildTimer;
use super::contestant::{
    BuildPlan, Built, Cause, Contestant, EF_CONSTRUCTION, Effort, Filter, M, Setting,
};

fn options(plan: &BuildPlan<'_>) -> HnswOptions {
    HnswOptions { m: M, ef_construction: EF_CONSTRUCTION, seed: plan.seed }
}

/// The name of the plain graph.
pub(super) const PLAIN: &str = "annvil f32";

/// The graph over rows as they are, through the public index.
pub(super) struct Plain;

/// The graph over codes, with the rows beside them for the exact distances of the nearest candidates.
pub(super) struct Coded {
    pub(super) name: &'static str,
    /// The encoding for rows of this many elements.
    pub(super) encoding: fn(usize) -> Encoding,
    /// Whether the graph is linked by the rows themselves and not by their codes.
    pub(super) linked_by_rows: bool,
    /// Candidates that are compared again, as multiples of the neighbours wanted; ascending.
    pub(super) reranks: &'static [usize],
}

/// All of ours. `full` adds the encodings that a quick look leaves out.
pub(super) fn all(full: bool) -> Vec<Box<dyn Contestant>> {
    const FEW: &[usize] = &[2, 4];
    const MANY: &[usize] = &[4, 8, 16, 32];
    let coded = |name, encoding, linked_by_rows, reranks| -> Box<dyn Contestant> {
        Box::new(Coded { name, encoding, linked_by_rows, reranks })
    };
    let mut list: Vec<Box<dyn Contestant>> = vec![
        Box::new(Plain),
        coded("annvil sq8", |_| Encoding::SQ8, false, FEW),
        coded("annvil int4", |_| Encoding::INT4, false, &[2, 4, 8]),
    ];
    if full {
        list.extend([
            coded("annvil f16", |_| Encoding::F16, false, &[2]),
            coded("annvil int4, f32 links", |_| Encoding::INT4, true, &[2, 4, 8]),
            coded("annvil binary, f32 links", |_| Encoding::BINARY, true, MANY),
            // Four elements a code: 16 times smaller than the rows.
            coded("annvil pq8, f32 links", |dim| Encoding::Pq { m: dim / 4, nbits: 8 }, true, MANY),
        ]);
    }
    list
}

/// Every `ef` with every number of candidates that it can give, as multiples of `k`.
pub(super) fn with_reranks(k: usize, efs: &[usize], factors: &[usize]) -> Vec<Setting> {
    let reranks = |ef: usize| {
        let mut list: Vec<usize> = factors.iter().map(|f| (f * k).min(ef)).collect();
        list.dedup();
        list.into_iter().map(move |rerank| Setting { ef, rerank })
    };
    efs.iter().filter(|ef| **ef >= k).flat_map(|ef| reranks(*ef)).collect()
}

impl Contestant for Plain {
    fn name(&self) -> &'static str {
        PLAIN
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause> {
        // The index takes its rows over, so the copy is not its own.
        let rows = base.clone();
        let index = timer.time(|| match plan.pool {
            Some(pool) => Hnsw::new_in(pool, rows, Metric::L2, options(plan)),
            None => Hnsw::new(rows, Metric::L2, options(plan)),
        })?;
        Ok(Box::new(PlainIndex {
            index,
            scratch: HnswScratch::default(),
            prepared: Vec::new(),
            filtered: Scratch::default(),
            found: Vec::new(),
            pairs: Vec::new(),
        }))
    }
}

struct PlainIndex {
    index: Hnsw,
    scratch: HnswScratch,
    found: Vec<Neighbor>,
    prepared: Vec<f32>,
    filtered: Scratch,
    pairs: Vec<(f32, u32)>,
}

impl Built for PlainIndex {
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause> {
        self.pairs.clear();
        self.found = self.index.search(query, k, setting.ef, &mut self.scratch)?;
        Ok(())
    }

    fn search_where(
        &mut self,
        query: &[f32],
        k: usize,
        setting: Setting,
        filter: &Filter,
    ) -> Result<(), Cause> {
        let rows = self.index.rows();
        rows.prepare(query, &mut self.prepared);
        let accept = |slot: u32| filter.mask[slot as usize];
        let (scratch, pairs) = (&mut self.filtered, &mut self.pairs);
        let ef = setting.ef.max(k);
        self.index.graph().search_where(rows, &self.prepared, ef, accept, scratch, pairs);
        pairs.truncate(k);
        self.found.clear();
        Ok(())
    }

    fn found(&self) -> Vec<u32> {
        // One of the two is empty.
        self.found.iter().map(|n| n.id).chain(self.pairs.iter().map(|p| p.1)).collect()
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.index.bytes())
    }

    fn effort(&self) -> Option<Effort> {
        let last = self.scratch.last();
        Some(Effort { hops: last.hops(), scored: last.scored() })
    }
}

impl Contestant for Coded {
    fn name(&self) -> &'static str {
        self.name
    }

    fn is_ours(&self) -> bool {
        true
    }

    fn settings(&self, k: usize, efs: &[usize]) -> Vec<Setting> {
        with_reranks(k, efs, self.reranks)
    }

    fn build(
        &self,
        base: &AlignedRows,
        plan: &BuildPlan<'_>,
        timer: &mut BuildTimer,
    ) -> Result<Box<dyn Built>, Cause> {
        let rows = base.clone();
        let (full, codes, graph) = timer.time(|| -> Result<(F32Rows, AnyRows, Graph), Cause> {
            let forced = Forced::default();
            let encoding = (self.encoding)(rows.dim());
            let mut codes =
                encoding.train(rows.dim(), Metric::L2, rows.view(), plan.seed, &forced)?;
            codes.reserve(rows.len())?;
            for i in 0..rows.len() {
                codes.push(rows.row(i))?;
            }
            let full = F32Rows::new(rows, Metric::L2, &forced)?;
            let mut graph = Graph::new(options(plan))?;
            match (plan.pool, self.linked_by_rows) {
                (None, true) => graph.extend(&full)?,
                (None, false) => graph.extend(&codes)?,
                (Some(pool), true) => graph.extend_in(pool, &full)?,
                (Some(pool), false) => graph.extend_in(pool, &codes)?,
            }
            Ok((full, codes, graph))
        })?;
        Ok(Box::new(CodedIndex { full, codes, graph, buffers: Buffers::default() }))
    }
}

struct CodedIndex {
    full: F32Rows,
    codes: AnyRows,
    graph: Graph,
    buffers: Buffers,
}

#[derive(Default)]
struct Buffers {
    code_query: AnyQuery,
    full_query: Vec<f32>,
    scratch: Scratch,
    candidates: Vec<(f32, u32)>,
    slots: Vec<u32>,
    found: Vec<(f32, u32)>,
}

impl CodedIndex {
    /// Exact distances for the nearest candidates; the `k` nearest by those are what was found.
    fn rerank(&mut self, query: &[f32], k: usize, rerank: usize) {
        let b = &mut self.buffers;
        self.full.prepare(query, &mut b.full_query);
        b.slots.clear();
        b.slots.extend(b.candidates.iter().take(rerank.max(k)).map(|c| c.1));
        exact::nearest_of(&self.full, &b.full_query, k, &b.slots, &mut b.found);
    }
}

impl Built for CodedIndex {
    fn search(&mut self, query: &[f32], k: usize, setting: Setting) -> Result<(), Cause> {
        let b = &mut self.buffers;
        self.codes.prepare(query, &mut b.code_query);
        let ef = setting.ef.max(k);
        self.graph.search(&self.codes, &b.code_query, ef, &mut b.scratch, &mut b.candidates);
        self.rerank(query, k, setting.rerank);
        Ok(())
    }

    fn search_where(
        &mut self,
        query: &[f32],
        k: usize,
        setting: Setting,
        filter: &Filter,
    ) -> Result<(), Cause> {
        let b = &mut self.buffers;
        self.codes.prepare(query, &mut b.code_query);
        let accept = |slot: u32| filter.mask[slot as usize];
        let (ef, query_of) = (setting.ef.max(k), &b.code_query);
        self.graph.search_where(
            &self.codes,
            query_of,
            ef,
            accept,
            &mut b.scratch,
            &mut b.candidates,
        );
        self.rerank(query, k, setting.rerank);
        Ok(())
    }

    fn found(&self) -> Vec<u32> {
        self.buffers.found.iter().map(|f| f.1).collect()
    }

    fn bytes(&self) -> Option<usize> {
        Some(self.full.bytes() + self.codes.bytes() + self.graph.bytes())
    }

    fn effort(&self) -> Option<Effort> {
        let scratch = &self.buffers.scratch;
        Some(Effort { hops: scratch.hops(), scored: scratch.scored() })
    }
}

/// The exact scan of the rows that match: what a filtered search has to beat.
pub(super) struct MatchScan {
    rows: F32Rows,
    query: Vec<f32>,
    found: Vec<(f32, u32)>,
}

impl MatchScan {
    pub(super) fn new(base: &AlignedRows) -> Result<Self, Cause> {
        let rows = F32Rows::new(base.clone(), Metric::L2, &Forced::default())?;
        Ok(Self { rows, query: Vec::new(), found: Vec::new() })
    }

    pub(super) fn search(&mut self, query: &[f32], k: usize, filter: &Filter) {
        self.rows.prepare(query, &mut self.query);
        if filter.slots.len() == self.rows.len() {
            exact::nearest(&self.rows, &self.query, k, &|_| true, &mut self.found);
        } else {
            exact::nearest_of(&self.rows, &self.query, k, &filter.slots, &mut self.found);
        }
    }

    pub(super) fn found(&self) -> Vec<u32> {
        self.found.iter().map(|f| f.1).collect()
    }
}
