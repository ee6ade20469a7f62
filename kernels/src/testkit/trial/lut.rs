//! Operands of product quantisation: tables, codebooks, codes.
//!
//! In recipes `dim` means the elements of a vector where tables and codes are made, and the number
//! of sub-spaces where they are scanned. `rows` are queries of tables, vectors of codes, or rows
//! of a scan; the `stride`'s pad picks the elements of a sub-space among [`DSUB`].

use std::sync::OnceLock;

use super::memory::Placed;
use super::{Misfit, Operands, Reads};
use crate::kernel::{Bound, Op};
use crate::layout::{LayoutError, RowsRef};
use crate::shape::{
    BlockLayout, CodeBlocksRef, CodeScan, Codebook, FastScan, Lut, LutRef, PqEncode, QuantizedLut,
    SdcRef, Shape, padded,
};
use crate::testkit::bounds::{Expected, UNIT_ROUNDOFF, expected};
use crate::testkit::cases::{Batches, Element, Family, Random, Recipe, Stride, query};
use crate::testkit::oracle::{Exact, exact};
use crate::testkit::verify::{Failure, Report, Value, judge_value};

/// Elements of a sub-space, by the pad of the recipe's stride; 8 where it has none.
const DSUB: [usize; 3] = [8, 4, 5];

fn dsub(recipe: &Recipe) -> usize {
    match recipe.stride {
        Stride::Pad(pad) => DSUB[pad % DSUB.len()],
        Stride::Lines => DSUB[0],
    }
}

/// Windows over `units` things, and how many things one has.
fn windows(recipe: &Recipe, units: usize) -> (usize, usize) {
    match recipe.batches {
        Batches::Whole => (1, units),
        Batches::Windows { per } => {
            let per = per.clamp(1, units.max(1));
            (units / per, per)
        }
    }
}

fn path<O: Op>() -> String {
    format!("{}/{}/{}", O::ENCODING, O::METRIC, <O::Shape as Shape>::NAME)
}

/// Vectors and a codebook.
pub(crate) struct BookOperands {
    path: String,
    metric: &'static str,
    dim: usize,
    dsub: usize,
    vectors: Placed<f32>,
    book: Placed<f32>,
    windows: usize,
    per: usize,
    /// For each vector, sub-space and centroid: what is expected, and its scale.
    truth: OnceLock<Vec<(Expected, f64)>>,
}

impl BookOperands {
    fn new<O: Op, const K: usize>(recipe: &Recipe) -> Result<Self, LayoutError> {
        let (mut random, dim) = (Random::new(recipe.seed), recipe.dim);
        // Each is judged against every centroid.
        let count = match recipe.batches {
            Batches::Whole => recipe.rows.min(3),
            Batches::Windows { .. } => recipe.rows,
        };
        // What is special of a row family is special of a codebook.
        let vectors: Vec<f32> =
            (0..count).flat_map(|_| query::<f32>(&mut random, recipe.family, dim)).collect();
        let mut book: Vec<f32> = Vec::with_capacity(dim * K);
        for i in 0..dim {
            let near = vectors.get(i).copied().unwrap_or(0.0);
            book.extend(crate::testkit::cases::row(&mut random, recipe.family, K, |random, _| {
                near * (1.0 + 1e-3 * (random.unit() - 0.5)) as f32
            }));
        }
        let (windows, per) = windows(recipe, count);
        Ok(Self {
            path: path::<O>(),
            metric: O::METRIC,
            dim,
            dsub: dsub(recipe),
            vectors: Placed::once(&vectors, recipe.query_at)?,
            book: Placed::once(&book, recipe.rows_at)?,
            windows,
            per,
            truth: OnceLock::new(),
        })
    }

    fn m(&self) -> usize {
        self.dim.div_ceil(self.dsub)
    }

