//! What an encoding learnt, as bytes and back: a store keeps it beside its rows.
//!
//! ```text
//! u32 version | u32 lists | of each list: u64 elements, then its elements, f32 little endian
//! ```
//! SQ8 and int4 have two lists, bias and step; bits one, the mean; product quantisers one, the
//! codebook. Nothing that comes in is trusted.

use annvil_kernels::Forced;

use super::{
    AnyRows, BinaryRows, CodeRange, Encoding, EncodingError, Int4Rows, Sq8L1Rows, Sq8Rows,
};
use crate::metric::Metric;

const VERSION: u32 = 1;

impl AnyRows {
    /// What was learnt before the rows were encoded; nothing where nothing is learnt.
    #[must_use]
    pub fn learnt(&self) -> Vec<u8> {
        let range = |range: &CodeRange| encode(&[&range.bias, &range.scale]);
        match self {
            Self::F32(_) | Self::F16(_) | Self::Bf16(_) => encode(&[]),
            Self::Sq8(rows) => range(rows.range()),
            Self::Sq8L1(rows) => range(rows.range()),
            Self::Int4(rows) => range(rows.range()),
            Self::Binary(rows) => encode(&[rows.mean()]),
            #[cfg(feature = "pq")]
            Self::Pq(rows) => encode(&[rows.pq().book()]),
        }
    }
}

impl Encoding {
    /// Rows of this encoding, none yet, with what [`AnyRows::learnt`] gave.
    ///
    /// # Errors
    /// Bytes that are no such thing, or do not fit the encoding and the dimension; and as
    /// [`Encoding::check`].
    pub fn with_learnt(
        &self,
        dim: usize,
        metric: Metric,
        learnt: &[u8],
        forced: &Forced,
    ) -> Result<AnyRows, EncodingError> {
        self.check(dim, metric)?;
        let bad = EncodingError::Learnt { encoding: self.name() };
        let lists = decode(learnt).ok_or_else(|| bad.clone())?;
        let range = |per_dimension: bool| {
            let expected = if per_dimension { dim } else { 1 };
            match lists.as_slice() {
                [bias, scale] if bias.len() == expected => {
                    CodeRange::from_parts(bias, scale).ok_or_else(|| bad.clone())
                }
                _ => Err(bad.clone()),
            }
        };
        Ok(match *self {
            Self::F32 | Self::F16 | Self::Bf16 => {
                let none = annvil_kernels::AlignedRows::<f32>::with_capacity(0, dim)?;
                self.train(dim, metric, none.view(), 0, forced)?
            }
            Self::Sq8 { per_dimension } if metric == Metric::L1 => {
                AnyRows::Sq8L1(Sq8L1Rows::new(dim, range(per_dimension)?, forced)?)
            }
            Self::Sq8 { per_dimension } => {
                AnyRows::Sq8(Sq8Rows::new(dim, metric, range(per_dimension)?, forced)?)
            }
            Self::Int4 { per_dimension } => {
                AnyRows::Int4(Int4Rows::new(dim, metric, range(per_dimension)?, forced)?)
            }
            Self::Binary { rotation } => match lists.as_slice() {
                [mean] if mean.len() == if metric == Metric::Hamming { 0 } else { dim } => {
                    let rows = BinaryRows::around(dim, metric, mean, rotation, forced)?;
                    AnyRows::Binary(Box::new(rows))
                }
                _ => return Err(bad),
            },
            #[cfg(feature = "pq")]
            Self::Pq { m, nbits } => match <[Vec<f32>; 1]>::try_from(lists) {
                Ok([book]) => {
                    let pq = crate::quant::Pq::from_book(book, dim, m, nbits, forced)?;
                    AnyRows::Pq(Box::new(super::PqRows::new(pq, metric, forced)?))
                }
                Err(_) => return Err(bad),
            },
        })
    }
}

