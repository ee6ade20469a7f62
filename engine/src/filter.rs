//! Which rows are wanted, said of their metadata.

use std::fmt;

use crate::value::{Metadata, Value};

/// Filters within filters at most.
const DEPTH: usize = 64;

/// A condition on metadata. A field is named by a path, names joined by dots.
///
/// A row without the field, or with another kind of value, matches none of `eq`, `any_of` and the
/// ranges; it matches `ne`. Whole numbers and others compare by value.
///
/// ```
/// use annvil::Filter;
/// let wanted = Filter::eq("lang", "en").and(Filter::at_least("year", 2020));
/// # let _ = wanted;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Filter {
    /// The field has this value.
    Eq(String, Value),
    /// It has not: another one, or none.
    Ne(String, Value),
    /// It has one of these.
    In(String, Vec<Value>),
    /// It lies between the ends.
    Range(String, Ends),
    /// It is there, whatever its value.
    Exists(String),
    /// All of them.
    And(Vec<Filter>),
    /// At least one of them.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
}

/// Ends of a range; one that is absent bounds nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ends {
    /// At least.
    pub gte: Option<Value>,
    /// More than.
    pub gt: Option<Value>,
    /// At most.
    pub lte: Option<Value>,
    /// Less than.
    pub lt: Option<Value>,
}

impl Filter {
    /// The field has this value.
    pub fn eq(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Eq(field.into(), value.into())
    }

    /// It has another value, or none.
    pub fn ne(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Ne(field.into(), value.into())
    }

    /// It has one of these values.
    pub fn any_of<V: Into<Value>>(
        field: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self::In(field.into(), values.into_iter().map(Into::into).collect())
    }

    /// It is this or more.
    pub fn at_least(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Range(field.into(), Ends { gte: Some(value.into()), ..Ends::default() })
    }

    /// It is this or less.
    pub fn at_most(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::Range(field.into(), Ends { lte: Some(value.into()), ..Ends::default() })
    }

    /// It lies between the ends.
    pub fn range(field: impl Into<String>, ends: Ends) -> Self {
        Self::Range(field.into(), ends)
    }

    /// It is there.
    pub fn exists(field: impl Into<String>) -> Self {
        Self::Exists(field.into())
    }

    /// This and the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            one => Self::And(vec![one, other]),
        }
    }

    /// This or the other, or both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut all) => {
                all.push(other);
                Self::Or(all)
            }
            one => Self::Or(vec![one, other]),
        }
    }

    /// Whether it can be asked at all.
    pub(crate) fn check(&self) -> Result<(), FilterError> {
        self.check_at(0)
    }

    fn check_at(&self, depth: usize) -> Result<(), FilterError> {
        if depth > DEPTH {
            return Err(FilterError::TooDeep);
        }
        let number = |field: &String, value: &Value| match value {
            Value::Float(v) if v.is_nan() => Err(FilterError::NotANumber { field: field.clone() }),
            _ => Ok(()),
        };
        match self {
            Self::Eq(field, value) | Self::Ne(field, value) => number(field, value),
            Self::In(field, values) => values.iter().try_for_each(|v| number(field, v)),
            Self::Range(field, ends) => {
                let all = [&ends.gte, &ends.gt, &ends.lte, &ends.lt];
                all.into_iter().flatten().try_for_each(|end| match end {
                    Value::Int(_) | Value::Float(_) | Value::Text(_) => number(field, end),
                    _ => Err(FilterError::NoOrder { field: field.clone() }),
                })
            }
            Self::Exists(_) => Ok(()),
            Self::And(all) | Self::Or(all) => all.iter().try_for_each(|f| f.check_at(depth + 1)),
            Self::Not(one) => one.check_at(depth + 1),
        }
    }

    /// Whether a row with this metadata is wanted.
    pub(crate) fn matches(&self, metadata: Option<&Metadata>) -> bool {
        let at = |field: &String| metadata.and_then(|map| Value::at(map, field));
        match self {
            Self::Eq(field, value) => at(field).is_some_and(|v| v.equals(value)),
            Self::Ne(field, value) => at(field).is_none_or(|v| !v.equals(value)),
            Self::In(field, values) => {
                at(field).is_some_and(|v| values.iter().any(|wanted| v.equals(wanted)))
            }
            Self::Range(field, ends) => at(field).is_some_and(|v| ends.hold(v)),
            Self::Exists(field) => at(field).is_some(),
            Self::And(all) => all.iter().all(|f| f.matches(metadata)),
            Self::Or(all) => all.iter().any(|f| f.matches(metadata)),
            Self::Not(one) => !one.matches(metadata),
        }
    }
}

