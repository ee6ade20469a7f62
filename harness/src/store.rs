//! What survives an interruption: `state.jsonl`, one line for the plan and one per finished cell.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use annvil_reports::schema::{Cell, Mode};
use serde::{Deserialize, Serialize};

use crate::hash::fnv1a64;
use crate::protocol::CellSpec;
use crate::suite::Selection;

/// Name of the state file in the output folder.
pub const STATE_FILE: &str = "state.jsonl";
/// Name of the record in the output folder.
pub const RESULTS_FILE: &str = "results.json";
/// Name of the page in the output folder.
pub const REPORT_FILE: &str = "report.html";

const FORMAT: &str = "annvil.state/1";
/// Larger state files are refused: a full run stays far below.
const MAX_STATE_BYTES: u64 = 256 << 20;

/// Everything that has to be the same for two halves of a run to belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Suite.
    pub mode: Mode,
    /// What the command line asked for.
    pub selection: Selection,
    /// Processes per cell.
    pub processes: usize,
    /// Rounds per process.
    pub rounds: usize,
    /// Further looks at an undecided cell.
    pub extra_looks: u32,
    /// Seed of orders and offsets.
    pub seed: u64,
    /// The binary and the CPU, see [`fingerprint`].
    pub fingerprint: String,
    /// The cells, in order.
    pub cells: Vec<CellSpec>,
    /// The user's folder of data sets, absolute; the built-in sets are searched without it too.
    #[serde(default)]
    pub data: Option<String>,
    /// The engine's kernels that were forced, as `ANNVIL_FORCE` spells them.
    #[serde(default)]
    pub force: String,
    /// Bytes that the load ports deliver in a cycle, measured when the run began; 0 if not yet.
    #[serde(default)]
    pub load_width: u32,
}

/// The first line of a state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always `annvil.state/1`.
    format: String,
    /// When the run began.
    pub created: String,
    /// What it was to do.
    pub plan: Plan,
}

/// A finished cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// Which.
    pub cell: CellSpec,
    /// Its rows of the record.
    pub rows: Vec<Cell>,
    /// Wrong answers and wrong dispatches, in words.
    pub wrong: Vec<String>,
}

/// Why a state cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum StateError {
    /// The file system refused.
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// Another process writes to it.
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is nothing to resume.
    NoRun {
        /// The file that is not there.
        path: PathBuf,
    },
    /// The file is damaged before its last line, or is something else.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The plan differs from the one in the file.
    OtherPlan {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, doing, source } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            Self::Locked { path } => write!(
                f,
                "{} is in use by another run: wait for it, or choose another --out",
                path.display()
            ),
            Self::NoRun { path } => write!(f, "nothing to resume: {} is missing", path.display()),
            Self::Damaged { path, line, why } => write!(
                f,
                "{}, line {line}: {why}; start the run afresh without --resume",
                path.display()
            ),
            Self::OtherPlan { path, what } => write!(
                f,
                "{} belongs to a run with {what}: its cells cannot be mixed with this one's; \
                 start afresh without --resume",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Plan {
    /// Whether the command line asked for certain cells or variants only. Such a run searches no
    /// data sets.
    pub fn is_narrowed(&self) -> bool {
        self.selection != Selection::default()
    }

    /// What makes `self` another plan than `other`; `None` if nothing does.
    pub fn difference(&self, other: &Self) -> Option<&'static str> {
        let checks = [
            (self.fingerprint != other.fingerprint, "another binary or CPU"),
            (self.mode != other.mode, "another suite"),
            (self.selection != other.selection, "other filters"),
            (self.cells != other.cells, "other cells"),
            (self.processes != other.processes, "another number of processes"),
            (self.rounds != other.rounds, "another number of rounds"),
            (self.extra_looks != other.extra_looks, "another number of looks"),
            (self.seed != other.seed, "another seed"),
            (self.data != other.data, "another folder of data sets"),
            (self.force != other.force, "other forced kernels"),
        ];
        checks.into_iter().find_map(|(differs, what)| differs.then_some(what))
    }
}

/// The state file of a run in progress, locked against a second writer.
#[derive(Debug)]
pub struct State {
    file: File,
    path: PathBuf,
    header: Header,
    finished: Vec<Finished>,
}

