//! A graph on disk: derived data, whole or not at all, and never believed without a look.
//!
//! ```text
//! |header, 256 bytes|layers|base|upper|checksums, one for each 64 KiB between header and them|
//! ```
//! It is written beside its place, synced, renamed, and then recorded in the records with its length
//! and the checksum of its header. What it covers may be older than the store: slots behind it are
//! caught up with by whoever uses it.

use super::codec::Cursor;
use super::error::{CorruptionFault as Fault, Doing, StoreError};
use super::records::GraphPointer;
use super::segment::BLOCK;
use super::store::Store;
use super::vfs::{File, Vfs};
use super::{FORMAT, IDENTITY, Identity, graph_name, open_file};
use crate::{GraphParts, HnswOptions};

const MAGIC: &[u8; 8] = b"ANNVGRPH";
/// Bytes of the header.
const HEADER: usize = 256;
/// Sections begin on such a boundary.
const ALIGN: u64 = 64;
/// Layers, base, upper: bytes of an element.
const SECTIONS: [u32; 3] = [1, 4, 4];

/// A graph as it was stored. Its links are checked by [`Graph::from_parts`](crate::Graph::from_parts),
/// and by nothing before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredGraph {
    /// The last commit whose rows it may hold.
    pub sequence: u64,
    /// The graph of slots `0..parts.layers.len()`.
    pub parts: GraphParts,
}

/// Where what lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    /// Where each section begins, and its elements.
    sections: [(u64, u64); 3],
    /// Where the checksums begin, and how many there are.
    sums: (u64, u64),
    /// Bytes of the file.
    len: u64,
}

impl Plan {
    fn of(counts: [u64; 3]) -> Option<Self> {
        let mut at = HEADER as u64;
        let mut sections = [(0, 0); 3];
        for ((section, count), size) in sections.iter_mut().zip(counts).zip(SECTIONS) {
            at = at.checked_next_multiple_of(ALIGN)?;
            *section = (at, count);
            at = at.checked_add(count.checked_mul(u64::from(size))?)?;
        }
        let sums = at.checked_next_multiple_of(ALIGN)?;
        let count = (sums - HEADER as u64).div_ceil(BLOCK as u64);
        let len = sums.checked_add(count.checked_mul(4)?)?;
        Some(Self { sections, sums: (sums, count), len })
    }
}

impl Store {
    /// Stores a graph in the place of another. `sequence` is the last commit whose rows it may hold, as
    /// a reader or a receipt named it when the graph was copied out.
    ///
    /// # Errors
    /// [`StoreError::OtherStore`] if it covers more rows than there are, or slots got new numbers
    /// since; or what writing gives. An error before the records are committed changes nothing.
    pub fn publish_graph(&self, sequence: u64, parts: &GraphParts) -> Result<(), StoreError> {
        let mut writer = self.writer()?;
        let (state, renumbered, old) = {
            let shared = self.shared();
            (shared.state, shared.renumbered, shared.graph)
        };
        let slots = parts.layers.len();
        let covered = u64::from(state.slots) < slots as u64;
        if covered || sequence > state.sequence || sequence < renumbered {
            return Err(StoreError::OtherStore);
        }
        let number = writer.next_file;
        writer.next_file += 1;
        let (name, temporary) = (graph_name(number), format!("graph-{number:08}.tmp"));
        let written = write(&*self.vfs, &temporary, sequence, parts, &self.identity);
        let placed = written.and_then(|(len, sum)| {
            self.vfs
                .rename(&temporary, &name)
                .map_err(|e| StoreError::io(Doing::Rename, &name, e))?;
            self.sync_dir()?;
            Ok(GraphPointer { number, len, sum, sequence, slots: slots as u32 })
        });
        let graph = placed.inspect_err(|_| {
            let _ = self.vfs.remove(&temporary);
            let _ = self.vfs.remove(&name);
        })?;
        let done = (|| {
            let change = self.records.change()?;
            change.set_graph(Some(graph))?;
            let state = super::records::State { sequence: state.sequence + 1, ..state };
            change.set_state(state)?;
            change.commit()?;
            let mut shared = self.shared_mut();
            (shared.graph, shared.state) = (Some(graph), state);
            Ok(())
        })();
        done.map_err(|e| self.poison(e))?;
        if let Some(old) = old {
            // What stays is swept away when the store is opened.
            let _ = self.vfs.remove(&graph_name(old.number));
        }
        Ok(())
    }

