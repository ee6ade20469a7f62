//! Contestants from outside the registry: other libraries, and forms found in other systems.
//!
//! They run on the same operands as the kernels of a cell, are judged by the same oracle before
//! they are timed, and take part in its verdict. They can never be promoted: the engine's tree
//! holds none of them.

mod diskann;
mod numkong;

use annvil_kernels::testkit::trial::{Trial, Work};
use annvil_kernels::{AnyOp, Level, Technique, VariantMeta};

/// Makes a contestant on the operands of a trial; `None` where they are of another type.
pub type Bind = for<'t> fn(&'t dyn Trial) -> Option<Box<dyn Work + 't>>;

/// One contestant for one metric on one encoding.
#[derive(Debug, Clone, Copy)]
pub struct Outsider {
    /// Its name among the variants.
    pub name: &'static str,
    /// A library, or a form.
    pub technique: Technique,
    /// The encoding of the rows.
    pub encoding: &'static str,
    /// The metric.
    pub metric: &'static str,
    /// The shapes in which it takes part.
    pub shapes: &'static [&'static str],
    /// The code, or why it is not in this build.
    pub bind: Result<Bind, &'static str>,
}

/// Shapes for a function of two vectors: called once a value.
pub(crate) const PAIRWISE: &[&str] = &["pair", "scan", "gather"];
/// Two vectors of one type, where the shapes of many rows keep the query in another.
pub(crate) const PAIRS: &[&str] = &["pair"];
/// One query against many rows.
pub(crate) const MANY: &[&str] = &["scan", "gather"];

/// Contestants of one library or form: rows of encoding, metric, types of query, row and value, the
/// largest dimension that it is exact for where it is not any, and a function from the dimension to
/// a function of query and row.
macro_rules! pairwise {
    ($name:literal, $technique:ident, $shapes:expr;
     $($encoding:literal $metric:literal <$q:ty, $c:ty, $v:ty> $(to $max:literal)?
       |$dim:ident| $make:expr;)*) => {
        &[$($crate::outside::Outsider {
            name: $name,
            technique: annvil_kernels::Technique::$technique,
            encoding: $encoding,
            metric: $metric,
            shapes: $shapes,
            bind: {
                use annvil_kernels::testkit::trial::VectorOperands;
                Ok(|trial| {
                    let operands = trial.operands().downcast_ref::<VectorOperands<$q, $c, $v, f32>>()?;
                    let $dim = operands.dim();
                    $(if $dim > $max {
                        return None;
                    })?
                    Some(operands.pairwise($make))
                })
            },
        }),*]
    };
}
pub(crate) use pairwise;

/// Contestants that this build lacks: shapes, encodings, metrics.
#[cfg(not(feature = "rivals"))]
macro_rules! absent {
    ($name:literal, $shapes:expr; $($encoding:literal $metric:literal;)*) => {
        &[$($crate::outside::Outsider {
            name: $name,
            technique: annvil_kernels::Technique::Rival,
            encoding: $encoding,
            metric: $metric,
            shapes: $shapes,
            bind: Err("needs the feature `rivals`: cargo xtask bench --rivals"),
        }),*]
    };
}
#[cfg(not(feature = "rivals"))]
pub(crate) use absent;

/// Every contestant there is.
fn all() -> impl Iterator<Item = &'static Outsider> {
    let lists = [diskann::LISTS, numkong::LISTS, crate::baseline::LISTS];
    lists.into_iter().flatten().copied().flatten()
}

/// The contestants for an operation.
pub fn of(op: &dyn AnyOp) -> impl Iterator<Item = &'static Outsider> {
    let (encoding, metric, shape) = (op.encoding(), op.metric(), op.shape());
    all().filter(move |o| o.encoding == encoding && o.metric == metric && o.shapes.contains(&shape))
}

/// What is known of the contestants for an operation, as of its own variants.
pub fn metas(op: &dyn AnyOp) -> Vec<VariantMeta> {
    let meta = |o: &Outsider| VariantMeta {
        name: o.name,
        level: Level::Scalar,
        technique: o.technique,
        not_run: o.bind.err().map(str::to_owned),
    };
    of(op).map(meta).collect()
}

/// A contestant of this name on the operands of a trial; `None` if there is none of the name.
///
/// # Errors
/// Why it cannot take part.
pub fn bind<'t>(
    op: &dyn AnyOp,
    name: &str,
    trial: &'t dyn Trial,
) -> Option<Result<Box<dyn Work + 't>, String>> {
    let outsider = of(op).find(|o| o.name == name)?;
    Some(match outsider.bind {
        Err(why) => Err(why.to_owned()),
        Ok(make) => make(trial).ok_or_else(|| format!("{name} has no form for these operands")),
    })
}

#[cfg(test)]
mod tests {
    use annvil_kernels::testkit::cases::Recipe;

    use super::*;

    #[test]
    fn every_contestant_belongs_to_an_operation_and_is_right() {
        for outsider in all() {
            let ops: Vec<_> = annvil_kernels::ops()
                .iter()
                .filter(|op| of(**op).any(|o| std::ptr::eq(o, outsider)))
                .collect();
            let what = format!("{} {} {}", outsider.name, outsider.encoding, outsider.metric);
            assert!(!ops.is_empty(), "{what} belongs to no operation");
            for op in ops {
                for dim in [2, 31, 96, 257] {
                    let trial = op.trial(&Recipe::plain(dim, 9, 3)).unwrap();
                    match bind(*op, outsider.name, &*trial).unwrap() {
                        Ok(mut work) => {
                            work.verify(0).unwrap_or_else(|f| panic!("{what}: {f}"));
                        }
                        Err(why) => assert_eq!(outsider.bind.err(), Some(&*why), "{what}: {why}"),
                    }
                }
            }
        }
    }

    #[test]
    fn names_do_not_collide_with_variants() {
        for op in annvil_kernels::ops() {
            let variants = op.variants();
            for meta in metas(*op) {
                assert!(variants.iter().all(|v| v.name != meta.name), "{}", meta.name);
            }
        }
    }
}
