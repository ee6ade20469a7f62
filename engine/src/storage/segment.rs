//! A file of rows that only grows: fixed stride, 64-byte aligned, checksums kept in the records.
//!
//! ```text
//! |header, 4096 bytes|row 0 ....pad|row 1 ....pad| ... |row n-1|  room, of no meaning  |
//!                    |  block 0, 64 KiB   |  block 1 ...  cut |
//! ```
//! How many rows there are is in the records: what lies behind them is of no meaning, and the file's
//! length says nothing. Rows are written once. In memory they are one piece, as kernels want them:
//! the whole file is mapped, and mapped anew once it has grown; views of before keep their mapping.

use std::any::TypeId;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use annvil_kernels::{AlignedRows, Element, RowsRef};

use super::codec::Cursor;
use super::error::{BadOption, CorruptionFault as Fault, Doing, StoreError};
use super::mmap::{Mapping, elements};
use super::vfs::{File, Vfs};
use super::{FORMAT, IDENTITY, Identity, MAX_DIM, segment_name};

const MAGIC: &[u8; 8] = b"ANNVROWS";
/// Bytes of the header: a page, so that rows are aligned wherever files are mapped.
pub(super) const DATA: usize = 4096;
/// Bytes of rows under one checksum.
pub(super) const BLOCK: usize = 64 << 10;
/// Room that is made at least, and at most, when a file grows.
const ROOM: (u64, u64) = (16 << 10, 64 << 20);
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// What the rows of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Vectors as they are compared exactly.
    Vectors,
    /// Codes that stand for vectors.
    Codes,
    /// What lies beside each row, as its length: packed, without a pad.
    Side,
}

/// What a row is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// 4-byte floats.
    F32,
    /// Bytes.
    U8,
    /// Signed bytes.
    I8,
    /// 2-byte words.
    U16,
    /// 4-byte words.
    U32,
    /// Signed 4-byte words.
    I32,
    /// Floats of 11 bits' precision.
    F16,
    /// Floats of 8 bits' precision.
    Bf16,
}

impl Kind {
    const ALL: [Self; 8] =
        [Self::F32, Self::U8, Self::I8, Self::U16, Self::U32, Self::I32, Self::F16, Self::Bf16];

    /// Bytes of one.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F32 | Self::U32 | Self::I32 => 4,
            Self::U16 | Self::F16 | Self::Bf16 => 2,
            Self::U8 | Self::I8 => 1,
        }
    }

    /// The kind of an element.
    #[must_use]
    pub fn of<T: Element>() -> Option<Self> {
        let kinds = [
            TypeId::of::<f32>(),
            TypeId::of::<u8>(),
            TypeId::of::<i8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<i32>(),
            TypeId::of::<half::f16>(),
            TypeId::of::<half::bf16>(),
        ];
        let at = kinds.iter().position(|kind| *kind == TypeId::of::<T>())?;
        Some(Self::ALL[at])
    }

    fn code(self) -> u8 {
        Self::ALL.iter().position(|kind| *kind == self).map_or(0, |at| at as u8 + 1)
    }
}

/// The rows of a segment: what of, how many elements, how far apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentSpec {
    /// What they are.
    pub role: Role,
    /// What they are made of.
    pub kind: Kind,
    /// Elements of a row.
    pub dim: usize,
    /// Bytes from row to row.
    pub stride: usize,
}

impl SegmentSpec {
    /// Bytes that [`SegmentSpec::encode`] makes.
    pub(super) const BYTES: usize = 12;

    /// Vectors of `dim` floats, each on a 64-byte boundary.
    #[must_use]
    pub fn vectors(dim: usize) -> Self {
        let stride = dim.saturating_mul(4).div_ceil(64).saturating_mul(64);
        Self { role: Role::Vectors, kind: Kind::F32, dim, stride }
    }

    /// Codes of `dim` elements, `stride` bytes apart.
    #[must_use]
    pub fn codes(kind: Kind, dim: usize, stride: usize) -> Self {
        Self { role: Role::Codes, kind, dim, stride }
    }

    /// `dim` elements beside each row.
    #[must_use]
    pub fn side(kind: Kind, dim: usize) -> Self {
        Self { role: Role::Side, kind, dim, stride: dim.saturating_mul(kind.size()) }
    }

