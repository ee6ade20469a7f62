//! One entry per variant per cell, and how entries form cells.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Run, digits};

/// What the rule says of a whole cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Every other variant is slower by more than the margin at its interval's lower end.
    Winner,
    /// At least two variants lie within the margin of the fastest.
    Tie,
    /// The intervals allow neither statement.
    Undecided,
    /// Too many rounds were disturbed to judge.
    Noisy,
}

impl Verdict {
    /// All verdicts, in the order of the tables.
    pub const ALL: [Self; 4] = [Self::Winner, Self::Tie, Self::Undecided, Self::Noisy];

    /// `WINNER`, `TIE`, `UNDECIDED` or `NOISY`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Winner => "WINNER",
            Self::Tie => "TIE",
            Self::Undecided => "UNDECIDED",
            Self::Noisy => "NOISY",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One variant's part in its cell's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It is the winner.
    Winner,
    /// It is one of the tied.
    Tied,
    /// It is slower than the fastest by more than the margin.
    Behind,
    /// Its interval does not tell.
    Undecided,
}

impl Standing {
    /// `winner`, `tied`, `behind` or `undecided`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Winner => "winner",
            Self::Tied => "tied",
            Self::Behind => "behind",
            Self::Undecided => "undecided",
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One variant in one cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cell {
    /// `encoding/metric/shape`.
    pub op: String,
    /// Values per vector.
    pub dim: usize,
    /// Where the rows lie: `L1`, `L2`, `L3` or `DRAM`.
    pub residence: String,
    /// Alignment class of the rows, for example `64` or `4`.
    pub alignment: String,
    /// Build that ran, for example `base` or `native`.
    pub build: String,
    /// The variant's name.
    pub variant: String,
    /// How it is written: `scalar`, `autovec`, `pulp`, `wide`, `simsimd` or `hand`.
    pub technique: String,
    /// ISA level that it claims.
    pub level: String,
    /// Median time per value, nanoseconds.
    #[serde(serialize_with = "digits::maybe")]
    pub ns_p50: Option<f64>,
    /// 5th percentile of the time per value, nanoseconds: the floor without neighbours.
    #[serde(serialize_with = "digits::maybe")]
    pub ns_p5: Option<f64>,
    /// This variant's time over the reference's, paired; exactly 1 for the reference, which is the
    /// fastest variant by those very ratios. Below 1 only where the interval leaves the order open.
    #[serde(serialize_with = "digits::maybe")]
    pub ratio_to_best: Option<f64>,
    /// Lower end of that ratio's interval.
    #[serde(serialize_with = "digits::maybe")]
    pub ratio_lo: Option<f64>,
    /// Upper end of that ratio's interval.
    #[serde(serialize_with = "digits::maybe")]
    pub ratio_hi: Option<f64>,
    /// The cell's verdict, the same in every entry of the cell.
    pub verdict: Option<Verdict>,
    /// This variant's part in it.
    pub standing: Option<Standing>,
    /// Smallest difference from the fastest that could have been shown, as a share (0.01 = 1 %).
    #[serde(serialize_with = "digits::maybe")]
    pub mde: Option<f64>,
    /// Bytes read from vectors over time, 1e9 bytes per second.
    #[serde(serialize_with = "digits::maybe")]
    pub gb_per_s: Option<f64>,
    /// `limit_ns` over `ns_p50`, percent.
    #[serde(serialize_with = "digits::maybe")]
    pub pct_of_limit: Option<f64>,
    /// The resource that binds: `plain read`, `multiply-adds`, or `L1 loads, 64 B/cycle` with the
    /// session's load width. It is timed in the rounds of this very cell.
    pub limit: Option<String>,
    /// Time per value that this resource allows, nanoseconds.
    #[serde(serialize_with = "digits::maybe")]
    pub limit_ns: Option<f64>,
    /// Largest error seen against the f64 oracle, divided by 2^-24 times the sum of the absolute
    /// terms. For `l2sq`, `l1` and `norm_sq` that is the relative error in units of 2^-24, for
    /// `dot` the same scaled by its condition, for `linf` the error relative to the value; for
    /// `cosine` it is the absolute error in units of 2^-24.
    #[serde(serialize_with = "digits::maybe")]
    pub max_error_ulp: Option<f64>,
    /// Whether the variant's results were checked in the process that timed it.
    pub verified: bool,
    /// ISA level that was seen to execute.
    pub ran_level: Option<String>,
    /// Processes that measured the cell.
    pub processes: Option<u32>,
    /// Rounds per process.
    pub rounds: Option<u32>,
    /// Rounds thrown away as disturbed, percent.
    #[serde(serialize_with = "digits::maybe")]
    pub discarded_pct: Option<f64>,
    /// The command line that repeats this entry.
    pub command: String,
    /// Why the variant could not run; then no figure is present.
    pub not_run: Option<String>,
}

impl Cell {
    /// `op#variant`.
    pub fn coordinates(&self) -> String {
        format!("{}#{}", self.op, self.variant)
    }

