//! The truth: every metric in `f64`, in the order of the elements, with the scale of its terms.

/// An exact value (to `f64`), and what an error is measured against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exact {
    /// The value; NaN and infinities as the elements dictate.
    pub value: f64,
    /// The sum of the absolute values of the terms: the condition of the sum. For `linf` the value
    /// itself, for `cosine` 1.
    pub scale: f64,
    /// Squared norms, for the metrics that divide by them; 1 for the others.
    pub norms_sq: [f64; 2],
}

/// The value of a metric, by its name in coordinates (`norm_sq` reads `b` alone).
///
/// # Panics
/// If no metric has the name, or the lengths differ.
#[must_use]
pub fn exact(metric: &str, a: &[f32], b: &[f32]) -> Exact {
    assert!(metric == "norm_sq" || a.len() == b.len(), "lengths {} and {}", a.len(), b.len());
    let pairs = || a.iter().zip(b).map(|(&x, &y)| (f64::from(x), f64::from(y)));
    let of = |value: f64, scale: f64| Exact { value, scale, norms_sq: [1.0; 2] };
    let sum = |v: &[f32]| v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    match metric {
        "l2sq" => {
            let value = pairs().map(|(x, y)| (x - y) * (x - y)).sum();
            of(value, value)
        }
        "l1" => {
            let value = pairs().map(|(x, y)| (x - y).abs()).sum();
            of(value, value)
        }
        "linf" => {
            let larger = |m: f64, d: f64| if m.is_nan() || m > d { m } else { d };
            let value = pairs().map(|(x, y)| (x - y).abs()).fold(0.0, larger);
            of(value, value)
        }
        "dot" => of(pairs().map(|(x, y)| x * y).sum(), pairs().map(|(x, y)| (x * y).abs()).sum()),
        "norm_sq" => of(sum(b), sum(b)),
        "cosine" => {
            let (xx, yy) = (sum(a), sum(b));
            let xy: f64 = pairs().map(|(x, y)| x * y).sum();
            let zero = xx == 0.0 || yy == 0.0;
            let value = if zero { 1.0 } else { 1.0 - xy / (xx.sqrt() * yy.sqrt()) };
            Exact { value, scale: 1.0, norms_sq: [xx, yy] }
        }
        other => panic!("no oracle for the metric {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let (a, b) = ([1.0, -2.0, 3.0], [4.0, 0.5, -1.0]);
        assert_eq!(exact("l2sq", &a, &b).value, 9.0 + 6.25 + 16.0);
        assert_eq!(exact("l1", &a, &b).value, 3.0 + 2.5 + 4.0);
        assert_eq!(exact("linf", &a, &b).value, 4.0);
        assert_eq!((exact("dot", &a, &b).value, exact("dot", &a, &b).scale), (0.0, 8.0));
        assert_eq!(exact("norm_sq", &[], &a).value, 14.0);
        assert_eq!(exact("cosine", &a, &[0.0; 3]).value, 1.0);
        assert!(exact("linf", &[f32::NAN, 9.0], &[0.0; 2]).value.is_nan());
    }
}