    /// Bytes of a row, without its pad.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.dim * self.kind.size()
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        let bad = if !(1..=MAX_DIM).contains(&self.dim) {
            BadOption::Dim { found: self.dim }
        } else if !self.stride_fits() {
            BadOption::Stride { found: self.stride }
        } else {
            return Ok(());
        };
        Err(StoreError::BadOption(bad))
    }

    fn stride_fits(&self) -> bool {
        match self.role {
            Role::Side => self.stride == self.row_bytes(),
            Role::Vectors | Role::Codes => {
                (self.row_bytes()..=8 * MAX_DIM).contains(&self.stride)
                    && self.stride.is_multiple_of(16)
            }
        }
    }

    pub(super) fn encode(&self) -> [u8; Self::BYTES] {
        let mut to = [0; Self::BYTES];
        to[0] = match self.role {
            Role::Vectors => 1,
            Role::Codes => 2,
            Role::Side => 3,
        };
        to[1] = self.kind.code();
        to[4..8].copy_from_slice(&(self.dim as u32).to_le_bytes());
        to[8..12].copy_from_slice(&(self.stride as u32).to_le_bytes());
        to
    }

    pub(super) fn decode(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let mut cursor = Cursor(&bytes);
        let role = match cursor.u8()? {
            1 => Role::Vectors,
            2 => Role::Codes,
            3 => Role::Side,
            _ => return None,
        };
        let kind = *Kind::ALL.get(usize::from(cursor.u8()?).checked_sub(1)?)?;
        if cursor.take(2)? != [0, 0] {
            return None;
        }
        let (dim, stride) = (cursor.u32()? as usize, cursor.u32()? as usize);
        let spec = Self { role, kind, dim, stride };
        spec.check().is_ok().then_some(spec)
    }
}

/// The running checksum of a segment's rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// Bytes of rows so far.
    pub(super) bytes: u64,
    /// The checksum of the block that is not full.
    pub(super) last: u32,
}

impl Sums {
    /// More bytes; what becomes of which blocks' checksums is appended to `changed`.
    pub(super) fn extend(&mut self, mut bytes: &[u8], changed: &mut Vec<(u32, u32)>) {
        while !bytes.is_empty() {
            let filled = (self.bytes % BLOCK as u64) as usize;
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - filled));
            self.last = crc32c::crc32c_append(if filled == 0 { 0 } else { self.last }, now);
            let block = (self.bytes / BLOCK as u64) as u32;
            match changed.last_mut() {
                Some((last, sum)) if *last == block => *sum = self.last,
                _ => changed.push((block, self.last)),
            }
            self.bytes += now.len() as u64;
            bytes = later;
        }
    }
}

/// Blocks of so many bytes.
pub(super) fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK as u64)
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) spec: SegmentSpec,
    name: String,
    file: Box<dyn File>,
    len: AtomicU64,
    heap: bool,
    memory: Mutex<Arc<Memory>>,
}

#[derive(Debug)]
enum Memory {
    Mapped(Mapping),
    /// Rows of as many bytes as the stride has.
    Heap(AlignedRows<u8>),
}

fn header(number: u32, spec: &SegmentSpec, identity: &Identity) -> Vec<u8> {
    let mut to = Vec::with_capacity(DATA);
    to.extend(MAGIC);
    to.extend(FORMAT.to_le_bytes());
    to.extend((DATA as u32).to_le_bytes());
    to.extend(identity);
    to.extend(number.to_le_bytes());
    to.extend(spec.encode());
    to.resize(DATA - 4, 0);
    let sum = crc32c::crc32c(&to);
    to.extend(sum.to_le_bytes());
    to
}

impl Segment {
    /// Makes a file; neither it nor its name lasts before a sync.
    pub(super) fn create(
        vfs: &dyn Vfs,
        number: u32,
        spec: SegmentSpec,
        identity: &Identity,
        heap: bool,
    ) -> Result<Self, StoreError> {
        let name = segment_name(number);
        let file = vfs.create(&name).map_err(|e| StoreError::io(Doing::Create, &name, e))?;
        file.write_at(0, &header(number, &spec, identity))
            .map_err(|e| StoreError::io(Doing::Write, &name, e))?;
        let memory = Mutex::new(Arc::new(Memory::Heap(empty(spec.stride)?)));
        Ok(Self { number, spec, name, file, len: AtomicU64::new(DATA as u64), heap, memory })
    }

