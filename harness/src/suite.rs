//! What to measure: suites as data, narrowed by the command line into a list of cells.

use std::fmt;

use annvil_reports::schema::Mode;
use serde::{Deserialize, Serialize};

use crate::protocol::{Alignment, CellSpec, Residence};

/// Largest dimension that a cell may have: a vector of 4 MiB.
pub const MAX_DIM: usize = 1 << 20;

/// A suite: how thoroughly, and which cells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suite {
    /// Processes per cell.
    pub processes: usize,
    /// Rounds per process.
    pub rounds: usize,
    /// Further looks at an undecided cell.
    pub extra_looks: u32,
    group: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    ops: Vec<String>,
    /// Patterns for ops that are not meant, although `ops` matches them.
    #[serde(default)]
    but: Vec<String>,
    dims: Vec<usize>,
    residences: Vec<Residence>,
    alignments: Vec<Alignment>,
}

/// What the command line asks for. Every list that is empty leaves the suite as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Parts of, or patterns for, `op@dim@residence@alignment`; a cell has to match one.
    pub filters: Vec<String>,
    /// Patterns for ops; an op has to match one.
    pub ops: Vec<String>,
    /// Dimensions instead of the suite's.
    pub dims: Vec<usize>,
    /// Residences instead of the suite's.
    pub residences: Vec<Residence>,
    /// Alignments instead of the suite's.
    pub alignments: Vec<Alignment>,
    /// Patterns for variants; a variant has to match one.
    pub variants: Vec<String>,
}

/// Why there is no list of cells.
#[derive(Debug)]
#[non_exhaustive]
pub enum PlanError {
    /// A suite file does not parse. A defect of this program.
    Suite {
        /// Which.
        mode: Mode,
        /// The cause.
        source: toml::de::Error,
    },
    /// A pattern matches no op.
    NoOp {
        /// As given.
        pattern: String,
        /// The ops there are.
        known: Vec<String>,
    },
    /// A dimension is 0 or too large.
    BadDim {
        /// As given.
        dim: usize,
    },
    /// Nothing is left.
    Empty,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suite { mode, source } => write!(f, "the {mode} suite does not parse: {source}"),
            Self::NoOp { pattern, known } => {
                write!(f, "no op matches {pattern:?}; there are {}", known.join(", "))
            }
            Self::BadDim { dim } => write!(f, "dimension {dim}: 1 to {MAX_DIM} can be measured"),
            Self::Empty => f.write_str(
                "no cell is left; `cargo xtask bench --list` shows those of the suite, and a \
                 filter matches parts of them",
            ),
        }
    }
}

impl std::error::Error for PlanError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Suite { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Suite {
    /// The suite of a mode.
    ///
    /// # Errors
    /// [`PlanError::Suite`], which a test excludes.
    pub fn of(mode: Mode) -> Result<Self, PlanError> {
        let text = match mode {
            Mode::Quick => include_str!("../suites/quick.toml"),
            Mode::Full => include_str!("../suites/full.toml"),
        };
        toml::from_str(text).map_err(|source| PlanError::Suite { mode, source })
    }

    /// The cells that are left of the suite, near residences first, without duplicates.
    ///
    /// # Errors
    /// A pattern without an op, a bad dimension, or nothing left.
    pub fn cells(&self, selection: &Selection, ops: &[String]) -> Result<Vec<CellSpec>, PlanError> {
        for pattern in &selection.ops {
            if !ops.iter().any(|op| matches(pattern, op)) {
                let known = ops.to_vec();
                return Err(PlanError::NoOp { pattern: pattern.clone(), known });
            }
        }
        if let Some(&dim) = selection.dims.iter().find(|d| **d == 0 || **d > MAX_DIM) {
            return Err(PlanError::BadDim { dim });
        }
        let mut cells = Vec::new();
        for group in &self.group {
            let dims = instead(&selection.dims, &group.dims);
            let residences = instead(&selection.residences, &group.residences);
            let alignments = instead(&selection.alignments, &group.alignments);
            let wanted = |op: &&String| {
                matches_any(&group.ops, op)
                    && !matches_any(&group.but, op)
                    && (selection.ops.is_empty() || matches_any(&selection.ops, op))
            };
            for op in ops.iter().filter(wanted) {
                for &residence in residences {
                    for &alignment in alignments {
                        cells.extend(dims.iter().map(|&dim| CellSpec {
                            op: op.clone(),
                            dim,
                            residence,
                            alignment,
                        }));
                    }
                }
            }
        }
        let rank = |op: &str| ops.iter().position(|o| o == op);
        cells.sort_by_key(|c| (c.residence, rank(&c.op), c.alignment, c.dim));
        cells.dedup();
        if !selection.filters.is_empty() {
            cells.retain(|c| {
                let id = c.to_string();
                selection.filters.iter().any(|f| id.contains(f.as_str()) || matches(f, &id))
            });
        }
        if cells.is_empty() { Err(PlanError::Empty) } else { Ok(cells) }
    }
}

impl Selection {
    /// Whether a variant takes part.
    pub fn takes(&self, variant: &str) -> bool {
        self.variants.is_empty() || matches_any(&self.variants, variant)
    }
}

fn instead<'a, T>(asked: &'a [T], suite: &'a [T]) -> &'a [T] {
    if asked.is_empty() { suite } else { asked }
}

fn matches_any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|p| matches(p, text))
}

