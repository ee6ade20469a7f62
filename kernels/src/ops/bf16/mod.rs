//! Rows of `bf16`.

use crate::kernel::AnyOp;

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[];
