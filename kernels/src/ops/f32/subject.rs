//! How the test kit tries operations on `f32`.

use super::F32;
use super::metric::{Cosine, Dot, Step};
use crate::kernel::Op;
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Row, Scan, ScanNorms, inv_norm};
use crate::testkit::cases::{Family, Random, row};
use crate::testkit::trial::{Truth, VectorSubject};
use crate::testkit::{bounds::expected, oracle::exact};

macro_rules! subjects {
    ($($op:ty $(, $m:ident)?;)*) => {$(
        impl$(<$m: Step>)? VectorSubject for $op {
            fn row(random: &mut Random, family: Family, dim: usize, query: &[f32]) -> Vec<f32> {
                row(random, family, dim, |random, i| {
                    query[i] * (1.0 + 3e-7 * random.below(9) as f32)
                })
            }

            fn query_norm(query: &[f32]) -> f32 {
                inv_norm(query)
            }

            fn row_norm(row: &[f32]) -> f32 {
                inv_norm(row)
            }

            fn truth(dim: usize, query: &[f32], row: &[f32]) -> Truth {
                let exact = exact(Self::METRIC, query, row);
                let cached = <<Self as Op>::Shape as crate::VectorShape>::NORMS;
                let expected = expected(Self::METRIC, dim, &exact, cached);
                Truth { expected, scale: exact.scale }
            }
        }
    )*};
}

subjects! {
    F32<M, Pair<f32>>, M;
    F32<M, Scan<f32>>, M;
    F32<M, Gather<f32>>, M;
    F32<Dot, Row<f32>>;
    F32<Cosine, PairNorms<f32>>;
    F32<Cosine, ScanNorms<f32>>;
    F32<Cosine, GatherNorms<f32>>;
}
