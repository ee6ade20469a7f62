//! The C library SimSIMD, through its Rust traits, as its users call it. It has pairs of Hamming
//! and Jaccard. It puts two vectors without a bit at Jaccard distance 1, where we say 0.

use crate::kernel::Technique;
use crate::ops::plain::PairFn;

macro_rules! peers {
    ($($name:ident => $value:ty, $fn:ident;)*) => {$(
        /// A function of the library over two vectors.
        pub(crate) struct $name;

        impl PairFn for $name {
            type Query = u8;
            type Code = u8;
            type Value = $value;
            const NAME: &'static str = "simsimd";
            const TECHNIQUE: Technique = Technique::Simsimd;

            fn value(query: &[u8], row: &[u8]) -> $value {
                // `None` is its answer to unequal lengths.
                <u8 as simsimd::BinarySimilarity>::$fn(query, row).unwrap_or(f64::NAN) as $value
            }
        }
    )*};
}

peers! {
    Hamming => u32, hamming;
    Jaccard => f32, jaccard;
}
