//! Operands of the shapes that make vectors from vectors.
//!
//! In a recipe `rows` are vectors, and one value of a trial is one vector read: a whole call of a
//! `map`, a row of a `combine`.

use super::memory::Placed;
use super::{Misfit, Operands, Reads};
use crate::kernel::{Bound, Op};
use crate::layout::{LayoutError, RowsRef};
use crate::shape::{Combine, Shape};
use crate::testkit::bounds::{Expected, expected};
use crate::testkit::cases::{self, Batches, Element, Family, Place, Random, Recipe};
use crate::testkit::oracle::Exact;
use crate::testkit::verify::{Failure, Report, Value, judge_value};

/// Elements that are drawn; a larger set repeats them.
const DRAWN: usize = 1 << 20;

/// Elements around each output that must stay as they were.
const MARGIN: usize = 16;

/// The value of a sum of `n` products, by the rules of a dot product.
pub(crate) fn sum_of(n: usize, value: f64, scale: f64) -> Expected {
    expected("dot", n, &Exact { value, scale, norms_sq: [1.0; 2] }, false)
}

/// An operation on one, two or three vectors, element by element.
pub(crate) trait MapSubject: Op {
    /// Vectors that it reads.
    const INPUTS: usize;
    /// Whether its output begins as its last input.
    const IN_PLACE: bool;
    /// The truth for one element of each vector, and what an error is measured against.
    fn truth(x: [f32; 3], k: f32) -> (Expected, f64);
    /// One call.
    fn call(bound: &Bound<Self::Shape>, x: [&[f32]; 3], k: f32, out: &mut [f32]);
}

/// Vectors in memory, one after the other.
#[derive(Debug)]
pub(super) struct Vectors {
    pub(super) memory: Placed<f32>,
    pub(super) dim: usize,
    pub(super) stride: usize,
}

impl Vectors {
    /// Vectors by a recipe; `near` makes those of the families that cancel.
    pub(super) fn new(
        random: &mut Random,
        recipe: &Recipe,
        place: Place,
        query: &[f32],
    ) -> Result<Self, LayoutError> {
        let (dim, rows) = (recipe.dim, recipe.rows);
        let stride = recipe.stride.of(dim, size_of::<f32>());
        rows.checked_mul(stride).ok_or(LayoutError::TooLarge { rows, dim })?;
        let drawn = rows.min((DRAWN / stride).max(64));
        let mut elements: Vec<f32> = Vec::with_capacity(drawn * stride);
        for i in 0..drawn {
            let near =
                |random: &mut Random, i: usize| query[i] * (1.0 + 3e-7 * random.below(9) as f32);
            elements.extend(cases::row(random, recipe.family, dim, near));
            elements.resize((i + 1) * stride, 0.0);
        }
        let guarded = matches!(place, Place::Edge(_));
        let total =
            if guarded && rows > 0 && dim > 0 { (rows - 1) * stride + dim } else { rows * stride };
        Ok(Self { memory: Placed::repeated(&elements, total, place)?, dim, stride })
    }

    /// One vector, at less cost than through [`Vectors::rows`]: short calls are timed.
    fn get(&self, i: usize) -> &[f32] {
        &self.memory.get()[i * self.stride..][..self.dim]
    }

    pub(super) fn rows(&self) -> RowsRef<'_, f32> {
        RowsRef::new(self.memory.get(), self.dim, self.stride).expect("laid out by `new`")
    }
}

/// So many rows a window, and how many windows.
pub(super) fn windows(recipe: &Recipe) -> (usize, usize) {
    match recipe.batches {
        Batches::Whole => (recipe.rows, 1),
        Batches::Windows { per } => {
            let per = per.clamp(1, recipe.rows.max(1));
            (per, recipe.rows / per)
        }
    }
}

/// Output vectors, with margins between them.
#[derive(Clone, Debug)]
pub struct Outputs {
    memory: Vec<f32>,
    start: usize,
    dim: usize,
    stride: usize,
}

