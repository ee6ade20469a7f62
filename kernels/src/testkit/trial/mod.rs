//! An operation's operands, with their types erased: what tests and the harness loop over.
//!
//! A [`Recipe`] says what numbers, how many and where in memory; the operation makes its own
//! operands from it ([`Subject`]), binds variants to them ([`Trial::bind`]), and judges what comes
//! out ([`Work::verify`]).

mod block;
mod edges;
mod encode;
mod encode_bits;
pub(crate) mod lut;
mod map;
mod memory;
mod select;
mod tile;
mod vector;

use std::any::Any;

pub(crate) use block::BlockOperands;
pub use edges::{EdgeOperands, Energies};
pub use encode::EncodeOperands;
pub use encode_bits::EncodeBitsOperands;
pub use map::{CombineOperands, MapOperands, Outputs};
pub(crate) use map::{MapSubject, sum_of};
pub use memory::{Placed, release};
pub use select::{ArgminOperands, Found, SelectOperands};
pub(crate) use tile::TileOperands;
pub(crate) use vector::VectorSubject;
pub use vector::{Truth, VectorOperands};

use super::cases::{Batches, Family, Recipe};
use super::verify::{Failure, Report};
use crate::kernel::{BindError, Bound, Op, Technique, bind};
use crate::layout::LayoutError;

/// What a plain read touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// What one window reads of rows (or of both vectors of each pair), in its own order.
    Window,
    /// As many rows as the window has, one after the other from its first: what memory gives at
    /// best to whoever need not jump.
    InSequence,
}

/// The operands of one operation.
pub(crate) trait Operands<O: Op>: Sized + 'static {
    /// The outputs of one window.
    type Out;
    /// How many windows there are: batches of the same size over different parts of the operands.
    fn windows(&self) -> usize;
    /// Values of one window.
    fn values(&self) -> usize;
    /// Bytes that one value reads.
    fn bytes_per_value(&self) -> f64;
    /// What a window reads, for a limit timed beside it; as few slices as describe it.
    fn reads(&self, window: usize, reads: Reads) -> Vec<&[u8]>;
    /// Outputs of a window, filled with a value that no kernel returns by chance.
    fn blank(&self) -> Self::Out;
    /// Computes a window, or the first `values` of it (at least one unit of the shape).
    fn run(&self, bound: &Bound<O::Shape>, window: usize, values: usize, out: &mut Self::Out);
    /// Judges the outputs of a whole window.
    ///
    /// # Errors
    /// The first value out of its bound.
    fn judge(&self, window: usize, out: &Self::Out) -> Result<Report, Failure>;
    /// As [`Operands::judge`], for a foreign library that rounds more coarsely than ours.
    ///
    /// # Errors
    /// The first value out of the foreign bound.
    fn judge_foreign(&self, window: usize, out: &Self::Out) -> Result<Report, Failure> {
        self.judge(window, out)
    }
    /// Calls that must panic, each with lengths that do not fit, by name.
    fn misfits<'a>(&'a self, bound: &'a Bound<O::Shape>) -> Vec<Misfit<'a>>;
}

/// A call whose lengths do not fit: it must panic, and do nothing else.
pub type Misfit<'a> = (&'static str, Box<dyn FnOnce() + 'a>);

/// An operation that the test kit can try.
pub(crate) trait Subject: Op {
    /// The kinds of numbers that its variants are held to.
    const FAMILIES: &'static [Family];
    /// Its operands.
    type Operands: Operands<Self>;
    /// Makes operands.
    ///
    /// # Errors
    /// They do not fit into memory.
    fn operands(recipe: &Recipe) -> Result<Self::Operands, LayoutError>;
    /// Bytes from row to row of `dim` values, laid out as for timing.
    fn row_bytes(dim: usize) -> usize;
}

