//! `cargo xtask tidy`: the rules of the house that the compiler cannot check.

mod arrows;
mod code;
mod distance;
mod generated;
mod rooms;
mod size;
mod source;
mod text;

use crate::exit::{Outcome, Stop};
use crate::shell;
use source::Source;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub(crate) const HELP: &str = "\
cargo xtask tidy [RULE..] [--list]

Checks the rules of ARCHITECTURE.md that no compiler checks, and ends with code 1 if one is broken. Warnings are
printed and do not fail. The same check is a test of this crate, so `cargo test` runs it too.

Examples
  cargo xtask tidy
  cargo xtask tidy unsafe arrows
  cargo xtask tidy --list
";

/// A rule: what it is called, what it says, how it is checked.
struct Rule {
    name: &'static str,
    about: &'static str,
    check: Check,
}

type Check = fn(&Tree, &mut Vec<Finding>);

const RULES: &[Rule] = &[
    Rule {
        name: "arrows",
        about: "a crate uses only the crates that its row allows",
        check: arrows::arrows,
    },
    Rule {
        name: "engine-tree",
        about: "the engine's default tree is small and pure Rust",
        check: arrows::engine_tree,
    },
    Rule {
        name: "unsafe",
        about: "`unsafe` stands only in registered rooms",
        check: code::unsafe_rooms,
    },
    Rule {
        name: "detection",
        about: "CPU features are detected in kernels/src/isa only",
        check: code::detection,
    },
    Rule {
        name: "intrinsics",
        about: "instructions are named in kernels/src/isa only",
        check: code::intrinsics,
    },
    Rule {
        name: "distance",
        about: "distance loops live in kernels only",
        check: distance::distance_loops,
    },
    Rule { name: "silence", about: "libraries neither print nor exit", check: code::silence },
    Rule {
        name: "purity",
        about: "no clock and no global random source in kernels and engine",
        check: code::purity,
    },
    Rule { name: "file-length", about: "files have at most 800 lines", check: size::file_length },
    Rule {
        name: "function-length",
        about: "functions have at most 150 lines, 70 outside kernels",
        check: size::function_length,
    },
    Rule { name: "unfinished", about: "no notes to self, no stubs", check: text::unfinished },
    Rule {
        name: "ascii",
        about: "Rust sources are ASCII outside doc comments",
        check: text::ascii,
    },
    Rule { name: "paths", about: "no paths of one machine, no registry hosts", check: text::paths },
    Rule {
        name: "generated",
        about: "generated files are up to date",
        check: generated::generated,
    },
];

/// The files that the rules look at.
pub(crate) struct Tree {
    root: PathBuf,
    sources: Vec<Source>,
}

impl Tree {
    fn rust(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|s| s.is_rust())
    }
}

/// A broken rule, with its place.
#[derive(Debug)]
pub(crate) struct Finding {
    rule: &'static str,
    path: String,
    line: usize,
    what: String,
    warning: bool,
}

impl Finding {
    fn new(rule: &'static str, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { rule, path: path.to_owned(), line, what: what.into(), warning: false }
    }

    fn at(rule: &'static str, source: &Source, at: usize, what: impl Into<String>) -> Self {
        Self::new(rule, &source.path, source.line_of(at), what)
    }

    fn into_warning(self) -> Self {
        Self { warning: true, ..self }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        write!(f, "{}:{}: {kind}{} [{}]", self.path, self.line, self.what, self.rule)
    }
}

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    let names = shell::texts(&args);
    if names.iter().any(|n| n == "--list") {
        for rule in RULES {
            println!("{:<16} {}", rule.name, rule.about);
        }
        return Ok(());
    }
    if let Some(odd) = names.iter().find(|n| !RULES.iter().any(|r| r.name == **n)) {
        return Err(Stop::usage(format!("no rule `{odd}`; `cargo xtask tidy --list` names them")));
    }
    let tree = read_tree(&shell::root())?;
    let mut found = Vec::new();
    for rule in RULES.iter().filter(|r| names.is_empty() || names.iter().any(|n| n == r.name)) {
        (rule.check)(&tree, &mut found);
    }
    for finding in &found {
        println!("{finding}");
    }
    let broken = found.iter().filter(|f| !f.warning).count();
    println!(
        "tidy: {} files, {broken} broken, {} warnings",
        tree.sources.len(),
        found.len() - broken
    );
    if broken == 0 {
        Ok(())
    } else {
        Err(Stop::failed(format!("{broken} places break a rule of the house")))
    }
}

/// What is read: the crates, the folders beside them, and the texts at the root.
const KINDS: &[&str] = &["rs", "toml", "md", "mjs", "js", "css", "html", "sh", "yml"];

fn read_tree(root: &Path) -> Result<Tree, Stop> {
    let mut tree = Tree { root: root.to_owned(), sources: Vec::new() };
    visit(root, "", &mut tree.sources)
        .map_err(|e| Stop::failed(format!("{}: {e}", root.display())))?;
    if !tree.sources.iter().any(|s| s.path == "Cargo.toml") {
        return Err(Stop::failed(format!("{} is not the root of the workspace", root.display())));
    }
    tree.sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(tree)
}

fn visit(dir: &Path, prefix: &str, out: &mut Vec<Source>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            // Build output, run output, and what version control keeps for itself.
            let skipped = ["target", "reports/out", "reports/record"].contains(&path.as_str())
                || name == ".git";
            if !skipped {
                visit(&entry.path(), &format!("{path}/"), out)?;
            }
        } else if path == ".ci/run" || KINDS.iter().any(|k| name.ends_with(&format!(".{k}"))) {
            let bytes = std::fs::read(entry.path())?;
            out.push(Source::new(path, String::from_utf8_lossy(&bytes)));
        }
    }
    Ok(())
}

#[cfg(test)]
fn findings(check: Check, path: &str, text: &str) -> Vec<Finding> {
    let tree = Tree { root: PathBuf::new(), sources: vec![Source::new(path, text)] };
    let mut out = Vec::new();
    check(&tree, &mut out);
    out
}

/// How many places of a planted file break a rule.
#[cfg(test)]
fn planted(check: Check, path: &str, text: &str) -> usize {
    findings(check, path, text).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_house_is_tidy() {
        let tree = read_tree(&shell::root()).unwrap_or_else(|stop| panic!("{}", stop.why));
        let mut found = Vec::new();
        for rule in RULES {
            (rule.check)(&tree, &mut found);
        }
        found.retain(|f| !f.warning);
        let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    }

    #[test]
    fn findings_name_rule_and_place() {
        let found = findings(code::unsafe_rooms, "engine/src/a.rs", "fn f() {\n unsafe { g() }\n}");
        assert_eq!(found[0].to_string(), "engine/src/a.rs:2: `unsafe` outside its rooms [unsafe]");
    }

    #[test]
    fn an_unknown_rule_is_a_usage_error() {
        assert_eq!(run(vec!["no-such-rule".into()]).unwrap_err().code, crate::exit::USAGE);
    }
}
