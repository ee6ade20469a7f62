//! The counting allocator against planted allocations. One test: others in this process would be
//! counted too.

use annvil_harness::findings::alloc::{Counting, Counts, Who, counted};
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn planted_blocks_are_counted() {
    let (none, ()) = counted(Who::All, 1, || ());
    assert_eq!(none, Some(Counts::default()));

    let (counts, kept) = counted(Who::All, 512, || {
        drop(black_box(vec![1u8; 100]));
        black_box((vec![0u8; 512], Vec::<u64>::with_capacity(100), Box::new([1u8; 511])))
    });
    let want = Counts { blocks: 4, large: 2, bytes: 100 + 512 + 800 + 511, held: 512 + 800 + 511 };
    assert_eq!(counts, Some(want));

    // What was there before and goes is held no more.
    let (counts, ()) = counted(Who::All, 1, || drop(black_box(kept)));
    assert_eq!(counts, Some(Counts { held: -(512 + 800 + 511), ..Counts::default() }));

    // A block that grows is another block; only the growth is held.
    let mut grows = Vec::<u8>::with_capacity(64);
    let (counts, ()) = counted(Who::All, 1, || grows.reserve_exact(128));
    assert_eq!(counts, Some(Counts { blocks: 1, large: 1, bytes: 128, held: 64 }));

    // Other threads count as well, and nothing is counted after a panic.
    let (counts, ()) = counted(Who::All, 5000, || {
        std::thread::scope(|s| {
            s.spawn(|| drop(black_box(vec![0u8; 5000])));
        });
    });
    assert_eq!(counts.map(|c| c.large), Some(1));
    let (counts, ()) = counted(Who::Caller, 5000, || {
        drop(black_box(vec![0u8; 6000]));
        std::thread::scope(|s| {
            s.spawn(|| drop(black_box(vec![0u8; 5000])));
        });
    });
    assert_eq!(counts.map(|c| c.large), Some(1));
    let fell = std::panic::catch_unwind(|| counted(Who::All, 1, || panic!("planted")));
    assert!(fell.is_err());
    let (counts, ()) = counted(Who::All, 1, || ());
    assert_eq!(counts, Some(Counts::default()));
}
