//! A random turn of space that takes n log n steps: after it no direction is special, and the signs
//! of a vector's elements say as much about it as they can.
//!
//! ```text
//! signs, Hadamard over the first 2^k elements, signs, Hadamard over the last 2^k     2 times
//! ```
//! Signs are random, so that the product of the steps is close to a turn drawn at random (Ailon and
//! Chazelle, 2009); lengths and angles stay as they are.

/// Repetitions of the two halves.
const ROUNDS: usize = 2;

/// A turn, drawn from a seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotation {
    dim: usize,
    /// The elements of one Hadamard step: the largest power of two that fits.
    span: usize,
    /// A sign for each element and step, as 1 or -1.
    signs: Vec<f32>,
}

impl Rotation {
    /// For vectors of `dim` elements.
    #[must_use]
    pub fn new(dim: usize, seed: u64) -> Self {
        let span = if dim == 0 { 0 } else { 1 << dim.ilog2() };
        let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
        let mut sign = || {
            // xorshift64* (Vigna, 2016).
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            let drawn = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
            if drawn >> 63 == 1 { -1.0 } else { 1.0 }
        };
        Self { dim, span, signs: (0..2 * ROUNDS * dim).map(|_| sign()).collect() }
    }

    /// Turns a vector, in its place.
    ///
    /// # Panics
    /// If it has another dimension.
    pub fn apply(&self, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        if self.dim < 2 {
            return;
        }
        let norm = 1.0 / (self.span as f32).sqrt();
        for (i, signs) in self.signs.chunks_exact(self.dim).enumerate() {
            vector.iter_mut().zip(signs).for_each(|(v, sign)| *v *= sign);
            let part = match i % 2 {
                0 => &mut vector[..self.span],
                _ => &mut vector[self.dim - self.span..],
            };
            hadamard(part);
            part.iter_mut().for_each(|v| *v *= norm);
        }
    }

    /// Turns a vector back, in its place.
    ///
    /// # Panics
    /// If it has another dimension.
    pub fn undo(&self, vector: &mut [f32]) {
        assert_eq!(vector.len(), self.dim, "a vector of another dimension");
        if self.dim < 2 {
            return;
        }
        let norm = 1.0 / (self.span as f32).sqrt();
        for (i, signs) in self.signs.chunks_exact(self.dim).enumerate().rev() {
            let part = match i % 2 {
                0 => &mut vector[..self.span],
                _ => &mut vector[self.dim - self.span..],
            };
            // But for its scale it is its own inverse.
            hadamard(part);
            part.iter_mut().for_each(|v| *v *= norm);
            vector.iter_mut().zip(signs).for_each(|(v, sign)| *v *= sign);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.signs.capacity() * size_of::<f32>()
    }
}

/// The sums and differences of all pairs, stride by stride; the length is a power of two.
fn hadamard(values: &mut [f32]) {
    // Strides 1, 2 and 4 of eight elements at a time: no loop, and one pass for three.
    let (eights, few) = values.as_chunks_mut::<8>();
    eights.iter_mut().for_each(eight);
    let mut half = if few.is_empty() { 8 } else { 1 };
    while half < values.len() {
        for block in values.chunks_exact_mut(2 * half) {
            let (a, b) = block.split_at_mut(half);
            for (x, y) in a.iter_mut().zip(b) {
                (*x, *y) = (*x + *y, *x - *y);
            }
        }
        half *= 2;
    }
}

fn eight(v: &mut [f32; 8]) {
    let [a, b, c, d, e, f, g, h] = *v;
    let (a, b, c, d) = (a + b, a - b, c + d, c - d);
    let (e, f, g, h) = (e + f, e - f, g + h, g - h);
    let (a, b, c, d) = (a + c, b + d, a - c, b - d);
    let (e, f, g, h) = (e + g, f + h, e - g, f - h);
    *v = [a + e, b + f, c + g, d + h, a - e, b - f, c - g, d - h];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_angles_stay() {
        for dim in [1, 2, 3, 64, 100, 384] {
            let rotation = Rotation::new(dim, 5);
            let a: Vec<f32> = (0..dim).map(|i| (i as f32 * 0.7).sin()).collect();
            let b: Vec<f32> = (0..dim).map(|i| (i as f32 * 1.3).cos()).collect();
            let (mut ra, mut rb) = (a.clone(), b.clone());
            rotation.apply(&mut ra);
            rotation.apply(&mut rb);
            let inner = |x: &[f32], y: &[f32]| {
                x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>()
            };
            assert!((inner(&a, &b) - inner(&ra, &rb)).abs() < 1e-4, "{dim}");
            assert!((inner(&a, &a) - inner(&ra, &ra)).abs() < 1e-4, "{dim}");
            rotation.undo(&mut ra);
            assert!(ra.iter().zip(&a).all(|(x, y)| (x - y).abs() < 1e-5), "{dim}");
        }
    }

    #[test]
    fn sums_and_differences_are_those_of_the_definition() {
        for k in 0..7 {
            let n = 1 << k;
            let mut values: Vec<f32> = (0..n).map(|i| (i * i % 11) as f32).collect();
            let sign = |i: usize, j: usize| if (i & j).count_ones() & 1 == 0 { 1.0 } else { -1.0 };
            let want: Vec<f32> =
                (0..n).map(|i| (0..n).map(|j| sign(i, j) * values[j]).sum()).collect();
            hadamard(&mut values);
            assert_eq!(values, want);
        }
    }

    #[test]
    fn one_element_is_spread_over_all_and_the_seed_tells() {
        let mut spike = [0.0; 96];
        spike[3] = 1.0;
        let mut other = spike;
        Rotation::new(96, 1).apply(&mut spike);
        Rotation::new(96, 2).apply(&mut other);
        assert!(spike.iter().all(|v| v.abs() < 0.5) && spike != other);
    }
}