    /// Opens a file that holds `rows` rows at least.
    pub(super) fn open(
        vfs: &dyn Vfs,
        number: u32,
        spec: SegmentSpec,
        identity: &Identity,
        rows: u64,
        heap: bool,
    ) -> Result<Self, StoreError> {
        let name = segment_name(number);
        let file = super::open_file(vfs, &name)?;
        let len = file.len().map_err(|e| StoreError::io(Doing::Read, &name, e))?;
        let needed = DATA as u64 + rows * spec.stride as u64;
        if len < needed {
            return Err(StoreError::corrupt(&name, Fault::Short { needed, found: len }));
        }
        let mut found = vec![0; DATA];
        file.read_at(0, &mut found).map_err(|e| StoreError::io(Doing::Read, &name, e))?;
        let segment = Self {
            number,
            spec,
            name,
            file,
            len: AtomicU64::new(len),
            heap,
            memory: Mutex::new(Arc::new(Memory::Heap(empty(spec.stride)?))),
        };
        segment.check_header(&found, identity)?;
        Ok(segment)
    }

    fn check_header(&self, found: &[u8], identity: &Identity) -> Result<(), StoreError> {
        let expected = header(self.number, &self.spec, identity);
        if found == expected {
            return Ok(());
        }
        if found[..8] != *MAGIC {
            return Err(self.corrupt(Fault::Magic));
        }
        let mut cursor = Cursor(&found[8..]);
        let version = cursor.u32().unwrap_or(0);
        if version > FORMAT {
            let file = self.name.clone();
            return Err(StoreError::Newer { file, found: version, known: FORMAT });
        }
        if found[DATA - 4..] != crc32c::crc32c(&found[..DATA - 4]).to_le_bytes() {
            return Err(self.corrupt(Fault::Checksum { offset: 0 }));
        }
        if found[16..16 + IDENTITY] != *identity {
            return Err(self.corrupt(Fault::Foreign));
        }
        Err(self.corrupt(Fault::Field { name: "header", found: u64::from(version) }))
    }

    fn corrupt(&self, fault: Fault) -> StoreError {
        StoreError::corrupt(&self.name, fault)
    }

