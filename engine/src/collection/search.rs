//! Asking: what is looked at, and in which way.
//!
//! ```text
//! no filter, nothing deleted     the index alone
//! else: how many rows match?     a sample tells; then
//!     few                        those rows, one by one: exact, and faster than any graph
//!     many                       the index, passing through what does not match
//!                                fewer than k found though there are more: all that match, exactly
//! ```

#[cfg(feature = "hnsw")]
use super::state::Index;
use super::state::State;
use super::{CollectionBuilder, CollectionError, Id};
use crate::error::first_not_finite;
use crate::filter::Filter;
use crate::index::exact;
use crate::metric::Metric;
use crate::scorer::{AnyQuery, Scorer};
use crate::unit::to_unit;
use crate::value::Metadata;

/// Rows of the sample that tells how many match.
const SAMPLE: usize = 512;
/// Rows that a walk compares for each that it keeps, about: what a graph's node brings that was not
/// seen before.
#[cfg(feature = "hnsw")]
const PER_CANDIDATE: usize = 12;

/// What is asked of a collection.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    pub(super) vector: &'a [f32],
    pub(super) k: usize,
    pub(super) ef_search: usize,
    pub(super) filter: Option<Filter>,
    pub(super) vectors: bool,
    pub(super) metadata: bool,
    pub(super) oversampling: Option<f32>,
    pub(super) exact: bool,
}

impl<'a> Query<'a> {
    /// The 10 nearest to `vector`, among 100 candidates.
    #[must_use]
    pub fn new(vector: &'a [f32]) -> Self {
        Self {
            vector,
            k: 10,
            ef_search: 100,
            filter: None,
            vectors: false,
            metadata: false,
            oversampling: None,
            exact: false,
        }
    }

    /// How many are wanted. Fewer come only if there are no more.
    #[must_use]
    pub fn k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Candidates of a graph: more find more, and take longer. Never fewer than `k`.
    #[must_use]
    pub fn ef_search(mut self, ef: usize) -> Self {
        self.ef_search = ef;
        self
    }

    /// Only rows whose metadata match.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Hits bring their vectors.
    #[must_use]
    pub fn include_vectors(mut self) -> Self {
        self.vectors = true;
        self
    }

    /// Hits bring their metadata.
    #[must_use]
    pub fn include_metadata(mut self) -> Self {
        self.metadata = true;
        self
    }

    /// Candidates by codes, as a multiple of `k`, that are ranked again by exact distances. Where
    /// vectors are kept it is 3 by default, 10 for bits.
    #[must_use]
    pub fn oversampling(mut self, factor: f32) -> Self {
        self.oversampling = Some(factor);
        self
    }

    /// Compares with every row that matches, by the vectors if they are kept: no recall is lost.
    #[must_use]
    pub fn exact(mut self) -> Self {
        self.exact = true;
        self
    }
}

/// A row that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// Its id.
    pub id: Id,
    /// Its distance; smaller is nearer.
    pub distance: f32,
    /// Its vector, if that was asked for.
    pub vector: Option<Vec<f32>>,
    /// Its metadata, if that was asked for and there are any.
    pub metadata: Option<Metadata>,
}

/// In which way a search went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plan {
    /// Nothing was to be looked for.
    #[default]
    Nothing,
    /// Every live row was compared.
    Scan,
    /// The rows that match were listed and compared.
    Matches,
    /// The graph was walked.
    Graph,
    /// The graph was walked and found too few; then the rows that match were compared.
    GraphThenMatches,
}

/// Buffers of a search, reused.
#[derive(Debug, Default)]
pub(super) struct SearchScratch {
    #[cfg(feature = "hnsw")]
    graph: crate::Scratch,
    vector: Vec<f32>,
    exact_query: Vec<f32>,
    code_query: AnyQuery,
    found: Vec<(f32, u32)>,
    slots: Vec<u32>,
}

/// Which rows a search may return.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    state: &'a State,
    filter: Option<&'a Filter>,
}

