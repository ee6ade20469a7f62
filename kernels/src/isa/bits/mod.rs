//! Population counts.
