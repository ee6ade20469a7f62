//! Vectors of length one: what cosine runs on.

use annvil_kernels::{BindError, Bound, Forced, Residence, Row, resolve};

/// The kernel of squared norms for a dimension.
pub(crate) fn norms(dim: usize) -> Result<Bound<Row<f32>>, BindError> {
    resolve("f32/norm_sq/row", dim, Residence::Cache, &Forced::default())
}

/// Divides a vector by its norm, in its place, and says what the norm was; a zero vector stays zero,
/// which gives every cosine distance the value 1 that it must have.
pub(crate) fn to_unit(vector: &mut [f32]) -> Result<f32, BindError> {
    Ok(scale_to_unit(&norms(vector.len())?, vector))
}

/// As [`to_unit`], with the kernel at hand.
pub(crate) fn scale_to_unit(norm_sq: &Bound<Row<f32>>, vector: &mut [f32]) -> f32 {
    // Squares of very small or large elements leave f32: then bring the largest near 1 first, by a
    // power of two, which changes no direction.
    let sum = norm_sq.call(vector);
    if (1e-30..=1e30).contains(&sum) {
        let norm = f64::from(sum).sqrt();
        times(vector, 1.0 / norm);
        return norm as f32;
    }
    let largest = vector.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    let scale = (-f64::from(largest).log2().floor()).exp2();
    times(vector, scale);
    let norm = f64::from(norm_sq.call(vector)).sqrt();
    times(vector, 1.0 / norm);
    (norm / scale) as f32
}

fn times(vector: &mut [f32], by: f64) {
    vector.iter_mut().for_each(|v| *v = (f64::from(*v) * by) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_scale_comes_to_length_one_and_back() {
        for scale in [1e-38f32, 1e-20, 1.0, 1e20, 1e38] {
            let mut v = [0.6 * scale, 0.8 * scale];
            let norm = to_unit(&mut v).unwrap();
            assert!((norm / scale - 1.0).abs() < 1e-5, "{scale}: {norm}");
            assert!((v[0] - 0.6).abs() < 1e-6 && (v[1] - 0.8).abs() < 1e-6, "{scale}: {v:?}");
        }
        let mut zero = [0.0; 3];
        assert_eq!((to_unit(&mut zero).unwrap(), zero), (0.0, [0.0; 3]));
    }
}
