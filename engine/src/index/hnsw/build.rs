//! Linking rows: in batches against a graph that stands still, so that threads need no lock and
//! change no link.
//!
//! ```text
//! batch     1 1 1 1 .. 2 2 .. 31 .. 1000      a share of what is linked, and of what this call has linked
//!
//! find      each row of the batch: candidates in the graph as it stands, neighbours of those     in parallel
//! write     each row's own links                                                                 one thread
//! answer    each node that was chosen by some row: its links and those rows, selected anew        in parallel
//! write     each chosen node's links                                                             one thread
//! ```
//! Rows of one batch do not see each other; the schedule keeps batches small where that would tell
//! (after Manohar et al., ParlayANN, PPoPP 2024). They are taken in a shuffled order, so that rows
//! that were given side by side do not share a batch.

use super::MAX_ROWS;
use super::graph::{Entry, Graph};
use super::links::MAX_LAYER;
use super::options::{HnswError, HnswOptions};
use super::scratch::Scratch;
use super::select::Selector;
#[cfg(feature = "parallel")]
use crate::mem::{BatchProcessor, Full};
use crate::order::key;
use crate::scorer::Scorer;

/// A batch is at most this part of the graph.
const SHARE: usize = 32;
/// And at most this part of what the same call has linked before it.
const GROWTH: usize = 4;
/// Below so many rows in a call, no search for rows that nothing leads to: too few can be lost.
const REPAIR_FROM: usize = 256;
/// Rounds of that search at most.
const ROUNDS: usize = 8;

/// The links that a new row chose, a list for each of its layers.
#[derive(Debug, Default)]
struct Chosen {
    layers: Vec<Vec<u32>>,
}

/// Buffers of one worker.
#[derive(Debug)]
struct Worker<Q> {
    scratch: Scratch,
    query: Q,
    selector: Selector<Q>,
    starts: Vec<(f32, u32)>,
    ordered: Vec<(f32, u32)>,
}

impl<Q: Default> Default for Worker<Q> {
    fn default() -> Self {
        Self {
            scratch: Scratch::default(),
            query: Q::default(),
            selector: Selector::default(),
            starts: Vec::new(),
            ordered: Vec::new(),
        }
    }
}

/// Who does the work of a batch.
#[derive(Clone, Copy)]
pub(super) enum Crew<'a> {
    /// The calling thread.
    One,
    /// The threads of a pool.
    #[cfg(feature = "parallel")]
    Pool(&'a rayon::ThreadPool),
    #[cfg(not(feature = "parallel"))]
    #[expect(dead_code, reason = "there is no pool to borrow")]
    Never(std::marker::PhantomData<&'a ()>, std::convert::Infallible),
}

impl Crew<'_> {
    /// `f` of every item, in order, with a worker's buffers.
    fn map<T: Sync, R: Send, W: Send + Default>(
        self,
        workers: &mut Vec<W>,
        items: &[T],
        f: impl Fn(&mut W, &T) -> R + Sync,
    ) -> Vec<R> {
        match self {
            Self::One => {
                if workers.is_empty() {
                    workers.push(W::default());
                }
                let worker = &mut workers[0];
                items.iter().map(|item| f(worker, item)).collect()
            }
            #[cfg(feature = "parallel")]
            Self::Pool(pool) => {
                use rayon::prelude::*;
                let threads = pool.current_num_threads().min(items.len()).max(1);
                while workers.len() < threads {
                    workers.push(W::default());
                }
                // Rows differ in the work they are: small pieces, and whoever is free takes the next.
                let piece = items.len().div_ceil(threads * 8).max(1);
                let pieces = BatchProcessor::new(threads * 8);
                let work = |worker: &mut W, (at, items): (usize, &[T])| {
                    pieces.submit_result((at, items.iter().map(|i| f(worker, i)).collect()));
                };
                for piece in items.chunks(piece).enumerate() {
                    // There is room for all; and if not, somebody is here to do it.
                    if let Err(Full(piece)) = pieces.submit(piece) {
                        work(&mut workers[0], piece);
                    }
                }
                pool.install(|| {
                    workers[..threads].par_iter_mut().with_max_len(1).for_each(|worker| {
                        while let Some(piece) = pieces.try_get_work() {
                            work(worker, piece);
                        }
                    });
                });
                let mut parts: Vec<(usize, Vec<R>)> = pieces.collect_results();
                parts.sort_unstable_by_key(|(at, _)| *at);
                parts.into_iter().flat_map(|(_, part)| part).collect()
            }
            #[cfg(not(feature = "parallel"))]
            Self::Never(_, never) => match never {},
        }
    }
}

