//! `verify`: every available variant against the oracle.

use annvil_harness::protocol::{Alignment, CacheSizes, CellSpec, Residence, recipe};
use annvil_harness::rng::Rng;
use annvil_kernels::{AnyOp, BindError};

use super::selected;
use crate::cli::VerifyArgs;
use crate::progress::out;
use crate::stop::{MISSING, Stop, WRONG};

/// Around every vector length and its multiples, and the common large ones.
const DIMS: [usize; 33] = [
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 47, 48, 63, 64, 65, 96, 100, 127, 128, 129,
    255, 256, 257, 384, 768, 1000, 1536, 3072,
];

/// What verification found about one variant.
enum Found {
    Right { worst_ulp: f64, dims: usize },
    Wrong(Vec<String>),
}

pub(crate) fn run(args: &VerifyArgs) -> Result<(), Stop> {
    let (mut ran, mut wrong, mut not_run) = (0, 0, 0);
    for op in annvil_kernels::ops() {
        for v in op.variants() {
            let name = format!("{}#{}", op.path(), v.name);
            if !selected(&args.filter, &name) {
                continue;
            }
            if let Some(why) = v.not_run {
                not_run += 1;
                out(&format!("not run  {name}: {why}\n"));
                continue;
            }
            match check(*op, v.name)? {
                Found::Right { worst_ulp, dims } => {
                    ran += 1;
                    out(&format!("ok       {name}: {dims} dims, error <= {worst_ulp:.2} ulp\n"));
                }
                Found::Wrong(failures) => {
                    wrong += 1;
                    for failure in failures {
                        out(&format!("WRONG    {name}: {failure}\n"));
                    }
                }
            }
        }
    }
    out(&format!("{ran} right, {wrong} wrong, {not_run} not run\n"));
    match (ran, wrong, not_run) {
        (0, 0, 0) => {
            Err(Stop::usage("the filter matches no op#variant; `cargo xtask kernels` lists them"))
        }
        (0, 0, _) => Err(Stop::new(
            MISSING,
            format!("nothing was verified: none of {not_run} variants runs here, see above"),
        )),
        (_, 0, _) => Ok(()),
        _ => Err(Stop::new(WRONG, format!("{wrong} variants give wrong values"))),
    }
}

fn check(op: &dyn AnyOp, variant: &str) -> Result<Found, Stop> {
    let sizes = CacheSizes::detect();
    let mut failures = Vec::new();
    let (mut worst_ulp, mut dims) = (0.0_f64, 0);
    for (i, dim) in DIMS.into_iter().enumerate() {
        match op.check(variant, dim) {
            Ok(()) => dims += 1,
            Err(BindError::NoForm { .. }) => continue,
            Err(e) => return Err(Stop::failed(e)),
        }
        for alignment in Alignment::ALL {
            let cell = CellSpec { op: op.path(), dim, residence: Residence::L1, alignment };
            let recipe = recipe(op, &cell, &sizes, &mut Rng::new(i as u64));
            let trial = op.trial(&recipe).map_err(|e| Stop::failed(format!("{cell}: {e}")))?;
            let mut work = trial.bind(variant).map_err(Stop::failed)?;
            match work.verify(0) {
                Ok(report) => worst_ulp = worst_ulp.max(report.max_error_ulp),
                Err(failure) => failures.push(format!("dim {dim}, {alignment}: {failure}")),
            }
        }
    }
    Ok(if failures.is_empty() { Found::Right { worst_ulp, dims } } else { Found::Wrong(failures) })
}
