//! Rows of 4-bit codes, two a byte.

use crate::kernel::AnyOp;

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[];
