//! Operands of the shapes that take a query and blocks of rows. A value is one row; windows are
//! whole blocks.

use core::marker::PhantomData;

use super::memory::Placed;
use super::vector::Truth;
use super::{Misfit, Operands, Reads};
use crate::kernel::{Bound, Op};
use crate::layout::LayoutError;
use crate::layout_block::{BLOCK, BlocksRef};
use crate::shape::{Block, BlockPrune, Shape};
use crate::testkit::bounds::{Expected, expected};
use crate::testkit::cases::{Batches, Element, Random, Recipe, query, row};
use crate::testkit::oracle::exact;
use crate::testkit::verify::{Failure, Report, Value, judge_value};

/// Elements that are drawn; a larger set repeats their blocks.
const DRAWN: usize = 1 << 20;

/// What a block's shape does with operands.
pub(crate) trait BlockShape: Shape {
    /// Whether rows beyond the threshold may be infinity.
    const PRUNES: bool;
    /// The safe call.
    fn drive(b: &Bound<Self>, query: &[f32], limit: f32, blocks: BlocksRef<'_>, out: &mut [f32]);
}

impl BlockShape for Block {
    const PRUNES: bool = false;
    fn drive(b: &Bound<Self>, query: &[f32], _: f32, blocks: BlocksRef<'_>, out: &mut [f32]) {
        b.call(query, blocks, out);
    }
}

impl BlockShape for BlockPrune {
    const PRUNES: bool = true;
    fn drive(b: &Bound<Self>, query: &[f32], limit: f32, blocks: BlocksRef<'_>, out: &mut [f32]) {
        b.call(query, limit, blocks, out);
    }
}

/// A query, a threshold, and rows in blocks.
#[derive(Debug)]
pub(crate) struct BlockOperands<S> {
    metric: &'static str,
    dim: usize,
    query: Placed<f32>,
    /// A quarter, half, one or two times the median of the first rows' values, by the seed.
    threshold: f32,
    columns: Placed<f32>,
    rows: usize,
    /// Blocks of a window, and windows.
    window: (usize, usize),
    shape: PhantomData<fn() -> S>,
}

impl<S: BlockShape> BlockOperands<S> {
    pub(crate) fn new(metric: &'static str, recipe: &Recipe) -> Result<Self, LayoutError> {
        let mut random = Random::new(recipe.seed);
        let dim = recipe.dim;
        let x: Vec<f32> = query(&mut random, recipe.family, dim);
        let rows = match recipe.batches {
            Batches::Windows { .. } if recipe.rows > BLOCK => recipe.rows / BLOCK * BLOCK,
            _ => recipe.rows,
        };
        let blocks = rows.div_ceil(BLOCK);
        let total = blocks.checked_mul(dim * BLOCK).ok_or(LayoutError::TooLarge { rows, dim })?;
        let drawn = blocks.min((DRAWN / (dim.max(1) * BLOCK)).max(4));
        let mut columns = vec![0.0f32; drawn * dim * BLOCK];
        let mut values = Vec::new();
        for i in 0..rows.min(drawn * BLOCK) {
            let y = row(&mut random, recipe.family, dim, |random, d| {
                x[d] * (1.0 + 3e-7 * random.below(9) as f32)
            });
            for (d, &v) in y.iter().enumerate() {
                columns[(i / BLOCK * dim + d) * BLOCK + i % BLOCK] = v;
            }
            if S::PRUNES && i < 4 * BLOCK {
                values.push(exact(metric, &x, &y).value);
            }
        }
        values.sort_by(f64::total_cmp);
        let median = values.get(values.len() / 2).copied().unwrap_or(0.0);
        let factor = [0.25, 0.5, 1.0, 2.0][(recipe.seed % 4) as usize];
        let window = match recipe.batches {
            Batches::Whole => (blocks, 1),
            Batches::Windows { per } => {
                let per = (per / BLOCK).clamp(1, blocks.max(1));
                (per, (blocks / per).max(1))
            }
        };
        Ok(Self {
            metric,
            dim,
            query: Placed::once(&x, recipe.query_at)?,
            threshold: (median * factor) as f32,
            columns: Placed::repeated(&columns, total, recipe.rows_at)?,
            rows,
            window,
            shape: PhantomData,
        })
    }

