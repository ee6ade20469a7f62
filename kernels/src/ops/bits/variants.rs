//! Rows that no other family has: straight lines for short vectors, sixteen rows at once, signs,
//! and the library's.
#![allow(unsafe_code, reason = "entries that enable a level; rows that name it")]

use super::{Bits, BitsU4, Hamming, Jaccard, Sign};
use crate::isa::Level;
use crate::kernel::{Technique, Variant};
use crate::shape::{EncodeBits, Gather, GatherNorms, Pair, PairNorms, Scan, ScanNorms};

/// A function that makes the row of one level.
macro_rules! level_row {
    (
        { $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta }
        { $fn:ident, $suffix:literal, $op:ty, $resolve:expr }
    ) => {
        pub(super) const fn $fn() -> Variant<$op> {
            const NAME: &str = concat!($name, $suffix);
            #[cfg($when)]
            {
                let resolve: fn(usize) -> Option<crate::kernel::Entry<$op>> = $resolve;
                // SAFETY: the entries enable the features of the level, and are chosen by the
                // dimension that `new` promises them.
                unsafe { Variant::new(NAME, Level::$level, Technique::Hand, resolve) }
            }
            #[cfg(not($when))]
            Variant::absent(NAME, Level::$level, Technique::Hand, $absent)
        }
    };
}

with_level! { Sse42 => level_row! {
hamming_words, "-fixed", Bits<Hamming, Pair<u8, u8, u32>>, words::hamming } }
with_level! { Sse42 => level_row! {
jaccard_words, "-fixed", Bits<Jaccard, Pair<u8, u8, f32>>, words::jaccard } }
with_level! { Avx512Popcnt => level_row! {
hamming_fixed, "-fixed", Bits<Hamming, Pair<u8, u8, u32>>, lines::hamming } }
with_level! { Avx512Popcnt => level_row! {
jaccard_fixed, "-fixed", Bits<Jaccard, Pair<u8, u8, f32>>, lines::jaccard } }
with_level! { Avx512Popcnt => level_row! {
hamming_r16, "-r16", Bits<Hamming, Scan<u8, u8, u32>>, sixteen::hamming } }
with_level! { Avx512Popcnt => level_row! {
jaccard_r16, "-r16", Bits<Jaccard, Scan<u8, u8, f32>>, sixteen::jaccard } }
with_level! { Avx512Popcnt => level_row! {
jaccard_norms_r16, "-r16", Bits<Jaccard, ScanNorms<u8, u8, f32, u32>>, sixteen::jaccard_norms } }
with_level! { Avx512Popcnt => level_row! {
dot_fixed, "-fixed", BitsU4<Pair<u8, u8, u32>>, lines::dot } }

/// Whole words, each counted by `popcnt`.
#[cfg(target_arch = "x86_64")]
mod words {
    use crate::isa::bits;
    use crate::isa::tokens::Sse42;
    use crate::loops;
    use crate::loops::arith::FromToken;

    macro_rules! entries {
        ($($fn:ident $entry:ident $of:ident -> $value:ty;)*) => {$(
            /// # Safety
            /// The CPU has the level; both vectors have `8 * N` bytes.
            #[target_feature(enable = "sse3,ssse3,sse4.1,sse4.2,popcnt")]
            unsafe fn $entry<const N: usize>(a: &[u8], b: &[u8]) -> $value {
                // SAFETY: this function enables the token's level.
                let token = unsafe { Sse42::assume() };
                // SAFETY: the form was chosen by this length.
                unsafe { core::hint::assert_unchecked(a.len() == 8 * N && b.len() == 8 * N) };
                loops::pair_fixed::<_, N, false>(bits::$of::at(token), a, b)
            }

            pub(super) fn $fn(dim: usize) -> Option<unsafe fn(&[u8], &[u8]) -> $value> {
                Some(match dim.div_ceil(8) {
                    8 => $entry::<1>,
                    16 => $entry::<2>,
                    24 => $entry::<3>,
                    32 => $entry::<4>,
                    48 => $entry::<6>,
                    64 => $entry::<8>,
                    96 => $entry::<12>,
                    128 => $entry::<16>,
                    _ => return None,
                })
            }
        )*};
    }

