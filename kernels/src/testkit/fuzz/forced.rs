//! The text of a forced choice: whatever it is, it is read or refused.

use crate::set::{F32Kernels, Forced, Metric};

/// Longer texts repeat what shorter ones do.
pub(super) const BYTES: usize = 96;

/// Texts that are read, and their neighbours that are not.
pub(super) const SEEDS: [&str; 8] = [
    "f32/l2sq/*=avx2",
    "f32/*/*=scalar, f32/dot/pair=avx512-x4",
    "*/*/*=scalar,,",
    " i8 / dot / scan = avx512vnni ",
    "f32/l2sq/gather=avx2-r4-pf4,f32/cosine/scan_norms=avx512-r4",
    "f32/l2sq=scalar",
    "f32/l9/pair=scalar",
    "*/*/*=neon",
];

pub(super) fn check(text: &str) -> Result<u64, String> {
    let forced = match Forced::parse(text) {
        Ok(forced) => forced,
        Err(why) if why.to_string().is_empty() => return Err("an error without a text".to_owned()),
        Err(_) => return Ok(1),
    };
    let says_nothing = text.chars().all(|c| c == ',' || c.is_whitespace());
    if forced.is_empty() != says_nothing {
        return Err(format!("{text:?} is read as {forced:?}"));
    }
    for metric in Metric::ALL {
        for dim in [0, 7, 768] {
            // What was read names what can run here; only a form may be missing.
            if let Err(why) = F32Kernels::forced(metric, dim, &forced)
                && !matches!(why, crate::BindError::NoForm { .. })
            {
                return Err(format!("{text:?} is read, and then refused: {why}"));
            }
        }
    }
    Ok(1)
}
