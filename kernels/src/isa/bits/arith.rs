//! The metrics on bits, for every level.

use super::{Counts, Hamming, Jaccard, JaccardNorms, JaccardRows, Planes, distance, planes};
use crate::loops::arith::{Arith, FromToken, NormArith};

macro_rules! from_token {
    ($($of:ident)*) => {$(
        impl<T: Counts> FromToken for $of<T> {
            type Token = T;

            #[inline(always)]
            fn at(token: T) -> Self {
                Self(token)
            }
        }
    )*};
}

from_token! { Hamming Jaccard JaccardRows JaccardNorms Planes }

/// What is alike for every metric whose query is bits as well.
macro_rules! bits {
    () => {
        type Query = u8;
        type Code = u8;
        type QueryChunk = T::Chunk;
        type CodeChunk = T::Chunk;
        type Reg = T::Reg;

        #[inline(always)]
        fn query_chunks(self, x: &[u8]) -> (&[T::Chunk], &[u8]) {
            self.0.chunks(x)
        }

        #[inline(always)]
        fn code_chunks(self, x: &[u8]) -> (&[T::Chunk], &[u8]) {
            self.0.chunks(x)
        }

        #[inline(always)]
        fn load(self, x: &T::Chunk) -> T::Reg {
            self.0.load(x)
        }

        #[inline(always)]
        fn load_tail(self, x: &[u8]) -> T::Reg {
            self.0.load_tail(x)
        }

        #[inline(always)]
        fn prefetch(self, x: &u8) {
            self.0.prefetch(x);
        }
    };
}

impl<T: Counts> Arith for Hamming<T> {
    bits!();
    type Value = u32;
    type Acc = T::Acc;
    type Context = ();

    #[inline(always)]
    fn context(self, _query: &[u8]) {}

    #[inline(always)]
    fn zero(self) -> T::Acc {
        self.0.zero()
    }

    #[inline(always)]
    fn first(self, q: T::Reg, c: &T::Chunk) -> T::Acc {
        self.0.count(self.0.xor(q, self.0.load(c)))
    }

    #[inline(always)]
    fn first_tail(self, q: T::Reg, c: &[u8]) -> T::Acc {
        self.0.count(self.0.xor(q, self.0.load_tail(c)))
    }

    #[inline(always)]
    fn step(self, acc: T::Acc, q: T::Reg, c: &T::Chunk) -> T::Acc {
        self.0.add(acc, self.0.xor(q, self.0.load(c)))
    }

    #[inline(always)]
    fn step_tail(self, acc: T::Acc, q: T::Reg, c: &[u8]) -> T::Acc {
        self.0.add(acc, self.0.xor(q, self.0.load_tail(c)))
    }

    #[inline(always)]
    fn join(self, a: T::Acc, b: T::Acc) -> T::Acc {
        self.0.join(a, b)
    }

    #[inline(always)]
    fn finish(self, acc: T::Acc, (): ()) -> u32 {
        self.0.sum(acc)
    }

    #[inline(always)]
    fn finish4(self, acc: [T::Acc; 4], (): ()) -> [u32; 4] {
        self.0.sum4(acc)
    }
}

/// The bits of a vector.
#[inline(always)]
fn ones<T: Counts>(t: T, x: &[u8]) -> u32 {
    let (chunks, tail) = t.chunks(x);
    let mut acc = t.zero();
    for chunk in chunks {
        acc = t.add(acc, t.load(chunk));
    }
    if !tail.is_empty() {
        acc = t.add(acc, t.load_tail(tail));
    }
    t.sum(acc)
}

/// Two counts for each row: the bits shared, and those of `$second`.
macro_rules! two_counts {
    (|$t:ident, $q:ident, $c:ident| $second:expr) => {
        bits!();
        type Value = f32;
        type Acc = [T::Acc; 2];

        #[inline(always)]
        fn zero(self) -> [T::Acc; 2] {
            [self.0.zero(); 2]
        }

        #[inline(always)]
        fn first(self, $q: T::Reg, c: &T::Chunk) -> [T::Acc; 2] {
            let ($t, $c) = (self.0, self.0.load(c));
            [$t.count($t.and($q, $c)), $t.count($second)]
        }

        #[inline(always)]
        fn first_tail(self, $q: T::Reg, c: &[u8]) -> [T::Acc; 2] {
            let ($t, $c) = (self.0, self.0.load_tail(c));
            [$t.count($t.and($q, $c)), $t.count($second)]
        }

        #[inline(always)]
        fn step(self, acc: [T::Acc; 2], $q: T::Reg, c: &T::Chunk) -> [T::Acc; 2] {
            let ($t, $c) = (self.0, self.0.load(c));
            [$t.add(acc[0], $t.and($q, $c)), $t.add(acc[1], $second)]
        }

        #[inline(always)]
        fn step_tail(self, acc: [T::Acc; 2], $q: T::Reg, c: &[u8]) -> [T::Acc; 2] {
            let ($t, $c) = (self.0, self.0.load_tail(c));
            [$t.add(acc[0], $t.and($q, $c)), $t.add(acc[1], $second)]
        }

        #[inline(always)]
        fn join(self, a: [T::Acc; 2], b: [T::Acc; 2]) -> [T::Acc; 2] {
            [self.0.join(a[0], b[0]), self.0.join(a[1], b[1])]
        }
    };
}

impl<T: Counts> Arith for Jaccard<T> {
    two_counts!(|t, q, c| t.or(q, c));
    type Context = ();

    #[inline(always)]
    fn context(self, _query: &[u8]) {}