    entries! {
        hamming hamming_entry Hamming -> u32;
        jaccard jaccard_entry Jaccard -> f32;
    }
}

/// Straight lines of registers.
#[cfg(target_arch = "x86_64")]
mod lines {
    use crate::isa::bits;
    use crate::isa::tokens::Avx512Popcnt;
    use crate::loops;
    use crate::loops::arith::FromToken;

    macro_rules! entry {
        ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta }
         { $fn:ident $chosen:ident $of:ident $planes:literal $value:ty }) => {
            /// # Safety
            /// The CPU has the level; both vectors have `V` whole chunks of 64 bytes, and a rest if
            /// and only if `TAIL`.
            #[$features]
            unsafe fn $fn<const V: usize, const TAIL: bool>(a: &[u8], b: &[u8]) -> $value {
                // SAFETY: this function enables the token's level.
                let token = unsafe { Avx512Popcnt::assume() };
                let (chunks, same) = (b.len() / 64, a.len() == $planes * b.len());
                // SAFETY: the form was chosen by this length.
                unsafe { core::hint::assert_unchecked(chunks == V && same) };
                loops::pair_fixed::<_, V, TAIL>(bits::$of::at(token), a, b)
            }

            pub(super) fn $chosen(dim: usize) -> Option<unsafe fn(&[u8], &[u8]) -> $value> {
                let bytes = dim.div_ceil(8);
                Some(match (bytes / 64, bytes % 64 != 0) {
                    (0, true) => $fn::<0, true>,
                    (1, false) => $fn::<1, false>,
                    (1, true) => $fn::<1, true>,
                    (2, false) => $fn::<2, false>,
                    (2, true) => $fn::<2, true>,
                    (3, false) => $fn::<3, false>,
                    (3, true) => $fn::<3, true>,
                    (4, false) => $fn::<4, false>,
                    (4, true) => $fn::<4, true>,
                    (5, false) => $fn::<5, false>,
                    (6, false) => $fn::<6, false>,
                    (7, false) => $fn::<7, false>,
                    (8, false) => $fn::<8, false>,
                    _ => return None,
                })
            }
        };
    }

    with_level! { Avx512Popcnt => entry! { hamming_entry hamming Hamming 1 u32 } }
    with_level! { Avx512Popcnt => entry! { jaccard_entry jaccard Jaccard 1 f32 } }
    with_level! { Avx512Popcnt => entry! { dot_entry dot Planes 4 u32 } }
}

/// Scans of sixteen rows at once.
#[cfg(target_arch = "x86_64")]
mod sixteen {
    use crate::isa::bits::short;
    use crate::isa::tokens::Avx512Popcnt;
    use crate::layout::RowsRef;

