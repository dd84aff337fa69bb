//! Disks that fail: what the system answers to a node's calls is altered by
//! `strace`, which the test command installs.

use std::process::Command;
use std::time::Instant;

use crate::harness::{progress, reference};
use crate::nodes::{Began, Nodes, Process, epochs};
use crate::operated::{Folder, PATIENCE, wait_until};

/// One call on one file of node 1 that fails, from the `from`th time on.
struct Failure {
    file: &'static str,
    call: &'static str,
    error: &'static str,
    from: u32,
    /// What the node says of it.
    said: &'static str,
}

const FAILURES: [Failure; 5] = [
    Failure { file: "vote-record", call: "fdatasync", error: "EIO", from: 12, said: "Input/output error" },
    Failure { file: "vote-record", call: "pwrite64", error: "ENOSPC", from: 30, said: "No space left on device" },
    Failure { file: "vote-record", call: "pread64", error: "EIO", from: 1, said: "Input/output error" },
    Failure { file: "history", call: "pwrite64", error: "ENOSPC", from: 8, said: "No space left on device" },
    Failure { file: "history", call: "fdatasync", error: "EIO", from: 6, said: "Input/output error" },
];

/// The node stops with a clear message, at once; the others go on; with a disk
/// that works it catches up, as what it was.
#[test]
fn a_node_whose_disk_fails_says_so_and_stops_and_the_others_go_on() {
    let text = reference(60);
    for Failure { file, call, error, from, said } in FAILURES {
        let what = format!("{call} of {file}: {error}");
        let folder = Folder::found(4);
        let mut nodes = Nodes::start(&folder);
        nodes.kill(1);
        let path = folder.dir.join("node-1").join(file);
        let mut traced = Command::new("strace");
        // The tracer is the grandchild, so the child is the node.
        traced.args(["-D", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf"]);
        traced.arg("-P").arg(&path).arg("-e").arg(format!("inject={call}:error={error}:when={from}+"));
        traced.arg(env!("CARGO_BIN_EXE_butterfly"));
        let errors = match Process::of(traced, &folder, 1).begin() {
            Began::Ready(mut process, _) => {
                // How often it writes is up to how much comes at once.
                let deadline = Instant::now() + PATIENCE;
                while !process.has_ended() {
                    assert!(Instant::now() < deadline, "it goes on: {what}");
                    assert_eq!(folder.submit(&["--tokens", "60"])["text"], text, "{what}");
                }
                process.failed()
            }
            Began::Refused(errors) => errors,
        };
        assert!(errors.contains(file) && errors.contains(said) && !errors.contains("panicked"), "{what}: {errors}");
        let last = errors.trim_end().lines().last().unwrap();
        progress(&format!("{what}: {last}"));
        assert_eq!(folder.submit(&["--tokens", "60"])["text"], text, "{what}");
        nodes.restart(1);
        let last = nodes.last();
        wait_until("it catches up", || epochs(folder.admin(1)).contains_key(&last));
    }
}
