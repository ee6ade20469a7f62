//! Operands of a graph's edges. In a recipe `rows` are nodes, and there are as many edges; one value
//! of a trial is one edge.

use super::map::{Outputs, Vectors, windows};
use super::{Misfit, Operands, Reads};
use crate::kernel::{Bound, Op};
use crate::layout::{LayoutError, RowsRef};
use crate::shape::Edges;
use crate::testkit::bounds::{Expected, UNIT_ROUNDOFF, expected, gamma};
use crate::testkit::cases::{self, Element, Random, Recipe};
use crate::testkit::verify::{Failure, Report, Value, judge_value};

/// Rows, edges between them, and a weight for each edge.
#[derive(Debug)]
pub struct EdgeOperands {
    rows: Vectors,
    edges: Vec<(u32, u32)>,
    weights: Vec<f32>,
    per: usize,
    windows: usize,
}

impl EdgeOperands {
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, LayoutError> {
        let mut random = Random::new(recipe.seed);
        let query: Vec<f32> = cases::query(&mut random, recipe.family, recipe.dim);
        let rows = Vectors::new(&mut random, recipe, recipe.rows_at, &query)?;
        let (per, windows) = windows(recipe);
        // Loops, repeated edges and both directions occur: nothing says that they do not.
        let node = |random: &mut Random| random.below(recipe.rows) as u32;
        let edges: Vec<(u32, u32)> = (0..if recipe.rows == 0 { 0 } else { per * windows })
            .map(|_| (node(&mut random), node(&mut random)))
            .collect();
        let weights = edges.iter().map(|_| (2.0 * random.unit() - 0.5) as f32).collect();
        Ok(Self { rows, edges, weights, per, windows })
    }

    fn window(&self, window: usize) -> (&[(u32, u32)], &[f32]) {
        let from = window % self.windows * self.per;
        (&self.edges[from..from + self.per], &self.weights[from..from + self.per])
    }

    /// What one edge must come to.
    fn truth(&self, (s, t): (u32, u32), w: f32) -> (Expected, f64) {
        let (a, b) = (self.rows.rows().row(s as usize), self.rows.rows().row(t as usize));
        let exact = crate::testkit::oracle::exact("l2sq", a, b);
        let w = f64::from(w);
        let truth = match expected("l2sq", a.len(), &exact, false) {
            Expected::Within { value, error } => {
                let rounding =
                    2.0 * UNIT_ROUNDOFF * (w * value).abs() + f64::from(f32::from_bits(1));
                Expected::Within { value: w * value, error: w.abs() * error + rounding }
            }
            Expected::Infinity if w > 0.0 => Expected::Infinity,
            Expected::Infinity if w < 0.0 => Expected::MinusInfinity,
            Expected::Infinity => Expected::Nan,
            other => other,
        };
        (truth, (w * exact.scale).abs())
    }
}

/// The expectation for a sum of values whose expectations are known.
fn total_of(parts: &[Expected]) -> Expected {
    let (mut value, mut error, mut scale) = (0.0, 0.0, 0.0f64);
    let (mut up, mut down) = (false, false);
    for part in parts {
        match *part {
            Expected::Within { value: v, error: e } => {
                (value, error, scale) = (value + v, error + e, scale + v.abs());
            }
            Expected::Infinity => up = true,
            Expected::MinusInfinity => down = true,
            Expected::Nan => return Expected::Nan,
            _ => return Expected::Anything,
        }
    }
    match (up, down) {
        (true, true) => Expected::Nan,
        (true, false) => Expected::Infinity,
        (false, true) => Expected::MinusInfinity,
        (false, false) if scale > 0.5 * f64::from(f32::MAX) => Expected::Anything,
        (false, false) => {
            let rounding = gamma(2) * scale + f64::from(f32::from_bits(1));
            Expected::Within { value, error: error + rounding }
        }
    }
}

/// The outputs of a window of edges, and their sum.
#[derive(Clone, Debug)]
pub struct Energies {
    per_edge: Outputs,
    total: f32,
}

impl<O: Op<Shape = Edges>> Operands<O> for EdgeOperands {
    type Out = Energies;

    fn windows(&self) -> usize {
        self.windows
    }

    fn values(&self) -> usize {
        self.per
    }

    fn bytes_per_value(&self) -> f64 {
        (2 * self.rows.dim * size_of::<f32>()) as f64
    }

    fn reads(&self, window: usize, reads: Reads) -> Vec<&[u8]> {
        let rows = self.rows.rows();
        if reads == Reads::InSequence {
            let twice = (0..2 * self.per).map(|i| i % rows.len().max(1));
            return twice.map(|i| f32::bytes(rows.row(i))).collect();
        }
        let ends = self.window(window).0.iter().flat_map(|&(s, t)| [s, t]);
        ends.map(|id| f32::bytes(rows.row(id as usize))).collect()
    }

    fn blank(&self) -> Energies {
        Energies { per_edge: Outputs::new(1, self.per), total: f32::SPOILT }
    }

    fn run(&self, bound: &Bound<Edges>, window: usize, values: usize, out: &mut Energies) {
        let (edges, weights) = self.window(window);
        let count = edges.len().min(values);
        let per_edge = &mut out.per_edge.get(0)[..count];
        out.total = bound.call(self.rows.rows(), &edges[..count], &weights[..count], per_edge);
    }

    fn judge(&self, window: usize, out: &Energies) -> Result<Report, Failure> {
        let (edges, weights) = self.window(window);
        let mut report = Report::default();
        let fail = |output, found: f32, expected| Failure {
            op: format!("{}/{}/edges", O::ENCODING, O::METRIC),
            dim: self.rows.dim,
            output,
            found: f64::from(found),
            expected,
        };
        let (found, beside) = out.per_edge.first(1);
        if let Some((at, found)) = beside {
            return Err(fail(at, found, "nothing written beside the output".to_owned()));
        }
        let mut parts = Vec::with_capacity(edges.len());
        for (i, ((&edge, &w), &found)) in edges.iter().zip(weights).zip(found).enumerate() {
            let (truth, scale) = self.truth(edge, w);
            judge_value(found, &truth, scale, &mut report)
                .map_err(|expected| fail(i, found, expected))?;
            parts.push(truth);
        }
        judge_value(out.total, &total_of(&parts), 0.0, &mut report)
            .map_err(|expected| fail(edges.len(), out.total, expected))?;
        Ok(report)
    }

    fn misfits<'a>(&'a self, bound: &'a Bound<Edges>) -> Vec<Misfit<'a>> {
        let (edges, weights) = self.window(0);
        let rows = self.rows.rows();
        type Call<'a> = (RowsRef<'a, f32>, Vec<(u32, u32)>, &'a [f32], usize);
        let run = move |(rows, edges, weights, length): Call<'a>| {
            Box::new(move || {
                let _: f32 = bound.call(rows, &edges, weights, &mut vec![0.0; length]);
            })
        };
        let mut lost = edges.to_vec();
        lost[edges.len() - 1].1 = rows.len() as u32;
        let (edges, count) = (edges.to_vec(), edges.len());
        let mut all: Vec<Misfit<'a>> = vec![
            ("a weight too few", run((rows, edges.clone(), &weights[1..], count))),
            ("an output too many", run((rows, edges.clone(), weights, count + 1))),
            ("an edge to no row", run((rows, lost, weights, count))),
        ];
        let narrow = RowsRef::new(self.rows.memory.get(), self.rows.dim - 1, self.rows.stride);
        if let Ok(narrow) = narrow {
            all.push(("shorter rows", run((narrow, edges, weights, count))));
        }
        all
    }
}
