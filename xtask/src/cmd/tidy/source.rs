//! A source file as the rules see it: the text, and the text with comments and literals blanked out.

use std::ops::Range;

/// What a byte of a Rust file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Literal,
    Comment,
    Doc,
}

/// One file of the repository.
pub(crate) struct Source {
    /// The path from the root, with `/` between its parts.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
    /// For Rust: the text with everything that is not code replaced by spaces, byte for byte. Else a copy.
    pub(crate) code: String,
    /// For Rust: the text with doc comments replaced by spaces, byte for byte. Else a copy.
    pub(crate) undocumented: String,
    tests: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let (path, text) = (path.into(), text.into());
        if !path.ends_with(".rs") {
            return Self {
                code: text.clone(),
                undocumented: text.clone(),
                tests: Vec::new(),
                path,
                text,
            };
        }
        let classes = classify(text.as_bytes());
        let code = keep(&text, &classes, |c| c == Class::Code);
        let undocumented = keep(&text, &classes, |c| c != Class::Doc);
        let tests = test_modules(&code);
        Self { path, text, code, undocumented, tests }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The line, counted from 1, of a byte.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        1 + self.text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count()
    }

    /// Whether a byte lies in code that only tests compile.
    pub(crate) fn in_tests(&self, at: usize) -> bool {
        let folder = |name: &str| {
            self.path.contains(&format!("/{name}/")) || self.path.starts_with(&format!("{name}/"))
        };
        folder("tests")
            || folder("benches")
            || self.path.ends_with("/tests.rs")
            || self.tests.iter().any(|range| range.contains(&at))
    }

    /// Where a word stands in the code, as a whole identifier.
    pub(crate) fn words<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        whole_words(&self.code, word)
    }
}

/// Where `word` stands in `text` with no identifier character on either side.
pub(crate) fn whole_words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let bytes = text.as_bytes();
        !part(at.checked_sub(1).and_then(|i| bytes.get(i))) && !part(bytes.get(at + word.len()))
    })
}

/// The byte behind the brace that closes the one at `open`, or the end of the text.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

fn keep(text: &str, classes: &[Class], wanted: fn(Class) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if wanted(classes[at]) || c == '\n' {
            out.push(c);
        } else {
            out.extend(std::iter::repeat_n(' ', c.len_utf8()));
        }
    }
    out
}

/// The bodies of `#[cfg(test)]` items.
fn test_modules(code: &str) -> Vec<Range<usize>> {
    let mark = "#[cfg(test)]";
    let body = |(at, _): (usize, &str)| {
        let open = at + code[at..].find(['{', ';'])?;
        Some(at..if code.as_bytes()[open] == b'{' { closing(code, open) } else { open })
    };
    code.match_indices(mark).filter_map(body).collect()
}

fn classify(text: &[u8]) -> Vec<Class> {
    let mut classes = vec![Class::Code; text.len()];
    let mut at = 0;
    while at < text.len() {
        let (class, end) = token(text, at);
        classes[at..end].fill(class);
        at = end;
    }
    classes
}

/// The token that begins at `at`: one byte of code, or a whole comment or literal.
fn token(text: &[u8], at: usize) -> (Class, usize) {
    let rest = &text[at..];
    let word_before = at > 0 && (text[at - 1].is_ascii_alphanumeric() || text[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => {
            let end = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
            let doc = (rest.starts_with(b"///") && !rest.starts_with(b"////"))
                || rest.starts_with(b"//!");
            (if doc { Class::Doc } else { Class::Comment }, at + end)
        }
        [b'/', b'*', ..] => {
            let doc = (rest.starts_with(b"/**")
                && !rest.starts_with(b"/***")
                && !rest.starts_with(b"/**/"))
                || rest.starts_with(b"/*!");
            (if doc { Class::Doc } else { Class::Comment }, block_comment(text, at))
        }
        [b'"', ..] => (Class::Literal, string(text, at + 1)),
        [b'r', ..] if !word_before => raw_string(text, at + 1),
        [b'b' | b'c', b'r', ..] if !word_before => raw_string(text, at + 2),
        [b'\'', ..] => character(text, at),
        _ => (Class::Code, at + 1),
    }
}

fn block_comment(text: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while at < text.len() {
        match &text[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

fn string(text: &[u8], mut at: usize) -> usize {
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// `at` is behind the `r`. What is no raw string (`r#type`, an identifier) is code.
fn raw_string(text: &[u8], at: usize) -> (Class, usize) {
    let hashes = text[at..].iter().take_while(|b| **b == b'#').count();
    if text.get(at + hashes) != Some(&b'"') {
        return (Class::Code, at);
    }
    let mut end = vec![b'"'];
    end.resize(hashes + 1, b'#');
    let body = at + hashes + 1;
    let length = text[body..].windows(end.len()).position(|w| w == end);
    (Class::Literal, length.map_or(text.len(), |n| body + n + end.len()))
}

/// A character literal, or the quote of a lifetime.
fn character(text: &[u8], at: usize) -> (Class, usize) {
    if text.get(at + 1) == Some(&b'\\') {
        let end = text.get(at + 3..).and_then(|t| t.iter().position(|b| *b == b'\''));
        return (Class::Literal, end.map_or(text.len(), |n| at + 3 + n + 1));
    }
    // One character, at most four bytes long, then the closing quote.
    let first = text.get(at + 1).copied().unwrap_or(0);
    let length = match first {
        0..=0x7f => 1,
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        _ => 4,
    };
    match text.get(at + 1 + length) {
        Some(b'\'') if first != b'\n' => (Class::Literal, at + length + 2),
        _ => (Class::Code, at + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let source = Source::new("a/src/x.rs", text);
        assert_eq!(source.code.len(), text.len(), "blanking keeps every offset");
        source.code
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        for text in [
            "// gone",
            "/* gone /* gone */ gone */",
            "\"gone \\\" gone\"",
            "r#\"gone \" gone\"#",
            "b\"gone\"",
            "'\\''",
            "'\"'",
            "\"\u{e9} gone\"",
            "/// gone",
        ] {
            assert!(!code(&format!("a {text} \n b")).contains("gone"), "{text}");
            assert!(
                code(&format!("a {text} \n b")).ends_with("\n b"),
                "{text}: the code behind it is kept"
            );
        }
    }

    #[test]
    fn lifetimes_and_raw_identifiers_are_code() {
        assert_eq!(code("fn f<'a>(r#type: &'a str) {}"), "fn f<'a>(r#type: &'a str) {}");
        assert_eq!(code("for x in y {}"), "for x in y {}");
    }

    #[test]
    fn test_modules_are_found() {
        let source = Source::new(
            "a/src/x.rs",
            "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}",
        );
        let at = |name: &str| source.code.find(name).unwrap();
        assert!(
            !source.in_tests(at("fn a"))
                && source.in_tests(at("fn b"))
                && !source.in_tests(at("fn c"))
        );
        assert!(Source::new("a/tests/x.rs", "fn a() {}").in_tests(0));
    }

    #[test]
    fn words_are_whole() {
        let source = Source::new("x.rs", "unsafe unsafe_code my_unsafe (unsafe)");
        assert_eq!(source.words("unsafe").count(), 2);
    }
}
