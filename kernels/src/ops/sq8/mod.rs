//! Rows of `u8` codes with a scale and a bias.

use crate::kernel::AnyOp;

/// The operations of this family.
pub(crate) static OPS: &[&dyn AnyOp] = &[];
