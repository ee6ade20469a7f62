//! From numbers to codes.
