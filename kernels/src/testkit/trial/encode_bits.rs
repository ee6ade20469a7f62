//! Operands of the shape that turns floats into bits: vectors, and a row of bits for each.

use super::memory::Placed;
use super::{Misfit, Operands, Reads};
use crate::kernel::{Bound, Op};
use crate::layout::{LayoutError, RowsRef};
use crate::shape::EncodeBits;
use crate::testkit::cases::{Batches, Element, Place, Random, Recipe, row};
use crate::testkit::verify::{Failure, Report};

/// Floats that are drawn; a larger set repeats them.
const DRAWN: usize = 1 << 20;

/// What an output is before a kernel wrote it, and the byte behind each row for ever.
const SPOILT: u8 = 0xa5;

/// The row of bits that a vector must become.
type TruthOf = fn(&[f32]) -> Vec<u8>;

/// Vectors; a window is `per` of them, and a value is one row.
pub struct EncodeBitsOperands {
    path: String,
    truth: TruthOf,
    dim: usize,
    row_len: usize,
    stride: usize,
    vectors: Placed<f32>,
    windows: usize,
    per: usize,
}

impl EncodeBitsOperands {
    /// Vectors made by a recipe.
    ///
    /// # Errors
    /// They do not fit into memory.
    pub(crate) fn new<O: Op>(recipe: &Recipe, truth: TruthOf) -> Result<Self, LayoutError> {
        let mut random = Random::new(recipe.seed);
        let (dim, rows) = (recipe.dim, recipe.rows);
        let stride = recipe.stride.of(dim, size_of::<f32>());
        rows.checked_mul(stride).ok_or(LayoutError::TooLarge { rows, dim })?;
        let drawn = rows.min((DRAWN / stride).max(64));
        let mut elements: Vec<f32> = Vec::with_capacity(drawn * stride);
        for i in 0..drawn {
            let near = |random: &mut Random, _| f32::draw(random, recipe.family);
            elements.extend(row(&mut random, recipe.family, dim, near));
            elements.resize((i + 1) * stride, 1.0);
        }
        // Against a page, the last vector has no pad behind it.
        let guarded = matches!(recipe.rows_at, Place::Edge(_));
        let total =
            if guarded && rows > 0 && dim > 0 { (rows - 1) * stride + dim } else { rows * stride };
        let per = match recipe.batches {
            Batches::Whole => rows,
            Batches::Windows { per } => per.clamp(1, rows.max(1)),
        };
        Ok(Self {
            path: format!("{}/{}/encode_bits", O::ENCODING, O::METRIC),
            truth,
            dim,
            row_len: O::row_len(dim),
            stride,
            vectors: Placed::repeated(&elements, total, recipe.rows_at)?,
            windows: rows.checked_div(per).unwrap_or(1),
            per,
        })
    }

    /// The vectors of a window.
    fn vectors(&self, window: usize) -> RowsRef<'_, f32> {
        let from = (window % self.windows) * self.per;
        RowsRef::new(self.vectors.get(), self.dim, self.stride)
            .expect("laid out by `new`")
            .slice(from, from + self.per)
    }
}

impl<O: Op<Shape = EncodeBits>> Operands<O> for EncodeBitsOperands {
    type Out = Vec<u8>;

    fn windows(&self) -> usize {
        self.windows
    }

    fn values(&self) -> usize {
        self.per
    }

    fn bytes_per_value(&self) -> f64 {
        (self.dim * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, _reads: Reads) -> Vec<&[u8]> {
        let vectors = self.vectors(window);
        (0..vectors.len()).map(|i| Element::bytes(vectors.row(i))).collect()
    }

    fn blank(&self) -> Vec<u8> {
        vec![SPOILT; self.per * (self.row_len + 1)]
    }

    fn run(&self, bound: &Bound<EncodeBits>, window: usize, values: usize, out: &mut Vec<u8>) {
        let vectors = self.vectors(window);
        let rows = out.chunks_exact_mut(self.row_len + 1).take(values);
        for (i, row) in rows.enumerate() {
            bound.call(vectors.row(i), &mut row[..self.row_len]);
        }
    }

    fn judge(&self, window: usize, out: &Vec<u8>) -> Result<Report, Failure> {
        let vectors = self.vectors(window);
        let mut report = Report::default();
        for (output, found) in out.chunks_exact(self.row_len + 1).enumerate() {
            let mut wanted = (self.truth)(vectors.row(output));
            wanted.push(SPOILT);
            if let Some(at) = (0..wanted.len()).find(|&i| wanted[i] != found[i]) {
                let what =
                    if at == self.row_len { "untouched byte behind the row" } else { "byte" };
                return Err(Failure {
                    op: self.path.clone(),
                    dim: self.dim,
                    output,
                    found: f64::from(found[at]),
                    expected: format!("{:#04x}, the {what} {at}", wanted[at]),
                });
            }
            report.values += 1;
        }
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<EncodeBits>) -> Vec<Misfit<'a>> {
        let call = move |values: usize, bytes: usize| {
            move || bound.call(&vec![1.0; values], &mut vec![SPOILT; bytes])
        };
        vec![
            ("a value too many", Box::new(call(self.dim + 1, self.row_len))),
            ("a byte too many", Box::new(call(self.dim, self.row_len + 1))),
            ("no values", Box::new(call(usize::from(self.dim == 0), self.row_len))),
            ("no bytes", Box::new(call(self.dim, usize::from(self.row_len == 0)))),
        ]
    }
}

impl core::fmt::Debug for EncodeBitsOperands {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EncodeBitsOperands").field("dim", &self.dim).finish_non_exhaustive()
    }
}
