//! Every operation there is: the list that tests, benches and reports loop over.

use crate::kernel::{AnyOp, BindError, Erased};
use crate::ops::f32::F32;
use crate::ops::f32::metric::{Cosine, Dot, L1, L2Sq, Linf};
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms};

static OPS: &[&dyn AnyOp] = &[
    &Erased::<F32<L2Sq, Pair<f32>>>::new(),
    &Erased::<F32<L2Sq, Scan<f32>>>::new(),
    &Erased::<F32<L2Sq, Gather<f32>>>::new(),
    &Erased::<F32<Dot, Pair<f32>>>::new(),
    &Erased::<F32<Dot, Scan<f32>>>::new(),
    &Erased::<F32<Dot, Gather<f32>>>::new(),
    &Erased::<F32<Cosine, Pair<f32>>>::new(),
    &Erased::<F32<Cosine, Scan<f32>>>::new(),
    &Erased::<F32<Cosine, Gather<f32>>>::new(),
    &Erased::<F32<Cosine, PairNorms<f32>>>::new(),
    &Erased::<F32<Cosine, ScanNorms<f32>>>::new(),
    &Erased::<F32<Cosine, GatherNorms<f32>>>::new(),
    &Erased::<F32<L1, Pair<f32>>>::new(),
    &Erased::<F32<L1, Scan<f32>>>::new(),
    &Erased::<F32<L1, Gather<f32>>>::new(),
    &Erased::<F32<Linf, Pair<f32>>>::new(),
    &Erased::<F32<Linf, Scan<f32>>>::new(),
    &Erased::<F32<Linf, Gather<f32>>>::new(),
    &Erased::<F32<Dot, Row<f32>>>::new(),
];

/// Every operation, grouped by encoding and metric.
#[must_use]
pub fn ops() -> &'static [&'static dyn AnyOp] {
    OPS
}

/// The operation at a path such as `f32/l2sq/pair`.
///
/// # Errors
/// No operation has the path.
pub fn find(path: &str) -> Result<&'static dyn AnyOp, BindError> {
    let found = OPS.iter().find(|op| op.path() == path);
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
            let Err(error) = op.bind(variant.name, 64) else { panic!("{} bound", variant.name) };
            assert!(matches!(error, BindError::NotRun { .. }), "{error}");
        }
        assert!(matches!(op.bind("avx3", 64), Err(BindError::UnknownVariant { .. })));
        assert!(matches!(find("f32/l3/pair"), Err(BindError::UnknownOp { .. })));
    }
}
