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
    /// Asks for the cache line at `x` soon; nothing is read.
    fn prefetch(self, x: &f32);
}
