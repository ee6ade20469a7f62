//! What a kernel is: an [`Op`] (what is computed), its [`Variant`]s (how), and a [`Bound`] one
//! (a pointer whose level was checked on this CPU).
#![allow(unsafe_code, reason = "calling an entry whose level was checked when it was bound")]

use core::any::Any;
use core::fmt;
use core::marker::PhantomData;

use crate::isa::Level;
#[cfg(feature = "testkit")]
use crate::layout::LayoutError;
use crate::set::{Forced, Residence};
use crate::shape::{Batch, Shape, VectorShape};
#[cfg(feature = "testkit")]
use crate::testkit::cases::{Family, Recipe};
#[cfg(feature = "testkit")]
use crate::testkit::trial::Trial;

/// How a variant came to its instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Technique {
    /// A plain loop in oracle order.
    Scalar,
    /// A plain loop that the compiler vectorises, once per target, chosen at run time
    /// (`multiversion`).
    Autovec,
    /// The crate `pulp`.
    Pulp,
    /// The crate `wide`: its width is fixed when it is compiled.
    Wide,
    /// The C library SimSIMD.
    Simsimd,
    /// Intrinsics by hand.
    Hand,
    /// Another library, called as its users call it. Only the harness has such contestants.
    Rival,
    /// A form found in another system, written anew to be measured. Only the harness has such.
    AsFound,
}

impl Technique {
    /// The name in coordinates, tables and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Autovec => "autovec",
            Self::Pulp => "pulp",
            Self::Wide => "wide",
            Self::Simsimd => "simsimd",
            Self::Hand => "hand",
            Self::Rival => "rival",
            Self::AsFound => "as-found",
        }
    }
}

impl fmt::Display for Technique {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// An operation: what is computed, on which encoding, in which shape.
pub(crate) trait Op: Sized + 'static {
    /// Its calling convention.
    type Shape: Shape;
    /// The encoding of the rows, for example `f32`.
    const ENCODING: &'static str;
    /// The metric, for example `l2sq`.
    const METRIC: &'static str;
    /// Every implementation, the scalar one first.
    const VARIANTS: &'static [Variant<Self>];

    /// Elements of a query of `dim` values.
    #[must_use]
    fn query_len(dim: usize) -> usize {
        dim
    }

    /// Elements of a row of `dim` values: fewer where an element holds several.
    #[must_use]
    fn row_len(dim: usize) -> usize {
        dim
    }
}

/// The function-pointer type of an operation.
pub(crate) type Entry<O> = <<O as Op>::Shape as Shape>::Entry;

/// One implementation of an operation.
pub(crate) struct Variant<O: Op> {
    name: &'static str,
    level: Level,
    technique: Technique,
    code: Code<O>,
}

/// The code of a variant: there, or not in this build.
enum Code<O: Op> {
    /// The entry for a dimension; `None` where the variant has no form for it.
    Resolve(fn(usize) -> Option<Entry<O>>),
    Absent(&'static str),
}

impl<O: Op> Variant<O> {
    /// A variant that exists in this build.
    ///
    /// # Safety
    /// On every CPU where `level.is_available()`, what `resolve(dim)` returns is sound to call with
    /// queries and rows of the lengths that the operation gives for `dim`, whatever the ids and the
    /// number of rows and outputs; a shape may ask for more, which its safe `call` then checks.
    pub(crate) const unsafe fn new(
        name: &'static str,
        level: Level,
        technique: Technique,
        resolve: fn(usize) -> Option<Entry<O>>,
    ) -> Self {
        Self { name, level, technique, code: Code::Resolve(resolve) }
    }

