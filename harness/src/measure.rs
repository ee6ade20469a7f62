//! One cell from request to rows: processes, looks, verdict.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use annvil_kernels::{AnyOp, VariantMeta};
use annvil_reports::schema::{self, Cell};

use crate::limits;
use crate::protocol::{
    CellSpec, ContestantSpec, Crew, CrewError, LimitReply, Measured, Refusal, Request, Residence,
    SampleTable,
};
use crate::store::Finished;
use crate::suite::Selection;
use crate::verdict::{
    JudgeError, Judgement, Rule, Standing, VariantResult, Verdict, judge, percentile,
};

/// How thoroughly a cell is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Processes per look.
    pub processes: usize,
    /// Rounds per process.
    pub rounds: usize,
    /// Further looks at an undecided cell.
    pub extra_looks: u32,
    /// How many workers keep large memory between cells: as many as there is memory for. To touch
    /// new pages takes the system longer than the measurement.
    pub keep_memory: usize,
    /// Bytes that the load ports deliver in a cycle, see [`limits::load_width`]. Measured once per
    /// run: processes that disagreed would disagree about the limit's name.
    pub load_width: u32,
}

impl Policy {
    /// The decision rule that follows.
    pub fn rule(&self) -> Rule {
        Rule::over(1 + self.extra_looks)
    }

    /// The rule as a record holds it.
    pub fn rule_record(&self) -> schema::Rule {
        let rule = self.rule();
        schema::Rule {
            alpha: rule.alpha,
            margin: rule.margin,
            correction: format!("Holm over variants - 1, two-sided, alpha / {} looks", rule.looks),
        }
    }
}

/// Why a cell has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum MeasureError {
    /// A worker failed.
    Crew(CrewError),
    /// The samples make no sense.
    Judge(JudgeError),
}

impl fmt::Display for MeasureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crew(e) => e.fmt(f),
            Self::Judge(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for MeasureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Crew(e) => Some(e),
            Self::Judge(e) => Some(e),
        }
    }
}

impl From<CrewError> for MeasureError {
    fn from(e: CrewError) -> Self {
        Self::Crew(e)
    }
}

impl From<JudgeError> for MeasureError {
    fn from(e: JudgeError) -> Self {
        Self::Judge(e)
    }
}

/// Samples of one cell and what the rule says of them; `None` when nothing could be timed.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The samples.
    pub table: SampleTable,
    /// The verdict over `table.columns`.
    pub judgement: Option<Judgement>,
}

/// Measures `contestants` in `cell`, looking again while undecided. `None` if `stop` was set
/// meanwhile.
///
/// # Errors
/// A worker that fails.
pub fn contest(
    crew: &mut Crew,
    cell: &CellSpec,
    contestants: &[ContestantSpec],
    policy: &Policy,
    stop: &AtomicBool,
) -> Result<Option<Judged>, MeasureError> {
    let mut measured: Vec<Measured> = Vec::new();
    let mut judged = None;
    for look in 0..=policy.extra_looks as usize {
        for i in look * policy.processes..(look + 1) * policy.processes {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let request = Request {
                cell: cell.clone(),
                contestants: contestants.to_vec(),
                rounds: policy.rounds,
                prove: i == 0,
                release_memory: cell.residence == Residence::Dram && i >= policy.keep_memory,
            };
            measured.push(crew.measure(i, &request)?);
        }
        let mut table = SampleTable::join(&measured)?;
        let bytes = table.bytes_per_value;
        let raw = std::mem::take(&mut table.limits);
        table.limits = limits::resolve(raw, bytes, policy.load_width);
        let judgement = if table.columns.is_empty() {
            None
        } else {
            Some(judge(&table.samples, &policy.rule())?)
        };
        let undecided = judgement.as_ref().is_some_and(|j| j.verdict == Verdict::Undecided);
        judged = Some(Judged { table, judgement });
        if !undecided {
            break;
        }
    }
    Ok(judged)
}

/// Everything that takes part in the cells of an operation: its variants, and contestants from
/// outside.
pub fn variants(op: &dyn AnyOp) -> Vec<VariantMeta> {
    let mut all = op.variants();
    all.extend(crate::outside::metas(op));
    all
}

/// Measures every selected variant of a cell. `None` if `stop` was set meanwhile.
///
/// # Errors
/// A worker that fails.
pub fn cell(
    crew: &mut Crew,
    op: &dyn AnyOp,
    spec: &CellSpec,
    selection: &Selection,
    policy: &Policy,
    stop: &AtomicBool,
) -> Result<Option<Finished>, MeasureError> {
    let metas: Vec<VariantMeta> =
        variants(op).into_iter().filter(|m| selection.takes(m.name)).collect();
    let contestants: Vec<ContestantSpec> = metas
        .iter()
        .filter(|m| m.not_run.is_none())
        .map(|m| ContestantSpec::honest(m.name))
        .collect();
    let judged = if contestants.is_empty() {
        None
    } else {
        match contest(crew, spec, &contestants, policy, stop)? {
            Some(judged) => Some(judged),
            None => return Ok(None),
        }
    };
    Ok(Some(finished(spec, &metas, judged.as_ref(), policy)))
}

