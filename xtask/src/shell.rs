//! Driving other programs: where the workspace is, which cargo to use, how a child's end becomes ours.

use crate::exit::{Outcome, Stop};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// The root of the workspace, from any sub-folder.
pub(crate) fn root() -> PathBuf {
    let here =
        std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let here = PathBuf::from(here);
    here.parent().map_or_else(|| here.clone(), Path::to_path_buf)
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Where each lane leaves the list of what ran in it.
pub(crate) fn ledger_dir() -> PathBuf {
    target_dir().join("annvil").join("ledger")
}

/// The cargo that started us, so that a pinned toolchain stays pinned.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The command as a line that can be copied into a shell.
pub(crate) fn line(command: &Command) -> String {
    let quote = |word: &OsStr| {
        let word = word.to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let settings = command
        .get_envs()
        .filter_map(|(k, v)| Some(format!("{}={}", k.to_string_lossy(), quote(v?))));
    settings
        .chain([quote(program)])
        .chain(command.get_args().map(quote))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a step with our own standard streams, saying on stderr what it is.
///
/// A terminal's Ctrl-C reaches the child and this process alike, so both end.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, Stop> {
    eprintln!("$ {}", line(command));
    command.status().map_err(|e| Stop::missing(format!("cannot start `{}`: {e}", line(command))))
}

/// Becomes the other program, so that its exit code, its terminal and its signals are exactly our own.
#[cfg(unix)]
pub(crate) fn become_program(command: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(Stop::missing(format!("cannot start `{}`: {error}", line(command))))
}

/// Runs the other program and ends as it ends.
#[cfg(not(unix))]
pub(crate) fn become_program(command: &mut Command) -> Outcome {
    let status = command
        .status()
        .map_err(|e| Stop::missing(format!("cannot start `{}`: {e}", line(command))))?;
    std::process::exit(status.code().unwrap_or(1))
}

/// What a program writes to stdout, or `None` if it is absent or fails.
pub(crate) fn output(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let out = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}

/// What cargo writes to stdout in `dir`, or its complaint on one line.
pub(crate) fn cargo_output(dir: &Path, args: &[&str]) -> Result<String, String> {
    let out = cargo()
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| e.to_string())?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&out.stderr).trim().replace('\n', "; "))
}

/// The full path of a program on `PATH`.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|p| p.is_file())
}

/// Whether rustc has the standard library of a target.
pub(crate) fn has_target(triple: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    output(rustc, &["--print", "target-libdir", "--target", triple]).is_some_and(|dir| {
        std::fs::read_dir(dir.trim()).is_ok_and(|mut files| files.next().is_some())
    })
}

/// The arguments as text; file names that are not Unicode stay as near as they can be shown.
pub(crate) fn texts(args: &[OsString]) -> Vec<String> {
    args.iter().map(|a| a.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains("[workspace]"));
    }

    #[test]
    fn a_command_line_can_be_copied() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "a b", "it's", ""]).env("MODE", "x y");
        assert_eq!(line(&command), r"MODE='x y' cargo test 'a b' 'it'\''s' ''");
    }

    #[test]
    fn a_program_that_cannot_start_is_missing() {
        let stop = status(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(stop.code, crate::exit::MISSING);
    }
}
