//! Many queries against many rows.
