//! A drawing backend for `plotters` that writes SVG for the report page.
//!
//! The stock SVG backend fixes black text, a font and a size in every element. This one writes
//! classes and leaves the look to the page's style sheet, so that one drawing serves both colour
//! schemes, and is a fraction as long. Colours passed to `plotters` are [`Paint`] codes.

use std::convert::Infallible;
use std::fmt::Write as _;

use plotters::style::RGBColor;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use crate::escape::escape;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// What an element is; its class in the style sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Axes, ticks and their labels: no class.
    Axis,
    /// Grid lines: `g`.
    Grid,
    /// A reference line: `r`.
    Reference,
    /// From a line's end to its label: `l`.
    Leader,
    /// Series `n`: `s0` ... `s7`.
    Series(u8),
}

impl Paint {
    /// The colour that stands for it on its way through `plotters`.
    pub(super) fn code(self) -> RGBColor {
        match self {
            Self::Axis => RGBColor(0, 0, 0),
            Self::Grid => RGBColor(0, 0, 1),
            Self::Reference => RGBColor(0, 0, 2),
            Self::Leader => RGBColor(0, 0, 3),
            Self::Series(n) => RGBColor(1, n, 0),
        }
    }

    fn class(color: BackendColor) -> String {
        match color.rgb {
            (0, 0, 1) => " class=g".to_owned(),
            (0, 0, 2) => " class=r".to_owned(),
            (0, 0, 3) => " class=l".to_owned(),
            (1, n, _) => format!(" class=s{n}"),
            _ => String::new(),
        }
    }
}

/// Collects the elements; the caller writes the `svg` element around them.
#[derive(Debug)]
pub(super) struct ClassedSvg<'a> {
    out: &'a mut String,
    size: (u32, u32),
    /// Class and outline of strokes that are not written yet: those of one class that follow one
    /// another share an element.
    strokes: (String, String),
}

impl<'a> ClassedSvg<'a> {
    pub(super) fn new(out: &'a mut String, size: (u32, u32)) -> Self {
        Self { out, size, strokes: Default::default() }
    }

    /// Adds an outline in `color`; one that cannot be seen is left out.
    fn draw(&mut self, color: BackendColor, outline: &str) -> Drawn {
        if color.alpha == 0.0 { Ok(()) } else { self.stroke(&Paint::class(color), outline) }
    }

    fn stroke(&mut self, class: &str, outline: &str) -> Drawn {
        if self.strokes.0 != class {
            self.flush();
            class.clone_into(&mut self.strokes.0);
        }
        self.strokes.1.push_str(outline);
        Ok(())
    }

    fn flush(&mut self) {
        let (class, d) = &mut self.strokes;
        if !d.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(self.out, "<path{class} d=\"{d}\"/>");
            d.clear();
        }
    }
}

impl DrawingBackend for ClassedSvg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        self.flush();
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.draw(color, &format!("M{x} {y}h1"))
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        let tail = if from.1 == to.1 {
            format!("H{}", to.0)
        } else if from.0 == to.0 {
            format!("V{}", to.1)
        } else {
            format!("L{} {}", to.0, to.1)
        };
        self.draw(style.color(), &format!("M{} {}{tail}", from.0, from.1))
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (x0, y0): BackendCoord,
        (x1, y1): BackendCoord,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        self.draw(style.color(), &format!("M{x0} {y0}H{x1}V{y1}H{x0}Z"))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let mut d = String::new();
        for (i, (x, y)) in path.into_iter().enumerate() {
            let _ = write!(d, "{}{x} {y}", if i == 0 { 'M' } else { 'L' });
        }
        self.draw(style.color(), &d)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        (x, y): BackendCoord,
        _radius: u32,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        // A stroke of no length with round ends is a dot; class `p` gives it its width.
        let class = Paint::class(style.color());
        let class = format!(" class=\"{} p\"", class.trim_start_matches(" class="));
        self.stroke(&class, &format!("M{x} {y}h0"))
    }

    fn draw_text<T: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &T,
        (x, y): BackendCoord,
    ) -> Drawn {
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=middle",
            HPos::Right => " text-anchor=end",
        };
        // Baseline from the anchor, as a share of the font size.
        let down = match style.anchor().v_pos {
            VPos::Top => 0.78,
            VPos::Center => 0.35,
            VPos::Bottom => -0.2,
        };
        let y = f64::from(y) + down * style.size();
        let class = Paint::class(style.color());
        self.flush();
        let text = escape(text);
        let _ = write!(self.out, "<text{class}{anchor} x={x} y={y:.0}>{text}</text>");
        Ok(())
    }

    fn estimate_text_size<T: BackendTextStyle>(
        &self,
        text: &str,
        style: &T,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        // An average advance of 0.58 em, rounded up; layout only needs the order of it.
        let width = (text.chars().count() as f64 * style.size() * 0.58).ceil();
        Ok((width as u32, style.size().ceil() as u32))
    }
}
