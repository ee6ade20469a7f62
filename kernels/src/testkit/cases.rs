//! Inputs: seeded, and of the kinds that break kernels.

use super::guard::Edge;

/// A kind of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Uniform in -1..1.
    Uniform,
    /// Normal, mean 0, deviation 1: what is timed.
    Normal,
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
    pub const ALL: [Self; 14] = [
        Self::Uniform,
        Self::Normal,
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

    /// Puts the elements in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// An element that operands are made of: a number without padding, and every bit pattern is one.
pub trait Element: Copy + Default + PartialEq + core::fmt::Debug + Send + Sync + 'static {
    /// The kinds of numbers that make sense for it.
    const FAMILIES: &'static [Family];
    /// A number of this kind.
    fn draw(random: &mut Random, family: Family) -> Self;
    /// What a family puts into one place of a row or a query that is to be special.
    fn special(_family: Family) -> Option<Self> {
        None
    }
    /// The bytes of a slice.
    fn bytes(slice: &[Self]) -> &[u8] {
        super::guard::bytes_of(slice)
    }
}

impl Element for f32 {
    const FAMILIES: &'static [Family] = &Family::ALL;

    fn draw(random: &mut Random, family: Family) -> f32 {
        match family {
            Family::Normal => random.normal() as f32,
            Family::Lognormal => (2.0 * random.normal()).exp() as f32,
            Family::Subnormal => {
                let sign = ((random.bits() & 1) as u32) << 31;
                f32::from_bits(sign | (random.bits() as u32 & 0x007f_ffff) >> random.below(24))
            }
            Family::Huge => ((2.0 * random.unit() - 1.0) * 3.6e19) as f32,
            Family::Large => ((2.0 * random.unit() - 1.0) * 1e17) as f32,
            Family::Small => ((2.0 * random.unit() - 1.0) * 1e-16) as f32,
            _ => (2.0 * random.unit() - 1.0) as f32,
        }
    }

    fn special(family: Family) -> Option<f32> {
        match family {
            Family::Nan | Family::NanQuery => Some(f32::NAN),
            Family::Infinite => Some(f32::INFINITY),
            Family::InfiniteQuery => Some(f32::NEG_INFINITY),
            _ => None,
        }
    }
}

/// Kinds of numbers for integers: what is not finite, or not a number, does not exist there.
pub(crate) const INTEGER_FAMILIES: &[Family] = &[
    Family::Uniform,
    Family::Cancelling,
    Family::Small,
    Family::Huge,
    Family::ZeroRow,
    Family::ZeroQuery,
];

macro_rules! integers {
    ($($int:ty)*) => {$(
        impl Element for $int {
            const FAMILIES: &'static [Family] = INTEGER_FAMILIES;

            /// Uniform over the whole range; `Small` near zero; `Huge` the ends of the range.
            fn draw(random: &mut Random, family: Family) -> $int {
                let bits = random.bits();
                match family {
                    Family::Small => (bits % 3) as $int,
                    Family::Huge if bits & 1 == 0 => <$int>::MIN,
                    Family::Huge => <$int>::MAX,
                    _ => (bits >> 17) as $int,
                }
            }
        }
    )*};
}

integers! { i8 u8 }

/// A query of `len` elements.
pub fn query<T: Element>(random: &mut Random, family: Family, len: usize) -> Vec<T> {
    let mut query: Vec<T> = (0..len)
        .map(|_| match family {
            Family::ZeroQuery => T::default(),
            _ => T::draw(random, family),
        })
        .collect();
    let at = random.below(len);
    let special = matches!(family, Family::NanQuery | Family::InfiniteQuery);
    if let (true, Some(x), Some(special)) = (special, query.get_mut(at), T::special(family)) {
        *x = special;
    }
    query
}

/// A row of `len` elements; `near` gives one that is almost the query's, for the families that
/// cancel.
pub fn row<T: Element>(
    random: &mut Random,
    family: Family,
    len: usize,
    mut near: impl FnMut(&mut Random, usize) -> T,
) -> Vec<T> {
    let mut row: Vec<T> = (0..len)
        .map(|i| match family {
            Family::Cancelling => near(random, i),
            Family::ZeroRow => T::default(),
            Family::ZeroQuery => T::draw(random, Family::Uniform),
            _ => T::draw(random, family),
        })
        .collect();
    let at = random.below(len);
    let special = matches!(family, Family::Nan | Family::Infinite);
    if let (true, Some(x), Some(special)) = (special, row.get_mut(at), T::special(family)) {
        *x = special;
    }
    row
}

/// Where elements lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// So many elements behind a 64-byte boundary.
    Offset(usize),
    /// So many lines and then so many elements behind a 64-byte boundary.
    Lines {
        /// Lines of 64 bytes.
        lines: usize,
        /// Elements.
        elements: usize,
    },
    /// Against a page that faults.
    Edge(Edge),
}

/// How far apart rows lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// So many elements between the end of a row and the next.
    Pad(usize),
    /// Rounded up to 64 bytes; rows of bytes shorter than that to a power of two.
    Lines,
}

/// What is computed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// Every row, or every row twice where rows are listed.
    Whole,
    /// So many rows, or ids in a random order.
    Windows {
        /// How many.
        per: usize,
    },
}

/// How operands are made. Shapes other than a query and rows say what `dim` and `rows` mean there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The kind of numbers.
    pub family: Family,
    /// Values of a vector.
    pub dim: usize,
    /// Rows.
    pub rows: usize,
    /// How far apart rows lie.
    pub stride: Stride,
    /// Where the query lies.
    pub query_at: Place,
    /// Where the first row lies.
    pub rows_at: Place,
    /// What is computed at once.
    pub batches: Batches,
    /// The seed of the numbers.
    pub seed: u64,
}

impl Recipe {
    /// Uniform numbers, packed, on cache lines, in one batch.
    #[must_use]
    pub fn plain(dim: usize, rows: usize, seed: u64) -> Self {
        Self {
            family: Family::Uniform,
            dim,
            rows,
            stride: Stride::Pad(0),
            query_at: Place::Offset(0),
            rows_at: Place::Offset(0),
            batches: Batches::Whole,
            seed,
        }
    }
}

impl Stride {
    /// Elements from row to row, for rows of `len` elements of `size` bytes.
    #[must_use]
    pub fn of(self, len: usize, size: usize) -> usize {
        match self {
            Self::Pad(pad) => (len + pad).max(1),
            Self::Lines => {
                let line = 64 / size.max(1);
                if size == 1 && len < line {
                    return len.next_power_of_two();
                }
                len.div_ceil(line).max(1) * line
            }
        }
    }
}
