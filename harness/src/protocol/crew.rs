//! The parent's side: fresh copies of this binary, asked one at a time.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::{ContestantReply, LimitReply, Measured, PROTOCOL, Refusal, Reply, Request};
use crate::rng::{Rng, derive_seed};
use crate::verdict::{ProcessSamples, Schedule};

/// Largest padding of a worker's environment in bytes: it moves the stack, as a longer path or
/// user name would.
const MAX_PAD: usize = 4096;

/// The workers of a run. They live as long as the crew; only one works at any time.
#[derive(Debug)]
pub struct Crew {
    exe: PathBuf,
    seed: u64,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    // `None` once closed: end of input is the worker's signal to leave.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Crew {
    /// A crew of copies of `exe`, none of them started yet.
    pub fn new(exe: PathBuf, seed: u64) -> Self {
        Self { exe, seed, workers: Vec::new() }
    }

    /// Sends `request` to worker `i`, starting it if needed, and waits for the measurement.
    ///
    /// # Errors
    /// The worker cannot be started, died, or could not serve the request.
    pub fn measure(&mut self, i: usize, request: &Request) -> Result<Measured, CrewError> {
        while self.workers.len() <= i {
            let worker = self.start(self.workers.len())?;
            self.workers.push(worker);
        }
        let worker = &mut self.workers[i];
        match worker.ask(request) {
            Ok(Reply::Measured(measured)) => Ok(measured),
            Ok(Reply::Failed { why }) => Err(CrewError::Refused { why }),
            Ok(Reply::Hello { .. }) => Err(CrewError::Protocol { got: "a second greeting".into() }),
            Err(e) => Err(worker.post_mortem(&request.cell.to_string(), e)),
        }
    }

    fn start(&self, i: usize) -> Result<Worker, CrewError> {
        let seed = derive_seed(self.seed, i as u64);
        let pad = "x".repeat(Rng::new(seed).below(MAX_PAD));
        let started = |source| CrewError::Start { exe: self.exe.clone(), source };
        let mut child = Command::new(&self.exe)
            .args(["worker", "--seed", &seed.to_string()])
            .env("ANNVIL_STACK_PAD", pad)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(started)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(started(io::Error::other("no pipes")));
        };
        let mut worker = Worker { child, input: Some(input), output: BufReader::new(output) };
        match worker.read() {
            Ok(Reply::Hello { protocol: PROTOCOL }) => Ok(worker),
            Ok(Reply::Hello { protocol }) => {
                Err(CrewError::Protocol { got: format!("version {protocol}") })
            }
            Ok(other) => Err(CrewError::Protocol { got: format!("{other:?}") }),
            Err(e) => Err(worker.post_mortem("its start", e)),
        }
    }
}

impl Worker {
    fn ask(&mut self, request: &Request) -> io::Result<Reply> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(line.as_bytes())?;
        input.flush()?;
        self.read()
    }

    fn read(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Turns a broken conversation into an error that says how the process ended.
    fn post_mortem(&mut self, during: &str, source: io::Error) -> CrewError {
        self.input = None;
        let status = match self.child.try_wait() {
            Ok(Some(status)) => status.to_string(),
            // Its output ended or made no sense; what is left of it must not keep a core busy.
            _ => match self.child.kill().and_then(|()| self.child.wait()) {
                Ok(status) => status.to_string(),
                Err(e) => format!("unknown ({e})"),
            },
        };
        CrewError::Died { during: during.to_owned(), status, source }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Idle workers leave when their input ends; one in the middle of a cell is not waited for.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Why a measurement could not be had.
#[derive(Debug)]
#[non_exhaustive]
pub enum CrewError {
    /// The binary could not be run.
    Start {
        /// Which.
        exe: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The worker ended or spoke nonsense.
    Died {
        /// The cell, or the start.
        during: String,
        /// How the process ended.
        status: String,
        /// The cause.
        source: io::Error,
    },
    /// The worker is of another build.
    Protocol {
        /// What it said.
        got: String,
    },
    /// The worker could not serve the request.
    Refused {
        /// Why.
        why: String,
    },
    /// The processes disagree about what was asked.
    Mismatch,
}

impl fmt::Display for CrewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { exe, source } => {
                write!(f, "cannot start a worker from {}: {source}", exe.display())
            }
            Self::Died { during, status, source } => write!(
                f,
                "a worker ended during {during} ({status}; {source}); finished cells are kept: \
                 resume, or leave the cell out with a filter"
            ),
            Self::Protocol { got } => write!(
                f,
                "a worker speaks another protocol ({got}; this is version {PROTOCOL}): was the \
                 binary rebuilt during the run?"
            ),
            Self::Refused { why } => f.write_str(why),
            Self::Mismatch => f.write_str("workers answered for different contestants"),
        }
    }
}

