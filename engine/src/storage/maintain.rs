//! Looking at a whole store, copying it, and making its files anew.

use std::sync::Arc;

use super::codec::encode_params;
use super::error::{BadOption, StoreError};
use super::open::{list, publish_records, sweep, take_lock, write_records};
use super::options::check_segments;
use super::records::{State, View};
use super::segment::{RowsView, Segment, SegmentSpec, Sums, blocks};
use super::store::{Store, Writer, check_blob};
use super::vfs::Vfs;
use super::{MAX_SLOTS, RECORDS, segment_name};

/// What [`Store::verify`] saw.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The commit that was looked at.
    pub sequence: u64,
    /// Slots.
    pub slots: u32,
    /// Slots that have an id.
    pub live: u32,
    /// Blocks of rows whose checksums were compared.
    pub blocks: u64,
    /// What is wrong; nothing, if the store is sound.
    pub faults: Vec<StoreError>,
}

/// How the files of a store are to be made anew.
pub struct Rewrite<'a> {
    /// Whether slots without an id go; the others get new numbers, in the same order.
    pub compact: bool,
    /// The segments from then on.
    pub segments: Vec<RewriteSegment<'a>>,
    /// Parameters that change.
    pub params: Vec<(String, String)>,
    /// Blobs that change.
    pub blobs: Vec<(&'a str, &'a [u8])>,
}

/// A segment from then on.
pub enum RewriteSegment<'a> {
    /// The one of this place.
    Keep(usize),
    /// A new one.
    Make {
        /// What its rows are.
        spec: SegmentSpec,
        /// Writes the row of a slot, as it is numbered now; the bytes, pad included, are zero before.
        fill: &'a mut dyn FnMut(u32, &mut [u8]),
    },
}

impl std::fmt::Debug for RewriteSegment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Keep(place) => f.debug_tuple("Keep").field(place).finish(),
            Self::Make { spec, .. } => f.debug_tuple("Make").field(spec).finish(),
        }
    }
}

impl std::fmt::Debug for Rewrite<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut f = f.debug_struct("Rewrite");
        f.field("compact", &self.compact).field("segments", &self.segments).finish_non_exhaustive()
    }
}

/// Names and values.
type Params = Vec<(String, String)>;

/// Bytes that are written at a time.
const CHUNK: usize = 1 << 20;

/// The records and segments of one commit.
struct Pinned {
    view: View,
    state: State,
    segments: Vec<Arc<Segment>>,
}

/// Segments from then on.
struct Made {
    segments: Vec<(Arc<Segment>, Sums)>,
    /// Of the new ones, by number: the checksums of their blocks.
    sums: Vec<(u32, Vec<(u32, u32)>)>,
}

impl Store {
    /// Records and segments that belong together, whatever is committed later.
    fn pin(&self) -> Result<Pinned, StoreError> {
        // Nobody commits in between; a writer that was poisoned holds nobody up.
        let _writer = self.writer.lock();
        let shared = self.shared();
        let (state, segments) = (shared.state, shared.segments.clone());
        let view = self.records.read()?;
        Ok(Pinned { view, state, segments })
    }

    /// Reads every file anew and compares all checksums, and whether records contradict each other.
    /// Others go on meanwhile.
    ///
    /// # Errors
    /// What reading gives; what is found to be wrong is in the report.
    pub fn verify(&self) -> Result<VerifyReport, StoreError> {
        let Pinned { view, state, segments } = self.pin()?;
        let mut faults = Vec::new();
        faults.extend(view.head().err());
        view.check(state, &mut faults)?;
        let mut compared = 0;
        for segment in &segments {
            let rows = u64::from(state.slots);
            let bytes = rows * segment.spec.stride as u64;
            match view.sums(segment.number, bytes) {
                Ok(sums) => segment.check_file(rows, &sums, &self.identity, &mut faults)?,
                Err(e) => faults.push(e),
            }
            compared += blocks(bytes);
        }
        #[cfg(feature = "hnsw")]
        faults.extend(self.graph().err());
        let State { sequence, slots, live } = state;
        Ok(VerifyReport { sequence, slots, live, blocks: compared, faults })
    }

