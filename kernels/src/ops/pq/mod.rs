//! Product quantisation.

use crate::kernel::AnyOp;

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[];
