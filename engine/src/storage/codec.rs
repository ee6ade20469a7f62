//! Values in the records: ids, metadata, parameters. What is read is not trusted: every length is
//! compared with the bytes that are left before anything is allocated, and nothing may be left over.
//!
//! Numbers are little endian; an id's number is big endian, so that ids sort as they should.

use super::error::{BadMetadata, StoreError};
use crate::{Id, Metadata, Value};

/// Lists and maps within each other.
pub(super) const MAX_DEPTH: usize = 64;
/// Bytes of a row's metadata, as encoded.
pub(super) const MAX_METADATA: usize = 16 << 20;
/// Bytes of a text as id.
const MAX_TEXT: usize = 65_535;
/// Parameters of a store.
const MAX_PARAMS: usize = 256;
/// Bytes of a parameter's name or value.
const MAX_PARAM: usize = 4096;

/// Bytes that are taken from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, left) = self.0.split_at_checked(len)?;
        self.0 = left;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length before as many bytes.
    pub(super) fn counted(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.counted()?).ok()
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

pub(super) fn put_counted(to: &mut Vec<u8>, bytes: &[u8]) {
    // Whoever calls has compared the length with a limit.
    to.extend((bytes.len() as u32).to_le_bytes());
    to.extend(bytes);
}

/// An id as a key.
pub(super) fn encode_id(id: &Id) -> Result<Vec<u8>, StoreError> {
    match id {
        Id::Number(n) => Ok([&[0], &n.to_be_bytes()[..]].concat()),
        Id::Text(text) if (1..=MAX_TEXT).contains(&text.len()) => {
            Ok([&[1], text.as_bytes()].concat())
        }
        Id::Text(text) => Err(StoreError::BadId { bytes: text.len() }),
    }
}

pub(super) fn decode_id(key: &[u8]) -> Option<Id> {
    match key.split_first()? {
        (0, number) => Some(Id::Number(u64::from_be_bytes(number.try_into().ok()?))),
        (1, text) if (1..=MAX_TEXT).contains(&text.len()) => {
            Some(Id::Text(std::str::from_utf8(text).ok()?.into()))
        }
        _ => None,
    }
}

/// What is known of a slot: its id's key, and its metadata.
pub(super) fn encode_slot(key: &[u8], metadata: Option<&[u8]>) -> Vec<u8> {
    let mut value = Vec::with_capacity(5 + key.len() + metadata.map_or(0, <[u8]>::len));
    put_counted(&mut value, key);
    value.push(u8::from(metadata.is_some()));
    value.extend(metadata.unwrap_or_default());
    value
}

/// The key and the encoded metadata of a slot.
pub(super) fn split_slot(value: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    let mut cursor = Cursor(value);
    let key = cursor.counted()?;
    match cursor.u8()? {
        0 => cursor.end().map(|()| (key, None)),
        1 => Some((key, Some(cursor.0))),
        _ => None,
    }
}

pub(super) fn encode_metadata(metadata: &Metadata) -> Result<Vec<u8>, StoreError> {
    let mut to = Vec::new();
    put_map(&mut to, metadata, 1).map_err(StoreError::BadMetadata)?;
    if to.len() > MAX_METADATA {
        return Err(StoreError::BadMetadata(BadMetadata::Bytes { found: to.len() }));
    }
    Ok(to)
}

pub(super) fn decode_metadata(bytes: &[u8]) -> Option<Metadata> {
    let mut cursor = Cursor(bytes);
    let map = get_map(&mut cursor, 1)?;
    cursor.end().map(|()| map)
}

fn put_text(to: &mut Vec<u8>, text: &str) -> Result<(), BadMetadata> {
    if text.len() > MAX_METADATA {
        return Err(BadMetadata::Bytes { found: text.len() });
    }
    put_counted(to, text.as_bytes());
    Ok(())
}

fn put_map(to: &mut Vec<u8>, map: &Metadata, depth: usize) -> Result<(), BadMetadata> {
    if depth > MAX_DEPTH {
        return Err(BadMetadata::Depth);
    }
    to.extend((map.len() as u32).to_le_bytes());
    for (name, value) in map {
        put_text(to, name)?;
        put_value(to, value, depth)?;
    }
    Ok(())
}

fn put_value(to: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), BadMetadata> {
    match value {
        Value::Null => to.push(0),
        Value::Bool(v) => to.extend([1, u8::from(*v)]),
        Value::Int(v) => {
            to.push(2);
            to.extend(v.to_le_bytes());
        }
        Value::Float(v) => {
            to.push(3);
            to.extend(v.to_bits().to_le_bytes());
        }
        Value::Text(v) => {
            to.push(4);
            put_text(to, v)?;
        }
        Value::List(v) => {
            if depth >= MAX_DEPTH {
                return Err(BadMetadata::Depth);
            }
            to.push(5);
            to.extend((v.len() as u32).to_le_bytes());
            v.iter().try_for_each(|v| put_value(to, v, depth + 1))?;
        }
        Value::Map(v) => {
            to.push(6);
            put_map(to, v, depth + 1)?;
        }
    }
    // Stops before a list of too many is copied.
    if to.len() > MAX_METADATA {
        return Err(BadMetadata::Bytes { found: to.len() });
    }
    Ok(())
}

