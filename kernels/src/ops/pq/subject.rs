//! How the test kit tries product quantisation: integers bit by bit, tables within the bounds of
//! their sums, codes by the distance of the centroid they name.

use super::{Adc, Dot, L2Sq, Pq, Sdc};
use crate::layout::LayoutError;
use crate::shape::{
    BlockLayout, CodeScan, FastScan, Gather, Interleaved4, Lut, Planar4, PqEncode, Rows64, Scan,
};
use crate::testkit::bounds::{Expected, expected};
use crate::testkit::cases::{Family, Random, row};
use crate::testkit::oracle::Exact;
use crate::testkit::trial::lut::{BlockOperands, Codes, SdcOperands, Tables};
use crate::testkit::trial::{Subject, Truth, VectorSubject};

/// What tables and codes are made of.
const BOOKS: &[Family] = &[
    Family::Uniform,
    Family::Lognormal,
    Family::Cancelling,
    Family::Subnormal,
    Family::Huge,
    Family::Nan,
    Family::InfiniteQuery,
    Family::ZeroRow,
];

macro_rules! subjects {
    ($($op:ty: $operands:ty, $families:expr, |$dim:ident| $bytes:expr;)*) => {$(
        impl Subject for $op {
            const FAMILIES: &'static [Family] = $families;
            type Operands = $operands;

            fn operands(recipe: &crate::testkit::cases::Recipe) -> Result<$operands, LayoutError> {
                <$operands>::new::<Self>(recipe)
            }

            fn row_bytes($dim: usize) -> usize {
                $bytes
            }
        }
    )*};
}

subjects! {
    Pq<L2Sq, Lut<256>>: Tables<256>, BOOKS, |dim| dim * 4;
    Pq<Dot, Lut<256>>: Tables<256>, BOOKS, |dim| dim * 4;
    Pq<L2Sq, Lut<16>>: Tables<16>, BOOKS, |dim| dim * 4;
    Pq<Dot, Lut<16>>: Tables<16>, BOOKS, |dim| dim * 4;
    Pq<L2Sq, PqEncode<256>>: Codes<256>, BOOKS, |dim| dim * 4;
    Pq<L2Sq, PqEncode<16>>: Codes<16>, BOOKS, |dim| dim * 4;
    Pq<Adc, FastScan<Rows64, 256>>: BlockOperands<Rows64, 256>, BLOCKS,
        |m| Rows64::block_bytes(m) / Rows64::ROWS;
    Pq<Adc, FastScan<Interleaved4, 16>>: BlockOperands<Interleaved4, 16>, BLOCKS,
        |m| Interleaved4::block_bytes(m) / Interleaved4::ROWS;
    Pq<Adc, FastScan<Planar4, 16>>: BlockOperands<Planar4, 16>, BLOCKS,
        |m| Planar4::block_bytes(m) / Planar4::ROWS;
    Pq<Sdc, CodeScan<256>>: SdcOperands, &[Family::Uniform], |m| m;
}

/// `Huge` draws the largest bytes, and so the largest sums.
const BLOCKS: &[Family] = &[Family::Uniform, Family::Lognormal, Family::Huge];

macro_rules! scans {
    ($($op:ty)*) => {$(
        impl VectorSubject for $op {
            fn row(random: &mut Random, family: Family, dim: usize, _: &[f32]) -> Vec<u8> {
                row(random, family, dim, |random, _| random.bits() as u8)
            }

            fn query_norm(_: &[f32]) -> f32 {
                0.0
            }

            fn row_norm(_: &[u8]) -> f32 {
                0.0
            }

            fn truth(m: usize, query: &[f32], row: &[u8]) -> Truth {
                let entry = |s: usize| f64::from(query[s * 256 + usize::from(row[s])]);
                let value = (0..m).map(entry).sum();
                let scale = (0..m).map(|s| entry(s).abs()).sum();
                let exact = Exact { value, scale, norms_sq: [1.0; 2] };
                // A sum without products: the bound of a dot product is above its own.
                let expected: Expected = expected("dot", m, &exact, false);
                Truth { expected, scale }
            }
        }
    )*};
}

scans! {
    Pq<Adc, Scan<f32, u8, f32>>
    Pq<Adc, Gather<f32, u8, f32>>
}
