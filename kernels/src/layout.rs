//! Where vectors lie: borrowed rows of any stride, and owned rows on 64-byte boundaries.
//!
//! ```text
//! AlignedRows, dim 5:   |x0 x1 x2 x3 x4 0 0 0 0 0 0 0 0 0 0 0|y0 y1 ...     stride 16 = 64 bytes
//!                       ^ 64-byte boundary                  ^ next row      pad is zero
//! ```
#![allow(unsafe_code, reason = "viewing cache lines as a slice of elements, in two functions")]

use core::fmt;
use core::marker::PhantomData;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Rows of equal length in borrowed memory: row `i` is `data[i * stride..][..dim]`.
#[derive(Clone, Copy)]
pub struct RowsRef<'a, T> {
    data: &'a [T],
    len: usize,
    dim: usize,
    stride: usize,
}

impl<'a, T> RowsRef<'a, T> {
    /// Rows of `dim` elements, `stride` elements apart. The last row may end where `data` ends,
    /// without its pad. Rows of no elements are rows as long as they have a stride.
    ///
    /// # Errors
    /// `stride < dim`, `stride == 0`, or a `data` whose length is no whole number of rows.
    pub fn new(data: &'a [T], dim: usize, stride: usize) -> Result<Self, LayoutError> {
        if stride == 0 {
            return Err(LayoutError::ZeroDim);
        }
        if stride < dim {
            return Err(LayoutError::StrideBelowDim { stride, dim });
        }
        let (whole, rest) = (data.len() / stride, data.len() % stride);
        let len = match rest {
            0 => whole,
            r if r >= dim => whole + 1,
            _ => return Err(LayoutError::RaggedData { elements: data.len(), dim, stride }),
        };
        Ok(Self { data, len, dim, stride })
    }

    /// Rows without a gap between them.
    ///
    /// # Errors
    /// `dim == 0`, or a `data` whose length is no multiple of `dim`.
    pub fn packed(data: &'a [T], dim: usize) -> Result<Self, LayoutError> {
        Self::new(data, dim, dim)
    }

    /// How many rows.
    #[inline(always)]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements of a row.
    #[inline(always)]
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Elements between the starts of two rows.
    #[inline(always)]
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If `i >= self.len()`.
    #[inline(always)]
    #[must_use]
    pub fn row(&self, i: usize) -> &'a [T] {
        // One comparison a row: the loops need no promise from their callers.
        assert!(i < self.len, "row id out of range");
        // SAFETY: `new` checked that `len` rows fit: (len - 1) * stride + dim <= data.len(), and
        // `i < len` was asserted above.
        unsafe { self.data.get_unchecked(i * self.stride..i * self.stride + self.dim) }
    }

    /// The `N` rows from `first` on, for one comparison.
    ///
    /// # Panics
    /// If there are not as many.
    #[allow(dead_code, reason = "not every architecture has kernels that ask")]
    #[inline(always)]
    #[must_use]
    pub(crate) fn block<const N: usize>(&self, first: usize) -> [&'a [T]; N] {
        assert!(first < self.len && self.len - first >= N, "row ids out of range");
        let mut rows: [&'a [T]; N] = [&[]; N];
        for (i, row) in rows.iter_mut().enumerate() {
            let start = (first + i) * self.stride;
            // SAFETY: as in `row`: `first + i < len` was asserted above.
            *row = unsafe { self.data.get_unchecked(start..start + self.dim) };
        }
        rows
    }

    /// All elements of all rows, if there is no gap between rows.
    #[inline(always)]
    #[must_use]
    pub fn contiguous(&self) -> Option<&'a [T]> {
        (self.stride == self.dim).then_some(self.data)
    }

    /// The rows `from..to`, as rows.
    ///
    /// # Panics
    /// If `from > to` or `to > self.len()`.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.len, "rows {from}..{to} of {}", self.len);
        let end = if to == self.len { self.data.len() } else { to * self.stride };
        // Elements without a size may be so many that the end behind the last pad is no number.
        let start = from.saturating_mul(self.stride).min(end);
        Self { data: &self.data[start..end], len: to - from, ..*self }
    }

    /// The elements `from..to` of every row, as rows: nothing is copied.
    ///
    /// # Panics
    /// If `from > to` or `to > self.dim()`.
    #[must_use]
    pub fn columns(&self, from: usize, to: usize) -> Self {
        assert!(from <= to && to <= self.dim, "columns {from}..{to} of {}", self.dim);
        // The last row may have no pad: what is left of it is as long as it was, less `from`.
        let data = &self.data[from.min(self.data.len())..];
        Self { data, dim: to - from, ..*self }
    }
}