impl State {
    /// Begins a state in the folder `out`, which is made if needed; an older one is replaced.
    ///
    /// # Errors
    /// The file system's, or another run at work there.
    pub fn create(out: &Path, created: String, plan: Plan) -> Result<Self, StateError> {
        let path = out.join(STATE_FILE);
        let io = |doing| {
            let path = path.clone();
            move |source| StateError::Io { path, doing, source }
        };
        fs::create_dir_all(out).map_err(io("make the folder of"))?;
        let file = open_locked(&path, true)?;
        file.set_len(0).map_err(io("empty"))?;
        let header = Header { format: FORMAT.to_owned(), created, plan };
        let mut state = Self { file, path, header, finished: Vec::new() };
        let line = state.header.clone();
        state.write_line(&line)?;
        Ok(state)
    }

    /// Reads the state in the folder `out` and goes on behind its last whole line; a line that was
    /// cut off by the interruption is dropped.
    ///
    /// # Errors
    /// No state there, a damaged one, one of another run at work, or the file system's.
    pub fn resume(out: &Path) -> Result<Self, StateError> {
        let path = out.join(STATE_FILE);
        if !path.exists() {
            return Err(StateError::NoRun { path });
        }
        let io = |doing| {
            let path = path.clone();
            move |source| StateError::Io { path, doing, source }
        };
        let mut file = open_locked(&path, false)?;
        let bytes = file.metadata().map_err(io("read"))?.len();
        if bytes > MAX_STATE_BYTES {
            let why = format!("{bytes} bytes; at most {MAX_STATE_BYTES} are read");
            return Err(StateError::Damaged { path, line: 1, why });
        }
        let text = fs::read(&path).map_err(io("read"))?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let damaged =
            |line: usize, why: String| StateError::Damaged { path: path.clone(), line, why };
        let mut lines = text[..whole].split(|b| *b == b'\n').filter(|l| !l.is_empty()).enumerate();
        let (_, first) = lines.next().ok_or_else(|| damaged(1, "no plan".to_owned()))?;
        let header: Header =
            serde_json::from_slice(first).map_err(|e| damaged(1, e.to_string()))?;
        if header.format != FORMAT {
            return Err(damaged(1, format!("format {:?} is not {FORMAT:?}", header.format)));
        }
        let mut finished: Vec<Finished> = Vec::new();
        let mut places: HashMap<CellSpec, usize> = HashMap::new();
        for (i, line) in lines {
            let cell: Finished =
                serde_json::from_slice(line).map_err(|e| damaged(i + 1, e.to_string()))?;
            match places.get(&cell.cell) {
                Some(&at) => finished[at] = cell,
                None => {
                    places.insert(cell.cell.clone(), finished.len());
                    finished.push(cell);
                }
            }
        }
        file.set_len(whole as u64).map_err(io("shorten"))?;
        file.seek(SeekFrom::End(0)).map_err(io("go on in"))?;
        Ok(Self { file, path, header, finished })
    }

    /// The run that this state belongs to.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The cells finished so far, in order of completion.
    pub fn finished(&self) -> &[Finished] {
        &self.finished
    }

    /// The cells still to do.
    pub fn remaining(&self) -> Vec<CellSpec> {
        let done = |cell: &CellSpec| self.finished.iter().any(|f| f.cell == *cell);
        self.header.plan.cells.iter().filter(|c| !done(c)).cloned().collect()
    }

    /// Refuses a plan that differs from the state's.
    ///
    /// # Errors
    /// [`StateError::OtherPlan`].
    pub fn check_plan(&self, plan: &Plan) -> Result<(), StateError> {
        match self.header.plan.difference(plan) {
            Some(what) => Err(StateError::OtherPlan { path: self.path.clone(), what }),
            None => Ok(()),
        }
    }

    /// Adds a finished cell; it is on the disk when this returns.
    ///
    /// # Errors
    /// The file system's.
    pub fn append(&mut self, cell: Finished) -> Result<(), StateError> {
        self.write_line(&cell)?;
        self.finished.push(cell);
        Ok(())
    }

    fn write_line(&mut self, line: &impl Serialize) -> Result<(), StateError> {
        let written = serde_json::to_string(line).map_err(io::Error::from).and_then(|mut text| {
            text.push('\n');
            self.file.write_all(text.as_bytes())?;
            self.file.sync_data()
        });
        written.map_err(|source| StateError::Io { path: self.path.clone(), doing: "write", source })
    }
}

fn open_locked(path: &Path, create: bool) -> Result<File, StateError> {
    let io = |doing, source| StateError::Io { path: path.to_owned(), doing, source };
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(create)
        .truncate(false)
        .open(path)
        .map_err(|e| io("open", e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(e)) => Err(io("lock", e)),
    }
}

