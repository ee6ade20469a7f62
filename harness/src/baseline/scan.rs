//! Scans as found: columns swept one by one, a second pass of roots.

/// OPT-SIMD-5: vectors as columns with a stride of a power of two; the sums of all rows are read
/// and written once a dimension, by a multiplication and an addition.
#[derive(Debug)]
pub(crate) struct Columns {
    data: Vec<f32>,
    stride: usize,
    len: usize,
}

impl Columns {
    pub(crate) fn new<'a>(len: usize, dim: usize, row: impl Fn(usize) -> &'a [f32]) -> Self {
        let stride = len.next_power_of_two();
        let mut data = vec![0.0; stride * dim];
        for i in 0..len {
            for (d, &x) in row(i).iter().enumerate() {
                data[d * stride + i] = x;
            }
        }
        Self { data, stride, len }
    }

    /// Squared distances, without the roots.
    #[inline(never)]
    pub(crate) fn squared(&self, query: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for (&q, column) in query.iter().zip(self.data.chunks_exact(self.stride)) {
            for (o, &x) in out.iter_mut().zip(&column[..self.len]) {
                let d = x - q;
                *o += d * d;
            }
        }
    }
}

/// OPT-SIMD-4: the second pass.
#[inline(never)]
pub(crate) fn roots(squared: &[f32], out: &mut [f32]) {
    for (o, &x) in out.iter_mut().zip(squared) {
        *o = x.sqrt();
    }
}

/// What the report took that pass for: one root after the other.
#[inline(never)]
pub(crate) fn roots_one_by_one(squared: &[f32], out: &mut [f32]) {
    for (o, &x) in out.iter_mut().zip(squared) {
        *o = std::hint::black_box(x).sqrt();
    }
}

/// Codes of 4 bits by whole bytes: what a careful author writes without instructions of a CPU.
#[inline(never)]
pub(crate) fn byte_by_byte(a: &[u8], b: &[u8]) -> u32 {
    let mut sum = 0i32;
    for (&x, &y) in a.iter().zip(b) {
        let low = i32::from(x & 15) - i32::from(y & 15);
        let high = i32::from(x >> 4) - i32::from(y >> 4);
        sum += low * low + high * high;
    }
    sum as u32
}
