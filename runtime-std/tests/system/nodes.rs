//! The nodes of a folder, each a process that the test started itself.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use serde_json::Value;

use crate::admin::document;
use crate::harness::{ended, read_aside};
use crate::operated::{Folder, PATIENCE, signal};

/// How a node is started and what it costs when a leader is killed.
pub(crate) const VIEW_TIMEOUT_MS: &str = "150";

/// A node's process; it does not outlive its test.
pub(crate) struct Process {
    child: Child,
    /// What it tells, and when.
    events: Receiver<(Instant, Value)>,
    /// What it says on standard error, when it has ended.
    errors: Option<JoinHandle<Vec<u8>>>,
}

/// What a node says first.
pub(crate) enum Began {
    /// Its event.
    Ready(Process, Value),
    /// What was printed on standard error, when it ended with code 1.
    Refused(String),
}

/// Starts a node, and does not wait for it.
pub(crate) fn spawn(folder: &Folder, node: u16) -> Process {
    Process::of(Command::new(env!("CARGO_BIN_EXE_butterfly")), folder, node)
}

impl Process {
    /// A node that `command`, to which its arguments are added, starts.
    pub(crate) fn of(mut command: Command, folder: &Folder, node: u16) -> Process {
        command.args(["start", "--json", "--view-timeout-ms", VIEW_TIMEOUT_MS, "--node", &node.to_string(), "--dir"]);
        let piped = command.arg(&folder.dir).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let errors = Some(read_aside(child.stderr.take().unwrap()));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, events) = channel();
        // It must be able to go on telling, whether or not anybody listens.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The last one may be cut.
                let event = serde_json::from_str(&line).unwrap_or_default();
                let _unheard = sender.send((Instant::now(), event));
            }
        });
        Process { child, events, errors }
    }

    /// Waits for its first event.
    pub(crate) fn begin(mut self) -> Began {
        match self.events.recv_timeout(PATIENCE) {
            Ok((_, event)) if event["event"] == "ready" => Began::Ready(self, event),
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing"),
            // It may have told a program why as well.
            Ok(_) | Err(RecvTimeoutError::Disconnected) => {
                let code = ended(&mut self.child).code();
                let errors = self.errors();
                assert_eq!(code, Some(1), "{errors}");
                Began::Refused(errors)
            }
        }
    }

    /// What it told since this was asked last.
    pub(crate) fn events(&self) -> impl Iterator<Item = (Instant, Value)> {
        self.events.try_iter()
    }

    pub(crate) fn replica(self) -> Process {
        match self.begin() {
            Began::Ready(process, event) => {
                assert_eq!(event["learner"], false, "{event}");
                process
            }
            Began::Refused(errors) => panic!("{errors}"),
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended by itself, with code 1; what it said on
    /// standard error.
    pub(crate) fn failed(mut self) -> String {
        let code = ended(&mut self.child).code();
        let errors = self.errors();
        assert_eq!(code, Some(1), "{errors}");
        errors
    }

    /// SIGTERM, and waits until it has ended; what it said on standard error.
    pub(crate) fn stop(mut self) -> String {
        signal(self.child.id(), "TERM");
        let code = ended(&mut self.child).code();
        let errors = self.errors();
        assert_eq!(code, Some(0), "{errors}");
        errors
    }

    fn errors(&mut self) -> String {
        String::from_utf8(self.errors.take().unwrap().join().unwrap()).unwrap()
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// All nodes of a folder.
pub(crate) struct Nodes<'f> {
    folder: &'f Folder,
    running: BTreeMap<u16, Process>,
}

impl<'f> Nodes<'f> {
    pub(crate) fn start(folder: &'f Folder) -> Nodes<'f> {
        let mut nodes = Nodes { folder, running: BTreeMap::new() };
        nodes.start_all();
        nodes
    }

    pub(crate) fn start_all(&mut self) {
        // All at once: they wait for each other no longer than the slowest takes.
        let begun: Vec<Process> = (0..self.folder.nodes).map(|node| spawn(self.folder, node)).collect();
        self.running.extend((0..).zip(begun.into_iter().map(Process::replica)));
    }

    pub(crate) fn restart(&mut self, node: u16) {
        self.running.insert(node, spawn(self.folder, node).replica());
    }

    pub(crate) fn add(&mut self, node: u16, process: Process) {
        self.running.insert(node, process);
    }

    pub(crate) fn kill(&mut self, node: u16) {
        self.running.remove(&node).unwrap().kill();
    }

    pub(crate) fn kill_all(&mut self) {
        // None hears of the others' end before its own.
        self.running.values_mut().for_each(|process| process.child.kill().unwrap());
        self.running.clear();
    }

    pub(crate) fn stop_all(mut self) {
        std::mem::take(&mut self.running).into_values().for_each(|process| drop(process.stop()));
    }

    /// Where those that run answer operators.
    pub(crate) fn admins(&self) -> impl Iterator<Item = SocketAddr> {
        self.running.keys().map(|node| self.folder.admin(*node))
    }

    /// The last epoch that somebody decided.
    pub(crate) fn last(&self) -> u64 {
        self.admins().map(last).max().unwrap()
    }

    /// The node with this folder was removed from the roster: waits until it has
    /// ended by itself.
    pub(crate) fn leave(&mut self, node: u16) {
        let mut process = self.running.remove(&node).unwrap();
        let code = ended(&mut process.child).code();
        let errors = process.errors();
        assert_eq!(code, Some(0), "{errors}");
    }

    /// Everything that each node has on record.
    pub(crate) fn histories(&self) -> Vec<BTreeMap<u64, Value>> {
        self.admins().map(epochs).collect()
    }
}

/// The last epoch that a node decided.
pub(crate) fn last(admin: SocketAddr) -> u64 {
    document(admin, "/api/v1/state")["epoch"].as_u64().unwrap() - 1
}

/// Everything that a node has on record, by epoch.
pub(crate) fn epochs(admin: SocketAddr) -> BTreeMap<u64, Value> {
    let mut found = BTreeMap::new();
    let mut from = 0;
    loop {
        let page = document(admin, &format!("/api/v1/epochs?from={from}&limit=100"));
        let epochs = page["epochs"].as_array().unwrap();
        if epochs.is_empty() {
            return found;
        }
        found.extend(epochs.iter().map(|epoch| (epoch["epoch"].as_u64().unwrap(), epoch.clone())));
        from = page["next"].as_u64().unwrap();
    }
}

/// Draws that look like chance and are the same each time.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