fn get_map(cursor: &mut Cursor<'_>, depth: usize) -> Option<Metadata> {
    let count = cursor.u32()?;
    // An entry has five bytes at least.
    if depth > MAX_DEPTH || count as usize > cursor.0.len() / 5 {
        return None;
    }
    let mut map = Metadata::new();
    for _ in 0..count {
        let name = cursor.text()?.to_owned();
        // One way to write a map: its names ascend.
        if map.last_key_value().is_some_and(|(last, _)| *last >= name) {
            return None;
        }
        let value = get_value(cursor, depth)?;
        map.insert(name, value);
    }
    Some(map)
}

fn get_value(cursor: &mut Cursor<'_>, depth: usize) -> Option<Value> {
    Some(match cursor.u8()? {
        0 => Value::Null,
        1 => Value::Bool(match cursor.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        }),
        2 => Value::Int(cursor.array().map(i64::from_le_bytes)?),
        3 => Value::Float(f64::from_bits(cursor.u64()?)),
        4 => Value::Text(cursor.text()?.to_owned()),
        5 => {
            let count = cursor.u32()? as usize;
            if depth >= MAX_DEPTH || count > cursor.0.len() {
                return None;
            }
            // A value of one byte takes many here: room comes as values do.
            let mut list = Vec::new();
            for _ in 0..count {
                list.push(get_value(cursor, depth + 1)?);
            }
            Value::List(list)
        }
        6 => Value::Map(get_map(cursor, depth + 1)?),
        _ => return None,
    })
}

/// Parameters of a store: names and values, in the order of the names.
pub(super) fn encode_params(params: &[(String, String)]) -> Option<Vec<u8>> {
    let sorted = params.windows(2).all(|pair| pair[0].0 < pair[1].0);
    let short = params.iter().all(|(n, v)| !n.is_empty() && n.len().max(v.len()) <= MAX_PARAM);
    if params.len() > MAX_PARAMS || !sorted || !short {
        return None;
    }
    let mut to = (params.len() as u32).to_le_bytes().to_vec();
    for (name, value) in params {
        put_counted(&mut to, name.as_bytes());
        put_counted(&mut to, value.as_bytes());
    }
    Some(to)
}

pub(super) fn decode_params(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut cursor = Cursor(bytes);
    let count = cursor.u32()? as usize;
    if count > MAX_PARAMS {
        return None;
    }
    let mut params: Vec<(String, String)> = Vec::new();
    for _ in 0..count {
        let (name, value) = (cursor.text()?.to_owned(), cursor.text()?.to_owned());
        if params.last().is_some_and(|(last, _)| *last >= name) {
            return None;
        }
        params.push((name, value));
    }
    cursor.end().map(|()| params)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>()
                .prop_filter("one that equals itself", |v| !v.is_nan())
                .prop_map(Value::Float),
            any::<String>().prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(Value::Map),
            ]
        })
    }

    proptest! {
        #[test]
        fn metadata_comes_back(map in prop::collection::btree_map(any::<String>(), value(), 0..5)) {
            let bytes = encode_metadata(&map).unwrap();
            prop_assert_eq!(decode_metadata(&bytes), Some(map));
            // Nothing but the whole is metadata.
            for len in 0..bytes.len() {
                prop_assert_eq!(decode_metadata(&bytes[..len]), None);
            }
        }

        #[test]
        fn bytes_of_no_meaning_are_refused_or_written_back(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(map) = decode_metadata(&bytes) {
                prop_assert_eq!(encode_metadata(&map).unwrap(), bytes.clone());
            }
            if let Some(id) = decode_id(&bytes) {
                prop_assert_eq!(encode_id(&id).unwrap(), bytes.clone());
            }
            if let Some(params) = decode_params(&bytes) {
                // A name must not be empty when written; what is read may have been by others.
                if let Some(again) = encode_params(&params) {
                    prop_assert_eq!(again, bytes.clone());
                }
            }
            if let Some((key, metadata)) = split_slot(&bytes) {
                prop_assert_eq!(encode_slot(key, metadata), bytes);
            }
        }
    }

    #[test]
    fn numbers_as_ids_sort_as_numbers() {
        let keys: Vec<_> = [0u64, 1, 255, 256, u64::MAX]
            .iter()
            .map(|&n| encode_id(&Id::from(n)).unwrap())
            .collect();
        assert!(keys.is_sorted());
        assert_eq!(decode_id(&keys[3]), Some(Id::from(256)));
        assert!(encode_id(&Id::from("")).is_err());
        assert!(encode_id(&Id::from("x".repeat(65_536))).is_err());
    }

    #[test]
    fn depth_has_an_end_both_ways() {
        let nest = |depth: usize| {
            let inner = (0..depth).fold(Value::Null, |v, _| Value::List(vec![v]));
            Metadata::from([("a".to_owned(), inner)])
        };
        assert!(encode_metadata(&nest(MAX_DEPTH - 1)).is_ok());
        assert!(matches!(
            encode_metadata(&nest(MAX_DEPTH)),
            Err(StoreError::BadMetadata(BadMetadata::Depth))
        ));
        let mut bytes = vec![1, 0, 0, 0, 1, 0, 0, 0, b'a'];
        for _ in 0..100_000 {
            bytes.extend([5, 1, 0, 0, 0]);
        }
        bytes.push(0);
        assert_eq!(decode_metadata(&bytes), None);
    }
}
