//! Product quantisation: a vector is cut into sub-spaces, and each part named by a centroid.
//!
//! ```text
//! vector   |x0 .. x15|x16 .. x31| ... |x112 .. x127|     dim 128, m 8: dsub 16, the last may be shorter
//! code     |   17    |   203    | ... |     96     |     the nearest of 256 centroids, or of 16
//! ```
//! A query becomes a table of its partial distances to every centroid; a row's distance is then a
//! sum of m entries (ADC: Jegou, Douze and Schmid, Product Quantization for Nearest Neighbor
//! Search, 2011). Between two codes the entries come from a table made once (SDC). For cosine,
//! unit vectors are cut and inner products summed: cosines of parts would add up to nothing.

use annvil_kernels::{
    Bound, CodeScan, Codebook, Forced, LayoutError, Lut, PqEncode, Residence, RowsRef, SdcRef,
    resolve,
};

use super::error::PqError;
use super::kmeans::{Init, KMeansOptions, Training};
use super::lloyd::Task;
use super::random::Random;
use super::share::{Alone, Share};
use crate::mem::{Arena, Pool};
use crate::metric::Metric;

/// Arenas that are kept while sub-spaces are trained: for as many threads.
const ARENAS: usize = 64;

/// How to cut vectors, and how to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PqOptions {
    /// Sub-spaces. All have the same number of elements but the last, which may have fewer.
    pub m: usize,
    /// Bits of a code: 8 (256 centroids) or 4 (16 centroids).
    pub nbits: u8,
    /// Most moves of the centroids.
    pub iterations: usize,
    /// What is drawn at random depends on it alone.
    pub seed: u64,
    /// Train on a sample of this many rows if there are more.
    pub sample: usize,
    /// Where the first centroids come from.
    pub init: Init,
}

impl PqOptions {
    /// `m` sub-spaces of 8 bits: 20 iterations on up to 65,536 rows, from a k-means++ start.
    #[must_use]
    pub fn new(m: usize) -> Self {
        let (iterations, sample) = (20, 65_536);
        Self { m, nbits: 8, iterations, seed: 0, sample, init: Init::default() }
    }

    /// Elements of a sub-space.
    fn dsub(&self, dim: usize) -> Result<usize, PqError> {
        let m = self.m;
        // For each length of a sub-space there is one number of them, or it leaves the last empty.
        let fits = |m: &usize| dim.div_ceil(dim.div_ceil(*m)) == *m;
        if m == 0 || m > dim || !fits(&m) {
            let instead = (1..m.min(dim.saturating_add(1))).rev().find(fits).unwrap_or(0);
            let instead = if m > dim { 0 } else { instead };
            return Err(PqError::Parts { dim, m, instead });
        }
        Ok(dim.div_ceil(m))
    }

    /// Whether vectors of `dim` elements can be cut so.
    pub(crate) fn check(&self, dim: usize) -> Result<(), PqError> {
        self.k()?;
        self.dsub(dim).map(drop)
    }

    /// Centroids of a sub-space.
    fn k(&self) -> Result<usize, PqError> {
        match self.nbits {
            4 => Ok(16),
            8 => Ok(256),
            nbits => Err(PqError::Bits { nbits }),
        }
    }
}

/// The centroids of all sub-spaces, laid out for the kernels.
#[derive(Clone, Debug)]
struct Book<const K: usize> {
    /// As [`Codebook`] wants it.
    data: Vec<f32>,
    dim: usize,
    dsub: usize,
    l2sq: Bound<Lut<K>>,
    dot: Bound<Lut<K>>,
    encode: Bound<PqEncode<K>>,
}

