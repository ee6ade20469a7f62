//! Coverage ledgers: which (op, variant) really ran in a lane, and why the others did not.
//!
//! The equivalence suite of `kernels` writes one file per lane when `ANNVIL_LEDGER` names it: a JSON array of
//! `{"op", "variant", "level", "ran", "why", "cases"}`, where `why` is null for a row that ran.

use crate::exit::Stop;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

/// The environment variable that tells the suite where to write.
pub(crate) const VARIABLE: &str = "ANNVIL_LEDGER";

/// One variant of one op in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) op: String,
    pub(crate) variant: String,
    pub(crate) level: String,
    /// How many cases it was given, or why it was given none.
    pub(crate) ran: Result<u64, String>,
}

/// Reads one ledger.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>, Stop> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Stop::wrong(format!("{}: {e}", path.display())))?;
    parse(&text).map_err(|e| Stop::wrong(format!("{}: {e}; run the lane again", path.display())))
}

fn parse(text: &str) -> Result<Vec<Row>, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let rows = value.as_array().ok_or("not an array of rows")?;
    rows.iter().enumerate().map(|(i, v)| row(v).map_err(|e| format!("row {i}: {e}"))).collect()
}

fn row(value: &Value) -> Result<Row, String> {
    let text = |key: &str| {
        value[key].as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` is not a text"))
    };
    let ran = match value["ran"].as_bool().ok_or("`ran` is neither true nor false")? {
        true => match value["cases"].as_u64() {
            Some(0) => Err("it was given no case".to_owned()),
            Some(cases) => Ok(cases),
            None => return Err("`cases` is not a number".to_owned()),
        },
        false => Err(text("why").map_err(|e| format!("{e}, yet the row did not run"))?),
    };
    Ok(Row { op: text("op")?, variant: text("variant")?, level: text("level")?, ran })
}

/// Whether a ledger was written after the last change to the kernels.
pub(crate) fn is_current(ledger: &Path, kernels: &Path) -> bool {
    let written = ledger.metadata().and_then(|m| m.modified());
    written.is_ok_and(|at| at >= newest(kernels))
}

fn newest(path: &Path) -> SystemTime {
    let own = path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let Ok(entries) = std::fs::read_dir(path) else { return own };
    // A folder's own time moves with every editor's scratch file: only files count.
    entries.flatten().map(|e| newest(&e.path())).max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// What one lane covered: per op how many variants ran, then what did not run, by reason.
pub(crate) fn summary(lane: &str, rows: &[Row]) -> String {
    let mut per_op: BTreeMap<&str, (usize, usize, u64)> = BTreeMap::new();
    for row in rows {
        let (ran, all, cases) = per_op.entry(&row.op).or_default();
        *all += 1;
        if let Ok(n) = row.ran {
            *ran += 1;
            *cases += n;
        }
    }
    let ran = rows.iter().filter(|r| r.ran.is_ok()).count();
    let mut out = format!("coverage of lane {lane}: {ran} of {} (op, variant) ran\n", rows.len());
    for (op, (ran, all, cases)) in per_op {
        let _ = writeln!(out, "  {op:<28} {ran:>3} of {all:>3} variants, {cases} cases");
    }
    let idle = rows.iter().filter_map(|r| Some((r.ran.as_ref().err()?.as_str(), r)));
    out + &by_reason(idle)
}

/// Rows that did not run: the reason once, then the variants that share the same list of ops.
pub(crate) fn by_reason<'a>(rows: impl Iterator<Item = (&'a str, &'a Row)>) -> String {
    let mut reasons: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for (why, row) in rows {
        reasons.entry(why).or_default().entry(&row.variant).or_default().insert(&row.op);
    }
    let mut out = String::new();
    for (why, variants) in reasons {
        let count: usize = variants.values().map(BTreeSet::len).sum();
        let _ = writeln!(out, "  did not run: {why} ({count})");
        let mut same_ops: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
        for (variant, ops) in variants {
            same_ops.entry(ops).or_default().push(variant);
        }
        for (ops, variants) in same_ops {
            let words = variants.iter().map(|v| format!("#{v}")).chain(["in".to_owned()]);
            wrap(&mut out, "    ", words.chain(braced(&ops)));
        }
    }
    out
}

/// `f32/dot/pair` and `f32/l1/pair` as `f32/{dot,l1}/pair`.
fn braced(ops: &BTreeSet<&str>) -> Vec<String> {
    let mut metrics: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for op in ops {
        let (encoding, rest) = op.split_once('/').unwrap_or((op, ""));
        let (metric, shape) = rest.split_once('/').unwrap_or((rest, ""));
        metrics.entry((encoding, shape)).or_default().push(metric);
    }
    let word = |((encoding, shape), metrics): ((&str, &str), Vec<&str>)| match metrics.as_slice() {
        [one] => format!("{encoding}/{one}/{shape}"),
        many => format!("{encoding}/{{{}}}/{shape}", many.join(",")),
    };
    metrics.into_iter().map(word).collect()
}

fn wrap(out: &mut String, indent: &str, words: impl Iterator<Item = String>) {
    let mut column = 0;
    for word in words {
        if column > 0 && column + word.len() >= 100 {
            out.push('\n');
            column = 0;
        }
        let gap = if column == 0 { indent } else { " " };
        out.push_str(gap);
        out.push_str(&word);
        column += gap.len() + word.len();
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"[
        {"op":"f32/dot/pair","variant":"avx2-x4","level":"avx2","ran":true,"why":null,"cases":7},
        {"op":"f32/dot/pair","variant":"neon-x4","level":"neon","ran":false,"why":"not on this CPU","cases":0}]"#;

    #[test]
    fn rows_say_what_ran_and_why_not() {
        let rows = parse(TWO).unwrap();
        assert_eq!(rows[0].ran, Ok(7));
        assert_eq!(rows[1].ran, Err("not on this CPU".to_owned()));
        let text = summary("native", &rows);
        assert!(text.contains("1 of 2 (op, variant) ran"), "{text}");
        assert!(
            text.contains("did not run: not on this CPU (1)\n    #neon-x4 in f32/dot/pair"),
            "{text}"
        );
    }

    #[test]
    fn ops_of_one_shape_share_a_word() {
        let ops = BTreeSet::from(["f32/dot/pair", "f32/l1/pair", "f32/norm_sq/row"]);
        assert_eq!(braced(&ops), ["f32/{dot,l1}/pair", "f32/norm_sq/row"]);
    }

    #[test]
    fn a_row_without_a_case_did_not_run() {
        let rows = parse(&TWO.replace(":7}", ":0}")).unwrap();
        assert!(rows[0].ran.is_err());
    }

    #[test]
    fn a_damaged_ledger_is_an_error_that_names_the_row() {
        assert!(parse("{}").is_err());
        assert!(parse("[{}]").unwrap_err().contains("row 0"));
        let silent = TWO.replace("\"not on this CPU\"", "null");
        assert!(parse(&silent).unwrap_err().contains("row 1"));
    }
}