    /// The stored graph, if there is one.
    ///
    /// # Errors
    /// It is damaged, or is not the one that the records mean: it can be made again from the rows. Or
    /// what reading gives.
    pub fn graph(&self) -> Result<Option<StoredGraph>, StoreError> {
        let (graph, slots) = {
            let shared = self.shared();
            (shared.graph, shared.state.slots)
        };
        let Some(graph) = graph else { return Ok(None) };
        let name = graph_name(graph.number);
        let foreign = || StoreError::corrupt(&name, Fault::Foreign);
        if graph.slots > slots {
            return Err(foreign());
        }
        let file = open_file(&*self.vfs, &name)?;
        let (header, stored) = parse(&*file, &name, &self.identity)?;
        let meant = header == graph.sum
            && stored.sequence == graph.sequence
            && stored.parts.layers.len() as u64 == u64::from(graph.slots);
        if meant { Ok(Some(stored)) } else { Err(foreign()) }
    }

    /// The graph's file into another directory; whether it is sound.
    pub(super) fn copy_graph(
        &self,
        graph: GraphPointer,
        target: &dyn Vfs,
    ) -> Result<bool, StoreError> {
        // One that is damaged is not copied: the copy would make it again as this store would.
        let name = graph_name(graph.number);
        let Ok(file) = open_file(&*self.vfs, &name) else { return Ok(false) };
        if parse(&*file, &name, &self.identity).is_err() {
            return Ok(false);
        }
        copy_file(&*file, target, &name)?;
        Ok(true)
    }
}

/// A file, whole, under the same name in another directory.
fn copy_file(from: &dyn File, target: &dyn Vfs, name: &str) -> Result<(), StoreError> {
    let len = from.len().map_err(|e| StoreError::io(Doing::Read, name, e))?;
    let to = target.create(name).map_err(|e| StoreError::io(Doing::Create, name, e))?;
    let mut buffer = vec![0; len.min(BLOCK as u64) as usize];
    let mut at = 0;
    while at < len {
        let now = &mut buffer[..(len - at).min(BLOCK as u64) as usize];
        from.read_at(at, now).map_err(|e| StoreError::io(Doing::Read, name, e))?;
        to.write_at(at, now).map_err(|e| StoreError::io(Doing::Write, name, e))?;
        at += now.len() as u64;
    }
    to.sync().map_err(|e| StoreError::io(Doing::Sync, name, e))
}

/// Writes and syncs a file; its length and its header's checksum.
fn write(
    vfs: &dyn Vfs,
    name: &str,
    sequence: u64,
    parts: &GraphParts,
    identity: &Identity,
) -> Result<(u64, u32), StoreError> {
    let counts = [parts.layers.len(), parts.base.len(), parts.upper.len()].map(|n| n as u64);
    let plan = Plan::of(counts).ok_or(StoreError::Memory { bytes: u64::MAX })?;
    let failed = |e| StoreError::io(Doing::Write, name, e);
    let file = vfs.create(name).map_err(|e| StoreError::io(Doing::Create, name, e))?;
    file.set_len(plan.len).map_err(failed)?;
    let mut out = Blocks { file: &*file, at: HEADER as u64, block: Vec::new(), sums: Vec::new() };
    let sections: [&[u8]; 3] = [
        &parts.layers,
        super::mmap::bytes_of(&parts.base[..]),
        super::mmap::bytes_of(&parts.upper[..]),
    ];
    for ((start, _), bytes) in plan.sections.into_iter().zip(sections) {
        out.pad(start).and_then(|()| out.put(bytes)).map_err(failed)?;
    }
    out.pad(plan.sums.0).and_then(|()| out.flush()).map_err(failed)?;
    let sums: Vec<u8> = out.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
    file.write_at(plan.sums.0, &sums).map_err(failed)?;
    let header = header(sequence, parts, identity, &plan, crc32c::crc32c(&sums));
    file.write_at(0, &header).map_err(failed)?;
    file.sync().map_err(|e| StoreError::io(Doing::Sync, name, e))?;
    Ok((plan.len, crc32c::crc32c(&header)))
}