impl<const K: usize> Book<K> {
    fn new(data: Vec<f32>, dim: usize, dsub: usize, forced: &Forced) -> Result<Self, PqError> {
        Codebook::<K>::new(&data, dim, dsub)?;
        let encoding = if K == 16 { "pq4" } else { "pq8" };
        let lut = |metric: &str| {
            resolve(&format!("{encoding}/{metric}/lut"), dim, Residence::Cache, forced)
        };
        let (l2sq, dot) = (lut("l2sq")?, lut("dot")?);
        let encode = format!("{encoding}/l2sq/pq_encode");
        let encode = resolve(&encode, dim, Residence::Cache, forced)?;
        Ok(Self { data, dim, dsub, l2sq, dot, encode })
    }

    fn view(&self) -> Codebook<'_, K> {
        #[expect(clippy::expect_used, reason = "`new` made one of the same parts")]
        Codebook::new(&self.data, self.dim, self.dsub).expect("a codebook")
    }

    fn lut(&self, metric: Metric, vector: &[f32], out: &mut Vec<[f32; K]>) {
        out.resize(self.dim.div_ceil(self.dsub), [0.0; K]);
        let kernel = if metric == Metric::L2 { &self.l2sq } else { &self.dot };
        kernel.call(vector, self.view(), out);
    }

    fn decode(&self, codes: impl Iterator<Item = u8>, vector: &mut [f32]) {
        let elements = self.data.as_chunks::<K>().0;
        let parts = vector.chunks_mut(self.dsub).zip(elements.chunks(self.dsub));
        for (code, (part, elements)) in codes.zip(parts) {
            for (x, centroids) in part.iter_mut().zip(elements) {
                *x = centroids[usize::from(code) % K];
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Books {
    Eight(Book<256>),
    Four(Book<16>),
}

/// A trained product quantiser. It is the same, bit by bit, on any number of threads; on another
/// CPU sums may round otherwise.
#[derive(Clone, Debug)]
pub struct Pq {
    m: usize,
    books: Books,
    distortion: Option<f64>,
}

impl Pq {
    /// Trains on `rows`, on the calling thread. For [`Metric::Cosine`] give unit rows.
    ///
    /// # Errors
    /// Bits that are neither 4 nor 8, a number of sub-spaces that the dimension does not have, too
    /// few rows, a NaN or an infinity, squared distances beyond `f32`, or too little memory.
    pub fn train(
        rows: RowsRef<'_, f32>,
        options: &PqOptions,
        forced: &Forced,
    ) -> Result<Self, PqError> {
        Self::train_with(rows, options, forced, &Alone)
    }

    /// As [`Pq::train`], on the threads of `pool`: sub-spaces side by side, and parts of the rows
    /// within each.
    ///
    /// # Errors
    /// As [`Pq::train`].
    #[cfg(feature = "parallel")]
    pub fn train_in(
        pool: &rayon::ThreadPool,
        rows: RowsRef<'_, f32>,
        options: &PqOptions,
        forced: &Forced,
    ) -> Result<Self, PqError> {
        pool.install(|| Self::train_with(rows, options, forced, &super::share::Pooled))
    }

    fn train_with(
        rows: RowsRef<'_, f32>,
        options: &PqOptions,
        forced: &Forced,
        share: &impl Share,
    ) -> Result<Self, PqError> {
        let (k, dim) = (options.k()?, rows.dim());
        let dsub = options.dsub(dim)?;
        let limits = KMeansOptions { iterations: options.iterations, ..KMeansOptions::new(k) };
        let limits = limits.limits()?;
        let training = Training::of(rows, options.sample, options.seed)?;
        let rows = training.view();
        // What a sub-space needs is made by whoever works on it, k-means++ takes its time; and out of
        // the memory of a sub-space that is done.
        let arenas: Pool<Arena> = Pool::new(options.m.min(ARENAS));
        let mut jobs: Vec<_> = (0..options.m).map(|s| (s, None)).collect();
        share.each(&mut jobs, |(s, done)| {
            let from = *s * dsub;
            let window = rows.columns(from, (from + dsub).min(dim));
            let random = Random::new(options.seed, 1 + *s as u64);
            let mut arena = arenas.acquire();
            arena.reset();
            let task = Task::new(&arena, window, from, k, options.init, random, forced);
            *done = Some(task.and_then(|mut task| {
                task.run(limits, share);
                task.finish()
            }));
        });
        let mut distortion = 0.0;
        let mut data = vec![0.0; dim * k];
        for (s, done) in jobs {
            let Some(done) = done else { continue };
            let (centroids, error, _) = done?;
            distortion += error;
            for c in 0..k {
                for (j, &x) in centroids.row(c).iter().enumerate() {
                    data[(s * dsub + j) * k + c] = x;
                }
            }
        }
        let mut pq = Self::from_book(data, dim, options.m, options.nbits, forced)?;
        pq.distortion = Some(distortion);
        Ok(pq)
    }

    /// A quantiser from a codebook as [`Pq::book`] gives it.
    ///
    /// # Errors
    /// Another size than `dim` times the centroids of a sub-space, an element that is not finite,
    /// or bits and sub-spaces that [`Pq::train`] would refuse.
    pub fn from_book(
        data: Vec<f32>,
        dim: usize,
        m: usize,
        nbits: u8,
        forced: &Forced,
    ) -> Result<Self, PqError> {
        let options = PqOptions { nbits, ..PqOptions::new(m) };
        let (k, dsub) = (options.k()?, options.dsub(dim)?);
        if let Some(position) = data.iter().position(|x| !x.is_finite()) {
            return Err(PqError::NotFinite { position });
        }
        let books = match k {
            256 => Books::Eight(Book::new(data, dim, dsub, forced)?),
            _ => Books::Four(Book::new(data, dim, dsub, forced)?),
        };
        Ok(Self { m, books, distortion: None })
    }

    /// The codebook: element `i` of centroid `k` of its sub-space at `i * K + k`, K centroids.
    #[must_use]
    pub fn book(&self) -> &[f32] {
        match &self.books {
            Books::Eight(book) => &book.data,
            Books::Four(book) => &book.data,
        }
    }

    /// Elements of a vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        match &self.books {
            Books::Eight(book) => book.dim,
            Books::Four(book) => book.dim,
        }
    }

    /// Sub-spaces.
    #[must_use]
    pub fn m(&self) -> usize {
        self.m
    }

    /// Bits of a code: 4 or 8.
    #[must_use]
    pub fn nbits(&self) -> u8 {
        match &self.books {
            Books::Eight(_) => 8,
            Books::Four(_) => 4,
        }
    }

    /// The mean squared distance of a training row to what its code stands for; none if the
    /// codebook was not trained here.
    #[must_use]
    pub fn distortion(&self) -> Option<f64> {
        self.distortion
    }

    /// Bytes of the codebook.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.book())
    }

    /// The code of `vector`: a byte for each sub-space, below 16 for 4 bits.
    ///
    /// # Panics
    /// If `vector` has another dimension, or there is not one byte a sub-space.
    pub fn encode(&self, vector: &[f32], code: &mut [u8]) {
        match &self.books {
            Books::Eight(book) => book.encode.call(vector, book.view(), code),
            Books::Four(book) => book.encode.call(vector, book.view(), code),
        }
    }

    /// The vector that `code` stands for.
    ///
    /// # Panics
    /// If `vector` has another dimension, or there is not one byte a sub-space.
    pub fn decode(&self, code: &[u8], vector: &mut [f32]) {
        assert_eq!(code.len(), self.m, "one byte a sub-space");
        self.decode_from(code.iter().copied(), vector);
    }

    /// As [`Pq::decode`], codes one by one.
    pub(crate) fn decode_from(&self, code: impl Iterator<Item = u8>, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim(), "a vector of another dimension");
        match &self.books {
            Books::Eight(book) => book.decode(code, vector),
            Books::Four(book) => book.decode(code, vector),
        }
    }

    /// The table of `vector`: [`Tables`] keeps its memory from query to query.
    pub(crate) fn tables(&self, metric: Metric, vector: &[f32], tables: &mut Tables) {
        match &self.books {
            Books::Eight(book) => book.lut(metric, vector, &mut tables.bytes),
            Books::Four(book) => {
                book.lut(metric, vector, &mut tables.nibbles);
                tables.pair();
            }
        }
    }
}

