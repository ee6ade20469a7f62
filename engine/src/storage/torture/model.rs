//! What a store ought to hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Random;
use crate::storage::vfs::Vfs;
use crate::storage::{SegmentSpec, Store, StoreError, StoreOptions};
use crate::{Id, Metadata, Value};

/// Elements of a row.
pub(super) const DIM: usize = 20;

/// A step of a script: one commit, all or none.
#[derive(Clone, Debug)]
pub enum Step {
    /// Rows in, ids out.
    Batch {
        /// Ids and what their rows are made from; whatever has an id loses it.
        upserts: Vec<(Id, u64)>,
        /// Ids that go.
        deletes: Vec<Id>,
    },
    /// Rows in, in several batches that last together.
    Bulk(Vec<Vec<(Id, u64)>>),
    /// Slots without ids go.
    Compact,
    /// A blob.
    Blob(u64),
    /// A graph of all rows.
    Graph,
}

/// What a store ought to hold after some steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    rows: BTreeMap<Id, u64>,
    blob: Option<u64>,
}

/// Steps from a seed.
#[must_use]
pub fn script(seed: u64, steps: usize) -> Vec<Step> {
    let mut random = Random(seed);
    let id = |random: &mut Random| match random.below(3) {
        0 => Id::from(format!("row {}", random.below(40))),
        _ => Id::from(random.below(40)),
    };
    let rows = |random: &mut Random| {
        let count = 1 + random.below(8);
        let rows: BTreeMap<Id, u64> = (0..count).map(|_| (id(random), random.next())).collect();
        rows.into_iter().collect::<Vec<_>>()
    };
    (0..steps)
        .map(|_| match random.below(16) {
            0 => Step::Compact,
            1 => Step::Blob(random.next()),
            2 if cfg!(feature = "hnsw") => Step::Graph,
            3 | 4 => Step::Bulk((0..2 + random.below(3)).map(|_| rows(&mut random)).collect()),
            _ => {
                let upserts = rows(&mut random);
                let mut deletes: Vec<Id> = (0..random.below(4)).map(|_| id(&mut random)).collect();
                deletes.sort();
                deletes.dedup();
                deletes.retain(|id| upserts.iter().all(|(used, _)| used != id));
                Step::Batch { upserts, deletes }
            }
        })
        .collect()
}

/// The options of stores that scripts run on.
pub(super) fn options() -> StoreOptions {
    StoreOptions::new(vec![SegmentSpec::vectors(DIM)])
        .param("metric", "l2")
        .identity(*b"annvil's torture")
        .cache_bytes(1 << 20)
}

pub(super) fn vector(from: u64) -> [f32; DIM] {
    let mut random = Random(from);
    std::array::from_fn(|_| random.below(1 << 20) as f32)
}

/// Some rows have metadata, some do not.
pub(super) fn metadata(from: u64) -> Option<Metadata> {
    let value = Value::Int(from as i64);
    (!from.is_multiple_of(3)).then(|| Metadata::from([("from".to_owned(), value)]))
}

impl Model {
    /// The same after one more step.
    #[must_use]
    pub fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        match step {
            Step::Batch { upserts, deletes } => {
                next.rows.retain(|id, _| !deletes.contains(id));
                next.rows.extend(upserts.iter().cloned());
            }
            Step::Bulk(batches) => next.rows.extend(batches.iter().flatten().cloned()),
            Step::Blob(blob) => next.blob = Some(*blob),
            Step::Compact | Step::Graph => {}
        }
        next
    }

    /// Whether a store holds this and nothing else; what differs, if not.
    ///
    /// # Errors
    /// What reading the store gives.
    pub fn compare(&self, store: &Store) -> Result<Option<String>, StoreError> {
        let reader = store.reader()?;
        let view = store.view(0)?;
        let Some(rows) = view.rows::<f32>() else { return Ok(Some("no rows".to_owned())) };
        let mut found = BTreeMap::new();
        let mut entries = Vec::new();
        reader.entries(0..u32::MAX, |entry| entries.push(entry))?;
        for entry in entries {
            if reader.slot(&entry.id)? != Some(entry.slot) {
                return Ok(Some(format!("{} does not lead to slot {}", entry.id, entry.slot)));
            }
            let Some(from) = self.rows.get(&entry.id) else {
                return Ok(Some(format!("{} is there and ought not to be", entry.id)));
            };
            if rows.row(entry.slot as usize) != vector(*from) {
                return Ok(Some(format!("{} has another vector", entry.id)));
            }
            if entry.metadata != metadata(*from) {
                return Ok(Some(format!("{} has other metadata", entry.id)));
            }
            found.insert(entry.id, *from);
        }
        let blob = store.blob("blob")?;
        Ok(if found.len() != self.rows.len() {
            Some(format!("{} rows instead of {}", found.len(), self.rows.len()))
        } else if blob != self.blob.map(|blob| blob.to_le_bytes().to_vec()) {
            Some("another blob".to_owned())
        } else {
            None
        })
    }
}

