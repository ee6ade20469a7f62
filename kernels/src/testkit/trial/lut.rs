//! Operands of product quantisation: tables, codebooks, codes.
//!
//! In recipes `dim` means the elements of a vector where tables and codes are made, and the number
//! of sub-spaces where they are scanned. `rows` are queries of tables, vectors of codes, or rows
//! of a scan; the `stride`'s pad picks the elements of a sub-space among [`DSUB`].

mod scan;

use std::sync::OnceLock;

pub(crate) use scan::{BlockOperands, SdcOperands};

use super::memory::Placed;
use super::{Misfit, Operands, Reads};
use crate::kernel::{Bound, Op};
use crate::layout::LayoutError;
use crate::shape::{Codebook, Lut, PqEncode, Shape};
use crate::testkit::bounds::{Expected, expected};
use crate::testkit::cases::{Batches, Element, Random, Recipe, Stride, query};
use crate::testkit::oracle::exact;
use crate::testkit::verify::{Failure, Report, Value, judge_value};

/// Elements of a sub-space, by the pad of the recipe's stride; 8 where it has none.
const DSUB: [usize; 3] = [8, 4, 5];

fn dsub(recipe: &Recipe) -> usize {
    match recipe.stride {
        Stride::Pad(pad) => DSUB[pad % DSUB.len()],
        Stride::Lines => DSUB[0],
    }
}

/// Windows over `units` things, and how many things one has.
fn windows(recipe: &Recipe, units: usize) -> (usize, usize) {
    match recipe.batches {
        Batches::Whole => (1, units),
        Batches::Windows { per } => {
            let per = per.clamp(1, units.max(1));
            (units / per, per)
        }
    }
}

fn path<O: Op>() -> String {
    format!("{}/{}/{}", O::ENCODING, O::METRIC, <O::Shape as Shape>::NAME)
}

/// Vectors and a codebook.
pub(crate) struct BookOperands {
    path: String,
    metric: &'static str,
    dim: usize,
    dsub: usize,
    vectors: Placed<f32>,
    book: Placed<f32>,
    windows: usize,
    per: usize,
    /// For each vector, sub-space and centroid: what is expected, and its scale.
    truth: OnceLock<Vec<(Expected, f64)>>,
}

impl BookOperands {
    fn new<O: Op, const K: usize>(recipe: &Recipe) -> Result<Self, LayoutError> {
        let (mut random, dim) = (Random::new(recipe.seed), recipe.dim);
        // Each is judged against every centroid.
        let count = match recipe.batches {
            Batches::Whole => recipe.rows.min(2),
            Batches::Windows { .. } => recipe.rows,
        };
        // What is special of a row family is special of a codebook.
        let vectors: Vec<f32> =
            (0..count).flat_map(|_| query::<f32>(&mut random, recipe.family, dim)).collect();
        let mut book: Vec<f32> = Vec::with_capacity(dim * K);
        for i in 0..dim {
            let near = vectors.get(i).copied().unwrap_or(0.0);
            book.extend(crate::testkit::cases::row(&mut random, recipe.family, K, |random, _| {
                near * (1.0 + 1e-3 * (random.unit() - 0.5)) as f32
            }));
        }
        let (windows, per) = windows(recipe, count);
        Ok(Self {
            path: path::<O>(),
            metric: O::METRIC,
            dim,
            dsub: dsub(recipe),
            vectors: Placed::once(&vectors, recipe.query_at)?,
            book: Placed::once(&book, recipe.rows_at)?,
            windows,
            per,
            truth: OnceLock::new(),
        })
    }

    fn m(&self) -> usize {
        self.dim.div_ceil(self.dsub)
    }

    fn book<const K: usize>(&self) -> Codebook<'_, K> {
        Codebook::new(self.book.get(), self.dim, self.dsub).expect("laid out by `new`")
    }

    fn vector(&self, window: usize, i: usize) -> &[f32] {
        let at = window % self.windows * self.per + i;
        &self.vectors.get()[at * self.dim..][..self.dim]
    }

    /// The truth of a vector, by sub-space and centroid.
    fn truth<const K: usize>(&self, window: usize, i: usize) -> &[(Expected, f64)] {
        let all = self.truth.get_or_init(|| {
            let mut all = Vec::new();
            for v in 0..self.windows * self.per {
                let vector = self.vector(0, v);
                for start in (0..self.dim).step_by(self.dsub) {
                    let end = (start + self.dsub).min(self.dim);
                    let mut centroid = vec![0.0; end - start];
                    for k in 0..K {
                        for (c, j) in centroid.iter_mut().zip(start..end) {
                            *c = self.book.get()[j * K + k];
                        }
                        let exact = exact(self.metric, &vector[start..end], &centroid);
                        let n = end - start;
                        all.push((expected(self.metric, n, &exact, false), exact.scale));
                    }
                }
            }
            all
        });
        let each = self.m() * K;
        &all[(window % self.windows * self.per + i) * each..][..each]
    }

    fn failure(&self, output: usize, found: f64, expected: String) -> Failure {
        Failure { op: self.path.clone(), dim: self.dim, output, found, expected }
    }

    fn reads(&self, window: usize) -> Vec<&[u8]> {
        let at = window % self.windows * self.per * self.dim;
        let vectors = &self.vectors.get()[at..][..self.per * self.dim];
        vec![Element::bytes(vectors), Element::bytes(self.book.get())]
    }

    /// Vectors and codebooks that do not fit.
    fn misfits<'a, const K: usize>(
        &'a self,
        run: impl Fn(&[f32], Codebook<'_, K>, usize) + Copy + 'a,
    ) -> Vec<Misfit<'a>> {
        let (vector, book, m) = (self.vector(0, 0), self.book::<K>(), self.m());
        let mut all: Vec<Misfit<'a>> = vec![
            ("an output too many", Box::new(move || run(vector, book, m + 1))),
            ("a shorter codebook", {
                let shorter = &self.book.get()[..self.dim.saturating_sub(1) * K];
                let dim = self.dim.saturating_sub(1);
                Box::new(move || {
                    let book = Codebook::new(shorter, dim, self.dsub);
                    run(vector, book.expect("as long as it says"), m);
                })
            }),
        ];
        if !vector.is_empty() {
            all.push(("a shorter vector", Box::new(move || run(&vector[1..], book, m))));
        }
        all
    }
}