    fn book<const K: usize>(&self) -> Codebook<'_, K> {
        Codebook::new(self.book.get(), self.dim, self.dsub).expect("laid out by `new`")
    }

    fn vector(&self, window: usize, i: usize) -> &[f32] {
        let at = window % self.windows * self.per + i;
        &self.vectors.get()[at * self.dim..][..self.dim]
    }

    /// The truth of a vector, by sub-space and centroid.
    fn truth<const K: usize>(&self, window: usize, i: usize) -> &[(Expected, f64)] {
        let all = self.truth.get_or_init(|| {
            let mut all = Vec::new();
            for v in 0..self.windows * self.per {
                let vector = self.vector(0, v);
                for start in (0..self.dim).step_by(self.dsub) {
                    let end = (start + self.dsub).min(self.dim);
                    for k in 0..K {
                        let centroid: Vec<f32> =
                            (start..end).map(|j| self.book.get()[j * K + k]).collect();
                        let exact = exact(self.metric, &vector[start..end], &centroid);
                        let n = end - start;
                        all.push((expected(self.metric, n, &exact, false), exact.scale));
                    }
                }
            }
            all
        });
        let each = self.m() * K;
        &all[(window % self.windows * self.per + i) * each..][..each]
    }

    fn failure(&self, output: usize, found: f64, expected: String) -> Failure {
        Failure { op: self.path.clone(), dim: self.dim, output, found, expected }
    }

    fn reads(&self, window: usize) -> Vec<&[u8]> {
        let at = window % self.windows * self.per * self.dim;
        let vectors = &self.vectors.get()[at..][..self.per * self.dim];
        vec![Element::bytes(vectors), Element::bytes(self.book.get())]
    }

    /// Vectors and codebooks that do not fit.
    fn misfits<'a, const K: usize>(
        &'a self,
        run: impl Fn(&[f32], Codebook<'_, K>, usize) + Copy + 'a,
    ) -> Vec<Misfit<'a>> {
        let (vector, book, m) = (self.vector(0, 0), self.book::<K>(), self.m());
        let mut all: Vec<Misfit<'a>> = vec![
            ("an output too many", Box::new(move || run(vector, book, m + 1))),
            ("a shorter codebook", {
                let shorter = &self.book.get()[..self.dim.saturating_sub(1) * K];
                let dim = self.dim.saturating_sub(1);
                Box::new(move || {
                    let book = Codebook::new(shorter, dim, self.dsub);
                    run(vector, book.expect("as long as it says"), m);
                })
            }),
        ];
        if !vector.is_empty() {
            all.push(("a shorter vector", Box::new(move || run(&vector[1..], book, m))));
        }
        all
    }
}

/// Operands of a table of `K` centroids a sub-space.
pub(crate) struct Tables<const K: usize>(BookOperands);

/// Operands of codes of `K` centroids a sub-space.
pub(crate) struct Codes<const K: usize>(BookOperands);

impl<const K: usize> Tables<K> {
    pub(crate) fn new<O: Op>(recipe: &Recipe) -> Result<Self, LayoutError> {
        BookOperands::new::<O, K>(recipe).map(Self)
    }
}

impl<const K: usize> Codes<K> {
    pub(crate) fn new<O: Op>(recipe: &Recipe) -> Result<Self, LayoutError> {
        BookOperands::new::<O, K>(recipe).map(Self)
    }
}

impl<O: Op<Shape = Lut<K>>, const K: usize> Operands<O> for Tables<K> {
    type Out = Vec<[f32; K]>;

    fn windows(&self) -> usize {
        self.0.windows
    }

    fn values(&self) -> usize {
        self.0.per
    }

    fn bytes_per_value(&self) -> f64 {
        ((self.0.dim * (K + 1) + self.0.m() * K) * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, _: Reads) -> Vec<&[u8]> {
        self.0.reads(window)
    }

    fn blank(&self) -> Self::Out {
        vec![[f32::SPOILT; K]; self.0.per * self.0.m()]
    }

    fn run(&self, bound: &Bound<Lut<K>>, window: usize, values: usize, out: &mut Self::Out) {
        let (book, m) = (self.0.book(), self.0.m());
        for i in 0..self.0.per.min(values) {
            bound.call(self.0.vector(window, i), book, &mut out[i * m..][..m]);
        }
    }

    fn judge(&self, window: usize, out: &Self::Out) -> Result<Report, Failure> {
        let (mut report, m) = (Report::default(), self.0.m());
        for i in 0..self.0.per {
            let truth = self.0.truth::<K>(window, i);
            let found = out[i * m..][..m].as_flattened();
            for (output, (&found, (expected, scale))) in found.iter().zip(truth).enumerate() {
                judge_value(found, expected, *scale, &mut report)
                    .map_err(|why| self.0.failure(output, f64::from(found), why))?;
            }
        }
        // A vector of no elements has no table, and that is right.
        report.values += usize::from(m == 0);
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<Lut<K>>) -> Vec<Misfit<'a>> {
        self.0.misfits::<K>(move |query, book, m| bound.call(query, book, &mut vec![[0.0; K]; m]))
    }
}

impl<O: Op<Shape = PqEncode<K>>, const K: usize> Operands<O> for Codes<K> {
    type Out = Vec<u8>;

    fn windows(&self) -> usize {
        self.0.windows
    }

    fn values(&self) -> usize {
        self.0.per
    }

