//! Operands of the shapes that take many queries and many rows. A value is one pair of them.
//!
//! `rows` of a recipe are the rows of a tile, and the rows that `assign` assigns; the queries and
//! the centroids are few where rows are few, and 32 or 64 and 256 where there are hundreds. There
//! is one window.

use core::marker::PhantomData;
use std::cell::OnceCell;

use super::memory::Placed;
use super::vector::Truth;
use super::{Misfit, Operands, Reads};
use crate::kernel::{Bound, Op};
use crate::layout::{LayoutError, RowsRef};
use crate::shape::{Assign, Shape, Tile, TileNorms, norm_sq};
use crate::testkit::bounds::{Expected, expected, gamma};
use crate::testkit::cases::{Element, Place, Random, Recipe, query, row};
use crate::testkit::oracle::{Exact, exact};
use crate::testkit::verify::{Failure, Report, Value, judge_value};

/// The smallest positive `f32`.
const TINY: f64 = 1.401_298_464_324_817e-45;

/// Everything that a call reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TileBatch<'a> {
    queries: RowsRef<'a, f32>,
    query_norms: &'a [f32],
    rows: RowsRef<'a, f32>,
    norms: &'a [f32],
}

/// Everything that a call writes: `ids` where the shape has them.
#[derive(Debug)]
pub(crate) struct TileOut {
    values: Vec<f32>,
    ids: Vec<u32>,
}

/// What a tile's shape does with operands.
pub(crate) trait TileShape: Shape {
    /// Whether it writes one id and value per query, and not a value per pair.
    const NEAREST: bool;
    /// Whether it computes from norms.
    const NORMS: bool;
    /// The safe call.
    fn drive(bound: &Bound<Self>, batch: TileBatch<'_>, ids: &mut [u32], values: &mut [f32]);
}

impl TileShape for Tile {
    const NEAREST: bool = false;
    const NORMS: bool = false;
    fn drive(bound: &Bound<Self>, batch: TileBatch<'_>, _: &mut [u32], values: &mut [f32]) {
        bound.call(batch.queries, batch.rows, values);
    }
}

impl TileShape for TileNorms {
    const NEAREST: bool = false;
    const NORMS: bool = true;
    fn drive(bound: &Bound<Self>, batch: TileBatch<'_>, _: &mut [u32], values: &mut [f32]) {
        let TileBatch { queries, query_norms, rows, norms } = batch;
        bound.call(queries, query_norms, rows, norms, values);
    }
}

impl TileShape for Assign {
    const NEAREST: bool = true;
    const NORMS: bool = true;
    fn drive(bound: &Bound<Self>, batch: TileBatch<'_>, ids: &mut [u32], values: &mut [f32]) {
        bound.call(batch.queries, batch.rows, batch.norms, ids, values);
    }
}

/// Vectors in memory.
#[derive(Debug)]
struct Set {
    elements: Placed<f32>,
    norms: Vec<f32>,
    dim: usize,
    stride: usize,
}

impl Set {
    fn new(
        vectors: &[Vec<f32>],
        recipe: &Recipe,
        place: Place,
        norms: bool,
    ) -> Result<Self, LayoutError> {
        let (dim, stride) = (recipe.dim, recipe.stride.of(recipe.dim, size_of::<f32>()));
        let mut elements = vec![0.0f32; vectors.len() * stride];
        for (to, vector) in elements.chunks_exact_mut(stride).zip(vectors) {
            to[..dim].copy_from_slice(vector);
        }
        if matches!(place, Place::Edge(_)) && !vectors.is_empty() && dim > 0 {
            elements.truncate((vectors.len() - 1) * stride + dim);
        }
        let norms = if norms { vectors.iter().map(|v| norm_sq(v)).collect() } else { Vec::new() };
        Ok(Self { elements: Placed::once(&elements, place)?, norms, dim, stride })
    }

    fn view(&self) -> RowsRef<'_, f32> {
        RowsRef::new(self.elements.get(), self.dim, self.stride).expect("laid out by `new`")
    }
}

/// Queries and rows, with the squared norms of both.
#[derive(Debug)]
pub(crate) struct TileOperands<S> {
    metric: &'static str,
    dim: usize,
    queries: Set,
    rows: Set,
    /// The truth of every pair, once it is asked for.
    truth: OnceCell<Vec<Exact>>,
    shape: PhantomData<fn() -> S>,
}