/// Tells this binary on this CPU from others: a hash of the binary's bytes and the CPU's name.
///
/// # Errors
/// The binary cannot be read.
pub fn fingerprint(exe: &Path, cpu: &str) -> io::Result<String> {
    let bytes = fs::read(exe)?;
    let hash = fnv1a64(bytes.iter().copied().chain(cpu.bytes()));
    Ok(format!("{hash:016x}-{}", bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Alignment, Residence};

    fn cell(dim: usize) -> CellSpec {
        CellSpec {
            op: "f32/dot/pair".into(),
            dim,
            residence: Residence::L1,
            alignment: Alignment::Aligned,
        }
    }

    fn plan() -> Plan {
        Plan {
            mode: Mode::Quick,
            selection: Selection::default(),
            processes: 5,
            rounds: 40,
            extra_looks: 1,
            seed: 3,
            fingerprint: "x".into(),
            cells: vec![cell(8), cell(16), cell(31)],
            data: None,
            force: String::new(),
            load_width: 64,
        }
    }

    fn finished(dim: usize) -> Finished {
        Finished { cell: cell(dim), rows: vec![Cell { dim, ..Cell::default() }], wrong: vec![] }
    }

    #[test]
    fn a_torn_line_costs_its_cell_only() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::create(dir.path(), "now".into(), plan()).unwrap();
        state.append(finished(8)).unwrap();
        state.append(finished(16)).unwrap();
        drop(state);
        let path = dir.path().join(STATE_FILE);
        let whole = fs::read(&path).unwrap();
        // Wherever the last line is cut, the first cell survives and the second comes back.
        let second = whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
        for cut in [second + 1, second + 9, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut state = State::resume(dir.path()).unwrap();
            assert_eq!(state.finished(), [finished(8)]);
            assert_eq!(state.remaining(), [cell(16), cell(31)]);
            state.append(finished(16)).unwrap();
            drop(state);
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn a_repeated_cell_counts_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::create(dir.path(), "now".into(), plan()).unwrap();
        state.append(finished(8)).unwrap();
        state.append(finished(8)).unwrap();
        drop(state);
        assert_eq!(State::resume(dir.path()).unwrap().finished().len(), 1);
    }

    #[test]
    fn another_plan_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        drop(State::create(dir.path(), "now".into(), plan()).unwrap());
        let state = State::resume(dir.path()).unwrap();
        state.check_plan(&plan()).unwrap();
        let refused = |p: Plan| state.check_plan(&p).unwrap_err().to_string();
        assert!(refused(Plan { seed: 4, ..plan() }).contains("seed"));
        assert!(refused(Plan { cells: vec![cell(8)], ..plan() }).contains("cells"));
        assert!(refused(Plan { fingerprint: "y".into(), ..plan() }).contains("binary"));
        assert!(refused(Plan { data: Some("/d".into()), ..plan() }).contains("data sets"));
        assert!(refused(Plan { force: "*/*/*=scalar".into(), ..plan() }).contains("forced"));
        // Measured, not asked for.
        state.check_plan(&Plan { load_width: 32, ..plan() }).unwrap();
    }

    #[test]
    fn a_plan_without_the_later_fields_is_read() {
        let mut value = serde_json::to_value(plan()).unwrap();
        for field in ["data", "force", "load_width"] {
            assert!(value.as_object_mut().unwrap().remove(field).is_some());
        }
        let old: Plan = serde_json::from_value(value).unwrap();
        assert_eq!(old, Plan { load_width: 0, ..plan() });
        assert!(!old.is_narrowed());
    }

    #[test]
    fn no_state_foreign_state_and_locked_state_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(State::resume(dir.path()), Err(StateError::NoRun { .. })));
        let path = dir.path().join(STATE_FILE);
        for text in ["", "\n", "{}\n", "hello\n", "{\"format\":\"annvil.state/9\"}\n"] {
            fs::write(&path, text).unwrap();
            assert!(matches!(State::resume(dir.path()), Err(StateError::Damaged { .. })), "{text}");
        }
        let _held = State::create(dir.path(), "now".into(), plan()).unwrap();
        assert!(matches!(State::resume(dir.path()), Err(StateError::Locked { .. })));
        assert!(matches!(
            State::create(dir.path(), "now".into(), plan()),
            Err(StateError::Locked { .. })
        ));
    }

    #[test]
    fn damage_in_the_middle_is_located() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = State::create(dir.path(), "now".into(), plan()).unwrap();
        state.append(finished(8)).unwrap();
        drop(state);
        let path = dir.path().join(STATE_FILE);
        let mut text = fs::read_to_string(&path).unwrap();
        text += "garbage\n";
        fs::write(&path, &text).unwrap();
        assert!(matches!(State::resume(dir.path()), Err(StateError::Damaged { line: 3, .. })));
    }
}
