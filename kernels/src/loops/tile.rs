//! Many queries against many rows: a matrix product whose operands need no preparation.
//!
//! A panel of `W` registers of queries is turned so that a lane is a query; then `R` rows at a
//! time are broadcast element by element against it, `W R` sums in registers. Few elements are
//! turned (the queries', once), and results are turned back four lanes at a time on their way out.
//!
//! The value of a pair is summed in one order whatever stands beside it: one after the other within
//! 128 elements, two such sums joined, and those (256 elements) one after the other. Panels of one
//! register, and rows that repeat at an end, change nothing of that.

use super::arith::Arith;
use super::lanes::{LaneArith, Reg};
use super::pair::pair;
use crate::isa::simd::Simd;
use crate::layout::RowsRef;

/// Lanes of the widest panel.
const LANES: usize = 32;

/// Elements of one sum in a register: so short that its error is small.
const SHORT: usize = 128;

/// Elements of the dimension in one panel, which with those of the rows at hand stays in a
/// first-level cache.
const DEPTH: usize = 2 * SHORT;

/// Elements of one turn of the innermost loop.
const UNROLLED: usize = 4;

/// Elements of a panel.
const PANEL: usize = LANES * DEPTH;

/// Rows whose sums wait for the rest of a long dimension.
const CHUNK: usize = 256;

/// Rows whose products go out together: a cache line of them, for each query.
const OUT: usize = 16;

/// Numbers on cache lines: each load of a register that is not would touch two.
#[repr(align(64))]
struct Lines<T>(T);

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
    let mut panel = Lines([0.0f32; PANEL]);
    // Sums that wait for more of the dimension need room; others go out at once, and clearing much
    // more than they need would show in the time of a small tile.
    let (mut few, mut many);
    let products: &mut [f32] = if queries.dim() <= DEPTH {
        few = Lines([0.0f32; LANES * OUT]);
        &mut few.0
    } else {
        many = Lines([0.0f32; LANES * CHUNK]);
        &mut many.0
    };
    let mut from = 0;
    while from < queries.len() {
        let left = queries.len() - from;
        let query = Part { from, len: left.min(W * lanes) };
        if left <= lanes && W > 1 {
            one_panel::<A, 1, 8>(a, queries, query, rows, &mut panel.0, products, sink);
        } else {
            one_panel::<A, W, R>(a, queries, query, rows, &mut panel.0, products, sink);
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
    panel: &mut [f32; PANEL],
    products: &mut [f32],
    sink: &mut impl Sink<A>,
) {
    let (s, dim, width) = (a.token(), queries.dim(), W * A::S::LANES);
    let most = products.len() / width;
    let mut packed = false;
    for from in (0..rows.len()).step_by(most) {
        let len = most.min(rows.len() - from);
        let mut start = 0;
        loop {
            let depth = Part { from: start, len: DEPTH.min(dim - start) };
            let last = start + depth.len == dim;
            // A short dimension is one panel for all rows.
            if !packed {
                pack::<A::S, W>(s, queries, query, depth, panel);
                packed = dim <= DEPTH;
            }
            for at in (0..len).step_by(OUT) {
                let row = Part { from: from + at, len: OUT.min(len - at) };
                let products = &mut products[at * width..(at + OUT) * width];
                multiply::<A, W, R>(a, panel, depth, rows, row, products);
                if last {
                    // At once, so that these stores drain while the next sums run.
                    sink.take(a, W, products, query, row);
                }
            }
            if last {
                break;
            }
            start += depth.len;
        }
    }
}

/// Turns queries into a panel: element `d` of all of them side by side.
#[inline(always)]
fn pack<S: Simd, const W: usize>(
    s: S,
    queries: RowsRef<'_, f32>,
    query: Part,
    depth: Part,
    panel: &mut [f32; PANEL],
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

/// The products of a panel and up to 16 rows over the panel's depth: written, or added to those
/// before.
#[inline(always)]
fn multiply<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    panel: &[f32; PANEL],
    depth: Part,
    rows: RowsRef<'_, f32>,
    row: Part,
    products: &mut [f32],
) {
    let s = a.token();
    let columns = s.chunks(panel).0.as_chunks::<W>().0;
    let columns = &columns[..depth.len];
    let sums = s.chunks_mut(products).0.as_chunks_mut::<W>().0;
    for (g, sums) in sums.as_chunks_mut::<R>().0.iter_mut().enumerate() {
        if g * R >= row.len {
            break;
        }
        let mut part: [&[f32]; R] = [&[]; R];
        for (i, part) in part.iter_mut().enumerate() {
            // The last row again where there are too few: its sums go to places nobody reads.
            let row = rows.row(row.from + (g * R + i).min(row.len - 1));
            *part = &row[depth.from..depth.from + depth.len];
        }
        // Where the next rows begin: the stream of each is then found by the hardware.
        for r in row.from + (g + 1) * R..(row.from + (g + 2) * R).min(rows.len()) {
            if let Some(x) = rows.row(r).get(depth.from) {
                s.prefetch(x);
            }
        }
        let total = block::<A, W, R>(a, columns, part);
        for i in 0..R {
            for w in 0..W {
                let mut sum = a.first(total[i][w]);
                if depth.from > 0 {
                    sum = s.add(s.load(&sums[i][w]), sum);
                }
                s.store(sum, &mut sums[i][w]);
            }
        }
    }
}

/// `W` registers of queries against `R` rows: short sums, joined.
#[inline(always)]
fn block<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    columns: &[[<A::S as Simd>::Chunk; W]],
    rows: [&[f32]; R],
) -> [[A::Acc; W]; R] {
    let mut total = [[a.zero(); W]; R];
    for (part, columns) in columns.chunks(SHORT).enumerate() {
        let mut some = rows;
        for row in &mut some {
            *row = &row[part * SHORT..part * SHORT + columns.len()];
        }
        let acc = short::<A, W, R>(a, columns, some);
        for i in 0..R {
            for w in 0..W {
                total[i][w] = a.join(total[i][w], acc[i][w]);
            }
        }
    }
    total
}