/// What is written block by block, with a checksum for each.
struct Blocks<'a> {
    file: &'a dyn File,
    /// Where the block begins.
    at: u64,
    block: Vec<u8>,
    sums: Vec<u32>,
}

impl Blocks<'_> {
    fn put(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == BLOCK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn pad(&mut self, to: u64) -> std::io::Result<()> {
        let missing = to - (self.at + self.block.len() as u64);
        self.put(&[0; ALIGN as usize][..missing as usize])
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.block.is_empty() {
            self.file.write_at(self.at, &self.block)?;
            self.sums.push(crc32c::crc32c(&self.block));
            self.at += self.block.len() as u64;
            self.block.clear();
        }
        Ok(())
    }
}

fn header(
    sequence: u64,
    parts: &GraphParts,
    identity: &Identity,
    plan: &Plan,
    sums: u32,
) -> Vec<u8> {
    let mut to = MAGIC.to_vec();
    to.extend(FORMAT.to_le_bytes());
    to.extend((HEADER as u32).to_le_bytes());
    to.extend(identity);
    to.extend(sequence.to_le_bytes());
    to.extend(plan.len.to_le_bytes());
    // Whoever built it has checked that these are small.
    for field in [parts.options.m, parts.options.ef_construction] {
        to.extend((field as u32).to_le_bytes());
    }
    to.extend(parts.options.seed.to_le_bytes());
    to.extend(parts.entry_point.to_le_bytes());
    to.extend(sums.to_le_bytes());
    for (start, count) in plan.sections {
        to.extend(start.to_le_bytes());
        to.extend(count.to_le_bytes());
    }
    to.extend(plan.sums.0.to_le_bytes());
    to.extend(plan.sums.1.to_le_bytes());
    to.resize(HEADER - 4, 0);
    let sum = crc32c::crc32c(&to);
    to.extend(sum.to_le_bytes());
    to
}

