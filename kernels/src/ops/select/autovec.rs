//! Plain loops that the compiler vectorises, once per target, chosen at run time by the crate
//! `multiversion`.
#![allow(unsafe_code, reason = "rows that name a level")]

use super::{KSmallest, Smallest};
use crate::isa::Level;
#[cfg(feature = "autovec")]
use crate::kernel::Entry;
use crate::kernel::{Technique, Variant};

#[cfg(feature = "autovec")]
mod imp {
    use multiversion::multiversion;

    use crate::shape::select::{SLACK, Scored, TopK, key};

    /// Scores looked at together.
    const LANES: usize = 16;

    #[multiversion(targets = "simd")]
    pub(super) fn select(scores: &[f32], first: u32, top: &mut TopK) {
        let mut id = first;
        for group in scores.chunks(LANES) {
            let limit = top.limit;
            if group.iter().fold(false, |any, &score| any | (score <= limit)) {
                if top.len + SLACK > top.keys.len() {
                    top.prune();
                }
                for (&score, id) in group.iter().zip(id..=u32::MAX) {
                    if score <= limit {
                        top.keys[top.len] = key(score, id);
                        top.len += 1;
                    }
                }
            }
            id = id.wrapping_add(LANES as u32);
        }
    }

    /// Independent minima.
    const MINIMA: usize = 64;

    #[multiversion(targets = "simd")]
    pub(super) fn argmin(scores: &[f32]) -> Option<Scored> {
        let (groups, tail) = scores.as_chunks::<MINIMA>();
        let mut minima = [f32::INFINITY; MINIMA];
        for group in groups {
            for (m, &x) in minima.iter_mut().zip(group) {
                *m = if x < *m { x } else { *m };
            }
        }
        let all = minima.iter().chain(tail);
        let smallest = all.fold(f32::INFINITY, |m, &x| if x < m { x } else { m });
        let id = scores.iter().position(|&x| x == smallest)?;
        Some(Scored { id: id as u32, score: scores[id] })
    }
}

macro_rules! rows {
    ($($row:ident $op:ident;)*) => {$(
        pub(super) const fn $row() -> Variant<$op> {
            #[cfg(feature = "autovec")]
            {
                let resolve: fn(usize) -> Option<Entry<$op>> = |_| Some(imp::$row);
                // SAFETY: what it dispatches to, it detects first.
                unsafe { Variant::new("autovec", Level::Scalar, Technique::Autovec, resolve) }
            }
            #[cfg(not(feature = "autovec"))]
            {
                let why = "needs the feature `autovec`";
                Variant::absent("autovec", Level::Scalar, Technique::Autovec, why)
            }
        }
    )*};
}

rows! { select KSmallest; argmin Smallest; }
