//! Recall against queries per second, as SVG for the report page.

use std::fmt::Write as _;

use plotters::prelude::{
    ChartBuilder, Circle, EmptyElement, IntoDrawingArea, LineSeries, PathElement, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, IntoFont as _, TRANSPARENT, TextStyle};

use super::backend::{ClassedSvg, Paint};
use super::{
    Axis, BOTTOM, ChartError, FONT, LEFT, MAX_SERIES, Measure, RIGHT, SIZE, Series, TOP, plain,
    shorten, spread, value_axis,
};
use crate::escape::escape;

/// Nines of recall where the axis begins and ends: 0.7 and 0.9999. What is outside is drawn at the edge.
const NINES: (f64, f64) = (0.523, 4.0);
/// Recalls that are marked.
const MARKS: [f64; 6] = [0.8, 0.9, 0.95, 0.99, 0.999, 0.9999];

/// One line: the settings of a contestant that no other setting of it beats.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The contestant.
    pub name: String,
    /// (recall, queries per second), from fast to slow; finite, rates above 0.
    pub points: Vec<(f64, f64)>,
}

/// One drawing.
#[derive(Clone, Debug, PartialEq)]
pub struct Pareto {
    /// Unique in the page.
    pub id: String,
    /// Accessible name.
    pub title: String,
    /// The lines; those beyond [`MAX_SERIES`] are left out.
    pub curves: Vec<Curve>,
}

/// How far right a recall stands: the number of nines, -log10 of what is missed.
fn nines(recall: f64) -> f64 {
    let missed = (1.0 - recall).max(1e-12);
    (-missed.log10()).clamp(NINES.0, NINES.1)
}

/// A recall as the axis writes it.
fn recall_label(nines: &f64) -> String {
    let near = |r: &&f64| (self::nines(**r) - nines).abs() < 1e-6;
    MARKS.iter().find(near).map_or_else(String::new, |r| format!("{r}"))
}

impl Pareto {
    /// Draws the chart. Same chart, same bytes.
    ///
    /// # Errors
    /// [`ChartError`] when `plotters` refuses, which no finite input is known to cause.
    pub fn svg(&self) -> Result<String, ChartError> {
        let mut body = String::new();
        self.draw(&mut body)?;
        let id = escape(&self.id);
        Ok(format!(
            "<svg class=chart role=img viewBox=\"0 0 {} {}\" aria-labelledby=\"{id}-t {id}-d\">\
             <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc>{body}</svg>",
            SIZE.0,
            SIZE.1,
            escape(&self.title),
            escape(&self.describe()),
        ))
    }

    fn shown(&self) -> &[Curve] {
        &self.curves[..self.curves.len().min(MAX_SERIES)]
    }

    /// The fastest and the slowest point of every line, in words.
    fn describe(&self) -> String {
        let mut out = String::new();
        for c in self.shown() {
            let (Some(a), Some(b)) = (c.points.first(), c.points.last()) else { continue };
            // Writing to a String cannot fail.
            let _ = write!(
                out,
                "{}: {:.0} queries a second at recall {:.4}, {:.0} at {:.4}. ",
                c.name, a.1, a.0, b.1, b.0
            );
        }
        out.trim_end().to_owned()
    }

    /// The axis of rates is that of times: logarithmic.
    fn rates(&self) -> Axis {
        let as_series = |c: &Curve| Series {
            name: String::new(),
            technique: String::new(),
            points: c.points.clone(),
        };
        let all: Vec<Series> = self.shown().iter().map(as_series).collect();
        value_axis(&all, Measure::NsPerValue)
    }

    fn draw(&self, out: &mut String) -> Result<(), ChartError> {
        let x =
            Axis { from: NINES.0, to: NINES.1, marks: MARKS.iter().map(|r| nines(*r)).collect() };
        let font = ("sans-serif", FONT).into_font();
        let root = ClassedSvg::new(out, SIZE).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(TOP)
            .margin_right(RIGHT)
            .x_label_area_size(BOTTOM)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(x, self.rates())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Paint::Grid.code())
            .axis_style(Paint::Axis.code())
            .label_style(font.clone())
            .x_label_formatter(&recall_label)
            .y_label_formatter(&|v: &f64| plain(10f64.powf(*v)))
            .draw()?;
        let mut ends = Vec::new();
        for (i, c) in self.shown().iter().enumerate() {
            let color = Paint::Series(i as u8).code();
            let at: Vec<(f64, f64)> =
                c.points.iter().map(|(recall, qps)| (nines(*recall), qps.log10())).collect();
            chart.draw_series(LineSeries::new(at.iter().copied(), color.stroke_width(2)))?;
            let dot = |p| EmptyElement::at(p) + Circle::new((0, 0), 5, color.filled());
            chart.draw_series(at.iter().copied().map(dot))?;
            ends.push(chart.backend_coord(&at.last().copied().unwrap_or((NINES.0, 0.0))));
        }
        let heights = spread(&ends.iter().map(|e| e.1).collect::<Vec<_>>());
        let edge = (SIZE.0 - RIGHT) as i32;
        for (end, at) in ends.iter().zip(&heights) {
            let lead = vec![(end.0 + 8, end.1), (edge + 14, *at), (edge + 22, *at)];
            root.draw(&PathElement::new(lead, Paint::Leader.code()))?;
        }
        for (i, (c, at)) in self.shown().iter().zip(&heights).enumerate() {
            let color = Paint::Series(i as u8).code();
            let style =
                TextStyle::from(font.clone()).color(&color).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(shorten(&c.name), (edge + 28, *at), style))?;
        }
        root.present()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[&[(f64, f64)]]) -> Pareto {
        let curve = |(i, p): (usize, &&[(f64, f64)])| Curve {
            name: format!("library {i} <&>"),
            points: p.to_vec(),
        };
        let curves = points.iter().enumerate().map(curve).collect();
        Pareto { id: "p1".into(), title: "a < b".into(), curves }
    }

    #[test]
    fn recalls_stand_by_their_nines() {
        assert!((nines(0.9) - 1.0).abs() < 1e-9 && (nines(0.999) - 3.0).abs() < 1e-9);
        assert_eq!((nines(1.0), nines(0.0)), (NINES.1, NINES.0));
        assert_eq!(recall_label(&nines(0.95)), "0.95");
    }

    #[test]
    fn a_drawing_names_every_line_and_has_no_colour_of_its_own() {
        let lines: [&[(f64, f64)]; 2] =
            [&[(0.85, 40_000.0), (0.97, 20_000.0), (1.0, 4_000.0)], &[(0.92, 9_000.0)]];
        let svg = chart(&lines).svg().unwrap();
        assert_eq!(svg, chart(&lines).svg().unwrap());
        for part in
            ["role=img", "<title id=\"p1-t\">a &lt; b<", "class=s0", "class=\"s1 p\"", "0.95<"]
        {
            assert!(svg.contains(part), "{part} is missing in {svg}");
        }
        for part in ["#000", "fill=", "stroke=", "NaN", "inf", "<&>"] {
            assert!(!svg.contains(part), "{part} stands in {svg}");
        }
    }

    #[test]
    fn odd_input_draws_without_panic() {
        let many = vec![&[(0.5, 1e-3), (1.0, 1e9)][..]; 12];
        for lines in [vec![], vec![&[][..]], many] {
            chart(&lines).svg().unwrap();
        }
    }
}
