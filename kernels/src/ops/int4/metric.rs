//! Metrics over the 32-bit sums of a level's registers. Everything is computed modulo 2^32.

use crate::isa::int4::Nibbles;

/// A metric as a step on a register of the row and the two of the query that belong to it.
pub(crate) trait Metric: 'static {
    /// What is accumulated.
    type Acc<S: Nibbles>: Copy;
    /// The value where the query is signed.
    type Signed: Copy + 'static;
    /// What the step wants of the query's values at even and odd places.
    fn prepare<S: Nibbles>(s: S, even: S::V, odd: S::V) -> [S::V; 2];
    /// Nothing accumulated.
    fn zero<S: Nibbles>(s: S) -> Self::Acc<S>;
    /// One more register of the row.
    fn step<S: Nibbles>(s: S, acc: Self::Acc<S>, q: [S::V; 2], codes: S::V) -> Self::Acc<S>;
    /// Both.
    fn join<S: Nibbles>(s: S, a: Self::Acc<S>, b: Self::Acc<S>) -> Self::Acc<S>;
    /// As 32-bit sums.
    fn sums<S: Nibbles>(s: S, acc: Self::Acc<S>) -> S::V;
    /// Whether the value also needs the sum of the query's squares.
    const SQUARES: bool;
    /// The sum as a value.
    fn signed(sum: i32) -> Self::Signed;
}

/// The inner product.
pub(crate) struct Dot;

/// The squared distance, where both norms are cached: the arithmetic of [`Dot`].
pub(crate) struct L2Norms;

macro_rules! dot {
    ($($name:ident $signed:ty;)*) => {$(
        impl Metric for $name {
            type Acc<S: Nibbles> = S::Dot;
            type Signed = $signed;
            const SQUARES: bool = false;

            #[inline(always)]
            fn prepare<S: Nibbles>(_s: S, even: S::V, odd: S::V) -> [S::V; 2] {
                [even, odd]
            }

            #[inline(always)]
            fn zero<S: Nibbles>(s: S) -> S::Dot {
                s.no_dot()
            }

            #[inline(always)]
            fn step<S: Nibbles>(s: S, acc: S::Dot, q: [S::V; 2], codes: S::V) -> S::Dot {
                s.dot(acc, codes, q[0], q[1])
            }

            #[inline(always)]
            fn join<S: Nibbles>(s: S, a: S::Dot, b: S::Dot) -> S::Dot {
                s.join_dot(a, b)
            }

            #[inline(always)]
            fn sums<S: Nibbles>(s: S, acc: S::Dot) -> S::V {
                s.dot_sums(acc)
            }

            #[inline(always)]
            fn signed(sum: i32) -> $signed {
                sum as $signed
            }
        }
    )*};
}

dot! {
    Dot i32;
    L2Norms u32;
}

/// What the two squared distances of codes have in common.
macro_rules! one_register {
    () => {
        type Acc<S: Nibbles> = S::V;
        type Signed = u32;

        #[inline(always)]
        fn zero<S: Nibbles>(s: S) -> S::V {
            s.zero()
        }

        #[inline(always)]
        fn join<S: Nibbles>(s: S, a: S::V, b: S::V) -> S::V {
            s.add(a, b)
        }

        #[inline(always)]
        fn sums<S: Nibbles>(_s: S, acc: S::V) -> S::V {
            acc
        }

        #[inline(always)]
        fn signed(sum: i32) -> u32 {
            sum as u32
        }
    };
}

/// The squared distance of two codes, as it is written: nothing depends on the query alone.
pub(crate) struct L2Pair;

impl Metric for L2Pair {
    one_register!();
    const SQUARES: bool = false;

    #[inline(always)]
    fn prepare<S: Nibbles>(_s: S, even: S::V, odd: S::V) -> [S::V; 2] {
        [even, odd]
    }

    #[inline(always)]
    fn step<S: Nibbles>(s: S, acc: S::V, q: [S::V; 2], codes: S::V) -> S::V {
        let even = s.abs_diff(s.low(codes), q[0]);
        let odd = s.abs_diff(s.high(codes), q[1]);
        s.products(acc, [even, even], [odd, odd])
    }
}

/// The squared distance of two codes as `c (c - 2 q)` and the query's squares, which a scan adds up
/// once: a subtraction less for each register.
pub(crate) struct L2Rows;

impl Metric for L2Rows {
    one_register!();
    const SQUARES: bool = true;

    #[inline(always)]
    fn prepare<S: Nibbles>(s: S, even: S::V, odd: S::V) -> [S::V; 2] {
        [s.double(even), s.double(odd)]
    }

    #[inline(always)]
    fn step<S: Nibbles>(s: S, acc: S::V, q: [S::V; 2], codes: S::V) -> S::V {
        let (low, high) = (s.low(codes), s.high(codes));
        s.products(acc, [low, s.sub(low, q[0])], [high, s.sub(high, q[1])])
    }
}

/// The squared distance to a query of signed bytes: `c c`, `q c` and the query's squares.
pub(crate) struct L2Signed;

impl Metric for L2Signed {
    /// Products with the query, squares of the codes.
    type Acc<S: Nibbles> = [S::V; 2];
    type Signed = u32;
    const SQUARES: bool = true;

    #[inline(always)]
    fn prepare<S: Nibbles>(_s: S, even: S::V, odd: S::V) -> [S::V; 2] {
        [even, odd]
    }

    #[inline(always)]
    fn zero<S: Nibbles>(s: S) -> [S::V; 2] {
        [s.zero(), s.zero()]
    }

    #[inline(always)]
    fn step<S: Nibbles>(s: S, acc: [S::V; 2], q: [S::V; 2], codes: S::V) -> [S::V; 2] {
        let (low, high) = (s.low(codes), s.high(codes));
        [
            s.products(acc[0], [low, q[0]], [high, q[1]]),
            s.products(acc[1], [low, low], [high, high]),
        ]
    }

    #[inline(always)]
    fn join<S: Nibbles>(s: S, a: [S::V; 2], b: [S::V; 2]) -> [S::V; 2] {
        [s.add(a[0], b[0]), s.add(a[1], b[1])]
    }

    #[inline(always)]
    fn sums<S: Nibbles>(s: S, acc: [S::V; 2]) -> S::V {
        s.minus_twice(acc[1], acc[0])
    }

    #[inline(always)]
    fn signed(sum: i32) -> u32 {
        sum as u32
    }
}
