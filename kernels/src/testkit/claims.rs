//! What a variant is held to.

use super::cases::Family;
use crate::kernel::Technique;

/// Whether a variant is judged on numbers of a family, in vectors of `dim` elements.
///
/// Our own, and what is built over our arithmetic, always: also where NaN, infinities and underflow
/// come in. A foreign library is held to the value of ordinary numbers; what it does otherwise is
/// its own. SimSIMD takes two empty vectors for equal; here they are zero vectors, at cosine
/// distance 1.
#[must_use]
pub fn held(technique: Technique, family: Family, dim: usize) -> bool {
    let ordinary = matches!(family, Family::Uniform | Family::Lognormal | Family::Cancelling);
    technique != Technique::Simsimd || (ordinary && dim > 0)
}
