//! The result schema of a run, and everything that is made from one: statistics, charts and the
//! one-file report page.

#![forbid(unsafe_code)]

pub mod chart;
pub mod engine_text;
mod escape;
pub mod findings;
pub mod page;
pub mod schema;
pub mod stats;
