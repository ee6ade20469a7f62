//! Tables: centroids, partial distances in `f32` and in `u8`, distances between centroids.

use core::fmt;

use crate::layout::LayoutError;

/// The centroids of every sub-space, `K` each, element by element.
///
/// ```text
/// element 0 of the vector   |c0 c1 c2 ... c(K-1)|   that element of each centroid of sub-space 0
/// element 1                 |c0 c1 c2 ... c(K-1)|
/// ...                                               dsub rows belong to a sub-space; the last
/// element dim - 1           |c0 c1 c2 ... c(K-1)|   sub-space may have fewer
/// ```
///
/// So the centroids of a sub-space lie side by side in a register, whatever `dsub` is.
#[derive(Clone, Copy)]
pub struct Codebook<'a, const K: usize> {
    elements: &'a [[f32; K]],
    dsub: usize,
}

impl<'a, const K: usize> Codebook<'a, K> {
    /// A codebook for vectors of `dim` elements, cut into sub-spaces of `dsub`:
    /// `data[i * K + k]` is element `i` of centroid `k` of sub-space `i / dsub`.
    ///
    /// # Errors
    /// `dsub == 0`, or a `data` that is not `dim * K` elements.
    pub fn new(data: &'a [f32], dim: usize, dsub: usize) -> Result<Self, LayoutError> {
        if dsub == 0 {
            return Err(LayoutError::ZeroDim);
        }
        let (elements, rest) = data.as_chunks();
        if elements.len() != dim || !rest.is_empty() {
            return Err(LayoutError::RaggedData { elements: data.len(), dim, stride: K });
        }
        Ok(Self { elements, dsub })
    }

    /// Lays centroids out for [`Codebook::new`]: element `j` of centroid `k` of sub-space `s` is
    /// `centroids[s * K * dsub + k * d + j]`, `d` being `dsub` except for the last sub-space where
    /// `dim` is no multiple of it.
    ///
    /// # Errors
    /// `dsub == 0`, or `centroids` that are not `dim * K` elements.
    pub fn transpose(centroids: &[f32], dim: usize, dsub: usize) -> Result<Vec<f32>, LayoutError> {
        Codebook::<K>::new(centroids, dim, dsub)?;
        let mut out = vec![0.0; centroids.len()];
        for start in (0..dim).step_by(dsub) {
            let d = dsub.min(dim - start);
            for k in 0..K {
                for j in 0..d {
                    out[(start + j) * K + k] = centroids[start * K + k * d + j];
                }
            }
        }
        Ok(out)
    }

    /// Elements of a vector.
    #[inline(always)]
    #[must_use]
    pub fn dim(&self) -> usize {
        self.elements.len()
    }

    /// Elements of a sub-space; the last may have fewer.
    #[inline(always)]
    #[must_use]
    pub fn dsub(&self) -> usize {
        self.dsub
    }

    /// Sub-spaces.
    #[inline(always)]
    #[must_use]
    pub fn m(&self) -> usize {
        self.elements.len().div_ceil(self.dsub)
    }

    /// For each sub-space, its elements of every centroid.
    #[inline(always)]
    pub(crate) fn sub_spaces(&self) -> core::slice::Chunks<'a, [f32; K]> {
        self.elements.chunks(self.dsub)
    }
}

impl<const K: usize> fmt::Debug for Codebook<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codebook(dim {}, dsub {}, {K} centroids)", self.dim(), self.dsub)
    }
}

/// Sub-spaces of a table for `m` of them: tables of nibbles are padded to whole registers of four.
pub(crate) const fn padded(m: usize, k: usize) -> usize {
    if k == 16 { m.next_multiple_of(4) } else { m }
}

/// A borrowed table of `u8` entries: `K` for each of `m` sub-spaces, and for `K` = 16 those of a
/// pad of zeros up to a multiple of four sub-spaces.
#[derive(Clone, Copy)]
pub struct LutRef<'a, const K: usize> {
    entries: &'a [[u8; K]],
    m: usize,
}

impl<'a, const K: usize> LutRef<'a, K> {
    /// The table of `m` sub-spaces: entry `k` of sub-space `s` is `data[s * K + k]`. Codes are
    /// padded with zeros, so entry 0 of each pad is added to every sum: let it be zero.
    ///
    /// # Errors
    /// A `data` of another length than that of `m` sub-spaces and their pad.
    pub fn new(data: &'a [u8], m: usize) -> Result<Self, LayoutError> {
        let (entries, rest) = data.as_chunks();
        if entries.len() != padded(m, K) || !rest.is_empty() {
            return Err(LayoutError::RaggedData { elements: data.len(), dim: m, stride: K });
        }
        Ok(Self { entries, m })
    }