    /// Whether the entry carries a time.
    pub fn has_run(&self) -> bool {
        self.not_run.is_none() && self.ns_p50.is_some()
    }

    /// The cell that the entry belongs to.
    pub fn key(&self) -> CellKey<'_> {
        CellKey {
            op: &self.op,
            dim: self.dim,
            residence_rank: residence_rank(&self.residence),
            residence: &self.residence,
            alignment: &self.alignment,
            build: &self.build,
        }
    }
}

/// Place of a residence in the tables: L1, L2, L3, DRAM, then any other.
pub fn residence_rank(residence: &str) -> u8 {
    match residence {
        "L1" => 1,
        "L2" => 2,
        "L3" => 3,
        "DRAM" => 4,
        _ => 5,
    }
}

/// What makes a cell. Ordered by op, dim, residence (nearest first), alignment, build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CellKey<'a> {
    /// `encoding/metric/shape`.
    pub op: &'a str,
    /// Values per vector.
    pub dim: usize,
    /// [`residence_rank`] of `residence`.
    pub residence_rank: u8,
    /// Where the rows lie.
    pub residence: &'a str,
    /// Alignment class of the rows.
    pub alignment: &'a str,
    /// Build that ran.
    pub build: &'a str,
}

/// The entries of one cell.
#[derive(Clone, Debug)]
pub struct CellGroup<'a> {
    /// What makes the cell.
    pub key: CellKey<'a>,
    /// Its entries, in the record's order; never empty. Those that could not run are among them.
    pub cells: Vec<&'a Cell>,
}

impl<'a> CellGroup<'a> {
    /// The cell's verdict; `None` when no variant ran.
    pub fn verdict(&self) -> Option<Verdict> {
        self.timed().find_map(|c| c.verdict)
    }

    /// Entries that carry a time.
    pub fn timed(&self) -> impl Iterator<Item = &'a Cell> + '_ {
        self.cells.iter().copied().filter(|c| c.has_run())
    }

    /// The winner; without one the reference of the ratios (its interval is 1 to 1); without that
    /// the entry with the smallest ratio, then the smallest time.
    pub fn best(&self) -> Option<&'a Cell> {
        let of = |c: &Cell| (c.ratio_to_best.unwrap_or(f64::MAX), c.ns_p50.unwrap_or(f64::MAX));
        let one = Some(1.0);
        let winner = self.timed().find(|c| c.standing == Some(Standing::Winner));
        let reference = || {
            self.timed().find(|c| c.ratio_to_best == one && c.ratio_lo == one && c.ratio_hi == one)
        };
        winner.or_else(reference).or_else(|| {
            self.timed().min_by(|a, b| {
                let (a, b) = (of(a), of(b));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            })
        })
    }
}

