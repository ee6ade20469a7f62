//! What training allocates, counted. One test: others in this process would be counted too.
#![cfg(feature = "pq")]
#![allow(unsafe_code, reason = "a global allocator that counts")]
#![expect(clippy::unwrap_used, reason = "a test stops at its first surprise")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use annvil::quant::{KMeansOptions, Pq, PqOptions, kmeans};
use annvil::{AlignedRows, Forced};

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
fn counted<T>(work: impl FnOnce() -> T) -> (usize, usize, T) {
    let at = || (BLOCKS.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    let (blocks, bytes) = at();
    let made = work();
    let (blocks_after, bytes_after) = at();
    (blocks_after - blocks, bytes_after - bytes, made)
}

fn rows(n: usize, dim: usize) -> AlignedRows {
    let mut state = 7u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 1e6
    };
    let data: Vec<f32> = (0..n * dim).map(|_| next()).collect();
    AlignedRows::from_packed(&data, dim).unwrap()
}

#[test]
fn an_iteration_allocates_nothing() {
    let forced = Forced::default();
    let large = rows(20_000, 16);
    let of = |iterations| KMeansOptions { iterations, ..KMeansOptions::new(128) };
    let train = |iterations| {
        let (blocks, bytes, found) =
            counted(|| kmeans(large.view(), &of(iterations), &forced).unwrap());
        assert_eq!(found.iterations, iterations);
        (blocks, bytes)
    };
    // What a process does once, such as asking what the CPU has.
    train(1);
    assert_eq!(train(5), train(20), "blocks and bytes of 5 and 20 iterations");

    // A sub-space more or less, not a row: what grows with the rows are bytes, not blocks.
    let wide = rows(2_000, 32);
    let pq = |n: usize, iterations| {
        let options = PqOptions { iterations, ..PqOptions::new(8) };
        let (blocks, bytes, _) =
            counted(|| Pq::train(wide.view().slice(0, n), &options, &forced).unwrap());
        (blocks, bytes)
    };
    let (few, many) = (pq(1_000, 5), pq(2_000, 5));
    assert!(many.0.abs_diff(few.0) <= 16, "{} blocks for 1,000 rows, {} for 2,000", few.0, many.0);
    assert_eq!(pq(2_000, 5), pq(2_000, 20));

    #[cfg(feature = "parallel")]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let train = |iterations| {
            let work =
                || annvil::quant::kmeans_in(&pool, large.view(), &of(iterations), &forced).unwrap();
            let (blocks, bytes, _) = counted(work);
            (blocks, bytes)
        };
        train(1);
        let (five, twenty) = (train(5), train(20));
        // Threads that wake and sleep allocate now and then; iterations do not.
        assert!(twenty.0 <= five.0 + 8, "{} blocks, then {}", five.0, twenty.0);
        assert!(twenty.1 as f64 <= 1.05 * five.1 as f64, "{} bytes, then {}", five.1, twenty.1);
    }
}