impl Wanted<'_> {
    fn accepts(&self, slot: u32) -> bool {
        let slot = slot as usize;
        self.state.live[slot]
            && self.filter.is_none_or(|f| f.matches(self.state.metadata[slot].as_deref()))
    }

    #[cfg(feature = "hnsw")]
    fn everything(&self) -> bool {
        self.filter.is_none() && self.state.live_rows == self.state.slots()
    }

    /// About how many rows match, from an even sample; the true number where that is no more work.
    fn estimate(&self) -> usize {
        let slots = self.state.slots();
        if self.filter.is_none() {
            return self.state.live_rows;
        }
        let every = slots.div_ceil(SAMPLE).max(1);
        let sample = (0..slots as u32).step_by(every);
        let (looked, hit) = sample.fold((0usize, 0usize), |(n, hit), slot| {
            (n + 1, hit + usize::from(self.accepts(slot)))
        });
        (hit * slots).checked_div(looked).unwrap_or(0)
    }

    fn list(&self, slots: &mut Vec<u32>) {
        slots.clear();
        slots.extend((0..self.state.slots() as u32).filter(|&slot| self.accepts(slot)));
    }
}

impl State {
    /// Checks a query and answers it.
    pub(super) fn search(
        &self,
        options: &CollectionBuilder,
        query: &Query<'_>,
        scratch: &mut SearchScratch,
    ) -> Result<(Vec<Hit>, Plan), CollectionError> {
        self.check_query(options, query)?;
        let k = query.k.min(self.live_rows);
        if k == 0 {
            return Ok((Vec::new(), Plan::Nothing));
        }
        let wanted = Wanted { state: self, filter: query.filter.as_ref() };
        let mut vector = std::mem::take(&mut scratch.vector);
        vector.clear();
        vector.extend_from_slice(query.vector);
        if options.metric == Metric::Cosine {
            to_unit(&mut vector).map_err(crate::scorer::EncodingError::from)?;
        }
        let plan = match (&self.codes, &self.exact) {
            (Some(codes), exact) if !(query.exact && exact.is_some()) => {
                let rescore = exact.as_ref().filter(|_| query.oversampling != Some(1.0));
                let wide = if rescore.is_some() { self.widened(query, k) } else { k };
                let mut prepared = std::mem::take(&mut scratch.code_query);
                codes.prepare(&vector, &mut prepared);
                let plan = self.find(codes, &prepared, query, wide, wanted, scratch);
                scratch.code_query = prepared;
                if let Some(exact) = rescore {
                    exact.prepare(&vector, &mut scratch.exact_query);
                    let SearchScratch { slots, exact_query, found, .. } = scratch;
                    slots.clear();
                    slots.extend(found.iter().map(|f| f.1));
                    exact::nearest_of(exact, exact_query, k, slots, found);
                }
                plan
            }
            #[cfg(feature = "hnsw_rs")]
            (_, Some(exact)) if self.is_hnsw_rs() && !query.exact => {
                self.by_hnsw_rs(exact, &vector, query, k, wanted, scratch)
            }
            (_, Some(exact)) => {
                let mut prepared = std::mem::take(&mut scratch.exact_query);
                exact.prepare(&vector, &mut prepared);
                let plan = self.find(exact, &prepared, query, k, wanted, scratch);
                scratch.exact_query = prepared;
                plan
            }
            _ => Plan::Nothing,
        };
        scratch.vector = vector;
        scratch.found.truncate(k);
        let hits = scratch.found.iter().map(|&(rank, slot)| Hit {
            id: self.ids.id(slot).clone(),
            distance: options.metric.distance(rank),
            vector: query.vectors.then(|| self.vector(slot, options.dim)),
            metadata: query
                .metadata
                .then(|| self.metadata[slot as usize].as_deref().cloned())
                .flatten(),
        });
        Ok((hits.collect(), plan))
    }

    fn check_query(
        &self,
        options: &CollectionBuilder,
        query: &Query<'_>,
    ) -> Result<(), CollectionError> {
        if query.vector.len() != options.dim {
            let (expected, found) = (options.dim, query.vector.len());
            return Err(CollectionError::DimMismatch { record: 0, expected, found });
        }
        if let Some((position, value)) = first_not_finite(query.vector) {
            return Err(CollectionError::NotFinite { record: 0, position, value });
        }
        if let Some(filter) = &query.filter {
            filter.check()?;
        }
        if let Some(factor) = query.oversampling {
            if !(factor >= 1.0 && factor.is_finite()) {
                return Err(CollectionError::Oversampling { factor });
            }
            if factor > 1.0 && self.codes.is_some() && self.exact.is_none() {
                return Err(CollectionError::NoOriginals);
            }
        }
        Ok(())
    }

