//! No process is left behind, however a demonstration ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Starts a demonstration for people and returns the ids of its nodes' processes.
fn start(arguments: &[&str]) -> (Child, Vec<u32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_butterfly"));
    command.arg("demo").args(arguments).stdout(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let ids = lines.map_while(Result::ok).filter_map(|line| line.split_once(", process ")?.1.parse().ok());
    let ids = ids.take(4).collect();
    (demo, ids)
}

/// A process that ended is gone, or waits to be reaped by its new parent.
fn runs(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

fn all_end(ids: &[u32]) {
    assert_eq!(ids.len(), 4);
    let deadline = Instant::now() + Duration::from_secs(20);
    while ids.iter().any(|id| runs(*id)) {
        assert!(Instant::now() < deadline, "a node outlives its demonstration");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn none_after_a_run_with_a_crash_and_none_after_a_restart() {
    for fault in ["2:crash@2", "1:restart@2"] {
        let (mut demo, ids) = start(&["--tokens", "12", "--view-timeout-ms", "300", "--fault", fault]);
        // Nobody reads any more: the demonstration may also end with a broken pipe.
        demo.wait().unwrap();
        all_end(&ids);
    }
}

#[test]
fn none_after_the_demonstration_itself_was_killed() {
    let (mut demo, ids) = start(&["--tokens", "200", "--view-timeout-ms", "300"]);
    demo.kill().unwrap();
    demo.wait().unwrap();
    all_end(&ids);
}

#[test]
fn folders_are_removed() {
    let temporary = tempfile::tempdir().unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_butterfly"))
        .args(["demo", "--tokens", "4", "--json"])
        .env("TMPDIR", temporary.path())
        .output()
        .unwrap();
    assert!(run.status.success());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}
