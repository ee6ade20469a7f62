//! The one place where text becomes markup.

use std::borrow::Cow;

/// `text` for an HTML or SVG text node or a quoted attribute: `& < > " '` become references, and
/// control characters other than tab and newline become U+FFFD.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| {
        matches!(c, '&' | '<' | '>' | '"' | '\'') || (c.is_control() && !matches!(c, '\t' | '\n'))
    };
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if special(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// JSON text for a `script` element: no `<`, so nothing in it can end the element or open a
/// comment, and none of the line ends that JavaScript once knew and JSON does not. Those
/// characters stand only inside strings, where an escape means the same.
pub(crate) fn escape_json(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(
            escape("<a b='\"'>&\0\u{85}\n"),
            "&lt;a b=&#39;&quot;&#39;&gt;&amp;\u{fffd}\u{fffd}\n"
        );
        assert!(matches!(escape("f32/l2sq/pair#avx512-x4"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_cannot_end_its_element() {
        let hostile = serde_json::to_string("</script><!--<script>\u{2028}&amp;").unwrap();
        let safe = escape_json(&hostile);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}']));
        let back: String = serde_json::from_str(&safe).unwrap();
        assert_eq!(back, "</script><!--<script>\u{2028}&amp;");
    }
}
