//! The exit codes, the same for every verb.

/// A driven tool failed: a build, a test, a check.
pub(crate) const FAILED: u8 = 1;
/// The command line was not understood.
pub(crate) const USAGE: u8 = 2;
/// A wrong answer, a wrong dispatch, or coverage that was promised and is not there.
pub(crate) const WRONG: u8 = 5;
/// Something that has to be installed first is missing.
pub(crate) const MISSING: u8 = 6;

/// Why a command ends early, and with which code. An empty `why` means that everything was said already.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) code: u8,
    pub(crate) why: String,
}

impl Stop {
    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self { code: FAILED, why: why.into() }
    }

    pub(crate) fn usage(why: impl Into<String>) -> Self {
        Self { code: USAGE, why: why.into() }
    }

    pub(crate) fn wrong(why: impl Into<String>) -> Self {
        Self { code: WRONG, why: why.into() }
    }

    pub(crate) fn missing(why: impl Into<String>) -> Self {
        Self { code: MISSING, why: why.into() }
    }
}

/// What a command returns.
pub(crate) type Outcome = Result<(), Stop>;
