//! Curves of an op over the dimension, as SVG for the report page.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::{self, Write as _};
use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::{
    ChartBuilder, Circle, EmptyElement, IntoDrawingArea, LineSeries, PathElement, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, TRANSPARENT, TextStyle};

use crate::escape::escape;
use crate::schema::{Cell, CellGroup};

mod backend;
pub mod pareto;

use backend::{ClassedSvg, Paint};

/// Width and height of the drawing, in its own units; the page scales it.
pub const SIZE: (u32, u32) = (1000, 520);
/// Most lines in one drawing.
pub const MAX_SERIES: usize = 8;

const FONT: f64 = 22.0;
const LEFT: u32 = 84;
const RIGHT: u32 = 262;
const BOTTOM: u32 = 46;
const TOP: u32 = 18;
const LABEL_GAP: i32 = 28;
const LABEL_CHARS: usize = 19;

/// What the vertical axis shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Median nanoseconds per value, logarithmic.
    NsPerValue,
    /// Percent of the measured limit, linear from 0.
    PctOfLimit,
}

/// One line: the best variant of a technique.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The variant.
    pub name: String,
    /// Its technique, which decides colour and dashes.
    pub technique: String,
    /// (dimension, value), ascending, finite, value above 0 for a logarithmic axis.
    pub points: Vec<(f64, f64)>,
}

/// One drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Unique in the page; ids inside the drawing begin with it.
    pub id: String,
    /// Accessible name.
    pub title: String,
    /// The vertical axis.
    pub measure: Measure,
    /// The lines, at most [`MAX_SERIES`].
    pub series: Vec<Series>,
}

/// A drawing failed; the text is for a bug report.
#[derive(Debug)]
pub struct ChartError(String);

impl fmt::Display for ChartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the chart could not be drawn: {}", self.0)
    }
}

impl std::error::Error for ChartError {}

type Failure = plotters::drawing::DrawingAreaErrorKind<Infallible>;

impl From<Failure> for ChartError {
    fn from(e: Failure) -> Self {
        Self(e.to_string())
    }
}

