//! Rows whose encoding is chosen at run time: one match a batch.

use std::fmt;
use std::str::FromStr;

use annvil_kernels::{AlignedRows, Forced, LayoutError, RowsRef};

use super::affine::MOST_DIMS;
use super::{
    Bf16Rows, BinaryQuery, BinaryRows, CodeQuery, CodeRange, EncodingError, F16Rows, F32Rows,
    Int4Rows, RangeOptions, Rows, Scorer, Sq8L1Query, Sq8L1Rows, Sq8Rows, binary, stride,
};
use crate::metric::Metric;
#[cfg(feature = "pq")]
use crate::quant::{Pq, PqOptions};
#[cfg(feature = "pq")]
use crate::scorer::{PqQuery, PqRows};

/// How rows are held.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Encoding {
    /// As they come: four bytes an element.
    F32,
    /// Eleven bits of precision, up to 65,504: two bytes.
    F16,
    /// Eight bits of precision, the range of `f32`: two bytes.
    Bf16,
    /// 256 steps between the ends of what was learnt from: one byte.
    Sq8 {
        /// Ends for each dimension, instead of one pair for all.
        per_dimension: bool,
    },
    /// 16 steps: half a byte.
    Int4 {
        /// Ends for each dimension, instead of one pair for all.
        per_dimension: bool,
    },
    /// Signs of the difference to the mean: one bit.
    Binary {
        /// The seed of a random turn of space, which spreads what single dimensions hold.
        rotation: Option<u64>,
    },
    /// Product quantisation: `m` codes of `nbits` bits.
    #[cfg(feature = "pq")]
    Pq {
        /// Sub-spaces.
        m: usize,
        /// 8 or 4.
        nbits: u8,
    },
}

/// The share of values clipped at each end of a range of 16 steps.
const INT4_CLIP: f32 = 0.005;

impl Encoding {
    /// 8-bit codes with ends for each dimension.
    pub const SQ8: Self = Self::Sq8 { per_dimension: true };
    /// 4-bit codes with ends for each dimension.
    pub const INT4: Self = Self::Int4 { per_dimension: true };
    /// Bits, in a space that was turned.
    pub const BINARY: Self = Self::Binary { rotation: Some(0) };

