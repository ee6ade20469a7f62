//! The live checks: a real kernel against itself, through the same workers and timing as a bench.

use std::sync::atomic::AtomicBool;

use annvil_kernels::VariantMeta;

use super::Check;
use crate::measure::{MeasureError, Policy, contest};
use crate::protocol::{Alignment, CellSpec, ContestantSpec, Crew, CrewError, Residence};
use crate::verdict::{Judgement, Rule, Standing, Verdict, judge};

/// The op that is raced against itself.
const OP: &str = "f32/l2sq/pair";
/// Copies of the variant in a contest.
const COPIES: usize = 6;
/// Different dimensions.
const DIMS: usize = 40;
/// The place of the copy that is slowed down.
const SLOWER: usize = 3;
/// The planted slow-down in percent: twice the margin.
const PLANTED_PCT: f64 = 2.0;

/// How much the live checks measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveSize {
    /// Contests of identical kernels, and as many with a planted slow-down.
    pub contests: usize,
    /// Processes per contest.
    pub processes: usize,
    /// Rounds per process.
    pub rounds: usize,
}

/// Races the fastest hand-written variant that runs here against itself. `None` if `stop` was set.
///
/// # Errors
/// A worker that fails.
pub fn live(
    crew: &mut Crew,
    size: &LiveSize,
    stop: &AtomicBool,
) -> Result<Option<Vec<Check>>, MeasureError> {
    let variant = best_here()?;
    let policy = Policy {
        processes: size.processes,
        rounds: size.rounds,
        // As a full bench: more processes while undecided.
        extra_looks: 2,
        keep_memory: usize::MAX,
        load_width: 1,
    };
    let bare = Rule { margin: 0.0, ..policy.rule() };
    let mut same = vec![ContestantSpec::honest(&variant); COPIES];
    let (mut won_bare, mut won, mut found, mut preferred) = (0, 0, 0, 0);
    for i in 0..size.contests {
        let cell = cell(i);
        same[SLOWER].planted_pct = 0.0;
        let Some(j) = contest(crew, &cell, &same, &policy, stop)? else { return Ok(None) };
        let strict = judge(&j.table.samples, &bare)?;
        won_bare += usize::from(strict.verdict == Verdict::Winner);
        won += usize::from(j.judgement.is_some_and(|j| j.verdict == Verdict::Winner));

        same[SLOWER].planted_pct = PLANTED_PCT;
        let Some(j) = contest(crew, &cell, &same, &policy, stop)? else { return Ok(None) };
        let slower = |j: &Judgement| j.variants[SLOWER].standing == Standing::Slower;
        found += usize::from(j.judgement.as_ref().is_some_and(slower));
        preferred += usize::from(j.judgement.is_some_and(|j| {
            j.best == SLOWER && j.variants.iter().any(|v| v.standing == Standing::Slower)
        }));
    }
    let n = size.contests;
    Ok(Some(vec![
        Check::rate_at_most("live, 6 identical, no margin: false winner", won_bare, n, 0.05),
        Check::never("live, 6 identical: false winner", won, n),
        Check::rate_at_least("live, 2 % slower: found", found, n, 0.95),
        Check::never("live, 2 % slower: preferred", preferred, n),
    ]))
}

/// Dimensions change from contest to contest, so that each one draws other operands and places.
fn cell(i: usize) -> CellSpec {
    CellSpec {
        op: OP.to_owned(),
        dim: 64 + 16 * (i % DIMS),
        residence: Residence::L1,
        alignment: Alignment::Aligned,
    }
}

/// The last variant of the highest level that runs here.
fn best_here() -> Result<String, MeasureError> {
    let refused = |why: String| MeasureError::Crew(CrewError::Refused { why });
    let op = annvil_kernels::find(OP).map_err(|e| refused(e.to_string()))?;
    let runs = |v: &VariantMeta| (0..DIMS).all(|i| op.check(v.name, cell(i).dim).is_ok());
    op.variants()
        .into_iter()
        .filter(runs)
        .max_by_key(|v| v.level)
        .map(|v| v.name.to_owned())
        .ok_or_else(|| refused(format!("{OP} has no variant that runs here")))
}
