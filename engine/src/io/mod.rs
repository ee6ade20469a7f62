//! Vector files of the field: read row by row from any [`Read`], or loaded whole.
//!
//! All are little endian.
//!
//! | ending | layout |
//! |---|---|
//! | `.fvecs` | each row: i32 dimension, then that many f32 |
//! | `.bvecs` | each row: i32 dimension, then that many u8 |
//! | `.ivecs` | each row: i32 dimension, then that many i32 |
//! | `.fbin`, `.u8bin`, `.ibin` | u32 rows, u32 dimension, then rows of f32, u8, i32 |
//! | `.npy` | version 1, 2 or 3, two axes, C order, `<f4`, `<f8`, `<i4` or `\|u1` |
//!
//! A file is not trusted. Its length is an argument (ask the file system), every size a header
//! claims is checked against it before anything is allocated, every record's dimension is compared
//! with the first, and the smallest contradiction is a [`ReadError`] with the file's name, the byte
//! and the remedy. What no reader can see: an `.fvecs` file cut exactly between two rows is a
//! shorter, valid file.
//!
//! Values are taken as they are, NaN and infinity included; an index refuses those with the row's
//! number ([`InputError`](crate::InputError)).
//!
//! ```
//! use annvil::io::{Format, RowReader, write_fvecs};
//! use std::path::Path;
//!
//! let mut file = Vec::new();
//! write_fvecs(&mut file, [[1.0, 2.0], [3.0, 4.0]].iter().map(|r| &r[..]))?;
//! let reader = RowReader::new(&file[..], file.len() as u64, Format::Fvecs, Path::new("a.fvecs"))?;
//! assert_eq!((reader.rows(), reader.dim()), (2, 2));
//! assert_eq!(reader.load()?.row(1), [3.0, 4.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod npy;
mod write;

use std::fmt;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use annvil_kernels::AlignedRows;

pub use error::{ReadError, ReadFault, Snippet};
pub use write::{write_bvecs, write_fvecs, write_ivecs};

/// Largest dimension that is read.
pub const MAX_DIM: usize = 65_536;
/// Most rows that are read: row numbers are `u32`.
pub const MAX_ROWS: u64 = u32::MAX as u64;
/// Longest `.npy` header that is read, in bytes.
pub const MAX_NPY_HEADER: u64 = 65_536;

/// A file format, told by the file's ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// f32 rows, each with its dimension.
    Fvecs,
    /// u8 rows, each with its dimension.
    Bvecs,
    /// i32 rows, each with its dimension.
    Ivecs,
    /// One numpy array.
    Npy,
    /// f32 rows after a header of rows and dimension.
    Fbin,
    /// u8 rows after a header of rows and dimension.
    U8bin,
    /// i32 rows after a header of rows and dimension.
    Ibin,
}

impl Format {
    /// Every format, in the order in which a data set's files are looked for.
    pub const ALL: [Self; 7] =
        [Self::Fvecs, Self::Bvecs, Self::Fbin, Self::U8bin, Self::Npy, Self::Ivecs, Self::Ibin];

    /// The ending of such files, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Fvecs => "fvecs",
            Self::Bvecs => "bvecs",
            Self::Ivecs => "ivecs",
            Self::Npy => "npy",
            Self::Fbin => "fbin",
            Self::U8bin => "u8bin",
            Self::Ibin => "ibin",
        }
    }

    /// The format that a file's ending names, or none.
    #[must_use]
    pub fn from_path(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        Self::ALL.into_iter().find(|f| f.extension() == ending)
    }
}

/// What a file's rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 4-byte floats.
    F32,
    /// 8-byte floats.
    F64,
    /// Unsigned bytes.
    U8,
    /// Signed 4-byte integers.
    I32,
}

impl Element {
    /// Bytes of one.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F64 => 8,
            Self::U8 => 1,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::U8 => "u8",
            Self::I32 => "i32",
        })
    }
}

/// What a header settles, before any row is read.
struct Shape {
    rows: usize,
    dim: usize,
    element: Element,
    /// Bytes consumed so far.
    start: u64,
    /// Each record starts with its dimension.
    framed: bool,
}

