//! What an engine holds: kernels resolved once, by metric and dimension, from the winners table.

use core::fmt;

use crate::isa::Level;
use crate::kernel::{BindError, Bound, Op, Technique, Variant, bind};
use crate::ops::f32::F32;
use crate::ops::f32::metric::{Cosine, Dot, L1, L2Sq, Linf, Step};
use crate::shape::{Gather, Pair, Row, Scan, Shape};
use crate::winners;

/// The name of the environment variable that callers read and pass to [`Forced::parse`]. Nothing
/// in this crate reads the environment.
pub const FORCE_VAR: &str = "ANNVIL_FORCE";

/// What is computed of two vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// The sum of `(x - y)^2`.
    L2Sq,
    /// The sum of `x * y`; larger = nearer.
    Dot,
    /// `1 - x.y / (|x| |y|)`, exactly 1 if either vector is zero.
    Cosine,
    /// The sum of `|x - y|`.
    L1,
    /// The largest `|x - y|`.
    Linf,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 5] = [Self::L2Sq, Self::Dot, Self::Cosine, Self::L1, Self::Linf];

    /// The name in coordinates.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2Sq => "l2sq",
            Self::Dot => "dot",
            Self::Cosine => "cosine",
            Self::L1 => "l1",
            Self::Linf => "linf",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where the rows live while a kernel reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Residence {
    /// Some level of cache.
    Cache,
    /// Main memory.
    Dram,
}

/// Resolved `f32` kernels for one metric and one dimension. Cheap to copy; `call` is safe.
#[derive(Clone, Copy, Debug)]
pub struct F32Kernels {
    /// Two vectors.
    pub pair: Bound<Pair<f32>>,
    /// Contiguous rows that stay in a cache.
    pub scan_cached: Bound<Scan<f32>>,
    /// Contiguous rows that stream from memory.
    pub scan_stream: Bound<Scan<f32>>,
    /// Listed rows that are in a cache.
    pub gather_cached: Bound<Gather<f32>>,
    /// Listed rows that come from memory.
    pub gather_far: Bound<Gather<f32>>,
    /// A vector's squared norm.
    pub norm_sq: Bound<Row<f32>>,
}

impl F32Kernels {
    /// The winners for `metric` on rows of `dim` elements, on this CPU.
    ///
    /// # Errors
    /// Only if the winners table is at odds with the registry, which a test excludes.
    pub fn new(metric: Metric, dim: usize) -> Result<Self, BindError> {
        Self::forced(metric, dim, &Forced::default())
    }

    /// As [`F32Kernels::new`], with some choices forced.
    ///
    /// # Errors
    /// A forced variant that is unknown, has no form for `dim`, or cannot run on this CPU.
    pub fn forced(metric: Metric, dim: usize, forced: &Forced) -> Result<Self, BindError> {
        forced.check()?;
        match metric {
            Metric::L2Sq => Self::of::<L2Sq>(dim, forced),
            Metric::Dot => Self::of::<Dot>(dim, forced),
            Metric::Cosine => Self::of::<Cosine>(dim, forced),
            Metric::L1 => Self::of::<L1>(dim, forced),
            Metric::Linf => Self::of::<Linf>(dim, forced),
        }
    }

    fn of<M: Step>(dim: usize, forced: &Forced) -> Result<Self, BindError> {
        use Residence::{Cache, Dram};
        Ok(Self {
            pair: resolve_op::<F32<M, Pair<f32>>>(dim, Cache, forced)?,
            scan_cached: resolve_op::<F32<M, Scan<f32>>>(dim, Cache, forced)?,
            scan_stream: resolve_op::<F32<M, Scan<f32>>>(dim, Dram, forced)?,
            gather_cached: resolve_op::<F32<M, Gather<f32>>>(dim, Cache, forced)?,
            gather_far: resolve_op::<F32<M, Gather<f32>>>(dim, Dram, forced)?,
            norm_sq: resolve_op::<F32<Dot, Row<f32>>>(dim, Cache, forced)?,
        })
    }
}

/// The chosen variant of one operation: forced, else the recorded winner of the best level that
/// has one, else the plain form of that level.
pub(crate) fn resolve_op<O: Op>(
    dim: usize,
    residence: Residence,
    forced: &Forced,
) -> Result<Bound<O::Shape>, BindError> {
    let coordinates =
        Coordinates { encoding: O::ENCODING, metric: O::METRIC, shape: <O::Shape as Shape>::NAME };
    let names: Vec<&str> = O::VARIANTS.iter().map(Variant::name).collect();
    let (level, exact) = match forced.choice(&coordinates, &names) {
        Some(Choice::Variant(name)) => return bind::<O>(name, dim),
        Some(Choice::Level(level)) => (*level, true),
        None => (Level::best(), false),
    };
    // The winner on a CPU of one level may be a variant of a lower one; whoever forces a level wants
    // that level and no other.
    if let Some(winner) = winners::find(&coordinates.path(), level, dim, residence)
        && let Ok(bound) = bind::<O>(winner.variant, dim)
        && (!exact || bound.level() == level)
    {
        return Ok(bound);
    }
    for level in alike(level, exact) {
        for suffix in fallback(coordinates.shape, residence) {
            let name = format!("{level}{suffix}");
            if names.contains(&name.as_str())
                && let Ok(bound) = bind::<O>(&name, dim)
            {
                return Ok(bound);
            }
        }
        // No usual form: what the level has, in the order of the list.
        let own =
            |v: &&Variant<O>| v.meta().level == level && v.meta().technique == Technique::Hand;
        if let Some(bound) = O::VARIANTS.iter().filter(own).find_map(|v| v.bind(dim).ok()) {
            return Ok(bound);
        }
    }
    bind::<O>("scalar", dim)
}

