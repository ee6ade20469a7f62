//! Many queries against many rows: a matrix product whose operands need no preparation.
//!
//! A panel of `W` registers of queries is turned so that a lane is a query; then `R` rows at a
//! time are broadcast element by element against it, `W R` sums in registers. Few elements are
//! turned (the queries', once), and results are turned back four lanes at a time on their way out.
//!
//! The value of a pair is summed in one order whatever stands beside it: one after the other within
//! 128 elements, two such sums joined, and those (256 elements) in turn. Panels of one register and
//! rows that repeat at an end change nothing of that.

use super::arith::Arith;
use super::lanes::{LaneArith, Reg};
use super::pair::pair;
use crate::isa::simd::Simd;
use crate::layout::RowsRef;

/// Elements of a panel, and of the products of one chunk of rows: half a first-level cache each.
const ROOM: usize = 8192;

/// Elements of a sum in registers.
const SHORT: usize = 128;

/// Elements of the dimension in one panel.
const DEPTH: usize = 2 * SHORT;

/// Lanes of the widest panel.
const LANES: usize = ROOM / DEPTH;

/// What becomes of the products of a panel and a chunk of rows.
trait Sink<A: LaneArith> {
    /// Product of row `r` and the lanes of register `w` at `r * width + w` of `products`; the
    /// lanes are queries from `query` on, `live` of them, and the rows are those from `row` on.
    fn take(&mut self, a: A, width: usize, products: &mut [f32], query: Part, row: Part);
}

/// A part of the queries or rows.
#[derive(Clone, Copy)]
struct Part {
    from: usize,
    len: usize,
}

/// Every pair, one by one: what a tile must beat.
#[inline(always)]
pub(crate) fn pairs<P>(p: P, queries: RowsRef<'_, f32>, rows: RowsRef<'_, f32>, out: &mut [f32])
where
    P: Arith<Query = f32, Code = f32, Value = f32>,
{
    for (q, out) in out.chunks_exact_mut(rows.len().max(1)).enumerate() {
        for (r, o) in out.iter_mut().enumerate() {
            *o = pair::<P, 4>(p, queries.row(q), rows.row(r));
        }
    }
}

/// `out[q * rows + r]` for every query and row.
#[inline(always)]
pub(crate) fn tile<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    queries: RowsRef<'_, f32>,
    rows: RowsRef<'_, f32>,
    out: &mut [f32],
) {
    each_panel::<A, W, R>(a, queries, rows, &mut Store { out, stride: rows.len() });
}

/// As [`tile`] for an inner product, turned into squared distances by norms that are known.
#[inline(always)]
pub(crate) fn tile_norms<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    queries: RowsRef<'_, f32>,
    query_norms: &[f32],
    rows: RowsRef<'_, f32>,
    norms: &[f32],
    out: &mut [f32],
) {
    let store = Store { out, stride: rows.len() };
    each_panel::<A, W, R>(a, queries, rows, &mut Distances { query_norms, norms, store });
}

/// The nearest of `centroids` to each row, by inner products and norms; then its value by `p`.
#[inline(always)]
pub(crate) fn assign<A: LaneArith, P, const W: usize, const R: usize>(
    (a, p): (A, P),
    rows: RowsRef<'_, f32>,
    centroids: RowsRef<'_, f32>,
    norms: &[f32],
    ids: &mut [u32],
    values: &mut [f32],
) where
    P: Arith<Query = f32, Code = f32, Value = f32>,
{
    let best = [[f32::INFINITY; LANES], [0.0; LANES]];
    each_panel::<A, W, R>(a, rows, centroids, &mut Nearest { norms, best, ids: &mut *ids });
    for (i, (&id, value)) in ids.iter().zip(values).enumerate() {
        *value = pair::<P, 4>(p, rows.row(i), centroids.row(id as usize));
    }
}

/// Panels of `W` registers of queries, and a last one of a single register where that is enough.
#[inline(always)]
fn each_panel<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    queries: RowsRef<'_, f32>,
    rows: RowsRef<'_, f32>,
    sink: &mut impl Sink<A>,
) {
    let lanes = A::S::LANES;
    debug_assert!(W * lanes <= LANES);
    let (mut panel, mut products) = ([0.0f32; ROOM], [0.0f32; ROOM]);
    let mut from = 0;
    while from < queries.len() {
        let left = queries.len() - from;
        let query = Part { from, len: left.min(W * lanes) };
        if left <= lanes && W > 1 {
            one_panel::<A, 1, 8>(a, queries, query, rows, &mut panel, &mut products, sink);
        } else {
            one_panel::<A, W, R>(a, queries, query, rows, &mut panel, &mut products, sink);
        }
        from += query.len;
    }
}