    /// Copies the store, as of now, into a directory that holds none; the number of the commit. Others
    /// go on meanwhile. Checksums are compared on the way.
    ///
    /// # Errors
    /// [`StoreError::Exists`] and the like of the target, damage of this store, or what the system
    /// gives; there is no store in the target then.
    pub fn snapshot(&self, target: &dyn Vfs) -> Result<u64, StoreError> {
        let _lock = take_lock(target)?;
        let names = list(target)?;
        if names.iter().any(|name| name == RECORDS) {
            return Err(StoreError::Exists);
        }
        sweep(target, &names, |_| false);
        let Pinned { view, state, segments } = self.pin()?;
        let head = view.head()?;
        for segment in &segments {
            let rows = segment.view(state.slots as usize)?;
            let bytes = rows.bytes();
            segment.check(bytes, &view.sums(segment.number, bytes.len() as u64)?)?;
            let copy = Segment::create(target, segment.number, segment.spec, &self.identity, true)?;
            let stride = segment.spec.stride;
            let each = (CHUNK / stride).max(1);
            for (at, chunk) in (0u64..).zip(bytes.chunks(each * stride)) {
                copy.write(at * each as u64, chunk)?;
            }
            copy.sync()?;
        }
        #[cfg(feature = "hnsw")]
        let graph = match head.graph {
            Some(graph) => self.copy_graph(graph, target)?.then_some(graph),
            None => None,
        };
        #[cfg(not(feature = "hnsw"))]
        let graph = None;
        let params = encode_params(&head.params).ok_or(StoreError::BadOption(BadOption::Params))?;
        write_records(target, CHUNK, |change| {
            change.init(&self.identity, &params)?;
            change.set_segments(&head.segments)?;
            change.set_state(head.state)?;
            change.set_graph(graph)?;
            for segment in &segments {
                let bytes = u64::from(state.slots) * segment.spec.stride as u64;
                let sums: Vec<_> = (0u32..).zip(view.sums(segment.number, bytes)?).collect();
                change.set_sums(segment.number, &sums)?;
            }
            for name in view.blob_names()? {
                change.set_blob(&name, &view.blob(&name)?.unwrap_or_default())?;
            }
            let mut tables = change.tables()?;
            view.for_each(0..u32::MAX, |slot, value| tables.copy(slot, value))?;
            view.dead()?.into_iter().try_for_each(|slot| tables.set_dead(slot))
        })?;
        publish_records(target, true)?;
        Ok(state.sequence)
    }

    /// Drops the rows that have no id; the others get new slots, in the same order. What slot each
    /// had is returned. Views of before keep the old files.
    ///
    /// # Errors
    /// As [`Store::rewrite`].
    pub fn compact(&self) -> Result<Vec<u32>, StoreError> {
        let segments = (0..self.shared().segments.len()).map(RewriteSegment::Keep).collect();
        self.rewrite(Rewrite { compact: true, segments, params: Vec::new(), blobs: Vec::new() })
    }

    /// Makes segments anew, as when an encoding was learnt or rows were deleted, and has all of it
    /// take effect at once. The slot that each row had is returned, by its slot from then on. Views
    /// of before keep the old files; the stored graph is dropped if slots get new numbers.
    ///
    /// # Errors
    /// Segments or options that cannot be, [`StoreError::Poisoned`], or what reading, writing or
    /// committing gives; before the commit the store is as it was.
    pub fn rewrite(&self, rewrite: Rewrite<'_>) -> Result<Vec<u32>, StoreError> {
        let mut writer = self.writer()?;
        for (name, bytes) in &rewrite.blobs {
            check_blob(name, bytes)?;
        }
        let mut made = Vec::new();
        let done = self.rewrite_under(&mut writer, rewrite, &mut made);
        if let Err(e) = &done
            && !self.is_poisoned()
        {
            // Half-made files: they would be swept away when the store is opened.
            made.iter().for_each(|number| drop(self.vfs.remove(&segment_name(*number))));
            let records = matches!(e, StoreError::Records { .. });
            if records {
                let _ = self.poison(e.clone());
            }
        }
        done
    }

