//! `pgo/matrix.toml`: the builds that are compared, as data.

use crate::exit::Stop;
use crate::shell;

/// One row of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) name: String,
    pub(crate) about: String,
    /// The architecture that the flags are for; none for any.
    pub(crate) arch: Option<String>,
    /// CPU features without which the build does not run here.
    pub(crate) needs: Vec<String>,
    pub(crate) rustflags: Vec<String>,
    /// Whether it uses the merged profile.
    pub(crate) profile: bool,
    /// Whether BOLT rewrites it.
    pub(crate) bolt: bool,
}

/// The whole file.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) builds: Vec<Build>,
    /// Flags of the instrumented build.
    pub(crate) train_flags: Vec<String>,
    /// What it runs.
    pub(crate) train: Vec<String>,
    /// What the builds are judged by.
    pub(crate) judge: Vec<String>,
    pub(crate) processes: u64,
    pub(crate) max_regress_pct: f64,
}

/// Reads the file.
pub(crate) fn load() -> Result<Matrix, Stop> {
    let path = shell::root().join("pgo").join("matrix.toml");
    let text = std::fs::read_to_string(&path)
        .map_err(|e| Stop::failed(format!("{}: {e}", path.display())))?;
    parse(&text).map_err(|why| Stop::failed(format!("{}: {why}", path.display())))
}

fn parse(text: &str) -> Result<Matrix, String> {
    let root: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
    let rows = root.get("build").and_then(|b| b.as_array()).ok_or("no [[build]]")?;
    let builds: Vec<Build> = rows.iter().map(build).collect::<Result<_, _>>()?;
    for (i, build) in builds.iter().enumerate() {
        if builds[..i].iter().any(|b| b.name == build.name) {
            return Err(format!("two builds are called {}", build.name));
        }
    }
    if builds.first().is_none_or(|b| b.name != "base") {
        return Err("the first build is `base`: the others are compared with it".to_owned());
    }
    let section = |name: &str| {
        root.get(name).and_then(|s| s.as_table()).ok_or(format!("no section [{name}]"))
    };
    let (train, judge) = (section("train")?, section("judge")?);
    Ok(Matrix {
        builds,
        train_flags: words(train, "rustflags")?,
        train: words(train, "run")?,
        judge: words(judge, "run")?,
        processes: judge
            .get("processes")
            .and_then(toml::Value::as_integer)
            .and_then(|n| u64::try_from(n).ok())
            .filter(|n| (2..=99).contains(n))
            .ok_or("[judge] processes is a number from 2 to 99")?,
        max_regress_pct: judge
            .get("max_regress_pct")
            .and_then(toml::Value::as_float)
            .filter(|p| (0.0..100.0).contains(p))
            .ok_or("[judge] max_regress_pct is a share below 100, such as 2.0")?,
    })
}

const KEYS: [&str; 7] = ["name", "about", "arch", "needs", "rustflags", "profile", "bolt"];

fn build(row: &toml::Value) -> Result<Build, String> {
    let row = row.as_table().ok_or("a [[build]] is a table")?;
    if let Some(key) = row.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("a build has no key `{key}`; there are {}", KEYS.join(", ")));
    }
    let text = |key: &str| row.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let flag = |key: &str| row.get(key).and_then(toml::Value::as_bool).unwrap_or(false);
    let name = text("name").ok_or("a build without a name")?;
    // It names a folder.
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(format!("`{name}` is no name: letters, digits and - only"));
    }
    Ok(Build {
        about: text("about").ok_or_else(|| format!("build {name} does not say what it is"))?,
        arch: text("arch"),
        needs: if row.contains_key("needs") { words(row, "needs")? } else { Vec::new() },
        rustflags: if row.contains_key("rustflags") {
            words(row, "rustflags")?
        } else {
            Vec::new()
        },
        profile: flag("profile"),
        bolt: flag("bolt"),
        name,
    })
}

fn words(table: &toml::Table, key: &str) -> Result<Vec<String>, String> {
    let list = table.get(key).and_then(toml::Value::as_array);
    let list = list.ok_or_else(|| format!("`{key}` is a list of words"))?;
    let word =
        |v: &toml::Value| v.as_str().map(str::to_owned).ok_or(format!("`{key}`: no word: {v:?}"));
    list.iter().map(word).collect()
}

impl Matrix {
    /// The builds of these names, all of them for none, always in the order of the file.
    pub(crate) fn select(&self, names: &[String]) -> Result<Vec<&Build>, Stop> {
        let known = |n: &String| self.builds.iter().any(|b| b.name == *n);
        if let Some(name) = names.iter().find(|n| !known(n)) {
            let all: Vec<&str> = self.builds.iter().map(|b| b.name.as_str()).collect();
            return Err(Stop::usage(format!("no build `{name}`; there are {}", all.join(", "))));
        }
        let wanted = |b: &&Build| names.is_empty() || names.contains(&b.name);
        Ok(self.builds.iter().filter(wanted).collect())
    }
}

impl Build {
    /// Why it cannot be made or run here; `None` if it can.
    pub(crate) fn not_run(&self) -> Option<String> {
        if let Some(arch) = &self.arch
            && arch != std::env::consts::ARCH
        {
            return Some(format!("for {arch} only"));
        }
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = text.lines().find(|l| l.starts_with("flags")).unwrap_or("");
        let lacks = |need: &&String| !flags.split_whitespace().any(|f| f == **need);
        // Where the system does not tell, the build says so itself.
        let gone: Vec<&str> = self
            .needs
            .iter()
            .filter(|_| !flags.is_empty())
            .filter(lacks)
            .map(String::as_str)
            .collect();
        (!gone.is_empty()).then(|| format!("this CPU lacks {}", gone.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_of_this_tree_is_read() {
        let matrix = load().unwrap();
        let names: Vec<&str> = matrix.builds.iter().map(|b| b.name.as_str()).collect();
        for name in ["base", "v3", "native", "pgo", "pgo-native", "pgo-bolt"] {
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(
            matrix
                .builds
                .iter()
                .all(|b| b.profile == b.rustflags.iter().any(|f| f.contains("{profile}")))
        );
        assert_eq!(matrix.select(&["pgo".to_owned()]).unwrap()[0].name, "pgo");
        assert_eq!(matrix.select(&["o3".to_owned()]).unwrap_err().code, crate::exit::USAGE);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = "[[build]]\nname = \"base\"\nabout = \"x\"\n[train]\nrustflags = []\nrun = []\n[judge]\nrun = []\nprocesses = 3\nmax_regress_pct = 2.0\n";
        assert!(parse(good).is_ok());
        for (from, to, word) in [
            ("\"base\"", "\"../x\"", "no name"),
            ("\"base\"", "\"v3\"", "first build"),
            ("about", "abuot", "abuot"),
            ("processes = 3", "processes = 1", "processes"),
            ("2.0", "\"2\"", "max_regress_pct"),
            ("run = []", "run = [1]", "no word"),
        ] {
            let why = parse(&good.replace(from, to)).unwrap_err();
            assert!(why.contains(word), "{why}");
        }
    }

    #[test]
    fn a_build_for_elsewhere_is_not_run() {
        let mut build = load().unwrap().builds.remove(0);
        assert_eq!(build.not_run(), None);
        build.arch = Some("pdp11".to_owned());
        assert!(build.not_run().unwrap().contains("pdp11"));
    }
}
