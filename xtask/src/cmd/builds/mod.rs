//! `cargo xtask builds`: the builds of `pgo/matrix.toml`, made once each.

pub(crate) mod matrix;

use crate::exit::{Outcome, Stop};
use crate::shell;
use matrix::{Build, Matrix};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

pub(crate) const HELP: &str = "\
cargo xtask builds [--build NAME[,NAME]] [--list] [--size] [--json]

Makes the builds of pgo/matrix.toml, each with its own flags in a folder of its own, and records flags, size and
SHA-256 in target/builds/builds.json. Builds that use a profile need `cargo xtask pgo train` first.

  --build NAME   only these
  --list         print the matrix and stop
  --size         print the sizes of what was built, and what the sections take; make nothing
  --json         the record instead of the table

Examples
  cargo xtask builds --build base,v3
  cargo xtask builds --size
";

/// The program that every build is a build of.
pub(crate) const PROGRAM: &str = "annvil-pgo";

/// Where builds, profiles and records lie.
pub(crate) fn dir() -> PathBuf {
    shell::target_dir().join("builds")
}

/// What a build came to.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) flags: Vec<String>,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

pub(crate) fn run(args: Vec<OsString>) -> Outcome {
    let (mut names, mut list, mut size, mut as_json) = (Vec::new(), false, false, false);
    let mut words = shell::texts(&args).into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--list" => list = true,
            "--size" => size = true,
            "--json" => as_json = true,
            "--build" => names.extend(split(&words.next().unwrap_or_default())),
            _ => match word.strip_prefix("--build=") {
                Some(tail) => names.extend(split(tail)),
                None => return Err(Stop::usage(format!("`{word}` is not understood\n\n{HELP}"))),
            },
        }
    }
    let matrix = matrix::load()?;
    let builds = matrix.select(&names)?;
    if list {
        print_list(&builds);
        return Ok(());
    }
    if !size {
        for build in &builds {
            match build.not_run() {
                Some(why) => eprintln!("xtask: build {} is not made: {why}", build.name),
                None => drop(make(build)?),
            }
        }
    }
    let made = recorded(&matrix)?;
    if as_json {
        println!("{:#}", record(&made));
        return Ok(());
    }
    println!("{:<12} {:>10} {:>8}  {:<16} flags", "build", "bytes", "vs base", "sha256");
    let base = made.iter().find(|b| b.name == "base").map(|b| b.bytes);
    for build in &made {
        let ratio =
            base.map_or("-".to_owned(), |b| format!("{:.3}", build.bytes as f64 / b as f64));
        let short = &build.sha256[..16];
        println!(
            "{:<12} {:>10} {ratio:>8}  {short}  {}",
            build.name,
            build.bytes,
            build.flags.join(" ")
        );
    }
    Ok(())
}

fn split(list: &str) -> Vec<String> {
    list.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

fn print_list(builds: &[&Build]) {
    for build in builds {
        println!("{:<12} {}", build.name, build.about);
        if !build.rustflags.is_empty() {
            println!("{:<12} {}", "", build.rustflags.join(" "));
        }
        if let Some(why) = build.not_run() {
            println!("{:<12} not run here: {why}", "");
        }
    }
}

/// Makes one build and puts it into the record.
pub(crate) fn make(build: &Build) -> Result<Built, Stop> {
    let profile = crate::cmd::pgo::profile_for(build)?;
    let flags = flags(&build.rustflags, profile.as_deref());
    let out = dir().join(&build.name);
    let mut made = compile(&flags, &out, build.bolt)?;
    if build.bolt {
        made = crate::cmd::pgo::bolt(&made, &out)?;
    }
    let built = describe(&build.name, &made, flags)?;
    remember(&built)?;
    Ok(built)
}

/// `{profile}` replaced by its path.
pub(crate) fn flags(template: &[String], profile: Option<&Path>) -> Vec<String> {
    let path = profile.map_or(String::new(), |p| p.display().to_string());
    template.iter().map(|flag| flag.replace("{profile}", &path)).collect()
}

/// Compiles the program with `flags` for this machine's triple. A profile that does not fit the
/// sources is an error, though the compiler only warns.
pub(crate) fn compile(flags: &[String], out: &Path, symbols: bool) -> Result<PathBuf, Stop> {
    let rustc = crate::llvm::rustc();
    let triple = crate::llvm::value(&rustc, "host").to_owned();
    let mut cargo = shell::cargo();
    cargo.args(["build", "--release", "--package", PROGRAM, "--target", &triple]);
    cargo.arg("--manifest-path").arg(shell::root().join("Cargo.toml"));
    cargo.arg("--target-dir").arg(out);
    if symbols {
        // BOLT moves functions by their symbols.
        cargo.args(["--config", "profile.release.strip=false"]);
    }
    // The unit separator: a path may hold a space.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
    eprintln!("$ {}", shell::line(&cargo));
    let child = cargo.stderr(Stdio::piped()).stdin(Stdio::null()).spawn();
    let mut child = child.map_err(|e| Stop::missing(format!("cannot start cargo: {e}")))?;
    let mut stale = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if does_not_fit(&line) {
                stale.push(line.clone());
            }
            eprintln!("{line}");
        }
    }
    let status = child.wait().map_err(|e| Stop::failed(format!("cargo: {e}")))?;
    if !status.success() {
        return Err(Stop::failed(format!("the build in {} failed", out.display())));
    }
    if let Some(first) = stale.first() {
        return Err(Stop::failed(format!(
            "the profile does not fit the sources ({} warnings, the first: {first}); make a new one: \
             cargo xtask pgo train merge",
            stale.len()
        )));
    }
    Ok(out
        .join(triple)
        .join("release")
        .join(PROGRAM)
        .with_extension(std::env::consts::EXE_EXTENSION))
}

