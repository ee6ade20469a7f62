//! What a fuzzer writes while it works, in libFuzzer's words.

/// A figure that libFuzzer states at its end.
pub(super) fn stat(log: &str, name: &str) -> Option<u64> {
    let start = format!("stat::{name}:");
    log.lines().find_map(|line| line.strip_prefix(&start)?.trim().parse().ok())
}

/// How many inputs were tried: stated at the end, and now and then before.
pub(super) fn executions(log: &str) -> u64 {
    let so_far = |line: &str| {
        let text = line.strip_prefix('#')?;
        text.split(['\t', ' ', ':']).next()?.parse::<u64>().ok()
    };
    let last = || log.lines().rev().find_map(so_far);
    stat(log, "number_of_executed_units").or_else(last).unwrap_or(0)
}

/// The lines about what was found, at most 40.
pub(super) fn excerpt(log: &str) -> String {
    let marks = ["FOUND ", "ERROR: ", "panicked at"];
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.iter().position(|line| marks.iter().any(|mark| line.contains(mark)));
    let from = first.unwrap_or(lines.len().saturating_sub(40));
    lines[from..].iter().take(40).map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_the_log() {
        let log = "#2\tINITED cov: 9\n#1024: cov: 3\n#4096\tpulse  cov: 31\nno number\n";
        assert_eq!(executions(log), 4096);
        let done =
            format!("{log}stat::number_of_executed_units: 5000\nstat::new_units_added: 12\n");
        assert_eq!((executions(&done), stat(&done, "new_units_added")), (5000, Some(12)));
        assert_eq!((executions(""), stat("", "new_units_added")), (0, None));
    }

    #[test]
    fn what_was_found_is_quoted() {
        assert!(excerpt("INFO: x\nFOUND y\nz\n").starts_with("  FOUND y\n  z"));
        assert!(excerpt("nothing known\n").contains("nothing known"));
    }
}
