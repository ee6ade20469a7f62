//! Metrics by `vpdpbusd`: which products, and what corrects their bias. Safe code over a token.

use super::super::metric::{cosine, cosine4, unsigned4};
use super::super::{Byte, Cosine, Dot, L2Sq, Rows};
use super::{Forms, V};
use crate::isa::tokens::Avx512Vnni;

/// A metric by `vpdpbusd`.
pub(crate) trait Biased: Copy + 'static {
    /// The value.
    type Value<E: Byte>: Copy + 'static;
    /// Its sums, still spread over lanes.
    type Acc: Copy;
    /// What depends on the query alone.
    type Context: Copy;
    fn context<E: Byte>(t: Avx512Vnni, query: &[E]) -> Self::Context;
    fn zero(t: Avx512Vnni) -> Self::Acc;
    fn step<E: Byte>(t: Avx512Vnni, acc: Self::Acc, q: Forms, c: Forms) -> Self::Acc;
    fn join(t: Avx512Vnni, a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn finish<E: Byte>(t: Avx512Vnni, acc: Self::Acc, context: Self::Context) -> Self::Value<E>;
    fn finish4<E: Byte>(
        t: Avx512Vnni,
        acc: [Self::Acc; 4],
        context: Self::Context,
    ) -> [Self::Value<E>; 4];
}

/// Four times `finish`: pairs have no four rows.
macro_rules! each {
    ($value:ty) => {
        #[inline(always)]
        fn finish4<E: Byte>(t: Avx512Vnni, acc: [Self::Acc; 4], (): ()) -> [$value; 4] {
            [
                Self::finish::<E>(t, acc[0], ()),
                Self::finish::<E>(t, acc[1], ()),
                Self::finish::<E>(t, acc[2], ()),
                Self::finish::<E>(t, acc[3], ()),
            ]
        }
    };
}

/// Products, and the query's bias in the same pass.
impl Biased for Dot {
    type Value<E: Byte> = E::Dot;
    type Acc = [V; 2];
    type Context = ();

    #[inline(always)]
    fn context<E: Byte>(_: Avx512Vnni, _: &[E]) {}

    #[inline(always)]
    fn zero(t: Avx512Vnni) -> [V; 2] {
        [t.zero(); 2]
    }

    #[inline(always)]
    fn step<E: Byte>(t: Avx512Vnni, acc: [V; 2], q: Forms, c: Forms) -> [V; 2] {
        [t.cross::<E>(acc[0], q, c), t.bias::<E>(acc[1], q)]
    }

    #[inline(always)]
    fn join(t: Avx512Vnni, a: [V; 2], b: [V; 2]) -> [V; 2] {
        [t.add(a[0], b[0]), t.add(a[1], b[1])]
    }

    #[inline(always)]
    fn finish<E: Byte>(t: Avx512Vnni, acc: [V; 2], (): ()) -> E::Dot {
        E::dot(t.sum(t.sub(acc[0], acc[1])))
    }

    each! { E::Dot }
}

/// The query's bias known.
impl Biased for Rows<Dot> {
    type Value<E: Byte> = E::Dot;
    type Acc = V;
    type Context = i32;

    #[inline(always)]
    fn context<E: Byte>(t: Avx512Vnni, query: &[E]) -> i32 {
        t.over::<E, false>(query)
    }

    #[inline(always)]
    fn zero(t: Avx512Vnni) -> V {
        t.zero()
    }

    #[inline(always)]
    fn step<E: Byte>(t: Avx512Vnni, acc: V, q: Forms, c: Forms) -> V {
        t.cross::<E>(acc, q, c)
    }

    #[inline(always)]
    fn join(t: Avx512Vnni, a: V, b: V) -> V {
        t.add(a, b)
    }

    #[inline(always)]
    fn finish<E: Byte>(t: Avx512Vnni, acc: V, bias: i32) -> E::Dot {
        E::dot(t.sum(acc).wrapping_sub(bias))
    }

    #[inline(always)]
    fn finish4<E: Byte>(t: Avx512Vnni, acc: [V; 4], bias: i32) -> [E::Dot; 4] {
        let [a, b, c, d] = less(t.sum4(acc), bias);
        [E::dot(a), E::dot(b), E::dot(c), E::dot(d)]
    }
}

#[inline(always)]
fn less(mut sums: [i32; 4], bias: i32) -> [i32; 4] {
    for sum in &mut sums {
        *sum = sum.wrapping_sub(bias);
    }
    sums
}

/// `U(a) S(a) + U(b) S(b)` and, apart, `U(a) S(b) + U(b) S(a)`.
impl Biased for L2Sq {
    type Value<E: Byte> = u32;
    type Acc = [V; 2];
    type Context = ();

    #[inline(always)]
    fn context<E: Byte>(_: Avx512Vnni, _: &[E]) {}

    #[inline(always)]
    fn zero(t: Avx512Vnni) -> [V; 2] {
        [t.zero(); 2]
    }

    #[inline(always)]
    fn step<E: Byte>(t: Avx512Vnni, [plus, minus]: [V; 2], q: Forms, c: Forms) -> [V; 2] {
        let plus = t.products(plus, q.unsigned, q.signed);
        let minus = t.products(minus, q.unsigned, c.signed);
        [t.products(plus, c.unsigned, c.signed), t.products(minus, c.unsigned, q.signed)]
    }

    #[inline(always)]
    fn join(t: Avx512Vnni, a: [V; 2], b: [V; 2]) -> [V; 2] {
        [t.add(a[0], b[0]), t.add(a[1], b[1])]
    }

