//! Why the program ends, and with which exit code.

use std::fmt;

/// A tool failed.
pub(crate) const FAILED: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// A cell is undecided or noisy, and that was to count as a failure.
pub(crate) const UNDECIDED: u8 = 4;
/// A wrong answer or a wrong dispatch.
pub(crate) const WRONG: u8 = 5;
/// Something that was asked for is not there.
pub(crate) const MISSING: u8 = 6;
/// Interrupted; can be resumed.
pub(crate) const INTERRUPTED: u8 = 130;

/// An end that is not success.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) code: u8,
    /// In words; empty where everything has been said.
    pub(crate) why: String,
}

impl Stop {
    pub(crate) fn new(code: u8, why: impl fmt::Display) -> Self {
        Self { code, why: why.to_string() }
    }

    pub(crate) fn failed(why: impl fmt::Display) -> Self {
        Self::new(FAILED, why)
    }

    pub(crate) fn usage(why: impl fmt::Display) -> Self {
        Self::new(USAGE, why)
    }
}
