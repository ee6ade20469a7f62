//! The bench of Annvil: data sets, verification, paired timing, verdicts, result files.
//!
//! [`suite`] says what to measure, [`protocol`] asks fresh processes one cell at a time, [`rounds`]
//! is their timing core, [`verdict`] decides, [`measure`] makes the rows of a record, [`outside`] has the contestants that are no kernels
//! of ours, [`store`] keeps finished cells safe, [`engine`] measures the engine against others, and [`selftest`] measures the harness itself. METHODOLOGY.md has the
//! reasons, BIAS.md what the timing favours.

pub mod asm;
pub mod baseline;
pub mod builds;
pub mod data;
pub mod engine;
pub mod env;
pub mod findings;
pub mod hash;
pub mod limits;
pub mod measure;
pub mod outside;
pub mod promote;
pub mod proof;
pub mod protocol;
pub mod rng;
pub mod rounds;
pub mod selftest;
pub mod store;
pub mod suite;
pub mod verdict;
pub mod workload;
