//! A figure against its criterion, and a row of them.

use annvil_reports::findings::{Check, Finding, Outcome};

use super::interval::Interval;

/// `value` shall be `least` or more.
pub(super) fn at_least(what: impl Into<String>, value: Interval, unit: &str, least: f64) -> Check {
    let outcome = if value.lo >= least { Outcome::Pass } else { Outcome::FallsShort };
    let need = format!(">= {}", text(least, unit));
    check(what, need, value, unit, outcome, value.hi < least)
}

/// `value` shall be `most` or less.
pub(super) fn at_most(what: impl Into<String>, value: Interval, unit: &str, most: f64) -> Check {
    let outcome = if value.hi <= most { Outcome::Pass } else { Outcome::FallsShort };
    let need = format!("<= {}", text(most, unit));
    check(what, need, value, unit, outcome, value.lo > most)
}

/// A count that shall be `most` or less.
pub(super) fn count(what: impl Into<String>, value: f64, unit: &str, most: f64) -> Check {
    at_most(what, Interval::exact(value), unit, most)
}

/// A figure without a criterion.
pub(super) fn shown(what: impl Into<String>, value: Interval, unit: &str) -> Check {
    check(what, String::new(), value, unit, Outcome::Shown, false)
}

/// What could not be measured, and why.
pub(super) fn missing(what: impl Into<String>, why: impl ToString) -> Check {
    Check {
        what: what.into(),
        need: String::new(),
        value: None,
        lo: None,
        hi: None,
        unit: String::new(),
        outcome: Outcome::NotMeasurable,
        clear: false,
        note: why.to_string(),
    }
}

fn text(x: f64, unit: &str) -> String {
    let space = if matches!(unit, "x" | "") { "" } else { " " };
    format!("{}{space}{unit}", (x * 1e4).round() / 1e4)
}

fn check(
    what: impl Into<String>,
    need: String,
    value: Interval,
    unit: &str,
    outcome: Outcome,
    clear: bool,
) -> Check {
    let short = outcome == Outcome::FallsShort;
    let note = if short && !clear { "the interval leaves it open" } else { "" };
    let ends = (value.lo < value.hi).then_some((value.lo, value.hi));
    Check {
        what: what.into(),
        need,
        value: Some(value.median),
        lo: ends.map(|e| e.0),
        hi: ends.map(|e| e.1),
        unit: unit.to_owned(),
        outcome,
        clear: short && clear,
        note: note.to_owned(),
    }
}

/// The worst of the checks that have a criterion: falls short, then not measurable, then pass. A
/// row with nothing to hold on to is not measurable.
pub(super) fn worst(checks: &[Check]) -> Outcome {
    let any = |o| checks.iter().any(|c| c.outcome == o);
    if any(Outcome::FallsShort) {
        Outcome::FallsShort
    } else if any(Outcome::NotMeasurable) || !any(Outcome::Pass) {
        Outcome::NotMeasurable
    } else {
        Outcome::Pass
    }
}

/// The ids of rows that once passed and now clearly fall short.
pub(super) fn fallen(now: &[Finding], passed: &[String]) -> Vec<String> {
    let fell = |f: &&Finding| passed.contains(&f.id) && f.clearly_short();
    now.iter().filter(fell).map(|f| f.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(lo: f64, hi: f64) -> Interval {
        Interval { median: (lo + hi) / 2.0, lo, hi }
    }

    #[test]
    fn the_whole_interval_has_to_clear_the_criterion() {
        for (value, outcome, clear) in [
            (between(4.0, 6.0), Outcome::Pass, false),
            (between(3.9, 6.0), Outcome::FallsShort, false),
            (between(2.0, 3.9), Outcome::FallsShort, true),
        ] {
            let c = at_least("x", value, "x", 4.0);
            assert_eq!((c.outcome, c.clear), (outcome, clear), "{value:?}");
            let c = at_most("x", value.map(|x| -x), "x", -4.0);
            assert_eq!((c.outcome, c.clear), (outcome, clear), "{value:?}");
        }
        assert_eq!(count("x", 0.0, "blocks", 0.0).outcome, Outcome::Pass);
        assert!(count("x", 1.0, "blocks", 0.0).clear);
        assert_eq!(at_least("x", between(f64::NAN, 1.0), "x", 0.0).outcome, Outcome::FallsShort);
    }

    #[test]
    fn a_row_is_as_good_as_its_worst_check() {
        let pass = count("a", 0.0, "", 1.0);
        let short = count("b", 2.0, "", 1.0);
        let none = missing("c", "no such part");
        let figure = shown("d", between(1.0, 2.0), "x");
        assert_eq!(worst(&[pass.clone(), figure.clone()]), Outcome::Pass);
        assert_eq!(worst(&[pass.clone(), none.clone()]), Outcome::NotMeasurable);
        assert_eq!(worst(&[pass, none, short]), Outcome::FallsShort);
        assert_eq!(worst(&[figure]), Outcome::NotMeasurable);
        assert_eq!(worst(&[]), Outcome::NotMeasurable);
    }

    #[test]
    fn only_what_passed_and_clearly_misses_has_fallen() {
        let row = |id: &str, check: Check| Finding {
            id: id.into(),
            title: String::new(),
            promise: String::new(),
            outcome: worst(std::slice::from_ref(&check)),
            checks: vec![check],
            note: String::new(),
        };
        let now = [
            row("a", count("x", 2.0, "", 1.0)),
            row("b", count("x", 2.0, "", 1.0)),
            row("c", at_least("x", between(0.9, 1.1), "x", 1.0)),
            row("d", missing("x", "gone")),
        ];
        let passed = ["a", "c", "d"].map(str::to_owned);
        assert_eq!(fallen(&now, &passed), ["a"]);
    }
}