/// Reads a file: the checksum of its header, and the graph. Nothing larger than the file is
/// allocated, whatever its header says.
pub(super) fn parse(
    file: &dyn File,
    name: &str,
    identity: &Identity,
) -> Result<(u32, StoredGraph), StoreError> {
    let corrupt = |fault| StoreError::corrupt(name, fault);
    let failed = |e| StoreError::io(Doing::Read, name, e);
    let found = file.len().map_err(failed)?;
    if found < HEADER as u64 {
        return Err(corrupt(Fault::Short { needed: HEADER as u64, found }));
    }
    let mut bytes = [0; HEADER];
    file.read_at(0, &mut bytes).map_err(failed)?;
    if bytes[..8] != *MAGIC {
        return Err(corrupt(Fault::Magic));
    }
    let header = Header::decode(&bytes).ok_or_else(|| corrupt(Fault::Magic))?;
    if header.version > FORMAT {
        let (file, found) = (name.to_owned(), header.version);
        return Err(StoreError::Newer { file, found, known: FORMAT });
    }
    if bytes[HEADER - 4..] != crc32c::crc32c(&bytes[..HEADER - 4]).to_le_bytes() {
        return Err(corrupt(Fault::Checksum { offset: 0 }));
    }
    if header.identity != *identity {
        return Err(corrupt(Fault::Foreign));
    }
    let field = |name, found| Err(corrupt(Fault::Field { name, found }));
    if (header.version, header.bytes) != (FORMAT, HEADER as u32) {
        return field("version or header", u64::from(header.version));
    }
    let plan = Plan::of(header.plan.sections.map(|(_, count)| count));
    if plan != Some(header.plan) {
        return field("sections", header.plan.len);
    }
    if header.plan.len != found {
        return Err(corrupt(Fault::Short { needed: header.plan.len, found }));
    }
    let mut sums = vec![0; header.plan.sums.1 as usize * 4];
    file.read_at(header.plan.sums.0, &mut sums).map_err(failed)?;
    if crc32c::crc32c(&sums) != header.sums {
        return Err(corrupt(Fault::Checksum { offset: header.plan.sums.0 }));
    }
    let [layers, base, upper] = header.plan.sections;
    let mut parts = GraphParts {
        options: header.options,
        entry_point: header.entry_point,
        layers: room(layers.1)?,
        base: room(base.1)?,
        upper: room(upper.1)?,
    };
    let mut block = vec![0; BLOCK];
    let mut at = HEADER as u64;
    for sum in sums.chunks_exact(4) {
        let now = &mut block[..(header.plan.sums.0 - at).min(BLOCK as u64) as usize];
        file.read_at(at, now).map_err(failed)?;
        if crc32c::crc32c(now).to_le_bytes() != *sum {
            return Err(corrupt(Fault::Checksum { offset: at }));
        }
        parts.layers.extend_from_slice(overlap(now, at, layers, 1));
        for (to, section) in [(&mut parts.base, base), (&mut parts.upper, upper)] {
            let words = overlap(now, at, section, 4).as_chunks::<4>().0;
            to.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
        }
        at += now.len() as u64;
    }
    let stored = StoredGraph { sequence: header.sequence, parts };
    Ok((crc32c::crc32c(&bytes), stored))
}

/// The part of a block that belongs to a section. Blocks and sections begin at multiples of a word.
fn overlap(block: &[u8], at: u64, (start, count): (u64, u64), size: u64) -> &[u8] {
    let (end, block_end) = (start + count * size, at + block.len() as u64);
    let (from, to) = (start.clamp(at, block_end), end.clamp(at, block_end));
    &block[(from - at) as usize..(to.max(from) - at) as usize]
}

fn room<T>(count: u64) -> Result<Vec<T>, StoreError> {
    // The caller has compared it with the file's length.
    let mut to = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>() as u64);
    to.try_reserve_exact(count as usize).map_err(|_| StoreError::Memory { bytes })?;
    Ok(to)
}

struct Header {
    version: u32,
    bytes: u32,
    identity: Identity,
    sequence: u64,
    options: HnswOptions,
    entry_point: u32,
    sums: u32,
    plan: Plan,
}