impl Outputs {
    pub(super) fn new(count: usize, dim: usize) -> Self {
        let stride = dim.next_multiple_of(MARGIN) + MARGIN;
        let memory = vec![f32::SPOILT; count * stride + 2 * MARGIN];
        let aligned = memory.as_ptr().align_offset(64);
        let start = MARGIN + if aligned < MARGIN { aligned } else { 0 };
        Self { memory, start, dim, stride }
    }

    pub(super) fn get(&mut self, i: usize) -> &mut [f32] {
        &mut self.memory[self.start + i * self.stride..][..self.dim]
    }

    /// The first output, to read; and the first element that lies outside every output of `count`
    /// and is not what it was.
    pub(super) fn first(&self, count: usize) -> (&[f32], Option<(usize, f32)>) {
        let beside = self.written_beside(count).map(|at| (at, self.memory[at]));
        (&self.memory[self.start..][..self.dim], beside)
    }

    /// Whether the element at a place of the memory belongs to an output.
    fn holds(&self, at: usize, count: usize) -> bool {
        let Some(at) = at.checked_sub(self.start) else { return false };
        at / self.stride < count && at % self.stride < self.dim
    }

    /// The first element that lies outside every output and is not what it was.
    fn written_beside(&self, count: usize) -> Option<usize> {
        let spoilt = |&(at, x): &(usize, &f32)| {
            x.to_bits() != f32::SPOILT.to_bits() && !self.holds(at, count)
        };
        self.memory.iter().enumerate().find(spoilt).map(|(at, _)| at)
    }
}

/// Inputs and the number beside them.
#[derive(Debug)]
pub struct MapOperands {
    path: String,
    inputs: Vec<Vectors>,
    k: f32,
    dim: usize,
    per: usize,
    windows: usize,
}

impl MapOperands {
    pub(crate) fn new<O: MapSubject>(recipe: &Recipe) -> Result<Self, LayoutError> {
        let mut random = Random::new(recipe.seed);
        let query: Vec<f32> = cases::query(&mut random, recipe.family, recipe.dim);
        let place = |i: usize| if i == 0 { recipe.query_at } else { recipe.rows_at };
        let inputs = (0..O::INPUTS)
            .map(|i| Vectors::new(&mut random, recipe, place(i), &query))
            .collect::<Result<_, _>>()?;
        let k = match recipe.family {
            Family::ZeroQuery => 0.0,
            family => f32::draw(&mut random, family),
        };
        let (per, windows) = windows(recipe);
        let path = format!("{}/{}/{}", O::ENCODING, O::METRIC, <O::Shape as Shape>::NAME);
        Ok(Self { path, inputs, k, dim: recipe.dim, per, windows })
    }

    /// Vector `i` of a window, of each input.
    fn vectors<O: MapSubject>(&self, window: usize, i: usize) -> [&[f32]; 3] {
        let mut all: [&[f32]; 3] = [&[]; 3];
        for (j, (v, input)) in all.iter_mut().zip(&self.inputs).enumerate() {
            // What is changed in place began as the first window's, whichever window it is.
            let began = O::IN_PLACE && j + 1 == O::INPUTS;
            let window = if began { 0 } else { window % self.windows };
            *v = input.get(window * self.per + i);
        }
        all
    }
}

impl<O: MapSubject> Operands<O> for MapOperands {
    type Out = Outputs;

    fn windows(&self) -> usize {
        self.windows
    }

    fn values(&self) -> usize {
        self.per
    }

