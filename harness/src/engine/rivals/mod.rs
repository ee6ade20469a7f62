//! Other people's engines, each through its own public interface, with the same parameters.

#[cfg(feature = "rivals")]
mod hnsw_rs;
#[cfg(feature = "rivals")]
mod ruvector;
#[cfg(feature = "rivals")]
mod usearch;

use super::contestant::Contestant;

/// The rivals of this build; none without the feature `rivals`.
#[cfg(feature = "rivals")]
pub(super) fn all() -> Vec<Box<dyn Contestant>> {
    vec![
        Box::new(hnsw_rs::HnswRs),
        Box::new(usearch::Usearch),
        Box::new(ruvector::Index),
        Box::new(ruvector::Database { in_memory: false }),
        Box::new(ruvector::Database { in_memory: true }),
    ]
}

/// The rivals of this build; none without the feature `rivals`.
#[cfg(not(feature = "rivals"))]
pub(super) fn all() -> Vec<Box<dyn Contestant>> {
    Vec::new()
}
