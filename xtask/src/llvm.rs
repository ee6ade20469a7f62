//! LLVM's tools that belong to rustc: a profile is read by the LLVM that wrote it and by no other.

use crate::exit::Stop;
use crate::shell;
use std::path::{Path, PathBuf};

/// What `rustc -vV` says, by key; the version stands under `release`.
pub(crate) fn rustc() -> Vec<(String, String)> {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let text = shell::output(program, &["-vV"]).unwrap_or_default();
    let pairs = text.lines().filter_map(|l| l.split_once(": "));
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

/// A line of [`rustc`].
pub(crate) fn value<'a>(pairs: &'a [(String, String)], key: &str) -> &'a str {
    pairs.iter().find(|(k, _)| k == key).map_or("", |(_, v)| v)
}

/// The first numbers of a version: `1.95.0-nightly` is [1, 95, 0].
pub(crate) fn numbers(version: &str) -> Vec<u32> {
    version.split(['.', '-', ' ']).map_while(|part| part.parse().ok()).collect()
}

/// The version in what an LLVM tool prints about itself.
pub(crate) fn version(text: &str) -> String {
    let after = text.split("LLVM version ").nth(1).unwrap_or("");
    after.split_whitespace().next().unwrap_or("unknown").to_owned()
}

/// A tool that was found, or why each candidate was not taken.
#[derive(Debug)]
pub(crate) enum Found {
    /// Where it is, and its version.
    Tool(PathBuf, String),
    /// Candidates of another LLVM, each with its version; none at all if there was none.
    Rejected(Vec<String>),
}

/// Looks for a tool of rustc's LLVM: beside rustc (rustup's `llvm-tools`), then with the version in
/// its name, then plain on `PATH` if its version fits.
pub(crate) fn find(tool: &str) -> Found {
    let rustc = rustc();
    let llvm = numbers(value(&rustc, "LLVM version")).first().copied().unwrap_or(0);
    let libdir = shell::output("rustc", &["--print", "target-libdir"]).unwrap_or_default();
    let own = Path::new(libdir.trim()).parent().map(|p| p.join("bin").join(tool));
    let beside = [format!("{tool}-{llvm}"), tool.to_owned()];
    let candidates = own.into_iter().filter(|p| p.is_file());
    let candidates = candidates.chain(beside.iter().filter_map(|n| shell::which(n)));
    first_of(llvm, candidates, |path| {
        version(&shell::output(path, &["--version"]).unwrap_or_default())
    })
}

fn first_of(
    major: u32,
    candidates: impl Iterator<Item = PathBuf>,
    version_of: impl Fn(&Path) -> String,
) -> Found {
    let mut rejected = Vec::new();
    for path in candidates {
        let version = version_of(&path);
        if numbers(&version).first() == Some(&major) {
            return Found::Tool(path, version);
        }
        rejected.push(format!("{} is {version}", path.display()));
    }
    Found::Rejected(rejected)
}

/// The line that installs the tools of rustc's LLVM.
pub(crate) fn install_line(tool: &str) -> String {
    let llvm = numbers(value(&rustc(), "LLVM version")).first().copied().unwrap_or(0);
    match tool {
        "llvm-profdata" => format!(
            "rustup component add llvm-tools   or   apt-get install -y --no-install-recommends llvm-{llvm}"
        ),
        _ => {
            format!("apt-get install -y --no-install-recommends llvm-{llvm} bolt-{llvm} lld-{llvm}")
        }
    }
}

/// The tool, or a stop that says what is there instead and what to install.
pub(crate) fn need(tool: &str) -> Result<PathBuf, Stop> {
    match find(tool) {
        Found::Tool(path, _) => Ok(path),
        Found::Rejected(others) => {
            let llvm = value(&rustc(), "LLVM version").to_owned();
            let found = if others.is_empty() { "none here".to_owned() } else { others.join(", ") };
            Err(Stop::missing(format!(
                "{tool} of rustc's LLVM {llvm} is needed; {found}; install with: {}",
                install_line(tool)
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert_eq!(numbers("1.95.0-nightly"), [1, 95, 0]);
        assert!(numbers("1.100.0") > numbers("1.89"));
        assert!(numbers("").is_empty());
        assert_eq!(
            version("LLVM (http://llvm.org/):\n  LLVM version 22.1.2-rust\n"),
            "22.1.2-rust"
        );
    }

    #[test]
    fn a_tool_of_another_llvm_is_refused_by_name() {
        let paths = ["/a/llvm-profdata", "/b/llvm-profdata"].map(PathBuf::from);
        let of = |path: &Path| if path.starts_with("/a") { "14.0.6" } else { "22.1.2" }.to_owned();
        let found = first_of(22, paths.clone().into_iter(), of);
        assert!(matches!(found, Found::Tool(path, _) if path == paths[1]));
        let found = first_of(23, paths.into_iter(), of);
        assert!(matches!(found, Found::Rejected(r) if r.len() == 2 && r[0].contains("14.0.6")));
    }
}