    fn bytes_per_value(&self) -> f64 {
        (O::INPUTS * self.dim * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, _reads: Reads) -> Vec<&[u8]> {
        let all =
            (0..self.per).flat_map(|i| self.vectors::<O>(window, i).into_iter().take(O::INPUTS));
        all.map(f32::bytes).collect()
    }

    fn blank(&self) -> Outputs {
        let mut out = Outputs::new(self.per, self.dim);
        if O::IN_PLACE {
            for i in 0..self.per {
                out.get(i).copy_from_slice(self.vectors::<O>(0, i)[O::INPUTS - 1]);
            }
        }
        out
    }

    fn run(&self, bound: &Bound<O::Shape>, window: usize, values: usize, out: &mut Outputs) {
        for i in 0..self.per.min(values.max(1)) {
            O::call(bound, self.vectors::<O>(window, i), self.k, out.get(i));
        }
    }

    fn judge(&self, window: usize, out: &Outputs) -> Result<Report, Failure> {
        let mut report = Report::default();
        let fail = |output, found: f32, expected| Failure {
            op: self.path.clone(),
            dim: self.dim,
            output,
            found: f64::from(found),
            expected,
        };
        if let Some(at) = out.written_beside(self.per) {
            return Err(fail(at, out.memory[at], "nothing written beside the output".to_owned()));
        }
        for i in 0..self.per {
            let x = self.vectors::<O>(window, i);
            let found = &out.memory[out.start + i * out.stride..][..self.dim];
            for (j, &found) in found.iter().enumerate() {
                let at = |v: &[f32]| v.get(j).copied().unwrap_or(0.0);
                let (truth, scale) = O::truth([at(x[0]), at(x[1]), at(x[2])], self.k);
                judge_value(found, &truth, scale, &mut report)
                    .map_err(|expected| fail(i * self.dim + j, found, expected))?;
            }
        }
        if self.dim == 0 {
            report.values += 1;
        }
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<O::Shape>) -> Vec<Misfit<'a>> {
        let mut all: Vec<Misfit<'a>> = Vec::new();
        for (name, length) in
            [("a longer output", self.dim + 1), ("a shorter output", self.dim - 1)]
        {
            all.push((
                name,
                Box::new(move || {
                    O::call(bound, self.vectors::<O>(0, 0), self.k, &mut vec![0.0; length]);
                }),
            ));
        }
        for j in 0..O::INPUTS - usize::from(O::IN_PLACE) {
            all.push((
                "a shorter input",
                Box::new(move || {
                    let mut x = self.vectors::<O>(0, 0);
                    x[j] = &x[j][1..];
                    O::call(bound, x, self.k, &mut vec![0.0; self.dim]);
                }),
            ));
        }
        all
    }
}

/// Rows with a weight each.
#[derive(Debug)]
pub struct CombineOperands {
    rows: Vectors,
    weights: Placed<f32>,
    per: usize,
    windows: usize,
}

impl CombineOperands {
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, LayoutError> {
        let mut random = Random::new(recipe.seed);
        let query: Vec<f32> = cases::query(&mut random, recipe.family, recipe.dim);
        let rows = Vectors::new(&mut random, recipe, recipe.rows_at, &query)?;
        let weights: Vec<f32> = cases::query(&mut random, recipe.family, recipe.rows);
        let weights = Placed::once(&weights, recipe.query_at)?;
        let (per, windows) = windows(recipe);
        Ok(Self { rows, weights, per, windows })
    }

    fn window(&self, window: usize) -> (&[f32], RowsRef<'_, f32>) {
        let from = window % self.windows * self.per;
        let to = from + self.per;
        (&self.weights.get()[from..to], self.rows.rows().slice(from, to))
    }
}

impl<O: Op<Shape = Combine>> Operands<O> for CombineOperands {
    type Out = Outputs;

    fn windows(&self) -> usize {
        self.windows
    }

    fn values(&self) -> usize {
        self.per
    }