impl Run {
    /// The cells, in [`CellKey`] order whatever the record's order is.
    pub fn groups(&self) -> Vec<CellGroup<'_>> {
        let mut by_key: BTreeMap<CellKey<'_>, Vec<&Cell>> = BTreeMap::new();
        for cell in &self.cells {
            by_key.entry(cell.key()).or_default().push(cell);
        }
        by_key.into_iter().map(|(key, cells)| CellGroup { key, cells }).collect()
    }
}

/// Cells as a list of objects, or packed as `{"fields": [..], "rows": [[..], ..]}`: the report
/// page holds the second form, which is less than half as long.
pub(super) fn rows_or_packed<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<Cell>, D::Error> {
    struct Either;

    impl<'de> Visitor<'de> for Either {
        type Value = Vec<Cell>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of cells, or an object with `fields` and `rows`")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut cells = Vec::new();
            while let Some(cell) = seq.next_element()? {
                cells.push(cell);
            }
            Ok(cells)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            let packed = PackedCells::deserialize(de::value::MapAccessDeserializer::new(map))?;
            packed.unpack().map_err(de::Error::custom)
        }
    }

    d.deserialize_any(Either)
}

/// Cells as one list of field names and one list of values per entry. A text that stands in
/// several entries is its place in `texts`; which fields those are, `coded` says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PackedCells {
    fields: Vec<String>,
    #[serde(default)]
    coded: Vec<String>,
    #[serde(default)]
    texts: Vec<String>,
    rows: Vec<Vec<Value>>,
}

/// Fields whose texts are shared between entries.
const CODED: [&str; 12] = [
    "op",
    "residence",
    "alignment",
    "build",
    "variant",
    "technique",
    "level",
    "verdict",
    "standing",
    "limit",
    "ran_level",
    "not_run",
];

impl PackedCells {
    /// Packs `cells`. Texts are numbered as they come, so the same cells give the same bytes.
    pub(crate) fn pack(cells: &[Cell]) -> Result<Self, serde_json::Error> {
        let mut packed =
            Self { fields: Vec::new(), coded: Vec::new(), texts: Vec::new(), rows: Vec::new() };
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for cell in cells {
            let Value::Object(map) = serde_json::to_value(cell)? else {
                continue; // a struct is an object
            };
            if packed.fields.is_empty() {
                packed.fields = map.keys().cloned().collect();
                packed.coded =
                    packed.fields.iter().filter(|f| CODED.contains(&f.as_str())).cloned().collect();
            }
            let mut row = Vec::with_capacity(map.len());
            for (field, value) in map {
                row.push(match value {
                    Value::String(text) if CODED.contains(&field.as_str()) => {
                        let next = places.len();
                        let place = *places.entry(text.clone()).or_insert(next);
                        if place == next {
                            packed.texts.push(text);
                        }
                        Value::from(place)
                    }
                    other => other,
                });
            }
            packed.rows.push(row);
        }
        Ok(packed)
    }

    fn unpack(self) -> Result<Vec<Cell>, String> {
        let width = self.fields.len();
        let coded: Vec<bool> = self.fields.iter().map(|f| self.coded.contains(f)).collect();
        let mut cells = Vec::with_capacity(self.rows.len());
        for (i, mut row) in self.rows.into_iter().enumerate() {
            if row.len() != width {
                return Err(format!("cells.rows[{i}] has {} values for {width} fields", row.len()));
            }
            for (value, _) in row.iter_mut().zip(&coded).filter(|(v, c)| **c && !v.is_null()) {
                let place = value.as_u64().and_then(|p| usize::try_from(p).ok());
                let text = place.and_then(|p| self.texts.get(p)).ok_or_else(|| {
                    format!("cells.rows[{i}]: {value} is no place in cells.texts")
                })?;
                *value = Value::String(text.clone());
            }
            let object = self.fields.iter().cloned().zip(row).collect();
            let cell = serde_json::from_value(Value::Object(object))
                .map_err(|e| format!("cells.rows[{i}]: {e}"))?;
            cells.push(cell);
        }
        Ok(cells)
    }
}