    /// A variant that this build lacks, and why: it stays visible in every list.
    pub(crate) const fn absent(
        name: &'static str,
        level: Level,
        technique: Technique,
        why: &'static str,
    ) -> Self {
        Self { name, level, technique, code: Code::Absent(why) }
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// The same under another name: a second form of one kind at one level.
    pub(crate) const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// What is known of the variant without running it.
    #[must_use]
    pub(crate) fn meta(&self) -> VariantMeta {
        let not_run = match self.code {
            Code::Absent(why) => Some(why.to_owned()),
            Code::Resolve(_) => self.level.missing().map(|why| format!("this CPU lacks {why}")),
        };
        VariantMeta { name: self.name, level: self.level, technique: self.technique, not_run }
    }

    /// The variant for rows of `dim` elements, proved to run on this CPU.
    ///
    /// # Errors
    /// The build or the CPU lacks it, or it has no form for `dim`.
    pub(crate) fn bind(&self, dim: usize) -> Result<Bound<O::Shape>, BindError> {
        let refuse = |why: String| BindError::NotRun { path: path::<O>(), variant: self.name, why };
        if let Some(why) = self.meta().not_run {
            return Err(refuse(why));
        }
        let Code::Resolve(resolve) = self.code else {
            return Err(refuse("not in this build".to_owned()));
        };
        let entry =
            resolve(dim).ok_or(BindError::NoForm { path: path::<O>(), variant: self.name, dim })?;
        Ok(Bound {
            entry,
            dim,
            query_len: O::query_len(dim),
            row_len: O::row_len(dim),
            name: self.name,
            level: self.level,
        })
    }
}

/// `encoding/metric/shape`.
fn path<O: Op>() -> String {
    format!("{}/{}/{}", O::ENCODING, O::METRIC, <O::Shape as Shape>::NAME)
}

/// A variant's name, level, technique, and why it cannot run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantMeta {
    /// Its name, for example `avx512-x4`.
    pub name: &'static str,
    /// The instruction-set level that it needs.
    pub level: Level,
    /// How it was made.
    pub technique: Technique,
    /// Why it cannot run in this process; `None` if it can.
    pub not_run: Option<String>,
}

/// A resolved kernel: a pointer, and the proof that this CPU has its level.
///
/// Only binding a variant makes one. `call` is safe, and checks lengths as its shape documents.
pub struct Bound<S: Shape> {
    entry: S::Entry,
    dim: usize,
    query_len: usize,
    row_len: usize,
    name: &'static str,
    level: Level,
}

impl<S: Shape> Bound<S> {
    /// The dimension it was bound for.
    #[inline]
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Elements of a query of that dimension.
    #[inline]
    #[must_use]
    pub fn query_len(&self) -> usize {
        self.query_len
    }

    /// Elements of a row of that dimension.
    #[inline]
    #[must_use]
    pub fn row_len(&self) -> usize {
        self.row_len
    }

    /// The name of the variant.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The level of the variant.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The raw entry: for the shapes' `call` methods, which check lengths first.
    #[inline(always)]
    pub(crate) fn entry(&self) -> S::Entry {
        self.entry
    }
}

impl<S: VectorShape> Bound<S> {
    /// Runs on a whole batch, one value per id or per row.
    ///
    /// # Panics
    /// If the query or the rows have another length than the kernel's, `out` is not one value per
    /// id or row, an id is no row, or the shape reads norms and there is not one per row.
    #[inline]
    pub fn run(&self, batch: &Batch<'_, S::Query, S::Code, S::Norm>, out: &mut [S::Value]) {
        assert_eq!(batch.rows.dim(), self.row_len, "rows of another dimension than the kernel's");
        assert_eq!(
            batch.query.len(),
            self.query_len,
            "a query of another dimension than the kernel's"
        );
        assert_eq!(out.len(), S::outputs(batch), "one output per value");
        let norms = batch.norms.len();
        assert!(!S::NORMS || norms == batch.rows.len(), "{norms} norms, one per row wanted");
        // SAFETY: `bind` checked the level of the entry on this CPU, and the lengths were checked
        // above against the dimension it was resolved for.
        unsafe { S::drive(self.entry, batch, out) }
    }
}

impl<S: Shape> Clone for Bound<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Shape> Copy for Bound<S> {}

impl<S: Shape> fmt::Debug for Bound<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bound({}#{}, dim {})", S::NAME, self.name, self.dim)
    }
}

/// Why a variant could not be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindError {
    /// No operation has this path.
    UnknownOp {
        /// The path, as given.
        path: String,
    },
    /// The operation has no variant of this name.
    UnknownVariant {
        /// The operation.
        path: String,
        /// The name, as given.
        variant: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// The variant cannot run in this process.
    NotRun {
        /// The operation.
        path: String,
        /// The variant.
        variant: &'static str,
        /// What it lacks.
        why: String,
    },
    /// The variant has no form for this dimension.
    NoForm {
        /// The operation.
        path: String,
        /// The variant.
        variant: &'static str,
        /// Elements of a row.
        dim: usize,
    },
    /// The operation has another shape than the one that was asked for.
    OtherShape {
        /// The operation.
        path: String,
        /// The type of the shape, as given.
        asked: &'static str,
    },
    /// A forced choice that cannot be read.
    BadForce {
        /// The text, as given.
        spec: String,
    },
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOp { path } => {
                write!(f, "no operation {path}; `cargo xtask kernels` lists them")
            }
            Self::UnknownVariant { path, variant, known } => {
                write!(f, "{path} has no variant {variant}; it has {}", known.join(", "))
            }
            Self::NotRun { path, variant, why } => {
                write!(f, "{path}#{variant} cannot run here: {why}")
            }
            Self::NoForm { path, variant, dim } => {
                write!(f, "{path}#{variant} has no form for dimension {dim}")
            }
            Self::OtherShape { path, asked } => {
                write!(f, "{path} is no {asked}: its query, rows or values are of other types")
            }
            Self::BadForce { spec } => write!(
                f,
                "cannot read the forced kernel {spec:?}: write encoding/metric/shape=variant, \
                 several joined by commas, * for any metric or shape"
            ),
        }
    }
}

