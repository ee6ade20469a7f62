//! What proves a kernel right: `f64` oracles, error bounds derived from the length, inputs that
//! hurt, guard pages, a ledger of what ran, and a trace of the instructions that ran.
//!
//! Tests and the harness share it, so what is timed was judged by the same rules.

pub(crate) mod bounds;
pub mod cases;
pub mod claims;
pub mod fuzz;
pub mod guard;
pub mod ledger;
pub(crate) mod oracle;
pub mod steps;
pub mod trial;
pub(crate) mod verify;

#[doc(inline)]
pub use crate::isa::limits;
pub use bounds::{UNIT_ROUNDOFF, gamma};
pub use oracle::{Exact, exact};
pub use verify::{Failure, Report, Value};