/// The kernel of any operation, by its path and the type of its shape: the recorded winner for this
/// CPU, the dimension and the residence, or what is forced.
///
/// ```
/// use annvil_kernels::{Forced, Residence, Scan, resolve};
/// let scan = resolve::<Scan<i8, i8, i32>>("i8/dot/scan", 3, Residence::Cache, &Forced::default())?;
/// let rows = annvil_kernels::RowsRef::packed(&[1i8, 2, 3, -1, 0, 1], 3).unwrap();
/// let mut out = [0; 2];
/// scan.call(&[1, 1, 1], rows, &mut out);
/// assert_eq!(out, [6, 0]);
/// # Ok::<(), annvil_kernels::BindError>(())
/// ```
///
/// # Errors
/// No operation has the path, its shape is another one, or a forced variant that is unknown, has no
/// form for `dim`, or cannot run on this CPU.
pub fn resolve<S: Shape>(
    path: &str,
    dim: usize,
    residence: Residence,
    forced: &Forced,
) -> Result<Bound<S>, BindError> {
    forced.check()?;
    let bound = crate::find(path)?.resolve(dim, residence, forced)?;
    let other =
        || BindError::OtherShape { path: path.to_owned(), asked: core::any::type_name::<S>() };
    bound.downcast::<Bound<S>>().map(|bound| *bound).map_err(|_| other())
}

/// The levels to try for a level: itself and what it extends, and if it was not asked for by name
/// its extensions before it.
fn alike(level: Level, exact: bool) -> impl Iterator<Item = Level> {
    let extensions = Level::ALL.into_iter().rev();
    let extensions = extensions.filter(move |l| !exact && *l != level && l.base() == level);
    let base = Some(level.base()).filter(|base| *base != level);
    extensions.chain([level]).chain(base)
}

/// The forms to try at a level without recorded evidence, best guess first.
fn fallback(shape: &str, residence: Residence) -> &'static [&'static str] {
    match (shape, residence) {
        ("pair" | "pair_norms", _) => &["-fixed", "-x4"],
        ("scan", Residence::Cache) => &["-r8", "-r4"],
        ("scan" | "scan_norms", Residence::Dram) => &["-stream", "-r4"],
        ("scan_norms", Residence::Cache) => &["-r8", "-r4"],
        ("gather" | "gather_norms", Residence::Dram) => &["-r4-pf4", "-r4"],
        ("gather" | "gather_norms", Residence::Cache) => &["-r4"],
        _ => &["-x4"],
    }
}

/// Where an operation stands.
struct Coordinates {
    encoding: &'static str,
    metric: &'static str,
    shape: &'static str,
}

impl Coordinates {
    fn path(&self) -> String {
        format!("{}/{}/{}", self.encoding, self.metric, self.shape)
    }

    fn matches(&self, pattern: &[String; 3]) -> bool {
        [self.encoding, self.metric, self.shape]
            .into_iter()
            .zip(pattern)
            .all(|(part, wanted)| wanted == "*" || wanted == part)
    }
}

/// Forced choices of kernels, for comparisons and for tests of a level.
///
/// ```
/// use annvil_kernels::{F32Kernels, Forced, Metric};
/// let forced = Forced::parse("f32/l2sq/*=scalar")?;
/// let k = F32Kernels::forced(Metric::L2Sq, 100, &forced)?;
/// assert_eq!(k.scan_cached.name(), "scalar");
/// assert!(Forced::parse("f32/l2sq/*=avx3").is_err());
/// # Ok::<(), annvil_kernels::BindError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forced {
    rules: Vec<(String, [String; 3], Choice)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Choice {
    Variant(String),
    Level(Level),
}

impl Forced {
    /// Reads `encoding/metric/shape=choice`, several joined by commas. `*` stands for any
    /// coordinate; a choice is a variant (for those operations that have it) or a level. The last
    /// rule that applies holds.
    ///
    /// # Errors
    /// A text that cannot be read, or a rule that fits no operation.
    pub fn parse(spec: &str) -> Result<Self, BindError> {
        let bad = || BindError::BadForce { spec: spec.to_owned() };
        let mut rules = Vec::new();
        for rule in spec.split(',').map(str::trim).filter(|rule| !rule.is_empty()) {
            let (path, choice) = rule.split_once('=').ok_or_else(bad)?;
            let parts: Vec<String> = path.split('/').map(|p| p.trim().to_owned()).collect();
            let pattern: [String; 3] = parts.try_into().map_err(|_| bad())?;
            let choice = choice.trim();
            let choice = match Level::from_name(choice) {
                Some(level) => Choice::Level(level),
                None => Choice::Variant(choice.to_owned()),
            };
            rules.push((rule.to_owned(), pattern, choice));
        }
        let forced = Self { rules };
        forced.check()?;
        Ok(forced)
    }