    #[inline(always)]
    fn finish<E: Byte>(t: Avx512Vnni, acc: [V; 2], (): ()) -> u32 {
        t.sum(t.sub(acc[0], acc[1])).cast_unsigned()
    }

    each! { u32 }
}

/// `U(q) S(q)` known.
impl Biased for Rows<L2Sq> {
    type Value<E: Byte> = u32;
    type Acc = [V; 2];
    type Context = i32;

    #[inline(always)]
    fn context<E: Byte>(t: Avx512Vnni, query: &[E]) -> i32 {
        t.over::<E, true>(query)
    }

    #[inline(always)]
    fn zero(t: Avx512Vnni) -> [V; 2] {
        [t.zero(); 2]
    }

    #[inline(always)]
    fn step<E: Byte>(t: Avx512Vnni, [plus, minus]: [V; 2], q: Forms, c: Forms) -> [V; 2] {
        let minus = t.products(minus, q.unsigned, c.signed);
        [t.products(plus, c.unsigned, c.signed), t.products(minus, c.unsigned, q.signed)]
    }

    #[inline(always)]
    fn join(t: Avx512Vnni, a: [V; 2], b: [V; 2]) -> [V; 2] {
        [t.add(a[0], b[0]), t.add(a[1], b[1])]
    }

    #[inline(always)]
    fn finish<E: Byte>(t: Avx512Vnni, acc: [V; 2], own: i32) -> u32 {
        t.sum(t.sub(acc[0], acc[1])).wrapping_add(own).cast_unsigned()
    }

    #[inline(always)]
    fn finish4<E: Byte>(t: Avx512Vnni, [a, b, c, d]: [[V; 2]; 4], own: i32) -> [u32; 4] {
        let rows = [t.sub(a[0], a[1]), t.sub(b[0], b[1]), t.sub(c[0], c[1]), t.sub(d[0], d[1])];
        unsigned4(less(t.sum4(rows), own.wrapping_neg()))
    }
}

/// Three products and two biases.
impl Biased for Cosine {
    type Value<E: Byte> = f32;
    type Acc = [V; 5];
    type Context = ();

    #[inline(always)]
    fn context<E: Byte>(_: Avx512Vnni, _: &[E]) {}

    #[inline(always)]
    fn zero(t: Avx512Vnni) -> [V; 5] {
        [t.zero(); 5]
    }

    #[inline(always)]
    fn step<E: Byte>(t: Avx512Vnni, acc: [V; 5], q: Forms, c: Forms) -> [V; 5] {
        [
            t.cross::<E>(acc[0], q, c),
            t.cross::<E>(acc[1], q, q),
            t.cross::<E>(acc[2], c, c),
            t.bias::<E>(acc[3], q),
            t.bias::<E>(acc[4], c),
        ]
    }

    #[inline(always)]
    fn join(t: Avx512Vnni, a: [V; 5], b: [V; 5]) -> [V; 5] {
        [
            t.add(a[0], b[0]),
            t.add(a[1], b[1]),
            t.add(a[2], b[2]),
            t.add(a[3], b[3]),
            t.add(a[4], b[4]),
        ]
    }

    #[inline(always)]
    fn finish<E: Byte>(t: Avx512Vnni, [xy, xx, yy, x, y]: [V; 5], (): ()) -> f32 {
        let (xy, xx, yy) = (t.sub(xy, x), t.sub(xx, x), t.sub(yy, y));
        let [xy, xx, yy, _] = t.sum4([xy, xx, yy, yy]);
        cosine::<E>(xy, xx, yy)
    }

    each! { f32 }
}

/// The query's norm and bias known.
impl Biased for Rows<Cosine> {
    type Value<E: Byte> = f32;
    type Acc = [V; 3];
    /// The squared norm, and the bias.
    type Context = [i32; 2];

    #[inline(always)]
    fn context<E: Byte>(t: Avx512Vnni, query: &[E]) -> [i32; 2] {
        let bias = t.over::<E, false>(query);
        let norm = t.over::<E, true>(query);
        [norm.wrapping_sub(bias), bias]
    }

    #[inline(always)]
    fn zero(t: Avx512Vnni) -> [V; 3] {
        [t.zero(); 3]
    }

    #[inline(always)]
    fn step<E: Byte>(t: Avx512Vnni, acc: [V; 3], q: Forms, c: Forms) -> [V; 3] {
        [t.cross::<E>(acc[0], q, c), t.cross::<E>(acc[1], c, c), t.bias::<E>(acc[2], c)]
    }

    #[inline(always)]
    fn join(t: Avx512Vnni, a: [V; 3], b: [V; 3]) -> [V; 3] {
        [t.add(a[0], b[0]), t.add(a[1], b[1]), t.add(a[2], b[2])]
    }

    #[inline(always)]
    fn finish<E: Byte>(t: Avx512Vnni, [xy, yy, y]: [V; 3], [xx, x]: [i32; 2]) -> f32 {
        cosine::<E>(t.sum(xy).wrapping_sub(x), xx, t.sum(t.sub(yy, y)))
    }

    #[inline(always)]
    fn finish4<E: Byte>(t: Avx512Vnni, [a, b, c, d]: [[V; 3]; 4], [xx, x]: [i32; 2]) -> [f32; 4] {
        let xy = less(t.sum4([a[0], b[0], c[0], d[0]]), x);
        let yy = [t.sub(a[1], a[2]), t.sub(b[1], b[2]), t.sub(c[1], c[2]), t.sub(d[1], d[2])];
        cosine4::<E>(xy, xx, t.sum4(yy))
    }
}
