//! Comparisons against a threshold.