impl std::ops::Not for Filter {
    type Output = Self;

    fn not(self) -> Self {
        Self::Not(Box::new(self))
    }
}

impl Ends {
    fn hold(&self, value: &Value) -> bool {
        let side = |end: &Option<Value>, fits: fn(std::cmp::Ordering) -> bool| {
            end.as_ref().is_none_or(|end| value.compare(end).is_some_and(fits))
        };
        // Without any end: whatever has an order.
        matches!(value, Value::Int(_) | Value::Float(_) | Value::Text(_))
            && side(&self.gte, std::cmp::Ordering::is_ge)
            && side(&self.gt, std::cmp::Ordering::is_gt)
            && side(&self.lte, std::cmp::Ordering::is_le)
            && side(&self.lt, std::cmp::Ordering::is_lt)
    }
}

/// A filter that cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterError {
    /// A NaN equals nothing and is before nothing.
    NotANumber {
        /// The field.
        field: String,
    },
    /// An end of a range that is no number and no text.
    NoOrder {
        /// The field.
        field: String,
    },
    /// Filters within filters beyond all measure.
    TooDeep,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotANumber { field } => {
                write!(f, "the filter on `{field}` compares with NaN, which nothing equals")
            }
            Self::NoOrder { field } => {
                write!(f, "the range on `{field}` ends at what has no order; give numbers or text")
            }
            Self::TooDeep => write!(f, "filters are nested more than {DEPTH} deep; flatten them"),
        }
    }
}

impl std::error::Error for FilterError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Metadata {
        let inner = Metadata::from([("city".to_owned(), "Ulm".into())]);
        Metadata::from([
            ("year".to_owned(), 2021.into()),
            ("price".to_owned(), 9.5.into()),
            ("tag".to_owned(), "new".into()),
            ("sold".to_owned(), false.into()),
            ("place".to_owned(), inner.into()),
        ])
    }

    #[test]
    fn conditions_hold_or_do_not() {
        let ends = |gte: f64, lt: f64| Ends {
            gte: Some(gte.into()),
            lt: Some(lt.into()),
            ..Ends::default()
        };
        for (filter, holds) in [
            (Filter::eq("year", 2021), true),
            (Filter::eq("year", 2021.0), true),
            (Filter::eq("year", "2021"), false),
            (Filter::eq("gone", Value::Null), false),
            (Filter::ne("gone", 1), true),
            (Filter::ne("tag", "new"), false),
            (Filter::any_of("tag", ["old", "new"]), true),
            (Filter::any_of::<Value>("tag", []), false),
            (Filter::at_least("year", 2021), true),
            (Filter::at_most("price", 9.4), false),
            (Filter::at_least("tag", "new"), true),
            (Filter::at_least("tag", 1), false),
            (Filter::range("year", ends(2020.5, 2021.0)), false),
            (Filter::range("year", Ends::default()), true),
            (Filter::range("sold", Ends::default()), false),
            (Filter::eq("place.city", "Ulm"), true),
            (Filter::exists("place"), true),
            (!Filter::exists("price"), false),
            (Filter::eq("tag", "new").and(Filter::eq("sold", true)), false),
            (Filter::eq("tag", "new").or(Filter::eq("sold", true)), true),
            (Filter::And(vec![]), true),
            (Filter::Or(vec![]), false),
        ] {
            assert_eq!(filter.check(), Ok(()));
            assert_eq!(filter.matches(Some(&row())), holds, "{filter:?}");
        }
        assert!(Filter::ne("a", 1).matches(None) && !Filter::eq("a", 1).matches(None));
    }

    #[test]
    fn absurd_filters_are_refused() {
        assert!(Filter::eq("a", f64::NAN).check().is_err());
        assert!(Filter::at_least("a", true).check().is_err());
        let deep = (0..100).fold(Filter::exists("a"), |f, _| !f);
        assert_eq!(deep.check(), Err(FilterError::TooDeep));
    }
}
