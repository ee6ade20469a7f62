//! Distance loops outside `kernels`: a second home for what has one.
//!
//! A rule of thumb, not a proof. It looks for the three marks of such a loop close together: two vectors walked in
//! step, the arithmetic of a metric, and an accumulation. A variance (one vector) has only two of them.

use super::rooms::{self, holds};
use super::{Finding, Tree};

/// How many lines a loop's marks may be apart.
const WINDOW: usize = 6;

pub(crate) fn distance_loops(tree: &Tree, out: &mut Vec<Finding>) {
    let outside = |path: &str| {
        ["engine/src/", "harness/src/", "pgo/src/"].iter().any(|p| path.starts_with(p))
    };
    for source in tree.rust().filter(|s| outside(&s.path) && !holds(rooms::ORACLES, &s.path)) {
        let lines: Vec<&str> = source.code.lines().collect();
        let mut offset = 0;
        let mut quiet_until = 0;
        for (i, line) in lines.iter().enumerate() {
            let window = lines[i..lines.len().min(i + WINDOW)].join("\n");
            if i >= quiet_until
                && starts_a_walk(line)
                && is_distance(&window)
                && !source.in_tests(offset)
            {
                let what = "a loop over two vectors that looks like a distance; call a kernel, or register an oracle";
                out.push(Finding::at("distance", source, offset, what));
                quiet_until = i + WINDOW;
            }
            offset += line.len() + 1;
        }
    }
}

fn starts_a_walk(line: &str) -> bool {
    line.contains("zip(")
        || line.contains("for ")
        || line.contains("while ")
        || line.contains(".map(")
}

fn is_distance(window: &str) -> bool {
    let packed: String = window.chars().filter(|c| !c.is_whitespace()).collect();
    let in_step = packed.contains("zip(") || same_index_twice(&packed);
    let accumulates = ["+=", ".sum(", ".sum::<", ".fold(", ".max(", "mul_add("]
        .iter()
        .any(|mark| packed.contains(mark));
    in_step
        && accumulates
        && (squares_a_difference(&packed) || absolute_difference(&packed) || product(&packed))
}

/// `a[i]` and `b[i]`: two different names with the same index.
fn same_index_twice(packed: &str) -> bool {
    let indexed: Vec<(&str, &str)> = packed
        .match_indices('[')
        .filter_map(|(at, _)| {
            let name = name_before(packed, at);
            let index = packed[at + 1..].split(']').next()?;
            let simple =
                !index.is_empty() && index.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            (!name.is_empty() && simple).then_some((name, index))
        })
        .collect();
    indexed.iter().any(|(a, i)| indexed.iter().any(|(b, j)| a != b && i == j))
}

fn name_before(packed: &str, end: usize) -> &str {
    let head = &packed[..end];
    let length = head.bytes().rev().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
    &head[end - length..]
}

/// `(x-y)*(x-y)`, `(x-y).powi(2)`, or `d=x-y` and then `d*d`.
fn squares_a_difference(packed: &str) -> bool {
    let groups = packed.match_indices('(').filter_map(|(at, _)| {
        let inner = packed[at + 1..].split(')').next()?;
        Some((inner, &packed[at + 1 + inner.len()..]))
    });
    let squared = |inner: &str, rest: &str| {
        inner.contains('-')
            && (rest.starts_with(&format!(")*({inner})")) || rest.starts_with(").powi(2)"))
    };
    let named = packed.match_indices('*').any(|(at, _)| {
        let name = name_before(packed, at);
        let again = packed[at + 1..]
            .strip_prefix(name)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        !name.is_empty() && again && subtracted(packed, name)
    });
    let fused = packed.match_indices(".mul_add(").any(|(at, _)| {
        let name = name_before(packed, at);
        packed[at + 9..].strip_prefix(name).is_some_and(|rest| rest.starts_with(','))
            && subtracted(packed, name)
    });
    groups.into_iter().any(|(inner, rest)| squared(inner, rest)) || named || fused
}

/// Whether `let name=...-...;` stands in the text.
fn subtracted(packed: &str, name: &str) -> bool {
    let mark = format!("let{name}=");
    packed.split(&mark).skip(1).any(|rest| rest.split(';').next().unwrap_or("").contains('-'))
}

fn absolute_difference(packed: &str) -> bool {
    packed.match_indices(").abs()").any(|(at, _)| {
        let open = packed[..at].rfind('(').unwrap_or(0);
        packed[open..at].contains('-')
    })
}

/// The body of an inner product: `|(x,y)|x*y` or `+=a[i]*b[i]`.
fn product(packed: &str) -> bool {
    let closure = packed.split(")|").skip(1).any(|body| {
        let body = body.trim_start_matches('*');
        let left: String =
            body.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        body[left.len()..]
            .strip_prefix('*')
            .is_some_and(|right| !left.is_empty() && starts_a_name(right))
    });
    let indexed = packed.split("+=").skip(1).any(|sum| {
        let body = sum.split(';').next().unwrap_or("");
        body.split_once("]*").is_some_and(|(_, right)| starts_a_name(right) && right.contains('['))
    });
    closure || indexed
}

fn starts_a_name(text: &str) -> bool {
    text.trim_start_matches('*').starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    const PATH: &str = "engine/src/index/flat.rs";

    #[test]
    fn planted_distances_are_found() {
        for body in [
            "a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f32>()",
            "a.iter()\n  .zip(b.iter())\n  .map(|(x, y)| (x - y).powi(2))\n  .sum()",
            "for i in 0..n {\n  let d = a[i] - b[i];\n  sum += d * d;\n}",
            "for (x, y) in a.iter().zip(b) {\n  let d = x - y;\n  s = d.mul_add(d, s);\n}",
            "a.iter().zip(b).map(|(x, y)| (x - y).abs()).sum::<f32>()",
            "a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)",
            "a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>()",
            "a.iter().zip(b).map(|(&x, &y)| x * y).sum::<f32>()",
            "for i in 0..n { sum += a[i] * b[i]; }",
        ] {
            assert_eq!(planted(distance_loops, PATH, body), 1, "{body}");
            assert_eq!(planted(distance_loops, "harness/src/baseline/plain.rs", body), 0, "{body}");
            assert_eq!(planted(distance_loops, "kernels/src/ops/f32/scalar.rs", body), 0, "{body}");
            let test = format!("#[cfg(test)]\nmod tests {{\n{body}\n}}");
            assert_eq!(planted(distance_loops, PATH, &test), 0, "{body}");
        }
    }

    #[test]
    fn other_loops_are_left_alone() {
        for body in [
            "xs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>()",
            "for (a, b) in xs.iter().zip(ys) { out.push((a, b)); }",
            "for i in 0..n { total += widths[i]; left[i] = total; }",
            "for (slot, n) in slots.iter_mut().zip(&counts) { *slot += n; }",
            "ids.iter().zip(out.iter_mut()).for_each(|(id, o)| *o = *id);",
        ] {
            assert_eq!(planted(distance_loops, PATH, body), 0, "{body}");
        }
    }
}
