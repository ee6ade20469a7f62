//! The records: tables of a database that commits all or nothing. `FORMAT.md` has the tables.
//!
//! The database is young, so it is behind this file alone, its version is pinned, and every new one
//! has to pass the simulated disk.

use std::ops::Range;

use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table,
    TableDefinition, WriteTransaction,
};

use super::backend::Backend;
use super::batch::Batch;
use super::codec::{Cursor, decode_id, decode_metadata, decode_params, encode_slot, split_slot};
use super::error::{CorruptionFault as Fault, Doing, StoreError};
use super::segment::{SegmentSpec, blocks};
use super::vfs::File;
use super::{FORMAT, IDENTITY, Identity, MAX_SEGMENTS, MAX_SLOTS, RECORDS};
use crate::{Id, Metadata};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const IDS: TableDefinition<'_, &[u8], u32> = TableDefinition::new("ids");
const SLOTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("slots");
const DEAD: TableDefinition<'_, u32, ()> = TableDefinition::new("tombstones");
const SEGMENTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("segments");
const SUMS: TableDefinition<'_, (u32, u32), u32> = TableDefinition::new("sums");
const BLOBS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("blobs");

/// How many of what, as of one commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    /// Commits so far.
    pub(super) sequence: u64,
    /// Rows of every segment.
    pub(super) slots: u32,
    /// Rows that have an id.
    pub(super) live: u32,
}

/// Which file is the graph, and what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GraphPointer {
    pub(super) number: u32,
    pub(super) len: u64,
    /// The checksum of its header.
    pub(super) sum: u32,
    pub(super) sequence: u64,
    pub(super) slots: u32,
}

/// What is read when a store is opened.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) identity: Identity,
    pub(super) params: Vec<(String, String)>,
    pub(super) state: State,
    pub(super) segments: Vec<(u32, SegmentSpec)>,
    pub(super) graph: Option<GraphPointer>,
}

/// The open database.
#[derive(Debug)]
pub(super) struct Records {
    db: Database,
}

fn failed<E: Into<redb::Error>>(doing: Doing) -> impl Fn(E) -> StoreError {
    move |e| StoreError::records(doing, e)
}

fn broken(table: &'static str) -> StoreError {
    StoreError::corrupt(RECORDS, Fault::Record { table })
}

fn contradiction(tables: &'static str, slot: Option<u32>) -> StoreError {
    StoreError::corrupt(RECORDS, Fault::Contradiction { tables, slot })
}

impl Records {
    /// The database of a file that is empty or holds one; whatever it holds is checked.
    pub(super) fn open(file: Box<dyn File>, cache: usize) -> Result<Self, StoreError> {
        let mut builder = Database::builder();
        builder.set_cache_size(cache).set_check_integrity_on_open(true);
        let db = builder.create_with_backend(Backend(file)).map_err(failed(Doing::Open))?;
        Ok(Self { db })
    }

    pub(super) fn change(&self) -> Result<Change, StoreError> {
        let mut txn = self.db.begin_write().map_err(failed(Doing::Commit))?;
        txn.set_quick_repair(true);
        Ok(Change { txn })
    }

    pub(super) fn read(&self) -> Result<View, StoreError> {
        Ok(View { txn: self.db.begin_read().map_err(failed(Doing::Read))? })
    }
}

/// The records as of one commit.
pub(super) struct View {
    txn: ReadTransaction,
}

impl View {
    fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<redb::ReadOnlyTable<K, V>, StoreError> {
        self.txn.open_table(table).map_err(failed(Doing::Read))
    }

