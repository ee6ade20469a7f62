//! The resolved `f32` kernels under lengths and ids that do not fit: each call computes, or panics
//! as documented.

use super::bytes::Choices;
use super::refuses;
use crate::isa::Level;
use crate::layout::RowsRef;
use crate::set::{F32Kernels, Forced, Metric};
use crate::testkit::cases::Place;
use crate::testkit::guard::Edge;
use crate::testkit::trial::Placed;

/// What [`Case::read`] reads at most.
pub(super) const BYTES: usize = 64;

/// A kernel's dimension, and the lengths that it is called with.
#[derive(Clone, Debug)]
pub(super) struct Case {
    metric: Metric,
    level: Level,
    dim: usize,
    query: usize,
    row: usize,
    pad: usize,
    rows: usize,
    ids: Vec<u32>,
    /// Outputs more or fewer than values.
    out: isize,
    place: Place,
}

impl Case {
    pub(super) fn read(choices: &mut Choices<'_>) -> Self {
        let here: Vec<Level> = Level::ALL.into_iter().filter(|l| l.is_available()).collect();
        let (metric, level) = (choices.of(&Metric::ALL), choices.of(&here));
        let dim = choices.below(301);
        let (query, row) = (choices.near(dim), choices.near(dim));
        let (pad, rows) = (choices.below(20), choices.below(12));
        let out = choices.near(1) as isize - 1;
        let edge = if choices.byte() < 64 { Edge::Front } else { Edge::Back };
        let ids = (0..choices.below(24)).map(|_| id(choices, rows)).collect();
        Self { metric, level, dim, query, row, pad, rows, ids, out, place: Place::Edge(edge) }
    }
}

/// A row in most cases; else one that is not there, near or far.
fn id(choices: &mut Choices<'_>, rows: usize) -> u32 {
    match choices.byte() {
        250 => rows as u32,
        251 => u32::MAX,
        252 => 1 << 31,
        drawn => (usize::from(drawn) % rows.max(1)) as u32,
    }
}

pub(super) fn check(case: &Case) -> Result<u64, String> {
    let Case { metric, level, dim, .. } = *case;
    let forced = Forced::parse(&format!("f32/*/*={level}")).map_err(|why| why.to_string())?;
    let k = F32Kernels::forced(metric, dim, &forced).map_err(|why| why.to_string())?;
    let numbers = |len: usize| (0..len).map(|i| i as f32 - 3.0).collect::<Vec<f32>>();
    let place = |len: usize| Placed::once(&numbers(len), case.place).map_err(|e| e.to_string());
    // The last row has no pad behind it: a page that faults is there.
    let stride = (case.row + case.pad).max(1);
    let elements = match (case.rows, case.row) {
        (0, _) => 0,
        // Rows of no elements are counted by their pads.
        (rows, 0) => rows * stride,
        (rows, row) => (rows - 1) * stride + row,
    };
    let (query, memory) = (place(case.query)?, place(elements)?);
    let rows = RowsRef::new(memory.get(), case.row, stride).map_err(|why| why.to_string())?;
    let (query, ids) = (query.get(), &case.ids[..]);
    let one = if rows.is_empty() { &[] } else { rows.row(0) };

    let vectors = query.len() == dim && one.len() == dim;
    refuses("a pair", !vectors, || drop(vec![k.pair.call(query, one)]))?;
    refuses("a norm", query.len() != dim, || drop(vec![k.norm_sq.call(query)]))?;

    let fits = query.len() == dim && rows.dim() == dim;
    let outputs = |values: usize| vec![0.0; values.saturating_add_signed(case.out)];
    for scan in [k.scan_cached, k.scan_stream] {
        let mut out = outputs(rows.len());
        let good = fits && out.len() == rows.len();
        refuses("a scan", !good, || scan.call(query, rows, &mut out))?;
    }
    let known = ids.iter().all(|&id| (id as usize) < rows.len());
    for gather in [k.gather_cached, k.gather_far] {
        let mut out = outputs(ids.len());
        let good = fits && known && out.len() == ids.len();
        refuses("a gather", !good, || gather.call(query, rows, ids, &mut out))?;
    }
    Ok(6)
}
