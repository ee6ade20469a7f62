//! How the test kit tries operations on halves: as `f32`, over elements that are narrower.

use half::{bf16, f16};

use super::Half;
use crate::kernel::Op;
use crate::ops::f32::metric::{Cosine, Dot, L2Sq};
use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms, VectorShape, inv_norm};
use crate::testkit::bounds::{Expected, UNIT_ROUNDOFF, expected};
use crate::testkit::cases::{Element, Family, Random, row};
use crate::testkit::oracle::{Exact, exact};
use crate::testkit::trial::{Truth, VectorSubject};

impl Element for f16 {
    const FAMILIES: &'static [Family] = &Family::ALL;

    fn draw(random: &mut Random, family: Family) -> f16 {
        let uniform = |random: &mut Random| 2.0 * random.unit() - 1.0;
        match family {
            Family::Lognormal => f16::from_f64((2.0 * random.normal()).exp().min(65_504.0)),
            Family::Subnormal => {
                let bits = random.bits();
                f16::from_bits((bits as u16 & 0x83ff) >> 10 << 10 | (bits >> 20) as u16 & 0x3ff)
            }
            Family::Huge => f16::from_f64(uniform(random) * 65_504.0),
            Family::Large => f16::from_f64(uniform(random) * 1e3),
            Family::Small => f16::from_f64(uniform(random) * 1e-3),
            _ => f16::from_f64(uniform(random)),
        }
    }

    fn special(family: Family) -> Option<f16> {
        f32::special(family).map(f16::from_f32)
    }
}

impl Element for bf16 {
    const FAMILIES: &'static [Family] = &Family::ALL;

    fn draw(random: &mut Random, family: Family) -> bf16 {
        bf16::from_f32(f32::draw(random, family))
    }

    fn special(family: Family) -> Option<bf16> {
        f32::special(family).map(bf16::from_f32)
    }
}

/// An encoding: what its arithmetic may lose beyond that of `f32`.
trait Encoding: Element + Into<f32> {
    /// A float as an element.
    fn from_f32(x: f32) -> Self;
    /// The error of a foreign library's arithmetic in this encoding, relative: it rounds to nearest
    /// in `f16`, and cuts differences in `bf16`.
    const FOREIGN_UNIT: f64;
    /// Sums beyond which a foreign library may overflow.
    const FOREIGN_LIMIT: f64;
    /// What a foreign library's products lose by underflow, each.
    const FOREIGN_TINY: f64;
    /// Whether variants of pairs may flush subnormal numbers in products (`vdpbf16ps`).
    const FLUSHES: bool;
}

impl Encoding for f16 {
    fn from_f32(x: f32) -> f16 {
        f16::from_f32(x)
    }
    const FOREIGN_UNIT: f64 = 1.0 / 2048.0;
    const FOREIGN_LIMIT: f64 = 3e4;
    const FOREIGN_TINY: f64 = 6e-8;
    const FLUSHES: bool = false;
}

impl Encoding for bf16 {
    fn from_f32(x: f32) -> bf16 {
        bf16::from_f32(x)
    }
    const FOREIGN_UNIT: f64 = 1.0 / 128.0;
    const FOREIGN_LIMIT: f64 = 1e37;
    const FOREIGN_TINY: f64 = 1e-37;
    const FLUSHES: bool = true;
}

fn widened<E: Into<f32> + Copy>(x: &[E]) -> Vec<f32> {
    x.iter().map(|&v| v.into()).collect()
}

/// The truth with products that may flush: `2^-126 (|x| + |y| + 1)` an element more; cosine
/// promises its bound from squared norms of `n 2^-102` on, below which flushed squares would count.
fn flushed(
    metric: &str,
    n: usize,
    exact: &Exact,
    x: &[f32],
    y: &[f32],
    truth: Expected,
) -> Expected {
    let Expected::Within { value, error } = truth else { return truth };
    let tiny = f64::from(f32::MIN_POSITIVE);
    if metric == "cosine" {
        let low = n as f64 * tiny / UNIT_ROUNDOFF;
        let covered = exact.norms_sq[0].min(exact.norms_sq[1]) >= low;
        let error = error + 4.0 * UNIT_ROUNDOFF;
        return if covered { Expected::Within { value, error } } else { Expected::Anything };
    }
    let sizes = x.iter().zip(y).map(|(x, y)| f64::from(x.abs()) + f64::from(y.abs()) + 1.0);
    Expected::Within { value, error: error + tiny * sizes.sum::<f64>() }
}

