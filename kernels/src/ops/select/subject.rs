//! How the test kit tries these operations: a full sort says what is right.

use super::{KSmallest, Smallest};
use crate::layout::LayoutError;
use crate::testkit::cases::{Element, Family, Recipe};
use crate::testkit::trial::{ArgminOperands, SelectOperands, Subject};

impl Subject for KSmallest {
    const FAMILIES: &'static [Family] = <f32 as Element>::FAMILIES;
    type Operands = SelectOperands;

    fn operands(recipe: &Recipe) -> Result<SelectOperands, LayoutError> {
        SelectOperands::new::<Self>(recipe)
    }

    /// A row is a score, whatever k is.
    fn row_bytes(_k: usize) -> usize {
        size_of::<f32>()
    }
}

impl Subject for Smallest {
    const FAMILIES: &'static [Family] = <f32 as Element>::FAMILIES;
    type Operands = ArgminOperands;

    fn operands(recipe: &Recipe) -> Result<ArgminOperands, LayoutError> {
        ArgminOperands::new(recipe)
    }

    fn row_bytes(dim: usize) -> usize {
        dim * size_of::<f32>()
    }
}
