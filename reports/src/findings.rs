//! The record of a run of `cargo xtask findings`: `annvil.findings/1`, and its page.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::escape::escape;
use crate::schema::{Host, Source, Toolchain};

/// The id of the record.
pub const SCHEMA: &str = "annvil.findings/1";

/// What was made of a finding, or of one of its checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The criterion is met by the whole interval.
    Pass,
    /// It is not, or the interval leaves it open.
    FallsShort,
    /// It could not be measured here.
    NotMeasurable,
    /// A figure without a criterion.
    Shown,
}

impl Outcome {
    /// As it stands in the table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::FallsShort => "FALLS SHORT",
            Self::NotMeasurable => "NOT MEASURABLE HERE",
            Self::Shown => "shown",
        }
    }
}

/// One figure of a finding against its criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What was measured.
    pub what: String,
    /// The criterion; empty for a figure that is only shown.
    #[serde(default)]
    pub need: String,
    /// The figure: a median where there are rounds.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub lo: Option<f64>,
    /// Upper end of its interval.
    pub hi: Option<f64>,
    /// Its unit; `x` for a ratio.
    #[serde(default)]
    pub unit: String,
    /// Against the criterion.
    pub outcome: Outcome,
    /// Whether even the favourable end of the interval misses.
    #[serde(default)]
    pub clear: bool,
    /// Why it could not be measured, or what has to be known.
    #[serde(default)]
    pub note: String,
}

/// A row of the performance report's list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its name there, for example `OPT-SIMD-1`.
    pub id: String,
    /// In words.
    pub title: String,
    /// What the report promised of a repair.
    pub promise: String,
    /// The worst of its checks.
    pub outcome: Outcome,
    /// Its checks.
    pub checks: Vec<Check>,
    /// What does not reproduce, and other remarks.
    #[serde(default)]
    pub note: String,
}

impl Finding {
    /// Whether a check misses its criterion beyond its interval.
    #[must_use]
    pub fn clearly_short(&self) -> bool {
        self.checks.iter().any(|c| c.outcome == Outcome::FallsShort && c.clear)
    }
}

/// All rows of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// [`SCHEMA`].
    pub schema: String,
    /// When the run began, RFC 3339.
    pub created: String,
    /// The command line that repeats it.
    pub command: String,
    /// `quick` or `full`.
    pub mode: String,
    /// The machine.
    pub host: Host,
    /// The compiler.
    pub toolchain: Toolchain,
    /// The code that was measured.
    pub source: Source,
    /// One entry a finding.
    pub findings: Vec<Finding>,
    /// What a reader of the figures has to know.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Findings {
    /// Reads a record.
    ///
    /// # Errors
    /// Text that is no JSON of this form, or another schema.
    pub fn from_json(text: &str) -> Result<Self, String> {
        let read: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        if read.schema == SCHEMA {
            Ok(read)
        } else {
            Err(format!("the schema is {:?}, {SCHEMA:?} wanted", read.schema))
        }
    }

    /// How many rows have an outcome.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.findings.iter().filter(|f| f.outcome == outcome).count()
    }

    /// The page: one table, no script, nothing from elsewhere.
    #[must_use]
    pub fn page(&self) -> String {
        let mut html = String::from(HEAD);
        let _ = write!(
            html,
            "<h1>Findings</h1><p>{} pass, {} fall short, {} not measurable here. {} on {}, {}, \
             revision {}{}. <code>{}</code></p>",
            self.count(Outcome::Pass),
            self.count(Outcome::FallsShort),
            self.count(Outcome::NotMeasurable),
            escape(&self.created),
            escape(&self.host.cpu),
            escape(&self.toolchain.rustc),
            escape(&self.source.revision),
            if self.source.dirty { " with changes" } else { "" },
            escape(&self.command),
        );
        for note in &self.notes {
            let _ = write!(html, "<p>{}</p>", escape(note));
        }
        html += "<table><thead><tr><th>finding<th>check<th>wanted<th>measured<th>outcome</thead>";
        for f in &self.findings {
            let _ = write!(
                html,
                "<tbody><tr class=\"f\"><th>{}<td colspan=3>{}. Promised: {}. {}<td class=\"{:?}\">{}",
                escape(&f.id),
                escape(&f.title),
                escape(&f.promise),
                escape(&f.note),
                f.outcome,
                f.outcome.name(),
            );
            for c in &f.checks {
                let _ = write!(
                    html,
                    "<tr><td><td>{}<td>{}<td>{} {}<td class=\"{:?}\">{}",
                    escape(&c.what),
                    escape(&c.need),
                    escape(&c.figure()),
                    escape(&c.note),
                    c.outcome,
                    c.outcome.name(),
                );
            }
            html += "</tbody>";
        }
        html + "</table></body></html>\n"
    }
}