/// The bound of a foreign library that narrows the query and computes in the encoding, in 32 lanes.
fn foreign<E: Encoding>(metric: &str, n: usize, exact: &Exact, x: &[f32], y: &[f32]) -> Expected {
    let unit = E::FOREIGN_UNIT;
    let relative = unit * (n as f64 / 32.0 + 12.0);
    let tiny = n as f64 * E::FOREIGN_TINY;
    let squares = |v: &[f32]| v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    let (xx, yy, value) = (squares(x), squares(y), exact.value);
    if exact.scale.max(xx).max(yy) > E::FOREIGN_LIMIT {
        return Expected::Anything;
    }
    let error = match metric {
        "cosine" if xx.min(yy) <= 16.0 * tiny => return Expected::Anything,
        "cosine" => 4.0 * relative + 4.0 * tiny / xx.min(yy),
        // The error of a difference is that of the narrowed query and its own.
        "l2sq" => {
            let off = 2.0 * unit * (xx.sqrt() + yy.sqrt());
            2.0 * relative * value + 2.0 * off * value.sqrt() + off * off + tiny
        }
        _ => 2.0 * relative * exact.scale + tiny,
    };
    Expected::Within { value, error }
}

macro_rules! subjects {
    ($e:ty: $($m:ty, $shape:ty, $query:ty;)*) => {$(
        impl VectorSubject for Half<$e, $m, $shape> {
            fn row(random: &mut Random, family: Family, dim: usize, query: &[$query]) -> Vec<$e> {
                row(random, family, dim, |random, i| {
                    let x: f32 = query[i].into();
                    <$e as Encoding>::from_f32(x * (1.0 + 2e-3 * random.below(9) as f32))
                })
            }

            fn query_norm(query: &[$query]) -> f32 {
                inv_norm(&widened(query))
            }

            fn row_norm(row: &[$e]) -> f32 {
                inv_norm(&widened(row))
            }

            fn truth(dim: usize, query: &[$query], row: &[$e]) -> Truth {
                let (x, y) = (widened(query), widened(row));
                let exact = exact(Self::METRIC, &x, &y);
                let cached = <<Self as Op>::Shape as VectorShape>::NORMS;
                let mut expected = expected(Self::METRIC, dim, &exact, cached);
                let pair = size_of::<$query>() == size_of::<$e>();
                if <$e>::FLUSHES && pair && Self::METRIC != "l2sq" {
                    expected = flushed(Self::METRIC, dim, &exact, &x, &y, expected);
                }
                Truth { expected, scale: exact.scale }
            }

            fn foreign_truth(dim: usize, query: &[$query], row: &[$e]) -> Truth {
                let (x, y) = (widened(query), widened(row));
                let exact = exact(Self::METRIC, &x, &y);
                let expected = foreign::<$e>(Self::METRIC, dim, &exact, &x, &y);
                Truth { expected, scale: exact.scale }
            }
        }
    )*};
}

macro_rules! all_subjects {
    ($($e:ident)*) => {$(subjects! {
        $e:
        L2Sq, Pair<$e, $e, f32>, $e;
        L2Sq, Scan<f32, $e, f32>, f32;
        L2Sq, Gather<f32, $e, f32>, f32;
        Dot, Pair<$e, $e, f32>, $e;
        Dot, Scan<f32, $e, f32>, f32;
        Dot, Gather<f32, $e, f32>, f32;
        Cosine, Pair<$e, $e, f32>, $e;
        Cosine, Scan<f32, $e, f32>, f32;
        Cosine, Gather<f32, $e, f32>, f32;
        Cosine, PairNorms<$e, $e, f32>, $e;
        Cosine, ScanNorms<f32, $e, f32>, f32;
        Cosine, GatherNorms<f32, $e, f32>, f32;
    })*};
}

all_subjects! { f16 bf16 }