impl Graph {
    /// Links every row of `rows` that is not linked yet, on the calling thread.
    ///
    /// # Errors
    /// More rows than slots, or too little memory; the graph is as before.
    pub fn extend<S: Scorer>(&mut self, rows: &S) -> Result<(), HnswError> {
        self.extend_by(Crew::One, rows)
    }

    /// As [`Graph::extend`], by the threads of `pool`. The graph is the same.
    ///
    /// # Errors
    /// As [`Graph::extend`].
    #[cfg(feature = "parallel")]
    pub fn extend_in<S: Scorer>(
        &mut self,
        pool: &rayon::ThreadPool,
        rows: &S,
    ) -> Result<(), HnswError> {
        self.extend_by(Crew::Pool(pool), rows)
    }

    /// Makes room for `rows` rows in all: [`Graph::extend`] to as many then needs no memory for links.
    ///
    /// # Errors
    /// More rows than slots, or too little memory; the graph is as before.
    pub fn reserve(&mut self, rows: usize) -> Result<(), HnswError> {
        if rows > MAX_ROWS {
            return Err(HnswError::TooManyRows { rows });
        }
        let Self { options, links, .. } = self;
        let layers = (links.len()..rows).map(|slot| draw_layer(options, slot as u32));
        links.reserve(layers)?;
        let more = rows.saturating_sub(self.referred.len());
        self.referred.try_reserve(more).map_err(|_| HnswError::Memory { rows })
    }

    fn extend_by<S: Scorer>(&mut self, crew: Crew<'_>, rows: &S) -> Result<(), HnswError> {
        let (from, to) = (self.len(), rows.len());
        if to > MAX_ROWS {
            return Err(HnswError::TooManyRows { rows: to });
        }
        if to <= from {
            return Ok(());
        }
        let layer = |slot| draw_layer(&self.options, slot as u32);
        let layers: Vec<u8> = (from..to).map(layer).collect();
        self.reserve(to)?;
        self.links.extend(&layers)?;
        self.referred.resize(to, 0);

        let mut order: Vec<u32> = (from as u32..to as u32).collect();
        // By a hash of the slot: the same whatever the batch it came in.
        order.sort_unstable_by_key(|&slot| mix(self.options.seed ^ 0x5eed, slot));
        let scratch = std::mem::take(&mut self.spare);
        let mut workers = vec![Worker::<S::Query> { scratch, ..Worker::default() }];
        let mut done = 0;
        while done < order.len() {
            let linked = from + done;
            let size = (linked / SHARE).min(done / GROWTH).clamp(1, order.len() - done);
            self.link(crew, rows, &mut workers, &order[done..done + size]);
            done += size;
        }
        if order.len() >= REPAIR_FROM {
            self.repair(rows, &mut workers);
        }
        // Marks for every row are too much to be made anew for each of many small batches.
        if order.len() < to / SHARE {
            self.spare = workers.swap_remove(0).scratch;
        }
        Ok(())
    }