/// Whether the compiler says that a profile is of other sources.
fn does_not_fit(line: &str) -> bool {
    [
        "hash mismatch",
        "control flow change detected",
        "profile data may be out of date",
        "profile data may be corrupt",
    ]
    .iter()
    .any(|words| line.contains(words))
}

pub(crate) fn describe(name: &str, path: &Path, flags: Vec<String>) -> Result<Built, Stop> {
    let bytes =
        std::fs::read(path).map_err(|e| Stop::failed(format!("{}: {e}", path.display())))?;
    Ok(Built {
        name: name.to_owned(),
        path: path.to_path_buf(),
        flags,
        bytes: bytes.len() as u64,
        sha256: hex(&Sha256::digest(&bytes)),
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn record_path() -> PathBuf {
    dir().join("builds.json")
}

/// What was built, as far as it is still what lies there.
pub(crate) fn recorded(matrix: &Matrix) -> Result<Vec<Built>, Stop> {
    let text = std::fs::read_to_string(record_path()).unwrap_or_default();
    let rows = serde_json::from_str::<Value>(&text).unwrap_or_default();
    let empty = Vec::new();
    let rows = rows["builds"].as_array().unwrap_or(&empty);
    let mut found = Vec::new();
    for build in &matrix.builds {
        let Some(row) = rows.iter().find(|r| r["name"] == build.name.as_str()) else { continue };
        let words = row["flags"].as_array().into_iter().flatten();
        let flags = words.filter_map(|f| f.as_str().map(str::to_owned)).collect();
        let path = PathBuf::from(row["path"].as_str().unwrap_or_default());
        let Ok(built) = describe(&build.name, &path, flags) else { continue };
        if row["sha256"] != built.sha256.as_str() {
            return Err(Stop::failed(format!(
                "{} is not what was recorded; make it again: cargo xtask builds --build {}",
                path.display(),
                build.name
            )));
        }
        found.push(built);
    }
    Ok(found)
}

fn record(builds: &[Built]) -> Value {
    let row = |b: &Built| {
        json!({ "name": b.name, "path": b.path.display().to_string(), "flags": b.flags,
                "bytes": b.bytes, "sha256": b.sha256 })
    };
    let rustc = crate::llvm::rustc();
    json!({
        "schema": "annvil.builds/1",
        "rustc": crate::llvm::value(&rustc, "release"),
        "llvm": crate::llvm::value(&rustc, "LLVM version"),
        "builds": builds.iter().map(row).collect::<Vec<_>>(),
    })
}

fn remember(built: &Built) -> Outcome {
    let text = std::fs::read_to_string(record_path()).unwrap_or_default();
    let old = serde_json::from_str::<Value>(&text).unwrap_or_default();
    let mut new = record(std::slice::from_ref(built));
    let others = old["builds"].as_array().into_iter().flatten();
    let others: Vec<Value> =
        others.filter(|row| row["name"] != built.name.as_str()).cloned().collect();
    if let Some(rows) = new["builds"].as_array_mut() {
        rows.extend(others);
    }
    let path = record_path();
    std::fs::create_dir_all(dir())
        .and_then(|()| std::fs::write(&path, format!("{new:#}\n")))
        .map_err(|e| Stop::failed(format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_go_into_flags() {
        let template = ["-Cprofile-use={profile}".to_owned(), "-Cx".to_owned()];
        assert_eq!(flags(&template, Some(Path::new("/a b/c"))), ["-Cprofile-use=/a b/c", "-Cx"]);
    }

    #[test]
    fn a_profile_of_other_sources_is_noticed() {
        assert!(does_not_fit(
            "warning: x.rs: function control flow change detected (hash mismatch) f"
        ));
        assert!(!does_not_fit("warning: unused variable"));
    }

    #[test]
    fn options_are_checked() {
        let code = |words: &[&str]| run(words.iter().map(Into::into).collect()).unwrap_err().code;
        assert_eq!(code(&["--bulid"]), crate::exit::USAGE);
        assert_eq!(code(&["--build", "z80"]), crate::exit::USAGE);
        assert!(run(vec!["--list".into()]).is_ok());
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        let path = std::env::temp_dir().join(format!("annvil-hash-{}", std::process::id()));
        std::fs::write(&path, "abc").unwrap();
        let built = describe("x", &path, Vec::new()).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(built.bytes, 3);
        assert!(built.sha256.starts_with("ba7816bf8f01cfea"));
    }
}
