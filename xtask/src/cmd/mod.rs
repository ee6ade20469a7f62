//! The verbs: one table, one file each.

mod builds;
mod ci;
mod doctor;
mod forward;
mod fuzz;
mod help;
mod lanes;
mod pgo;
mod test;
mod tidy;

use crate::exit::{Outcome, Stop};
use std::ffi::{OsStr, OsString};

/// One verb of the command line.
pub(crate) struct Verb {
    name: &'static str,
    about: &'static str,
    action: Action,
}

/// Who does the work.
enum Action {
    /// The release build of the harness; it also answers `--help`.
    Harness,
    /// This program, with the text that `--help` prints.
    Own { help: &'static str, run: fn(Vec<OsString>) -> Outcome },
}

use Action::{Harness, Own};

/// In the order in which `help` lists them.
const VERBS: &[Verb] = &[
    Verb {
        name: "bench",
        about: "verify, time and judge every kernel; write the report page",
        action: Harness,
    },
    Verb {
        name: "test",
        about: "run every test, by lane",
        action: Own { help: test::HELP, run: test::run },
    },
    Verb {
        name: "fuzz",
        about: "inputs that hurt, guided by coverage, under AddressSanitizer",
        action: Own { help: fuzz::HELP, run: fuzz::run },
    },
    Verb {
        name: "kernels",
        about: "list the registry: op, variant, level, technique, winner",
        action: Harness,
    },
    Verb {
        name: "verify",
        about: "check every available variant against the oracle",
        action: Harness,
    },
    Verb {
        name: "asm",
        about: "the code of a kernel as it ran: hot loop, accumulators, calls, llvm-mca",
        action: Harness,
    },
    Verb {
        name: "selftest",
        about: "check the timing method itself: A/A, injected slow-downs, drift",
        action: Harness,
    },
    Verb {
        name: "findings",
        about: "every finding of the performance report: as found against ours, pass or not",
        action: Harness,
    },
    Verb { name: "promote", about: "turn a recorded run into the winners table", action: Harness },
    Verb { name: "report", about: "draw the page of a recorded run again", action: Harness },
    Verb { name: "data", about: "list, verify or cut the vector sets", action: Harness },
    Verb {
        name: "db",
        about: "make, fill, search and look after a collection on disk",
        action: Harness,
    },
    Verb {
        name: "env",
        about: "describe this machine and toolchain, as a run records them",
        action: Harness,
    },
    Verb {
        name: "builds",
        about: "make the builds of pgo/matrix.toml once each: flags, size, SHA-256",
        action: Own { help: builds::HELP, run: builds::run },
    },
    Verb {
        name: "pgo",
        about: "profile, rebuild, and judge the builds on work they were not trained on",
        action: Own { help: pgo::HELP, run: pgo::run },
    },
    Verb {
        name: "doctor",
        about: "what is installed, what is missing, how to get it",
        action: Own { help: doctor::HELP, run: doctor::run },
    },
    Verb {
        name: "tidy",
        about: "check the rules of the house",
        action: Own { help: tidy::HELP, run: tidy::run },
    },
    Verb {
        name: "lanes",
        about: "check that every variant ran in some lane",
        action: Own { help: lanes::HELP, run: lanes::run },
    },
    Verb {
        name: "ci",
        about: "everything that a change must pass",
        action: Own { help: ci::HELP, run: ci::run },
    },
    Verb { name: "help", about: "this list", action: Own { help: help::HELP, run: help::run } },
];

/// Finds the verb and lets it run.
pub(crate) fn dispatch(verb: Option<&OsStr>, args: Vec<OsString>) -> Outcome {
    let Some(verb) = verb else { return help::run(Vec::new()) };
    let name = match verb.to_string_lossy().as_ref() {
        "-h" | "--help" => "help".to_owned(),
        name => name.to_owned(),
    };
    let Some(verb) = VERBS.iter().find(|v| v.name == name) else {
        return Err(Stop::usage(unknown(&name)));
    };
    match &verb.action {
        Harness => forward::run(verb.name, args),
        Own { help, .. } if wants_help(&args) => {
            print!("{help}");
            Ok(())
        }
        Own { run, .. } => run(args),
    }
}

/// `--help` before a `--`, behind which words belong to somebody else.
fn wants_help(args: &[OsString]) -> bool {
    args.iter().take_while(|a| *a != "--").any(|a| a == "-h" || a == "--help")
}

fn unknown(name: &str) -> String {
    let nearest = VERBS.iter().map(|v| (distance(name, v.name), v.name)).min();
    let hint = match nearest {
        Some((far, verb)) if far <= 3 => format!(" Did you mean `{verb}`?"),
        _ => String::new(),
    };
    format!("no verb `{name}`.{hint} `cargo xtask help` lists them all.")
}

/// Levenshtein's edit distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_verb_names_its_neighbour() {
        for (typed, meant) in
            [("benhc", "bench"), ("tests", "test"), ("docter", "doctor"), ("line", "lanes")]
        {
            assert!(unknown(typed).contains(&format!("`{meant}`?")), "{}", unknown(typed));
        }
        assert!(!unknown("reticulate").contains("Did you mean"));
        let stop = dispatch(Some(OsStr::new("benhc")), Vec::new()).unwrap_err();
        assert_eq!(stop.code, crate::exit::USAGE);
    }

    #[test]
    fn distances_are_edits() {
        assert_eq!(
            (distance("", "abc"), distance("abc", "abc"), distance("abc", "acb")),
            (3, 0, 2)
        );
    }

    #[test]
    fn help_is_asked_for_before_the_dashes() {
        let args = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(wants_help(&args(&["--lane", "native", "--help"])));
        assert!(!wants_help(&args(&["name", "--", "--help"])));
    }

    #[test]
    fn verbs_have_one_name_each() {
        let names: std::collections::BTreeSet<_> = VERBS.iter().map(|v| v.name).collect();
        assert_eq!(names.len(), VERBS.len());
    }
}