    fn rewrite_under(
        &self,
        writer: &mut Writer,
        rewrite: Rewrite<'_>,
        made: &mut Vec<u32>,
    ) -> Result<Vec<u32>, StoreError> {
        let (old, before) = {
            let shared = self.shared();
            (shared.segments.clone(), shared.state)
        };
        let view = self.records.read()?;
        let mut kept: Vec<u32> = (0..before.slots).collect();
        if rewrite.compact {
            kept.clear();
            view.for_each(0..MAX_SLOTS, |slot, _| {
                kept.push(slot);
                Ok(())
            })?;
        }
        let renumbered = kept.len() != before.slots as usize;
        let specs = specs_of(&rewrite.segments, &old)?;
        let wanted = rewrite.segments.into_iter().zip(specs);
        let Made { segments, sums: new_sums } =
            self.make_segments(writer, wanted, &old, &kept, renumbered, made)?;
        self.sync_dir()?;
        let (params, encoded) = self.params_with(rewrite.params)?;
        let mut state = State { sequence: before.sequence + 1, ..before };
        if renumbered {
            state = State { slots: kept.len() as u32, live: kept.len() as u32, ..state };
        }
        let change = self.records.change()?;
        let listed: Vec<_> = segments.iter().map(|(s, _)| (s.number, s.spec)).collect();
        change.set_segments(&listed)?;
        for gone in old.iter().filter(|o| !listed.iter().any(|(number, _)| *number == o.number)) {
            change.drop_sums(gone.number)?;
        }
        for (number, table) in &new_sums {
            change.set_sums(*number, table)?;
        }
        change.meta("params", &encoded)?;
        change.set_state(state)?;
        for (name, bytes) in rewrite.blobs {
            change.set_blob(name, bytes)?;
        }
        if renumbered {
            change.set_graph(None)?;
            let mut tables = change.clear()?;
            let mut slot = 0;
            view.for_each(0..MAX_SLOTS, |_, value| {
                slot += 1;
                tables.copy(slot - 1, value)
            })?;
        }
        change.commit().map_err(|e| self.poison(e))?;
        self.publish(writer, segments, state, params, renumbered);
        Ok(kept)
    }

    /// The parameters with those that change, and as bytes.
    fn params_with(&self, changed: Params) -> Result<(Params, Vec<u8>), StoreError> {
        let mut params = self.shared().params.clone();
        for (name, value) in changed {
            match params.binary_search_by(|(n, _)| n.cmp(&name)) {
                Ok(at) => params[at].1 = value,
                Err(at) => params.insert(at, (name, value)),
            }
        }
        let encoded = encode_params(&params).ok_or(StoreError::BadOption(BadOption::Params))?;
        Ok((params, encoded))
    }

