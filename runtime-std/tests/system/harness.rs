//! Runs the real binary and reads what it says.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nodes that may run at once: more would only slow each other down. A larger
/// cluster runs alone.
const ROOM: usize = 14;

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
    Command::new(env!("CARGO_BIN_EXE_butterfly")).args(arguments).output().unwrap()
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