/// Rows of a file, one at a time.
///
/// Memory: one row and a read buffer, neither larger than the file.
pub struct RowReader<R> {
    reader: BufReader<R>,
    file: PathBuf,
    shape: Shape,
    next_row: usize,
    offset: u64,
    /// The bytes of one row, without its dimension.
    row: Vec<u8>,
}

impl<R: Read> RowReader<R> {
    /// Reads the header and checks it against `len`, the whole length of the file in bytes.
    /// `file` is only a name, for messages.
    ///
    /// # Errors
    /// Anything that contradicts the format, see [`ReadFault`]; and a failing `reader`.
    pub fn new(reader: R, len: u64, format: Format, file: &Path) -> Result<Self, ReadError> {
        let buffer = usize::try_from(len.clamp(16, 1 << 16)).unwrap_or(1 << 16);
        let mut reader = BufReader::with_capacity(buffer, reader);
        let mut head = Head { reader: &mut reader, file, at: 0, len };
        let shape = match format {
            Format::Fvecs => framed(&mut head, Element::F32)?,
            Format::Bvecs => framed(&mut head, Element::U8)?,
            Format::Ivecs => framed(&mut head, Element::I32)?,
            Format::Fbin => counted(&mut head, Element::F32)?,
            Format::U8bin => counted(&mut head, Element::U8)?,
            Format::Ibin => counted(&mut head, Element::I32)?,
            Format::Npy => npy::header(&mut head)?,
        };
        let row = vec![0; if shape.rows == 0 { 0 } else { shape.dim * shape.element.size() }];
        let offset = shape.start;
        Ok(Self { reader, file: file.to_path_buf(), shape, next_row: 0, offset, row })
    }

