//! Student's t distribution: tail probability and quantile.

/// `ln(gamma(x))` for `x > 0` (Lanczos, g = 7, nine terms; about 15 digits).
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const C: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let t = x + G + 0.5;
    let series =
        C.iter().enumerate().skip(1).fold(C[0], |sum, (i, c)| sum + c / (x + f64::from(i as u32)));
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + series.ln()
}

/// The continued fraction of the incomplete beta function (modified Lentz).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut h = d;
    for m in 1..=500_u32 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let step = d * c;
        h *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

/// The regularised incomplete beta function `I_x(a, b)`.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

/// `P(T > t)` for `t >= 0` and `df` degrees of freedom.
pub(crate) fn upper_tail(t: f64, df: f64) -> f64 {
    0.5 * incomplete_beta(0.5 * df, 0.5, df / (df + t * t))
}

/// The `t >= 0` with `P(T > t) = tail`, for `tail` in `(0, 0.5]` and `df >= 1`.
///
/// Arguments outside those ranges are moved to the nearest end, so the answer is always finite.
pub fn quantile_upper(tail: f64, df: f64) -> f64 {
    let tail = if tail.is_nan() { 0.5 } else { tail.clamp(1e-12, 0.5) };
    let df = if df.is_nan() { 1.0 } else { df.max(1.0) };
    let (mut lo, mut hi) = (0.0, 1.0);
    while upper_tail(hi, df) > tail && hi < 1e15 {
        lo = hi;
        hi *= 2.0;
    }
    for _ in 0..200 {
        let mid = 0.5 * (lo + hi);
        if upper_tail(mid, df) > tail {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    0.5 * (lo + hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_the_printed_tables() {
        for (tail, df, want) in [
            (0.025, 1.0, 12.706_204_7),
            (0.025, 2.0, 4.302_652_7),
            (0.025, 4.0, 2.776_445_1),
            (0.005, 4.0, 4.604_094_9),
            (0.000_5, 4.0, 8.610_301_6),
            (0.025, 9.0, 2.262_157_2),
            (0.005, 9.0, 3.249_835_5),
            (0.05, 30.0, 1.697_260_9),
            (0.025, 1e7, 1.959_964_0),
        ] {
            let got = quantile_upper(tail, df);
            assert!((got - want).abs() < 2e-6 * want, "tail {tail} df {df}: {got} for {want}");
        }
    }

    #[test]
    fn one_degree_is_the_cauchy_distribution() {
        for t in [0.1_f64, 0.5, 1.0, 3.0, 40.0] {
            let want = 0.5 - t.atan() / std::f64::consts::PI;
            assert!((upper_tail(t, 1.0) - want).abs() < 1e-13, "t {t}");
        }
    }

    #[test]
    fn quantile_inverts_the_tail_and_survives_nonsense() {
        for df in [1.0, 3.0, 4.0, 14.0, 200.0] {
            for tail in [0.4, 0.1, 0.01, 1e-3, 1e-6] {
                let back = upper_tail(quantile_upper(tail, df), df);
                assert!((back / tail - 1.0).abs() < 1e-9, "df {df} tail {tail}: {back}");
            }
        }
        for (tail, df) in [(0.0, 4.0), (-1.0, 4.0), (f64::NAN, 4.0), (0.1, f64::NAN), (0.9, 0.0)] {
            assert!(quantile_upper(tail, df).is_finite());
        }
    }
}