    fn bytes_per_value(&self) -> f64 {
        (self.rows.dim * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, _reads: Reads) -> Vec<&[u8]> {
        let (_, rows) = self.window(window);
        (0..rows.len()).map(|i| f32::bytes(rows.row(i))).collect()
    }

    fn blank(&self) -> Outputs {
        Outputs::new(1, self.rows.dim)
    }

    fn run(&self, bound: &Bound<Combine>, window: usize, values: usize, out: &mut Outputs) {
        let (weights, rows) = self.window(window);
        let count = rows.len().min(values);
        bound.call(&weights[..count], rows.slice(0, count), out.get(0));
    }

    fn judge(&self, window: usize, out: &Outputs) -> Result<Report, Failure> {
        let (weights, rows) = self.window(window);
        let mut report = Report::default();
        let fail = |output, found: f32, expected| Failure {
            op: format!("{}/{}/combine", O::ENCODING, O::METRIC),
            dim: rows.dim(),
            output,
            found: f64::from(found),
            expected,
        };
        if let Some(at) = out.written_beside(1) {
            return Err(fail(at, out.memory[at], "nothing written beside the output".to_owned()));
        }
        for (j, &found) in out.memory[out.start..][..rows.dim()].iter().enumerate() {
            let term = |(i, &w): (usize, &f32)| f64::from(w) * f64::from(rows.row(i)[j]);
            let value = weights.iter().enumerate().map(term).sum();
            let scale = weights.iter().enumerate().map(term).map(f64::abs).sum();
            let truth = sum_of(weights.len() + 1, value, scale);
            judge_value(found, &truth, scale, &mut report)
                .map_err(|expected| fail(j, found, expected))?;
        }
        report.values += usize::from(rows.dim() == 0);
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<Combine>) -> Vec<Misfit<'a>> {
        let (weights, rows) = self.window(0);
        let dim = rows.dim();
        let run = move |weights: &'a [f32], rows: RowsRef<'a, f32>, length: usize| {
            Box::new(move || bound.call(weights, rows, &mut vec![0.0; length]))
        };
        let narrow = RowsRef::new(self.rows.memory.get(), dim - 1, self.rows.stride);
        let mut all: Vec<Misfit<'a>> = vec![
            ("a weight too few", run(&weights[1..], rows, dim)),
            ("a longer output", run(weights, rows, dim + 1)),
            ("a shorter output", run(weights, rows, dim - 1)),
        ];
        if let Ok(narrow) = narrow {
            all.push(("shorter rows", run(weights, narrow, dim)));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::f32::map::{Axpy, Sub, WeightedSum};

    /// Outputs that a right kernel would leave, then one fault.
    fn judged<O: MapSubject>(fault: impl FnOnce(&mut Outputs)) -> bool {
        let operands = MapOperands::new::<O>(&Recipe::plain(19, 3, 1)).unwrap();
        let mut out = Operands::<O>::blank(&operands);
        for i in 0..3 {
            let x = operands.vectors::<O>(0, i);
            for (j, o) in out.get(i).iter_mut().enumerate() {
                let at = |v: &[f32]| v.get(j).copied().unwrap_or(0.0);
                *o = match O::truth([at(x[0]), at(x[1]), at(x[2])], operands.k).0 {
                    Expected::Exactly(value) => value,
                    Expected::Within { value, .. } => value as f32,
                    other => panic!("{other:?}"),
                };
            }
        }
        fault(&mut out);
        Operands::<O>::judge(&operands, 0, &out).is_ok()
    }

    #[test]
    fn planted_faults_are_caught() {
        assert!(judged::<Sub>(|_| ()), "the right outputs must pass");
        assert!(judged::<Axpy>(|_| ()), "the right outputs must pass");
        assert!(!judged::<Sub>(|out| out.get(2)[18] = f32::SPOILT), "an element never written");
        assert!(!judged::<Sub>(|out| out.get(1)[0] = out.get(1)[0].next_up()), "one unit off");
        assert!(!judged::<Axpy>(|out| out.get(0)[17] *= 1.0 + 1e-6), "beyond the bound");
        let behind = |out: &mut Outputs| out.memory[out.start + 19] = 0.0;
        assert!(!judged::<Sub>(behind), "an element written beside the output");
    }

    #[test]
    fn a_wrong_weighted_sum_is_caught() {
        let operands = CombineOperands::new(&Recipe::plain(5, 4, 1)).unwrap();
        let blank = Operands::<WeightedSum>::blank(&operands);
        assert!(Operands::<WeightedSum>::judge(&operands, 0, &blank).is_err());
    }
}