fn finished(
    spec: &CellSpec,
    metas: &[VariantMeta],
    judged: Option<&Judged>,
    policy: &Policy,
) -> Finished {
    let mut wrong = Vec::new();
    let rows = metas
        .iter()
        .map(|meta| {
            let mut row = blank_row(spec, meta);
            let place = judged.and_then(|j| {
                let at = j.table.contestants.iter().position(|c| c.variant == meta.name)?;
                Some((j, at))
            });
            let Some((judged, at)) = place else { return row };
            let reply = &judged.table.contestants[at];
            row.max_error_ulp = reply.max_error_ulp;
            row.ran_level.clone_from(&reply.ran_level);
            row.verified = reply.refused.is_none() && reply.max_error_ulp.is_some();
            if let Some(refusal) = &reply.refused {
                row.not_run = Some(refusal.to_string());
                if matches!(refusal, Refusal::Wrong(_)) {
                    wrong.push(format!("{spec}#{}: {refusal}", meta.name));
                }
            }
            let column = judged.table.columns.iter().position(|c| *c == at);
            if let (Some(column), Some(judgement)) = (column, &judged.judgement) {
                fill_times(&mut row, judged, judgement, column, policy);
            }
            row
        })
        .collect();
    Finished { cell: spec.clone(), rows, wrong }
}

fn blank_row(spec: &CellSpec, meta: &VariantMeta) -> Cell {
    Cell {
        op: spec.op.clone(),
        dim: spec.dim,
        residence: spec.residence.to_string(),
        alignment: spec.alignment.bytes().to_owned(),
        build: crate::env::build_name(),
        variant: meta.name.to_owned(),
        technique: meta.technique.to_string(),
        level: meta.level.to_string(),
        command: spec.command(),
        not_run: meta.not_run.clone(),
        ..Cell::default()
    }
}

fn fill_times(
    row: &mut Cell,
    judged: &Judged,
    judgement: &Judgement,
    column: usize,
    policy: &Policy,
) {
    let result: &VariantResult = &judgement.variants[column];
    row.ns_p50 = Some(result.ns_p50);
    row.ns_p5 = Some(result.ns_p5);
    row.ratio_to_best = Some(result.ratio_to_best);
    row.ratio_lo = result.lo;
    row.ratio_hi = result.hi;
    row.verdict = Some(verdict_record(judgement.verdict));
    row.standing = Some(standing_record(judgement.verdict, result.standing));
    row.mde = result.mde;
    row.gb_per_s = Some(judged.table.bytes_per_value / result.ns_p50);
    if let Some((name, ns)) = binding_limit(&judged.table.limits) {
        row.limit = Some(name);
        row.limit_ns = Some(ns);
        row.pct_of_limit = Some(100.0 * ns / result.ns_p50);
    }
    row.processes = u32::try_from(judgement.processes).ok();
    row.rounds = u32::try_from(policy.rounds).ok();
    row.discarded_pct = Some(100.0 * judgement.discarded);
}

/// The slowest limit: what nobody can beat.
fn binding_limit(limits: &[LimitReply]) -> Option<(String, f64)> {
    limits
        .iter()
        .map(|l| (l.name.clone(), percentile(&mut l.ns.clone(), 0.5)))
        .filter(|(_, ns)| ns.is_finite())
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

fn verdict_record(verdict: Verdict) -> schema::Verdict {
    match verdict {
        Verdict::Winner => schema::Verdict::Winner,
        Verdict::Tie => schema::Verdict::Tie,
        Verdict::Undecided => schema::Verdict::Undecided,
        Verdict::Noisy => schema::Verdict::Noisy,
    }
}

/// A variant's part in the verdict: nobody is tied in a cell that is not a tie.
fn standing_record(verdict: Verdict, standing: Standing) -> schema::Standing {
    match (verdict, standing) {
        (Verdict::Noisy, _) => schema::Standing::Undecided,
        (_, Standing::Slower) => schema::Standing::Behind,
        (Verdict::Winner, Standing::Best) => schema::Standing::Winner,
        (Verdict::Tie, Standing::Best | Standing::Equal) => schema::Standing::Tied,
        _ => schema::Standing::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standings_follow_the_verdict() {
        use schema::Standing as S;
        for (verdict, standing, want) in [
            (Verdict::Winner, Standing::Best, S::Winner),
            (Verdict::Winner, Standing::Slower, S::Behind),
            (Verdict::Tie, Standing::Best, S::Tied),
            (Verdict::Tie, Standing::Equal, S::Tied),
            (Verdict::Tie, Standing::Slower, S::Behind),
            (Verdict::Undecided, Standing::Best, S::Undecided),
            (Verdict::Undecided, Standing::Equal, S::Undecided),
            (Verdict::Undecided, Standing::Unclear, S::Undecided),
            (Verdict::Noisy, Standing::Slower, S::Undecided),
        ] {
            assert_eq!(standing_record(verdict, standing), want, "{verdict} {standing:?}");
        }
    }

    #[test]
    fn the_slowest_limit_binds() {
        let limit = |name: &str, ns: &[f64]| LimitReply { name: name.into(), ns: ns.to_vec() };
        let limits = [limit("a", &[1.0, 9.0, 1.0]), limit("b", &[2.0, 2.0, 2.0]), limit("c", &[])];
        assert_eq!(binding_limit(&limits), Some(("b".to_owned(), 2.0)));
        assert_eq!(binding_limit(&[]), None);
    }
}
