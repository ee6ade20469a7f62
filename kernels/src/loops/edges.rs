//! The energies of a graph's edges: a weight times the squared distance of the edge's two rows.
//! Neither the differences nor anything else is written but the energies.

use crate::isa::simd::Simd;
use crate::layout::RowsRef;

/// Cache lines asked for of a row.
const LINES: usize = 8;

/// `per_edge[i] = weights[i] * |x_s - x_t|^2` for `edges[i] = (s, t)`; returns the sum. Four edges
/// at a time share one reduction over lanes. `PF` asks for the rows of the next four meanwhile.
///
/// # Panics
/// If an edge names no row.
#[inline(always)]
pub(crate) fn energies<S: Simd, const U: usize, const PF: bool>(
    s: S,
    rows: RowsRef<'_, f32>,
    edges: &[(u32, u32)],
    weights: &[f32],
    per_edge: &mut [f32],
) -> f32 {
    let (turns, single) = edges.as_chunks::<4>();
    let (turns_w, single_w) = weights.as_chunks::<4>();
    let (turns_out, single_out) = per_edge.as_chunks_mut::<4>();
    // One sum of doubles a lane: thousands of edges lose nothing, and no addition waits for another.
    let mut total = [0.0f64; 4];
    for (i, ((e, w), out)) in turns.iter().zip(turns_w).zip(turns_out).enumerate() {
        if PF && let Some(next) = turns.get(i + 1) {
            ask_for(s, rows, next);
        }
        let sums = four::<S, U>(s, rows, e);
        for j in 0..4 {
            out[j] = w[j] * sums[j];
            total[j] += f64::from(out[j]);
        }
    }
    for ((&(a, b), &w), out) in single.iter().zip(single_w).zip(single_out) {
        let distance = one(s, rows.row(a as usize), rows.row(b as usize));
        *out = w * distance;
        total[0] += f64::from(*out);
    }
    ((total[0] + total[1]) + (total[2] + total[3])) as f32
}

/// Squared distances of four pairs.
#[inline(always)]
fn four<S: Simd, const U: usize>(
    s: S,
    rows: RowsRef<'_, f32>,
    &[e0, e1, e2, e3]: &[(u32, u32); 4],
) -> [f32; 4] {
    let (p0, p1, p2, p3) = (ends(rows, e0), ends(rows, e1), ends(rows, e2), ends(rows, e3));
    let mut acc = [[s.zero(); U]; 4];
    let (a0, b0, a1, b1) = (s.chunks(p0.0), s.chunks(p0.1), s.chunks(p1.0), s.chunks(p1.1));
    let (a2, b2, a3, b3) = (s.chunks(p2.0), s.chunks(p2.1), s.chunks(p3.0), s.chunks(p3.1));
    let (ga0, gb0) = (a0.0.as_chunks::<U>(), b0.0.as_chunks::<U>());
    let (ga1, gb1) = (a1.0.as_chunks::<U>(), b1.0.as_chunks::<U>());
    let (ga2, gb2) = (a2.0.as_chunks::<U>(), b2.0.as_chunks::<U>());
    let (ga3, gb3) = (a3.0.as_chunks::<U>(), b3.0.as_chunks::<U>());
    let low = ga0.0.iter().zip(gb0.0).zip(ga1.0).zip(gb1.0);
    let all = low.zip(ga2.0).zip(gb2.0).zip(ga3.0).zip(gb3.0);
    for (((((((x0, y0), x1), y1), x2), y2), x3), y3) in all {
        for u in 0..U {
            acc[0][u] = step(s, acc[0][u], &x0[u], &y0[u]);
            acc[1][u] = step(s, acc[1][u], &x1[u], &y1[u]);
            acc[2][u] = step(s, acc[2][u], &x2[u], &y2[u]);
            acc[3][u] = step(s, acc[3][u], &x3[u], &y3[u]);
        }
    }
    let low = ga0.1.iter().zip(gb0.1).zip(ga1.1).zip(gb1.1);
    let all = low.zip(ga2.1).zip(gb2.1).zip(ga3.1).zip(gb3.1);
    for (((((((x0, y0), x1), y1), x2), y2), x3), y3) in all {
        acc[0][0] = step(s, acc[0][0], x0, y0);
        acc[1][0] = step(s, acc[1][0], x1, y1);
        acc[2][0] = step(s, acc[2][0], x2, y2);
        acc[3][0] = step(s, acc[3][0], x3, y3);
    }
    if !a0.1.is_empty() {
        acc[0][U - 1] = step_tail(s, acc[0][U - 1], a0.1, b0.1);
        acc[1][U - 1] = step_tail(s, acc[1][U - 1], a1.1, b1.1);
        acc[2][U - 1] = step_tail(s, acc[2][U - 1], a2.1, b2.1);
        acc[3][U - 1] = step_tail(s, acc[3][U - 1], a3.1, b3.1);
    }
    for u in 1..U {
        acc[0][0] = s.add(acc[0][0], acc[0][u]);
        acc[1][0] = s.add(acc[1][0], acc[1][u]);
        acc[2][0] = s.add(acc[2][0], acc[2][u]);
        acc[3][0] = s.add(acc[3][0], acc[3][u]);
    }
    s.sum4([acc[0][0], acc[1][0], acc[2][0], acc[3][0]])
}

/// The two rows of an edge.
#[inline(always)]
fn ends(rows: RowsRef<'_, f32>, (a, b): (u32, u32)) -> (&[f32], &[f32]) {
    (rows.row(a as usize), rows.row(b as usize))
}

/// The squared distance of one pair.
#[inline(always)]
fn one<S: Simd>(s: S, a: &[f32], b: &[f32]) -> f32 {
    let ((whole_a, tail_a), (whole_b, tail_b)) = (s.chunks(a), s.chunks(b));
    let mut acc = s.zero();
    for (x, y) in whole_a.iter().zip(whole_b) {
        acc = step(s, acc, x, y);
    }
    if !tail_a.is_empty() {
        acc = step_tail(s, acc, tail_a, tail_b);
    }
    s.sum(acc)
}

#[inline(always)]
fn step<S: Simd>(s: S, acc: S::V, x: &S::Chunk, y: &S::Chunk) -> S::V {
    let d = s.sub(s.load(x), s.load(y));
    s.mul_add(d, d, acc)
}

#[inline(always)]
fn step_tail<S: Simd>(s: S, acc: S::V, x: &[f32], y: &[f32]) -> S::V {
    let d = s.sub(s.load_partial(x), s.load_partial(y));
    s.mul_add(d, d, acc)
}

/// Asks for the first cache lines of both rows of four edges.
#[inline(always)]
fn ask_for<S: Simd>(s: S, rows: RowsRef<'_, f32>, edges: &[(u32, u32); 4]) {
    for &(a, b) in edges {
        let (a, b) = (rows.row(a as usize), rows.row(b as usize));
        for (x, y) in a.iter().step_by(16).zip(b.iter().step_by(16)).take(LINES) {
            s.prefetch(x);
            s.prefetch(y);
        }
    }
}