    fn all(&self) -> BlocksRef<'_> {
        BlocksRef::new(self.columns.get(), self.rows, self.dim).expect("laid out by `new`")
    }

    fn blocks(&self, window: usize) -> BlocksRef<'_> {
        let (per, windows) = self.window;
        let from = window % windows * per;
        self.all().slice(from, from + per)
    }

    /// What a row must come to, in words where it does not.
    fn judge_row(
        &self,
        row: impl Iterator<Item = f32>,
        found: f32,
        report: &mut Report,
    ) -> Result<(), String> {
        let row: Vec<f32> = row.collect();
        let exact = exact(self.metric, self.query.get(), &row);
        let truth =
            Truth { expected: expected(self.metric, self.dim, &exact, false), scale: exact.scale };
        if S::PRUNES && found == f32::INFINITY {
            let limit = f64::from(self.threshold);
            if let Expected::Within { value, error } = truth.expected
                && value + error <= limit
            {
                return Err(format!("{value:e}, which is below the threshold {limit:e}"));
            }
            report.values += 1;
            return Ok(());
        }
        judge_value(found, &truth.expected, truth.scale, report)
    }
}

impl<S: BlockShape, O: Op<Shape = S>> Operands<O> for BlockOperands<S> {
    type Out = Vec<f32>;

    fn windows(&self) -> usize {
        self.window.1
    }

    fn values(&self) -> usize {
        (self.window.0 * BLOCK).min(self.rows)
    }

    fn bytes_per_value(&self) -> f64 {
        (self.dim * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, _: Reads) -> Vec<&[u8]> {
        let (per, windows) = self.window;
        let block = self.dim * BLOCK;
        let from = window % windows * per * block;
        vec![f32::bytes(&self.columns.get()[from..from + per * block])]
    }

    fn blank(&self) -> Vec<f32> {
        vec![f32::SPOILT; <Self as Operands<O>>::values(self)]
    }

    fn run(&self, bound: &Bound<S>, window: usize, values: usize, out: &mut Vec<f32>) {
        let mut blocks = self.blocks(window);
        if values < out.len() {
            blocks = blocks.slice(0, values.div_ceil(BLOCK).clamp(1, blocks.blocks()));
        }
        let values = blocks.len();
        S::drive(bound, self.query.get(), self.threshold, blocks, &mut out[..values]);
    }

    fn judge(&self, window: usize, out: &Vec<f32>) -> Result<Report, Failure> {
        let blocks = self.blocks(window);
        let mut report = Report::default();
        for (output, &found) in out.iter().enumerate() {
            self.judge_row(blocks.row(output), found, &mut report).map_err(|expected| Failure {
                op: format!("{}/{}/{}", O::ENCODING, O::METRIC, S::NAME),
                dim: self.dim,
                output,
                found: found.to_f64(),
                expected,
            })?;
        }
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<S>) -> Vec<Misfit<'a>> {
        let run = move |query: &'a [f32], blocks: BlocksRef<'a>, values: usize| {
            move || {
                let mut out = vec![f32::SPOILT; values];
                S::drive(bound, query, self.threshold, blocks, &mut out);
            }
        };
        let (query, blocks) = (self.query.get(), self.blocks(0));
        let values = blocks.len();
        let mut all: Vec<Misfit<'a>> = vec![
            ("an output too many", Box::new(run(query, blocks, values + 1))),
            ("an output too few", Box::new(run(query, blocks, values - 1))),
        ];
        if !query.is_empty() {
            all.push(("a shorter query", Box::new(run(&query[1..], blocks, values))));
            let shorter = &self.columns.get()[..blocks.blocks() * (self.dim - 1) * BLOCK];
            if let Ok(shorter) = BlocksRef::new(shorter, values, self.dim - 1) {
                all.push(("shorter rows", Box::new(run(query, shorter, values))));
            }
        }
        all
    }
}
