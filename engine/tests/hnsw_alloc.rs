//! What a graph allocates, counted. One test: others in this process would be counted too.
#![cfg(feature = "hnsw")]
#![allow(unsafe_code, reason = "a global allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use annvil::scorer::{F32Rows, Rows, Scorer};
use annvil::{AlignedRows, Forced, Graph, HnswOptions, Metric, Scratch};

struct Counting;

static BLOCKS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's obligation is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's obligation is ours.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Blocks and bytes that `work` allocates.
fn counted(work: impl FnOnce()) -> (usize, usize) {
    let at = || (BLOCKS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    let (blocks, bytes) = at();
    work();
    let (blocks_after, bytes_after) = at();
    (blocks_after - blocks, bytes_after - bytes)
}

#[test]
fn a_warm_search_allocates_nothing_and_small_batches_do_not_copy_the_graph() {
    const DIM: usize = 8;
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 1e6
    };
    let n = 4000;
    let data: Vec<f32> = (0..n * DIM).map(|_| next()).collect();
    let forced = Forced::default();
    let rows =
        F32Rows::new(AlignedRows::from_packed(&data, DIM).unwrap(), Metric::L2, &forced).unwrap();
    let mut graph =
        Graph::new(HnswOptions { ef_construction: 40, ..HnswOptions::default() }).unwrap();
    graph.extend(&rows).unwrap();

    let mut scratch = Scratch::default();
    let (mut query, mut found) = (Vec::new(), Vec::new());
    let mut searches = || {
        for slot in (0..n as u32).step_by(97) {
            rows.prepare_slot(slot, &mut query);
            graph.search(&rows, &query, 64, &mut scratch, &mut found);
            let accept = |slot: u32| slot.is_multiple_of(10);
            graph.search_where(&rows, &query, 64, accept, &mut scratch, &mut found);
        }
    };
    searches();
    assert_eq!(counted(searches), (0, 0));

    // Rows that come by twos: links move to a larger array now and then, not each time.
    let mut some =
        F32Rows::new(AlignedRows::with_capacity(n, DIM).unwrap(), Metric::L2, &forced).unwrap();
    let mut graph =
        Graph::new(HnswOptions { ef_construction: 40, ..HnswOptions::default() }).unwrap();
    let mut held = 0;
    for pair in data.chunks(2 * DIM) {
        for row in pair.chunks(DIM) {
            some.push(row).unwrap();
        }
        let (_, bytes) = counted(|| graph.extend(&some).unwrap());
        held += bytes;
    }
    let share = held as f64 / graph.bytes() as f64;
    assert!(share < 40.0, "allocated {share} times what the graph takes");
}
