//! What a profile was made from: it fits no other compiler, no other sources.

use crate::cmd::builds::hex;
use crate::exit::{Outcome, Stop};
use crate::{llvm, shell};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Recorded beside each profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Provenance {
    rustc: String,
    /// Of all sources that go into the program.
    sources: String,
    train: Vec<String>,
}

/// What the program is made of.
const SOURCES: [&str; 8] = [
    "Cargo.lock",
    "Cargo.toml",
    "engine/Cargo.toml",
    "engine/src",
    "kernels/Cargo.toml",
    "kernels/src",
    "pgo/Cargo.toml",
    "pgo/src",
];

impl Provenance {
    /// Of the tree as it is.
    pub(crate) fn now(train: &[String]) -> Result<Self, Stop> {
        let rustc = llvm::rustc();
        let root = shell::root();
        let mut files = Vec::new();
        for part in SOURCES {
            collect(&root.join(part), &mut files)
                .map_err(|e| Stop::failed(format!("{part}: {e}")))?;
        }
        files.sort();
        let mut hash = Sha256::new();
        for file in &files {
            let bytes = std::fs::read(file)
                .map_err(|e| Stop::failed(format!("{}: {e}", file.display())))?;
            let name = file.strip_prefix(&root).unwrap_or(file).display().to_string();
            // Lengths keep one file's end apart from the next one's start.
            hash.update(format!("{}:{name}:{}:", name.len(), bytes.len()));
            hash.update(&bytes);
        }
        Ok(Self {
            rustc: format!(
                "{}, LLVM {}",
                llvm::value(&rustc, "release"),
                llvm::value(&rustc, "LLVM version")
            ),
            sources: hex(&hash.finalize()),
            train: train.to_vec(),
        })
    }

    /// In which respect the profile is not of this tree.
    pub(crate) fn differs(&self, now: &Self) -> Option<String> {
        if self.rustc != now.rustc {
            return Some(format!("rustc {}, and this is {}", self.rustc, now.rustc));
        }
        if self.train != now.train {
            return Some(format!("another workload: {}", self.train.join(" ")));
        }
        (self.sources != now.sources).then(|| "other sources".to_owned())
    }

    fn path(profile: &Path) -> PathBuf {
        profile.with_extension("json")
    }

    pub(crate) fn write(&self, profile: &Path) -> Outcome {
        let bytes = std::fs::read(profile)
            .map_err(|e| Stop::failed(format!("{}: {e}", profile.display())))?;
        let value = json!({
            "schema": "annvil.profile/1", "rustc": self.rustc, "sources": self.sources,
            "train": self.train, "sha256": hex(&Sha256::digest(&bytes)),
        });
        let path = Self::path(profile);
        std::fs::write(&path, format!("{value:#}\n"))
            .map_err(|e| Stop::failed(format!("{}: {e}", path.display())))
    }

    /// What stands beside a profile, if the profile is the one it was written for.
    pub(crate) fn read(profile: &Path) -> Result<Self, Stop> {
        let path = Self::path(profile);
        let again = "make a new one: cargo xtask pgo train merge";
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Stop::failed(format!("{}: {e}; {again}", path.display())))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|e| Stop::failed(format!("{}: {e}; {again}", path.display())))?;
        let bytes = std::fs::read(profile)
            .map_err(|e| Stop::failed(format!("{}: {e}", profile.display())))?;
        if value["sha256"] != hex(&Sha256::digest(&bytes)).as_str() {
            return Err(Stop::failed(format!(
                "{} is not the profile that {} is about; {again}",
                profile.display(),
                path.display()
            )));
        }
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let train = value["train"].as_array().into_iter().flatten();
        let train = train.filter_map(|w| w.as_str().map(str::to_owned)).collect();
        Ok(Self { rustc: text("rustc"), sources: text("sources"), train })
    }
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_file() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_of_one_compiler_one_tree_and_one_workload() {
        let now = Provenance::now(&["train".to_owned()]).unwrap();
        assert_eq!(now.differs(&now), None);
        let older = Provenance { rustc: "1.0.0, LLVM 3".to_owned(), ..now.clone() };
        assert!(older.differs(&now).unwrap().contains("1.0.0"));
        let other = Provenance { sources: "0".to_owned(), ..now.clone() };
        assert_eq!(other.differs(&now).unwrap(), "other sources");
        let work = Provenance { train: Vec::new(), ..now.clone() };
        assert!(work.differs(&now).unwrap().contains("workload"));
    }

    #[test]
    fn it_is_read_back_and_tied_to_the_bytes_of_the_profile() {
        let dir = std::env::temp_dir().join(format!("annvil-profile-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let profile = dir.join("t.profdata");
        std::fs::write(&profile, "counts").unwrap();
        let now = Provenance::now(&["train".to_owned()]).unwrap();
        now.write(&profile).unwrap();
        assert_eq!(Provenance::read(&profile).unwrap(), now);
        std::fs::write(&profile, "other counts").unwrap();
        assert!(Provenance::read(&profile).is_err());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