impl<S: TileShape> TileOperands<S> {
    pub(crate) fn new(metric: &'static str, recipe: &Recipe) -> Result<Self, LayoutError> {
        let mut random = Random::new(recipe.seed);
        let (family, dim) = (recipe.family, recipe.dim);
        let few =
            1 + if recipe.seed.is_multiple_of(8) { recipe.seed / 8 % 70 } else { recipe.seed % 9 };
        let few = few as usize;
        let (queries, rows) = match recipe.rows {
            0 => (0, 1),
            n if S::NEAREST => (n, if n < 256 { few } else { 256 }),
            n if n < 256 => (few, n),
            n if n < 1024 => (32, n),
            n => (64, n),
        };
        rows.checked_mul(recipe.stride.of(dim, size_of::<f32>()))
            .ok_or(LayoutError::TooLarge { rows, dim })?;
        let queries: Vec<Vec<f32>> =
            (0..queries).map(|_| query(&mut random, family, dim)).collect();
        let rows: Vec<Vec<f32>> = (0..rows)
            .map(|i| {
                let near = queries.get(i % queries.len().max(1));
                row(&mut random, family, dim, |random, d| {
                    near.map_or(1.0, |x| x[d]) * (1.0 + 3e-7 * random.below(9) as f32)
                })
            })
            .collect();
        Ok(Self {
            metric,
            dim,
            queries: Set::new(&queries, recipe, recipe.query_at, S::NORMS)?,
            rows: Set::new(&rows, recipe, recipe.rows_at, S::NORMS)?,
            truth: OnceCell::new(),
            shape: PhantomData,
        })
    }

    fn batch(&self) -> TileBatch<'_> {
        let (queries, rows) = (self.queries.view(), self.rows.view());
        TileBatch { queries, query_norms: &self.queries.norms, rows, norms: &self.rows.norms }
    }

    fn truths(&self) -> &[Exact] {
        self.truth.get_or_init(|| {
            let TileBatch { queries, rows, .. } = self.batch();
            let pairs = (0..queries.len()).flat_map(|q| (0..rows.len()).map(move |r| (q, r)));
            pairs.map(|(q, r)| exact(self.metric, queries.row(q), rows.row(r))).collect()
        })
    }

    /// What a sum of squares from norms and a product may lose: relative to their sizes.
    fn loss(&self, q: usize, r: usize) -> f64 {
        let batch = self.batch();
        let (x, y) = (batch.queries.row(q), batch.rows.row(r));
        let scale = exact("norm_sq", &[], x).value
            + exact("norm_sq", &[], y).value
            + 2.0 * exact("dot", x, y).scale;
        if scale < f64::from(f32::MAX) / 4.0 {
            gamma(self.dim + 4) * scale + 4.0 * (self.dim + 1) as f64 * TINY
        } else if scale.is_nan() {
            f64::NAN
        } else {
            f64::INFINITY
        }
    }

    fn judge_pair(
        &self,
        q: usize,
        r: usize,
        found: f32,
        report: &mut Report,
    ) -> Result<(), String> {
        let exact = self.truths()[q * self.rows.view().len() + r];
        let expected = expected(self.metric, self.dim, &exact, false);
        let mut truth = Truth { expected, scale: exact.scale };
        if S::NORMS && !S::NEAREST {
            let loss = self.loss(q, r);
            truth.expected = if loss.is_nan() {
                Expected::Nan
            } else if loss.is_infinite() {
                Expected::Anything
            } else {
                Expected::Within { value: exact.value, error: loss }
            };
            truth.scale = loss / gamma(self.dim + 4);
        }
        judge_value(found, &truth.expected, truth.scale, report)
    }

    /// An id is that of a row, and no other row is nearer by more than the errors allow.
    fn judge_nearest(
        &self,
        q: usize,
        (id, value): (u32, f32),
        report: &mut Report,
    ) -> Result<(), String> {
        let rows = self.rows.view().len();
        if id as usize >= rows {
            return Err(format!("an id below {rows}, and not {id}"));
        }
        self.judge_pair(q, id as usize, value, report)?;
        let truths = &self.truths()[q * rows..(q + 1) * rows];
        let losses: Vec<f64> = (0..rows).map(|r| self.loss(q, r)).collect();
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Ok(());
        }
        let chosen = truths[id as usize].value - losses[id as usize];
        for (r, (truth, loss)) in truths.iter().zip(&losses).enumerate() {
            if truth.value + loss < chosen {
                return Err(format!("row {r}, at {:e}, and not {id}", truth.value));
            }
        }
        Ok(())
    }
}

