//! Rules about the text itself: unfinished notes, plain letters, paths of one machine.

use super::source::whole_words;
use super::{Finding, Tree};

/// Notes to self. A thing is done, or it is described where readers look for it.
pub(crate) fn unfinished(tree: &Tree, out: &mut Vec<Finding>) {
    for source in &tree.sources {
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")] {
            for at in whole_words(&source.text, word) {
                out.push(Finding::at(
                    "unfinished",
                    source,
                    at,
                    format!("`{word}`: do it, or write down the decision"),
                ));
            }
        }
        for word in [concat!("to", "do!("), concat!("unim", "plemented!(")] {
            for (at, _) in source.code.match_indices(word).filter(|_| source.is_rust()) {
                out.push(Finding::at("unfinished", source, at, format!("`{word}..)`: a stub")));
            }
        }
    }
}

/// Rust sources are ASCII; formulas in doc comments need not be.
pub(crate) fn ascii(tree: &Tree, out: &mut Vec<Finding>) {
    for source in tree.rust() {
        let mut last_line = 0;
        for (at, c) in source.undocumented.char_indices().filter(|(_, c)| !c.is_ascii()) {
            let line = source.line_of(at);
            if line != last_line {
                out.push(Finding::at(
                    "ascii",
                    source,
                    at,
                    format!("U+{:04X} outside a doc comment", u32::from(c)),
                ));
            }
            last_line = line;
        }
    }
}

/// Absolute paths into somebody's machine, and hosts of package registries: neither holds for the next reader.
pub(crate) fn paths(tree: &Tree, out: &mut Vec<Finding>) {
    const MARKS: &[&str] = &[
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("index.", "crates.io"),
        concat!("static.", "crates.io"),
        concat!("registry.", "npmjs"),
        concat!("files.", "pythonhosted"),
        concat!("deb.", "debian.org"),
    ];
    for source in &tree.sources {
        for mark in MARKS {
            for (at, _) in source.text.match_indices(mark) {
                let before = source.text[..at].chars().next_back();
                // `a/work/b` is somebody's relative path.
                let inside = before.is_some_and(|c| c.is_alphanumeric() || "_-.}".contains(c));
                if !(inside && mark.starts_with('/')) {
                    out.push(Finding::at(
                        "paths",
                        source,
                        at,
                        format!("`{mark}` means one machine or one host"),
                    ));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    #[test]
    fn planted_notes_are_found() {
        assert_eq!(planted(unfinished, "a/src/x.rs", concat!("// TO", "DO: more")), 1);
        assert_eq!(planted(unfinished, "README.md", concat!("FIX", "ME")), 1);
        assert_eq!(planted(unfinished, "a/src/x.rs", concat!("fn f() { to", "do!() }")), 1);
        assert_eq!(planted(unfinished, "a/src/x.rs", "let auto_do = mastodon;"), 0);
    }

    #[test]
    fn planted_letters_are_found_once_a_line() {
        assert_eq!(planted(ascii, "a/src/x.rs", "// \u{e9}\u{e9}\n\"\u{e9}\"\n"), 2);
        assert_eq!(planted(ascii, "a/src/x.rs", "/// \u{3b3}(n) = nu\nfn f() {}"), 0);
        assert_eq!(planted(ascii, "README.md", "\u{e9}"), 0);
    }

    #[test]
    fn planted_paths_are_found() {
        assert_eq!(planted(paths, "README.md", concat!("see /wo", "rk/shared")), 1);
        assert_eq!(planted(paths, "a/src/x.rs", concat!("\"/ho", "me/me/data\"")), 1);
        assert_eq!(planted(paths, "README.md", concat!("$HOME/wo", "rk/x and a/wo", "rk/b")), 0);
        assert_eq!(planted(paths, "README.md", concat!("https://static.", "crates.io/x")), 1);
    }
}