    /// Links one batch.
    fn link<S: Scorer>(
        &mut self,
        crew: Crew<'_>,
        rows: &S,
        workers: &mut Vec<Worker<S::Query>>,
        batch: &[u32],
    ) {
        let graph = &*self;
        let found: Vec<Chosen> =
            crew.map(workers, batch, |worker, &slot| graph.choose(rows, worker, slot));
        // Target, layer, source; sorted, so that the order in which threads end does not tell.
        let mut reverse: Vec<(u32, u32, u32)> = Vec::new();
        for (&slot, chosen) in batch.iter().zip(&found) {
            for (layer, links) in chosen.layers.iter().enumerate() {
                self.replace(slot, layer, links);
                reverse.extend(links.iter().map(|&to| (to, layer as u32, slot)));
            }
        }
        reverse.sort_unstable();
        let groups: Vec<&[(u32, u32, u32)]> =
            reverse.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).collect();
        let graph = &*self;
        let answers: Vec<Vec<u32>> =
            crew.map(workers, &groups, |worker, group| graph.answer(rows, worker, group));
        for (group, links) in groups.iter().zip(answers) {
            self.replace_kept(group[0].0, group[0].1 as usize, links);
        }
        for (&slot, chosen) in batch.iter().zip(&found) {
            // All whom it chose preferred others: one of them has to lead to it.
            if self.referred[slot as usize] == 0 {
                let near: Vec<_> = chosen.layers[0].iter().map(|&to| (0.0, to)).collect();
                self.lead_to(slot, &near);
            }
            let layer = self.links.layers[slot as usize];
            if self.entry.is_none_or(|entry| layer > entry.layer) {
                self.entry = Some(Entry { slot, layer });
            }
        }
    }

    /// The neighbours of a new row on each of its layers, in the graph as it stands.
    fn choose<S: Scorer>(&self, rows: &S, worker: &mut Worker<S::Query>, slot: u32) -> Chosen {
        let top = usize::from(self.links.layers[slot as usize]);
        let mut chosen = Chosen { layers: vec![Vec::new(); top + 1] };
        let Some(entry) = self.entry else { return chosen };
        let Worker { scratch, query, selector, starts, .. } = worker;
        rows.prepare_slot(slot, query);
        starts.clear();
        starts.push(self.descend(rows, query, entry, top, scratch)[0]);
        let ef = self.options.ef_construction.max(self.options.m);
        for layer in (0..=top.min(usize::from(entry.layer))).rev() {
            self.walk(rows, query, starts, layer, ef, scratch);
            let links = selector.select(rows, scratch.pool.iter(), self.options.m);
            chosen.layers[layer].extend_from_slice(links);
            starts.clear();
            starts.extend(scratch.pool.iter());
        }
        chosen
    }

    /// The links of a node that new rows chose: its old ones and theirs, if there is room, else a
    /// selection.
    fn answer<S: Scorer>(
        &self,
        rows: &S,
        worker: &mut Worker<S::Query>,
        group: &[(u32, u32, u32)],
    ) -> Vec<u32> {
        let (slot, layer) = (group[0].0, group[0].1 as usize);
        let mut links: Vec<u32> = self.links.of(slot, layer).collect();
        links.extend(group.iter().map(|g| g.2));
        let room = self.links.room(layer);
        if links.len() <= room {
            return links;
        }
        let Worker { scratch, query, selector, ordered, .. } = worker;
        rows.prepare_slot(slot, query);
        scratch.ranks.resize(links.len(), 0.0);
        rows.score_ids(query, &links, &mut scratch.ranks);
        ordered.clear();
        ordered.extend(scratch.ranks.iter().copied().zip(links.iter().copied()));
        ordered.sort_unstable_by_key(|&(rank, to)| key(rank, to));
        selector.select(rows, ordered.iter().copied(), room).to_vec()
    }

    /// Writes a node's links and counts where they lead.
    fn replace(&mut self, slot: u32, layer: usize, links: &[u32]) {
        if layer == 0 {
            for to in self.links.of(slot, 0) {
                self.referred[to as usize] -= 1;
            }
            for &to in links {
                self.referred[to as usize] += 1;
            }
        }
        self.links.set(slot, layer, links);
    }

    /// As [`Graph::replace`], but no node loses the last link that leads to it: such links are kept,
    /// in the place of the last ones that are not.
    fn replace_kept(&mut self, slot: u32, layer: usize, mut links: Vec<u32>) {
        if layer == 0 {
            let lost = |to: &u32| self.referred[*to as usize] == 1 && !links.contains(to);
            let saved: Vec<u32> = self.links.of(slot, 0).filter(lost).collect();
            for to in saved {
                if links.len() < self.links.room(0) {
                    links.push(to);
                    continue;
                }
                // New links count as well: a row of this batch has no other yet.
                let spare = |from: &u32| {
                    let had = self.links.of(slot, 0).any(|l| l == *from);
                    self.referred[*from as usize] > u32::from(had)
                };
                if let Some(at) = links.iter().rposition(spare) {
                    links[at] = to;
                }
            }
        }
        self.replace(slot, layer, &links);
    }

    /// Links whatever cannot be reached on layer 0 from the nearest row that can.
    fn repair<S: Scorer>(&mut self, rows: &S, workers: &mut Vec<Worker<S::Query>>) {
        if workers.is_empty() {
            workers.push(Worker::default());
        }
        let Worker { scratch, query, .. } = &mut workers[0];
        let mut found = Vec::new();
        // A link that was replaced may have been somebody's only path: look again, a few times.
        for _ in 0..ROUNDS {
            let Some(entry) = self.entry else { return };
            let mut reached = vec![false; self.len()];
            if self.spread(entry.slot, &mut reached) == self.len() {
                return;
            }
            for slot in 0..self.len() as u32 {
                if reached[slot as usize] {
                    continue;
                }
                rows.prepare_slot(slot, query);
                // On layer 0 alone: from above one may come down among those that are cut off.
                let mut rank = [0.0];
                rows.score_ids(query, &[entry.slot], &mut rank);
                let start = (rank[0], entry.slot);
                self.walk(rows, query, &[start], 0, self.options.ef_construction, scratch);
                found.clear();
                found.extend(scratch.pool.iter());
                if !self.lead_to(slot, &found) {
                    // Among very many equal rows: wherever there is a place.
                    let full = self.links.room(0);
                    let free = |&from: &u32| {
                        reached[from as usize] && self.links.of(from, 0).count() < full
                    };
                    let free: Option<u32> = (0..self.len() as u32).find(free);
                    free.map(|from| self.lead_to(slot, &[(0.0, from)]));
                }
                self.spread(slot, &mut reached);
            }
        }
    }

    /// Gives one of `found` a link to `slot`: the first with a free place, else the first that can
    /// spare one. Whether there was any.
    fn lead_to(&mut self, slot: u32, found: &[(f32, u32)]) -> bool {
        let room = self.links.room(0);
        for &(_, from) in found {
            let mut links: Vec<u32> = self.links.of(from, 0).collect();
            if links.len() < room {
                links.push(slot);
                self.replace(from, 0, &links);
                return true;
            }
        }
        for &(_, from) in found {
            let mut links: Vec<u32> = self.links.of(from, 0).collect();
            if let Some(at) = links.iter().rposition(|&to| self.referred[to as usize] > 1) {
                links[at] = slot;
                self.replace(from, 0, &links);
                return true;
            }
        }
        false
    }

    /// Marks all that can be reached from `slot` on layer 0; how many were not marked before.
    pub(super) fn spread(&self, slot: u32, reached: &mut [bool]) -> usize {
        let (mut stack, mut count) = (vec![slot], 0);
        while let Some(slot) = stack.pop() {
            if std::mem::replace(&mut reached[slot as usize], true) {
                continue;
            }
            count += 1;
            stack.extend(self.links.of(slot, 0).filter(|&to| !reached[to as usize]));
        }
        count
    }
}

/// The highest layer of a row: geometric with the ratio 1 / m, from a hash of its slot.
fn draw_layer(options: &HnswOptions, slot: u32) -> u8 {
    let uniform = ((mix(options.seed, slot) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let layer = -uniform.ln() / (options.m as f64).ln();
    layer.min(f64::from(MAX_LAYER)) as u8
}

/// A number for a slot that looks drawn: SplitMix64's finaliser (Steele, Lea and Flood, 2014).
fn mix(seed: u64, slot: u32) -> u64 {
    let mut z =
        seed.wrapping_add(u64::from(slot).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