/// Operands of a table of `K` centroids a sub-space.
pub(crate) struct Tables<const K: usize>(BookOperands);

/// Operands of codes of `K` centroids a sub-space.
pub(crate) struct Codes<const K: usize>(BookOperands);

impl<const K: usize> Tables<K> {
    pub(crate) fn new<O: Op>(recipe: &Recipe) -> Result<Self, LayoutError> {
        BookOperands::new::<O, K>(recipe).map(Self)
    }
}

impl<const K: usize> Codes<K> {
    pub(crate) fn new<O: Op>(recipe: &Recipe) -> Result<Self, LayoutError> {
        BookOperands::new::<O, K>(recipe).map(Self)
    }
}

impl<O: Op<Shape = Lut<K>>, const K: usize> Operands<O> for Tables<K> {
    type Out = Vec<[f32; K]>;

    fn windows(&self) -> usize {
        self.0.windows
    }

    fn values(&self) -> usize {
        self.0.per
    }

    fn bytes_per_value(&self) -> f64 {
        ((self.0.dim * (K + 1) + self.0.m() * K) * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, _: Reads) -> Vec<&[u8]> {
        self.0.reads(window)
    }

    fn blank(&self) -> Self::Out {
        vec![[f32::SPOILT; K]; self.0.per * self.0.m()]
    }

    fn run(&self, bound: &Bound<Lut<K>>, window: usize, values: usize, out: &mut Self::Out) {
        let (book, m) = (self.0.book(), self.0.m());
        for i in 0..self.0.per.min(values) {
            bound.call(self.0.vector(window, i), book, &mut out[i * m..][..m]);
        }
    }

    fn judge(&self, window: usize, out: &Self::Out) -> Result<Report, Failure> {
        let (mut report, m) = (Report::default(), self.0.m());
        for i in 0..self.0.per {
            let truth = self.0.truth::<K>(window, i);
            let found = out[i * m..][..m].as_flattened();
            for (output, (&found, (expected, scale))) in found.iter().zip(truth).enumerate() {
                judge_value(found, expected, *scale, &mut report)
                    .map_err(|why| self.0.failure(output, f64::from(found), why))?;
            }
        }
        // A vector of no elements has no table, and that is right.
        report.values += usize::from(m == 0);
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<Lut<K>>) -> Vec<Misfit<'a>> {
        self.0.misfits::<K>(move |query, book, m| bound.call(query, book, &mut vec![[0.0; K]; m]))
    }
}

impl<O: Op<Shape = PqEncode<K>>, const K: usize> Operands<O> for Codes<K> {
    type Out = Vec<u8>;

    fn windows(&self) -> usize {
        self.0.windows
    }

    fn values(&self) -> usize {
        self.0.per
    }

    fn bytes_per_value(&self) -> f64 {
        (self.0.dim * (K + 1) * size_of::<f32>() + self.0.m()) as f64
    }

    fn reads(&self, window: usize, _: Reads) -> Vec<&[u8]> {
        self.0.reads(window)
    }

    fn blank(&self) -> Vec<u8> {
        vec![0xa5; self.0.per * self.0.m()]
    }

    fn run(&self, bound: &Bound<PqEncode<K>>, window: usize, values: usize, out: &mut Vec<u8>) {
        let (book, m) = (self.0.book(), self.0.m());
        for i in 0..self.0.per.min(values) {
            bound.call(self.0.vector(window, i), book, &mut out[i * m..][..m]);
        }
    }

    /// Any centroid will do that may be the nearest within the bounds of both.
    fn judge(&self, window: usize, out: &Vec<u8>) -> Result<Report, Failure> {
        let (mut report, m) = (Report::default(), self.0.m());
        for i in 0..self.0.per {
            let truth = self.0.truth::<K>(window, i);
            for (output, (&code, truth)) in
                out[i * m..][..m].iter().zip(truth.chunks_exact(K)).enumerate()
            {
                let fail = |why: String| self.0.failure(output, f64::from(code), why);
                // The least that any centroid may have come to, at most.
                let mut least = f64::INFINITY;
                for (expected, _) in truth {
                    if let Expected::Within { value, error } = expected {
                        least = least.min(value + error);
                    }
                }
                let chosen = truth.get(usize::from(code));
                match chosen.ok_or_else(|| fail(format!("a code below {K}")))?.0 {
                    Expected::Within { value, error } if value - error <= least => {
                        report.values += 1;
                    }
                    // Beyond the range or not a number: only if nothing else is there.
                    _ if least.is_infinite() && code == 0 => report.values += 1,
                    Expected::Anything => report.unchecked += 1,
                    other => return Err(fail(format!("within {least:e}, and not {other:?}"))),
                }
            }
        }
        report.values += usize::from(m == 0);
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<PqEncode<K>>) -> Vec<Misfit<'a>> {
        self.0.misfits::<K>(move |row, book, m| bound.call(row, book, &mut vec![0; m]))
    }
}
