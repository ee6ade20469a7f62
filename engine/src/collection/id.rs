//! What rows are called by those who put them in.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// A row's name: a number or text, never both the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Id {
    /// A number.
    Number(u64),
    /// Text of 1 to 65,535 bytes.
    Text(Box<str>),
}

/// Bytes of a text at most.
pub(super) const MAX_TEXT: usize = 65_535;

impl Id {
    /// Whether it may name a row.
    pub(super) fn is_valid(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Text(text) => (1..=MAX_TEXT).contains(&text.len()),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Number(_) => 0,
            Self::Text(text) => text.len(),
        }
    }
}

impl From<u64> for Id {
    fn from(id: u64) -> Self {
        Self::Number(id)
    }
}

impl From<&str> for Id {
    fn from(id: &str) -> Self {
        Self::Text(id.into())
    }
}

impl From<String> for Id {
    fn from(id: String) -> Self {
        Self::Text(id.into_boxed_str())
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(id) => write!(f, "{id}"),
            // Quoted, and no longer than a line: it may be anything.
            Self::Text(text) if text.len() <= 60 => write!(f, "{text:?}"),
            Self::Text(text) => {
                let start: String = text.chars().take(40).collect();
                write!(f, "{start:?}.. ({} bytes)", text.len())
            }
        }
    }
}

/// The id of each slot, and the slot of each id; an id is held once.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    /// By slot; also of rows that were deleted.
    of: Vec<Id>,
    slots: HashTable<u32>,
    hasher: RandomState,
}

impl Ids {
    pub(super) fn slot(&self, id: &Id) -> Option<u32> {
        self.slots.find(self.hasher.hash_one(id), |&slot| self.of[slot as usize] == *id).copied()
    }

    pub(super) fn id(&self, slot: u32) -> &Id {
        &self.of[slot as usize]
    }

    pub(super) fn reserve(&mut self, more: usize) -> bool {
        let Self { of, slots, hasher } = self;
        of.try_reserve_exact(more).is_ok()
            && slots.try_reserve(more, |&slot| hasher.hash_one(&of[slot as usize])).is_ok()
    }

    /// Names the next slot; the id is not in use.
    pub(super) fn push(&mut self, id: Id) {
        let (slot, hash) = (self.of.len() as u32, self.hasher.hash_one(&id));
        self.of.push(id);
        let Self { of, slots, hasher } = self;
        slots.insert_unique(hash, slot, |&slot| hasher.hash_one(&of[slot as usize]));
    }

    /// The next slot is nobody's.
    #[cfg(feature = "storage")]
    pub(super) fn push_freed(&mut self) {
        self.of.push(Id::Number(0));
    }

    /// Frees an id; its slot keeps the name for nobody.
    pub(super) fn remove(&mut self, id: &Id) -> Option<u32> {
        let Self { of, slots, hasher } = self;
        let entry = slots.find_entry(hasher.hash_one(id), |&slot| of[slot as usize] == *id);
        entry.ok().map(|entry| entry.remove().0)
    }

    pub(super) fn bytes(&self) -> usize {
        let text: usize = self.of.iter().map(Id::bytes).sum();
        self.of.capacity() * size_of::<Id>() + self.slots.allocation_size() + text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lead_to_slots_and_back_until_they_are_freed() {
        let mut ids = Ids::default();
        assert!(ids.reserve(3));
        ids.push(Id::from(7));
        ids.push(Id::from("7"));
        assert_eq!(
            (ids.slot(&7.into()), ids.slot(&"7".into()), ids.slot(&8.into())),
            (Some(0), Some(1), None)
        );
        assert_eq!((ids.remove(&7.into()), ids.remove(&7.into())), (Some(0), None));
        ids.push(Id::from(7));
        assert_eq!(
            (ids.slot(&7.into()), ids.id(0), ids.id(2)),
            (Some(2), &Id::from(7), &Id::from(7))
        );
    }

    #[test]
    fn a_long_or_odd_id_is_shown_on_one_line() {
        let long = Id::from("x\n".repeat(500)).to_string();
        assert!(long.len() < 200 && !long.contains('\n') && long.contains("1000 bytes"));
    }
}
