//! Linking rows that the graph does not know yet, beside searches and changes.
//!
//! A thread links a graph of its own, a slice of rows at a time, and puts it in the place of the
//! collection's when it is done, or has grown by half. Searches scan the rows behind the graph they
//! have; nobody waits longer than for a slice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::Disk;
use crate::Graph;
use crate::collection::state::{AT_ONCE, Crew, Index, State, extend};
use crate::collection::{CollectionError, Shared};
use crate::scorer::Scorer;
use crate::storage::StoreError;

/// Rows that are linked while a change waits.
const SLICE: usize = 256;
/// Rows that a graph may have been given since it was stored.
const UNSTORED: usize = 8192;

/// The graph on disk, and the thread that links.
#[derive(Debug)]
pub(super) struct Links {
    worker: Mutex<Option<JoinHandle<()>>>,
    stop: AtomicBool,
    /// Rows of the stored graph.
    stored: AtomicUsize,
    /// Held while a graph is stored.
    storing: Mutex<()>,
}

impl Links {
    pub(super) fn new(stored: usize) -> Self {
        Self {
            worker: Mutex::default(),
            stop: AtomicBool::new(false),
            stored: AtomicUsize::new(stored),
            storing: Mutex::default(),
        }
    }

    pub(super) fn stored(&self) -> usize {
        self.stored.load(Ordering::Acquire)
    }

    /// The stored graph is none any more.
    pub(super) fn forget(&self) {
        self.stored.store(0, Ordering::Release);
    }

    fn worker(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the thread to be done.
    pub(super) fn wait(&self) {
        if let Some(worker) = self.worker().take() {
            // A panic was told by its thread; the rows are scanned.
            let _ = worker.join();
        }
    }

    /// Has the thread leave off.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.wait();
        self.stop.store(false, Ordering::Release);
    }
}

impl Disk {
    /// Starts the thread. Whoever set `catching_up` calls this, so there is one at most.
    pub(super) fn catch_up(self: &Arc<Self>, shared: &Arc<Shared>) {
        let mut worker = self.links.worker();
        if let Some(done) = worker.take() {
            // It has cleared `catching_up`, and is at its end.
            let _ = done.join();
        }
        let (disk, to_link) = (Arc::clone(self), Arc::clone(shared));
        let spawned = std::thread::Builder::new()
            .name("annvil-links".to_owned())
            .spawn(move || disk.link_all(&to_link));
        match spawned {
            Ok(handle) => *worker = Some(handle),
            // No thread to be had: the next change links.
            Err(_) => {
                if let Ok(mut state) = shared.write() {
                    state.catching_up = false;
                }
            }
        }
    }

    /// Links the rows behind the graph: few at once, many by the thread.
    pub(super) fn catch_up_if_behind(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
    ) -> Result<(), CollectionError> {
        let mut state = shared.write()?;
        let behind = state.slots() - state.indexed();
        state.catching_up = false;
        let leave = behind > 0 && state.link_or_leave(behind, shared.pool());
        drop(state);
        if leave {
            self.catch_up(shared);
        }
        Ok(())
    }

    fn link_all(&self, shared: &Shared) {
        let begun = match &shared.read().index {
            Index::Hnsw(graph) => Some(Graph::clone(graph)),
            _ => None,
        };
        let Some(mut graph) = begun else { return };
        let mut shown = graph.len();
        loop {
            if self.links.stop.load(Ordering::Acquire) {
                break;
            }
            let slots = {
                let state = shared.read();
                let to = state.slots().min(graph.len() + SLICE);
                if link_to(&mut graph, &state, to, shared.pool()).is_err() {
                    break;
                }
                state.slots()
            };
            if graph.len() < slots {
                if graph.len() > shown + (shown / 2).max(AT_ONCE) {
                    shown = graph.len();
                    show(shared, graph.clone());
                    self.store_graph_if_due(shared);
                }
            } else if let Some(again) = show_last(shared, graph) {
                graph = again;
            } else {
                self.store_graph_if_due(shared);
                return;
            }
        }
        // What is linked stays linked; the rest is scanned until it is tried again.
        show(shared, graph);
        if let Ok(mut state) = shared.write() {
            state.catching_up = false;
        }
    }

    /// Stores the graph if enough of it is new. It can be made again: if this fails, whoever changes
    /// next is told.
    pub(super) fn store_graph_if_due(&self, shared: &Shared) {
        let (linked, stored) = (shared.read().indexed(), self.links.stored());
        if linked.saturating_sub(stored) >= UNSTORED.max(stored / 2) {
            let _ = self.store_graph(shared);
        }
    }

    /// Stores the graph, if it has grown since.
    pub(super) fn store_graph(&self, shared: &Shared) -> Result<(), CollectionError> {
        let _one = self.links.storing.lock().unwrap_or_else(PoisonError::into_inner);
        let (sequence, parts) = {
            let state = shared.read();
            match &state.index {
                Index::Hnsw(graph) if graph.len() > self.links.stored() => {
                    (state.sequence, graph.to_parts())
                }
                _ => return Ok(()),
            }
        };
        match self.store.publish_graph(sequence, &parts) {
            // Slots got new numbers meanwhile: another will follow.
            Ok(()) => self.links.stored.store(parts.layers.len(), Ordering::Release),
            Err(StoreError::OtherStore) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }
}

/// Puts a graph in the place of the collection's, if it has grown beyond it.
fn show(shared: &Shared, graph: Graph) {
    if let Ok(mut state) = shared.write()
        && let Index::Hnsw(old) = &mut state.index
        && old.len() < graph.len()
    {
        **old = graph;
    }
}

/// As the last one: back it comes if rows came that it does not know.
fn show_last(shared: &Shared, graph: Graph) -> Option<Graph> {
    let Ok(mut state) = shared.write() else { return None };
    if graph.len() < state.slots() {
        return Some(graph);
    }
    if let Index::Hnsw(old) = &mut state.index {
        **old = graph;
    }
    state.catching_up = false;
    None
}

/// Links rows up to slot `to`.
fn link_to(
    graph: &mut Graph,
    state: &State,
    to: usize,
    pool: Crew<'_>,
) -> Result<(), CollectionError> {
    match (&state.codes, &state.exact) {
        (Some(codes), _) => extend(graph, &First { rows: codes, len: to }, pool),
        (None, Some(exact)) => extend(graph, &First { rows: exact, len: to }, pool),
        (None, None) => Ok(()),
    }
}

/// The first rows of others.
struct First<'a, S> {
    rows: &'a S,
    len: usize,
}

impl<S: Scorer> Scorer for First<'_, S> {
    type Query = S::Query;

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn len(&self) -> usize {
        self.len
    }

    fn prepare(&self, vector: &[f32], query: &mut S::Query) {
        self.rows.prepare(vector, query);
    }

    fn prepare_slot(&self, slot: u32, query: &mut S::Query) {
        self.rows.prepare_slot(slot, query);
    }

    fn prefetch(&self, slot: u32) {
        self.rows.prefetch(slot);
    }

    fn score_ids(&self, query: &S::Query, slots: &[u32], ranks: &mut [f32]) {
        self.rows.score_ids(query, slots, ranks);
    }

    fn score_range(&self, query: &S::Query, from: u32, ranks: &mut [f32]) {
        self.rows.score_range(query, from, ranks);
    }
}
