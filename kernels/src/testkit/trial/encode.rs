//! Operands of the encoders: vectors, and how they are cut into codes. Every code is exact.

use super::memory::Placed;
use super::{Misfit, Operands, Reads, Subject};
use crate::kernel::{Bound, Op};
use crate::layout::{LayoutError, RowsRef};
use crate::ops::encode::{FromF32, Target};
use crate::shape::{Encode, Steps};
use crate::testkit::cases::{self, Batches, Element, Family, Place, Random, Recipe};
use crate::testkit::verify::{Failure, Report};

/// Vectors, biases and inverse scales.
pub struct EncodeOperands {
    path: String,
    dim: usize,
    /// Bytes of a vector's codes.
    row_len: usize,
    values: Placed<f32>,
    stride: usize,
    bias: Placed<f32>,
    inverse: Placed<f32>,
    /// Vectors in all, and in a window.
    count: usize,
    per: usize,
}

impl EncodeOperands {
    fn rows(&self) -> RowsRef<'_, f32> {
        RowsRef::new(self.values.get(), self.dim, self.stride).expect("laid out when it was made")
    }

    /// No vectors are one window.
    fn windows(&self) -> usize {
        self.count.checked_div(self.per).unwrap_or(1)
    }

    /// The vectors of a window.
    fn window(&self, window: usize) -> RowsRef<'_, f32> {
        let from = window % self.windows() * self.per;
        self.rows().slice(from, from + self.per)
    }

    fn steps(&self) -> Steps<'_> {
        Steps { bias: self.bias.get(), inverse: self.inverse.get() }
    }
}

/// The code of a value: the same two roundings as in the kernels, then by comparison.
fn code(v: f32, bias: f32, inverse: f32, max: f64) -> u8 {
    let steps = f64::from((v - bias) * inverse);
    if steps.is_nan() || steps <= 0.5 {
        return 0;
    }
    if steps >= max {
        return max as u8;
    }
    let (whole, rest) = (steps.floor(), steps - steps.floor());
    let up = rest > 0.5 || (rest == 0.5 && whole % 2.0 == 1.0);
    whole as u8 + u8::from(up)
}

impl<T: Target> Subject for FromF32<T> {
    const FAMILIES: &'static [Family] = <f32 as Element>::FAMILIES;
    type Operands = EncodeOperands;

    fn operands(recipe: &Recipe) -> Result<EncodeOperands, LayoutError> {
        let mut random = Random::new(recipe.seed);
        let (dim, count) = (recipe.dim, recipe.rows);
        let stride = recipe.stride.of(dim, size_of::<f32>());
        let total = count.checked_mul(stride).ok_or(LayoutError::TooLarge { rows: count, dim })?;
        let drawn = count.min(1024);
        let mut elements = Vec::with_capacity(drawn * stride);
        for i in 0..drawn {
            elements.extend(cases::row(&mut random, recipe.family, dim, |_, i| {
                // Halfway between two codes of the step below, or nearly.
                (i % 19) as f32 / 16.0 - 1.0
            }));
            elements.resize((i + 1) * stride, 0.0);
        }
        let guarded = matches!(recipe.rows_at, Place::Edge(_));
        let total = if guarded && count > 0 && dim > 0 { total - stride + dim } else { total };
        let params = Self::query_len(dim);
        // Of `Cancelling`, exact halves; of the others anything.
        let exact = recipe.family == Family::Cancelling;
        let bias = |r: &mut Random| if exact { -1.0 } else { -1.0 - r.unit() as f32 };
        let inverse = |r: &mut Random| if exact { 8.0 } else { 5.0 + 120.0 * r.unit() as f32 };
        let biases: Vec<f32> = (0..params).map(|_| bias(&mut random)).collect();
        let inverses: Vec<f32> = (0..params).map(|_| inverse(&mut random)).collect();
        let per = match recipe.batches {
            Batches::Whole => count,
            Batches::Windows { per } => per,
        };
        Ok(EncodeOperands {
            path: format!("{}/{}/encode", Self::ENCODING, Self::METRIC),
            dim,
            row_len: Self::row_len(dim),
            values: Placed::repeated(&elements, total, recipe.rows_at)?,
            stride,
            bias: Placed::once(&biases, recipe.query_at)?,
            inverse: Placed::once(&inverses, recipe.query_at)?,
            count,
            per: per.max(1).min(count),
        })
    }

    fn row_bytes(dim: usize) -> usize {
        dim * size_of::<f32>()
    }
}

impl<T: Target> Operands<FromF32<T>> for EncodeOperands {
    type Out = Vec<u8>;

    fn windows(&self) -> usize {
        EncodeOperands::windows(self)
    }

    fn values(&self) -> usize {
        self.per
    }

    fn bytes_per_value(&self) -> f64 {
        (self.dim * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, _reads: Reads) -> Vec<&[u8]> {
        let rows = self.window(window);
        (0..rows.len()).map(|i| Element::bytes(rows.row(i))).collect()
    }

    fn blank(&self) -> Vec<u8> {
        vec![0xa5; self.per * self.row_len]
    }

    fn run(&self, bound: &Bound<Encode>, window: usize, values: usize, out: &mut Vec<u8>) {
        let rows = self.window(window);
        let steps = self.steps();
        for i in 0..rows.len().min(values.max(1)) {
            bound.call(rows.row(i), steps, &mut out[i * self.row_len..][..self.row_len]);
        }
    }

    fn judge(&self, window: usize, out: &Vec<u8>) -> Result<Report, Failure> {
        let (rows, steps) = (self.window(window), self.steps());
        let mut report = Report::default();
        for i in 0..rows.len() {
            let step = |x: &[f32], k: usize| if T::PER_DIMENSION { x[k] } else { x[0] };
            let want = |k: usize| match rows.row(i).get(k) {
                Some(&v) => code(v, step(steps.bias, k), step(steps.inverse, k), f64::from(T::MAX)),
                None => 0,
            };
            for (j, &found) in out[i * self.row_len..][..self.row_len].iter().enumerate() {
                let want = if T::PACKED { want(2 * j) + 16 * want(2 * j + 1) } else { want(j) };
                if found != want {
                    let (op, dim, output) = (self.path.clone(), self.dim, i);
                    let expected = format!("{want} in byte {j}");
                    return Err(Failure { op, dim, output, found: f64::from(found), expected });
                }
            }
            report.values += 1;
        }
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<Encode>) -> Vec<Misfit<'a>> {
        let (row, steps) = (self.window(0).row(0), self.steps());
        let call = move |row: &'a [f32], steps: Steps<'a>, bytes: usize| {
            move || bound.call(row, steps, &mut vec![0xa5; bytes])
        };
        let mut all: Vec<Misfit<'a>> = vec![
            ("a byte too many", Box::new(call(row, steps, self.row_len + 1))),
            ("no biases", Box::new(call(row, Steps { bias: &[], ..steps }, self.row_len))),
            (
                "no inverse scales",
                Box::new(call(row, Steps { inverse: &[], ..steps }, self.row_len)),
            ),
        ];
        if let Some((_, shorter)) = row.split_first() {
            all.push(("a shorter vector", Box::new(call(shorter, steps, self.row_len))));
        }
        all
    }
}

impl core::fmt::Debug for EncodeOperands {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EncodeOperands").field("dim", &self.dim).finish_non_exhaustive()
    }
}