/// Refuses what is no sum over sub-spaces.
pub(crate) fn check_metric(metric: Metric) -> Result<(), PqError> {
    match metric {
        Metric::L2 | Metric::Dot | Metric::Cosine => Ok(()),
        Metric::L1 | Metric::Linf | Metric::Hamming => Err(PqError::Metric { metric }),
    }
}

/// A query's partial distances.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// For each byte of a row. A byte of two nibbles names the sum of their two entries.
    pub(crate) bytes: Vec<[f32; 256]>,
    /// For each nibble; empty for codes of 8 bits.
    pub(crate) nibbles: Vec<[f32; 16]>,
}

impl Tables {
    /// Tables of two nibbles each: half the look-ups for a row, at 256 additions for each.
    fn pair(&mut self) {
        self.bytes.resize(self.nibbles.len().div_ceil(2), [0.0; 256]);
        for (table, pair) in self.bytes.iter_mut().zip(self.nibbles.chunks(2)) {
            let (low, high) = (&pair[0], pair.get(1).unwrap_or(&[0.0; 16]));
            for (sixteen, high) in table.as_chunks_mut::<16>().0.iter_mut().zip(high) {
                for (sum, low) in sixteen.iter_mut().zip(low) {
                    *sum = low + high;
                }
            }
        }
    }
}

