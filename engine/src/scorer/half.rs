//! Rows in half precision: `f16` and `bf16`, queries in `f32`.

use std::fmt::Debug;

use annvil_kernels::{
    AlignedRows, Bound, Element, Forced, Gather, LayoutError, Residence, Scan, resolve,
};
use half::{bf16, f16};

use super::{EncodingError, FAR_BYTES, Rows, Scorer, prefetch_row, stride};
use crate::metric::Metric;

mod sealed {
    pub trait Sealed {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}

/// A number of sixteen bits.
pub trait Half: Element + sealed::Sealed {
    /// The encoding's name in the kernels' coordinates.
    const NAME: &'static str;
    /// Rounds to the nearest; beyond the largest number, to that.
    fn from_f32(value: f32) -> Self;
    /// Exactly.
    fn to_f32(self) -> f32;
}

macro_rules! halves {
    ($($t:ident)*) => {$(
        impl Half for $t {
            const NAME: &'static str = stringify!($t);
            fn from_f32(value: f32) -> Self {
                // An infinity would be at no distance from another: NaN.
                let value = value.clamp(Self::MIN.to_f32(), Self::MAX.to_f32());
                Self::from_f32(value)
            }
            fn to_f32(self) -> f32 {
                self.to_f32()
            }
        }
    )*};
}

halves! { f16 bf16 }

/// Rows of `f16`: eleven bits of precision, up to 65,504; what is larger is held as that.
pub type F16Rows = HalfRows<f16>;
/// Rows of `bf16`: eight bits of precision, the range of `f32`.
pub type Bf16Rows = HalfRows<bf16>;

/// Rows of sixteen-bit numbers.
#[derive(Clone, Debug)]
pub struct HalfRows<T: Half> {
    metric: Metric,
    rows: AlignedRows<T>,
    gather: [Bound<Gather<f32, T, f32>>; 2],
    scan: [Bound<Scan<f32, T, f32>>; 2],
}

impl<T: Half> HalfRows<T> {
    /// No rows yet.
    ///
    /// # Errors
    /// A metric without kernels for it, `dim == 0`, or a forced kernel that cannot be had.
    pub fn new(dim: usize, metric: Metric, forced: &Forced) -> Result<Self, EncodingError> {
        let name = match metric {
            Metric::L2 => "l2sq",
            Metric::Dot | Metric::Cosine => "dot",
            Metric::L1 | Metric::Linf | Metric::Hamming => {
                return Err(EncodingError::NoKernel { metric, encoding: T::NAME });
            }
        };
        let rows = AlignedRows::with_stride(0, dim, stride(2 * dim) / 2)?;
        let path = |shape: &str| format!("{}/{name}/{shape}", T::NAME);
        let gather = |residence| resolve(&path("gather"), dim, residence, forced);
        let scan = |residence| resolve(&path("scan"), dim, residence, forced);
        Ok(Self {
            metric,
            rows,
            gather: [gather(Residence::Cache)?, gather(Residence::Dram)?],
            scan: [scan(Residence::Cache)?, scan(Residence::Dram)?],
        })
    }

    fn far(&self) -> usize {
        usize::from(self.rows.bytes() > FAR_BYTES)
    }
}

impl<T: Half> Scorer for HalfRows<T> {
    type Query = Vec<f32>;

    fn dim(&self) -> usize {
        self.rows.dim()
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn prepare(&self, vector: &[f32], query: &mut Vec<f32>) {
        assert_eq!(vector.len(), self.dim(), "a query of another dimension");
        query.clear();
        query.extend_from_slice(vector);
    }

    fn prepare_slot(&self, slot: u32, query: &mut Vec<f32>) {
        query.clear();
        query.extend(self.rows.row(slot as usize).iter().map(|v| v.to_f32()));
    }

    #[inline]
    fn prefetch(&self, slot: u32) {
        prefetch_row(self.rows.view(), slot);
    }

    fn score_ids(&self, query: &Vec<f32>, slots: &[u32], ranks: &mut [f32]) {
        self.gather[self.far()].call(query, self.rows.view(), slots, ranks);
        self.metric.rank(ranks);
    }

    fn score_range(&self, query: &Vec<f32>, from: u32, ranks: &mut [f32]) {
        let from = from as usize;
        let rows = self.rows.view().slice(from, from + ranks.len());
        self.scan[self.far()].call(query, rows, ranks);
        self.metric.rank(ranks);
    }
}

impl<T: Half> Rows for HalfRows<T> {
    fn reserve(&mut self, more: usize) -> Result<(), LayoutError> {
        self.rows.reserve_exact(more)
    }

    fn push(&mut self, vector: &[f32]) -> Result<(), LayoutError> {
        if vector.len() != self.rows.dim() {
            return Err(LayoutError::RowLength { found: vector.len(), dim: self.rows.dim() });
        }
        self.rows.push_with(|row| encode(vector, row))
    }

    fn set(&mut self, slot: u32, vector: &[f32]) {
        assert_eq!(vector.len(), self.rows.dim(), "a vector of another dimension");
        encode(vector, self.rows.row_mut(slot as usize));
    }

    fn decode(&self, slot: u32, vector: &mut [f32]) {
        let row = self.rows.row(slot as usize);
        assert_eq!(vector.len(), row.len(), "a vector of another dimension");
        vector.iter_mut().zip(row).for_each(|(to, from)| *to = from.to_f32());
    }

    fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
    }

    fn bytes(&self) -> usize {
        self.rows.capacity_bytes()
    }
}

fn encode<T: Half>(vector: &[f32], row: &mut [T]) {
    row.iter_mut().zip(vector).for_each(|(to, &from)| *to = T::from_f32(from));
}