    pub(super) fn head(&self) -> Result<Head, StoreError> {
        let meta = self.table(META)?;
        let get = |name: &str| -> Result<Option<Vec<u8>>, StoreError> {
            let value = meta.get(name).map_err(failed(Doing::Read))?;
            Ok(value.map(|v| v.value().to_vec()))
        };
        let need = |name: &str| get(name)?.ok_or_else(|| broken("meta"));
        let format = need("format")?.try_into().map(u32::from_le_bytes);
        match format.map_err(|_| broken("meta"))? {
            FORMAT => {}
            found @ 1.. if found > FORMAT => {
                return Err(StoreError::Newer { file: RECORDS.to_owned(), found, known: FORMAT });
            }
            found => {
                let name = "format";
                return Err(StoreError::corrupt(
                    RECORDS,
                    Fault::Field { name, found: found.into() },
                ));
            }
        }
        let identity = need("identity")?.try_into().map_err(|_| broken("meta"))?;
        let params = decode_params(&need("params")?).ok_or_else(|| broken("meta"))?;
        let state = decode_state(&need("state")?).ok_or_else(|| broken("meta"))?;
        let graph = match get("graph")? {
            Some(bytes) => Some(decode_graph(&bytes).ok_or_else(|| broken("meta"))?),
            None => None,
        };
        let segments = self.segments()?;
        let count = |len: u64, of: u32| len == u64::from(of);
        let whole = count(self.len(IDS)?, state.live)
            && count(self.len(SLOTS)?, state.live)
            && count(self.len(DEAD)?, state.slots - state.live);
        if !whole {
            return Err(contradiction("meta, ids, slots, tombstones", None));
        }
        Ok(Head { identity, params, state, segments, graph })
    }

    fn len<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<u64, StoreError> {
        self.table(table)?.len().map_err(failed(Doing::Read))
    }

    fn segments(&self) -> Result<Vec<(u32, SegmentSpec)>, StoreError> {
        let mut segments = Vec::new();
        for (place, row) in (0u32..).zip(self.table(SEGMENTS)?.iter().map_err(failed(Doing::Read))?)
        {
            let (key, value) = row.map_err(failed(Doing::Read))?;
            let mut cursor = Cursor(value.value());
            let number = cursor.u32();
            let spec = cursor.array().and_then(SegmentSpec::decode);
            match (number, spec, cursor.end()) {
                (Some(number), Some(spec), Some(()))
                    if key.value() == place && segments.len() < MAX_SEGMENTS =>
                {
                    segments.push((number, spec));
                }
                _ => return Err(broken("segments")),
            }
        }
        if segments.is_empty() { Err(broken("segments")) } else { Ok(segments) }
    }

    /// The checksums of a segment that holds so many bytes.
    pub(super) fn sums(&self, number: u32, bytes: u64) -> Result<Vec<u32>, StoreError> {
        let table = self.table(SUMS)?;
        let mut sums = Vec::new();
        let range = table.range((number, 0)..=(number, u32::MAX)).map_err(failed(Doing::Read))?;
        for (block, row) in (0u32..).zip(range) {
            let (key, value) = row.map_err(failed(Doing::Read))?;
            if key.value().1 != block {
                return Err(broken("sums"));
            }
            sums.push(value.value());
        }
        if sums.len() as u64 == blocks(bytes) { Ok(sums) } else { Err(broken("sums")) }
    }

    pub(super) fn slot(&self, key: &[u8]) -> Result<Option<u32>, StoreError> {
        let found = self.table(IDS)?.get(key).map_err(failed(Doing::Read))?;
        Ok(found.map(|slot| slot.value()))
    }

