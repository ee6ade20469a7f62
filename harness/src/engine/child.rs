//! A build in a process of its own: how much memory it takes, and how long on several threads. In the
//! process that times searches, memory that one contestant gave back would serve the next.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::clock::{BuildTimer, resident_bytes};
use super::contestant::{BuildPlan, Said};
use super::{EngineError, build_order, contestants, permuted};
use crate::data::Dataset;
use crate::rng::derive_seed;

/// What a process is asked to build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildPlan {
    /// The set's folder.
    pub set: PathBuf,
    /// Name of the contestant.
    pub contestant: String,
    /// Number of the build.
    pub build: usize,
    /// The run's seed.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
}

/// What it says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChildBuild {
    /// Seconds on the wall.
    pub wall_s: f64,
    /// Seconds of CPU, all threads.
    pub cpu_s: Option<f64>,
    /// Growth of resident memory, bytes.
    pub resident: Option<u64>,
}

impl ChildPlan {
    /// The words after the verb.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let set = self.set.display().to_string();
        let words = [
            ("--set", set),
            ("--contestant", self.contestant.clone()),
            ("--number", self.build.to_string()),
            ("--seed", self.seed.to_string()),
            ("--threads", self.threads.to_string()),
        ];
        words.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }

    /// Starts `exe` with the hidden verb, and reads what it says.
    ///
    /// # Errors
    /// A process that cannot be started, fails, or says something else.
    pub fn run(&self, exe: &Path) -> Result<ChildBuild, EngineError> {
        let failed = |why: String| EngineError::Child { contestant: self.contestant.clone(), why };
        let out = Command::new(exe)
            .arg("engine-build")
            .args(self.words())
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| failed(format!("cannot be started: {e}")))?;
        if !out.status.success() {
            return Err(failed(format!("ended with {}", out.status)));
        }
        // A library may print to the same place; the last line is ours.
        let text = String::from_utf8_lossy(&out.stdout);
        let line = text.lines().next_back().unwrap_or_default();
        serde_json::from_str(line).map_err(|e| failed(format!("said {line:?}: {e}")))
    }

    /// Builds here: the other side of [`ChildPlan::run`].
    ///
    /// # Errors
    /// A damaged set, an unknown contestant, or what the contestant says.
    pub fn build(&self) -> Result<ChildBuild, EngineError> {
        let set = Dataset::open(&self.set)?;
        let list = contestants(true);
        let contestant = list.iter().find(|c| c.name() == self.contestant).ok_or_else(|| {
            let unknown = Said("there is none of that name in this build".to_owned());
            EngineError::contestant(&self.contestant, "find", Box::new(unknown))
        })?;
        let seed = derive_seed(self.seed, self.build as u64);
        let base = {
            let base = set.base().load()?;
            let order = build_order(base.len(), self.build, self.seed);
            permuted(&base, &order)?
        };
        let pool = (self.threads > 1)
            .then(|| rayon::ThreadPoolBuilder::new().num_threads(self.threads).build())
            .transpose()
            .map_err(|e| EngineError::contestant(&self.contestant, "make threads", Box::new(e)))?;
        let before = resident_bytes();
        let mut timer = BuildTimer::default();
        let built = contestant
            .build(&base, &BuildPlan { seed, pool: pool.as_ref(), attribute: None }, &mut timer)
            .map_err(|e| EngineError::contestant(&self.contestant, "build", e))?;
        let resident = before.zip(resident_bytes()).map(|(b, now)| now.saturating_sub(b));
        drop(built);
        Ok(ChildBuild { wall_s: timer.wall_s, cpu_s: timer.cpu_s, resident })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::builtin_root;

    #[test]
    fn a_build_says_what_it_took() {
        let plan = ChildPlan {
            set: builtin_root().join("digits"),
            contestant: "annvil f32".to_owned(),
            build: 1,
            seed: 3,
            threads: 2,
        };
        let said = plan.build().unwrap();
        assert!(said.wall_s > 0.0);
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(serde_json::from_str::<ChildBuild>(&text).unwrap(), said);
        let unknown = ChildPlan { contestant: "nobody".to_owned(), ..plan };
        assert!(unknown.build().unwrap_err().to_string().contains("nobody"));
    }
}