impl<S: TileShape, O: Op<Shape = S>> Operands<O> for TileOperands<S> {
    type Out = TileOut;

    fn windows(&self) -> usize {
        1
    }

    fn values(&self) -> usize {
        self.queries.view().len() * self.rows.view().len()
    }

    fn bytes_per_value(&self) -> f64 {
        let (queries, rows) = (self.queries.view().len(), self.rows.view().len());
        let bytes = (queries + rows) * self.dim * size_of::<f32>();
        bytes as f64 / (queries * rows).max(1) as f64
    }

    fn reads(&self, _: usize, _: Reads) -> Vec<&[u8]> {
        vec![f32::bytes(self.queries.elements.get()), f32::bytes(self.rows.elements.get())]
    }

    fn blank(&self) -> TileOut {
        let queries = self.queries.view().len();
        let values = if S::NEAREST { queries } else { queries * self.rows.view().len() };
        let ids = if S::NEAREST { queries } else { 0 };
        TileOut { values: vec![f32::SPOILT; values], ids: vec![u32::SPOILT; ids] }
    }

    fn run(&self, bound: &Bound<S>, _: usize, values: usize, out: &mut TileOut) {
        let batch = self.batch();
        let (queries, rows) = (batch.queries.len(), batch.rows.len());
        let some = (values / rows.max(1)).clamp(1.min(queries), queries);
        let norms = batch.query_norms.len().min(some);
        let part = TileBatch {
            queries: batch.queries.slice(0, some),
            query_norms: &batch.query_norms[..norms],
            ..batch
        };
        let ids = if S::NEAREST { some } else { 0 };
        let values = if S::NEAREST { some } else { some * rows };
        S::drive(bound, part, &mut out.ids[..ids], &mut out.values[..values]);
    }

    fn judge(&self, _: usize, out: &TileOut) -> Result<Report, Failure> {
        let rows = self.rows.view().len();
        let mut report = Report::default();
        for (output, &found) in out.values.iter().enumerate() {
            let judged = if S::NEAREST {
                self.judge_nearest(output, (out.ids[output], found), &mut report)
            } else {
                self.judge_pair(output / rows, output % rows, found, &mut report)
            };
            judged.map_err(|expected| Failure {
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
        let run = move |batch: TileBatch<'a>, values: usize| {
            move || {
                let mut ids = vec![u32::SPOILT; if S::NEAREST { values } else { 0 }];
                let mut values = vec![f32::SPOILT; values];
                S::drive(bound, batch, &mut ids, &mut values);
            }
        };
        let good = self.batch();
        let values = <Self as Operands<O>>::blank(self).values.len();
        let mut all: Vec<Misfit<'a>> = vec![
            ("an output too many", Box::new(run(good, values + 1))),
            ("an output too few", Box::new(run(good, values - 1))),
        ];
        let narrow = |set: &'a Set| {
            let dim = set.dim.checked_sub(1)?;
            RowsRef::new(set.elements.get(), dim, set.stride).ok()
        };
        if let Some(queries) = narrow(&self.queries) {
            all.push(("shorter queries", Box::new(run(TileBatch { queries, ..good }, values))));
        }
        if let Some(rows) = narrow(&self.rows) {
            all.push(("shorter rows", Box::new(run(TileBatch { rows, ..good }, values))));
        }
        if S::NORMS {
            let norms = &good.norms[1..];
            all.push(("a norm too few", Box::new(run(TileBatch { norms, ..good }, values))));
        }
        if S::NEAREST {
            let batch = TileBatch { rows: good.rows.slice(0, 0), norms: &[], ..good };
            all.push(("no centroid", Box::new(run(batch, values))));
        }
        all
    }
}
