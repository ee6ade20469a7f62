//! Tables of partial distances, and codes that index them.
