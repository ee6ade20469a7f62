//! The order of results: by rank, then by slot, total and exact.

/// Rank and slot as one integer that orders like (rank, slot): -0 equals 0, and a NaN (which finite
/// vectors give only when a sum overflows to infinity on both sides) is farther than everything.
pub(crate) fn key(rank: f32, slot: u32) -> u64 {
    // Adding zero turns -0 into 0; for any other value it changes nothing.
    let bits = (rank + 0.0).to_bits();
    // A float's bits order like an integer's once negatives are inverted and positives moved above.
    let ordered = match bits >> 31 {
        _ if rank.is_nan() => u32::MAX,
        0 => bits | 1 << 31,
        _ => !bits,
    };
    u64::from(ordered) << 32 | u64::from(slot)
}

/// The rank of a key.
pub(crate) fn rank_of(key: u64) -> f32 {
    let ordered = (key >> 32) as u32;
    f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
}

/// The slot and rank of a key.
pub(crate) fn unpack(key: u64) -> (u32, f32) {
    (key as u32, rank_of(key))
}
