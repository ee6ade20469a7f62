//! Metadata: what JSON can say, without JSON.

use std::collections::BTreeMap;
use std::fmt;

/// A value in metadata.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(Metadata),
}

/// Values by name.
pub type Metadata = BTreeMap<String, Value>;

impl Value {
    /// The value at a path of names joined by dots, in maps within maps.
    pub(crate) fn at<'a>(map: &'a Metadata, path: &str) -> Option<&'a Self> {
        // A name may hold a dot itself: the longest one that is there wins.
        if let Some(value) = map.get(path) {
            return Some(value);
        }
        path.match_indices('.').rev().find_map(|(dot, _)| match map.get(&path[..dot]) {
            Some(Self::Map(inner)) => Self::at(inner, &path[dot + 1..]),
            _ => None,
        })
    }

    /// The order of two values, if they have one: numbers with numbers, exactly; text with text.
    pub(crate) fn compare(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Float(b)) => compare(*a, *b),
            (Self::Float(a), Self::Int(b)) => compare(*b, *a).map(std::cmp::Ordering::reverse),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    /// Whether two values are the same; a whole number equals the other kind of the same value.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Int(_), Self::Float(_)) | (Self::Float(_), Self::Int(_)) => {
                self.compare(other) == Some(std::cmp::Ordering::Equal)
            }
            (a, b) => a == b,
        }
    }

    /// Bytes on the heap, roughly.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::List(list) => list.iter().map(|v| size_of::<Self>() + v.bytes()).sum(),
            Self::Map(map) => metadata_bytes(map),
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 0,
        }
    }
}

/// Bytes on the heap, roughly: what a map's nodes take beyond their entries is not known.
pub(crate) fn metadata_bytes(map: &Metadata) -> usize {
    let entry = size_of::<String>() + size_of::<Value>();
    map.iter().map(|(name, value)| entry + name.capacity() + value.bytes()).sum()
}

/// A whole number against a float, without rounding either.
fn compare(a: i64, b: f64) -> Option<std::cmp::Ordering> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    if b.is_nan() {
        return None;
    }
    // 2^63 is the first float above every i64.
    if b >= 9_223_372_036_854_775_808.0 {
        return Some(Less);
    }
    if b < -9_223_372_036_854_775_808.0 {
        return Some(Greater);
    }
    let whole = b.trunc();
    Some(a.cmp(&(whole as i64)).then(match b - whole {
        rest if rest > 0.0 => Less,
        rest if rest < 0.0 => Greater,
        _ => Equal,
    }))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(v) => write!(f, "{v}"),
            Self::Int(v) => write!(f, "{v}"),
            Self::Float(v) => write!(f, "{v}"),
            Self::Text(v) => write!(f, "{v:?}"),
            Self::List(v) => write!(f, "a list of {}", v.len()),
            Self::Map(v) => write!(f, "a map of {}", v.len()),
        }
    }
}

macro_rules! from {
    ($($t:ty => $name:ident($map:expr);)*) => {$(
        impl From<$t> for Value {
            fn from(value: $t) -> Self {
                Self::$name($map(value))
            }
        }
    )*};
}

from! {
    bool => Bool(|v| v);
    i64 => Int(|v| v);
    i32 => Int(i64::from);
    u32 => Int(i64::from);
    f64 => Float(|v| v);
    f32 => Float(f64::from);
    &str => Text(str::to_owned);
    String => Text(|v| v);
    Vec<Value> => List(|v| v);
    Metadata => Map(|v| v);
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn numbers_of_both_kinds_compare_exactly() {
        let big = (1i64 << 53) + 1;
        for (a, b, order) in [
            (Value::Int(3), Value::Float(3.5), Some(Less)),
            (Value::Float(-3.5), Value::Int(-3), Some(Less)),
            (Value::Int(big), Value::Float((1i64 << 53) as f64), Some(Greater)),
            (Value::Int(i64::MAX), Value::Float(9.3e18), Some(Less)),
            (Value::Int(i64::MIN), Value::Float(-9.3e18), Some(Greater)),
            (Value::Int(7), Value::Float(7.0), Some(Equal)),
            (Value::Int(7), Value::Float(f64::NAN), None),
            (Value::Text("a".into()), Value::Int(1), None),
        ] {
            assert_eq!(a.compare(&b), order, "{a} {b}");
            assert_eq!(b.compare(&a), order.map(std::cmp::Ordering::reverse), "{b} {a}");
        }
        assert!(Value::Int(7).equals(&7.0.into()) && !Value::Int(7).equals(&"7".into()));
    }

    #[test]
    fn paths_lead_through_maps_and_names_with_dots() {
        let inner = Metadata::from([("c".into(), 1.into()), ("d.e".into(), 2.into())]);
        let map = Metadata::from([("a".into(), inner.into()), ("a.b".into(), 3.into())]);
        for (path, found) in
            [("a.c", Some(1)), ("a.d.e", Some(2)), ("a.b", Some(3)), ("a.x", None), ("", None)]
        {
            assert_eq!(Value::at(&map, path), found.map(Value::from).as_ref(), "{path}");
        }
    }
}
