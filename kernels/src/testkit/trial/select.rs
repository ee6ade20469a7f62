//! Operands of the shapes that choose among scores.
//!
//! For the k smallest, `dim` of a recipe is k, and `rows` are scores: a value is a score. For the
//! smallest, `dim` is the number of scores, and a row is as many: a value is a row.

use core::cmp::Ordering;

use super::memory::Placed;
use super::{Misfit, Operands, Reads};
use crate::kernel::{self, BindError, Bound, Op};
use crate::layout::LayoutError;
use crate::shape::{Argmin, Scored, Select, Shape, TopK};
use crate::testkit::cases::{self, Batches, Element, Random, Recipe};
use crate::testkit::verify::{Failure, Report, Value};

/// Scores that are drawn; more of them repeat these.
const DRAWN: usize = 1 << 22;

/// The id of the first score.
const FIRST: u32 = 7;

/// Scores in one of two kinds: all different, or so coarse that many are equal.
fn scores(recipe: &Recipe, count: usize) -> Result<Placed<f32>, LayoutError> {
    let mut random = Random::new(recipe.seed);
    let near = |random: &mut Random, _: usize| (random.below(5) as f32 - 2.0) * 0.5;
    let drawn: Vec<f32> = cases::row(&mut random, recipe.family, count.min(DRAWN), near);
    if drawn.is_empty() {
        return Placed::once(&drawn, recipe.rows_at);
    }
    Placed::repeated(&drawn, count, recipe.rows_at)
}

/// Sorting says what is right: by score, zeros alike, then by id; NaN is left out.
fn order(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    a.1.partial_cmp(&b.1).expect("no NaN").then(a.0.cmp(&b.0))
}

fn describe(found: Option<&Scored>, truth: Option<&(u32, f32)>) -> Result<(), (f64, String)> {
    let same = match (found, truth) {
        (Some(found), Some(truth)) => found.id == truth.0 && found.score == truth.1,
        (found, truth) => found.is_none() && truth.is_none(),
    };
    if same {
        return Ok(());
    }
    Err((found.map_or(f64::NAN, |f| f64::from(f.score)), format!("{truth:?}, found {found:?}")))
}

/// A variant of an operation on so many.
type Binder = fn(&str, usize) -> Result<Bound<Select>, BindError>;

/// Scores of which the k smallest are looked for.
#[derive(Debug)]
pub struct SelectOperands {
    binder: Binder,
    scores: Placed<f32>,
    k: usize,
    per: usize,
    windows: usize,
}

impl SelectOperands {
    pub(crate) fn new<O: Op<Shape = Select>>(recipe: &Recipe) -> Result<Self, LayoutError> {
        let rows = recipe.rows;
        let (per, windows) = match recipe.batches {
            Batches::Whole => (rows, 1),
            Batches::Windows { per } => {
                let per = per.clamp(1, rows.max(1));
                (per, rows / per)
            }
        };
        let scores = scores(recipe, rows)?;
        Ok(Self { binder: kernel::bind::<O>, scores, k: recipe.dim, per, windows })
    }

    /// A variant for these operands' k, to be called with other scores.
    ///
    /// # Errors
    /// An unknown variant, or one that cannot run here.
    pub fn bind(&self, variant: &str) -> Result<Bound<Select>, BindError> {
        (self.binder)(variant, self.k)
    }

    fn window(&self, window: usize) -> &[f32] {
        &self.scores.get()[window % self.windows * self.per..][..self.per]
    }
}

/// The scratch, and what came out.
#[derive(Debug)]
pub struct Found {
    top: TopK,
    list: Vec<Scored>,
    count: usize,
}

impl<O: Op<Shape = Select>> Operands<O> for SelectOperands {
    type Out = Found;

    fn windows(&self) -> usize {
        self.windows
    }

    fn values(&self) -> usize {
        self.per
    }

    fn bytes_per_value(&self) -> f64 {
        size_of::<f32>() as f64
    }

    fn reads(&self, window: usize, _reads: Reads) -> Vec<&[u8]> {
        vec![f32::bytes(self.window(window))]
    }

    fn blank(&self) -> Found {
        let top = TopK::new(self.k).expect("a small scratch");
        let spoilt = Scored { id: u32::SPOILT, score: f32::SPOILT };
        Found { top, list: vec![spoilt; self.k], count: usize::MAX }
    }

