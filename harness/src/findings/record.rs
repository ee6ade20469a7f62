//! What is printed, and the list of rows that have passed.

use std::collections::BTreeMap;
use std::path::Path;

use annvil_reports::findings::{Findings, Outcome};
use annvil_reports::schema::write_atomically;
use serde::{Deserialize, Serialize};

use super::check::fallen;

/// The id of the list.
const SCHEMA: &str = "annvil.findings_accepted/1";

/// Rows that passed, by machine and mode: a later run may not clearly miss one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    schema: String,
    /// CPU and mode to ids.
    passed: BTreeMap<String, Vec<String>>,
}

impl Default for Accepted {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), passed: BTreeMap::new() }
    }
}

impl Accepted {
    /// Reads the list; an empty one if there is no file.
    ///
    /// # Errors
    /// A file that cannot be read or is no such list.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        let list: Self =
            serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        if list.schema != SCHEMA {
            return Err(format!("{}: schema {:?}", path.display(), list.schema));
        }
        Ok(list)
    }

    /// Takes the rows of a run that pass, in the place of those of its machine and mode.
    pub fn record(&mut self, run: &Findings) {
        let passed = run.findings.iter().filter(|f| f.outcome == Outcome::Pass);
        self.passed.insert(key(run), passed.map(|f| f.id.clone()).collect());
    }

    /// Writes the list.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())? + "\n";
        write_atomically(path, text.as_bytes()).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Whether there is something to compare a run with.
    pub fn knows(&self, run: &Findings) -> bool {
        self.passed.contains_key(&key(run))
    }

    /// The rows that passed on this machine and now clearly fall short.
    pub fn fallen(&self, run: &Findings) -> Vec<String> {
        self.passed.get(&key(run)).map_or_else(Vec::new, |passed| fallen(&run.findings, passed))
    }
}

fn key(run: &Findings) -> String {
    let number = |n: Option<u32>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let host = &run.host;
    format!(
        "{} family {} model {}, {}",
        host.cpu,
        number(host.family),
        number(host.model),
        run.mode
    )
}

/// The table on a terminal: a line a finding, a line a check.
pub fn table(run: &Findings) -> String {
    let mut text = String::new();
    for f in &run.findings {
        text += &format!("{:<14} {:<44} {}\n", f.id, f.title, f.outcome.name());
        text += &format!("    promised: {}\n", f.promise);
        for c in &f.checks {
            let need = if c.need.is_empty() { String::new() } else { format!("  ({})", c.need) };
            let note = if c.note.is_empty() { String::new() } else { format!("  {}", c.note) };
            let figure = c.figure();
            text += &format!("    {:<56} {figure}{need}  {}{note}\n", c.what, c.outcome.name());
        }
        if !f.note.is_empty() {
            text += &format!("    note: {}\n", f.note);
        }
    }
    text + &format!(
        "{} pass, {} fall short, {} not measurable here\n",
        run.count(Outcome::Pass),
        run.count(Outcome::FallsShort),
        run.count(Outcome::NotMeasurable)
    )
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use annvil_reports::findings::Finding;
    use annvil_reports::schema::{Host, Source, Toolchain};

    fn run(value: f64, mode: &str) -> Findings {
        let checks = vec![check::count("blocks", value, "", 1.0)];
        Findings {
            schema: annvil_reports::findings::SCHEMA.to_owned(),
            created: String::new(),
            command: String::new(),
            mode: mode.to_owned(),
            host: Host::default(),
            toolchain: Toolchain::default(),
            source: Source::default(),
            findings: vec![Finding {
                id: "OPT-X".into(),
                title: "x".into(),
                promise: "y".into(),
                outcome: check::worst(&checks),
                checks,
                note: String::new(),
            }],
            notes: Vec::new(),
        }
    }

    #[test]
    fn what_passed_may_not_fall_back_on_the_same_machine_and_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("findings.json");
        let mut list = Accepted::load(&path).unwrap();
        assert!(!list.knows(&run(0.0, "full")));
        list.record(&run(0.0, "full"));
        list.save(&path).unwrap();
        let list = Accepted::load(&path).unwrap();
        assert!(list.fallen(&run(0.0, "full")).is_empty());
        assert_eq!(list.fallen(&run(2.0, "full")), ["OPT-X"]);
        assert!(list.fallen(&run(2.0, "quick")).is_empty());
        std::fs::write(&path, "{}").unwrap();
        assert!(Accepted::load(&path).is_err());
    }

    #[test]
    fn a_failed_row_is_not_accepted_and_the_table_says_so() {
        let mut list = Accepted::default();
        list.record(&run(2.0, "full"));
        assert!(list.knows(&run(2.0, "full")) && list.fallen(&run(2.0, "full")).is_empty());
        let text = table(&run(2.0, "full"));
        assert!(text.contains("FALLS SHORT") && text.contains("(<= 1)"), "{text}");
        assert!(text.ends_with("0 pass, 1 fall short, 0 not measurable here\n"));
    }
}