/// Operands of an operation, types erased.
pub trait Trial {
    /// The recipe that made it.
    fn recipe(&self) -> &Recipe;
    /// As [`Operands::windows`].
    fn windows(&self) -> usize;
    /// As [`Operands::values`].
    fn values(&self) -> usize;
    /// As [`Operands::bytes_per_value`].
    fn bytes_per_value(&self) -> f64;
    /// As [`Operands::reads`].
    fn reads(&self, window: usize, reads: Reads) -> Vec<&[u8]>;
    /// A variant, ready to run on these operands.
    ///
    /// # Errors
    /// An unknown variant, one that cannot run here, or one without a form for the dimension.
    fn bind<'t>(&'t self, variant: &str) -> Result<Box<dyn Work + 't>, BindError>;
    /// Calls of a variant that must panic; none for operands of fewer than two rows or values.
    ///
    /// # Errors
    /// As [`Trial::bind`].
    fn misfits(&self, variant: &str, check: &mut dyn FnMut(Misfit<'_>)) -> Result<(), BindError>;
    /// The typed operands, for contestants from outside the registry.
    fn operands(&self) -> &dyn Any;
}

/// Something that computes windows of a trial: a bound variant, or a contestant from outside.
pub trait Work {
    /// Computes a window into outputs of its own.
    fn run(&mut self, window: usize);
    /// Computes about the first `values` values of a window.
    fn run_first(&mut self, window: usize, values: usize);
    /// Computes a window into outputs that were spoilt before, and judges them.
    ///
    /// # Errors
    /// The first value out of its bound.
    fn verify(&mut self, window: usize) -> Result<Report, Failure>;
}

struct Typed<O: Subject> {
    recipe: Recipe,
    operands: O::Operands,
}

/// Operands of `O` with their types erased.
pub(crate) fn of<O: Subject>(recipe: &Recipe) -> Result<Box<dyn Trial>, LayoutError> {
    let mut recipe = *recipe;
    if recipe.rows == 0 {
        // Windows over nothing are one window of nothing.
        recipe.batches = Batches::Whole;
    }
    Ok(Box::new(Typed::<O> { recipe, operands: O::operands(&recipe)? }))
}

impl<O: Subject> Trial for Typed<O> {
    fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    fn windows(&self) -> usize {
        self.operands.windows()
    }

    fn values(&self) -> usize {
        self.operands.values()
    }

    fn bytes_per_value(&self) -> f64 {
        self.operands.bytes_per_value()
    }

    fn reads(&self, window: usize, reads: Reads) -> Vec<&[u8]> {
        self.operands.reads(window, reads)
    }

    fn bind<'t>(&'t self, variant: &str) -> Result<Box<dyn Work + 't>, BindError> {
        let bound = bind::<O>(variant, self.recipe.dim)?;
        let out = self.operands.blank();
        Ok(Box::new(BoundWork::<O> { bound, operands: &self.operands, out }))
    }

    fn misfits(&self, variant: &str, check: &mut dyn FnMut(Misfit<'_>)) -> Result<(), BindError> {
        let bound = bind::<O>(variant, self.recipe.dim)?;
        // Nothing can be left out of what is hardly there.
        if self.recipe.dim >= 2 && self.recipe.rows >= 2 {
            self.operands.misfits(&bound).into_iter().for_each(check);
        }
        Ok(())
    }

    fn operands(&self) -> &dyn Any {
        &self.operands
    }
}

struct BoundWork<'t, O: Subject> {
    bound: Bound<O::Shape>,
    operands: &'t O::Operands,
    out: <O::Operands as Operands<O>>::Out,
}

impl<O: Subject> Work for BoundWork<'_, O> {
    fn run(&mut self, window: usize) {
        self.operands.run(&self.bound, window, usize::MAX, &mut self.out);
        core::hint::black_box(&mut self.out);
    }

    fn run_first(&mut self, window: usize, values: usize) {
        self.operands.run(&self.bound, window, values, &mut self.out);
        core::hint::black_box(&mut self.out);
    }

    fn verify(&mut self, window: usize) -> Result<Report, Failure> {
        self.out = self.operands.blank();
        self.operands.run(&self.bound, window, usize::MAX, &mut self.out);
        if self.bound.name() == Technique::Simsimd.name() {
            return self.operands.judge_foreign(window, &self.out);
        }
        self.operands.judge(window, &self.out)
    }
}
