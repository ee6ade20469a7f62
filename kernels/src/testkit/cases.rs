//! Inputs: seeded, and of the kinds that break kernels.

use crate::layout::RowsRef;
use crate::shape::{Batch, inv_norm};

/// A kind of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Uniform in -1..1.
    Uniform,
    /// `exp` of a normal variable of deviation 2: positive, over several orders of magnitude.
    Lognormal,
    /// Row almost equal to the query: differences and signed sums cancel.
    Cancelling,
    /// Subnormal numbers and zeros of both signs.
    Subnormal,
    /// Around the square root of the largest number: squares overflow, sums may.
    Huge,
    /// Around 1e17: squares are far above 1 and their sums in range.
    Large,
    /// Around 1e-16: squares are far below 1 and above the subnormal numbers.
    Small,
    /// Uniform with NaN in one place of each row.
    Nan,
    /// Uniform with NaN in one place of the query.
    NanQuery,
    /// Uniform with an infinity in one place of each row.
    Infinite,
    /// Uniform with an infinity in one place of the query.
    InfiniteQuery,
    /// The rows are zero vectors.
    ZeroRow,
    /// The query is a zero vector.
    ZeroQuery,
}

impl Family {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Uniform,
        Self::Lognormal,
        Self::Cancelling,
        Self::Subnormal,
        Self::Huge,
        Self::Large,
        Self::Small,
        Self::Nan,
        Self::NanQuery,
        Self::Infinite,
        Self::InfiniteQuery,
        Self::ZeroRow,
        Self::ZeroQuery,
    ];
}

/// A small seeded generator (`SplitMix64`), so that a case is its seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; equal seeds give equal numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `0..n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    /// Normal, mean 0, deviation 1 (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let r = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        r * (core::f64::consts::TAU * self.unit()).cos()
    }

    fn value(&mut self, family: Family) -> f32 {
        match family {
            Family::Lognormal => (2.0 * self.normal()).exp() as f32,
            Family::Subnormal => {
                let sign = ((self.bits() & 1) as u32) << 31;
                f32::from_bits(sign | (self.bits() as u32 & 0x007f_ffff) >> self.below(24))
            }
            Family::Huge => ((2.0 * self.unit() - 1.0) * 3.6e19) as f32,
            Family::Large => ((2.0 * self.unit() - 1.0) * 1e17) as f32,
            Family::Small => ((2.0 * self.unit() - 1.0) * 1e-16) as f32,
            Family::ZeroQuery => 0.0,
            _ => (2.0 * self.unit() - 1.0) as f32,
        }
    }
}

/// One query and some rows in memory, at any offset from a cache line.
#[derive(Clone, Debug)]
pub struct Case {
    query: Vec<f32>,
    query_at: usize,
    rows: Vec<f32>,
    rows_at: usize,
    dim: usize,
    stride: usize,
    inv_norms: Vec<f32>,
    ids: Vec<u32>,
}

/// How a [`Case`] is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The kind of numbers.
    pub family: Family,
    /// Elements of a vector.
    pub dim: usize,
    /// Rows.
    pub rows: usize,
    /// Elements between rows beyond `dim`.
    pub pad: usize,
    /// Elements from a 64-byte boundary to the query, 0 to 15.
    pub query_offset: usize,
    /// Elements from a 64-byte boundary to the first row, 0 to 15.
    pub rows_offset: usize,
    /// The seed of the numbers.
    pub seed: u64,
}

impl Recipe {
    /// Uniform numbers, packed, on cache lines.
    #[must_use]
    pub fn plain(dim: usize, rows: usize, seed: u64) -> Self {
        let (pad, query_offset, rows_offset) = (0, 0, 0);
        Self { family: Family::Uniform, dim, rows, pad, query_offset, rows_offset, seed }
    }

    /// Makes the case.
    #[must_use]
    pub fn make(self) -> Case {
        let mut random = Random::new(self.seed);
        let stride = (self.dim + self.pad).max(1);
        let (mut query, query_at) = placed(self.dim, self.query_offset);
        for x in &mut query[query_at..] {
            *x = random.value(self.family);
        }
        let at = query_at + random.below(self.dim);
        match (self.family, query.get_mut(at)) {
            (Family::NanQuery, Some(x)) => *x = f32::NAN,
            (Family::InfiniteQuery, Some(x)) => *x = f32::NEG_INFINITY,
            _ => {}
        }
        let (mut rows, rows_at) = placed(self.rows * stride, self.rows_offset);
        for row in rows[rows_at..].chunks_mut(stride) {
            self.fill(&mut row[..self.dim], &query[query_at..], &mut random);
        }
        let dim = self.dim;
        let norm = |i| inv_norm(&rows[rows_at + i * stride..][..dim]);
        let inv_norms = (0..self.rows).map(norm).collect();
        // Every row twice and out of order: ids repeat in real use.
        let ids = (0..2 * self.rows).rev().map(|i| (i % self.rows.max(1)) as u32).collect();
        Case { query, query_at, rows, rows_at, dim, stride, inv_norms, ids }
    }

    fn fill(&self, row: &mut [f32], query: &[f32], random: &mut Random) {
        for (x, &q) in row.iter_mut().zip(query) {
            *x = match self.family {
                Family::Cancelling => q * (1.0 + 3e-7 * random.below(9) as f32),
                Family::ZeroRow => 0.0,
                Family::ZeroQuery => random.value(Family::Uniform),
                family => random.value(family),
            };
        }
        if row.is_empty() {
            return;
        }
        let at = random.below(row.len());
        match self.family {
            Family::Nan => row[at] = f32::NAN,
            Family::Infinite => row[at] = f32::INFINITY,
            _ => {}
        }
    }
}

/// Memory whose element `at` is `offset` elements behind a 64-byte boundary.
fn placed(len: usize, offset: usize) -> (Vec<f32>, usize) {
    let memory = vec![0.0f32; len + 32];
    let at = memory.as_ptr().align_offset(64) + offset % 16;
    let mut memory = memory;
    memory.truncate(at + len);
    (memory, at)
}

impl Case {
    /// The batch, as kernels take it.
    ///
    /// # Panics
    /// Never: the memory was laid out for it.
    #[must_use]
    pub fn batch(&self) -> Batch<'_> {
        let query = &self.query[self.query_at..];
        let rows = RowsRef::new(&self.rows[self.rows_at..], self.dim, self.stride);
        let query_inv_norm = inv_norm(query);
        let rows = rows.expect("laid out by `make`");
        Batch { query, query_inv_norm, rows, inv_norms: &self.inv_norms, ids: &self.ids }
    }
}