/// Whether `pattern`, in which `*` stands for any text, matches all of `text`.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        // The leftmost place leaves the most for the parts that follow.
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops() -> Vec<String> {
        ["f32/l2sq/pair", "f32/l2sq/scan", "f32/cosine/pair_norms", "f32/norm_sq/row"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn every_operation_has_cells_in_both_suites() {
        let ops: Vec<String> = annvil_kernels::ops().iter().map(|op| op.path()).collect();
        for mode in [Mode::Quick, Mode::Full] {
            let cells = Suite::of(mode).unwrap().cells(&Selection::default(), &ops).unwrap();
            for op in &ops {
                assert!(cells.iter().any(|c| c.op == *op), "{op} is not in the {mode} suite");
            }
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, want) in [
            ("f32/l2sq/pair", "f32/l2sq/pair", true),
            ("f32/l2sq", "f32/l2sq/pair", false),
            ("*", "", true),
            ("*/pair", "f32/l2sq/pair", true),
            ("*/pair", "f32/l2sq/pair_norms", false),
            ("f32/*/pa*r", "f32/l2sq/pair", true),
            ("f32*f32", "f32", false),
            ("a*b*c", "abbc", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn both_suites_parse_and_give_cells_near_ones_first() {
        for mode in [Mode::Quick, Mode::Full] {
            let cells = Suite::of(mode).unwrap().cells(&Selection::default(), &ops()).unwrap();
            assert!(cells.len() > 20);
            assert!(cells.windows(2).all(|w| w[0].residence <= w[1].residence));
            let distinct: std::collections::HashSet<_> = cells.iter().collect();
            assert_eq!(distinct.len(), cells.len());
        }
    }

    #[test]
    fn a_cell_can_be_had_by_its_own_command() {
        let suite = Suite::of(Mode::Quick).unwrap();
        for cell in suite.cells(&Selection::default(), &ops()).unwrap() {
            let selection = Selection {
                ops: vec![cell.op.clone()],
                dims: vec![cell.dim],
                residences: vec![cell.residence],
                alignments: vec![cell.alignment],
                ..Selection::default()
            };
            assert_eq!(suite.cells(&selection, &ops()).unwrap(), [cell]);
        }
    }

    #[test]
    fn filters_narrow_and_mistakes_are_named() {
        let suite = Suite::of(Mode::Quick).unwrap();
        let with = |s: Selection| suite.cells(&s, &ops());
        let filters = vec!["scan@128".to_owned(), "*row@8@*".to_owned()];
        let cells = with(Selection { filters, ..Selection::default() }).unwrap();
        assert!(cells.iter().all(|c| c.dim == 128 || c.dim == 8) && cells.len() >= 3);
        let error = with(Selection { ops: vec!["f64/*".into()], ..Selection::default() });
        assert!(error.unwrap_err().to_string().contains("f32/l2sq/pair"));
        let error = with(Selection { dims: vec![0], ..Selection::default() });
        assert!(matches!(error, Err(PlanError::BadDim { dim: 0 })));
        let error = with(Selection { filters: vec!["nothing".into()], ..Selection::default() });
        assert!(matches!(error, Err(PlanError::Empty)));
    }
}
