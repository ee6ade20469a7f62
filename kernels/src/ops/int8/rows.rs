//! Rows of techniques that need a feature of the build: announced where it is missing.

use crate::isa::Level;
use crate::kernel::{Op, Technique, Variant};

macro_rules! technique {
    ($module:ident, $feature:literal, $technique:ident, $why:literal, { $($row:ident$(<$n:ident>)?)* }) => {
        pub(super) mod $module {
            #[cfg(not(feature = $feature))]
            use super::{Level, Technique};
            use super::{Op, Variant};
            #[cfg(feature = $feature)]
            use crate::ops::plain::{self, PairFn};
            #[cfg(feature = $feature)]
            use crate::shape::{Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

            $(
                #[cfg(feature = $feature)]
                pub(in crate::ops::int8) const fn $row<O, F $(, $n: Copy + 'static)?>() -> Variant<O>
                where
                    F: PairFn,
                    O: Op<Shape = technique!(@shape $row F $($n)?)>,
                {
                    plain::$row::<O, F $(, $n)?>()
                }

                #[cfg(not(feature = $feature))]
                #[allow(clippy::extra_unused_type_parameters, reason = "those of the row that is there")]
                pub(in crate::ops::int8) const fn $row<O: Op, F $(, $n)?>() -> Variant<O> {
                    Variant::absent(stringify!($module), Level::Scalar, Technique::$technique, $why)
                }
            )*
        }
    };
    (@shape pair $f:ident) => { Pair<$f::Query, $f::Code, $f::Value> };
    (@shape scan $f:ident) => { Scan<$f::Query, $f::Code, $f::Value> };
    (@shape gather $f:ident) => { Gather<$f::Query, $f::Code, $f::Value> };
    (@shape pair_norms $f:ident $n:ident) => { PairNorms<$f::Query, $f::Code, $f::Value, $n> };
    (@shape scan_norms $f:ident $n:ident) => { ScanNorms<$f::Query, $f::Code, $f::Value, $n> };
    (@shape gather_norms $f:ident $n:ident) => { GatherNorms<$f::Query, $f::Code, $f::Value, $n> };
}

technique! {
    autovec, "autovec", Autovec, "needs the feature `autovec`",
    { pair scan gather pair_norms<N> scan_norms<N> gather_norms<N> }
}

technique! {
    simsimd, "simsimd", Simsimd, "needs the feature `simsimd` and a C compiler",
    { pair scan gather pair_norms<N> scan_norms<N> gather_norms<N> }
}

/// The row of a metric that the library lacks.
pub(super) const fn no_l1<O: Op>() -> Variant<O> {
    Variant::absent("simsimd", Level::Scalar, Technique::Simsimd, "SimSIMD has no such metric")
}
