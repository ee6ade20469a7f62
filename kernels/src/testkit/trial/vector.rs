//! Operands of the shapes that take a query and rows.

use core::marker::PhantomData;

use super::memory::Placed;
use super::{Misfit, Operands, Reads, Subject, Work};
use crate::kernel::{Bound, Op};
use crate::layout::{LayoutError, RowsRef};
use crate::shape::{Batch, Shape, VectorShape};
use crate::testkit::bounds::Expected;
use crate::testkit::cases::{Batches, Element, Family, Place, Random, Recipe, Stride};
use crate::testkit::verify::{Failure, Report, Value, judge_value};

/// Elements that are drawn; a larger set repeats them. Enough that no cache holds a row twice by
/// accident.
const DRAWN: usize = 1 << 20;

/// What the truth is for one query and one row.
#[derive(Clone, Copy, Debug)]
pub struct Truth {
    pub(crate) expected: Expected,
    /// What an error is measured against: the sum of the absolute terms.
    pub(crate) scale: f64,
}

/// An operation on a query and rows: how its operands are made and what they come to.
pub(crate) trait VectorSubject:
    Op<Shape: VectorShape<Query: Element, Code: Element, Value: Value>>
{
    /// A query of `dim` values.
    fn query(random: &mut Random, family: Family, dim: usize) -> Vec<QueryOf<Self>> {
        crate::testkit::cases::query(random, family, Self::query_len(dim))
    }
    /// A row of `dim` values beside a query.
    fn row(
        random: &mut Random,
        family: Family,
        dim: usize,
        query: &[QueryOf<Self>],
    ) -> Vec<CodeOf<Self>>;
    /// What the `_norms` shapes want cached of a query.
    fn query_norm(query: &[QueryOf<Self>]) -> NormOf<Self>;
    /// What the `_norms` shapes want cached of a row.
    fn row_norm(row: &[CodeOf<Self>]) -> NormOf<Self>;
    /// The truth.
    fn truth(dim: usize, query: &[QueryOf<Self>], row: &[CodeOf<Self>]) -> Truth;
    /// The truth with a wider bound, for a foreign library that rounds more coarsely.
    fn foreign_truth(dim: usize, query: &[QueryOf<Self>], row: &[CodeOf<Self>]) -> Truth {
        Self::truth(dim, query, row)
    }
}

type QueryOf<O> = <<O as Op>::Shape as VectorShape>::Query;
type CodeOf<O> = <<O as Op>::Shape as VectorShape>::Code;
type ValueOf<O> = <<O as Op>::Shape as VectorShape>::Value;
type NormOf<O> = <<O as Op>::Shape as VectorShape>::Norm;

impl<O: VectorSubject> Subject for O {
    const FAMILIES: &'static [Family] = <CodeOf<O> as Element>::FAMILIES;
    type Operands = OperandsOf<O>;

    fn operands(recipe: &Recipe) -> Result<OperandsOf<O>, LayoutError> {
        new::<O>(recipe)
    }

    fn row_bytes(dim: usize) -> usize {
        let size = size_of::<CodeOf<O>>();
        Stride::Lines.of(O::row_len(dim), size) * size
    }
}

/// Which part of the operands one batch takes.
#[derive(Clone, Copy, Debug)]
struct Window {
    rows: (usize, usize),
    ids: (usize, usize),
}

/// What the truth is, for a query and a row of so many values.
type TruthOf<Q, C> = fn(usize, &[Q], &[C]) -> Truth;

/// A query, rows, norms and ids.
pub struct VectorOperands<Q: Element, C: Element, V, N> {
    path: String,
    truth: TruthOf<Q, C>,
    foreign_truth: TruthOf<Q, C>,
    all_rows: bool,
    reads_query: bool,
    dim: usize,
    query: Placed<Q>,
    query_norm: N,
    rows: Placed<C>,
    row_len: usize,
    stride: usize,
    norms: Vec<N>,
    ids: Vec<u32>,
    windows: Vec<Window>,
    values: usize,
    value: PhantomData<V>,
}

/// The operands of an operation.
type OperandsOf<O> = VectorOperands<QueryOf<O>, CodeOf<O>, ValueOf<O>, NormOf<O>>;

