//! The rows of each level by hand: entries that enable the level's features around the loops.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

/// `group` are the registers compared with the limit at once.
macro_rules! hand {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta }
     { $module:ident, $group:literal }) => {
        #[doc = concat!("Rows at [`crate::Level::", stringify!($level), "`].")]
        pub(super) mod $module {
            use crate::isa::Level;
            #[cfg($when)]
            use crate::kernel::Entry;
            use crate::kernel::{Technique, Variant};
            use crate::ops::select::{KSmallest, Smallest};

            #[cfg($when)]
            mod imp {
                use crate::isa::tokens::$level as Token;
                use crate::loops::select as loops;
                use crate::shape::select::{Scored, TopK};

                hand! { @entries $features;
                    select(scores: &[f32], first: u32, top: &mut TopK) {
                        |s| loops::offer::<_, $group>(s, scores, first, top)
                    }
                    select_sampled(scores: &[f32], first: u32, top: &mut TopK) {
                        |s| loops::offer_sampled::<_, $group>(s, scores, first, top)
                    }
                    argmin(scores: &[f32]) -> Option<Scored> { |s| loops::argmin(s, scores) }
                }
            }

            hand! { @rows $level, $name, $when, $absent;
                select KSmallest "-buffer";
                select_sampled KSmallest "-sampled";
                argmin Smallest "-x8";
            }
        }
    };

    (@entries $features:meta; $(
        $fn:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? { |$s:ident| $body:expr }
    )*) => {$(
        /// # Safety
        /// The CPU has the level.
        #[$features]
        pub(super) unsafe fn $fn($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: this function enables the token's level.
            let $s = unsafe { Token::assume() };
            $body
        }
    )*};

    (@rows $level:ident, $name:literal, $when:meta, $absent:literal; $(
        $row:ident $op:ident $suffix:literal;
    )*) => {$(
        pub(in crate::ops::select) const fn $row() -> Variant<$op> {
            const NAME: &str = concat!($name, $suffix);
            #[cfg($when)]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some(imp::$row);
                // SAFETY: the entries enable the features of the level, and take any lengths.
                unsafe { Variant::new(NAME, Level::$level, Technique::Hand, resolve) }
            }
            #[cfg(not($when))]
            Variant::absent(NAME, Level::$level, Technique::Hand, $absent)
        }
    )*};
}

with_level! { Sse42 => hand! { sse42, 8 } }
with_level! { Avx2 => hand! { avx2, 8 } }
with_level! { Avx512 => hand! { avx512, 4 } }
with_level! { Neon => hand! { neon, 8 } }
with_level! { Simd128 => hand! { simd128, 8 } }