    /// The files that are wanted: those that stay, and new ones, written and synced. Their numbers are
    /// appended to `made` before there is a file.
    fn make_segments<'a>(
        &self,
        writer: &mut Writer,
        wanted: impl Iterator<Item = (RewriteSegment<'a>, SegmentSpec)>,
        old: &[Arc<Segment>],
        kept: &[u32],
        renumbered: bool,
        made: &mut Vec<u32>,
    ) -> Result<Made, StoreError> {
        let slots = self.shared().state.slots as usize;
        let mut segments: Vec<(Arc<Segment>, Sums)> = Vec::new();
        let mut new_sums = Vec::new();
        for (segment, spec) in wanted {
            let rows: Option<RowsView>;
            let mut copy;
            let fill: &mut dyn FnMut(u32, &mut [u8]) = match segment {
                RewriteSegment::Keep(place) if !renumbered => {
                    segments.push((Arc::clone(&old[place]), writer.sums[place]));
                    continue;
                }
                RewriteSegment::Keep(place) => {
                    rows = Some(old[place].view(slots)?);
                    copy = |slot: u32, to: &mut [u8]| {
                        let bytes = rows.as_ref().map_or(&[][..], RowsView::bytes);
                        let from = slot as usize * spec.stride;
                        to.copy_from_slice(&bytes[from..from + spec.stride]);
                    };
                    &mut copy
                }
                RewriteSegment::Make { fill, .. } => fill,
            };
            let number = writer.next_file;
            writer.next_file += 1;
            made.push(number);
            let new = Segment::create(&*self.vfs, number, spec, &self.identity, self.heap)?;
            let (sums, table) = fill_segment(&new, kept, fill)?;
            new.sync()?;
            new_sums.push((number, table));
            segments.push((Arc::new(new), sums));
        }
        Ok(Made { segments, sums: new_sums })
    }

    /// The new segments take effect; files of before lose their names.
    fn publish(
        &self,
        writer: &mut Writer,
        segments: Vec<(Arc<Segment>, Sums)>,
        state: State,
        params: Params,
        renumbered: bool,
    ) {
        writer.sums = segments.iter().map(|(_, sums)| *sums).collect();
        let mut shared = self.shared_mut();
        let new = segments.into_iter().map(|(segment, _)| segment).collect();
        let old = std::mem::replace(&mut shared.segments, new);
        (shared.state, shared.params) = (state, params);
        let mut gone: Vec<String> = old
            .iter()
            .filter(|o| !shared.segments.iter().any(|s| s.number == o.number))
            .map(|o| segment_name(o.number))
            .collect();
        if renumbered {
            shared.renumbered = state.sequence;
            gone.extend(shared.graph.take().map(|graph| super::graph_name(graph.number)));
        }
        drop(shared);
        for name in gone {
            // What stays is swept away when the store is opened.
            let _ = self.vfs.remove(&name);
        }
    }
}

/// What the segments will be: those that stay are there, and stay once.
fn specs_of(
    wanted: &[RewriteSegment<'_>],
    old: &[Arc<Segment>],
) -> Result<Vec<SegmentSpec>, StoreError> {
    let bad = |found| StoreError::BadOption(BadOption::Segments { found });
    let mut kept = Vec::new();
    let mut specs = Vec::new();
    for segment in wanted {
        specs.push(match segment {
            RewriteSegment::Keep(place) if kept.contains(place) => return Err(bad(*place)),
            RewriteSegment::Keep(place) => {
                kept.push(*place);
                old.get(*place).ok_or(bad(*place))?.spec
            }
            RewriteSegment::Make { spec, .. } => *spec,
        });
    }
    check_segments(&specs)?;
    Ok(specs)
}

/// Rows of a new segment, a piece at a time; its checksums.
fn fill_segment(
    segment: &Segment,
    kept: &[u32],
    fill: &mut dyn FnMut(u32, &mut [u8]),
) -> Result<(Sums, Vec<(u32, u32)>), StoreError> {
    let stride = segment.spec.stride;
    let each = (CHUNK / stride).max(1);
    let (mut sums, mut table) = (Sums::default(), Vec::new());
    let mut buffer = vec![0; each.min(kept.len()) * stride];
    for (at, slots) in (0u64..).zip(kept.chunks(each)) {
        let now = &mut buffer[..slots.len() * stride];
        now.fill(0);
        for (slot, to) in slots.iter().zip(now.chunks_exact_mut(stride)) {
            fill(*slot, to);
        }
        segment.write(at * each as u64, now)?;
        sums.extend(now, &mut table);
    }
    Ok((sums, table))
}