fn new<O: VectorSubject>(recipe: &Recipe) -> Result<OperandsOf<O>, LayoutError> {
    let mut random = Random::new(recipe.seed);
    let (dim, rows) = (recipe.dim, recipe.rows);
    let query = O::query(&mut random, recipe.family, dim);
    let row_len = O::row_len(dim);
    let stride = recipe.stride.of(row_len, size_of::<CodeOf<O>>());
    rows.checked_mul(stride).ok_or(LayoutError::TooLarge { rows, dim })?;
    let drawn = rows.min((DRAWN / stride).max(64));
    let mut elements: Vec<CodeOf<O>> = Vec::with_capacity(drawn * stride);
    for i in 0..drawn {
        elements.extend(O::row(&mut random, recipe.family, dim, &query));
        elements.resize((i + 1) * stride, CodeOf::<O>::default());
    }
    // Against a page, the last row has no pad behind it; without elements it is nothing but its pad.
    let guarded = matches!(recipe.rows_at, Place::Edge(_)) && row_len > 0;
    let total = if guarded && rows > 0 { (rows - 1) * stride + row_len } else { rows * stride };
    let placed = Placed::repeated(&elements, total, recipe.rows_at)?;
    let norm = |i: usize| O::row_norm(&elements[(i % drawn) * stride..][..row_len]);
    let needs_norms = <O::Shape as VectorShape>::NORMS;
    let norms = if needs_norms { (0..rows).map(norm).collect() } else { Vec::new() };
    let all_rows = <O::Shape as VectorShape>::ALL_ROWS;
    let (ids, windows, values) = windows(recipe, all_rows, &mut random);
    let shape = <O::Shape as Shape>::NAME;
    Ok(VectorOperands {
        path: format!("{}/{}/{shape}", O::ENCODING, O::METRIC),
        truth: O::truth,
        foreign_truth: O::foreign_truth,
        all_rows,
        reads_query: shape.starts_with("pair"),
        dim,
        query_norm: O::query_norm(&query),
        query: Placed::once(&query, recipe.query_at)?,
        rows: placed,
        row_len,
        stride,
        norms,
        ids,
        windows,
        values,
        value: PhantomData,
    })
}

impl<Q: Element, C: Element, V: Value, N: Copy + 'static> VectorOperands<Q, C, V, N> {
    /// The dimension.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Whether both query and rows lie against pages that fault, where the recipe says so.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.query.is_guarded() && self.rows.is_guarded()
    }

    fn all(&self) -> RowsRef<'_, C> {
        RowsRef::new(self.rows.get(), self.row_len, self.stride).expect("laid out by `new`")
    }

    fn window(&self, window: usize) -> Window {
        self.windows[window % self.windows.len()]
    }

    /// The batch of a window.
    ///
    /// # Panics
    /// Never: the memory was laid out for it.
    #[must_use]
    pub fn batch(&self, window: usize) -> Batch<'_, Q, C, N> {
        let w = self.window(window);
        let rows = self.all().slice(w.rows.0, w.rows.1);
        let norms = if self.norms.is_empty() { &[] } else { &self.norms[w.rows.0..w.rows.1] };
        let ids = &self.ids[w.ids.0..w.ids.1];
        Batch { query: self.query.get(), query_norm: self.query_norm, rows, norms, ids }
    }

    fn row_of(&self, batch: &Batch<'_, Q, C, N>, output: usize) -> usize {
        if self.all_rows { output } else { batch.ids[output] as usize }
    }

    /// Judges the outputs of a whole window.
    ///
    /// # Errors
    /// The first value out of its bound.
    pub fn judge(&self, window: usize, out: &[V]) -> Result<Report, Failure> {
        self.judge_by(self.truth, window, out)
    }

    fn judge_by(&self, truth: TruthOf<Q, C>, window: usize, out: &[V]) -> Result<Report, Failure> {
        let batch = self.batch(window);
        let mut report = Report::default();
        for (output, &found) in out.iter().enumerate() {
            let row = batch.rows.row(self.row_of(&batch, output));
            let truth = truth(self.dim, batch.query, row);
            judge_value(found, &truth.expected, truth.scale, &mut report).map_err(|expected| {
                let (op, dim) = (self.path.clone(), self.dim);
                Failure { op, dim, output, found: found.to_f64(), expected }
            })?;
        }
        Ok(report)
    }

    /// A contestant from outside the registry: a function of a query and a row, called once a
    /// value, judged as the registry's own, by the bound for foreign libraries where an encoding has one.
    pub fn pairwise<'t>(&'t self, pair: impl FnMut(&[Q], &[C]) -> V + 't) -> Box<dyn Work + 't> {
        Box::new(Pairwise { operands: self, pair, out: vec![V::SPOILT; self.values] })
    }
}