    fn io(&self, doing: Doing) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
        move |e| StoreError::io(doing, &self.name, e)
    }

    /// Writes rows, pads included, from row `first` on.
    pub(super) fn write(&self, first: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let offset = DATA as u64 + first * self.spec.stride as u64;
        let (needed, len) = (offset + bytes.len() as u64, self.len.load(Ordering::Relaxed));
        if needed > len {
            let room = (needed / 16).clamp(ROOM.0, ROOM.1);
            let grown = (needed + room).next_multiple_of(DATA as u64);
            self.file.set_len(grown).map_err(self.io(Doing::Write))?;
            self.len.store(grown, Ordering::Relaxed);
        }
        self.file.write_at(offset, bytes).map_err(self.io(Doing::Write))
    }

    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync().map_err(self.io(Doing::Sync))
    }

    /// The first `rows` rows, which are committed.
    pub(super) fn view(&self, rows: usize) -> Result<RowsView, StoreError> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let too_large = || StoreError::Memory { bytes: u64::MAX };
        let bytes = rows.checked_mul(self.spec.stride).ok_or_else(too_large)?;
        let there = match &**memory {
            Memory::Mapped(map) => map.get(DATA, bytes).is_some(),
            Memory::Heap(held) => held.len() >= rows,
        };
        if !there {
            let mapped =
                if self.heap { None } else { self.file.map().map_err(self.io(Doing::Map))? };
            match mapped {
                Some(map) if map.get(DATA, bytes).is_some() => {
                    *memory = Arc::new(Memory::Mapped(map));
                }
                Some(map) => {
                    let (needed, found) = ((DATA + bytes) as u64, map.len() as u64);
                    return Err(self.corrupt(Fault::Short { needed, found }));
                }
                None => self.load(&mut memory, rows)?,
            }
        }
        Ok(RowsView { memory: Arc::clone(&memory), rows, spec: self.spec })
    }

    /// Reads the rows that are not held yet. While nobody looks at those that are, they stay where
    /// they are; else they are copied.
    fn load(&self, memory: &mut Arc<Memory>, rows: usize) -> Result<(), StoreError> {
        let mut held = match Arc::get_mut(memory) {
            Some(Memory::Heap(held)) => std::mem::replace(held, empty(self.spec.stride)?),
            _ => match &**memory {
                Memory::Heap(held) => held.clone(),
                Memory::Mapped(_) => empty(self.spec.stride)?,
            },
        };
        let result = self.load_into(&mut held, rows);
        // What was read is right even if the rest could not be.
        *memory = Arc::new(Memory::Heap(held));
        result
    }

    fn load_into(&self, held: &mut AlignedRows<u8>, rows: usize) -> Result<(), StoreError> {
        let stride = self.spec.stride;
        let bytes = (rows * stride) as u64;
        let each = (CHUNK / stride).max(1);
        let more = rows - held.len();
        if more > 1 {
            held.reserve_exact(more).map_err(|_| StoreError::Memory { bytes })?;
        }
        let mut buffer = vec![0; each.min(more) * stride];
        while held.len() < rows {
            let now = &mut buffer[..each.min(rows - held.len()) * stride];
            let offset = (DATA + held.len() * stride) as u64;
            self.file.read_at(offset, now).map_err(self.io(Doing::Read))?;
            for row in now.chunks_exact(stride) {
                held.push(row).map_err(|_| StoreError::Memory { bytes })?;
            }
        }
        Ok(())
    }

    /// Compares the checksums of `bytes`, which are rows from the first on.
    pub(super) fn check(&self, bytes: &[u8], sums: &[u32]) -> Result<(), StoreError> {
        for (at, (block, sum)) in bytes.chunks(BLOCK).zip(sums).enumerate() {
            if crc32c::crc32c(block) != *sum {
                return Err(self.corrupt(Fault::Checksum { offset: (DATA + at * BLOCK) as u64 }));
            }
        }
        Ok(())
    }

    /// Reads the file anew and compares every block that holds rows; the blocks at fault.
    pub(super) fn check_file(
        &self,
        rows: u64,
        sums: &[u32],
        identity: &Identity,
        faults: &mut Vec<StoreError>,
    ) -> Result<(), StoreError> {
        let mut buffer = vec![0; BLOCK.max(DATA)];
        self.file.read_at(0, &mut buffer[..DATA]).map_err(self.io(Doing::Read))?;
        faults.extend(self.check_header(&buffer[..DATA], identity).err());
        let mut left = rows * self.spec.stride as u64;
        for (block, sum) in (0u64..).zip(sums) {
            let now = &mut buffer[..left.min(BLOCK as u64) as usize];
            let offset = DATA as u64 + block * BLOCK as u64;
            self.file.read_at(offset, now).map_err(self.io(Doing::Read))?;
            if crc32c::crc32c(now) != *sum {
                faults.push(self.corrupt(Fault::Checksum { offset }));
            }
            left -= now.len() as u64;
        }
        Ok(())
    }

    pub(super) fn file_len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }
}

fn empty(stride: usize) -> Result<AlignedRows<u8>, StoreError> {
    AlignedRows::with_stride(0, stride, stride).map_err(|_| StoreError::Memory { bytes: 0 })
}

/// The rows of a segment that were committed when it was taken: they never change, and no row comes.
#[derive(Clone)]
pub struct RowsView {
    memory: Arc<Memory>,
    rows: usize,
    spec: SegmentSpec,
}

impl RowsView {
    /// How many rows, those of deleted ids included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Of the first `len` rows only, if there are more.
    #[must_use]
    pub fn first(mut self, len: usize) -> Self {
        self.rows = self.rows.min(len);
        self
    }

    /// What the rows are.
    #[must_use]
    pub fn spec(&self) -> &SegmentSpec {
        &self.spec
    }

    /// Whether the rows are the file's own memory, and not a copy.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        matches!(*self.memory, Memory::Mapped(_))
    }

    /// All rows with their pads.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        let len = self.rows * self.spec.stride;
        match &*self.memory {
            Memory::Mapped(map) => map.get(DATA, len).unwrap_or_default(),
            Memory::Heap(held) => &held.view().contiguous().unwrap_or_default()[..len],
        }
    }

    /// All rows as elements, or `None` if they are made of others.
    #[must_use]
    pub fn rows<T: Element>(&self) -> Option<RowsRef<'_, T>> {
        if Kind::of::<T>() != Some(self.spec.kind) {
            return None;
        }
        let elements = elements::<T>(self.bytes())?;
        RowsRef::new(elements, self.spec.dim, self.spec.stride / self.spec.kind.size()).ok()
    }
}