    pub(super) fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.table(BLOBS)?.get(name).map_err(failed(Doing::Read))?;
        Ok(found.map(|bytes| bytes.value().to_vec()))
    }

    pub(super) fn blob_names(&self) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for row in self.table(BLOBS)?.iter().map_err(failed(Doing::Read))? {
            names.push(row.map_err(failed(Doing::Read))?.0.value().to_owned());
        }
        Ok(names)
    }

    /// The slots that have an id, with their values as they are.
    pub(super) fn for_each(
        &self,
        slots: Range<u32>,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let table = self.table(SLOTS)?;
        for row in table.range(slots).map_err(failed(Doing::Read))? {
            let (slot, value) = row.map_err(failed(Doing::Read))?;
            each(slot.value(), value.value())?;
        }
        Ok(())
    }

    pub(super) fn dead(&self) -> Result<Vec<u32>, StoreError> {
        let mut dead = Vec::new();
        for row in self.table(DEAD)?.iter().map_err(failed(Doing::Read))? {
            dead.push(row.map_err(failed(Doing::Read))?.0.value());
        }
        Ok(dead)
    }

    /// Whether ids and slots lead to each other, and no slot is both dead and alive, or neither.
    pub(super) fn check(
        &self,
        state: State,
        faults: &mut Vec<StoreError>,
    ) -> Result<(), StoreError> {
        let ids = self.table(IDS)?;
        let mut seen = vec![false; state.slots as usize];
        self.for_each(0..u32::MAX, |slot, value| {
            let Some(seen) = seen.get_mut(slot as usize) else {
                faults.push(contradiction("meta, slots", Some(slot)));
                return Ok(());
            };
            *seen = true;
            let Some(entry) = Entry::decode(slot, value) else {
                faults.push(broken("slots"));
                return Ok(());
            };
            let key = super::codec::encode_id(&entry.id)?;
            let back = ids.get(&key[..]).map_err(failed(Doing::Read))?;
            if back.map(|slot| slot.value()) != Some(slot) {
                faults.push(contradiction("ids, slots", Some(slot)));
            }
            Ok(())
        })?;
        for slot in self.dead()? {
            match seen.get_mut(slot as usize) {
                Some(seen) if !*seen => *seen = true,
                _ => faults.push(contradiction("slots, tombstones", Some(slot))),
            }
        }
        if let Some(slot) = seen.iter().position(|seen| !seen) {
            faults.push(contradiction("slots, tombstones", Some(slot as u32)));
        }
        Ok(())
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}

/// What is known of a slot that has an id.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The row's number in every segment.
    pub slot: u32,
    /// Its id.
    pub id: Id,
    /// Its metadata.
    pub metadata: Option<Metadata>,
}

impl Entry {
    fn decode(slot: u32, value: &[u8]) -> Option<Self> {
        let (key, metadata) = split_slot(value)?;
        let metadata = match metadata {
            Some(bytes) => Some(decode_metadata(bytes)?),
            None => None,
        };
        Some(Self { slot, id: decode_id(key)?, metadata })
    }
}

/// The records as of one commit, whatever is committed later. Each thread that reads at startup has
/// one of its own, or shares it: it is one transaction.
#[derive(Debug)]
pub struct Reader {
    pub(super) view: View,
    pub(super) state: State,
}

impl Reader {
    /// How many slots there are, those of deleted ids included.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.state.slots
    }

    /// How many of them have an id.
    #[must_use]
    pub fn live(&self) -> u32 {
        self.state.live
    }

    /// The commit that is seen.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// What is known of the slots of a range that have an id, in their order.
    ///
    /// # Errors
    /// A record that is none, or whatever reading gives.
    pub fn entries(
        &self,
        slots: Range<u32>,
        mut each: impl FnMut(Entry),
    ) -> Result<(), StoreError> {
        self.view.for_each(slots, |slot, value| {
            if slot >= self.state.slots {
                return Err(contradiction("meta, slots", Some(slot)));
            }
            each(Entry::decode(slot, value).ok_or_else(|| broken("slots"))?);
            Ok(())
        })
    }

    /// The slot of an id.
    ///
    /// # Errors
    /// An id that is none, or whatever reading gives.
    pub fn slot(&self, id: &Id) -> Result<Option<u32>, StoreError> {
        self.view.slot(&super::codec::encode_id(id)?)
    }

    /// What is known of a slot, if it has an id.
    ///
    /// # Errors
    /// A record that is none, or whatever reading gives.
    pub fn entry(&self, slot: u32) -> Result<Option<Entry>, StoreError> {
        let mut found = None;
        self.entries(slot..slot.saturating_add(1), |entry| found = Some(entry))?;
        Ok(found)
    }

    /// The slots whose ids were deleted or replaced, in their order.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn tombstones(&self) -> Result<Vec<u32>, StoreError> {
        self.view.dead()
    }

    /// Bytes that were stored under a name.
    ///
    /// # Errors
    /// Whatever reading gives.
    pub fn blob(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.view.blob(name)
    }
}

