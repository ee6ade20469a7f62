//! Plain loops that the compiler vectorises, compiled once per target by the crate `multiversion`:
//! 64 sums of a block in one flat array (`autovec`), and the sweep as it is found elsewhere, which
//! keeps the sums of all rows in memory and passes over them once per dimension (`sweep`).
#![allow(unsafe_code, reason = "rows that name a level")]

use crate::isa::Level;
#[cfg(feature = "autovec")]
use crate::kernel::Entry;
use crate::kernel::{Technique, Variant};
use crate::ops::f32::F32;
use crate::ops::f32::lanes::Lanewise;
use crate::ops::f32::metric::Step;
use crate::shape::Block;

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;
    use multiversion::target::target_cfg_f;

    use crate::layout_block::{BLOCK, BlocksRef};
    use crate::ops::f32::metric::{abs_bits, distance};

    macro_rules! metric {
        ($metric:ident, $fma:ident, |$sum:ident, $x:ident, $y:ident| $step:expr) => {
            pub(super) mod $metric {
                use super::*;

                #[multiversion(targets = "simd")]
                pub(in super::super) fn block(
                    query: &[f32],
                    blocks: BlocksRef<'_>,
                    out: &mut [f32],
                ) {
                    let $fma = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
                    let _ = $fma;
                    for (b, out) in out.chunks_mut(BLOCK).enumerate() {
                        let mut sums = [0.0f32; BLOCK];
                        for (&$x, column) in query.iter().zip(blocks.block(b)) {
                            for r in 0..BLOCK {
                                let ($sum, $y) = (sums[r], column[r]);
                                sums[r] = $step;
                            }
                        }
                        out.copy_from_slice(&sums[..out.len()]);
                    }
                }

                #[multiversion(targets = "simd")]
                pub(in super::super) fn sweep(
                    query: &[f32],
                    blocks: BlocksRef<'_>,
                    out: &mut [f32],
                ) {
                    let $fma = target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"));
                    let _ = $fma;
                    out.fill(0.0);
                    for (d, &$x) in query.iter().enumerate() {
                        for (b, out) in out.chunks_mut(BLOCK).enumerate() {
                            let column = &blocks.block(b)[d];
                            for (o, &$y) in out.iter_mut().zip(column) {
                                let $sum = *o;
                                *o = $step;
                            }
                        }
                    }
                }
            }
        };
    }

    /// `a * b + c`: fused where the clone's target has it, since it is a call elsewhere.
    #[inline(always)]
    fn mul_add(fma: bool, a: f32, b: f32, c: f32) -> f32 {
        if fma { a.mul_add(b, c) } else { a * b + c }
    }

    metric!(l2sq, fma, |sum, x, y| mul_add(fma, x - y, x - y, sum));
    metric!(dot, fma, |sum, x, y| mul_add(fma, x, y, sum));
    metric!(l1, fma, |sum, x, y| sum + (x - y).abs());
    metric!(linf, fma, |sum, x, y| f32::from_bits(sum.to_bits().max(abs_bits(x, y))));

    /// Cosine keeps three sums a row, in arrays of their own.
    #[multiversion(targets = "simd")]
    pub(super) fn cosine(query: &[f32], blocks: BlocksRef<'_>, out: &mut [f32]) {
        let xx = query.iter().map(|x| x * x).sum();
        for (b, out) in out.chunks_mut(BLOCK).enumerate() {
            let (mut xy, mut yy) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
            for (&x, column) in query.iter().zip(blocks.block(b)) {
                for r in 0..BLOCK {
                    xy[r] += x * column[r];
                    yy[r] += column[r] * column[r];
                }
            }
            for (r, o) in out.iter_mut().enumerate() {
                *o = distance(xy[r], xx, yy[r]);
            }
        }
    }
}

/// The entry of this name for a metric.
#[cfg(feature = "autovec")]
macro_rules! by_metric {
    ($m:ident, $entry:ident, cosine: $cosine:expr) => {{
        use crate::set::Metric;
        let resolve: Result<fn(usize) -> Option<Entry<F32<$m, Block>>>, &'static str> =
            match $m::METRIC {
                Metric::L2Sq => Ok(|_| Some(imp::l2sq::$entry)),
                Metric::Dot => Ok(|_| Some(imp::dot::$entry)),
                Metric::L1 => Ok(|_| Some(imp::l1::$entry)),
                Metric::Linf => Ok(|_| Some(imp::linf::$entry)),
                Metric::Cosine => $cosine,
            };
        resolve
    }};
}

macro_rules! row {
    ($fn:ident, $name:literal, $entry:ident, cosine: $cosine:expr) => {
        pub(super) const fn $fn<M: Step<Rows: Lanewise>>() -> Variant<F32<M, Block>> {
            #[cfg(feature = "autovec")]
            {
                match by_metric!(M, $entry, cosine: $cosine) {
                    // SAFETY: code that dispatches inside detects the level before it uses it.
                    Ok(resolve) => unsafe {
                        Variant::new($name, Level::Scalar, Technique::Autovec, resolve)
                    },
                    Err(why) => Variant::absent($name, Level::Scalar, Technique::Autovec, why),
                }
            }
            #[cfg(not(feature = "autovec"))]
            Variant::absent($name, Level::Scalar, Technique::Autovec, "needs the feature `autovec`")
        }
    };
}

row!(block, "autovec", block, cosine: Ok(|_| Some(imp::cosine)));
row!(sweep, "sweep", sweep, cosine: Err("two sums a row do not fit into one output"));
