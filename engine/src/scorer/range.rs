//! What codes of few bits stand for: steps between two ends, learnt from rows.

use annvil_kernels::RowsRef;

use crate::error::first_not_finite;
use crate::scorer::EncodingError;

/// Rows that ends are learnt from at most; more are passed over evenly.
const SAMPLE: usize = 10_000;

/// Code `c` of dimension `i` stands for `bias[i] + scale[i] * c`; one entry holds for all
/// dimensions, or there is one for each.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeRange {
    pub(super) bias: Vec<f32>,
    pub(super) scale: Vec<f32>,
    /// One divided by `scale`.
    pub(super) inverse: Vec<f32>,
}

/// How the ends are learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeOptions {
    /// Ends for each dimension instead of one pair for all. Distances cost the same.
    pub per_dimension: bool,
    /// The share of values that may lie beyond each end, and take the code of the end: few steps
    /// are better spent where the values are. Below 0.5.
    pub clip: f32,
}

impl CodeRange {
    /// The ends of `rows`, with `steps` steps between them.
    ///
    /// # Errors
    /// No row, a value that is not finite, or a `clip` that is no share below a half.
    pub fn train(
        rows: RowsRef<'_, f32>,
        steps: u8,
        options: RangeOptions,
    ) -> Result<Self, EncodingError> {
        if !(0.0..0.5).contains(&options.clip) {
            return Err(EncodingError::Clip { clip: options.clip });
        }
        if rows.is_empty() {
            return Err(EncodingError::NoRows);
        }
        let every = rows.len().div_ceil(SAMPLE);
        let sample: Vec<usize> = (0..rows.len()).step_by(every).collect();
        for &row in &sample {
            if let Some((position, value)) = first_not_finite(rows.row(row)) {
                return Err(EncodingError::NotFinite { row, position, value });
            }
        }
        let mut column = Vec::with_capacity(sample.len());
        let mut ends: Vec<(f32, f32)> = Vec::with_capacity(rows.dim());
        for i in 0..rows.dim() {
            column.clear();
            column.extend(sample.iter().map(|&row| rows.row(row)[i]));
            ends.push(ends_of(&mut column, options.clip));
        }
        if !options.per_dimension {
            let low = ends.iter().fold(f32::INFINITY, |m, e| m.min(e.0));
            let high = ends.iter().fold(f32::NEG_INFINITY, |m, e| m.max(e.1));
            ends = vec![(low, high)];
        }
        Ok(Self::between(&ends, steps))
    }

    fn between(ends: &[(f32, f32)], steps: u8) -> Self {
        // In f64: the ends may be as far apart as f32 reaches.
        let step = |&(low, high): &(f32, f32)| {
            ((f64::from(high) - f64::from(low)) / f64::from(steps)) as f32
        };
        let widest = ends.iter().map(step).fold(0.0, f32::max);
        let widest = if widest.is_normal() { widest } else { 1.0 };
        // A dimension that never changed has the widest step: later rows may differ there, and a wider
        // one would outweigh the others in the query, which has as few steps as the rows.
        let scale = ends.iter().map(step).map(|s| if s.is_normal() { s } else { widest });
        let scale: Vec<f32> = scale.collect();
        Self {
            bias: ends.iter().map(|e| e.0).collect(),
            inverse: scale.iter().map(|s| 1.0 / s).collect(),
            scale,
        }
    }

    /// From lists of equal length; `None` if a step is none.
    #[cfg(feature = "storage")]
    pub(super) fn from_parts(bias: &[f32], scale: &[f32]) -> Option<Self> {
        let sound = bias.len() == scale.len() && scale.iter().all(|s| s.is_normal() && *s > 0.0);
        sound.then(|| Self {
            bias: bias.to_vec(),
            inverse: scale.iter().map(|s| 1.0 / s).collect(),
            scale: scale.to_vec(),
        })
    }

    /// Whether there is a pair of ends for each dimension.
    #[must_use]
    pub fn is_per_dimension(&self) -> bool {
        self.bias.len() > 1
    }

    /// Value of code 0 and the step of dimension `i`.
    #[must_use]
    pub fn at(&self, i: usize) -> (f32, f32) {
        let i = if self.is_per_dimension() { i } else { 0 };
        (self.bias[i], self.scale[i])
    }

    pub(super) fn bytes(&self) -> usize {
        (self.bias.capacity() + self.scale.capacity() + self.inverse.capacity()) * size_of::<f32>()
    }
}

/// The values between which all lie but a share of `clip` at each end.
fn ends_of(column: &mut [f32], clip: f32) -> (f32, f32) {
    let beyond = (f64::from(clip) * column.len() as f64) as usize;
    let last = column.len() - 1;
    let low = *column.select_nth_unstable_by(beyond.min(last), f32::total_cmp).1;
    let high = *column.select_nth_unstable_by(last - beyond.min(last), f32::total_cmp).1;
    (low.min(high), high.max(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_those_of_the_values_but_for_the_clipped_ones() {
        let data: Vec<f32> = (0..200).map(|i| if i % 2 == 0 { i as f32 } else { 7.0 }).collect();
        let rows = RowsRef::packed(&data, 2).unwrap();
        let whole = RangeOptions { per_dimension: true, clip: 0.0 };
        let range = CodeRange::train(rows, 255, whole).unwrap();
        assert_eq!((range.at(0).0, range.at(1)), (0.0, (7.0, range.at(0).1)));
        assert!((range.at(0).1 * 255.0 - 198.0).abs() < 1e-3);
        let same = CodeRange::train(RowsRef::packed(&[3.0; 4], 2).unwrap(), 15, whole).unwrap();
        assert_eq!(same.at(1), (3.0, 1.0));
        let clipped = CodeRange::train(rows, 15, RangeOptions { clip: 0.1, ..whole }).unwrap();
        assert_eq!(clipped.at(0).0, 20.0);
        let global = RangeOptions { per_dimension: false, clip: 0.0 };
        assert!(!CodeRange::train(rows, 15, global).unwrap().is_per_dimension());
        for clip in [0.5, -0.1, f32::NAN] {
            assert!(CodeRange::train(rows, 15, RangeOptions { clip, ..whole }).is_err());
        }
        assert!(CodeRange::train(RowsRef::packed(&[], 2).unwrap(), 15, whole).is_err());
        assert!(CodeRange::train(RowsRef::packed(&[f32::NAN], 1).unwrap(), 15, whole).is_err());
    }
}