    fn bytes_per_value(&self) -> f64 {
        (self.0.dim * (K + 1) * size_of::<f32>() + self.0.m()) as f64
    }

    fn reads(&self, window: usize, _: Reads) -> Vec<&[u8]> {
        self.0.reads(window)
    }

    fn blank(&self) -> Vec<u8> {
        vec![0xa5; self.0.per * self.0.m()]
    }

    fn run(&self, bound: &Bound<PqEncode<K>>, window: usize, values: usize, out: &mut Vec<u8>) {
        let (book, m) = (self.0.book(), self.0.m());
        for i in 0..self.0.per.min(values) {
            bound.call(self.0.vector(window, i), book, &mut out[i * m..][..m]);
        }
    }

    /// Any centroid will do that may be the nearest within the bounds of both.
    fn judge(&self, window: usize, out: &Vec<u8>) -> Result<Report, Failure> {
        let (mut report, m) = (Report::default(), self.0.m());
        for i in 0..self.0.per {
            let truth = self.0.truth::<K>(window, i);
            for (output, (&code, truth)) in
                out[i * m..][..m].iter().zip(truth.chunks_exact(K)).enumerate()
            {
                let fail = |why: String| self.0.failure(output, f64::from(code), why);
                // The least that any centroid may have come to, at most.
                let mut least = f64::INFINITY;
                for (expected, _) in truth {
                    if let Expected::Within { value, error } = expected {
                        least = least.min(value + error);
                    }
                }
                let chosen = truth.get(usize::from(code));
                match chosen.ok_or_else(|| fail(format!("a code below {K}")))?.0 {
                    Expected::Within { value, error } if value - error <= least => {
                        report.values += 1;
                    }
                    // Beyond the range or not a number: only if nothing else is there.
                    _ if least.is_infinite() && code == 0 => report.values += 1,
                    Expected::Anything => report.unchecked += 1,
                    other => return Err(fail(format!("within {least:e}, and not {other:?}"))),
                }
            }
        }
        report.values += usize::from(m == 0);
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<PqEncode<K>>) -> Vec<Misfit<'a>> {
        self.0.misfits::<K>(move |row, book, m| bound.call(row, book, &mut vec![0; m]))
    }
}

/// A quantised table, and codes in blocks.
pub(crate) struct BlockOperands<L, const K: usize> {
    path: String,
    m: usize,
    /// The table that was quantised; none where the bytes themselves were drawn.
    exact: Option<(Vec<[f32; K]>, QuantizedLut<K>)>,
    table: Placed<u8>,
    blocks: Placed<u8>,
    rows: usize,
    windows: usize,
    /// Blocks of a window.
    per: usize,
    layout: core::marker::PhantomData<L>,
}

/// Rows that are drawn; a larger set repeats them.
const DRAWN: usize = 1 << 12;

impl<L: BlockLayout, const K: usize> BlockOperands<L, K> {
    fn table(&self) -> LutRef<'_, K> {
        LutRef::new(self.table.get(), self.m).expect("laid out by `new`")
    }

    fn window(&self, window: usize) -> CodeBlocksRef<'_, L> {
        let blocks = CodeBlocksRef::new(self.blocks.get(), self.m, self.rows).expect("as above");
        let from = window % self.windows * self.per;
        blocks.blocks(from, from + self.per)
    }

    pub(crate) fn new<O: Op>(recipe: &Recipe) -> Result<Self, LayoutError> {
        let (mut random, m) = (Random::new(recipe.seed), recipe.dim);
        // So that whole blocks are there as often as broken ones.
        let rows = match recipe.batches {
            Batches::Whole => recipe.rows * (recipe.rows + L::ROWS / 2),
            Batches::Windows { .. } => recipe.rows.next_multiple_of(L::ROWS),
        };
        let mut draw =
            || -> [f32; K] { core::array::from_fn(|_| f32::draw(&mut random, recipe.family)) };
        let lut: Vec<[f32; K]> = (0..m).map(|_| draw()).collect();
        let (table, exact) = match recipe.family {
            // The largest sums there are.
            Family::Huge => {
                let mut largest = vec![255; m * K];
                largest.resize(padded(m, K) * K, 0);
                (largest, None)
            }
            _ => {
                let quantized = QuantizedLut::new(&lut).expect("finite entries");
                (quantized.view().entries().as_flattened().to_vec(), Some((lut, quantized)))
            }
        };
        let drawn = rows.min(DRAWN.next_multiple_of(L::ROWS));
        let codes: Vec<u8> =
            (0..drawn * m.max(1)).map(|_| random.bits() as u8 & L::LARGEST).collect();
        let packed = CodeBlocksRef::<L>::pack(RowsRef::new(&codes, m, m.max(1))?)?;
        let total = rows.div_ceil(L::ROWS) * L::block_bytes(m);
        let blocks = rows.div_ceil(L::ROWS);
        let (windows, per) = match recipe.batches {
            Batches::Whole => (1, blocks),
            Batches::Windows { per } => {
                let per = (per / L::ROWS).clamp(1, blocks.max(1));
                (blocks / per, per)
            }
        };
        Ok(Self {
            path: path::<O>(),
            m,
            exact,
            table: Placed::once(&table, recipe.query_at)?,
            blocks: Placed::repeated(&packed, total, recipe.rows_at)?,
            rows,
            windows,
            per,
            layout: core::marker::PhantomData,
        })
    }
}