    #[inline(always)]
    fn finish(self, [shared, either]: [T::Acc; 2], (): ()) -> f32 {
        distance(self.0.sum(shared), self.0.sum(either))
    }
}

impl<T: Counts> Arith for JaccardRows<T> {
    two_counts!(|t, _q, c| c);
    /// The bits of the query.
    type Context = u32;

    #[inline(always)]
    fn context(self, query: &[u8]) -> u32 {
        ones(self.0, query)
    }

    #[inline(always)]
    fn finish(self, [shared, row]: [T::Acc; 2], query: u32) -> f32 {
        let shared = self.0.sum(shared);
        distance(shared, query.wrapping_add(self.0.sum(row)).wrapping_sub(shared))
    }

    #[inline(always)]
    fn finish4(self, [a, b, c, d]: [[T::Acc; 2]; 4], query: u32) -> [f32; 4] {
        let shared = self.0.sum4([a[0], b[0], c[0], d[0]]);
        let rows = self.0.sum4([a[1], b[1], c[1], d[1]]);
        self.0.distances(shared, either(query, rows, shared))
    }
}

/// The bits of either of the query and each of four rows.
#[inline(always)]
fn either(query: u32, rows: [u32; 4], shared: [u32; 4]) -> [u32; 4] {
    let mut either = [0; 4];
    for i in 0..4 {
        either[i] = query.wrapping_add(rows[i]).wrapping_sub(shared[i]);
    }
    either
}

impl<T: Counts> Arith for JaccardNorms<T> {
    bits!();
    type Value = f32;
    type Acc = T::Acc;
    type Context = ();

    #[inline(always)]
    fn context(self, _query: &[u8]) {}

    #[inline(always)]
    fn zero(self) -> T::Acc {
        self.0.zero()
    }

    #[inline(always)]
    fn step(self, acc: T::Acc, q: T::Reg, c: &T::Chunk) -> T::Acc {
        self.0.add(acc, self.0.and(q, self.0.load(c)))
    }

    #[inline(always)]
    fn step_tail(self, acc: T::Acc, q: T::Reg, c: &[u8]) -> T::Acc {
        self.0.add(acc, self.0.and(q, self.0.load_tail(c)))
    }

    #[inline(always)]
    fn join(self, a: T::Acc, b: T::Acc) -> T::Acc {
        self.0.join(a, b)
    }

    /// The bits shared: without the counts of both, no distance.
    #[inline(always)]
    fn finish(self, acc: T::Acc, (): ()) -> f32 {
        self.0.sum(acc) as f32
    }
}

impl<T: Counts> NormArith for JaccardNorms<T> {
    /// How many bits a vector has.
    type Norm = u32;

    #[inline(always)]
    fn finish_norms(self, acc: T::Acc, query: u32, row: u32) -> f32 {
        let shared = self.0.sum(acc);
        distance(shared, query.wrapping_add(row).wrapping_sub(shared))
    }

    #[inline(always)]
    fn finish4_norms(self, acc: [T::Acc; 4], query: u32, rows: &[u32; 4]) -> [f32; 4] {
        let shared = self.0.sum4(acc);
        self.0.distances(shared, either(query, *rows, shared))
    }
}

impl<T: Counts> Arith for Planes<T> {
    type Query = u8;
    type Code = u8;
    type Value = u32;
    /// 64 bytes of each plane.
    type QueryChunk = [u8; 256];
    type CodeChunk = [u8; 64];
    type Reg = [T::Piece; 4];
    type Acc = T::Acc;
    type Context = ();

    #[inline(always)]
    fn query_chunks(self, x: &[u8]) -> (&[[u8; 256]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn code_chunks(self, x: &[u8]) -> (&[[u8; 64]], &[u8]) {
        x.as_chunks()
    }

    #[inline(always)]
    fn load(self, x: &[u8; 256]) -> [T::Piece; 4] {
        let x = planes(x);
        let t = self.0;
        [t.piece(&x[0]), t.piece(&x[1]), t.piece(&x[2]), t.piece(&x[3])]
    }

    #[inline(always)]
    fn load_tail(self, x: &[u8]) -> [T::Piece; 4] {
        let t = self.0;
        let (low, high) = x.split_at(x.len() / 2);
        let (p0, p1) = low.split_at(low.len() / 2);
        let (p2, p3) = high.split_at(low.len() / 2);
        [t.piece_tail(p0), t.piece_tail(p1), t.piece_tail(p2), t.piece_tail(p3)]
    }

    #[inline(always)]
    fn context(self, _query: &[u8]) {}

    #[inline(always)]
    fn zero(self) -> T::Acc {
        self.0.zero()
    }

    #[inline(always)]
    fn step(self, acc: T::Acc, q: [T::Piece; 4], c: &[u8; 64]) -> T::Acc {
        self.0.add_planes(acc, &q, self.0.piece(c))
    }

    #[inline(always)]
    fn step_tail(self, acc: T::Acc, q: [T::Piece; 4], c: &[u8]) -> T::Acc {
        self.0.add_planes(acc, &q, self.0.piece_tail(c))
    }

    #[inline(always)]
    fn join(self, a: T::Acc, b: T::Acc) -> T::Acc {
        self.0.join(a, b)
    }

    #[inline(always)]
    fn finish(self, acc: T::Acc, (): ()) -> u32 {
        self.0.sum_planes(acc)
    }

    #[inline(always)]
    fn finish4(self, acc: [T::Acc; 4], (): ()) -> [u32; 4] {
        self.0.sum4_planes(acc)
    }

    #[inline(always)]
    fn prefetch(self, x: &u8) {
        self.0.prefetch(x);
    }
}