impl<T> fmt::Debug for RowsRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowsRef")
            .field("len", &self.len)
            .field("dim", &self.dim)
            .field("stride", &self.stride)
            .finish()
    }
}

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

const ZERO: Line = Line([0; LINE]);

mod sealed {
    pub trait Sealed {}
}

/// What rows may be made of: numbers without padding for which every pattern of bits is a value.
pub trait Element: sealed::Sealed + Copy + Default + Send + Sync + fmt::Debug + 'static {}

macro_rules! elements {
    ($($t:ty)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {}
        const _: () = assert!(LINE.is_multiple_of(size_of::<$t>()) && align_of::<$t>() <= LINE);
    )*};
}

elements! { f32 f64 u8 i8 u16 u32 i32 half::f16 half::bf16 }

/// Owned rows on 64-byte boundaries: the stride is rounded up to 64 bytes unless another is asked
/// for, and the pad is zero.
#[derive(Clone)]
pub struct AlignedRows<T = f32> {
    lines: Vec<Line>,
    len: usize,
    dim: usize,
    stride: usize,
    element: PhantomData<T>,
}

impl<T: Element> AlignedRows<T> {
    /// `len` rows of `dim` zeros.
    ///
    /// # Errors
    /// `dim == 0`, or a size beyond the address space or the memory at hand.
    pub fn zeroed(len: usize, dim: usize) -> Result<Self, LayoutError> {
        let mut rows = Self::with_capacity(len, dim)?;
        rows.lines.resize(rows.lines_for(len).unwrap_or(0), ZERO);
        rows.len = len;
        Ok(rows)
    }

    /// No rows yet, room for `len` of `dim` elements.
    ///
    /// # Errors
    /// As [`AlignedRows::zeroed`].
    pub fn with_capacity(len: usize, dim: usize) -> Result<Self, LayoutError> {
        let line = LINE / size_of::<T>();
        let stride = dim.checked_next_multiple_of(line);
        Self::with_stride(len, dim, stride.ok_or(LayoutError::TooLarge { rows: len, dim })?)
    }

    /// No rows yet, room for `len` of `dim` elements that lie `stride` elements apart. The first row
    /// lies on a 64-byte boundary, and so does every other if the stride is whole lines.
    ///
    /// # Errors
    /// `dim == 0`, `stride < dim`, or a size beyond the address space or the memory at hand.
    pub fn with_stride(len: usize, dim: usize, stride: usize) -> Result<Self, LayoutError> {
        if dim == 0 {
            return Err(LayoutError::ZeroDim);
        }
        if stride < dim {
            return Err(LayoutError::StrideBelowDim { stride, dim });
        }
        // A row must have a length in bytes, even if there is none yet.
        if stride > isize::MAX as usize / 32 {
            return Err(LayoutError::TooLarge { rows: len, dim });
        }
        let mut rows = Self { lines: Vec::new(), len: 0, dim, stride, element: PhantomData };
        rows.reserve_exact(len)?;
        Ok(rows)
    }

    /// Copies packed rows: row `i` is `data[i * dim..][..dim]`.
    ///
    /// # Errors
    /// `dim == 0`, a length that is no multiple of `dim`, or too little memory.
    pub fn from_packed(data: &[T], dim: usize) -> Result<Self, LayoutError> {
        let rows = RowsRef::packed(data, dim)?;
        let mut owned = Self::with_capacity(rows.len(), dim)?;
        for i in 0..rows.len() {
            owned.push(rows.row(i))?;
        }
        Ok(owned)
    }

    /// Makes room for `more` rows and no further.
    ///
    /// # Errors
    /// Too little memory; the rows are as before.
    pub fn reserve_exact(&mut self, more: usize) -> Result<(), LayoutError> {
        let rows = self.len.saturating_add(more);
        let too_large = LayoutError::TooLarge { rows, dim: self.dim };
        let lines = self.lines_for(rows).ok_or(too_large)?;
        let missing = lines.saturating_sub(self.lines.len());
        self.lines.try_reserve_exact(missing).map_err(|_| too_large)
    }