impl fmt::Debug for RowsView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("RowsView");
        f.field("rows", &self.rows).field("spec", &self.spec).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::vfs::{MemVfs, OsVfs};

    #[test]
    fn checksums_run_over_pieces_as_over_the_whole() {
        let bytes: Vec<u8> = (0..3 * BLOCK + 777).map(|i| (i * 7 % 251) as u8).collect();
        let whole: Vec<u32> = bytes.chunks(BLOCK).map(crc32c::crc32c).collect();
        for piece in [16, 4096, BLOCK, 100_000, bytes.len()] {
            let (mut sums, mut table) = (Sums::default(), vec![0; 4]);
            for part in bytes.chunks(piece) {
                let mut changed = Vec::new();
                sums.extend(part, &mut changed);
                assert!(changed.windows(2).all(|w| w[0].0 < w[1].0));
                changed.iter().for_each(|&(block, sum)| table[block as usize] = sum);
            }
            assert_eq!(table, whole, "pieces of {piece}");
        }
        // The standard's check value: the polynomial is Castagnoli's.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn specs_come_back_and_bad_ones_do_not() {
        for kind in Kind::ALL {
            let spec = SegmentSpec::codes(kind, 20, 80);
            assert_eq!(SegmentSpec::decode(spec.encode()), Some(spec));
            let spec = SegmentSpec::side(kind, 3);
            assert_eq!(SegmentSpec::decode(spec.encode()), Some(spec));
        }
        assert_eq!(SegmentSpec::vectors(3).stride, 64);
        assert_eq!(Kind::of::<f32>(), Some(Kind::F32));
        assert_eq!(Kind::of::<half::bf16>(), Some(Kind::Bf16));
        for bad in [
            SegmentSpec::vectors(0),
            SegmentSpec::vectors(MAX_DIM + 1),
            SegmentSpec::codes(Kind::U8, 20, 16),
            SegmentSpec::codes(Kind::U8, 20, 24),
            SegmentSpec::vectors(usize::MAX),
            SegmentSpec { stride: 16, ..SegmentSpec::side(Kind::F32, 1) },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
            assert_eq!(SegmentSpec::decode(bad.encode()), None, "{bad:?}");
        }
    }

    #[test]
    fn rows_are_one_piece_mapped_or_held_and_views_stay_what_they_were() {
        let dir = std::env::temp_dir().join(format!("annvil-segment-{}", std::process::id()));
        let real = OsVfs::create(&dir).unwrap();
        let memory = MemVfs::new();
        let stores: [(&dyn Vfs, bool); 3] = [(&real, false), (&real, true), (&memory, false)];
        for (number, (vfs, heap)) in (1u32..).zip(stores) {
            let spec = SegmentSpec::vectors(5);
            let segment = Segment::create(vfs, number, spec, &[7; IDENTITY], heap).unwrap();
            let mut old = Vec::new();
            for row in 0..2000u16 {
                let mut bytes = [0; 64];
                let vector: [f32; 5] = std::array::from_fn(|i| f32::from(row) + i as f32);
                bytes[..20].copy_from_slice(super::super::mmap::bytes_of(&vector));
                segment.write(u64::from(row), &bytes).unwrap();
                if row.is_power_of_two() {
                    old.push(segment.view(usize::from(row)).unwrap());
                }
            }
            old.push(segment.view(2000).unwrap());
            for view in &old {
                assert_eq!(view.is_mapped(), number == 1 && !view.is_empty());
                let rows = view.rows::<f32>().unwrap();
                assert_eq!((rows.len(), rows.dim(), rows.stride()), (view.len(), 5, 16));
                let last = view.len() - 1;
                assert_eq!(rows.row(last)[4], last as f32 + 4.0);
                assert!(view.rows::<u32>().is_none());
            }
            // A header of another segment, a cut file.
            let again = |number, rows| {
                Segment::open(vfs, number, spec, &[7; IDENTITY], rows, heap).map(|_| ())
            };
            again(number, 2000).unwrap();
            assert!(matches!(again(number, 1 << 20), Err(StoreError::Corrupt(_))));
            let other = Segment::open(vfs, number, spec, &[8; IDENTITY], 1, heap).unwrap_err();
            assert!(matches!(other, StoreError::Corrupt(c) if c.fault == Fault::Foreign));
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
