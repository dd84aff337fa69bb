//! A cluster as an operator has it: a folder, `start --all`, and its processes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{LONGEST, butterfly, ended};

/// Everything that is waited for comes within this time, or never.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// What `init` made, with two clients, on ports that nobody else uses.
pub(crate) struct Folder {
    pub(crate) dir: PathBuf,
    pub(crate) nodes: u16,
    pub(crate) base_port: u16,
    admin_port: u16,
    _folder: TempDir,
}

/// Its nodes, as `start --all` runs them.
pub(crate) struct Operated {
    folder: Folder,
    pub(crate) supervisor: Child,
    /// The process of each node, as it was first started.
    pub(crate) ids: BTreeMap<usize, u32>,
    lines: Receiver<String>,
}

impl Deref for Operated {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}

impl Folder {
    /// Of a cluster with as many nodes.
    pub(crate) fn found(nodes: usize) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("c");
        // For members, for operators, and for as many who may join.
        let base_port = free_ports(4 * nodes);
        let (count, port) = (nodes.to_string(), base_port.to_string());
        let nodes = u16::try_from(nodes).unwrap();
        let admin_port = base_port + nodes;
        let dir_name = dir.to_str().unwrap();
        let ports = ["--base-port", &port, "--admin-port", &admin_port.to_string()];
        let init = [&["init", "--dir", dir_name, "--clients", "2", "--nodes", &count][..], &ports].concat();
        let made = butterfly(&init);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Folder { dir, nodes, base_port, admin_port, _folder: folder }
    }

    pub(crate) fn address(&self, node: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.base_port + node))
    }

    /// Where `node` answers operators.
    pub(crate) fn admin(&self, node: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.admin_port + node))
    }

    /// Where somebody listens who joins, as the node of this number.
    pub(crate) fn spare_address(&self, node: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.admin_port + self.nodes + node))
    }

    /// The client's folder.
    pub(crate) fn client(&self) -> PathBuf {
        self.dir.join("client-0")
    }

    /// `COMMAND --dir DIR` with further arguments, to its end.
    pub(crate) fn run(&self, command: &str, further: &[&str]) -> Output {
        let dir = self.dir.to_str().unwrap();
        butterfly(&[&[command, "--dir", dir][..], further].concat())
    }

    /// The same, still running, with its standard output to be read.
    pub(crate) fn spawn(&self, command: &str, further: &[&str]) -> Running {
        let mut program = Command::new(env!("CARGO_BIN_EXE_butterfly"));
        program.args([command, "--dir"]).arg(&self.dir).args(further).stdout(Stdio::piped());
        Running::of(program.spawn().unwrap())
    }

    /// Takes the node that has this number now out of the roster.
    pub(crate) fn remove(&self, node: u16) -> Value {
        let output = self.run("remove", &["--json", "--node", &node.to_string()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn status(&self) -> Value {
        let output = self.run("status", &["--json"]);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Waits until `status --json` is as it should be.
    pub(crate) fn wait_for_status(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if holds(&status) {
                return status;
            }
            assert!(Instant::now() < deadline, "not in time: {what}; {status}");
            sleep(Duration::from_millis(50));
        }
    }

    /// `submit --json` with further arguments; it must come to its end.
    pub(crate) fn submit(&self, further: &[&str]) -> Value {
        let output = self.run("submit", &[&["--json"][..], further].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Operated {
    /// `init` and `start --all`, until every node listens.
    pub(crate) fn start(nodes: usize) -> Operated {
        Operated::start_with(nodes, &[])
    }

    /// The same, with something in the environment.
    pub(crate) fn start_with(nodes: usize, environment: &[(&str, &str)]) -> Operated {
        let folder = Folder::found(nodes);
        let mut command = Command::new(env!("CARGO_BIN_EXE_butterfly"));
        command.envs(environment.iter().copied());
        command.args(["start", "--all", "--dir"]).arg(&folder.dir).stdout(Stdio::piped());
        let mut supervisor = command.spawn().unwrap();
        let output = BufReader::new(supervisor.stdout.take().unwrap());
        let (sender, lines) = channel();
        spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut operated = Operated { folder, supervisor, ids: BTreeMap::new(), lines };
        operated.wait_for_line("nodes run;");
        assert_eq!(operated.ids.len(), nodes);
        operated
    }

    /// Waits until the supervisor says something with `part` in it.
    pub(crate) fn wait_for_line(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it never said {part:?}"));
            self.ids.extend(process_in(&line));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// SIGKILL to the first process of `node`.
    pub(crate) fn kill(&self, node: usize) {
        signal(self.ids[&node], "KILL");
    }

    /// SIGTERM to the supervisor; its exit code, once every node has ended.
    pub(crate) fn end(mut self) -> Option<i32> {
        signal(self.supervisor.id(), "TERM");
        let code = ended(&mut self.supervisor).code();
        for id in self.ids.values() {
            wait_until("every node has ended", || !Path::new(&format!("/proc/{id}")).exists());
        }
        code
    }
}

impl Drop for Operated {
    fn drop(&mut self) {
        // The nodes end with it.
        let _ended = self.supervisor.kill();
        let _reaped = self.supervisor.wait();
    }
}

/// A process that does not outlive its test.
pub(crate) struct Running {
    child: Child,
    /// As long as it is there, the process may run for its time.
    _leash: Sender<()>,
}

impl Running {
    /// It is killed when its time is over, so that reading from it ends.
    fn of(child: Child) -> Running {
        let (leash, held) = channel();
        let id = child.id();
        spawn(move || {
            if held.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                signal(id, "KILL");
            }
        });
        Running { child, _leash: leash }
    }

    /// Reads until it has shown `bytes`.
    pub(crate) fn read(&mut self, bytes: usize) -> String {
        let mut shown = vec![0; bytes];
        self.child.stdout.as_mut().unwrap().read_exact(&mut shown).unwrap();
        String::from_utf8(shown).unwrap()
    }

    pub(crate) fn read_to_end(&mut self) -> String {
        let mut shown = String::new();
        self.child.stdout.as_mut().unwrap().read_to_string(&mut shown).unwrap();
        shown
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        signal(self.child.id(), "TERM");
    }

    /// Its exit code, once it has ended.
    pub(crate) fn code(&mut self) -> Option<i32> {
        ended(&mut self.child).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// To a process that this test started and that was not waited for.
pub(crate) fn signal(process: u32, name: &str) {
    let process = rustix::process::Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    let signal = match name {
        "KILL" => rustix::process::Signal::KILL,
        "TERM" => rustix::process::Signal::TERM,
        other => panic!("no signal {other}"),
    };
    rustix::process::kill_process(process, signal).unwrap();
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// As in `node 2 on 127.0.0.1:4711, http://127.0.0.1:4811, process 815`.
fn process_in(line: &str) -> Option<(usize, u32)> {
    let (node, rest) = line.strip_prefix("node ")?.split_once(" on ")?;
    Some((node.parse().ok()?, rest.split_once(", process ")?.1.parse().ok()?))
}

/// The first of as many ports that nobody listens on and no other test was
/// given, below those that the system gives to whoever asks for any.
fn free_ports(count: usize) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = u16::try_from(std::process::id() % 500).unwrap() * 20;
    let count = u16::try_from(count).unwrap();
    for _ in 0..500 {
        let base = 20_000 + (begin + NEXT.fetch_add(count, Ordering::Relaxed) % 10_000) % 10_000;
        let last = base + count;
        if (base..last).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
    panic!("no {count} ports in a row are free");
}
