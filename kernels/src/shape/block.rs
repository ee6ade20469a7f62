//! Blocks of 64 rows, dimension by dimension.
