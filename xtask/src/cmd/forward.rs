//! The verbs of the harness: build it once as released, then become it.

use crate::exit::{Outcome, Stop};
use crate::shell;
use std::ffi::OsString;
use std::io::IsTerminal;

const PACKAGE: &str = "annvil-harness";

/// The builds that `--build NAME` chooses from, and the CPU each is compiled for. The record names
/// the build by that CPU; rows of different builds are never mixed.
const BUILDS: [(&str, Option<&str>); 4] = [
    ("base", None),
    ("v3", Some("x86-64-v3")),
    ("v4", Some("x86-64-v4")),
    ("native", Some("native")),
];

/// Hands `verb` and its arguments, unread but for `--build` and `--rivals`, to the release build of
/// the harness.
pub(crate) fn run(verb: &str, args: Vec<OsString>) -> Outcome {
    let (cpu, args) = chosen_build(args)?;
    let (rivals, args) = with_rivals(args);
    // A folder of its own, so that builds do not evict each other.
    let own = match (cpu, rivals) {
        (None, false) => None,
        (cpu, rivals) => {
            Some(format!("build-{}{}", cpu.unwrap_or("base"), if rivals { "-rivals" } else { "" }))
        }
    };
    let manifest = shell::root().join("Cargo.toml");
    let select = |sub: &str| {
        let mut cargo = shell::cargo();
        cargo.arg(sub).args(["--release", "--package", PACKAGE, "--manifest-path"]).arg(&manifest);
        if rivals {
            cargo.args(["--features", "rivals"]);
        }
        if let Some(own) = &own {
            cargo.env("CARGO_TARGET_DIR", shell::target_dir().join(own));
        }
        if let Some(cpu) = cpu {
            cargo.env("RUSTFLAGS", format!("-Ctarget-cpu={cpu}"));
        }
        cargo
    };

    let mut build = select("build");
    let folder = own.as_ref().map_or_else(shell::target_dir, |own| shell::target_dir().join(own));
    let built =
        folder.join("release").join(PACKAGE).with_extension(std::env::consts::EXE_EXTENSION);
    if !built.exists() {
        eprintln!("xtask: the first release build takes a few minutes; later ones do not");
    } else if !std::io::stderr().is_terminal() {
        build.arg("--quiet");
    }
    let status = build.status().map_err(|e| Stop::missing(format!("cannot start cargo: {e}")))?;
    if !status.success() {
        return Err(Stop::failed(format!(
            "the harness does not build; `cargo check -p {PACKAGE}` shows why sooner"
        )));
    }

    let mut harness = select("run");
    shell::become_program(harness.args(["--quiet", "--", verb]).args(args))
}

/// Takes `--build NAME` out of the arguments: the CPU to compile for, and the rest.
fn chosen_build(args: Vec<OsString>) -> Result<(Option<&'static str>, Vec<OsString>), Stop> {
    let (mut cpu, mut rest) = (None, Vec::new());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let name = match arg.to_str() {
            Some("--build") => args.next().unwrap_or_default(),
            Some(text) if text.starts_with("--build=") => text["--build=".len()..].into(),
            _ => {
                rest.push(arg);
                continue;
            }
        };
        let known = BUILDS.iter().find(|(build, _)| name.to_str() == Some(build));
        let known = known.ok_or_else(|| {
            let names: Vec<_> = BUILDS.iter().map(|(build, _)| *build).collect();
            Stop::usage(format!("--build takes one of {}", names.join(", ")))
        })?;
        cpu = known.1;
    }
    Ok((cpu, rest))
}

/// Takes `--rivals` out of the arguments: whether other libraries take part, and the rest.
fn with_rivals(args: Vec<OsString>) -> (bool, Vec<OsString>) {
    let (asked, rest): (Vec<_>, Vec<_>) = args.into_iter().partition(|a| a == "--rivals");
    (!asked.is_empty(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_is_taken_out_and_the_rest_left_alone() {
        let of = |words: &[&str]| chosen_build(words.iter().map(Into::into).collect());
        let (cpu, rest) = of(&["x", "--build", "native", "--dim", "8"]).unwrap();
        assert_eq!((cpu, rest), (Some("native"), vec!["x".into(), "--dim".into(), "8".into()]));
        assert_eq!(of(&["--build=v3"]).unwrap().0, Some("x86-64-v3"));
        assert_eq!(of(&["--build", "base"]).unwrap().0, None);
        let words = ["--rivals".into(), "x".into()].to_vec();
        assert_eq!(with_rivals(words), (true, vec!["x".into()]));
        assert!(of(&["--build", "z80"]).is_err() && of(&["--build"]).is_err());
    }
}
