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

/// 20,000 images, in parts that run side by side.
fn lights_out(part: u64) {
    let tally = power(1 + (part << 32), 5000 * times(), 8, Knob::Right);
    let tally = tally.unwrap_or_else(|e| panic!("{e}"));
    say(&tally);
    assert!(tally.double > tally.images / 10 && tally.whole > 0 && tally.absent > 0, "{tally:?}");
}

#[test]
fn no_acknowledged_commit_is_lost_when_the_power_goes_1() {
    lights_out(0);
}

#[test]
fn no_acknowledged_commit_is_lost_when_the_power_goes_2() {
    lights_out(1);
}

#[test]
fn no_acknowledged_commit_is_lost_when_the_power_goes_3() {
    lights_out(2);
}

#[test]
fn no_acknowledged_commit_is_lost_when_the_power_goes_4() {
    lights_out(3);
}

#[test]
fn mistakes_made_on_purpose_are_found() {
    for mistake in [Knob::RowsLast, Knob::WriteLast, Knob::NoSync, Knob::NoDirSync] {
        let found = power(1, 2000, 8, mistake);
        assert!(found.is_err(), "{mistake:?} went unseen: {found:?}");
    }
}

#[test]
fn each_call_may_fail() {
    for seed in 1..=times() {
        let tally = faults(seed, 8, 1).unwrap_or_else(|e| panic!("{e}"));
        say(&tally);
        assert!(tally.felt > tally.calls / 2, "{tally:?}");
    }
}

#[test]
fn rot_is_an_error_or_nothing() {
    let stride = 23 / times().min(23);
    let tally = rot(1, stride as usize).unwrap_or_else(|e| panic!("{e}"));
    say(&tally);
    assert!(tally.errors > tally.flips / 4, "{tally:?}");
}

#[test]
fn a_full_disk_is_opened_and_goes_on_when_it_has_room() {
    let mut stopped = 0;
    for more in (0..400).map(|i| i * 80) {
        let came = full(1 + more % 7, 20, more).unwrap_or_else(|e| panic!("{e}"));
        stopped += u64::from(came);
    }
    say(&stopped);
    assert!(stopped > 100, "{stopped}");
}