    /// Appends a row.
    ///
    /// # Errors
    /// A row of another length, or too little memory.
    pub fn push(&mut self, row: &[T]) -> Result<(), LayoutError> {
        if row.len() != self.dim {
            return Err(LayoutError::RowLength { found: row.len(), dim: self.dim });
        }
        self.push_with(|new| new.copy_from_slice(row))
    }

    /// Appends a row of zeros and has it written in its place.
    ///
    /// # Errors
    /// Too little memory; nothing is appended.
    pub fn push_with(&mut self, write: impl FnOnce(&mut [T])) -> Result<(), LayoutError> {
        let too_large = LayoutError::TooLarge { rows: self.len + 1, dim: self.dim };
        let lines = self.lines_for(self.len + 1).ok_or(too_large)?;
        let missing = lines.saturating_sub(self.lines.len());
        self.lines.try_reserve(missing).map_err(|_| too_large)?;
        self.lines.resize(lines.max(self.lines.len()), ZERO);
        self.len += 1;
        write(self.row_mut(self.len - 1));
        Ok(())
    }

    /// Drops the rows from `len` on; none if there are not as many.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        let (stride, old) = (self.stride, self.len);
        self.len = len;
        // What a later row finds must be zero, and lines may be shared.
        self.elements_mut()[len * stride..old * stride].fill(T::default());
        let lines = self.lines_for(len).unwrap_or(0);
        self.lines.truncate(lines);
        // Half of it empty: given back, so that dropping rows shrinks what is held.
        if lines <= self.lines.capacity() / 2 {
            self.lines.shrink_to(lines);
        }
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Elements of a row.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Elements between the starts of two rows.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Bytes that the rows take, pads included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    /// Bytes that are reserved, at least [`bytes`](Self::bytes).
    #[must_use]
    pub fn capacity_bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    /// All rows.
    #[must_use]
    pub fn view(&self) -> RowsRef<'_, T> {
        let data = &self.elements()[..self.len * self.stride];
        RowsRef { data, len: self.len, dim: self.dim, stride: self.stride }
    }

    /// Row `i`.
    ///
    /// # Panics
    /// If `i >= self.len()`.
    #[must_use]
    pub fn row(&self, i: usize) -> &[T] {
        self.view().row(i)
    }

    /// Row `i`, to be written; its pad is out of reach and stays zero.
    ///
    /// # Panics
    /// If `i >= self.len()`.
    #[must_use]
    pub fn row_mut(&mut self, i: usize) -> &mut [T] {
        assert!(i < self.len, "row {i} of {}", self.len);
        let (stride, dim) = (self.stride, self.dim);
        &mut self.elements_mut()[i * stride..][..dim]
    }

    /// Cache lines of `rows` rows.
    fn lines_for(&self, rows: usize) -> Option<usize> {
        let bytes = rows.checked_mul(self.stride)?.checked_mul(size_of::<T>())?;
        Some(bytes.div_ceil(LINE))
    }

    fn elements(&self) -> &[T] {
        let len = self.lines.len() * (LINE / size_of::<T>());
        // SAFETY: `Element` is implemented for numbers whose size divides LINE, whose alignment is
        // at most a line's, and for which any bytes are a value (`elements!`); all lines are
        // initialised, and borrowed as long as `self`.
        unsafe { core::slice::from_raw_parts(self.lines.as_ptr().cast(), len) }
    }

    fn elements_mut(&mut self) -> &mut [T] {
        let len = self.lines.len() * (LINE / size_of::<T>());
        // SAFETY: as in `elements`; `&mut self` makes the view the only one.
        unsafe { core::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), len) }
    }
}

const _: () = assert!(size_of::<Line>() == LINE);

impl<T> fmt::Debug for AlignedRows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedRows").field("len", &self.len).field("dim", &self.dim).finish()
    }
}

/// Why rows cannot be laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// A row has no element.
    ZeroDim,
    /// Rows would overlap.
    StrideBelowDim {
        /// Elements between rows, as given.
        stride: usize,
        /// Elements of a row.
        dim: usize,
    },
    /// The elements are no whole number of rows.
    RaggedData {
        /// How many elements were given.
        elements: usize,
        /// Elements of a row.
        dim: usize,
        /// Elements between rows.
        stride: usize,
    },
    /// A row of another length than the others.
    RowLength {
        /// Its elements.
        found: usize,
        /// Elements of the other rows.
        dim: usize,
    },
    /// More memory than there is.
    TooLarge {
        /// Rows asked for.
        rows: usize,
        /// Elements of a row.
        dim: usize,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ZeroDim => write!(f, "rows of dimension 0: a row needs at least one element"),
            Self::StrideBelowDim { stride, dim } => {
                write!(f, "stride {stride} is below the dimension {dim}: rows would overlap")
            }
            Self::RaggedData { elements, dim, stride } => write!(
                f,
                "{elements} elements are no whole number of rows of dimension {dim}, stride {stride}"
            ),
            Self::RowLength { found, dim } => {
                write!(f, "a row of {found} elements among rows of {dim}")
            }
            Self::TooLarge { rows, dim } => {
                write!(f, "{rows} rows of dimension {dim} do not fit into memory")
            }
        }
    }
}