    /// Whether nothing is forced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Every rule fits some operation, and what it names can run here.
    fn check(&self) -> Result<(), BindError> {
        for (rule, pattern, choice) in &self.rules {
            let mut fits = crate::ops().iter().filter(|op| {
                Coordinates { encoding: op.encoding(), metric: op.metric(), shape: op.shape() }
                    .matches(pattern)
            });
            match choice {
                Choice::Level(level) => {
                    if let Some(why) = level.missing() {
                        return Err(BindError::NotRun {
                            path: rule.clone(),
                            variant: level.name(),
                            why: format!("this CPU lacks {why}"),
                        });
                    }
                    fits.next().ok_or(BindError::UnknownOp { path: rule.clone() })?;
                }
                Choice::Variant(name) => {
                    let mut matched = fits.peekable();
                    if matched.peek().is_none() {
                        return Err(BindError::UnknownOp { path: rule.clone() });
                    }
                    let metas: Vec<_> = matched.flat_map(|op| op.variants()).collect();
                    let found = metas.iter().find(|meta| meta.name == name);
                    let found = found.ok_or_else(|| {
                        let mut known: Vec<_> = metas.iter().map(|meta| meta.name).collect();
                        known.sort_unstable();
                        known.dedup();
                        let (path, variant) = (rule.clone(), name.clone());
                        BindError::UnknownVariant { path, variant, known }
                    })?;
                    if let Some(why) = &found.not_run {
                        let (path, why) = (rule.clone(), why.clone());
                        return Err(BindError::NotRun { path, variant: found.name, why });
                    }
                }
            }
        }
        Ok(())
    }

    fn choice(&self, at: &Coordinates, names: &[&str]) -> Option<&Choice> {
        let fits = |choice: &Choice| match choice {
            Choice::Level(_) => true,
            Choice::Variant(name) => names.contains(&name.as_str()),
        };
        let mut last_first = self.rules.iter().rev();
        last_first.find(|(_, pattern, choice)| at.matches(pattern) && fits(choice)).map(|r| &r.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_resolves_at_every_dimension() {
        for metric in Metric::ALL {
            for dim in (1..=160).chain([384, 768, 1536, 65_536]) {
                let k = F32Kernels::new(metric, dim).unwrap();
                assert_eq!(k.pair.dim(), dim);
            }
        }
    }

    #[test]
    fn a_forced_level_is_taken_where_it_is_there_and_refused_where_not() {
        for level in Level::ALL {
            let forced = Forced::parse(&format!("f32/*/*={level}"));
            if level.is_available() {
                let k = F32Kernels::forced(Metric::Dot, 768, &forced.unwrap()).unwrap();
                assert_eq!(k.scan_cached.level(), level.base(), "{:?}", k.scan_cached);
            } else {
                assert!(matches!(forced, Err(BindError::NotRun { .. })));
            }
        }
    }

    #[test]
    fn every_operation_resolves_at_every_level() {
        for level in Level::ALL.into_iter().filter(|l| l.is_available()) {
            let forced = Forced::parse(&format!("*/*/*={level}")).unwrap();
            for op in crate::ops() {
                for residence in [Residence::Cache, Residence::Dram] {
                    let bound = op.resolve(64, residence, &forced);
                    assert!(bound.is_ok(), "{} at {level}: {bound:?}", op.path());
                }
            }
        }
        let wrong = resolve::<Scan<f32>>("i8/dot/scan", 3, Residence::Cache, &Forced::default());
        assert!(matches!(wrong, Err(BindError::OtherShape { .. })));
    }

    #[test]
    fn forced_text_is_checked() {
        for bad in ["f32=scalar", "f32/l2sq=scalar", "f32/l2sq/pair", "=", "f32/l9/pair=scalar"] {
            assert!(Forced::parse(bad).is_err(), "{bad}");
        }
        assert!(Forced::parse("").unwrap().is_empty());
        let last = Forced::parse("*/*/*=scalar, f32/dot/pair=scalar").unwrap();
        assert!(F32Kernels::forced(Metric::Dot, 8, &last).is_ok());
    }

    #[test]
    fn the_winners_table_names_what_exists() {
        for winner in winners::WINNERS {
            let op = crate::find(winner.op).unwrap();
            let known = op.variants().iter().any(|v| v.name == winner.variant);
            assert!(known, "{} has no {}", winner.op, winner.variant);
            assert!(winner.min_dim <= winner.max_dim);
        }
    }
}