fn encode(lists: &[&[f32]]) -> Vec<u8> {
    let mut to = Vec::new();
    to.extend(VERSION.to_le_bytes());
    to.extend((lists.len() as u32).to_le_bytes());
    for list in lists {
        to.extend((list.len() as u64).to_le_bytes());
        to.extend(list.iter().flat_map(|x| x.to_le_bytes()));
    }
    to
}

fn decode(bytes: &[u8]) -> Option<Vec<Vec<f32>>> {
    let (version, rest) = bytes.split_first_chunk::<4>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*count) as usize;
    if u32::from_le_bytes(*version) != VERSION || count > 2 {
        return None;
    }
    let mut lists = Vec::with_capacity(count);
    for _ in 0..count {
        let (len, after) = rest.split_first_chunk::<8>()?;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?.checked_mul(4)?;
        let (list, after) = after.split_at_checked(len)?;
        let list: Vec<f32> =
            list.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
        if list.iter().any(|x| !x.is_finite()) {
            return None;
        }
        lists.push(list);
        rest = after;
    }
    rest.is_empty().then_some(lists)
}

#[cfg(test)]
mod tests {
    use annvil_kernels::AlignedRows;

    use super::*;
    use crate::scorer::{Rows, Scorer};

    #[test]
    fn rows_made_of_what_was_learnt_are_the_same_rows() {
        let (n, dim) = (300, 24);
        let data: Vec<f32> = (0..n * dim).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
        let sample = AlignedRows::from_packed(&data, dim).unwrap();
        let forced = Forced::default();
        let encodings = [
            Encoding::F16,
            Encoding::SQ8,
            Encoding::Sq8 { per_dimension: false },
            Encoding::INT4,
            Encoding::BINARY,
            Encoding::Binary { rotation: None },
            #[cfg(feature = "pq")]
            Encoding::Pq { m: 6, nbits: 8 },
            #[cfg(feature = "pq")]
            Encoding::Pq { m: 6, nbits: 4 },
        ];
        for metric in [Metric::L2, Metric::Dot, Metric::L1, Metric::Hamming] {
            for encoding in encodings {
                if encoding.check(dim, metric).is_err() {
                    continue;
                }
                let mut first = encoding.train(dim, metric, sample.view(), 7, &forced).unwrap();
                let learnt = first.learnt();
                let again = encoding.with_learnt(dim, metric, &learnt, &forced);
                let mut again = again.unwrap_or_else(|e| panic!("{encoding} {metric:?}: {e}"));
                for row in 0..40 {
                    first.push(sample.row(row)).unwrap();
                    again.push(sample.row(row)).unwrap();
                }
                let (mut a, mut b) = ([0.0; 40], [0.0; 40]);
                for (rows, ranks) in [(&first, &mut a), (&again, &mut b)] {
                    let mut query = super::super::AnyQuery::default();
                    rows.prepare(sample.row(50), &mut query);
                    rows.score_range(&query, 0, ranks);
                }
                assert_eq!(a, b, "{encoding} {metric:?}");
                assert_eq!(again.learnt(), learnt);
                // Cut, continued, changed: never taken for whole, never a panic.
                for cut in 0..learnt.len() {
                    assert!(encoding.with_learnt(dim, metric, &learnt[..cut], &forced).is_err());
                }
                let longer: Vec<u8> = learnt.iter().copied().chain([0]).collect();
                assert!(encoding.with_learnt(dim, metric, &longer, &forced).is_err());
                for at in 0..learnt.len().min(64) {
                    let mut flipped = learnt.clone();
                    flipped[at] ^= 0x80;
                    let _ = encoding.with_learnt(dim, metric, &flipped, &forced);
                }
                let global = Encoding::Sq8 { per_dimension: false };
                if metric == Metric::L2 && encoding.learns() && encoding != global {
                    assert!(encoding.with_learnt(dim + 1, metric, &learnt, &forced).is_err());
                }
            }
        }
    }
}
