//! The command line, and programs in the place of the fuzzer.

use super::*;

fn asked(words: &[&str]) -> Result<Asked, Stop> {
    parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

#[test]
fn the_command_line_is_read() {
    let all = asked(&["gather", "--seconds", "30", "--seed=7", "--random"]).unwrap();
    assert_eq!((all.targets.len(), all.seconds, all.seed, all.random), (1, 30, 7, true));
    assert_eq!(asked(&[]).unwrap().seconds, 10);
    for wrong in [&["--seconds"][..], &["--seconds", "x"], &["--sekunden=3"], &["--list=1"]] {
        assert_eq!(asked(wrong).unwrap_err().code, crate::exit::USAGE, "{wrong:?}");
    }
}

#[test]
fn what_was_found_stands_in_the_table() {
    let row = Row {
        target: "pair".to_owned(),
        executions: 3,
        new_units: None,
        end: End::Found { repeat: None },
    };
    assert!(table(&[row]).contains("pair                      3          -  FOUND"));
}

#[test]
fn every_need_has_a_line_that_installs_it() {
    assert!(NEEDS.iter().all(|(what, _, line)| !what.is_empty() && !line.is_empty()));
}

/// Programs in the place of the fuzzer and of `cases`.
#[cfg(unix)]
fn bench(name: &str, cover: &str) -> Bench {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder(shell::target_dir().join("annvil").join("fuzz-test").join(name)).unwrap();
    let program = |name: &str, text: &str| {
        let path = dir.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        // A process that another test starts just now may still hold the file open for writing.
        let busy = || Command::new(&path).output().is_err();
        (0..1000).take_while(|_| busy()).for_each(|_| std::thread::yield_now());
        path
    };
    let cases = program("cases", "[ $1 = seeds ] && echo x > $3/seed || echo $1 of $2: $3");
    let cover = Some(program("cover", cover));
    Bench { dir, cases, cover, seconds: 1, seed: 1 }
}

#[cfg(unix)]
#[test]
fn a_process_that_ends_well_is_clean_and_had_inputs_to_begin_with() {
    let states = "echo stat::number_of_executed_units: 7 >&2; echo stat::new_units_added: 2 >&2";
    let bench = bench("clean", &format!("[ -e $1/seed ] && {states}"));
    let row = session(&bench, "pair", "40").unwrap();
    assert_eq!((row.end, row.executions, row.new_units), (End::Clean, 7, Some(2)));
}

#[cfg(unix)]
#[test]
fn what_a_process_finds_can_be_repeated() {
    let says = "echo FOUND it >&2; echo 'prefix=x; Test unit written to a/crash-1' >&2";
    let bench = bench("found", &format!("{says}; exit 77"));
    let End::Found { repeat: Some(repeat) } = session(&bench, "pair", "40").unwrap().end else {
        panic!("nothing was found");
    };
    let cover = bench.cover.unwrap();
    assert_eq!(repeat, format!("ANNVIL_FUZZ_TARGET=pair {} a/crash-1", cover.display()));
}

#[cfg(unix)]
#[test]
fn an_interruption_is_no_crash_and_a_death_without_an_input_is_one() {
    let end = |name: &str, how: &str| session(&bench(name, how), "pair", "40").unwrap().end;
    assert_eq!(end("code", "exit 72"), End::Interrupted);
    assert_eq!(end("signal", "kill -INT $$"), End::Interrupted);
    assert_eq!(end("death", "kill -KILL $$"), End::Found { repeat: None });
}
