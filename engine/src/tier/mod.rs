//! Rows that are asked for often stay as they are; those that are not shrink.
//!
//! ```text
//! share of all rows that are asked for less *   tier      held as
//! 80 % and more                                 hot       f32
//! 40 % to 80 %                                  warm      8-bit codes
//! 10 % to 40 %                                  cool      4-bit codes
//! 1 % to 10 %                                   cold      product quantisation
//! below 1 %, or never asked for                 archive   bits
//! ```
//! \* and half of those that are asked for alike.
//!
//! Each row has a count that halves with every epoch; the caller says when one ends, nothing here
//! reads a clock. [`Policy`] turns counts into moves, [`TieredRows`] makes them.

mod policy;
mod rows;

pub use policy::{Policy, PolicyError, Tier, TierOptions};
pub use rows::{Migration, Originals, TierError, TierStats, TieredRows};