impl std::error::Error for CrewError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start { source, .. } | Self::Died { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What several processes measured in one cell, put together.
#[derive(Debug, Clone)]
pub struct SampleTable {
    /// One entry per contestant, in the order of the request; its times are left out.
    pub contestants: Vec<ContestantReply>,
    /// Contestants that were timed in every process: the columns of `samples`.
    pub columns: Vec<usize>,
    /// One entry per process.
    pub samples: Vec<ProcessSamples>,
    /// The limits, times of all kept rounds of all processes together.
    pub limits: Vec<LimitReply>,
    /// Bytes of vectors that one value reads.
    pub bytes_per_value: f64,
}

impl SampleTable {
    /// Joins the processes' answers. A contestant that any process refused is out.
    ///
    /// # Errors
    /// [`CrewError::Mismatch`] when the answers are not about the same contestants and rounds.
    pub fn join(all: &[Measured]) -> Result<Self, CrewError> {
        let first = all.first().ok_or(CrewError::Mismatch)?;
        let names = |m: &Measured| -> Vec<String> {
            m.contestants.iter().map(|c| c.variant.clone()).collect()
        };
        let rounds_agree = |m: &Measured| {
            let n = m.kept.len();
            let timed = m.contestants.iter().filter(|c| c.refused.is_none()).map(|c| c.ns.len());
            timed.chain(m.limits.iter().map(|l| l.ns.len())).all(|len| len == n)
        };
        let same_limits = |m: &Measured| {
            m.limits.iter().map(|l| &l.name).eq(first.limits.iter().map(|l| &l.name))
        };
        if !all.iter().all(|m| names(m) == names(first) && rounds_agree(m) && same_limits(m)) {
            return Err(CrewError::Mismatch);
        }
        let contestants: Vec<ContestantReply> =
            (0..first.contestants.len()).map(|i| merge(all, i)).collect();
        let columns: Vec<usize> =
            (0..contestants.len()).filter(|&i| contestants[i].refused.is_none()).collect();
        let samples = all
            .iter()
            .map(|m| ProcessSamples {
                schedule: Schedule::Interleaved,
                ns: (0..m.kept.len())
                    .map(|r| columns.iter().map(|&c| m.contestants[c].ns[r]).collect())
                    .collect(),
                kept: m.kept.clone(),
            })
            .collect();
        let limits = (0..first.limits.len())
            .map(|l| LimitReply {
                name: first.limits[l].name.clone(),
                ns: all
                    .iter()
                    .flat_map(|m| m.limits[l].ns.iter().zip(&m.kept))
                    .filter(|(_, kept)| **kept)
                    .map(|(ns, _)| *ns)
                    .collect(),
            })
            .collect();
        Ok(Self { contestants, columns, samples, limits, bytes_per_value: first.bytes_per_value })
    }
}

/// One contestant over all processes: the worst error, the first refusal, a wrong one before any.
fn merge(all: &[Measured], i: usize) -> ContestantReply {
    let parts = || all.iter().map(|m| &m.contestants[i]);
    let wrong = parts().find_map(|c| match &c.refused {
        Some(r @ Refusal::Wrong(_)) => Some(r.clone()),
        _ => None,
    });
    ContestantReply {
        variant: all[0].contestants[i].variant.clone(),
        max_error_ulp: parts().filter_map(|c| c.max_error_ulp).reduce(f64::max),
        ran_level: parts().find_map(|c| c.ran_level.clone()),
        refused: wrong.or_else(|| parts().find_map(|c| c.refused.clone())),
        ns: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contestant(name: &str, ns: &[f64], refused: Option<Refusal>) -> ContestantReply {
        ContestantReply {
            variant: name.to_owned(),
            max_error_ulp: Some(ns.len() as f64),
            ran_level: None,
            refused,
            ns: ns.to_vec(),
        }
    }

    fn measured(contestants: Vec<ContestantReply>) -> Measured {
        let limits = vec![LimitReply { name: "limit/read".into(), ns: vec![1.0, 2.0] }];
        Measured { contestants, limits, kept: vec![true, false], bytes_per_value: 8.0 }
    }

    #[test]
    fn a_contestant_refused_anywhere_is_out_everywhere() {
        let wrong = Refusal::Wrong("tail".into());
        let a =
            measured(vec![contestant("a", &[3.0, 4.0], None), contestant("b", &[5.0, 6.0], None)]);
        let b = measured(vec![
            contestant("a", &[], Some(wrong.clone())),
            contestant("b", &[7.0, 8.0], None),
        ]);
        let table = SampleTable::join(&[a, b]).unwrap();
        assert_eq!(table.columns, [1]);
        assert_eq!(table.contestants[0].refused, Some(wrong));
        assert_eq!(table.samples[1].ns, vec![vec![7.0], vec![8.0]]);
        assert_eq!(table.limits[0].ns, [1.0, 1.0], "discarded rounds are left out");
    }

    #[test]
    fn answers_about_different_things_are_refused() {
        let a = measured(vec![contestant("a", &[3.0, 4.0], None)]);
        let b = measured(vec![contestant("b", &[3.0, 4.0], None)]);
        let short = measured(vec![contestant("a", &[3.0], None)]);
        assert!(matches!(SampleTable::join(&[a.clone(), b]), Err(CrewError::Mismatch)));
        assert!(matches!(SampleTable::join(&[a, short]), Err(CrewError::Mismatch)));
        assert!(matches!(SampleTable::join(&[]), Err(CrewError::Mismatch)));
    }

    #[test]
    fn a_binary_that_cannot_run_or_does_not_greet_is_named() {
        let request = Request {
            cell: super::super::CellSpec {
                op: "f32/dot/pair".into(),
                dim: 8,
                residence: super::super::Residence::L1,
                alignment: super::super::Alignment::Aligned,
            },
            contestants: vec![],
            rounds: 1,
            prove: false,
            release_memory: false,
        };
        let mut crew = Crew::new("/nonexistent/harness".into(), 1);
        let error = crew.measure(0, &request).unwrap_err().to_string();
        assert!(error.contains("/nonexistent/harness"), "{error}");
        if cfg!(unix) {
            let mut crew = Crew::new("/bin/true".into(), 1);
            let error = crew.measure(0, &request).unwrap_err().to_string();
            assert!(error.contains("its start"), "{error}");
        }
    }
}
