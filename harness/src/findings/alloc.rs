//! A global allocator that counts: blocks, bytes, large blocks and the change of what is held.
//!
//! The harness's binary registers it. While nothing is counted it costs one relaxed load a call.
#![allow(unsafe_code, reason = "a global allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// The system's allocator, with an eye on it.
#[derive(Debug)]
pub struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
/// Whether only the thread counts that asked.
static OWN: AtomicBool = AtomicBool::new(false);
static LARGE: AtomicUsize = AtomicUsize::new(usize::MAX);
static BLOCKS: AtomicU64 = AtomicU64::new(0);
static LARGE_BLOCKS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static HELD: AtomicI64 = AtomicI64::new(0);
thread_local! {
    /// Whether this is the thread that asked. Without a destructor, so that it can be read at any
    /// moment of a thread's life.
    static ASKED: Cell<bool> = const { Cell::new(false) };
}
/// One count at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Whose blocks count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The calling thread's.
    Caller,
    /// Those of all threads, of whatever else they may be doing too.
    All,
}

/// What was allocated between two moments.
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

fn counts() -> bool {
    ON.load(Relaxed) && (!OWN.load(Relaxed) || ASKED.try_with(Cell::get).unwrap_or(false))
}

fn took(size: usize) {
    if counts() {
        BLOCKS.fetch_add(1, Relaxed);
        BYTES.fetch_add(size as u64, Relaxed);
        HELD.fetch_add(size as i64, Relaxed);
        if size >= LARGE.load(Relaxed) {
            LARGE_BLOCKS.fetch_add(1, Relaxed);
        }
    }
}

fn gave(size: usize) {
    if counts() {
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
pub fn counted<T>(who: Who, large: usize, work: impl FnOnce() -> T) -> (Option<Counts>, T) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (probe, _) = measure(who, 1, || drop(std::hint::black_box(vec![0u8; 64])));
    let (counts, made) = measure(who, large, work);
    (Some(counts).filter(|_| probe.blocks > 0), made)
}

fn measure<T>(who: Who, large: usize, work: impl FnOnce() -> T) -> (Counts, T) {
    /// Counting ends with the work, however that ends.
    struct Off;
    impl Drop for Off {
        fn drop(&mut self) {
            ON.store(false, Relaxed);
            ASKED.set(false);
        }
    }
    LARGE.store(large, Relaxed);
    OWN.store(who == Who::Caller, Relaxed);
    ASKED.set(true);
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