    /// Rows in the file, read ones included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Elements of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.shape.dim
    }

    /// What the rows are made of.
    #[must_use]
    pub fn element(&self) -> Element {
        self.shape.element
    }

    /// Reads the next row into `out` as f32; `false` after the last. u8 is exact; f64 is rounded to
    /// the nearest.
    ///
    /// # Errors
    /// A record of another dimension, a value that f32 cannot hold (an i32 that it would round, a
    /// finite f64 that it would make infinite), or a failing reader.
    ///
    /// # Panics
    /// If `out.len() != self.dim()`.
    pub fn next_f32(&mut self, out: &mut [f32]) -> Result<bool, ReadError> {
        assert_eq!(out.len(), self.shape.dim, "a row buffer holds one row");
        if !self.next_bytes()? {
            return Ok(false);
        }
        let bad = match self.shape.element {
            Element::F32 => {
                for (v, b) in out.iter_mut().zip(self.row.as_chunks().0) {
                    *v = f32::from_le_bytes(*b);
                }
                None
            }
            Element::U8 => {
                for (v, b) in out.iter_mut().zip(&self.row) {
                    *v = f32::from(*b);
                }
                None
            }
            Element::F64 => narrow(out, &self.row, f64::from_le_bytes, |wide, narrow| {
                narrow.is_finite() || !wide.is_finite()
            }),
            Element::I32 => narrow(
                out,
                &self.row,
                |b| f64::from(i32::from_le_bytes(b)),
                |wide, narrow| f64::from(narrow) == wide,
            ),
        };
        match bad {
            None => Ok(true),
            Some((column, value)) => {
                let row = self.next_row - 1;
                let bytes = (self.shape.dim - column) * self.shape.element.size();
                let at = self.offset - bytes as u64;
                Err(self.error(at, ReadFault::NotF32 { row, column, value }))
            }
        }
    }

    /// Reads the next row of a file of i32 into `out`; `false` after the last.
    ///
    /// # Errors
    /// A file of another element type, a record of another dimension, or a failing reader.
    ///
    /// # Panics
    /// If `out.len() != self.dim()`.
    pub fn next_i32(&mut self, out: &mut [i32]) -> Result<bool, ReadError> {
        assert_eq!(out.len(), self.shape.dim, "a row buffer holds one row");
        if self.shape.element != Element::I32 {
            let found = self.shape.element;
            return Err(self.error(0, ReadFault::WrongElement { wanted: Element::I32, found }));
        }
        if !self.next_bytes()? {
            return Ok(false);
        }
        for (v, b) in out.iter_mut().zip(self.row.as_chunks().0) {
            *v = i32::from_le_bytes(*b);
        }
        Ok(true)
    }

    /// Reads every row that is left into memory, as f32 rows on 64-byte boundaries.
    ///
    /// # Errors
    /// As [`RowReader::next_f32`]; and more rows than fit into memory.
    pub fn load(mut self) -> Result<AlignedRows, ReadError> {
        let left = self.shape.rows - self.next_row;
        let dim = self.shape.dim;
        let too_large = ReadFault::TooLarge { rows: left as u64, dim: dim as u64 };
        let Ok(mut rows) = AlignedRows::with_capacity(left, dim) else {
            return Err(self.error(self.offset, too_large));
        };
        let mut row = vec![0.0; if left == 0 { 0 } else { dim }];
        while self.next_row < self.shape.rows && self.next_f32(&mut row)? {
            if rows.push(&row).is_err() {
                return Err(self.error(self.offset, too_large));
            }
        }
        Ok(rows)
    }

    /// Reads every row that is left of a file of i32 into memory, one after the other.
    ///
    /// # Errors
    /// As [`RowReader::next_i32`]; and more rows than fit into memory.
    pub fn load_i32(mut self) -> Result<Vec<i32>, ReadError> {
        let left = self.shape.rows - self.next_row;
        let dim = self.shape.dim;
        let mut all = Vec::new();
        if left.checked_mul(dim).is_none_or(|n| all.try_reserve_exact(n).is_err()) {
            let fault = ReadFault::TooLarge { rows: left as u64, dim: dim as u64 };
            return Err(self.error(self.offset, fault));
        }
        let mut row = vec![0; if left == 0 { 0 } else { dim }];
        while self.next_row < self.shape.rows && self.next_i32(&mut row)? {
            all.extend_from_slice(&row);
        }
        Ok(all)
    }

    /// Fills `self.row` with the next record; `false` after the last.
    fn next_bytes(&mut self) -> Result<bool, ReadError> {
        if self.next_row == self.shape.rows {
            return Ok(false);
        }
        // Row 0's dimension was read with the header.
        if self.shape.framed && self.next_row > 0 {
            let mut b = [0; 4];
            self.fill_from(&mut b)?;
            let (found, expected) = (i32::from_le_bytes(b), self.shape.dim);
            if usize::try_from(found).ok() != Some(expected) {
                let fault =
                    ReadFault::DimChanged { row: self.next_row, expected, found: i64::from(found) };
                return Err(self.error(self.offset - 4, fault));
            }
        }
        let mut row = std::mem::take(&mut self.row);
        let done = self.fill_from(&mut row);
        self.row = row;
        done?;
        self.next_row += 1;
        Ok(true)
    }

    fn fill_from(&mut self, out: &mut [u8]) -> Result<(), ReadError> {
        match self.reader.read_exact(out) {
            Ok(()) => {
                self.offset += out.len() as u64;
                Ok(())
            }
            Err(e) => Err(self.error(self.offset, ReadFault::Io(e))),
        }
    }

    fn error(&self, at: u64, fault: ReadFault) -> ReadError {
        ReadError::new(&self.file, at, fault)
    }
}

impl<R> fmt::Debug for RowReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowReader")
            .field("file", &self.file)
            .field("rows", &self.shape.rows)
            .field("dim", &self.shape.dim)
            .field("element", &self.shape.element)
            .field("next_row", &self.next_row)
            .finish_non_exhaustive()
    }
}