/// The part of a batch that asks for its first `values` values.
fn first<'a, S: VectorShape>(
    batch: Batch<'a, S::Query, S::Code, S::Norm>,
    values: usize,
) -> Batch<'a, S::Query, S::Code, S::Norm> {
    let Batch { query, query_norm, rows, norms, ids } = batch;
    if S::ALL_ROWS {
        let rows = rows.slice(0, values.min(rows.len()));
        return Batch { query, query_norm, rows, norms: &norms[..norms.len().min(values)], ids };
    }
    Batch { query, query_norm, rows, norms, ids: &ids[..ids.len().min(values)] }
}

impl<O: VectorSubject> Operands<O> for OperandsOf<O> {
    type Out = Vec<ValueOf<O>>;

    fn windows(&self) -> usize {
        self.windows.len()
    }

    fn values(&self) -> usize {
        self.values
    }

    fn bytes_per_value(&self) -> f64 {
        let row = self.row_len * size_of::<CodeOf<O>>();
        let query = if self.reads_query { size_of_val(self.query.get()) } else { 0 };
        (row + query) as f64
    }

    fn reads(&self, window: usize, reads: Reads) -> Vec<&[u8]> {
        let batch = self.batch(window);
        if self.all_rows && self.stride == self.row_len {
            // One stretch of memory.
            let w = self.window(window);
            let all = &self.rows.get()[w.rows.0 * self.stride..w.rows.1 * self.stride];
            return vec![Element::bytes(all)];
        }
        let listed: Vec<usize> = match reads {
            _ if self.all_rows => (0..batch.rows.len()).collect(),
            Reads::Window => batch.ids.iter().map(|&id| id as usize).collect(),
            Reads::InSequence => {
                let count = batch.ids.len().min(batch.rows.len());
                let from = batch.ids.first().map_or(0, |&id| id as usize);
                let from = from.min(batch.rows.len() - count);
                (from..from + count).collect()
            }
        };
        let mut slices: Vec<&[u8]> = Vec::new();
        for i in listed {
            if self.reads_query {
                slices.push(Element::bytes(batch.query));
            }
            slices.push(Element::bytes(batch.rows.row(i)));
        }
        slices
    }

    fn blank(&self) -> Vec<ValueOf<O>> {
        vec![<ValueOf<O> as Value>::SPOILT; self.values]
    }

    fn run(
        &self,
        bound: &Bound<O::Shape>,
        window: usize,
        values: usize,
        out: &mut Vec<ValueOf<O>>,
    ) {
        let batch = self.batch(window);
        if values >= self.values {
            return bound.run(&batch, out);
        }
        let batch = first::<O::Shape>(batch, values);
        bound.run(&batch, &mut out[..values]);
    }

    fn judge(&self, window: usize, out: &Vec<ValueOf<O>>) -> Result<Report, Failure> {
        VectorOperands::judge(self, window, out)
    }

