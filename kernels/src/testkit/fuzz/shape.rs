//! Any operation of a shape, on operands of any recipe: every variant against the oracle.

use core::fmt;

use super::bytes::Choices;
use super::{CAUGHT, refuses};
use crate::kernel::{AnyOp, BindError};
use crate::layout::LayoutError;
use crate::testkit::cases::{Batches, Place, Recipe, Stride};
use crate::testkit::claims::held;
use crate::testkit::guard::Edge;

/// What [`Case::read`] reads at most.
pub(super) const BYTES: usize = 40;

/// Dimensions beyond the usual: few of them, because they take long.
const LONG: [usize; 6] = [768, 1023, 1536, 2049, 4096, 4999];

/// An operation and its operands.
pub(super) struct Case {
    op: &'static dyn AnyOp,
    recipe: Recipe,
    window: usize,
    first: usize,
    misfits_of: usize,
}

impl Case {
    /// `None` if the registry has no such shape.
    pub(super) fn read(shape: &str, choices: &mut Choices<'_>) -> Option<Self> {
        let ops: Vec<_> = crate::ops().iter().filter(|op| op.shape() == shape).collect();
        let op = **ops.get(choices.below(ops.len()))?;
        let family = choices.of(op.families());
        let dim = match choices.byte() {
            0..=199 => choices.below(601),
            200..=247 => (choices.below(10) * 64 + choices.below(5)).saturating_sub(2),
            _ => choices.of(&LONG) + choices.below(2),
        };
        let rows = choices.below(if dim > 601 { 4 } else { 13 });
        let stride = match choices.byte() {
            0..=199 => Stride::Pad(choices.below(35)),
            _ => Stride::Lines,
        };
        let places = [place(choices), place(choices)];
        // Vectors of no elements are counted by their pads, and a page has none before it.
        let [query_at, rows_at] = if dim == 0 { [Place::Offset(0); 2] } else { places };
        let batches = match choices.byte() {
            // Nothing has one window, and that is all of it.
            200.. if rows > 0 => Batches::Windows { per: choices.below(16) },
            _ => Batches::Whole,
        };
        let (window, first) = (choices.below(4), choices.below(64));
        let misfits_of = choices.below(256);
        let seed = choices.long();
        let recipe = Recipe { family, dim, rows, stride, query_at, rows_at, batches, seed };
        Some(Self { op, recipe, window, first, misfits_of })
    }
}

fn place(choices: &mut Choices<'_>) -> Place {
    match choices.byte() {
        0..=127 => Place::Offset(choices.below(64)),
        128..=159 => Place::Lines { lines: choices.below(5), elements: choices.below(20) },
        160..=207 => Place::Edge(Edge::Front),
        _ => Place::Edge(Edge::Back),
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { op, recipe, window, first, misfits_of } = self;
        write!(f, "{} {recipe:?}, window {window}, first {first}, ", op.path())?;
        write!(f, "misfits of variant {misfits_of}")
    }
}

/// Every variant that can run here: whole windows are judged where the variant is held to them,
/// parts of windows read nothing else, and one variant refuses what does not fit.
pub(super) fn check(case: &Case) -> Result<u64, String> {
    let (op, recipe) = (case.op, &case.recipe);
    let trial = match op.trial(recipe) {
        Ok(trial) => trial,
        Err(why @ LayoutError::TooLarge { .. }) => return Err(why.to_string()),
        // A shape may have no operands of such a recipe, and says so.
        Err(_) => return Ok(0),
    };
    let window = case.window % trial.windows().max(1);
    let first = 1 + case.first % trial.values().max(1);
    let mut judged = 0;
    let mut variants = op.variants();
    variants.retain(|variant| variant.not_run.is_none());
    for variant in &variants {
        let name = variant.name;
        let failed = |why: &dyn fmt::Display| format!("{}#{name}: {why}", op.path());
        let mut work = match trial.bind(name) {
            Ok(work) => work,
            Err(BindError::NoForm { .. }) => continue,
            Err(why) => return Err(failed(&why)),
        };
        if held(variant.technique, recipe.family, recipe.dim) {
            let report = work.verify(window).map_err(|failure| failed(&failure))?;
            judged += report.values as u64;
        } else {
            work.run(window);
        }
        if trial.values() > 0 {
            work.run_first(window, first);
        }
    }
    // Of nothing, nothing can be taken away to make a misfit.
    let something = recipe.rows > 0 && recipe.dim > 0;
    if CAUGHT && something && !variants.is_empty() {
        let name = variants[case.misfits_of % variants.len()].name;
        let mut end = Ok(());
        let bound = trial.misfits(name, &mut |(what, call)| {
            let one = refuses(&format!("{}#{name}: {what}", op.path()), true, call);
            if end.is_ok() {
                end = one;
            }
        });
        match bound {
            Ok(()) | Err(BindError::NoForm { .. }) => end?,
            Err(why) => return Err(why.to_string()),
        }
    }
    Ok(judged)
}