    /// Sub-spaces, without the pad.
    #[inline(always)]
    #[must_use]
    pub fn m(&self) -> usize {
        self.m
    }

    /// The entries, with the pad.
    #[inline(always)]
    #[must_use]
    pub fn entries(&self) -> &'a [[u8; K]] {
        self.entries
    }
}

impl<const K: usize> fmt::Debug for LutRef<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LutRef({} sub-spaces of {K})", self.m)
    }
}

/// A table of partial distances in bytes: one scale for all of it, a bias for each sub-space.
///
/// With `low(s)` the smallest entry of sub-space `s` and `span` the largest difference between two
/// entries of one sub-space, `scale = span / 255` and a byte is `(entry - low(s)) / scale`, rounded
/// to nearest. A sum of bytes then stands for `sum of low(s) + scale * sum`, at most
/// `m * scale / 2` from the sum of the entries: [`QuantizedLut::error`]. Order among rows needs no
/// conversion: a smaller sum is a smaller value.
#[derive(Clone, Debug, Default)]
pub struct QuantizedLut<const K: usize> {
    entries: Vec<u8>,
    m: usize,
    bias: f64,
    scale: f64,
}

impl<const K: usize> QuantizedLut<K> {
    /// The table `lut` in bytes.
    ///
    /// # Errors
    /// An entry that is infinite or NaN, or a span beyond `f64`; which cannot be told in bytes.
    pub fn new(lut: &[[f32; K]]) -> Result<Self, NotFinite> {
        let mut new = Self { entries: Vec::new(), m: 0, bias: 0.0, scale: 0.0 };
        new.fill(lut)?;
        Ok(new)
    }

    /// The table `lut` in bytes, in the memory of this one. After an error this one is empty.
    ///
    /// # Errors
    /// As [`QuantizedLut::new`].
    pub fn fill(&mut self, lut: &[[f32; K]]) -> Result<(), NotFinite> {
        self.entries.clear();
        (self.m, self.bias, self.scale) = (0, 0.0, 0.0);
        let (mut bias, mut span) = (0.0, 0.0f64);
        for (sub_space, table) in lut.iter().enumerate() {
            let (low, high) = ends(table);
            if !(low.is_finite() && high.is_finite()) {
                return Err(NotFinite { sub_space });
            }
            bias += f64::from(low);
            span = span.max(f64::from(high) - f64::from(low));
        }
        let inverse = if span > 0.0 { 255.0 / span } else { 0.0 };
        self.entries.resize(padded(lut.len(), K) * K, 0);
        for (bytes, table) in self.entries.chunks_exact_mut(K).zip(lut) {
            let low = f64::from(ends(table).0);
            for (byte, &entry) in bytes.iter_mut().zip(table) {
                // In 0..=255, so adding 2^52 rounds to nearest and leaves the number in the lowest
                // bits; a conversion would be one value at a time.
                *byte =
                    ((f64::from(entry) - low) * inverse + 4_503_599_627_370_496.0).to_bits() as u8;
            }
        }
        (self.m, self.bias, self.scale) = (lut.len(), bias, span / 255.0);
        Ok(())
    }

    /// The entries, for the kernels.
    ///
    /// # Panics
    /// Never: the entries were laid out for it.
    #[must_use]
    pub fn view(&self) -> LutRef<'_, K> {
        LutRef { entries: self.entries.as_chunks().0, m: self.m }
    }

    /// The distance that a sum of bytes stands for.
    #[must_use]
    pub fn value(&self, sum: u32) -> f32 {
        (self.bias + self.scale * f64::from(sum)) as f32
    }

    /// How far [`QuantizedLut::value`] may be from the exact sum of the `f32` entries, before its
    /// last rounding to `f32`: `m * scale / 2`.
    #[must_use]
    pub fn error(&self) -> f64 {
        self.m as f64 * self.scale / 2.0
    }
}

/// The smallest and the largest entry; NaN if an entry is not finite.
fn ends<const K: usize>(table: &[f32; K]) -> (f32, f32) {
    // Eight at a time, by comparisons: one after the other each would wait for the last.
    let (mut low, mut high, mut sum) = ([f32::INFINITY; 8], [f32::NEG_INFINITY; 8], [0.0; 8]);
    let (eights, over) = table.as_chunks::<8>();
    debug_assert!(over.is_empty());
    for entries in eights {
        for (i, &entry) in entries.iter().enumerate() {
            low[i] = if entry < low[i] { entry } else { low[i] };
            high[i] = if entry > high[i] { entry } else { high[i] };
            // NaN is lost in comparisons; times zero, it and infinity stay.
            sum[i] += entry * 0.0;
        }
    }
    let low = low.into_iter().fold(f32::INFINITY, f32::min);
    let high = high.into_iter().fold(f32::NEG_INFINITY, f32::max);
    if sum.iter().sum::<f32>() == 0.0 { (low, high) } else { (f32::NAN, f32::NAN) }
}