/// One panel of queries against all rows, chunk by chunk of rows.
#[inline(always)]
fn one_panel<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    queries: RowsRef<'_, f32>,
    query: Part,
    rows: RowsRef<'_, f32>,
    panel: &mut [f32; ROOM],
    products: &mut [f32; ROOM],
    sink: &mut impl Sink<A>,
) {
    let (dim, width) = (queries.dim(), W * A::S::LANES);
    let most = ROOM / width / R * R;
    let mut packed = false;
    let mut from = 0;
    while from < rows.len() {
        let row = Part { from, len: most.min(rows.len() - from) };
        let mut start = 0;
        loop {
            let depth = Part { from: start, len: DEPTH.min(dim - start) };
            // A short dimension is one panel for all rows.
            if !packed {
                pack::<A::S, W>(a.token(), queries, query, depth, panel);
                packed = dim <= DEPTH;
            }
            multiply::<A, W, R>(a, panel, depth, rows, row, products);
            start += depth.len;
            if start >= dim {
                break;
            }
        }
        sink.take(a, W, products, query, row);
        from += row.len;
    }
}

/// Turns queries into a panel: element `d` of all of them side by side.
#[inline(always)]
fn pack<S: Simd, const W: usize>(
    s: S,
    queries: RowsRef<'_, f32>,
    query: Part,
    depth: Part,
    panel: &mut [f32; ROOM],
) {
    let fours = panel.as_chunks_mut::<4>().0;
    let across = W * S::LANES / 4;
    // Lanes behind the last query keep what they have: nobody reads what becomes of them.
    for g in 0..query.len.div_ceil(4) {
        let row = |i: usize| {
            let row = queries.row(query.from + (4 * g + i).min(query.len - 1));
            &row[depth.from..depth.from + depth.len]
        };
        let ((c0, t0), (c1, t1)) = (s.chunks(row(0)), s.chunks(row(1)));
        let ((c2, t2), (c3, t3)) = (s.chunks(row(2)), s.chunks(row(3)));
        let mut d = 0;
        for (((x0, x1), x2), x3) in c0.iter().zip(c1).zip(c2).zip(c3) {
            let turned = s.turn4([s.load(x0), s.load(x1), s.load(x2), s.load(x3)]);
            for k in 0..S::LANES / 4 {
                for j in 0..4 {
                    fours[(d + 4 * k + j) * across + g] = s.quarter(turned[j], k);
                }
            }
            d += S::LANES;
        }
        for i in 0..t0.len().min(t1.len()).min(t2.len()).min(t3.len()) {
            fours[(d + i) * across + g] = [t0[i], t1[i], t2[i], t3[i]];
        }
    }
}

/// The products of a panel and rows over the panel's depth: written, or added to those before.
#[inline(always)]
fn multiply<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    panel: &[f32; ROOM],
    depth: Part,
    rows: RowsRef<'_, f32>,
    row: Part,
    products: &mut [f32; ROOM],
) {
    let s = a.token();
    let columns = s.chunks(panel).0.as_chunks::<W>().0;
    let columns = &columns[..depth.len];
    let sums = s.chunks_mut(products).0.as_chunks_mut::<W>().0;
    let mut r = 0;
    while r < row.len {
        let mut part: [&[f32]; R] = [&[]; R];
        for (i, part) in part.iter_mut().enumerate() {
            // The last row again where there are too few: its sums go to places nobody reads.
            let row = rows.row(row.from + (r + i).min(row.len - 1));
            *part = &row[depth.from..depth.from + depth.len];
        }
        let total = block::<A, W, R>(a, columns, part);
        let sums = &mut sums[r..r + R];
        for i in 0..R {
            for w in 0..W {
                let mut sum = a.first(total[i][w]);
                if depth.from > 0 {
                    sum = s.add(s.load(&sums[i][w]), sum);
                }
                s.store(sum, &mut sums[i][w]);
            }
        }
        r += R;
    }
}

