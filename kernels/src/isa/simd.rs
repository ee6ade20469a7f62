//! The token trait that the loops are written over.

/// A level, as a value: whoever holds one runs on a CPU that has it.
///
/// All methods are safe, because the token is the proof of the level and slices carry their
/// lengths; they are inlined into the entry function, which enables the level's features.
pub(crate) trait Simd: Copy + 'static {
    /// A register of `f32` lanes.
    type V: Copy;
    /// As many elements in memory, of any alignment.
    type Chunk: Copy + 'static;
    /// Elements of a chunk.
    const LANES: usize;

    /// `x` as whole chunks and a rest of fewer than `LANES` elements.
    fn chunks(self, x: &[f32]) -> (&[Self::Chunk], &[f32]);
    /// As [`Simd::chunks`], to write to.
    fn chunks_mut(self, x: &mut [f32]) -> (&mut [Self::Chunk], &mut [f32]);
    /// All lanes zero.
    fn zero(self) -> Self::V;
    /// A whole chunk.
    fn load(self, x: &Self::Chunk) -> Self::V;
    /// The first `LANES` elements of `x`, or all of them and zeros; reads nothing beyond `x`.
    fn load_partial(self, x: &[f32]) -> Self::V;
    /// All lanes `x`.
    fn splat(self, x: f32) -> Self::V;
    /// Writes a whole chunk.
    fn store(self, v: Self::V, out: &mut Self::Chunk);
    /// Writes the first `LANES` elements of `out`, or all of them; writes nothing beyond `out`.
    fn store_partial(self, v: Self::V, out: &mut [f32]);
    /// `a + b`.
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, in one rounding where the level has it.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `|a|`.
    fn abs(self, a: Self::V) -> Self::V;
    /// The larger of two values that are not negative; NaN wins. (For them the order of the bit
    /// patterns as integers is the order of the numbers, with NaN above infinity.)
    fn max_abs(self, a: Self::V, b: Self::V) -> Self::V;
    /// The sum of all lanes.
    fn sum(self, v: Self::V) -> f32;
    /// The largest lane, none of them negative; NaN wins.
    fn max_lane(self, v: Self::V) -> f32;
    /// The sums of four registers: fewer shuffles than four times [`Simd::sum`].
    #[inline(always)]
    fn sum4(self, v: [Self::V; 4]) -> [f32; 4] {
        // Not `map`: its closure need not be inlined, and then lacks the level's features.
        [self.sum(v[0]), self.sum(v[1]), self.sum(v[2]), self.sum(v[3])]
    }
    /// Whether a lane of `v` is not above the same lane of `limit`; NaN is not above anything.
    #[inline(always)]
    fn any_not_above(self, v: Self::V, limit: Self::V) -> bool {
        let (mut x, mut y) = ([0.0f32; MOST], [0.0f32; MOST]);
        put(self, v, &mut x);
        put(self, limit, &mut y);
        x.iter().zip(&y).take(Self::LANES).any(|(x, y)| x.is_nan() || y.is_nan() || x <= y)
    }
    /// Lane by lane the new `(value, id)` where the value is below the best one, and the best one
    /// elsewhere. Ids are bit patterns: they are moved and never computed with.
    #[inline(always)]
    fn take_below(self, best: (Self::V, Self::V), new: (Self::V, Self::V)) -> (Self::V, Self::V) {
        let (mut b, mut bi) = ([0.0f32; MOST], [0.0f32; MOST]);
        let (mut n, mut ni) = ([0.0f32; MOST], [0.0f32; MOST]);
        put(self, best.0, &mut b);
        put(self, best.1, &mut bi);
        put(self, new.0, &mut n);
        put(self, new.1, &mut ni);
        for l in 0..Self::LANES {
            if n[l] < b[l] {
                (b[l], bi[l]) = (n[l], ni[l]);
            }
        }
        (self.load_partial(&b[..Self::LANES]), self.load_partial(&bi[..Self::LANES]))
    }
    /// Four registers as rows of a matrix, turned in groups of four lanes: quarter `k` of result
    /// `j` ([`Simd::quarter`]) holds lane `4 k + j` of all four.
    #[inline(always)]
    fn turn4(self, v: [Self::V; 4]) -> [Self::V; 4] {
        let mut lanes = [[0.0f32; MOST]; 4];
        let mut turned = [[0.0f32; MOST]; 4];
        for (v, lanes) in v.into_iter().zip(&mut lanes) {
            put(self, v, lanes);
        }
        for l in 0..Self::LANES {
            for r in 0..4 {
                turned[l % 4][l / 4 * 4 + r] = lanes[r][l];
            }
        }
        let [a, b, c, d] = &turned;
        let n = Self::LANES;
        [
            self.load_partial(&a[..n]),
            self.load_partial(&b[..n]),
            self.load_partial(&c[..n]),
            self.load_partial(&d[..n]),
        ]
    }
    /// Lanes `4 k` to `4 k + 3`; the lowest where there are no such lanes.
    #[inline(always)]
    fn quarter(self, v: Self::V, k: usize) -> [f32; 4] {
        let mut lanes = [0.0f32; MOST];
        put(self, v, &mut lanes);
        let at = if 4 * k + 4 <= Self::LANES { 4 * k } else { 0 };
        [lanes[at], lanes[at + 1], lanes[at + 2], lanes[at + 3]]
    }
    /// Asks for the cache line at `x` soon; nothing is read.
    fn prefetch(self, x: &f32);
}

/// Lanes of the widest register.
const MOST: usize = 16;

/// The lanes of a register in memory.
#[inline(always)]
fn put<S: Simd>(s: S, v: S::V, lanes: &mut [f32; MOST]) {
    if let Some(first) = s.chunks_mut(lanes).0.first_mut() {
        s.store(v, first);
    }
}