impl Check {
    /// The figure with its interval and unit; empty without one.
    #[must_use]
    pub fn figure(&self) -> String {
        let Some(value) = self.value else { return String::new() };
        let space = if matches!(self.unit.as_str(), "x" | "") { "" } else { " " };
        let interval = match (self.lo, self.hi) {
            (Some(lo), Some(hi)) => format!(" [{}, {}]", digits(lo), digits(hi)),
            _ => String::new(),
        };
        format!("{}{space}{}{interval}", digits(value), self.unit)
    }
}

/// Three significant digits, whole numbers whole.
fn digits(x: f64) -> String {
    match x.abs() {
        _ if x == x.trunc() && x.abs() < 1e15 => format!("{x}"),
        a if a >= 100.0 => format!("{x:.0}"),
        a if a >= 10.0 => format!("{x:.1}"),
        a if a >= 0.1 => format!("{x:.2}"),
        _ => format!("{x:.2e}"),
    }
}

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width\"><title>Findings</title><style>\
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;\
padding:.3rem .6rem;border-bottom:1px solid #8884}.f{background:#8881}.Pass{color:#18794e}\
.FallsShort{color:#c62828;font-weight:600}.NotMeasurable,.Shown{color:#777}\
@media(prefers-color-scheme:dark){body{background:#16181d;color:#ddd}.Pass{color:#5dbb8a}\
.FallsShort{color:#ff7b72}}</style></head><body>";

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Findings {
        let check = Check {
            what: "a < b".into(),
            need: ">= 4x".into(),
            value: Some(9.46),
            lo: Some(9.0),
            hi: Some(10.0),
            unit: "x".into(),
            outcome: Outcome::Pass,
            clear: false,
            note: String::new(),
        };
        let finding = Finding {
            id: "OPT-SIMD-1".into(),
            title: "L1".into(),
            promise: "4-8x".into(),
            outcome: Outcome::Pass,
            checks: vec![check],
            note: String::new(),
        };
        Findings {
            schema: SCHEMA.into(),
            created: "2026-01-01T00:00:00Z".into(),
            command: "cargo xtask findings".into(),
            mode: "full".into(),
            host: Host::default(),
            toolchain: Toolchain::default(),
            source: Source::default(),
            findings: vec![finding],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_record_survives_the_round_trip_and_another_schema_is_refused() {
        let record = sample();
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(Findings::from_json(&text).unwrap(), record);
        let other = text.replace(SCHEMA, "annvil.findings/9");
        assert!(Findings::from_json(&other).unwrap_err().contains("findings/9"));
        assert!(text.contains(r#""outcome":"pass""#));
    }

    #[test]
    fn the_page_escapes_and_has_every_row() {
        let page = sample().page();
        assert!(page.contains("a &lt; b") && !page.contains("a < b"));
        assert!(page.contains("OPT-SIMD-1") && page.contains("9.46x [9, 10]"));
    }

    #[test]
    fn figures_have_three_digits() {
        for (x, text) in [(4.0, "4"), (123.4, "123"), (12.34, "12.3"), (0.987, "0.99")] {
            assert_eq!(digits(x), text);
        }
        assert_eq!(digits(0.001_23), "1.23e-3");
    }
}
