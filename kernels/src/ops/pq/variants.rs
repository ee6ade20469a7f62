//! The rows of this family's shapes: one module a level for what is written by hand, and `plain`
//! for what asks for no level.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

use crate::isa::Level;
use crate::kernel::{Entry, Op, Technique, Variant};

/// A row that asks for no level.
macro_rules! row {
    ($name:literal, $technique:ident, |$dim:ident| $there:expr, $entry:expr) => {
        crate::ops::pq::variants::free::<Self>(
            $name,
            crate::kernel::Technique::$technique,
            |$dim| ($there).then_some($entry),
        )
    };
    ($name:literal, $technique:ident, $entry:expr) => {
        crate::ops::pq::variants::free::<Self>($name, crate::kernel::Technique::$technique, |_| {
            Some($entry)
        })
    };
}
pub(super) use row;

/// A row that asks for no level; `resolve` gives safe functions, or dispatches by detection.
pub(super) const fn free<O: Op>(
    name: &'static str,
    technique: Technique,
    resolve: fn(usize) -> Option<Entry<O>>,
) -> Variant<O> {
    // SAFETY: plain Rust runs on every CPU of the build's target.
    unsafe { Variant::new(name, Level::Scalar, technique, resolve) }
}

macro_rules! entries {
    ($features:meta; $($fn:ident[$($k:ident)?]: [$($bound:tt)*] ($($arg:ident: $ty:ty),*);)*) => {$(
        /// # Safety
        /// The CPU has the level; operands as the shape's `call` checks them.
        #[$features]
        pub(super) unsafe fn $fn<A: $($bound)* $(, const $k: usize)?>($($arg: $ty),*) {
            // SAFETY: this function enables the token's level.
            let token = unsafe { ThisToken::assume() };
            A::$fn(token, $($arg),*)
        }
    )*};
}

macro_rules! level_rows {
    ($level:ident, $when:meta, $absent:literal; $(
        $fn:ident[$($g:tt)*][$($use:tt)*]: [$($bound:tt)*] $shape:ty;
    )*) => {$(
        #[cfg($when)]
        pub(crate) const fn $fn<O: Op<Shape = $shape>, A: $($bound)*, $($g)*>(
            name: &'static str,
        ) -> Variant<O> {
            let resolve: fn(usize) -> Option<Entry<O>> = |_| Some(imp::$fn::<A, $($use)*>);
            // SAFETY: the entries enable the features of the level; they take any number of
            // sub-spaces and rows, with operands as the shape's `call` checks them.
            unsafe { Variant::new(name, Level::$level, Technique::Hand, resolve) }
        }

        #[cfg(not($when))]
        pub(crate) const fn $fn<O: Op, A, $($g)*>(name: &'static str) -> Variant<O> {
            Variant::absent(name, Level::$level, Technique::Hand, $absent)
        }
    )*};
}

macro_rules! level_module {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta } { $module:ident }) => {
        #[doc = concat!("Rows at [`crate::Level::", stringify!($level), "`].")]
        #[allow(dead_code, unused_imports, reason = "not every level has every form")]
        pub(super) mod $module {
            #[cfg($when)]
            use crate::isa::lut::{HandAdc, HandBlocks, HandEncode, HandLut};
            #[cfg($when)]
            use crate::isa::tokens::$level as ThisToken;
            use crate::isa::Level;
            use crate::kernel::{Entry, Op, Technique, Variant};
            use crate::shape::{
                BlockLayout, FastScan, Gather, Interleaved4, Lut, Planar4, PqEncode, Rows64, Scan,
            };

            #[cfg($when)]
            mod imp {
                use super::{HandAdc, HandBlocks, HandEncode, HandLut, ThisToken};
                use crate::layout::RowsRef;
                use crate::shape::{BlockLayout, CodeBlocksRef, Codebook};

                entries! { $features;
                    lut[K]: [HandLut<K, Token = ThisToken>]
                        (query: &[f32], book: Codebook<'_, K>, out: &mut [[f32; K]]);
                    encode[K]: [HandEncode<K, Token = ThisToken>]
                        (row: &[f32], book: Codebook<'_, K>, out: &mut [u8]);
                    scan[]: [HandAdc<Token = ThisToken>]
                        (query: &[f32], rows: RowsRef<'_, u8>, out: &mut [f32]);
                    gather[]: [HandAdc<Token = ThisToken>]
                        (query: &[f32], rows: RowsRef<'_, u8>, ids: &[u32], out: &mut [f32]);
                }

                /// # Safety
                /// The CPU has the level; operands as the shape's `call` checks them.
                #[$features]
                pub(super) unsafe fn blocks<A, L: BlockLayout, const K: usize>(
                    table: &[[u8; K]],
                    blocks: CodeBlocksRef<'_, L>,
                    out: &mut [u32],
                ) where
                    A: HandBlocks<L, K, Token = ThisToken>,
                {
                    // SAFETY: this function enables the token's level.
                    let token = unsafe { ThisToken::assume() };
                    A::blocks(token, table, blocks, out);
                }
            }

            level_rows! { $level, $when, $absent;
                lut[const K: usize][K]: [HandLut<K, Token = ThisToken>] Lut<K>;
                encode[const K: usize][K]: [HandEncode<K, Token = ThisToken>] PqEncode<K>;
                scan[][]: [HandAdc<Token = ThisToken>] Scan<f32, u8, f32>;
                gather[][]: [HandAdc<Token = ThisToken>] Gather<f32, u8, f32>;
                blocks[L: BlockLayout, const K: usize][L, K]: [HandBlocks<L, K, Token = ThisToken>] FastScan<L, K>;
            }
        }
    };
}

with_level! { Sse42 => level_module! { sse42 } }
with_level! { Avx2 => level_module! { avx2 } }
with_level! { Avx512 => level_module! { avx512 } }
with_level! { Avx512Vbmi => level_module! { avx512vbmi } }
with_level! { Neon => level_module! { neon } }
with_level! { NeonDot => level_module! { neondot } }
with_level! { Simd128 => level_module! { simd128 } }