/// A transaction that changes records; nothing of it is there unless it is committed.
pub(super) struct Change {
    txn: WriteTransaction,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").finish_non_exhaustive()
    }
}

/// The tables of a batch.
pub(super) struct Tables<'t> {
    ids: Table<'t, &'static [u8], u32>,
    slots: Table<'t, u32, &'static [u8]>,
    dead: Table<'t, u32, ()>,
}

impl Change {
    fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<Table<'_, K, V>, StoreError> {
        self.txn.open_table(table).map_err(failed(Doing::Commit))
    }

    /// The first records of a store.
    pub(super) fn init(&self, identity: &Identity, params: &[u8]) -> Result<(), StoreError> {
        for (name, value) in
            [("format", &FORMAT.to_le_bytes()[..]), ("identity", identity), ("params", params)]
        {
            self.meta(name, value)?;
        }
        self.set_state(State::default())?;
        self.table(SUMS)?;
        self.table(BLOBS)?;
        self.tables().map(|_| ())
    }

    pub(super) fn meta(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.table(META)?.insert(name, value).map(|_| ()).map_err(failed(Doing::Commit))
    }

    pub(super) fn set_state(&self, state: State) -> Result<(), StoreError> {
        let mut value = state.sequence.to_le_bytes().to_vec();
        value.extend(state.slots.to_le_bytes());
        value.extend(state.live.to_le_bytes());
        self.meta("state", &value)
    }

    pub(super) fn set_graph(&self, graph: Option<GraphPointer>) -> Result<(), StoreError> {
        let Some(graph) = graph else {
            return self.table(META)?.remove("graph").map(|_| ()).map_err(failed(Doing::Commit));
        };
        let mut value = graph.number.to_le_bytes().to_vec();
        value.extend(graph.len.to_le_bytes());
        value.extend(graph.sum.to_le_bytes());
        value.extend(graph.sequence.to_le_bytes());
        value.extend(graph.slots.to_le_bytes());
        self.meta("graph", &value)
    }

    /// Which segments there are, in the place of what there was.
    pub(super) fn set_segments(&self, segments: &[(u32, SegmentSpec)]) -> Result<(), StoreError> {
        let mut table = self.table(SEGMENTS)?;
        table.retain(|_, _| false).map_err(failed(Doing::Commit))?;
        for (place, (number, spec)) in (0u32..).zip(segments) {
            let value = [&number.to_le_bytes()[..], &spec.encode()].concat();
            table.insert(place, &value[..]).map_err(failed(Doing::Commit))?;
        }
        Ok(())
    }

    pub(super) fn set_sums(&self, number: u32, sums: &[(u32, u32)]) -> Result<(), StoreError> {
        let mut table = self.table(SUMS)?;
        for &(block, sum) in sums {
            table.insert((number, block), sum).map_err(failed(Doing::Commit))?;
        }
        Ok(())
    }

    pub(super) fn drop_sums(&self, number: u32) -> Result<(), StoreError> {
        let range = (number, 0)..=(number, u32::MAX);
        self.table(SUMS)?.retain_in(range, |_, _| false).map_err(failed(Doing::Commit))
    }

    pub(super) fn set_blob(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.table(BLOBS)?.insert(name, bytes).map(|_| ()).map_err(failed(Doing::Commit))
    }

    pub(super) fn tables(&self) -> Result<Tables<'_>, StoreError> {
        Ok(Tables { ids: self.table(IDS)?, slots: self.table(SLOTS)?, dead: self.table(DEAD)? })
    }

    /// Empties the tables of ids and slots.
    pub(super) fn clear(&self) -> Result<Tables<'_>, StoreError> {
        let mut tables = self.tables()?;
        tables.ids.retain(|_, _| false).map_err(failed(Doing::Commit))?;
        tables.slots.retain(|_, _| false).map_err(failed(Doing::Commit))?;
        tables.dead.retain(|_, _| false).map_err(failed(Doing::Commit))?;
        Ok(tables)
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.txn.commit().map_err(failed(Doing::Commit))
    }
}