    /// Candidates by codes for `k` results.
    fn widened(&self, query: &Query<'_>, k: usize) -> usize {
        let usual = match &self.codes {
            Some(crate::scorer::AnyRows::Binary(_)) => 10.0,
            _ => 3.0,
        };
        let wide = (k as f32 * query.oversampling.unwrap_or(usual)).ceil();
        // A float turned into a number saturates.
        (wide as usize).clamp(k, self.slots())
    }

    #[cfg(feature = "hnsw_rs")]
    fn is_hnsw_rs(&self) -> bool {
        matches!(self.index, Index::HnswRs(_))
    }

    /// Candidates by the other graph, ranked by our rows; if too few are found, all that are wanted.
    #[cfg(feature = "hnsw_rs")]
    fn by_hnsw_rs(
        &self,
        exact: &crate::scorer::F32Rows,
        vector: &[f32],
        query: &Query<'_>,
        k: usize,
        wanted: Wanted<'_>,
        scratch: &mut SearchScratch,
    ) -> Plan {
        let SearchScratch { slots, found, exact_query, .. } = scratch;
        exact.prepare(vector, exact_query);
        let Index::HnswRs(graph) = &self.index else { return Plan::Nothing };
        let ef = query.ef_search.max(k).min(self.slots());
        graph.search(vector, k, ef, |slot| wanted.accepts(slot), slots);
        exact::nearest_of(exact, exact_query, k, slots, found);
        if found.len() >= k {
            return Plan::Graph;
        }
        wanted.list(slots);
        exact::nearest_of(exact, exact_query, k, slots, found);
        Plan::GraphThenMatches
    }

    /// The `k` nearest that are wanted, by `rows`; they are left in the scratch.
    fn find<S: Scorer>(
        &self,
        rows: &S,
        prepared: &S::Query,
        #[cfg_attr(not(feature = "hnsw"), expect(unused_variables, reason = "all are scanned"))]
        query: &Query<'_>,
        k: usize,
        wanted: Wanted<'_>,
        scratch: &mut SearchScratch,
    ) -> Plan {
        let k = k.min(self.live_rows);
        let matching = wanted.estimate();
        #[cfg(feature = "hnsw")]
        if let Index::Hnsw(graph) = &self.index
            && !query.exact
        {
            let ef = query.ef_search.max(k).min(self.slots());
            // Rows that the graph does not know yet are scanned; if they are most, so are all.
            let behind = rows.len() - graph.len();
            let known = behind <= rows.len() / 2;
            if wanted.everything() && known {
                graph.search(rows, prepared, ef, &mut scratch.graph, &mut scratch.found);
                if behind > 0 {
                    let (from, found) = (graph.len(), &mut scratch.found);
                    exact::add_nearest_from(rows, prepared, ef, &|_| true, from, found);
                }
                return Plan::Graph;
            }
            // A walk compares some rows for each of the candidates, and of those a share matches.
            if known && matching.saturating_mul(matching) > PER_CANDIDATE * ef * self.slots() {
                return Self::walk(graph, rows, prepared, ef, k, wanted, scratch);
            }
        }
        let SearchScratch { slots, found, .. } = scratch;
        // A list of nearly everything is slower than everything.
        if wanted.filter.is_some() && matching <= self.slots() / 2 {
            wanted.list(slots);
            exact::nearest_of(rows, prepared, k, slots, found);
            return Plan::Matches;
        }
        exact::nearest(rows, prepared, k, &|slot| wanted.accepts(slot), found);
        Plan::Scan
    }

    /// Through the graph, passing what is not wanted; if too few are found, all that are.
    #[cfg(feature = "hnsw")]
    fn walk<S: Scorer>(
        graph: &crate::Graph,
        rows: &S,
        prepared: &S::Query,
        ef: usize,
        k: usize,
        wanted: Wanted<'_>,
        scratch: &mut SearchScratch,
    ) -> Plan {
        let SearchScratch { graph: buffers, slots, found, .. } = scratch;
        graph.search_where(rows, prepared, ef, |slot| wanted.accepts(slot), buffers, found);
        if graph.len() < rows.len() {
            let accept = |slot| wanted.accepts(slot);
            exact::add_nearest_from(rows, prepared, ef, &accept, graph.len(), found);
        }
        if found.len() >= k {
            return Plan::Graph;
        }
        wanted.list(slots);
        if slots.len() <= found.len() {
            return Plan::Graph;
        }
        exact::nearest_of(rows, prepared, k, slots, found);
        Plan::GraphThenMatches
    }
}
