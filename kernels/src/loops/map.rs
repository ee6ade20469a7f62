//! Vectors from vectors: the loops over a token, for any element-by-element formula.
//!
//! A tail shorter than a register is covered by a whole register that ends where the vector ends:
//! it computes some elements twice, to the same bits, and needs no masks. Only vectors shorter than
//! a register are padded.

use crate::isa::simd::Simd;
use crate::layout::RowsRef;

/// Registers of one turn.
const TURN: usize = 4;

/// The last whole register of a vector that has at least one.
#[inline(always)]
fn last<S: Simd>(s: S, x: &[f32]) -> S::V {
    match s.chunks(&x[x.len() - S::LANES..]).0 {
        [chunk, ..] => s.load(chunk),
        [] => s.zero(),
    }
}

/// Writes the last whole register of a vector that has at least one.
#[inline(always)]
fn store_last<S: Simd>(s: S, v: S::V, out: &mut [f32]) {
    let from = out.len() - S::LANES;
    if let [chunk, ..] = s.chunks_mut(&mut out[from..]).0 {
        s.store(v, chunk);
    }
}

/// Slices side by side, and the pattern of their elements.
macro_rules! zipped {
    ($a:ident) => {
        $a.iter()
    };
    ($a:ident $b:ident) => {
        $a.iter().zip($b)
    };
    ($a:ident $b:ident $c:ident) => {
        $a.iter().zip($b).zip($c)
    };
    (@each $a:ident) => {
        $a
    };
    (@each $a:ident $b:ident) => {
        ($a, $b)
    };
    (@each $a:ident $b:ident $c:ident) => {
        (($a, $b), $c)
    };
}

macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident $s:ident ($($x:ident)+; $($k:ident)?) $each:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Panics
        /// If an operand is shorter than `out`.
        #[inline(always)]
        pub(crate) fn $name<S: Simd>($s: S, $($x: &[f32],)+ $($k: f32,)? out: &mut [f32]) {
            let len = out.len();
            $(let $x = &$x[..len];)+
            $(let $k = $s.splat($k);)?
            if len < S::LANES {
                $(let $x = $s.load_partial($x);)+
                return $s.store_partial($each, out);
            }
            {
                $(let whole = $s.chunks($x).0; let $x = whole.as_chunks::<TURN>();)+
                let (turns, single) = $s.chunks_mut(out).0.as_chunks_mut::<TURN>();
                {
                    $(let $x = $x.0;)+
                    for (o, zipped!(@each $($x)+)) in turns.iter_mut().zip(zipped!($($x)+)) {
                        // Four results, then four stores: faster than a store after each.
                        let mut v = [$s.zero(); TURN];
                        for u in 0..TURN {
                            $(let $x = $s.load(&$x[u]);)+
                            v[u] = $each;
                        }
                        for u in 0..TURN {
                            $s.store(v[u], &mut o[u]);
                        }
                    }
                }
                $(let $x = $x.1;)+
                for (o, zipped!(@each $($x)+)) in single.iter_mut().zip(zipped!($($x)+)) {
                    $(let $x = $s.load($x);)+
                    $s.store($each, o);
                }
            }
            if !len.is_multiple_of(S::LANES) {
                $(let $x = last($s, $x);)+
                store_last($s, $each, out);
            }
        }
    )*};
}

maps! {
    /// `out = a - b`.
    sub s (a b;) s.sub(a, b);
    /// `out = a * k`.
    scale s (a; k) s.mul(a, k);
    /// `out = a * b + c`.
    fma s (a b c;) s.mul_add(a, b, c);
}

/// `y += k * x`.
///
/// # Panics
/// If `x` is shorter than `y`.
#[inline(always)]
pub(crate) fn axpy<S: Simd>(s: S, k: f32, x: &[f32], y: &mut [f32]) {
    let len = y.len();
    let x = &x[..len];
    let k = s.splat(k);
    if len < S::LANES {
        let sum = s.mul_add(k, s.load_partial(x), s.load_partial(y));
        return s.store_partial(sum, y);
    }
    // Computed before the loop changes what it reads; the elements it shares with the loop come to
    // the same bits.
    let end = s.mul_add(k, last(s, x), last(s, y));
    let (turns_x, single_x) = s.chunks(x).0.as_chunks::<TURN>();
    let (turns_y, single_y) = s.chunks_mut(y).0.as_chunks_mut::<TURN>();
    for (y, x) in turns_y.iter_mut().zip(turns_x) {
        let mut sum = [s.zero(); TURN];
        for u in 0..TURN {
            sum[u] = s.mul_add(k, s.load(&x[u]), s.load(&y[u]));
        }
        for u in 0..TURN {
            s.store(sum[u], &mut y[u]);
        }
    }
    for (y, x) in single_y.iter_mut().zip(single_x) {
        let sum = s.mul_add(k, s.load(x), s.load(y));
        s.store(sum, y);
    }
    store_last(s, end, y);
}