    fn judge_foreign(&self, window: usize, out: &Vec<ValueOf<O>>) -> Result<Report, Failure> {
        self.judge_by(self.foreign_truth, window, out)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<O::Shape>) -> Vec<Misfit<'a>> {
        let good = self.batch(0);
        let run = move |batch: Batch<'a, QueryOf<O>, CodeOf<O>, NormOf<O>>, values: usize| {
            move || {
                let mut out = vec![<ValueOf<O> as Value>::SPOILT; values];
                bound.run(&batch, &mut out);
            }
        };
        let mut all: Vec<Misfit<'a>> = Vec::new();
        let values = self.values;
        let (query, ids) = (good.query, good.ids);
        let narrow = |rows: RowsRef<'a, CodeOf<O>>| {
            RowsRef::new(self.rows.get(), rows.dim() - 1, rows.stride()).ok()
        };
        if !query.is_empty() {
            let query = &query[1..];
            all.push(("a shorter query", Box::new(run(Batch { query, ..good }, values))));
        }
        if self.row_len > 0
            && let Some(rows) = narrow(good.rows)
        {
            all.push(("shorter rows", Box::new(run(Batch { rows, ..good }, values))));
        }
        all.push(("an output too many", Box::new(run(good, values + 1))));
        // Of no rows, nothing can be taken away.
        if values == 0 {
            return all;
        }
        all.push(("an output too few", Box::new(run(good, values - 1))));
        if !<O::Shape as VectorShape>::ALL_ROWS {
            // A window need not ask for the last row: the last that it asks for is taken away.
            let last = ids.iter().fold(0, |last, &id| last.max(id as usize));
            let few = good.rows.slice(0, last);
            let norms = &good.norms[..last.min(good.norms.len())];
            let batch = Batch { rows: few, norms, ids, ..good };
            all.push(("an id out of range", Box::new(run(batch, values))));
        }
        if <O::Shape as VectorShape>::NORMS {
            let norms = &good.norms[1..];
            all.push(("a norm too few", Box::new(run(Batch { norms, ..good }, values))));
        }
        all
    }
}

struct Pairwise<'t, Q: Element, C: Element, V, N, F> {
    operands: &'t VectorOperands<Q, C, V, N>,
    pair: F,
    out: Vec<V>,
}

impl<Q, C, V, N, F> Work for Pairwise<'_, Q, C, V, N, F>
where
    Q: Element,
    C: Element,
    V: Value,
    N: Copy + 'static,
    F: FnMut(&[Q], &[C]) -> V,
{
    fn run(&mut self, window: usize) {
        self.run_first(window, usize::MAX);
    }

    fn run_first(&mut self, window: usize, values: usize) {
        let batch = self.operands.batch(window);
        for (i, o) in self.out.iter_mut().enumerate().take(values) {
            let row = if self.operands.all_rows { i } else { batch.ids[i] as usize };
            *o = (self.pair)(batch.query, batch.rows.row(row));
        }
        core::hint::black_box(self.out.as_mut_slice());
    }

    fn verify(&mut self, window: usize) -> Result<Report, Failure> {
        self.out.fill(V::SPOILT);
        self.run(window);
        self.operands.judge_by(self.operands.foreign_truth, window, &self.out)
    }
}

/// Ids, windows over them or over the rows, and the values per window (the same in each).
fn windows(recipe: &Recipe, all_rows: bool, random: &mut Random) -> (Vec<u32>, Vec<Window>, usize) {
    let rows = recipe.rows;
    let per = match recipe.batches {
        Batches::Whole if all_rows => {
            return (Vec::new(), vec![Window { rows: (0, rows), ids: (0, 0) }], rows);
        }
        Batches::Whole => {
            // Every row twice and out of order: ids repeat in real use.
            let ids: Vec<u32> = (0..2 * rows).rev().map(|i| (i % rows.max(1)) as u32).collect();
            let window = Window { rows: (0, rows), ids: (0, ids.len()) };
            return (ids, vec![window], 2 * rows);
        }
        // No rows fill no window: the one window there is, is empty.
        Batches::Windows { .. } if rows == 0 => {
            return (Vec::new(), vec![Window { rows: (0, 0), ids: (0, 0) }], 0);
        }
        Batches::Windows { per } => per.max(1),
    };
    if all_rows {
        let per = per.clamp(1, rows.max(1));
        let window = |w| Window { rows: (w * per, (w + 1) * per), ids: (0, 0) };
        return (Vec::new(), (0..rows / per).map(window).collect(), per);
    }
    // Whole permutations of the rows, as many as fill a window.
    let mut ids: Vec<u32> = Vec::new();
    let mut order: Vec<u32> = (0..u32::try_from(rows).unwrap_or(u32::MAX)).collect();
    while ids.len() < per {
        random.shuffle(&mut order);
        ids.extend_from_slice(&order);
    }
    let window = |w| Window { rows: (0, rows), ids: (w * per, (w + 1) * per) };
    let windows = (0..ids.len() / per).map(window).collect();
    (ids, windows, per)
}

impl<Q: Element, C: Element, V, N> core::fmt::Debug for VectorOperands<Q, C, V, N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VectorOperands").field("dim", &self.dim).finish_non_exhaustive()
    }
}
