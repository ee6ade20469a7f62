//! How the test kit tries blocks.

use super::Growing;
use crate::kernel::Op;
use crate::layout::LayoutError;
use crate::ops::f32::F32;
use crate::ops::f32::lanes::Lanewise;
use crate::ops::f32::metric::Step;
use crate::shape::{Block, BlockPrune};
use crate::testkit::cases::{Element, Family, Recipe};
use crate::testkit::trial::{BlockOperands, Subject};

impl<M: Step<Rows: Lanewise>> Subject for F32<M, Block> {
    const FAMILIES: &'static [Family] = f32::FAMILIES;
    type Operands = BlockOperands<Block>;

    fn operands(recipe: &Recipe) -> Result<Self::Operands, LayoutError> {
        BlockOperands::new(Self::METRIC, recipe)
    }

    fn row_bytes(dim: usize) -> usize {
        dim * size_of::<f32>()
    }
}

impl<M: Growing> Subject for F32<M, BlockPrune> {
    const FAMILIES: &'static [Family] = f32::FAMILIES;
    type Operands = BlockOperands<BlockPrune>;

    fn operands(recipe: &Recipe) -> Result<Self::Operands, LayoutError> {
        BlockOperands::new(Self::METRIC, recipe)
    }

    fn row_bytes(dim: usize) -> usize {
        dim * size_of::<f32>()
    }
}