    macro_rules! entries {
        ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta } {
            $($entry:ident $fn:ident of $rows:ident ($($arg:ident: $ty:ty),*);)*
        }) => {$(
            /// # Safety
            /// The CPU has the level; query and rows have the length of the form.
            #[$features]
            unsafe fn $entry<F: short::Form>($($arg: $ty),*) {
                // SAFETY: this function enables the token's level.
                let token = unsafe { Avx512Popcnt::assume() };
                if F::SHARED && $rows.contiguous().is_some() {
                    short::$fn::<F::Dense>(token, $($arg),*);
                } else {
                    short::$fn::<F>(token, $($arg),*);
                }
            }

            pub(super) fn $fn(dim: usize) -> Option<unsafe fn($($ty),*)> {
                let bytes = dim.div_ceil(8);
                Some(match (bytes / 64, bytes % 64 != 0) {
                    _ if bytes == 16 => $entry::<short::Of16<false>>,
                    _ if bytes == 32 => $entry::<short::Of32<false>>,
                    (0, true) => $entry::<short::Chunks<0, true>>,
                    (1, false) => $entry::<short::Chunks<1, false>>,
                    (1, true) => $entry::<short::Chunks<1, true>>,
                    (2, false) => $entry::<short::Chunks<2, false>>,
                    (2, true) => $entry::<short::Chunks<2, true>>,
                    (3, false) => $entry::<short::Chunks<3, false>>,
                    (3, true) => $entry::<short::Chunks<3, true>>,
                    (4, false) => $entry::<short::Chunks<4, false>>,
                    (4, true) => $entry::<short::Chunks<4, true>>,
                    _ => return None,
                })
            }
        )*};
    }

    with_level! { Avx512Popcnt => entries! {
        hamming_entry hamming of rows (q: &[u8], rows: RowsRef<'_, u8>, out: &mut [u32]);
        jaccard_entry jaccard of rows (q: &[u8], rows: RowsRef<'_, u8>, out: &mut [f32]);
        jaccard_norms_entry jaccard_norms of rows (
            q: &[u8], nq: u32, rows: RowsRef<'_, u8>, norms: &[u32], out: &mut [f32]
        );
    } }
}

/// The encoder of a dimension.
type Resolve = fn(usize) -> Option<unsafe fn(&[f32], &mut [u8])>;

macro_rules! encoder {
    ({ $level:ident, $name:literal, $when:meta, $absent:literal, $features:meta } { $module:ident }) => {
        pub(super) mod $module {
            use super::*;

            /// # Safety
            /// The CPU has the level.
            #[cfg($when)]
            #[$features]
            unsafe fn entry(values: &[f32], row: &mut [u8]) {
                // SAFETY: this function enables the token's level.
                let token = unsafe { crate::isa::tokens::$level::assume() };
                crate::isa::bits::sign::encode(token, values, row);
            }

            pub(in crate::ops::bits) const fn encode() -> Variant<Bits<Sign, EncodeBits>> {
                #[cfg($when)]
                {
                    let resolve: Resolve = |_| Some(entry);
                    // SAFETY: the entry enables the features of the level, and takes any lengths.
                    unsafe { Variant::new($name, Level::$level, Technique::Hand, resolve) }
                }
                #[cfg(not($when))]
                Variant::absent($name, Level::$level, Technique::Hand, $absent)
            }
        }
    };
}

with_level! { Sse42 => encoder! { sse42 } }
with_level! { Avx2 => encoder! { avx2 } }
with_level! { Avx512 => encoder! { avx512 } }
with_level! { Neon => encoder! { neon } }
with_level! { Simd128 => encoder! { simd128 } }

/// Signs, value by value.
pub(super) const fn scalar_encode() -> Variant<Bits<Sign, EncodeBits>> {
    let resolve: Resolve = |_| Some(super::scalar::encode);
    // SAFETY: plain Rust, for any lengths.
    unsafe { Variant::new("scalar", Level::Scalar, Technique::Scalar, resolve) }
}

macro_rules! simsimd {
    ($($fn:ident $row:ident $shape:ident $metric:ident -> $value:ty $(, $norm:ty)?;)*) => {$(
        /// The library's row.
        pub(super) const fn $fn() -> Variant<Bits<$metric, $shape<u8, u8, $value $(, $norm)?>>> {
            #[cfg(feature = "simsimd")]
            {
                crate::ops::plain::$row::<_, super::simsimd::$metric $(, $norm)?>()
            }
            #[cfg(not(feature = "simsimd"))]
            {
                let why = "needs the feature `simsimd` and a C compiler";
                Variant::absent("simsimd", Level::Scalar, Technique::Simsimd, why)
            }
        }
    )*};
}

simsimd! {
    hamming_pair_simsimd pair Pair Hamming -> u32;
    hamming_scan_simsimd scan Scan Hamming -> u32;
    hamming_gather_simsimd gather Gather Hamming -> u32;
    jaccard_pair_simsimd pair Pair Jaccard -> f32;
    jaccard_scan_simsimd scan Scan Jaccard -> f32;
    jaccard_gather_simsimd gather Gather Jaccard -> f32;
    jaccard_pair_norms_simsimd pair_norms PairNorms Jaccard -> f32, u32;
    jaccard_scan_norms_simsimd scan_norms ScanNorms Jaccard -> f32, u32;
    jaccard_gather_norms_simsimd gather_norms GatherNorms Jaccard -> f32, u32;
}
