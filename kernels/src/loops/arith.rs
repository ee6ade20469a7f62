//! What the loops ask of the arithmetic: one metric on one encoding at one level.

use crate::isa::tokens::Token;

/// The arithmetic of one metric on one encoding at one level, as a value: it holds the token, so
/// its methods are safe. They are inlined into the entry, which enables the level's features.
///
/// A step takes a chunk of the query and the chunk of a row that stands for the same values; the
/// two may differ in type and length. Every step maps zeros on both sides to no change, so a tail
/// may be padded.
pub(crate) trait Arith: Copy + 'static {
    /// An element of the query.
    type Query: Copy + 'static;
    /// An element of a row.
    type Code: Copy + 'static;
    /// What comes out.
    type Value: Copy + 'static;
    /// As many elements of the query as a step takes.
    type QueryChunk: Copy + 'static;
    /// As many elements of a row as a step takes.
    type CodeChunk: Copy + 'static;
    /// A chunk of the query in registers.
    type Reg: Copy;
    /// What is accumulated.
    type Acc: Copy;
    /// What depends on the query alone.
    type Context: Copy;

    /// The query as whole chunks and a rest shorter than one.
    fn query_chunks(self, x: &[Self::Query]) -> (&[Self::QueryChunk], &[Self::Query]);
    /// A row as whole chunks and a rest shorter than one.
    fn code_chunks(self, x: &[Self::Code]) -> (&[Self::CodeChunk], &[Self::Code]);
    /// A whole chunk of the query.
    fn load(self, x: &Self::QueryChunk) -> Self::Reg;
    /// The rest of the query, padded with zeros; reads nothing beyond it.
    fn load_tail(self, x: &[Self::Query]) -> Self::Reg;
    /// What depends on the query alone.
    fn context(self, query: &[Self::Query]) -> Self::Context;
    /// Nothing accumulated.
    fn zero(self) -> Self::Acc;
    /// What [`Arith::step`] makes of nothing accumulated.
    #[inline(always)]
    fn first(self, q: Self::Reg, c: &Self::CodeChunk) -> Self::Acc {
        self.step(self.zero(), q, c)
    }
    /// What [`Arith::step_tail`] makes of nothing accumulated.
    #[inline(always)]
    fn first_tail(self, q: Self::Reg, c: &[Self::Code]) -> Self::Acc {
        self.step_tail(self.zero(), q, c)
    }
    /// One more chunk.
    fn step(self, acc: Self::Acc, q: Self::Reg, c: &Self::CodeChunk) -> Self::Acc;
    /// The rest of a row; reads nothing beyond it.
    fn step_tail(self, acc: Self::Acc, q: Self::Reg, c: &[Self::Code]) -> Self::Acc;
    /// Two accumulators as one.
    fn join(self, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    /// The value.
    fn finish(self, acc: Self::Acc, context: Self::Context) -> Self::Value;
    /// The values of four rows: fewer shuffles than four times [`Arith::finish`], where a level
    /// has a transposed reduction.
    #[inline(always)]
    fn finish4(self, acc: [Self::Acc; 4], context: Self::Context) -> [Self::Value; 4] {
        // Not `map`: its closure need not be inlined, and then lacks the level's features.
        [
            self.finish(acc[0], context),
            self.finish(acc[1], context),
            self.finish(acc[2], context),
            self.finish(acc[3], context),
        ]
    }
    /// Asks for the cache line at `x` soon; nothing is read.
    #[inline(always)]
    fn prefetch(self, _x: &Self::Code) {}
}

/// Arithmetic whose value also depends on something cached of query and row.
pub(crate) trait NormArith: Arith {
    /// What is cached of a vector.
    type Norm: Copy + 'static;
    /// The value.
    fn finish_norms(self, acc: Self::Acc, query: Self::Norm, row: Self::Norm) -> Self::Value;
    /// The values of four rows.
    #[inline(always)]
    fn finish4_norms(
        self,
        acc: [Self::Acc; 4],
        query: Self::Norm,
        rows: &[Self::Norm; 4],
    ) -> [Self::Value; 4] {
        [
            self.finish_norms(acc[0], query, rows[0]),
            self.finish_norms(acc[1], query, rows[1]),
            self.finish_norms(acc[2], query, rows[2]),
            self.finish_norms(acc[3], query, rows[3]),
        ]
    }
}

/// Arithmetic that a token alone makes.
pub(crate) trait FromToken: Arith {
    /// The level.
    type Token: Token;
    /// The arithmetic of a CPU that has it.
    fn at(token: Self::Token) -> Self;
}

/// Both at once, for a macro's single bound.
pub(crate) trait NormsFromToken: NormArith + FromToken {}
impl<A: NormArith + FromToken> NormsFromToken for A {}