impl<O, L, const K: usize> Operands<O> for BlockOperands<L, K>
where
    O: Op<Shape = FastScan<L, K>>,
    L: BlockLayout,
{
    type Out = Vec<u32>;

    fn windows(&self) -> usize {
        self.windows
    }

    fn values(&self) -> usize {
        self.window(0).len()
    }

    fn bytes_per_value(&self) -> f64 {
        L::block_bytes(self.m) as f64 / L::ROWS as f64
    }

    fn reads(&self, window: usize, _: Reads) -> Vec<&[u8]> {
        vec![self.window(window).data()]
    }

    fn blank(&self) -> Vec<u32> {
        vec![u32::SPOILT; self.window(0).len()]
    }

    fn run(&self, bound: &Bound<FastScan<L, K>>, window: usize, values: usize, out: &mut Vec<u32>) {
        let mut blocks = self.window(window);
        if values < blocks.len() {
            blocks = blocks.blocks(0, values.div_ceil(L::ROWS));
        }
        bound.call(self.table(), blocks, &mut out[..blocks.len()]);
    }

    /// Bit-exact in bytes; and within the table's own error in `f32`.
    fn judge(&self, window: usize, out: &Vec<u32>) -> Result<Report, Failure> {
        let (mut report, blocks) = (Report::default(), self.window(window));
        let entries = self.table.get();
        for (output, &found) in out.iter().enumerate() {
            let fail = |found: f64, expected: String| Failure {
                op: self.path.clone(),
                dim: self.m,
                output,
                found,
                expected,
            };
            let code = |s: usize| usize::from(blocks.code(output, s));
            let sum: u64 = (0..self.m).map(|s| u64::from(entries[s * K + code(s)])).sum();
            let expected = Expected::Within { value: sum as f64, error: 0.0 };
            judge_value(found, &expected, sum as f64, &mut report)
                .map_err(|why| fail(f64::from(found), why))?;
            if let Some((lut, quantized)) = &self.exact {
                let value: f64 = (0..self.m).map(|s| f64::from(lut[s][code(s)])).sum();
                let scale: f64 = (0..self.m).map(|s| f64::from(lut[s][code(s)]).abs()).sum();
                let stands_for = f64::from(quantized.value(found));
                let error = quantized.error() * (1.0 + 1e-9)
                    + UNIT_ROUNDOFF * (value.abs() + quantized.error())
                    + 1e-12 * scale;
                if (stands_for - value).abs() > error {
                    return Err(fail(stands_for, format!("{value:e} within {error:e}")));
                }
            }
        }
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<FastScan<L, K>>) -> Vec<Misfit<'a>> {
        let (table, blocks, rows) = (self.table(), self.window(0), self.rows);
        let run = move |table: LutRef<'a, K>, blocks: CodeBlocksRef<'a, L>, rows: usize| {
            move || bound.call(table, blocks, &mut vec![0; rows])
        };
        let fewer = self.m.saturating_sub(4);
        let other_table = LutRef::new(&self.table.get()[..padded(fewer, K) * K], fewer);
        let block = &self.blocks.get()[..L::block_bytes(fewer)];
        let other_blocks = CodeBlocksRef::new(block, fewer, 1).expect("a block");
        vec![
            ("an output too many", Box::new(run(table, blocks, rows + 1))),
            ("an output too few", Box::new(run(table, blocks, rows - 1))),
            ("another table", Box::new(run(other_table.expect("a table"), blocks, rows))),
            ("other blocks", Box::new(run(table, other_blocks, 1))),
        ]
    }
}

/// A code, a table of distances between centroids, and rows of codes.
pub(crate) struct SdcOperands {
    path: String,
    m: usize,
    code: Placed<u8>,
    rows: Placed<u8>,
    stride: usize,
    windows: usize,
    per: usize,
}

/// The largest table that is made: 64 MiB.
const TABLES: usize = 256;

