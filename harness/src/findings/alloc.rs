//! A global allocator that counts: blocks, bytes, large blocks and the change of what is held.
//!
//! The harness's binary registers it. While nothing is counted it costs one relaxed load a call.
#![allow(unsafe_code, reason = "a global allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The system's allocator, with an eye on it.
#[derive(Debug)]
pub struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
static LARGE: AtomicUsize = AtomicUsize::new(usize::MAX);
static BLOCKS: AtomicU64 = AtomicU64::new(0);
static LARGE_BLOCKS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicI64 = AtomicI64::new(0);
/// One count at a time.
static TURN: Mutex<()> = Mutex::new(());

/// What was allocated between two moments, by all threads of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Blocks; a block that grew is one more.
    pub blocks: u64,
    /// Blocks of at least the size that was asked about.
    pub large: u64,
    /// Bytes of all blocks, freed or not.
    pub bytes: u64,
    /// Bytes that are held after, less those held before.
    pub held: i64,
}

fn took(size: usize) {
    if ON.load(Relaxed) {
        BLOCKS.fetch_add(1, Relaxed);
        BYTES.fetch_add(size as u64, Relaxed);
        HELD.fetch_add(size as i64, Relaxed);
        if size >= LARGE.load(Relaxed) {
            LARGE_BLOCKS.fetch_add(1, Relaxed);
        }
    }
}

fn gave(size: usize) {
    if ON.load(Relaxed) {
        HELD.fetch_sub(size as i64, Relaxed);
    }
}

// SAFETY: every call is the system allocator's, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's obligation is ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller's obligation is ours.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        took(size);
        gave(layout.size());
        // SAFETY: the caller's obligation is ours.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        gave(layout.size());
        // SAFETY: the caller's obligation is ours.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Does `work` and counts; a block of `large` bytes or more is a large one. `None` if the program
/// runs on another allocator.
pub fn counted<T>(large: usize, work: impl FnOnce() -> T) -> (Option<Counts>, T) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (probe, _) = measure(1, || drop(std::hint::black_box(vec![0u8; 64])));
    let (counts, made) = measure(large, work);
    (Some(counts).filter(|_| probe.blocks > 0), made)
}

fn measure<T>(large: usize, work: impl FnOnce() -> T) -> (Counts, T) {
    /// Counting ends with the work, however that ends.
    struct Off;
    impl Drop for Off {
        fn drop(&mut self) {
            ON.store(false, Relaxed);
        }
    }
    LARGE.store(large, Relaxed);
    for counter in [&BLOCKS, &LARGE_BLOCKS, &BYTES] {
        counter.store(0, Relaxed);
    }
    HELD.store(0, Relaxed);
    let off = Off;
    ON.store(true, Relaxed);
    let made = work();
    drop(off);
    let counts = Counts {
        blocks: BLOCKS.load(Relaxed),
        large: LARGE_BLOCKS.load(Relaxed),
        bytes: BYTES.load(Relaxed),
        held: HELD.load(Relaxed),
    };
    (counts, made)
}
