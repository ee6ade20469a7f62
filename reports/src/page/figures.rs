//! How figures look in the page.

use crate::schema::round_figure;

/// What stands where there is no figure.
pub(super) const NONE: &str = "\u{2013}";

/// `x` with `digits` significant digits and no exponent between 0.001 and a million.
pub(super) fn significant(x: f64, digits: usize) -> String {
    if !x.is_finite() {
        return NONE.to_owned();
    }
    let size = if x == 0.0 { 0 } else { x.abs().log10().floor() as i32 };
    if !(-3..6).contains(&size) {
        return format!("{x:.*e}", digits.saturating_sub(1));
    }
    let decimals = (digits as i32 - 1 - size).max(0) as usize;
    format!("{x:.decimals$}")
}

/// [`significant`] of a figure that may be absent.
pub(super) fn maybe(x: Option<f64>, digits: usize) -> String {
    x.map_or_else(|| NONE.to_owned(), |x| significant(x, digits))
}

/// A figure with a fixed number of decimals, or [`NONE`].
pub(super) fn fixed(x: Option<f64>, decimals: usize) -> String {
    match x {
        Some(x) if x.is_finite() && x.abs() < 1e9 => format!("{x:.decimals$}"),
        other => maybe(other, 3),
    }
}

/// A share as a percentage, without needless zeros: 0.05 is `5`.
pub(super) fn percent(share: f64) -> String {
    round_figure(100.0 * share).to_string()
}

/// A size in bytes with a binary unit.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in UNITS {
        if n >= size {
            let x = n as f64 / size as f64;
            return if x.fract() == 0.0 {
                format!("{x:.0} {unit}")
            } else {
                format!("{x:.1} {unit}")
            };
        }
    }
    format!("{n} B")
}

/// A count with spaces between groups of three.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// The text, or [`NONE`] for the empty one.
pub(super) fn text(s: &str) -> String {
    if s.is_empty() { NONE.to_owned() } else { s.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_their_significant_digits() {
        assert_eq!(significant(12.345, 3), "12.3");
        assert_eq!(significant(0.012_345, 3), "0.0123");
        assert_eq!(significant(98_765.4, 3), "98765");
        assert_eq!(significant(0.0, 3), "0.00");
        assert_eq!(significant(1.5e9, 2), "1.5e9");
        assert_eq!(significant(f64::NAN, 3), NONE);
        assert_eq!(fixed(Some(99.96), 1), "100.0");
        assert_eq!(fixed(Some(f64::INFINITY), 1), NONE);
        assert_eq!(bytes(33_554_432), "32 MiB");
        assert_eq!(bytes(12), "12 B");
        assert_eq!(
            (percent(0.05), percent(0.07), percent(0.005)),
            ("5".into(), "7".into(), "0.5".into())
        );
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