/// `out` = sum of `weights[i]` times row `i`: strips of `U` registers stay in registers over all
/// rows, so nothing is written but the result. For rows that lie in a cache.
///
/// # Panics
/// If the rows are shorter than `out`, or fewer than the weights.
#[inline(always)]
pub(crate) fn weighted_sum<S: Simd, const U: usize>(
    s: S,
    weights: &[f32],
    rows: RowsRef<'_, f32>,
    out: &mut [f32],
) {
    let len = out.len();
    let lanes = S::LANES;
    let mut at = 0;
    while len - at >= U * lanes {
        strip::<S, U, 1>(s, weights, rows, at, out);
        at += U * lanes;
    }
    // What is left is narrower, so more rows are under way at once: a multiply-add takes four
    // cycles, and eight of them must be in flight.
    while len - at >= 4 * lanes {
        strip::<S, 4, 2>(s, weights, rows, at, out);
        at += 4 * lanes;
    }
    while len - at >= lanes {
        strip::<S, 1, 4>(s, weights, rows, at, out);
        at += lanes;
    }
    if at < len && len >= lanes {
        strip::<S, 1, 4>(s, weights, rows, len - lanes, out);
    } else if at < len {
        let mut acc = s.zero();
        for (i, &w) in weights.iter().enumerate() {
            acc = s.mul_add(s.splat(w), s.load_partial(&rows.row(i)[..len]), acc);
        }
        s.store_partial(acc, out);
    }
}

/// `U` registers from element `at` on, over all rows, `R` of them at once.
#[inline(always)]
fn strip<S: Simd, const U: usize, const R: usize>(
    s: S,
    weights: &[f32],
    rows: RowsRef<'_, f32>,
    at: usize,
    out: &mut [f32],
) {
    let part = at..at + U * S::LANES;
    let (turns, single) = weights.as_chunks::<R>();
    let mut acc = [[s.zero(); U]; R];
    for (i, w) in turns.iter().enumerate() {
        for r in 0..R {
            add_row(s, w[r], &rows.row(R * i + r)[part.clone()], &mut acc[r]);
        }
    }
    for (i, &w) in single.iter().enumerate() {
        add_row(s, w, &rows.row(R * turns.len() + i)[part.clone()], &mut acc[0]);
    }
    let mut sum = acc[0];
    for part in &acc[1..] {
        for (sum, &part) in sum.iter_mut().zip(part) {
            *sum = s.add(*sum, part);
        }
    }
    if let Some(out) = s.chunks_mut(&mut out[part]).0.first_chunk_mut::<U>() {
        for u in 0..U {
            s.store(sum[u], &mut out[u]);
        }
    }
}

/// `acc += w * row`.
#[inline(always)]
fn add_row<S: Simd, const U: usize>(s: S, w: f32, row: &[f32], acc: &mut [S::V; U]) {
    let w = s.splat(w);
    if let Some(row) = s.chunks(row).0.first_chunk::<U>() {
        for u in 0..U {
            acc[u] = s.mul_add(w, s.load(&row[u]), acc[u]);
        }
    }
}

/// As [`weighted_sum`], four whole rows at a time onto `out`: it reads rows from end to end, as
/// memory likes it, and pays for it with a load and a store of `out` for every four.
///
/// # Panics
/// As [`weighted_sum`].
#[inline(always)]
pub(crate) fn weighted_sum_by_rows<S: Simd>(
    s: S,
    weights: &[f32],
    rows: RowsRef<'_, f32>,
    out: &mut [f32],
) {
    let len = out.len();
    if len < S::LANES {
        return weighted_sum::<S, 8>(s, weights, rows, out);
    }
    out.fill(0.0);
    let (turns, single) = weights.as_chunks::<4>();
    for (i, w) in turns.iter().enumerate() {
        let four = [
            &rows.row(4 * i)[..len],
            &rows.row(4 * i + 1)[..len],
            &rows.row(4 * i + 2)[..len],
            &rows.row(4 * i + 3)[..len],
        ];
        add_four(s, w, four, out);
    }
    for (i, &w) in single.iter().enumerate() {
        axpy(s, w, rows.row(4 * turns.len() + i), out);
    }
}

/// `out` += four rows with a weight each.
#[inline(always)]
fn add_four<S: Simd>(s: S, w: &[f32; 4], rows: [&[f32]; 4], out: &mut [f32]) {
    let w = [s.splat(w[0]), s.splat(w[1]), s.splat(w[2]), s.splat(w[3])];
    let end = {
        let low =
            s.mul_add(w[1], last(s, rows[1]), s.mul_add(w[0], last(s, rows[0]), last(s, out)));
        s.mul_add(w[3], last(s, rows[3]), s.mul_add(w[2], last(s, rows[2]), low))
    };
    let (r0, r1, r2, r3) =
        (s.chunks(rows[0]).0, s.chunks(rows[1]).0, s.chunks(rows[2]).0, s.chunks(rows[3]).0);
    let whole = s.chunks_mut(out).0;
    for ((((o, x0), x1), x2), x3) in whole.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
        let low = s.mul_add(w[1], s.load(x1), s.mul_add(w[0], s.load(x0), s.load(o)));
        s.store(s.mul_add(w[3], s.load(x3), s.mul_add(w[2], s.load(x2), low)), o);
    }
    store_last(s, end, out);
}
