//! What the codes of a row stand for, and queries prepared for them.

use super::arith::BLOCK;

/// What the codes of `sq8` rows stand for: code `c` is the value `bias + scale * c`.
///
/// A query is prepared once, so that a kernel needs neither bias nor scale a row:
///
/// ```text
/// dot      q0*s q1*s ... q(n-1)*s | sum of q*bias                        n + 1 elements
/// l2sq     (q0-b)/s ... (q(n-1)-b)/s | s*s                               n + 1 elements
/// l2sq, a scale for each dimension (encoding `sq8_dim`), in blocks of 16 dimensions:
///          q0-b0 ... q15-b15  -s0 ... -s15 | q16-b16 ... -s16 ... | ...  2 n elements;
///          a last block of r < 16 dimensions has r differences and then r scales
/// ```
///
/// The inner product with a scale for each dimension is `sq8/dot` too: the scales are in the
/// query.
#[derive(Clone, Copy, Debug)]
pub enum Sq8<'a> {
    /// One bias and one scale.
    Global {
        /// The value of code 0.
        bias: f32,
        /// The distance between two codes' values.
        scale: f32,
    },
    /// A bias and a scale for each dimension.
    PerDimension {
        /// The values of code 0.
        bias: &'a [f32],
        /// The distances between two codes' values.
        scale: &'a [f32],
    },
}

impl Sq8<'_> {
    /// Bias and scale of dimension `i`.
    ///
    /// # Panics
    /// If there is no such dimension, or the scale is not a positive number.
    #[must_use]
    pub fn at(&self, i: usize) -> (f32, f32) {
        let (bias, scale) = match *self {
            Self::Global { bias, scale } => (bias, scale),
            Self::PerDimension { bias, scale } => (bias[i], scale[i]),
        };
        assert!(scale > 0.0 && scale.is_finite(), "a scale is a positive number");
        (bias, scale)
    }

    /// The query of `sq8/dot`. The biases' share is summed in `f64` and rounded once.
    ///
    /// # Panics
    /// If `prepared` has not one element more than `query`, a scale is not a positive number, or
    /// there are fewer biases or scales than dimensions.
    pub fn dot_query(&self, query: &[f32], prepared: &mut [f32]) {
        assert_eq!(prepared.len(), query.len() + 1, "one element more");
        let mut constant = 0.0;
        for (i, (&q, p)) in query.iter().zip(prepared.iter_mut()).enumerate() {
            let (bias, scale) = self.at(i);
            *p = q * scale;
            constant += f64::from(q) * f64::from(bias);
        }
        prepared[query.len()] = constant as f32;
    }

    /// The query of `sq8/l2sq`, or with a scale for each dimension that of `sq8_dim/l2sq`.
    ///
    /// # Panics
    /// If `prepared` has not one element more than `query` (with a scale for each dimension: twice
    /// as many), a scale is not a positive number, or there are fewer biases or scales than
    /// dimensions.
    pub fn l2sq_query(&self, query: &[f32], prepared: &mut [f32]) {
        let dim = query.len();
        if let Self::Global { bias, scale } = *self {
            assert_eq!(prepared.len(), dim + 1, "one element more");
            assert!(scale > 0.0 && scale.is_finite(), "a scale is a positive number");
            for (&q, p) in query.iter().zip(prepared.iter_mut()) {
                *p = (q - bias) / scale;
            }
            prepared[dim] = scale * scale;
            return;
        }
        assert_eq!(prepared.len(), 2 * dim, "twice as many elements");
        for (block, (from, to)) in
            query.chunks(BLOCK).zip(prepared.chunks_mut(2 * BLOCK)).enumerate()
        {
            let (differences, scales) = to.split_at_mut(from.len());
            for (i, ((&q, d), s)) in from.iter().zip(differences).zip(scales).enumerate() {
                let (bias, scale) = self.at(block * BLOCK + i);
                *d = q - bias;
                *s = -scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::bind;
    use crate::ops::sq8::{DotOp, L2SqOp, PerDimensionOp, Sq8Op};
    use crate::shape::Pair;

    /// Prepared queries and kernels give the values of the numbers that codes stand for.
    #[test]
    fn prepared_queries_give_the_values_of_decoded_rows() {
        for dim in [1usize, 5, 16, 17, 100, 131] {
            let bias: Vec<f32> = (0..dim).map(|i| (i % 7) as f32 / 3.0 - 1.0).collect();
            let scale: Vec<f32> = (0..dim).map(|i| 0.01 + (i % 5) as f32 / 300.0).collect();
            let query: Vec<f32> = (0..dim).map(|i| (i % 11) as f32 / 5.0 - 1.0).collect();
            let codes: Vec<u8> = (0..dim).map(|i| (i * 37 % 256) as u8).collect();
            for params in [
                Sq8::Global { bias: -1.25, scale: 0.0125 },
                Sq8::PerDimension { bias: &bias, scale: &scale },
            ] {
                let decoded = |i: usize| {
                    let (b, s) = params.at(i);
                    f64::from(b) + f64::from(s) * f64::from(codes[i])
                };
                let dot: f64 = (0..dim).map(|i| f64::from(query[i]) * decoded(i)).sum();
                let l2sq: f64 = (0..dim).map(|i| (f64::from(query[i]) - decoded(i)).powi(2)).sum();
                let mut prepared = vec![0.0; dim + 1];
                params.dot_query(&query, &mut prepared);
                let kernel = bind::<Sq8Op<DotOp, Pair<f32, u8, f32>>>("scalar", dim).unwrap();
                let found = f64::from(kernel.call(&prepared, &codes));
                assert!((found - dot).abs() < 1e-4 * dim as f64, "{params:?}: {found} {dot}");
                let found = if matches!(params, Sq8::Global { .. }) {
                    params.l2sq_query(&query, &mut prepared);
                    let kernel = bind::<Sq8Op<L2SqOp, Pair<f32, u8, f32>>>("scalar", dim).unwrap();
                    kernel.call(&prepared, &codes)
                } else {
                    let mut prepared = vec![0.0; 2 * dim];
                    params.l2sq_query(&query, &mut prepared);
                    let kernel =
                        bind::<Sq8Op<PerDimensionOp, Pair<f32, u8, f32>>>("scalar", dim).unwrap();
                    kernel.call(&prepared, &codes)
                };
                let found = f64::from(found);
                assert!((found - l2sq).abs() < 1e-4 * dim as f64, "{params:?}: {found} {l2sq}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a positive number")]
    fn a_scale_of_zero_is_refused() {
        Sq8::Global { bias: 0.0, scale: 0.0 }.l2sq_query(&[1.0], &mut [0.0; 2]);
    }
}
