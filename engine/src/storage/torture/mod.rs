//! What is done to stores to see them lose something: scripts from seeds, run on a simulated disk
//! that loses power, fails, and rots. The tests of the crate run short forms, the harness long ones.
//!
//! Every failure names its seed; the same call with that seed fails again.

mod faults;
mod model;
mod power;
mod rot;

use std::fmt;

pub use super::options::Knob;
pub use faults::{FaultTally, faults, full};
#[cfg(all(test, feature = "hnsw"))]
pub(super) use model::chain;
pub use model::{Model, Step, script};
pub use power::{PowerTally, power};
pub use rot::{RotTally, rot};

/// What went wrong, and where it can be seen again.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the case.
    pub seed: u64,
    /// What was done.
    pub case: String,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}: {}", self.seed, self.case, self.what)
    }
}

impl std::error::Error for Failure {}

/// splitmix64.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct Random(pub(in crate::storage) u64);

impl Random {
    pub(in crate::storage) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in crate::storage) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

#[cfg(test)]
mod tests;
