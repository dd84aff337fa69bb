//! Runs the real binary and reads what it says.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nodes that may run at once: more would only slow each other down. A larger
/// cluster runs alone.
const ROOM: usize = 14;

/// No process runs for longer that is to end by itself: what hangs is a failure
/// with a name, and not the end of all tests.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// What became of a demonstration.
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    pub(crate) errors: String,
    /// Without the time that it waited for room.
    pub(crate) took: Duration,
}

/// The binary with `arguments`, to its end.
pub(crate) fn butterfly(arguments: &[&str]) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_butterfly")).args(arguments))
}

/// The command to its end, and what it said.
pub(crate) fn run(command: &mut Command) -> Output {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (read_aside(child.stdout.take().unwrap()), read_aside(child.stderr.take().unwrap()));
    let ended = end_within(&mut child, LONGEST);
    let (stdout, stderr) = (stdout.join().unwrap(), stderr.join().unwrap());
    match ended {
        Some(status) => Output { status, stdout, stderr },
        None => panic!("still running after {LONGEST:?}: {command:?}: {}", String::from_utf8_lossy(&stderr)),
    }
}

pub(crate) fn read_aside(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    spawn(move || {
        let mut said = Vec::new();
        from.read_to_end(&mut said).unwrap();
        said
    })
}

/// Waits until a process that is to end has ended.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    end_within(child, LONGEST).unwrap_or_else(|| panic!("process {} was to end: {LONGEST:?} ago", child.id()))
}

/// How it ended. It is killed if it has not by then.
pub(crate) fn end_within(child: &mut Child, time: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return None;
        }
        sleep(Duration::from_millis(5));
    }
}

/// `demo --json` with `arguments`, separated by spaces, when there is room for it.
pub(crate) fn demo(arguments: &str) -> Outcome {
    let arguments: Vec<&str> = ["demo", "--json"].into_iter().chain(arguments.split_whitespace()).collect();
    let asked = arguments.iter().skip_while(|argument| **argument != "--nodes").nth(1);
    let nodes = asked.map_or(4, |nodes| nodes.parse().unwrap());
    let mut running =
        ENDED.wait_while(RUNNING.lock().unwrap(), |running| *running > 0 && *running + nodes > ROOM).unwrap();
    *running += nodes;
    drop(running);
    let begin = Instant::now();
    let output = butterfly(&arguments);
    let took = begin.elapsed();
    *RUNNING.lock().unwrap() -= nodes;
    ENDED.notify_all();
    let errors = String::from_utf8(output.stderr).unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    Outcome { code: output.status.code(), report, errors, took }
}

/// Whoever goes on until this is set stops when it is dropped, also when what it
/// was there for has panicked.
pub(crate) struct StopAtEnd<'s>(pub(crate) &'s AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Says how far a long test is, also where the output of tests is kept back.
pub(crate) fn progress(line: &str) {
    // Nobody may be looking.
    let _unseen = writeln!(std::io::stderr(), "{line}");
}

/// What a single machine says, for the prompt that `demo` has by default.
pub(crate) fn reference(tokens: usize) -> String {
    let output = butterfly(&["reference", "--json", "--prompt", "Return the ", "--tokens", &tokens.to_string()]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["text"].as_str().unwrap().to_owned()
}

/// Whether `verify` accepts the file, and what it says.
pub(crate) fn verify(file: &Path, further: &[&str]) -> Result<Value, String> {
    let arguments: Vec<&str> = ["verify", "--json", file.to_str().unwrap()].iter().chain(further).copied().collect();
    let output = butterfly(&arguments);
    match output.status.code() {
        Some(0) => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        _ => Err(String::from_utf8(output.stderr).unwrap()),
    }
}
