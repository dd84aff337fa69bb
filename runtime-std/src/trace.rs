//! What a node did, one line for each step, in a file in its folder: see
//! [`butterfly_trace`].
//!
//! A line is in the system's hands before anybody hears of what it says, so it
//! survives the process. It is not flushed to the disk: whoever wants a trace
//! wants to see what happened to processes, and the vote record stays the
//! only thing that a node waits for.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use butterfly_kernel::machine::Rejection;
use butterfly_kernel::types::NodeId;
use butterfly_trace::{Commit, Record, START, Statement, Step, input};

use crate::protocol::{Input, Message, Node, Output};

const TRACE: &str = "trace";

/// Where the trace of the node with this folder is.
pub fn trace_in(folder: &Path) -> PathBuf {
    folder.join(TRACE)
}

/// Since the Unix epoch.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The lines of `text` that are whole. A process that was killed may leave a
/// part of one at the end.
pub fn whole_lines(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    text.split_at(end).0
}

/// The open trace of a node.
pub struct TraceFile {
    lines: BufWriter<File>,
    path: PathBuf,
    /// From when on its time is counted, and how much had passed by then.
    since: Instant,
    passed: Duration,
    steps: u64,
}

impl TraceFile {
    /// Goes on in the trace in `folder`, with times since `origin` (after the
    /// Unix epoch).
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn open(folder: &Path, origin: Duration) -> Result<TraceFile> {
        let path = trace_in(folder);
        let open = || -> std::io::Result<File> {
            let file = OpenOptions::new().append(true).create(true).open(&path)?;
            let found = fs::read(&path)?;
            file.set_len(whole_lines(&found).len() as u64)?;
            Ok(file)
        };
        let file = open().with_context(|| format!("cannot write the trace {}", path.display()))?;
        let passed = now().saturating_sub(origin);
        Ok(TraceFile { lines: BufWriter::new(file), path, since: Instant::now(), passed, steps: 0 })
    }

    /// `node` is about to take a step.
    pub fn begin(&mut self, me: NodeId, node: &Node, given: &Input) -> Step {
        self.steps += 1;
        let time = u64::try_from((self.passed + self.since.elapsed()).as_micros()).unwrap_or(u64::MAX);
        let step = Step::new(time, me, self.steps, input(given));
        // What survived a failure shows when it is read back.
        let record = (step.input == START).then(|| Record::of(node));
        Step { record, ..step }
    }

    /// Writes a step down.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end(&mut self, step: &Step) -> Result<()> {
        let mut line = serde_json::to_vec(step)?;
        line.push(b'\n');
        let written = self.lines.write_all(&line);
        // Nobody else can tell whether a line without effects is there.
        let written = written.and_then(|()| if step.has_effects() { self.lines.flush() } else { Ok(()) });
        written.with_context(|| format!("cannot write the trace {}", self.path.display()))
    }

    /// Nothing more follows.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn close(&mut self) -> Result<()> {
        self.lines.flush().with_context(|| format!("cannot write the trace {}", self.path.display()))
    }
}

/// What came of a step: what `me` will say, write and commit.
pub fn complete(step: &mut Step, me: NodeId, node: &Node, outcome: Result<(), Rejection>, outputs: &[Output]) {
    step.rejected = outcome.err().map(|reason| reason.to_string());
    for output in outputs {
        match output {
            Output::Persist => step.record = Some(Record::of(node)),
            Output::Send { envelope, .. } if envelope.from == me => {
                if let Message::Agreement { epoch, message } = &envelope.message {
                    step.says.extend(Statement::of(*epoch, message));
                }
            }
            Output::Commit { epoch, .. } => step.commits.extend(Commit::of(node, *epoch)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_line_is_none() {
        for (text, whole) in [("", ""), ("par", ""), ("one\n", "one\n"), ("one\ntwo\npar", "one\ntwo\n")] {
            assert_eq!(whole_lines(text.as_bytes()), whole.as_bytes());
        }
    }

    #[test]
    fn a_node_that_was_killed_goes_on_behind_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(trace_in(folder.path()), "one\npar").unwrap();
        let mut trace = TraceFile::open(folder.path(), Duration::ZERO).unwrap();
        trace.end(&Step::new(7, NodeId(2), 1, START.to_owned())).unwrap();
        trace.close().unwrap();
        let text = fs::read_to_string(trace_in(folder.path())).unwrap();
        assert_eq!(text, "one\n{\"time\":7,\"node\":2,\"step\":1,\"input\":\"start\"}\n");
    }

    #[test]
    fn a_line_with_effects_does_not_wait_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut trace = TraceFile::open(folder.path(), Duration::ZERO).unwrap();
        let length = || fs::read(trace_in(folder.path())).unwrap().len();
        let idle = Step::new(1, NodeId(0), 1, START.to_owned());
        trace.end(&idle).unwrap();
        assert_eq!(length(), 0);
        let commit = butterfly_trace::Commit {
            epoch: 1,
            view: 0,
            path: butterfly_trace::Path::Fast,
            value: String::new(),
            signers: Vec::new(),
        };
        trace.end(&Step { step: 2, commits: vec![commit], ..idle }).unwrap();
        assert!(length() > 0);
    }
}
