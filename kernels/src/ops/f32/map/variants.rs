//! The rows of each level by hand, and of the techniques that bring a token: entries that enable
//! the level's features around the loops.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

macro_rules! module {
    (
        $(#[$doc:meta])* $module:ident, level: $level:ident, technique: $technique:ident,
        name: $name:literal, when: $when:meta, absent: $absent:literal, features: $features:meta,
        token: $token:ty, edges: $edges:literal;
    ) => {
        $(#[$doc])*
        #[allow(dead_code, reason = "not every technique has every form")]
        pub(super) mod $module {
            use crate::isa::Level;
            #[cfg($when)]
            use crate::kernel::Entry;
            use crate::kernel::{Technique, Variant};
            use crate::ops::f32::map::{Axpy, Fma, Residual, Scale, Sub, WeightedSum};

            #[cfg($when)]
            mod imp {
                use crate::layout::RowsRef;
                use crate::loops::{edges, map};

                module! { @entries $features, $token;
                    sub(a: &[f32], b: &[f32], out: &mut [f32]) { |s| map::sub(s, a, b, out) }
                    scale(a: &[f32], k: f32, out: &mut [f32]) { |s| map::scale(s, a, k, out) }
                    fma(a: &[f32], b: &[f32], c: &[f32], out: &mut [f32]) {
                        |s| map::fma(s, a, b, c, out)
                    }
                    axpy(k: f32, x: &[f32], y: &mut [f32]) { |s| map::axpy(s, k, x, y) }
                    weighted_sum(w: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
                        |s| map::weighted_sum::<_, 8>(s, w, rows, out)
                    }
                    weighted_sum_x16(w: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
                        |s| map::weighted_sum::<_, 16>(s, w, rows, out)
                    }
                    weighted_sum_by_rows(w: &[f32], rows: RowsRef<'_, f32>, out: &mut [f32]) {
                        |s| map::weighted_sum_by_rows(s, w, rows, out)
                    }
                    residual(
                        rows: RowsRef<'_, f32>, e: &[(u32, u32)], w: &[f32], out: &mut [f32]
                    ) -> f32 {
                        |s| edges::energies::<_, $edges, false>(s, rows, e, w, out)
                    }
                    residual_pf4(
                        rows: RowsRef<'_, f32>, e: &[(u32, u32)], w: &[f32], out: &mut [f32]
                    ) -> f32 {
                        |s| edges::energies::<_, $edges, true>(s, rows, e, w, out)
                    }
                }
            }

            module! { @rows $level, $technique, $name, $when, $absent;
                sub Sub "-x4"; scale Scale "-x4"; fma Fma "-x4"; axpy Axpy "-x4";
                weighted_sum WeightedSum "-x8"; weighted_sum_x16 WeightedSum "-x16";
                weighted_sum_by_rows WeightedSum "-r4";
                residual Residual "-r4"; residual_pf4 Residual "-r4-pf4";
            }
        }
    };

    (@entries $features:meta, $token:ty; $(
        $fn:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? { |$s:ident| $body:expr }
    )*) => {$(
        /// # Safety
        /// The CPU has the level.
        #[$features]
        pub(super) unsafe fn $fn($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: this function enables the token's level.
            let $s = unsafe { <$token>::assume() };
            $body
        }
    )*};

    (@rows $level:ident, $technique:ident, $name:literal, $when:meta, $absent:literal; $(
        $row:ident $op:ident $suffix:literal;
    )*) => {$(
        pub(in crate::ops::f32::map) const fn $row() -> Variant<$op> {
            const NAME: &str = concat!($name, $suffix);
            #[cfg($when)]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some(imp::$row);
                // SAFETY: the entries enable the features of the level, and take any lengths.
                unsafe { Variant::new(NAME, Level::$level, Technique::$technique, resolve) }
            }
            #[cfg(not($when))]
            Variant::absent(NAME, Level::$level, Technique::$technique, $absent)
        }
    )*};
}

/// A level by hand: [`with_level!`] gives what the level is. `edges` are the accumulators of each of
/// four edges: what registers allow.
macro_rules! hand {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta }
     { $module:ident, $edges:literal }) => {
        module! {
            #[doc = concat!("Rows at [`crate::Level::", stringify!($level), "`].")]
            $module, level: $level, technique: Hand, name: $name, when: $when, absent: $absent,
            features: $features, token: crate::isa::tokens::$level, edges: $edges;
        }
    };
}

with_level! { Sse42 => hand! { sse42, 2 } }
with_level! { Avx2 => hand! { avx2, 2 } }
with_level! { Avx512 => hand! { avx512, 2 } }
with_level! { Neon => hand! { neon, 2 } }
with_level! { Simd128 => hand! { simd128, 2 } }

/// `pulp` at a level: the same features, another token.
macro_rules! pulp {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta }
     { $module:ident, $variant:literal, $token:ty }) => {
        module! {
            #[doc = concat!("`pulp` at [`crate::Level::", stringify!($level), "`].")]
            $module, level: $level, technique: Pulp, name: $variant,
            when: all($when, feature = "pulp"), absent: "needs its architecture and the feature `pulp`",
            features: $features, token: crate::ops::f32::pulp::token::Token<$token>, edges: 2;
        }
    };
}

with_level! { Avx2 => pulp! { pulp_v3, "pulp-v3", pulp::x86::V3 } }
with_level! { Avx512 => pulp! { pulp_v4, "pulp-v4", pulp::x86::V4 } }
with_level! { Neon => pulp! { pulp_neon, "pulp-neon", pulp::aarch64::Neon } }

module! {
    /// `wide`: what the whole build may use.
    wide, level: Scalar, technique: Wide, name: "wide-f32x8", when: feature = "wide",
    absent: "needs the feature `wide`", features: inline,
    token: crate::ops::f32::wide::token::Wide, edges: 2;
}