    /// The name in records.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Sq8 { per_dimension: false } => "sq8-global",
            Self::Sq8 { .. } => "sq8",
            Self::Int4 { per_dimension: false } => "int4-global",
            Self::Int4 { .. } => "int4",
            Self::Binary { rotation: None } => "binary",
            Self::Binary { .. } => "binary-rotated",
            #[cfg(feature = "pq")]
            Self::Pq { nbits: 4, .. } => "pq4",
            #[cfg(feature = "pq")]
            Self::Pq { .. } => "pq8",
        }
    }

    /// Whether it has to see rows before it can encode any.
    #[must_use]
    pub fn learns(&self) -> bool {
        !matches!(self, Self::F32 | Self::F16 | Self::Bf16)
    }

    /// Whether rows of it are compared by `metric`.
    #[must_use]
    pub fn has(&self, metric: Metric) -> bool {
        match metric {
            Metric::L2 | Metric::Dot | Metric::Cosine => true,
            Metric::L1 => matches!(self, Self::F32 | Self::Sq8 { per_dimension: false }),
            Metric::Linf => matches!(self, Self::F32),
            Metric::Hamming => matches!(self, Self::Binary { .. }),
        }
    }

    /// Whether rows of `dim` elements can be had under `metric`, as far as that shows without rows.
    ///
    /// # Errors
    /// A metric that the encoding has no kernels for, more dimensions than its sums hold, or sub-spaces
    /// that do not divide them.
    pub fn check(&self, dim: usize, metric: Metric) -> Result<(), EncodingError> {
        if !self.has(metric) {
            return Err(EncodingError::NoKernel { metric, encoding: self.name() });
        }
        match *self {
            Self::Sq8 { .. } | Self::Int4 { .. } if dim > MOST_DIMS => {
                Err(EncodingError::TooWide { encoding: self.name(), dim, most: MOST_DIMS })
            }
            Self::Binary { .. } if dim > binary::MOST_DIMS && metric != Metric::Hamming => {
                Err(EncodingError::TooWide { encoding: self.name(), dim, most: binary::MOST_DIMS })
            }
            #[cfg(feature = "pq")]
            Self::Pq { m, nbits } => {
                let options = PqOptions { nbits, ..PqOptions::new(m) };
                options.check(dim).map_err(EncodingError::from)
            }
            _ => Ok(()),
        }
    }

    /// Bytes of a row of `dim` elements, pads and what is kept beside it included. What was learnt is
    /// held once: some numbers a dimension, for [`Encoding::Pq`] its codebooks.
    #[must_use]
    pub fn bytes_per_row(&self, dim: usize, metric: Metric) -> usize {
        match *self {
            Self::F32 => (4 * dim).next_multiple_of(64),
            Self::F16 | Self::Bf16 => stride(2 * dim),
            Self::Sq8 { .. } if metric == Metric::L1 => stride(dim),
            Self::Sq8 { .. } => stride(dim) + 4,
            Self::Int4 { .. } => stride(dim.div_ceil(2)) + 4,
            Self::Binary { .. } => binary::row_stride(dim, metric),
            #[cfg(feature = "pq")]
            Self::Pq { m, nbits: 4 } => m.div_ceil(2),
            #[cfg(feature = "pq")]
            Self::Pq { m, .. } => m,
        }
    }

    /// Rows of this encoding, none yet, learnt from `sample`, which may hold nothing where nothing is
    /// learnt. Under [`Metric::Cosine`] its rows are of unit length or zero.
    ///
    /// # Errors
    /// As [`Encoding::check`], and a sample that nothing can be learnt from.
    pub fn train(
        &self,
        dim: usize,
        metric: Metric,
        sample: RowsRef<'_, f32>,
        seed: u64,
        forced: &Forced,
    ) -> Result<AnyRows, EncodingError> {
        self.check(dim, metric)?;
        // Only what is random uses it.
        let _ = seed;
        Ok(match *self {
            Self::F32 => {
                AnyRows::F32(F32Rows::new(AlignedRows::with_capacity(0, dim)?, metric, forced)?)
            }
            Self::F16 => AnyRows::F16(F16Rows::new(dim, metric, forced)?),
            Self::Bf16 => AnyRows::Bf16(Bf16Rows::new(dim, metric, forced)?),
            Self::Sq8 { per_dimension } => {
                let range =
                    CodeRange::train(sample, 255, RangeOptions { per_dimension, clip: 0.0 })?;
                match metric {
                    Metric::L1 => AnyRows::Sq8L1(Sq8L1Rows::new(dim, range, forced)?),
                    _ => AnyRows::Sq8(Sq8Rows::new(dim, metric, range, forced)?),
                }
            }
            Self::Int4 { per_dimension } => {
                let options = RangeOptions { per_dimension, clip: INT4_CLIP };
                let range = CodeRange::train(sample, 15, options)?;
                AnyRows::Int4(Int4Rows::new(dim, metric, range, forced)?)
            }
            Self::Binary { rotation } => {
                let rows = BinaryRows::train(dim, metric, sample, rotation, forced)?;
                AnyRows::Binary(Box::new(rows))
            }
            #[cfg(feature = "pq")]
            Self::Pq { m, nbits } => {
                let options = PqOptions { nbits, seed, ..PqOptions::new(m) };
                let pq = Pq::train(sample, &options, forced)?;
                AnyRows::Pq(Box::new(PqRows::new(pq, metric, forced)?))
            }
        })
    }
}

/// A name that is no encoding's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownEncoding;

impl fmt::Display for UnknownEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "unknown encoding; give one of f32, f16, bf16, sq8, sq8-global, int4, int4-global, binary, \
             binary-rotated, the last with a seed if you like, as in binary-rotated:7",
        )?;
        if cfg!(feature = "pq") {
            f.write_str(", or pq8 or pq4 with the number of sub-spaces, as in pq8:16")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownEncoding {}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        if let Some(seed) = name.strip_prefix("binary-rotated:") {
            let seed = seed.parse().map_err(|_| UnknownEncoding)?;
            return Ok(Self::Binary { rotation: Some(seed) });
        }
        #[cfg(feature = "pq")]
        if let Some((kind, m)) = name.split_once(':') {
            let m = m.parse().map_err(|_| UnknownEncoding)?;
            return match kind {
                "pq8" => Ok(Self::Pq { m, nbits: 8 }),
                "pq4" => Ok(Self::Pq { m, nbits: 4 }),
                _ => Err(UnknownEncoding),
            };
        }
        let all = [
            Self::F32,
            Self::F16,
            Self::Bf16,
            Self::SQ8,
            Self::Sq8 { per_dimension: false },
            Self::INT4,
            Self::Int4 { per_dimension: false },
            Self::BINARY,
            Self::Binary { rotation: None },
        ];
        all.into_iter().find(|e| e.name() == name).ok_or(UnknownEncoding)
    }
}