impl core::error::Error for BindError {}

/// An operation with its types erased: what tests, benches and reports loop over.
pub trait AnyOp: Sync {
    /// The encoding of the rows, for example `f32`.
    fn encoding(&self) -> &'static str;
    /// The metric, for example `l2sq`.
    fn metric(&self) -> &'static str;
    /// The shape, for example `scan`.
    fn shape(&self) -> &'static str;
    /// `encoding/metric/shape`.
    fn path(&self) -> String {
        format!("{}/{}/{}", self.encoding(), self.metric(), self.shape())
    }
    /// Every variant, those that cannot run here included.
    fn variants(&self) -> Vec<VariantMeta>;
    /// Whether a variant has a form for `dim` and can run here.
    ///
    /// # Errors
    /// An unknown variant, one that cannot run here, or one without a form for `dim`.
    fn check(&self, variant: &str, dim: usize) -> Result<(), BindError>;
    /// A [`Bound`] of the operation's shape, as the winners table or `forced` has it;
    /// [`resolve`](crate::resolve) gives it its type.
    ///
    /// # Errors
    /// A forced variant that is unknown, has no form for `dim`, or cannot run on this CPU.
    fn resolve(
        &self,
        dim: usize,
        residence: Residence,
        forced: &Forced,
    ) -> Result<Box<dyn Any>, BindError>;
    /// Operands made by a recipe, for tests and timing.
    ///
    /// # Errors
    /// Operands that do not fit into memory.
    #[cfg(feature = "testkit")]
    fn trial(&self, recipe: &Recipe) -> Result<Box<dyn Trial>, LayoutError>;
    /// The kinds of numbers that its variants are held to.
    #[cfg(feature = "testkit")]
    fn families(&self) -> &'static [Family];
    /// Bytes from row to row of `dim` values, for choosing how many rows fit a cache.
    #[cfg(feature = "testkit")]
    fn row_bytes(&self, dim: usize) -> usize;
}

/// The registry's row for an operation.
pub(crate) struct Erased<O>(PhantomData<fn() -> O>);

impl<O> Erased<O> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

/// What the registry asks of an operation: with the test kit, that it can make its operands.
#[cfg(not(feature = "testkit"))]
pub(crate) trait Registered: Op {}
#[cfg(not(feature = "testkit"))]
impl<O: Op> Registered for O {}
#[cfg(feature = "testkit")]
pub(crate) use crate::testkit::trial::Subject as Registered;

impl<O: Registered> AnyOp for Erased<O> {
    fn encoding(&self) -> &'static str {
        O::ENCODING
    }

    fn metric(&self) -> &'static str {
        O::METRIC
    }

    fn shape(&self) -> &'static str {
        <O::Shape as Shape>::NAME
    }

    fn variants(&self) -> Vec<VariantMeta> {
        O::VARIANTS.iter().map(Variant::meta).collect()
    }

    fn check(&self, variant: &str, dim: usize) -> Result<(), BindError> {
        bind::<O>(variant, dim).map(|_| ())
    }

    fn resolve(
        &self,
        dim: usize,
        residence: Residence,
        forced: &Forced,
    ) -> Result<Box<dyn Any>, BindError> {
        let bound: Bound<O::Shape> = crate::set::resolve_op::<O>(dim, residence, forced)?;
        Ok(Box::new(bound))
    }

    #[cfg(feature = "testkit")]
    fn trial(&self, recipe: &Recipe) -> Result<Box<dyn Trial>, LayoutError> {
        crate::testkit::trial::of::<O>(recipe)
    }

    #[cfg(feature = "testkit")]
    fn families(&self) -> &'static [Family] {
        O::FAMILIES
    }

    #[cfg(feature = "testkit")]
    fn row_bytes(&self, dim: usize) -> usize {
        O::row_bytes(dim)
    }
}

/// The variant called `variant` of an operation known by type.
pub(crate) fn bind<O: Op>(variant: &str, dim: usize) -> Result<Bound<O::Shape>, BindError> {
    let found = O::VARIANTS.iter().find(|v| v.name == variant);
    let found = found.ok_or_else(|| BindError::UnknownVariant {
        path: path::<O>(),
        variant: variant.to_owned(),
        known: O::VARIANTS.iter().map(|v| v.name).collect(),
    })?;
    found.bind(dim)
}