/// Narrows a row to f32; the first column and value for which `keep` says no.
fn narrow<const N: usize>(
    out: &mut [f32],
    row: &[u8],
    decode: impl Fn([u8; N]) -> f64,
    keep: impl Fn(f64, f32) -> bool,
) -> Option<(usize, f64)> {
    for (column, (v, b)) in out.iter_mut().zip(row.as_chunks().0).enumerate() {
        let wide = decode(*b);
        *v = wide as f32;
        if !keep(wide, *v) {
            return Some((column, wide));
        }
    }
    None
}

/// A bounded cursor over a file's beginning.
struct Head<'a, R> {
    reader: &'a mut BufReader<R>,
    file: &'a Path,
    at: u64,
    len: u64,
}

impl<R: Read> Head<'_, R> {
    fn error(&self, at: u64, fault: ReadFault) -> ReadError {
        ReadError::new(self.file, at, fault)
    }

    /// The next bytes, after a check that the file has them.
    fn take(&mut self, out: &mut [u8]) -> Result<(), ReadError> {
        let needed = self.at + out.len() as u64;
        if needed > self.len {
            return Err(self.error(self.at, ReadFault::ShortHeader { needed, found: self.len }));
        }
        self.reader.read_exact(out).map_err(|e| self.error(self.at, ReadFault::Io(e)))?;
        self.at = needed;
        Ok(())
    }

    fn u32(&mut self) -> Result<u32, ReadError> {
        let mut b = [0; 4];
        self.take(&mut b)?;
        Ok(u32::from_le_bytes(b))
    }

    /// A dimension within the limits; `at` is where it stands.
    fn dim(&self, at: u64, found: i64) -> Result<usize, ReadError> {
        match usize::try_from(found) {
            Err(_) | Ok(0) => Err(self.error(at, ReadFault::DimNotPositive { found })),
            Ok(dim) if dim > MAX_DIM => {
                Err(self.error(at, ReadFault::DimTooLarge { found: dim as u64 }))
            }
            Ok(dim) => Ok(dim),
        }
    }

    /// Rows that a header claims: the rest of the file must be exactly they.
    fn counted_shape(
        &self,
        at: u64,
        rows: u64,
        dim: usize,
        element: Element,
    ) -> Result<Shape, ReadError> {
        let dim64 = dim as u64;
        let too_large = || self.error(at, ReadFault::TooLarge { rows, dim: dim64 });
        let body = rows.checked_mul(dim64 * element.size() as u64).ok_or_else(too_large)?;
        let expected = body.checked_add(self.at).ok_or_else(too_large)?;
        if expected != self.len {
            let found = self.len;
            return Err(
                self.error(at, ReadFault::SizeMismatch { rows, dim: dim64, expected, found })
            );
        }
        self.shape(at, rows, dim, element, false)
    }

    fn shape(
        &self,
        at: u64,
        rows: u64,
        dim: usize,
        element: Element,
        framed: bool,
    ) -> Result<Shape, ReadError> {
        match usize::try_from(rows) {
            Ok(rows) if rows as u64 <= MAX_ROWS => {
                Ok(Shape { rows, dim, element, start: self.at, framed })
            }
            _ => Err(self.error(at, ReadFault::TooLarge { rows, dim: dim as u64 })),
        }
    }
}

/// The head of a format whose records carry their dimension.
fn framed<R: Read>(head: &mut Head<'_, R>, element: Element) -> Result<Shape, ReadError> {
    if head.len == 0 {
        return Err(head.error(0, ReadFault::Empty));
    }
    let found = i64::from(head.u32()?.cast_signed());
    let dim = head.dim(0, found)?;
    let record = 4 + (dim * element.size()) as u64;
    if !head.len.is_multiple_of(record) {
        return Err(head.error(0, ReadFault::PartialRecord { record, file_len: head.len }));
    }
    head.shape(0, head.len / record, dim, element, true)
}

/// The head of a format that starts with rows and dimension.
fn counted<R: Read>(head: &mut Head<'_, R>, element: Element) -> Result<Shape, ReadError> {
    let rows = u64::from(head.u32()?);
    let found = i64::from(head.u32()?);
    let dim = head.dim(4, found)?;
    head.counted_shape(0, rows, dim, element)
}