/// Does a step.
pub(super) fn run(store: &Store, step: &Step) -> Result<(), StoreError> {
    let batch = |rows: &[(Id, u64)]| {
        let mut batch = store.batch();
        for (id, from) in rows {
            batch.upsert_vector(id, metadata(*from).as_ref(), &vector(*from))?;
        }
        Ok::<_, StoreError>(batch)
    };
    match step {
        Step::Batch { upserts, deletes } => {
            let mut batch = batch(upserts)?;
            deletes.iter().try_for_each(|id| batch.delete(id))?;
            store.commit(batch).map(|_| ())
        }
        Step::Bulk(batches) => {
            let mut bulk = store.bulk()?;
            for rows in batches {
                bulk.push(&batch(rows)?)?;
            }
            bulk.finish().map(|_| ())
        }
        Step::Compact => store.compact().map(|_| ()),
        Step::Blob(blob) => store.set_blob("blob", &blob.to_le_bytes()),
        Step::Graph => publish(store),
    }
}

/// A chain through all slots: a graph, if no good one.
#[cfg(feature = "hnsw")]
fn publish(store: &Store) -> Result<(), StoreError> {
    let info = store.info();
    store.publish_graph(info.sequence, &chain(info.slots))
}

#[cfg(feature = "hnsw")]
pub(in crate::storage) fn chain(slots: u32) -> crate::GraphParts {
    let options = crate::HnswOptions { m: 2, ..crate::HnswOptions::default() };
    let mut base = Vec::new();
    for slot in 0..slots {
        let links = [slot.checked_sub(1), (slot + 1 < slots).then_some(slot + 1)];
        let links: Vec<u32> = links.into_iter().flatten().collect();
        base.extend((0..4).map(|at| links.get(at).copied().unwrap_or(u32::MAX)));
    }
    let layers = vec![0; slots as usize];
    crate::GraphParts { options, entry_point: 0, layers, base, upper: Vec::new() }
}

#[cfg(not(feature = "hnsw"))]
fn publish(_: &Store) -> Result<(), StoreError> {
    Ok(())
}

/// What is to be true of every store that was opened: its own checks find nothing, and a graph, if
/// there is one, is whole.
pub(super) fn sound(store: &Store) -> Result<Option<String>, StoreError> {
    let report = store.verify()?;
    if let Some(fault) = report.faults.first() {
        return Ok(Some(format!("verify: {fault}")));
    }
    #[cfg(feature = "hnsw")]
    if let Some(stored) = store.graph()?
        && stored.parts != chain(stored.parts.layers.len() as u32)
    {
        return Ok(Some("another graph".to_owned()));
    }
    Ok(None)
}

/// A store that a script was run on, on any disk, and what it ought to hold.
pub(super) fn filled(
    vfs: Arc<dyn Vfs>,
    options: &StoreOptions,
    steps: &[Step],
) -> Result<(Store, Model), StoreError> {
    let store = Store::create(vfs, options)?;
    let mut model = Model::default();
    for step in steps {
        run(&store, step)?;
        model = model.after(step);
    }
    Ok((store, model))
}
