//! By hand, a module a level: entries around the loops, and the rows that announce them.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

/// `w` registers of queries against `r` rows: their product is what the registers hold, less `w`
/// and two.
macro_rules! level {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta }
     { $module:ident, w: $w:literal, r: $r:literal, $form:literal }) => {
        #[doc = concat!("Rows at [`crate::Level::", stringify!($level), "`].")]
        pub(super) mod $module {
            use crate::isa::Level;
            #[cfg($when)]
            use crate::kernel::Entry;
            use crate::kernel::{Technique, Variant};
            use crate::ops::f32::F32;
            use crate::ops::f32::metric::L2Sq;
            use crate::ops::f32::tile::Tiled;
            use crate::shape::{Assign, Tile, TileNorms};

            #[cfg($when)]
            mod imp {
                use crate::isa::tokens::$level;
                use crate::layout::RowsRef;
                use crate::loops::tile;
                use crate::ops::f32::arith::Lanes;
                use crate::ops::f32::metric::{Dot, L2Sq};
                use crate::ops::f32::tile::Tiled;

                level! { @entries $features, $level;
                    pairs<M: Tiled>(queries: RowsRef<'_, f32>, rows: RowsRef<'_, f32>, out: &mut [f32]) {
                        |s| tile::pairs(Lanes::<_, M>::new(s), queries, rows, out)
                    }
                    tile<M: Tiled>(queries: RowsRef<'_, f32>, rows: RowsRef<'_, f32>, out: &mut [f32]) {
                        |s| tile::tile::<_, $w, $r>(Lanes::<_, M>::new(s), queries, rows, out)
                    }
                    tile_norms<>(
                        queries: RowsRef<'_, f32>, query_norms: &[f32], rows: RowsRef<'_, f32>,
                        norms: &[f32], out: &mut [f32]
                    ) {
                        |s| tile::tile_norms::<_, $w, $r>(
                            Lanes::<_, Dot>::new(s), queries, query_norms, rows, norms, out,
                        )
                    }
                    assign<>(
                        rows: RowsRef<'_, f32>, centroids: RowsRef<'_, f32>, norms: &[f32],
                        ids: &mut [u32], values: &mut [f32]
                    ) {
                        |s| tile::assign::<_, _, $w, $r>(
                            (Lanes::<_, Dot>::new(s), Lanes::<_, L2Sq>::new(s)),
                            rows, centroids, norms, ids, values,
                        )
                    }
                }
            }

            level! { @rows $level, $name, $when, $absent;
                pairs<M: Tiled>, F32<M, Tile>, "-pairs", imp::pairs::<M>;
                tile<M: Tiled>, F32<M, Tile>, $form, imp::tile::<M>;
                tile_norms<>, F32<L2Sq, TileNorms>, $form, imp::tile_norms;
                assign<>, F32<L2Sq, Assign>, $form, imp::assign;
            }
        }
    };
    (@entries $features:meta, $level:ident; $(
        $fn:ident<$($m:ident: $bound:ident)?>($($arg:ident: $ty:ty),* $(,)?) { |$s:ident| $body:expr }
    )*) => {$(
        /// # Safety
        /// The CPU has the level.
        #[$features]
        pub(super) unsafe fn $fn<$($m: $bound)?>($($arg: $ty),*) {
            // SAFETY: this function enables the token's level.
            let $s = unsafe { $level::assume() };
            $body
        }
    )*};
    (@rows $level:ident, $name:literal, $when:meta, $absent:literal; $(
        $fn:ident<$($m:ident: $bound:ident)?>, $op:ty, $suffix:literal, $entry:expr;
    )*) => {$(
        #[allow(dead_code, reason = "pairs stand for comparison, at two levels")]
        pub(in crate::ops::f32::tile) const fn $fn<$($m: $bound)?>() -> Variant<$op> {
            const NAME: &str = concat!($name, $suffix);
            #[cfg($when)]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some($entry);
                // SAFETY: the entries enable the features of the level; they bound every length.
                unsafe { Variant::new(NAME, Level::$level, Technique::Hand, resolve) }
            }
            #[cfg(not($when))]
            Variant::absent(NAME, Level::$level, Technique::Hand, $absent)
        }
    )*};
}

with_level! { Sse42 => level! { sse42, w: 2, r: 4, "-w2r4" } }
with_level! { Avx2 => level! { avx2, w: 2, r: 4, "-w2r4" } }
with_level! { Avx512 => level! { avx512, w: 2, r: 8, "-w2r8" } }
with_level! { Neon => level! { neon, w: 4, r: 4, "-w4r4" } }
with_level! { Simd128 => level! { simd128, w: 2, r: 4, "-w2r4" } }
