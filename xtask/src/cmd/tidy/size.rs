//! Files and functions that one can read.

use super::source::{closing, whole_words};
use super::{Finding, Tree};

const FILE: usize = 800;
const FUNCTION: usize = 150;
const FUNCTION_OUTSIDE_KERNELS: usize = 70;

/// A table that a command writes is read by nobody from top to bottom.
pub(crate) fn file_length(tree: &Tree, out: &mut Vec<Finding>) {
    for source in tree.rust().filter(|s| s.path != super::generated::MADE) {
        let lines = source.text.lines().count();
        if lines > FILE {
            out.push(Finding::new(
                "file-length",
                &source.path,
                lines,
                format!("{lines} lines, at most {FILE}"),
            ));
        }
    }
}

/// A hand-written kernel may be long; elsewhere a long function is a warning.
pub(crate) fn function_length(tree: &Tree, out: &mut Vec<Finding>) {
    for source in tree.rust() {
        for at in whole_words(&source.code, "fn") {
            let Some(length) = body_lines(&source.code, at) else { continue };
            let kernels = source.path.starts_with("kernels/");
            if length > FUNCTION {
                let what = format!("a function of {length} lines, at most {FUNCTION}");
                out.push(Finding::at("function-length", source, at, what));
            } else if length > FUNCTION_OUTSIDE_KERNELS && !kernels {
                let what =
                    format!("a function of {length} lines; {FUNCTION_OUTSIDE_KERNELS} are plenty");
                out.push(Finding::at("function-length", source, at, what).into_warning());
            }
        }
    }
}

/// The lines from `fn` to the closing brace; `None` for a declaration or a pointer type.
fn body_lines(code: &str, at: usize) -> Option<usize> {
    let named =
        code[at + 2..].trim_start().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let mut depth = 0_i32;
    let open = code[at..].char_indices().find_map(|(i, c)| {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            '{' | ';' if depth == 0 => return Some(at + i),
            _ => {}
        }
        None
    })?;
    (named && code.as_bytes()[open] == b'{').then(|| code[at..closing(code, open)].lines().count())
}

#[cfg(test)]
mod tests {
    use super::super::{findings, planted};
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(planted(file_length, "engine/src/a.rs", &"// x\n".repeat(FILE)), 0);
        assert_eq!(planted(file_length, "engine/src/a.rs", &"// x\n".repeat(FILE + 1)), 1);
        let made = super::super::generated::MADE;
        assert_eq!(planted(file_length, made, &"// x\n".repeat(FILE + 1)), 0);
    }

    #[test]
    fn a_long_function_is_found() {
        let body =
            |lines: usize| format!("fn f(x: [u8; 3]) -> u8 {{\n{}}}\n", "g();\n".repeat(lines));
        assert_eq!(planted(function_length, "kernels/src/a.rs", &body(100)), 0);
        assert_eq!(planted(function_length, "kernels/src/a.rs", &body(FUNCTION)), 1);
        let warned = findings(function_length, "engine/src/a.rs", &body(100));
        assert!(warned.len() == 1 && warned[0].warning);
        assert_eq!(planted(function_length, "engine/src/a.rs", &body(60)), 0);
    }

    #[test]
    fn types_and_declarations_have_no_body() {
        let text = format!(
            "type F = fn(u8);\ntrait T {{ fn g(&self);\n{}}}",
            "const A: u8;\n".repeat(FUNCTION)
        );
        assert_eq!(planted(function_length, "engine/src/a.rs", &text), 0);
    }
}
