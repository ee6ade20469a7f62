//! Every operation there is: the list that tests, benches and reports loop over.

use std::sync::LazyLock;

use crate::kernel::{AnyOp, BindError};
use crate::ops as families;

/// The operations of each family, in the order of tables.
static FAMILIES: &[&[&dyn AnyOp]] = &[
    families::f32::OPS,
    families::f16::OPS,
    families::bf16::OPS,
    families::i8::OPS,
    families::u8::OPS,
    families::int4::OPS,
    families::sq8::OPS,
    families::bits::OPS,
    families::pq::OPS,
    families::select::OPS,
];

static ALL: LazyLock<Vec<&'static dyn AnyOp>> = LazyLock::new(|| FAMILIES.concat());

/// Every operation, grouped by encoding and metric.
#[must_use]
pub fn ops() -> &'static [&'static dyn AnyOp] {
    &ALL
}

/// The operation at a path such as `f32/l2sq/pair`.
///
/// # Errors
/// No operation has the path.
pub fn find(path: &str) -> Result<&'static dyn AnyOp, BindError> {
    let found = ops().iter().find(|op| op.path() == path);
    found.copied().ok_or_else(|| BindError::UnknownOp { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Technique;

    #[test]
    fn coordinates_are_unique() {
        let mut seen = HashSet::new();
        for op in ops() {
            for variant in op.variants() {
                let coordinates = format!("{}#{}", op.path(), variant.name);
                assert!(seen.insert(coordinates.clone()), "{coordinates} stands twice");
            }
        }
    }

    #[test]
    fn every_op_begins_with_a_scalar_variant_that_runs() {
        for op in ops() {
            let first = &op.variants()[0];
            assert_eq!((first.technique, &first.not_run), (Technique::Scalar, &None));
        }
    }

    #[test]
    fn what_cannot_run_is_refused_by_name() {
        let op = find("f32/l2sq/pair").unwrap();
        for variant in op.variants().iter().filter(|v| v.not_run.is_some()) {
            let Err(error) = op.check(variant.name, 64) else { panic!("{} bound", variant.name) };
            assert!(matches!(error, BindError::NotRun { .. }), "{error}");
        }
        assert!(matches!(op.check("avx3", 64), Err(BindError::UnknownVariant { .. })));
        assert!(matches!(find("f32/l3/pair"), Err(BindError::UnknownOp { .. })));
    }
}