/// A table with an infinite entry or a NaN has no form in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFinite {
    /// The sub-space of the first such entry.
    pub sub_space: usize,
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the table of sub-space {} has an infinite entry or a NaN", self.sub_space)
    }
}

impl core::error::Error for NotFinite {}

/// Distances between centroids: for each sub-space `K` times `K`.
#[derive(Clone, Copy)]
pub struct SdcRef<'a, const K: usize> {
    tables: &'a [[[f32; K]; K]],
}

impl<'a, const K: usize> SdcRef<'a, K> {
    /// The distance between centroids `a` and `b` of sub-space `s` is
    /// `data[(s * K + a) * K + b]`.
    ///
    /// # Errors
    /// A `data` that is not `m * K * K` elements.
    pub fn new(data: &'a [f32], m: usize) -> Result<Self, LayoutError> {
        let (lines, rest) = data.as_chunks();
        let (tables, lines_over) = lines.as_chunks();
        if tables.len() != m || !rest.is_empty() || !lines_over.is_empty() {
            return Err(LayoutError::RaggedData { elements: data.len(), dim: m, stride: K });
        }
        Ok(Self { tables })
    }

    /// Sub-spaces.
    #[inline(always)]
    #[must_use]
    pub fn m(&self) -> usize {
        self.tables.len()
    }

    /// The table of each sub-space.
    #[inline(always)]
    pub(crate) fn tables(&self) -> &'a [[[f32; K]; K]] {
        self.tables
    }
}

impl<const K: usize> fmt::Debug for SdcRef<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SdcRef({} sub-spaces of {K})", self.m())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_bytes_is_within_its_error() {
        let lut: Vec<[f32; 16]> =
            (0..5).map(|s| core::array::from_fn(|k| (s * s) as f32 - (k * k) as f32)).collect();
        let quantized = QuantizedLut::new(&lut).unwrap();
        assert_eq!(quantized.view().entries().len(), 8, "padded to a multiple of four");
        for k in 0..16 {
            let sum: f32 = lut.iter().map(|table| table[k]).sum();
            let bytes: u32 = quantized.view().entries().iter().map(|t| u32::from(t[k])).sum();
            let pad: u32 = quantized.view().entries()[5..].iter().map(|t| u32::from(t[k])).sum();
            assert_eq!(pad, 0);
            let off = f64::from(quantized.value(bytes)) - f64::from(sum);
            assert!(off.abs() <= quantized.error() * (1.0 + 1e-6), "{off}");
        }
    }

    #[test]
    fn what_is_not_finite_is_refused_and_equal_entries_are_not() {
        let mut lut = [[1.5f32; 16]; 3];
        let flat = QuantizedLut::new(&lut).unwrap();
        assert_eq!((flat.value(0), flat.error()), (4.5, 0.0));
        for bad in [f32::NAN, f32::INFINITY] {
            lut[1][7] = bad;
            assert_eq!(QuantizedLut::new(&lut).unwrap_err(), NotFinite { sub_space: 1 });
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        assert!(LutRef::<16>::new(&[0; 64], 3).is_ok());
        assert!(LutRef::<16>::new(&[0; 48], 3).is_err());
        assert!(LutRef::<256>::new(&[0; 256], 2).is_err());
        assert!(Codebook::<16>::new(&[0.0; 33], 2, 1).is_err());
        assert!(Codebook::<16>::new(&[0.0; 32], 2, 0).is_err());
        assert!(SdcRef::<16>::new(&[0.0; 256], 1).is_ok());
        assert!(SdcRef::<16>::new(&[0.0; 255], 1).is_err());
    }

    #[test]
    fn centroids_are_laid_out_element_by_element() {
        // Three elements, sub-spaces of two: the last has one.
        let centroids: Vec<f32> = (0..48).map(|i| i as f32).collect();
        let data = Codebook::<16>::transpose(&centroids, 3, 2).unwrap();
        assert_eq!((data[5], data[16 + 5], data[32 + 5]), (10.0, 11.0, 37.0));
    }
}
