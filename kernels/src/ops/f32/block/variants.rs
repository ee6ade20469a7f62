//! By hand, a module a level: entries around the loops over lanes, and the rows that announce them.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

/// `registers` of rows at once and the `sets` of sums that take turns, for metrics with one sum;
/// `two_sums` are the registers for those with two, which have one set.
macro_rules! level {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta }
     { $module:ident, registers: $registers:literal, sets: $sets:literal, two_sums: $two:literal }) => {
        #[doc = concat!("Rows at [`crate::Level::", stringify!($level), "`].")]
        pub(super) mod $module {
            use crate::isa::Level;
            #[cfg($when)]
            use crate::kernel::Entry;
            use crate::kernel::{Technique, Variant};
            use crate::ops::f32::F32;
            use crate::ops::f32::block::Growing;
            use crate::ops::f32::lanes::Lanewise;
            use crate::ops::f32::metric::Step;
            use crate::shape::{Block, BlockPrune};

            #[cfg($when)]
            mod imp {
                use crate::isa::tokens::$level;
                use crate::layout_block::BlocksRef;
                use crate::loops::block;
                use crate::ops::f32::arith::Lanes;
                use crate::ops::f32::lanes::Lanewise;

                /// # Safety
                /// The CPU has the level.
                #[$features]
                pub(super) unsafe fn block<M: Lanewise>(
                    query: &[f32],
                    blocks: BlocksRef<'_>,
                    out: &mut [f32],
                ) {
                    // SAFETY: this function enables the token's level.
                    let a = Lanes::<_, M>::new(unsafe { $level::assume() });
                    if M::SUMS == 1 {
                        block::block::<_, $registers, $sets>(a, query, blocks, out);
                    } else {
                        block::block::<_, $two, 1>(a, query, blocks, out);
                    }
                }

                /// # Safety
                /// The CPU has the level.
                #[$features]
                pub(super) unsafe fn block_prune<M: Lanewise>(
                    query: &[f32],
                    threshold: f32,
                    blocks: BlocksRef<'_>,
                    out: &mut [f32],
                ) {
                    // SAFETY: this function enables the token's level.
                    let a = Lanes::<_, M>::new(unsafe { $level::assume() });
                    block::block_prune::<_, $registers, $sets>(a, query, threshold, blocks, out);
                }
            }

            pub(in crate::ops::f32::block) const fn block<M: Step<Rows: Lanewise>>()
            -> Variant<F32<M, Block>> {
                #[cfg($when)]
                {
                    let resolve: fn(usize) -> Option<Entry<F32<M, Block>>> =
                        |_| Some(imp::block::<M::Rows>);
                    // SAFETY: the entries enable the features of the level; they bound every length.
                    unsafe { Variant::new($name, Level::$level, Technique::Hand, resolve) }
                }
                #[cfg(not($when))]
                Variant::absent($name, Level::$level, Technique::Hand, $absent)
            }

            pub(in crate::ops::f32::block) const fn block_prune<M: Growing>()
            -> Variant<F32<M, BlockPrune>> {
                #[cfg($when)]
                {
                    let resolve: fn(usize) -> Option<Entry<F32<M, BlockPrune>>> =
                        |_| Some(imp::block_prune::<M>);
                    // SAFETY: the entries enable the features of the level; they bound every length.
                    unsafe { Variant::new($name, Level::$level, Technique::Hand, resolve) }
                }
                #[cfg(not($when))]
                Variant::absent($name, Level::$level, Technique::Hand, $absent)
            }
        }
    };
}

with_level! { Sse42 => level! { sse42, registers: 8, sets: 1, two_sums: 4 } }
with_level! { Avx2 => level! { avx2, registers: 8, sets: 1, two_sums: 4 } }
with_level! { Avx512 => level! { avx512, registers: 4, sets: 2, two_sums: 4 } }
with_level! { Neon => level! { neon, registers: 16, sets: 1, two_sums: 8 } }
with_level! { Simd128 => level! { simd128, registers: 8, sets: 1, two_sums: 4 } }