/// Distances between centroids, the same for every case: they are too many to be drawn each time.
fn distances(m: usize) -> &'static [f32] {
    static ALL: OnceLock<Vec<f32>> = OnceLock::new();
    let draw = || {
        let mut random = Random::new(0x5dc);
        (0..TABLES * 256 * 256).map(|_| f32::draw(&mut random, Family::Uniform)).collect()
    };
    &ALL.get_or_init(draw)[..m.min(TABLES) * 256 * 256]
}

impl SdcOperands {
    pub(crate) fn new<O: Op>(recipe: &Recipe) -> Result<Self, LayoutError> {
        let (mut random, m) = (Random::new(recipe.seed), recipe.dim);
        let stride = recipe.stride.of(m, 1);
        let mut draw = |n: usize| -> Vec<u8> { (0..n).map(|_| random.bits() as u8).collect() };
        let (code, rows) = (draw(m), draw(recipe.rows.min(DRAWN) * stride));
        let (windows, per) = windows(recipe, recipe.rows);
        Ok(Self {
            path: path::<O>(),
            m,
            code: Placed::once(&code, recipe.query_at)?,
            rows: Placed::repeated(&rows, recipe.rows * stride, recipe.rows_at)?,
            stride,
            windows,
            per,
        })
    }

    fn table(&self) -> SdcRef<'static, 256> {
        SdcRef::new(distances(self.m), self.m).expect("no form for larger tables")
    }

    fn window(&self, window: usize) -> RowsRef<'_, u8> {
        let rows = RowsRef::new(self.rows.get(), self.m, self.stride).expect("laid out by `new`");
        let from = window % self.windows * self.per;
        rows.slice(from, from + self.per)
    }
}

impl<O: Op<Shape = CodeScan<256>>> Operands<O> for SdcOperands {
    type Out = Vec<f32>;

    fn windows(&self) -> usize {
        self.windows
    }

    fn values(&self) -> usize {
        self.per
    }

    fn bytes_per_value(&self) -> f64 {
        self.m as f64
    }

    fn reads(&self, window: usize, _: Reads) -> Vec<&[u8]> {
        let from = window % self.windows * self.per * self.stride;
        vec![&self.rows.get()[from..][..self.per * self.stride]]
    }

    fn blank(&self) -> Vec<f32> {
        vec![f32::SPOILT; self.per]
    }

    fn run(&self, bound: &Bound<CodeScan<256>>, window: usize, values: usize, out: &mut Vec<f32>) {
        let rows = self.window(window);
        let values = values.min(rows.len());
        let rows = rows.slice(0, values);
        bound.call(self.code.get(), self.table(), rows, &mut out[..values]);
    }

    fn judge(&self, window: usize, out: &Vec<f32>) -> Result<Report, Failure> {
        let (mut report, rows, table) = (Report::default(), self.window(window), distances(self.m));
        for (output, &found) in out.iter().enumerate() {
            let entry = |s: usize| {
                let line = s * 256 + usize::from(self.code.get()[s]);
                f64::from(table[line * 256 + usize::from(rows.row(output)[s])])
            };
            let value = (0..self.m).map(entry).sum();
            let scale = (0..self.m).map(|s| entry(s).abs()).sum();
            let exact = Exact { value, scale, norms_sq: [1.0; 2] };
            // A sum without products: the bound of a dot product is above its own.
            judge_value(found, &expected("dot", self.m, &exact, false), scale, &mut report)
                .map_err(|expected| {
                    let (op, dim) = (self.path.clone(), self.m);
                    Failure { op, dim, output, found: f64::from(found), expected }
                })?;
        }
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<CodeScan<256>>) -> Vec<Misfit<'a>> {
        let (code, rows, per) = (self.code.get(), self.window(0), self.per);
        let run = move |code: &'a [u8], m: usize, rows: RowsRef<'a, u8>, outputs: usize| {
            move || {
                let table = SdcRef::new(distances(m), m).expect("a table");
                bound.call(code, table, rows, &mut vec![0.0; outputs]);
            }
        };
        let (m, other) = (self.m, self.m.saturating_sub(1));
        let shorter = RowsRef::new(self.rows.get(), other, self.stride).expect("narrower rows");
        vec![
            ("an output too many", Box::new(run(code, m, rows, per + 1))),
            ("an output too few", Box::new(run(code, m, rows, per.saturating_sub(1)))),
            ("a shorter code", Box::new(run(&code[..other], m, rows, per))),
            ("another table", Box::new(run(code, other, rows, per))),
            ("shorter rows", Box::new(run(code, m, shorter, per))),
        ]
    }
}