impl core::error::Error for LayoutError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_may_end_without_their_pad() {
        let data = [1, 2, 0, 3, 4];
        let rows = RowsRef::new(&data, 2, 3).unwrap();
        assert_eq!((rows.len(), rows.row(0), rows.row(1)), (2, &[1, 2][..], &[3, 4][..]));
        assert_eq!(rows.slice(1, 2).row(0), [3, 4]);
        assert!(rows.slice(2, 2).is_empty());
    }

    #[test]
    fn columns_are_rows_of_the_same_memory() {
        let data = [1, 2, 3, 0, 4, 5, 6];
        let rows = RowsRef::new(&data, 3, 4).unwrap();
        let right = rows.columns(1, 3);
        assert_eq!((right.row(0), right.row(1)), (&[2, 3][..], &[5, 6][..]));
        assert_eq!((right.len(), right.dim(), right.stride()), (2, 2, 4));
        assert_eq!(right.slice(1, 2).row(0), [5, 6]);
        assert_eq!(right.columns(1, 2).row(1), [6]);
        assert_eq!(right.slice(0, 1).columns(2, 2).row(0), []);
        assert!(rows.slice(2, 2).columns(3, 3).is_empty());
        assert!(right.contiguous().is_none());
    }

    #[test]
    #[should_panic(expected = "columns 1..4 of 3")]
    fn columns_past_the_end_panic() {
        let _ = RowsRef::packed(&[1, 2, 3], 3).unwrap().columns(1, 4);
    }

    #[test]
    fn ragged_data_is_refused() {
        assert!(matches!(RowsRef::packed(&[0.0; 5], 2), Err(LayoutError::RaggedData { .. })));
        assert!(matches!(RowsRef::new(&[0.0; 4], 2, 1), Err(LayoutError::StrideBelowDim { .. })));
        assert_eq!(RowsRef::<f32>::packed(&[], 0).unwrap_err(), LayoutError::ZeroDim);
        assert!(matches!(
            AlignedRows::<f32>::zeroed(usize::MAX, 17),
            Err(LayoutError::TooLarge { .. })
        ));
    }

    #[test]
    #[should_panic(expected = "row id out of range")]
    fn a_row_past_the_end_panics() {
        let rows = AlignedRows::<f32>::zeroed(2, 3).unwrap();
        let _ = rows.view().row(2);
    }

    #[test]
    fn owned_rows_are_aligned_and_padded_with_zeros() {
        let mut rows = AlignedRows::from_packed(&[1.0_f32, 2.0, 3.0, 4.0], 2).unwrap();
        rows.push(&[5.0, 6.0]).unwrap();
        rows.row_mut(1)[0] = 9.0;
        assert_eq!(rows.row(1), [9.0, 4.0]);
        assert_eq!(rows.row(2).as_ptr().align_offset(64), 0);
        assert!(rows.elements()[2..16].iter().all(|&x| x == 0.0));
        assert_eq!(rows.push(&[0.0]), Err(LayoutError::RowLength { found: 1, dim: 2 }));
    }

    #[test]
    fn rows_of_any_element_and_stride_are_zero_again_after_truncation() {
        let mut rows = AlignedRows::<u8>::with_stride(3, 5, 7).unwrap();
        for v in 1..=20u8 {
            rows.push(&[v; 5]).unwrap();
        }
        assert_eq!((rows.row(19), rows.bytes()), (&[20; 5][..], 192));
        rows.truncate(2);
        assert_eq!((rows.len(), rows.bytes()), (2, 64));
        rows.push_with(|new| assert_eq!(new, [0; 5])).unwrap();
        assert_eq!(rows.view().row(1), [2; 5]);
        assert!(AlignedRows::<u8>::with_stride(1, 5, 4).is_err());
    }
}
