//! Plain ways to the k smallest: writing everything down and selecting, and a heap behind a
//! comparison, which is what search engines do.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::{KSmallest, Smallest};
use crate::isa::Level;
use crate::kernel::{Entry, Technique, Variant};
use crate::shape::select::{Scored, TopK, key, scored};

/// Every score is written down; when the scratch is full, all but the k smallest are dropped.
fn all_entry(scores: &[f32], first: u32, top: &mut TopK) {
    for (i, &score) in scores.iter().enumerate() {
        if !score.is_nan() {
            if top.len == top.keys.len() {
                top.prune();
            }
            top.keys[top.len] = key(score, first.wrapping_add(i as u32));
            top.len += 1;
        }
    }
}

/// The k smallest so far as a heap, the largest of them on top: a score that is above it is dropped
/// by one comparison.
fn heap_entry(scores: &[f32], first: u32, top: &mut TopK) {
    top.prune();
    let k = top.k();
    let mut offered = scores.iter().enumerate();
    while top.len < k {
        let Some((i, &score)) = offered.next() else { return };
        if !score.is_nan() {
            top.keys[top.len] = key(score, first.wrapping_add(i as u32));
            top.len += 1;
        }
    }
    let heap = &mut top.keys[..k];
    for i in (0..k / 2).rev() {
        sift_down(heap, i);
    }
    let mut worst = scored(heap[0]).score;
    for (i, &score) in offered {
        // False for NaN.
        if score <= worst {
            let new = key(score, first.wrapping_add(i as u32));
            if new < heap[0] {
                heap[0] = new;
                sift_down(heap, 0);
                worst = scored(heap[0]).score;
            }
        }
    }
    top.limit = worst;
}

/// Puts the key at `i` in its place below.
fn sift_down(heap: &mut [u64], mut i: usize) {
    loop {
        let mut child = 2 * i + 1;
        if child >= heap.len() {
            return;
        }
        if child + 1 < heap.len() && heap[child + 1] > heap[child] {
            child += 1;
        }
        if heap[child] <= heap[i] {
            return;
        }
        heap.swap(i, child);
        i = child;
    }
}

/// One comparison after the other.
pub(super) fn argmin(scores: &[f32]) -> Option<Scored> {
    let mut best: Option<Scored> = None;
    for (&score, id) in scores.iter().zip(0u32..) {
        let nearer = best.map_or(!score.is_nan(), |best| score < best.score);
        if nearer {
            best = Some(Scored { id, score });
        }
    }
    best
}

macro_rules! rows {
    ($($row:ident $op:ident $name:literal $entry:ident;)*) => {$(
        pub(super) const fn $row() -> Variant<$op> {
            let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some($entry);
            // SAFETY: plain Rust runs on every CPU of the build's target.
            unsafe { Variant::new($name, Level::Scalar, Technique::Scalar, resolve) }
        }
    )*};
}

rows! {
    all KSmallest "scalar" all_entry;
    heap KSmallest "heap" heap_entry;
    argmin_row Smallest "scalar" argmin;
}
