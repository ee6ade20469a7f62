//! How the test kit tries tiles.

use super::Tiled;
use crate::kernel::Op;
use crate::layout::LayoutError;
use crate::ops::f32::F32;
use crate::ops::f32::metric::L2Sq;
use crate::shape::{Assign, Tile, TileNorms};
use crate::testkit::cases::{Element, Family, Recipe};
use crate::testkit::trial::{Subject, TileOperands};

macro_rules! subjects {
    ($($op:ty, $shape:ty $(, $m:ident)?;)*) => {$(
        impl$(<$m: Tiled>)? Subject for $op {
            const FAMILIES: &'static [Family] = f32::FAMILIES;
            type Operands = TileOperands<$shape>;

            fn operands(recipe: &Recipe) -> Result<Self::Operands, LayoutError> {
                TileOperands::new(<Self as Op>::METRIC, recipe)
            }

            fn row_bytes(dim: usize) -> usize {
                dim * size_of::<f32>()
            }
        }
    )*};
}

subjects! {
    F32<M, Tile>, Tile, M;
    F32<L2Sq, TileNorms>, TileNorms;
    F32<L2Sq, Assign>, Assign;
}
