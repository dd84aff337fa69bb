//! No process is left behind, however a demonstration ends.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use crate::harness::{ended, run};

/// A node and the id of its process.
type Started = (usize, u32);

/// Starts a demonstration for people and returns its nodes' processes, and
/// what it shows after naming them.
fn start_and_read(arguments: &[&str]) -> (Child, Vec<Started>, JoinHandle<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_butterfly"));
    command.arg("demo").args(arguments).stdout(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let mut output = BufReader::new(demo.stdout.take().unwrap());
    let mut ids = Vec::new();
    while ids.len() < 4 {
        let mut line = String::new();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "it ended before its nodes had started");
        ids.extend(processes_in(&line));
    }
    let rest = spawn(move || {
        let mut shown = String::new();
        // What was shown until then is good enough if it is killed.
        let _over = output.read_to_string(&mut shown);
        shown
    });
    (demo, ids, rest)
}

fn start(arguments: &[&str]) -> (Child, Vec<u32>) {
    let (demo, started, _) = start_and_read(arguments);
    (demo, started.into_iter().map(|(_, id)| id).collect())
}

/// As in `node 2 on 127.0.0.1:4711, process 815`.
fn processes_in(shown: &str) -> impl Iterator<Item = Started> {
    shown.lines().filter_map(|line| {
        let (node, rest) = line.strip_prefix("node ")?.split_once(" on ")?;
        Some((node.parse().ok()?, rest.split_once(", process ")?.1.parse().ok()?))
    })
}

/// What the system says a process is doing; none if it is gone.
fn state(id: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

/// A process that ended is gone, or waits to be reaped by its new parent.
fn runs(id: u32) -> bool {
    state(id).is_some_and(|state| state != 'Z')
}

fn stands_still(id: u32) -> bool {
    state(id) == Some('T')
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        sleep(Duration::from_millis(20));
    }
}

fn all_end(ids: &[u32]) {
    assert_eq!(ids.len(), 4);
    wait_until("every node ends with its demonstration", || !ids.iter().any(|id| runs(*id)));
}

#[test]
fn none_after_a_run_with_a_crash_and_none_after_a_restart() {
    for fault in ["2:crash@2", "1:restart@2"] {
        let (mut demo, ids) = start(&["--tokens", "12", "--view-timeout-ms", "300", "--fault", fault]);
        // Nobody reads any more: the demonstration may also end with a broken pipe.
        ended(&mut demo);
        all_end(&ids);
    }
}

#[test]
fn none_after_the_demonstration_itself_was_killed() {
    let (mut demo, ids) = start(&["--tokens", "200", "--view-timeout-ms", "300"]);
    demo.kill().unwrap();
    ended(&mut demo);
    all_end(&ids);
}

#[test]
fn a_paused_node_stands_still_goes_on_and_reaches_the_end() {
    let (mut demo, ids, rest) = start_and_read(&["--tokens", "12", "--fault", "2:pause"]);
    let by_node = |node: usize| ids.iter().find(|(of, _)| *of == node).unwrap().1;
    wait_until("node 2 stands still", || stands_still(by_node(2)));
    assert!([0, 1, 3].into_iter().all(|node| !stands_still(by_node(node))), "nobody else does");
    wait_until("node 2 goes on", || !stands_still(by_node(2)));
    let shown = rest.join().unwrap();
    assert!(ended(&mut demo).success(), "{shown}");
    assert!(shown.contains("epoch 1: node 2 is in trouble: pause") && shown.contains("node 2 goes on"), "{shown}");
    assert!(!shown.contains("did not reach the last epoch"), "{shown}");
}

#[test]
fn none_after_the_demonstration_was_killed_while_a_node_stood_still() {
    let (mut demo, ids, _) = start_and_read(&["--tokens", "200", "--fault", "2:pause"]);
    let ids: Vec<u32> = ids.into_iter().map(|(_, id)| id).collect();
    wait_until("node 2 stands still", || ids.iter().any(|id| stands_still(*id)));
    demo.kill().unwrap();
    ended(&mut demo);
    all_end(&ids);
}

#[test]
fn a_node_that_is_rolled_back_begins_again_in_an_epoch_that_it_had_decided() {
    let (mut demo, ids, rest) = start_and_read(&["--tokens", "16", "--fault", "2:rollback"]);
    let shown = rest.join().unwrap();
    assert!(ended(&mut demo).success(), "{shown}");
    assert!(shown.contains("node 2 has an older copy of its disk and is back in epoch 1"), "{shown}");
    let again = processes_in(&shown).find(|(node, _)| *node == 2).unwrap();
    assert!(!ids.contains(&again), "{shown}");
}

#[test]
fn folders_are_removed() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_butterfly"));
    command.args(["demo", "--tokens", "4", "--json"]).env("TMPDIR", temporary.path());
    assert!(run(&mut command).status.success());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}