/// The lines of `groups`, which are cells of one op, residence, alignment and build: for each
/// technique the variant whose geometric mean of ratios to the fastest is smallest among those
/// that cover the most dimensions; the [`MAX_SERIES`] best techniques.
pub fn series(groups: &[CellGroup<'_>], measure: Measure) -> Vec<Series> {
    let mut variants: BTreeMap<(&str, &str), Vec<&Cell>> = BTreeMap::new();
    for cell in groups.iter().flat_map(CellGroup::timed) {
        variants.entry((&cell.technique, &cell.variant)).or_default().push(cell);
    }
    let mut best: BTreeMap<&str, (usize, f64, &str)> = BTreeMap::new();
    for ((technique, variant), cells) in &variants {
        let logs: Vec<f64> = cells
            .iter()
            .filter_map(|c| c.ratio_to_best)
            .filter(|r| *r > 0.0)
            .map(f64::ln)
            .collect();
        let mean = logs.iter().sum::<f64>() / logs.len().max(1) as f64;
        let rank = (cells.len(), mean, *variant);
        let better = |old: &(usize, f64, &str)| old.0 < rank.0 || (old.0 == rank.0 && mean < old.1);
        match best.get(technique) {
            Some(old) if !better(old) => {}
            _ => _ = best.insert(technique, rank),
        }
    }
    let mut chosen: Vec<_> = best.into_iter().collect();
    chosen.sort_by(|(a, x), (b, y)| x.1.total_cmp(&y.1).then(a.cmp(b)));
    chosen.truncate(MAX_SERIES);
    let line = |(technique, (_, _, variant)): (&str, (usize, f64, &str))| {
        let value = |c: &Cell| match measure {
            Measure::NsPerValue => c.ns_p50.filter(|v| *v > 0.0),
            Measure::PctOfLimit => c.pct_of_limit.filter(|v| *v >= 0.0),
        };
        let cells = variants.get(&(technique, variant)).into_iter().flatten();
        let points = cells
            .filter(|c| c.dim > 0)
            .filter_map(|c| Some((c.dim as f64, value(c).filter(|v| v.is_finite())?)))
            .collect();
        Series { name: variant.to_owned(), technique: technique.to_owned(), points }
    };
    chosen.into_iter().map(line).filter(|s| !s.points.is_empty()).collect()
}

/// Colour and dash pattern of a technique: the known ones always look the same.
pub fn style_of(technique: &str) -> u8 {
    match technique {
        "hand" => 0,
        "simsimd" => 1,
        "pulp" => 2,
        "wide" => 3,
        "autovec" => 4,
        "scalar" => 5,
        other => 6 + (other.bytes().map(u32::from).sum::<u32>() % 2) as u8,
    }
}

/// A range with marks on it, in plotted units.
struct Axis {
    from: f64,
    to: f64,
    marks: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        // A cast from a float saturates, so a far-off value lands on the drawing's far side.
        limit.0.saturating_add((f64::from(limit.1 - limit.0) * share).round() as i32)
    }

    fn key_points<H: KeyPointHint>(&self, _hint: H) -> Vec<f64> {
        self.marks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

/// Base-2 logarithm of the dimensions, marked at those that were measured, thinned where they
/// would touch.
fn dim_axis(series: &[Series]) -> Axis {
    let mut dims: Vec<f64> = series.iter().flat_map(|s| &s.points).map(|(d, _)| d.log2()).collect();
    dims.sort_by(f64::total_cmp);
    dims.dedup();
    let (first, last) = (dims.first().copied().unwrap_or(0.0), dims.last().copied().unwrap_or(1.0));
    let (from, to) = if last > first { (first, last) } else { (first - 0.5, first + 0.5) };
    let room = (to - from) * 62.0 / f64::from(SIZE.0 - LEFT - RIGHT);
    let mut marks: Vec<f64> = Vec::new();
    // From the right: the largest dimensions carry the labels that readers look for.
    for d in dims.into_iter().rev() {
        if marks.last().is_none_or(|m| m - d >= room) {
            marks.push(d);
        }
    }
    marks.reverse();
    Axis { from, to, marks }
}

fn value_axis(series: &[Series], measure: Measure) -> Axis {
    let values = series.iter().flat_map(|s| &s.points).map(|(_, v)| *v);
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    for v in values {
        (lo, hi) = (lo.min(v), hi.max(v));
    }
    match measure {
        Measure::PctOfLimit => {
            let to = if hi.is_finite() { hi.clamp(100.0, 1e6) * 1.04 } else { 104.0 };
            let step = [20.0, 25.0, 50.0, 100.0].into_iter().find(|s| to / s <= 7.0);
            let step = step.unwrap_or(to / 5.0);
            let marks = (0..=7).map(|i| f64::from(i) * step).filter(|m| *m <= to).collect();
            Axis { from: 0.0, to, marks }
        }
        Measure::NsPerValue if lo.is_finite() => {
            let (mut from, mut to) = (lo.log10(), hi.log10());
            if to - from < 0.3 {
                (from, to) = (from - 0.15, to + 0.15);
            }
            let pad = (to - from) * 0.04;
            (from, to) = (from - pad, to + pad);
            let steps: &[f64] = if to - from > 4.0 {
                &[1.0]
            } else if to - from > 2.2 {
                &[1.0, 3.0]
            } else {
                &[1.0, 2.0, 5.0]
            };
            let decades = from.floor() as i32..=to.ceil() as i32;
            let marks = decades
                .flat_map(|d| steps.iter().map(move |s| f64::from(d) + s.log10()))
                .filter(|m| *m >= from && *m <= to)
                .collect();
            Axis { from, to, marks }
        }
        Measure::NsPerValue => Axis { from: 0.0, to: 1.0, marks: vec![0.0, 1.0] },
    }
}

/// Label heights near `wanted`, at least [`LABEL_GAP`] apart and inside the drawing; same order
/// as `wanted`.
fn spread(wanted: &[i32]) -> Vec<i32> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_key(|i| (wanted[*i], *i));
    let mut placed = wanted.to_vec();
    let mut floor = TOP as i32;
    for i in &order {
        placed[*i] = placed[*i].max(floor);
        floor = placed[*i] + LABEL_GAP;
    }
    let mut ceiling = (SIZE.1 - BOTTOM) as i32;
    for i in order.iter().rev() {
        placed[*i] = placed[*i].min(ceiling);
        ceiling = placed[*i] - LABEL_GAP;
    }
    placed
}

impl Chart {
    /// Draws the chart. Same chart, same bytes.
    ///
    /// # Errors
    /// [`ChartError`] when `plotters` refuses, which no finite input is known to cause.
    pub fn svg(&self) -> Result<String, ChartError> {
        let mut body = String::new();
        self.draw(&mut body)?;
        let mut out = String::with_capacity(body.len() + 512);
        let id = escape(&self.id);
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "<svg class=chart role=img viewBox=\"0 0 {} {}\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{body}</svg>",
            SIZE.0,
            SIZE.1,
            escape(&self.title),
            escape(&self.describe()),
        );
        Ok(out)
    }

    /// The first and last point of every line, in words.
    fn describe(&self) -> String {
        let unit = match self.measure {
            Measure::NsPerValue => "ns",
            Measure::PctOfLimit => "%",
        };
        let mut out = String::new();
        for s in &self.series {
            let (Some(a), Some(b)) = (s.points.first(), s.points.last()) else { continue };
            let _ = write!(
                out,
                "{} ({}): {:.3} {unit} at {} dimensions to {:.3} {unit} at {}. ",
                s.name, s.technique, a.1, a.0, b.1, b.0
            );
        }
        out.trim_end().to_owned()
    }

    fn draw(&self, out: &mut String) -> Result<(), ChartError> {
        let (x, y) = (dim_axis(&self.series), value_axis(&self.series, self.measure));
        let x_range = x.range();
        let height = |v: f64| match self.measure {
            Measure::NsPerValue => v.log10(),
            Measure::PctOfLimit => v,
        };
        let value_label = |v: &f64| match self.measure {
            Measure::NsPerValue => plain(10f64.powf(*v)),
            Measure::PctOfLimit => format!("{v:.0}%"),
        };
        let font = ("sans-serif", FONT).into_font();
        let root = ClassedSvg::new(out, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(TOP)
            .margin_right(RIGHT)
            .x_label_area_size(BOTTOM)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(x, y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Paint::Grid.code())
            .axis_style(Paint::Axis.code())
            .label_style(font.clone())
            .x_label_formatter(&|d| format!("{:.0}", d.exp2()))
            .y_label_formatter(&value_label)
            .draw()?;
        if self.measure == Measure::PctOfLimit {
            let full = [(x_range.start, 100.0), (x_range.end, 100.0)];
            chart.draw_series(LineSeries::new(full, Paint::Reference.code()))?;
        }
        for s in &self.series {
            let color = Paint::Series(style_of(&s.technique)).code();
            let at: Vec<(f64, f64)> =
                s.points.iter().map(|(d, v)| (d.log2(), height(*v))).collect();
            chart.draw_series(LineSeries::new(at.iter().copied(), color.stroke_width(2)))?;
            chart.draw_series(
                at.into_iter()
                    .map(|p| EmptyElement::at(p) + Circle::new((0, 0), 5, color.filled())),
            )?;
        }
        let ends: Vec<(i32, i32)> = self
            .series
            .iter()
            .map(|s| {
                let (d, v) = s.points.last().copied().unwrap_or((1.0, 1.0));
                chart.backend_coord(&(d.log2(), height(v)))
            })
            .collect();
        let heights = spread(&ends.iter().map(|e| e.1).collect::<Vec<_>>());
        let edge = (SIZE.0 - RIGHT) as i32;
        for (end, at) in ends.iter().zip(&heights) {
            let lead = vec![(end.0 + 8, end.1), (edge + 14, *at), (edge + 22, *at)];
            root.draw(&PathElement::new(lead, Paint::Leader.code()))?;
        }
        for (s, at) in self.series.iter().zip(&heights) {
            let color = Paint::Series(style_of(&s.technique)).code();
            let style =
                TextStyle::from(font.clone()).color(&color).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(shorten(&s.name), (edge + 28, *at), style))?;
        }
        root.present()?;
        Ok(())
    }
}

/// A label that fits beside the drawing.
fn shorten(name: &str) -> String {
    if name.chars().count() <= LABEL_CHARS {
        return name.to_owned();
    }
    let mut short: String = name.chars().take(LABEL_CHARS - 2).collect();
    short.push_str("..");
    short
}

/// `x` without an exponent and without needless digits.
fn plain(x: f64) -> String {
    match x {
        _ if x >= 9.5 => format!("{x:.0}"),
        _ if x >= 0.095 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

#[cfg(test)]
mod tests;