/// Distances between codes, without a query (SDC): `m` tables of 256 x 256 entries, 256 KiB each.
#[derive(Clone, Debug)]
pub struct Sdc {
    metric: Metric,
    tables: Vec<f32>,
    kernel: Bound<CodeScan<256>>,
}

impl Sdc {
    /// The table of the codes of `pq` under `metric`.
    ///
    /// # Errors
    /// L1 or Linf, codes of 4 bits, or more than 256 sub-spaces.
    pub fn new(pq: &Pq, metric: Metric, forced: &Forced) -> Result<Self, PqError> {
        check_metric(metric)?;
        let m = pq.m;
        let none = PqError::NoSdc { nbits: pq.nbits(), m };
        let Books::Eight(book) = &pq.books else { return Err(none) };
        if m > 256 {
            return Err(none);
        }
        let kernel = resolve("pq8/sdc/code_scan", m, Residence::Cache, forced)?;
        let mut tables = Vec::new();
        let entries = m * 256 * 256;
        let too_large = LayoutError::TooLarge { rows: m * 256, dim: 256 };
        tables.try_reserve_exact(entries).map_err(|_| too_large)?;
        tables.resize(entries, 0.0);
        // Centroid a of every sub-space, one after the other, is a vector like any other.
        let (mut vector, mut lut) = (vec![0.0; book.dim], Vec::new());
        for a in 0..=255u8 {
            book.decode(std::iter::repeat_n(a, m), &mut vector);
            book.lut(metric, &vector, &mut lut);
            for (s, table) in lut.iter().enumerate() {
                tables[(s * 256 + usize::from(a)) * 256..][..256].copy_from_slice(table);
            }
        }
        Ok(Self { metric, tables, kernel })
    }

    /// `ranks[i]` = the rank of what `code` stands for and what row `i` of `codes` stands for.
    ///
    /// # Panics
    /// If a code has another number of sub-spaces, or there is not one rank a row.
    pub fn ranks(&self, code: &[u8], codes: RowsRef<'_, u8>, ranks: &mut [f32]) {
        #[expect(clippy::expect_used, reason = "`new` made as many entries")]
        let tables = SdcRef::new(&self.tables, self.kernel.dim()).expect("a table");
        self.kernel.call(code, tables, codes, ranks);
        self.metric.rank(ranks);
    }

    /// Bytes of the tables.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.tables[..])
    }
}