impl Tables<'_> {
    /// Looks at a batch before anything of it is done.
    pub(super) fn check(&self, batch: &Batch, state: State) -> Result<(), StoreError> {
        let rows = u64::from(state.slots) + batch.puts.len() as u64;
        if rows > u64::from(MAX_SLOTS) {
            return Err(StoreError::Full { rows });
        }
        for put in batch.puts.iter().filter(|put| !put.replace) {
            if self.ids.get(&put.key[..]).map_err(failed(Doing::Commit))?.is_some() {
                return match decode_id(&put.key) {
                    Some(id) => Err(StoreError::IdExists { id }),
                    None => Err(broken("ids")),
                };
            }
        }
        Ok(())
    }

    /// Does a batch that was checked; the slots that it took ids from are appended to `buried`.
    pub(super) fn apply(
        &mut self,
        batch: &Batch,
        state: &mut State,
        buried: &mut Vec<u32>,
    ) -> Result<(), StoreError> {
        for key in &batch.deletes {
            let old = self.ids.remove(&key[..]).map_err(failed(Doing::Commit))?;
            if let Some(slot) = old.map(|slot| slot.value()) {
                self.bury(slot, state)?;
                buried.push(slot);
            }
        }
        for put in &batch.puts {
            let value = encode_slot(&put.key, put.metadata.as_deref());
            if let Some(old) = self.put(&put.key, state.slots, &value)? {
                self.bury(old, state)?;
                buried.push(old);
            }
            state.slots += 1;
            state.live += 1;
        }
        Ok(())
    }

    /// Gives a slot an id; the slot that had it.
    pub(super) fn put(
        &mut self,
        key: &[u8],
        slot: u32,
        value: &[u8],
    ) -> Result<Option<u32>, StoreError> {
        self.slots.insert(slot, value).map_err(failed(Doing::Commit))?;
        let old = self.ids.insert(key, slot).map_err(failed(Doing::Commit))?;
        Ok(old.map(|slot| slot.value()))
    }

    /// A slot's value as another store has it.
    pub(super) fn copy(&mut self, slot: u32, value: &[u8]) -> Result<(), StoreError> {
        let (key, _) = split_slot(value).ok_or_else(|| broken("slots"))?;
        match self.put(key, slot, value)? {
            None => Ok(()),
            Some(_) => Err(contradiction("ids, slots", Some(slot))),
        }
    }

    pub(super) fn set_dead(&mut self, slot: u32) -> Result<(), StoreError> {
        self.dead.insert(slot, ()).map(|_| ()).map_err(failed(Doing::Commit))
    }

    fn bury(&mut self, slot: u32, state: &mut State) -> Result<(), StoreError> {
        self.slots.remove(slot).map_err(failed(Doing::Commit))?;
        self.dead.insert(slot, ()).map_err(failed(Doing::Commit))?;
        state.live = state.live.checked_sub(1).ok_or_else(|| broken("meta"))?;
        Ok(())
    }
}

fn decode_state(bytes: &[u8]) -> Option<State> {
    let mut cursor = Cursor(bytes);
    let state = State { sequence: cursor.u64()?, slots: cursor.u32()?, live: cursor.u32()? };
    cursor.end()?;
    (state.live <= state.slots && state.slots <= MAX_SLOTS).then_some(state)
}

fn decode_graph(bytes: &[u8]) -> Option<GraphPointer> {
    let mut cursor = Cursor(bytes);
    let graph = GraphPointer {
        number: cursor.u32()?,
        len: cursor.u64()?,
        sum: cursor.u32()?,
        sequence: cursor.u64()?,
        slots: cursor.u32()?,
    };
    cursor.end().map(|()| graph)
}

const _: () = assert!(IDENTITY == 16);
