//! Short forms. `ANNVIL_TORTURE=N` makes them N times as long.

use super::*;

fn times() -> u64 {
    std::env::var("ANNVIL_TORTURE").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// What was done, for whoever looks (`--nocapture`).
#[expect(clippy::print_stdout, reason = "counts for the log of a test")]
fn say(tally: &dyn fmt::Debug) {
    println!("{tally:?}");
}

#[test]
fn no_acknowledged_commit_is_lost_when_the_power_goes() {
    let tally = power(1, 2000 * times(), 8, Knob::Right).unwrap_or_else(|e| panic!("{e}"));
    say(&tally);
    assert!(tally.double > tally.images / 10 && tally.whole > 0 && tally.absent > 0, "{tally:?}");
}

#[test]
fn mistakes_made_on_purpose_are_found() {
    for mistake in [Knob::RowsLast, Knob::NoSync, Knob::NoDirSync] {
        let found = power(1, 2000, 8, mistake);
        assert!(found.is_err(), "{mistake:?} went unseen: {found:?}");
    }
}

#[test]
fn each_call_may_fail() {
    let tally = faults(1, 8, 1).unwrap_or_else(|e| panic!("{e}"));
    say(&tally);
    assert!(tally.felt > tally.calls / 2, "{tally:?}");
}

#[test]
fn rot_is_an_error_or_nothing() {
    let tally = rot(1, 997).unwrap_or_else(|e| panic!("{e}"));
    say(&tally);
    assert!(tally.errors > 0, "{tally:?}");
}