/// `W` registers of queries against `R` rows.
#[inline(always)]
fn block<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    columns: &[[<A::S as Simd>::Chunk; W]],
    rows: [&[f32]; R],
) -> [[A::Acc; W]; R] {
    let s = a.token();
    let mut total = [[a.zero(); W]; R];
    for (part, columns) in columns.chunks(SHORT).enumerate() {
        let n = columns.len();
        let mut y = rows;
        for y in &mut y {
            *y = &y[part * SHORT..part * SHORT + n];
        }
        let mut acc = [[a.zero(); W]; R];
        for d in 0..n {
            let mut x: [Reg<A>; W] = [s.zero(); W];
            for w in 0..W {
                x[w] = s.load(&columns[d][w]);
            }
            for i in 0..R {
                let y = s.splat(y[i][d]);
                for w in 0..W {
                    acc[i][w] = a.step(acc[i][w], x[w], y);
                }
            }
        }
        for i in 0..R {
            for w in 0..W {
                total[i][w] = a.join(total[i][w], acc[i][w]);
            }
        }
    }
    total
}

/// Products go out as they are.
struct Store<'a> {
    out: &'a mut [f32],
    stride: usize,
}

impl<A: LaneArith> Sink<A> for Store<'_> {
    #[inline(always)]
    fn take(&mut self, a: A, width: usize, products: &mut [f32], query: Part, row: Part) {
        let (s, lanes) = (a.token(), A::S::LANES);
        let products = s.chunks(products).0;
        for w in 0..width {
            let live = query.len.saturating_sub(w * lanes).min(lanes);
            let first = query.from + w * lanes;
            for r in (0..row.len).step_by(4) {
                let m = (row.len - r).min(4);
                let at = |i: usize| s.load(&products[(r + i.min(m - 1)) * width + w]);
                let turned = s.turn4([at(0), at(1), at(2), at(3)]);
                for k in 0..lanes / 4 {
                    for j in 0..4 {
                        let four = s.quarter(turned[j], k);
                        if 4 * k + j < live {
                            let to = (first + 4 * k + j) * self.stride + row.from + r;
                            if m == 4 {
                                self.out[to..to + 4].copy_from_slice(&four);
                            } else {
                                self.out[to..to + m].copy_from_slice(&four[..m]);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Products become squared distances.
struct Distances<'a> {
    query_norms: &'a [f32],
    norms: &'a [f32],
    store: Store<'a>,
}

impl<A: LaneArith> Sink<A> for Distances<'_> {
    #[inline(always)]
    fn take(&mut self, a: A, width: usize, products: &mut [f32], query: Part, row: Part) {
        let (s, lanes) = (a.token(), A::S::LANES);
        let (zero, minus_two) = (s.zero(), s.splat(-2.0));
        let chunks = s.chunks_mut(products).0;
        for w in 0..width {
            let live = query.len.saturating_sub(w * lanes).min(lanes);
            if live == 0 {
                continue;
            }
            let first = query.from + w * lanes;
            let xx = s.load_partial(&self.query_norms[first..first + live]);
            for (r, &yy) in self.norms[row.from..row.from + row.len].iter().enumerate() {
                let chunk = &mut chunks[r * width + w];
                let d = s.mul_add(minus_two, s.load(chunk), s.add(xx, s.splat(yy)));
                // Below zero is zero; NaN is below nothing and stays.
                s.store(s.take_below((zero, d), (d, zero)).1, chunk);
            }
        }
        self.store.take(a, width, products, query, row);
    }
}

/// Products become the nearest row of each query: `best` are the values and, as bit patterns, ids.
struct Nearest<'a> {
    norms: &'a [f32],
    best: [[f32; LANES]; 2],
    ids: &'a mut [u32],
}

impl<A: LaneArith> Sink<A> for Nearest<'_> {
    #[inline(always)]
    fn take(&mut self, a: A, width: usize, products: &mut [f32], query: Part, row: Part) {
        let (s, minus_two) = (a.token(), a.token().splat(-2.0));
        if row.from == 0 {
            self.best = [[f32::INFINITY; LANES], [0.0; LANES]];
        }
        let products = s.chunks(products).0;
        let norms = &self.norms[row.from..row.from + row.len];
        let [values, ids] = &mut self.best;
        let (values, ids) = (s.chunks_mut(values).0, s.chunks_mut(ids).0);
        for w in 0..width {
            let mut best = (s.load(&values[w]), s.load(&ids[w]));
            for (r, &norm) in norms.iter().enumerate() {
                let value = s.mul_add(minus_two, s.load(&products[r * width + w]), s.splat(norm));
                // Fewer rows than the bit pattern of infinity: `Bound::call` checks it.
                let id = s.splat(f32::from_bits((row.from + r) as u32));
                best = s.take_below(best, (value, id));
            }
            s.store(best.0, &mut values[w]);
            s.store(best.1, &mut ids[w]);
        }
        let ids = self.best[1].iter().map(|id| id.to_bits());
        for (to, id) in self.ids[query.from..query.from + query.len].iter_mut().zip(ids) {
            *to = id;
        }
    }
}
