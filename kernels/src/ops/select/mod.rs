//! The best of many scores.

use crate::kernel::AnyOp;

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[];