impl Header {
    fn decode(bytes: &[u8; HEADER]) -> Option<Self> {
        let mut cursor = Cursor(&bytes[8..]);
        let (version, size) = (cursor.u32()?, cursor.u32()?);
        let identity = cursor.array::<IDENTITY>()?;
        let (sequence, len) = (cursor.u64()?, cursor.u64()?);
        let (m, ef_construction) = (cursor.u32()? as usize, cursor.u32()? as usize);
        let options = HnswOptions { m, ef_construction, seed: cursor.u64()? };
        let (entry_point, sums) = (cursor.u32()?, cursor.u32()?);
        let mut sections = [(0, 0); 3];
        for section in &mut sections {
            *section = (cursor.u64()?, cursor.u64()?);
        }
        let plan = Plan { sections, sums: (cursor.u64()?, cursor.u64()?), len };
        Some(Self { version, bytes: size, identity, sequence, options, entry_point, sums, plan })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::MemVfs;
    use crate::storage::torture::Random;

    const WHO: Identity = *b"whose graph is i";

    fn graph() -> GraphParts {
        crate::storage::torture::chain(40)
    }

    fn bytes() -> Vec<u8> {
        let vfs = MemVfs::new();
        write(&vfs, "g", 3, &graph(), &WHO).unwrap();
        vfs.files()["g"].clone()
    }

    fn parsed(bytes: Vec<u8>) -> Result<StoredGraph, StoreError> {
        let vfs = MemVfs::from_files([("g".to_owned(), bytes)].into());
        parse(&*vfs.open("g").unwrap(), "g", &WHO).map(|(_, stored)| stored)
    }

    /// Makes all checksums right again: then only the structure stands in the way.
    fn seal(bytes: &mut [u8]) {
        let word = |bytes: &[u8], at: usize| {
            u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
        };
        let (at, count) = (word(bytes, 120), word(bytes, 128));
        if let Some(end) = count.checked_mul(4).and_then(|n| n.checked_add(at))
            && (HEADER..bytes.len()).contains(&at)
            && end <= bytes.len()
        {
            let sums: Vec<u8> = bytes[HEADER..at]
                .chunks(BLOCK)
                .flat_map(|b| crc32c::crc32c(b).to_le_bytes())
                .collect();
            let len = sums.len().min(end - at);
            bytes[at..at + len].copy_from_slice(&sums[..len]);
            let sum = crc32c::crc32c(&bytes[at..end]);
            bytes[68..72].copy_from_slice(&sum.to_le_bytes());
        }
        let sum = crc32c::crc32c(&bytes[..HEADER - 4]);
        bytes[HEADER - 4..HEADER].copy_from_slice(&sum.to_le_bytes());
    }

    #[test]
    fn a_graph_comes_back_also_over_many_blocks() {
        for slots in [0, 1, 40, 5000] {
            let vfs = MemVfs::new();
            let parts = crate::storage::torture::chain(slots);
            let upper = (0..slots).collect();
            let parts = GraphParts { upper, ..parts };
            let (len, _) = write(&vfs, "g", 9, &parts, &WHO).unwrap();
            let file = vfs.open("g").unwrap();
            assert_eq!(file.len().unwrap(), len);
            assert_eq!(parse(&*file, "g", &WHO).unwrap().1, StoredGraph { sequence: 9, parts });
            assert!(parse(&*file, "g", b"somebody else's!").is_err());
        }
        let mut sealed = bytes();
        seal(&mut sealed);
        assert_eq!(sealed, bytes(), "sealing changes nothing that is right");
    }

    /// Whoever writes files that hurt makes their checksums right. Nothing may be allocated beyond the
    /// file: the plan has to be that of the file's own length before there is room for anything.
    #[test]
    fn files_with_right_checksums_and_wrong_contents_are_errors_or_graphs() {
        let whole = bytes();
        let mut random = Random(5);
        let (mut refused, mut graphs) = (0, 0);
        for _ in 0..30_000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random.below(3) {
                let at = random.below(bytes.len() as u64 - 8) as usize;
                let at = if random.below(2) == 0 { at % 140 } else { at };
                let value = [0, 1, u64::MAX, 1 << 32, 1 << 62, random.next(), random.below(99)];
                let value = value[random.below(7) as usize].to_le_bytes();
                let len = [1, 4, 8][random.below(3) as usize];
                bytes[at..at + len].copy_from_slice(&value[..len]);
            }
            seal(&mut bytes);
            let len = bytes.len();
            match parsed(bytes) {
                Err(_) => refused += 1,
                Ok(stored) => {
                    let parts = &stored.parts;
                    let held = parts.layers.capacity()
                        + 4 * (parts.base.capacity() + parts.upper.capacity());
                    assert!(held <= len, "{held} bytes of {len}");
                    match crate::Graph::from_parts(parts) {
                        Err(_) => refused += 1,
                        Ok(graph) => {
                            assert_eq!(graph.check().bad_links, 0);
                            graphs += 1;
                        }
                    }
                }
            }
        }
        assert!(refused > 10_000 && graphs > 100, "{refused} refused, {graphs} graphs");
    }
}