    fn run(&self, bound: &Bound<Select>, window: usize, values: usize, out: &mut Found) {
        let scores = self.window(window);
        out.top.clear();
        bound.call(&scores[..scores.len().min(values)], FIRST, &mut out.top);
        out.count = out.top.finish(&mut out.list);
    }

    fn judge(&self, window: usize, out: &Found) -> Result<Report, Failure> {
        let mut truth: Vec<(u32, f32)> =
            (FIRST..).zip(self.window(window).iter().copied()).collect();
        truth.retain(|(_, score)| !score.is_nan());
        truth.sort_by(order);
        truth.truncate(self.k);
        let fail = |output, (found, expected)| Failure {
            op: format!("{}/{}/{}", O::ENCODING, O::METRIC, Select::NAME),
            dim: self.k,
            output,
            found,
            expected,
        };
        if out.count != truth.len() {
            return Err(fail(0, (out.count as f64, format!("{} of them", truth.len()))));
        }
        for i in 0..truth.len() {
            describe(out.list.get(i), truth.get(i)).map_err(|what| fail(i, what))?;
        }
        Ok(Report { values: truth.len().max(1), ..Report::default() })
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<Select>) -> Vec<Misfit<'a>> {
        let scores = self.window(0);
        let run = move |k: usize, first: u32| {
            Box::new(move || {
                bound.call(scores, first, &mut TopK::new(k).expect("a small scratch"));
            })
        };
        let mut all: Vec<Misfit<'a>> = vec![("scratch for another k", run(self.k + 1, 0))];
        // The id of a single score fits whatever the first is.
        if let Some(more) = (scores.len() as u32).checked_sub(2) {
            all.push(("ids beyond u32", run(self.k, u32::MAX - more)));
        }
        all
    }
}

/// Rows of scores of which the smallest is looked for.
#[derive(Debug)]
pub struct ArgminOperands {
    scores: Placed<f32>,
    dim: usize,
    rows: usize,
}

impl ArgminOperands {
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, LayoutError> {
        let (dim, rows) = (recipe.dim, recipe.rows);
        let total = dim.checked_mul(rows).ok_or(LayoutError::TooLarge { rows, dim })?;
        Ok(Self { scores: scores(recipe, total)?, dim, rows })
    }

    fn row(&self, i: usize) -> &[f32] {
        &self.scores.get()[i * self.dim..][..self.dim]
    }
}

impl<O: Op<Shape = Argmin>> Operands<O> for ArgminOperands {
    type Out = Vec<Option<Scored>>;

    fn windows(&self) -> usize {
        1
    }

    fn values(&self) -> usize {
        self.rows
    }

    fn bytes_per_value(&self) -> f64 {
        (self.dim * size_of::<f32>()) as f64
    }

    fn reads(&self, _window: usize, _reads: Reads) -> Vec<&[u8]> {
        vec![f32::bytes(self.scores.get())]
    }

    fn blank(&self) -> Vec<Option<Scored>> {
        vec![Some(Scored { id: u32::SPOILT, score: f32::SPOILT }); self.rows]
    }

    fn run(&self, bound: &Bound<Argmin>, _: usize, values: usize, out: &mut Vec<Option<Scored>>) {
        for (i, o) in out.iter_mut().enumerate().take(values.max(1)) {
            *o = bound.call(self.row(i));
        }
    }

    fn judge(&self, _window: usize, out: &Vec<Option<Scored>>) -> Result<Report, Failure> {
        for (i, found) in out.iter().enumerate() {
            let all = (0..).zip(self.row(i).iter().copied()).filter(|(_, score)| !score.is_nan());
            let truth = all.min_by(order);
            describe(found.as_ref(), truth.as_ref()).map_err(|(found, expected)| Failure {
                op: format!("{}/{}/{}", O::ENCODING, O::METRIC, Argmin::NAME),
                dim: self.dim,
                output: i,
                found,
                expected,
            })?;
        }
        Ok(Report { values: out.len().max(1), ..Report::default() })
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<Argmin>) -> Vec<Misfit<'a>> {
        let run = move |scores: &'a [f32]| {
            Box::new(move || {
                let _: Option<Scored> = bound.call(scores);
            })
        };
        let all = self.scores.get();
        // A single row has no score behind it.
        let more = all.get(..self.dim + 1).map(|more| ("a score too many", run(more) as _));
        let few: Misfit<'a> = ("a score too few", run(&all[..self.dim - 1]));
        [few].into_iter().chain(more).collect()
    }
}