/// As it is parsed: the name, and the numbers that belong to it.
impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary { rotation: Some(seed) } if *seed != 0 => {
                f.pad(&format!("{}:{seed}", self.name()))
            }
            #[cfg(feature = "pq")]
            Self::Pq { m, .. } => f.pad(&format!("{}:{m}", self.name())),
            _ => f.pad(self.name()),
        }
    }
}

macro_rules! any {
    ($($(#[$cfg:meta])* $name:ident($rows:ty, $query:ty) of $encoding:ident;)*) => {
        /// Rows of one of the encodings.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum AnyRows {
            $(
                $(#[$cfg])*
                #[doc = concat!("Rows of [`Encoding::", stringify!($encoding), "`].")]
                $name($rows),
            )*
        }

        /// A query for [`AnyRows`]; whatever it held before, the rows make it theirs.
        #[derive(Clone, Debug, Default)]
        #[non_exhaustive]
        pub enum AnyQuery {
            /// Not prepared yet.
            #[default]
            None,
            $(
                $(#[$cfg])*
                #[doc = concat!("For rows of [`Encoding::", stringify!($encoding), "`].")]
                $name($query),
            )*
        }

        impl Scorer for AnyRows {
            type Query = AnyQuery;

            fn dim(&self) -> usize {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.dim(),)* }
            }

            fn len(&self) -> usize {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.len(),)* }
            }

            fn prepare(&self, vector: &[f32], query: &mut AnyQuery) {
                match self {
                    $($(#[$cfg])* Self::$name(rows) => {
                        if !matches!(query, AnyQuery::$name(_)) {
                            *query = AnyQuery::$name(Default::default());
                        }
                        if let AnyQuery::$name(query) = query {
                            rows.prepare(vector, query);
                        }
                    })*
                }
            }

            fn prepare_slot(&self, slot: u32, query: &mut AnyQuery) {
                match self {
                    $($(#[$cfg])* Self::$name(rows) => {
                        if !matches!(query, AnyQuery::$name(_)) {
                            *query = AnyQuery::$name(Default::default());
                        }
                        if let AnyQuery::$name(query) = query {
                            rows.prepare_slot(slot, query);
                        }
                    })*
                }
            }

            fn prefetch(&self, slot: u32) {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.prefetch(slot),)* }
            }

            fn score_ids(&self, query: &AnyQuery, slots: &[u32], ranks: &mut [f32]) {
                match (self, query) {
                    $($(#[$cfg])* (Self::$name(rows), AnyQuery::$name(query)) => {
                        rows.score_ids(query, slots, ranks);
                    })*
                    _ => panic!("a query that was prepared for rows of another encoding"),
                }
            }

            fn score_range(&self, query: &AnyQuery, from: u32, ranks: &mut [f32]) {
                match (self, query) {
                    $($(#[$cfg])* (Self::$name(rows), AnyQuery::$name(query)) => {
                        rows.score_range(query, from, ranks);
                    })*
                    _ => panic!("a query that was prepared for rows of another encoding"),
                }
            }
        }

        impl Rows for AnyRows {
            fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.reserve(more),)* }
            }

            fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.push(vector),)* }
            }

            fn set(&mut self, slot: u32, vector: &[f32]) {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.set(slot, vector),)* }
            }

            fn decode(&self, slot: u32, vector: &mut [f32]) {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.decode(slot, vector),)* }
            }

            fn truncate(&mut self, len: usize) {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.truncate(len),)* }
            }

            fn bytes(&self) -> usize {
                match self { $($(#[$cfg])* Self::$name(rows) => rows.bytes(),)* }
            }
        }
    };
}

any! {
    F32(F32Rows, Vec<f32>) of F32;
    F16(F16Rows, Vec<f32>) of F16;
    Bf16(Bf16Rows, Vec<f32>) of Bf16;
    Sq8(Sq8Rows, CodeQuery) of Sq8;
    Sq8L1(Sq8L1Rows, Sq8L1Query) of Sq8;
    Int4(Int4Rows, CodeQuery) of Int4;
    Binary(Box<BinaryRows>, BinaryQuery) of Binary;
    #[cfg(feature = "pq")]
    Pq(Box<PqRows>, PqQuery) of Pq;
}