/// `W` registers of queries against `R` rows, one sum each.
#[inline(always)]
fn short<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    columns: &[[<A::S as Simd>::Chunk; W]],
    rows: [&[f32]; R],
) -> [[A::Acc; W]; R] {
    let mut acc = [[a.zero(); W]; R];
    // Several elements a turn: what counts and branches takes the ports of the multiply-adds.
    let (turns, rest) = columns.as_chunks::<UNROLLED>();
    let mut fours: [&[[f32; UNROLLED]]; R] = [&[]; R];
    let mut tails: [&[f32]; R] = [&[]; R];
    for i in 0..R {
        let (whole, tail) = rows[i].as_chunks::<UNROLLED>();
        (fours[i], tails[i]) = (&whole[..turns.len()], &tail[..rest.len()]);
    }
    for (t, turn) in turns.iter().enumerate() {
        for d in 0..UNROLLED {
            let mut y = [0.0; R];
            for i in 0..R {
                y[i] = fours[i][t][d];
            }
            element(a, &turn[d], y, &mut acc);
        }
    }
    for (d, column) in rest.iter().enumerate() {
        let mut y = [0.0; R];
        for i in 0..R {
            y[i] = tails[i][d];
        }
        element(a, column, y, &mut acc);
    }
    acc
}

/// One element of `R` rows against `W` registers of queries.
#[inline(always)]
fn element<A: LaneArith, const W: usize, const R: usize>(
    a: A,
    column: &[<A::S as Simd>::Chunk; W],
    y: [f32; R],
    acc: &mut [[A::Acc; W]; R],
) {
    let s = a.token();
    let mut x: [Reg<A>; W] = [s.zero(); W];
    for w in 0..W {
        x[w] = s.load(&column[w]);
    }
    for i in 0..R {
        let y = s.splat(y[i]);
        for w in 0..W {
            acc[i][w] = a.step(acc[i][w], x[w], y);
        }
    }
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
        if row.len < OUT {
            return self.few(lanes, width, products, query, row);
        }
        let chunks = s.chunks(products).0;
        for w in 0..width {
            let live = query.len.saturating_sub(w * lanes).min(lanes);
            let first = (query.from + w * lanes) * self.stride + row.from;
            let mut turned = [[s.zero(); 4]; OUT / 4];
            for (i, turned) in turned.iter_mut().enumerate() {
                let at = 4 * i * width + w;
                *turned = s.turn4([
                    s.load(&chunks[at]),
                    s.load(&chunks[at + width]),
                    s.load(&chunks[at + 2 * width]),
                    s.load(&chunks[at + 3 * width]),
                ]);
            }
            let [t0, t1, t2, t3] = turned;
            for k in 0..lanes / 4 {
                for (j, (((a, b), c), d)) in t0.into_iter().zip(t1).zip(t2).zip(t3).enumerate() {
                    if 4 * k + j < live {
                        // A whole line of one query: queries may lie a multiple of 4 KiB apart, and
                        // then push each other out of the cache.
                        let line = line(self.out, first + (4 * k + j) * self.stride);
                        line[0] = s.quarter(a, k);
                        line[1] = s.quarter(b, k);
                        line[2] = s.quarter(c, k);
                        line[3] = s.quarter(d, k);
                    }
                }
            }
        }
    }
}

impl Store<'_> {
    /// The products of fewer rows than a line holds, one by one.
    #[inline(always)]
    fn few(&mut self, lanes: usize, width: usize, products: &[f32], query: Part, row: Part) {
        for q in 0..query.len {
            let to = (query.from + q) * self.stride + row.from;
            for (r, o) in self.out[to..to + row.len].iter_mut().enumerate() {
                *o = products[r * width * lanes + q];
            }
        }
    }
}

/// Sixteen outputs from `to` on.
///
/// # Panics
/// If there are fewer.
#[inline(always)]
fn line(out: &mut [f32], to: usize) -> &mut [[f32; 4]; OUT / 4] {
    let (line, _) = out[to..to + OUT].as_chunks_mut::<4>();
    line.first_chunk_mut().expect("sixteen outputs")
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
