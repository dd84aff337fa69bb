//! Bad input: a clear message and a non-zero exit, before anything is started.

use std::net::TcpListener;

use crate::harness::butterfly;
use butterfly_runtime_std::faults::FaultKind;

/// The exit code and the message.
fn refused(arguments: &[&str]) -> (i32, String) {
    let output = butterfly(arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), message)
}

#[test]
fn bad_usage_is_explained_with_code_2() {
    let long = "x".repeat(250);
    let cases: &[(&[&str], &str)] = &[
        (&["demo", "--fault", "1:sulk"], "is not a kind of fault; there are"),
        (&["demo", "--fault", "lie"], "NODE:KIND"),
        (&["demo", "--fault", "1:lie@0"], "epochs are numbered from 1"),
        (&["demo", "--fault", "1:lie@17"], "after the last epoch, which is 16"),
        (&["demo", "--fault", "4:lie"], "there is no node 4"),
        (&["demo", "--fault", "1:lie", "--fault", "1:crash"], "node 1 is given two faults"),
        (&["demo", "--nodes", "3", "--faults-tolerated", "1"], "these faults need 4 replicas"),
        (&["demo", "--nodes", "4", "--fast-path-faults", "2"], "this fast path needs 6 replicas"),
        (&["demo", "--nodes", "17"], "a cluster has 1 to 16"),
        (&["demo", "--nodes", "0"], "a cluster has 1 to 16"),
        (&["demo", "--nodes", "four"], "invalid value"),
        (&["demo", "--tokens", "0"], "ask for at least one"),
        (&["demo", "--tokens-per-epoch", "0"], "1 to 16 tokens"),
        (&["demo", "--tokens-per-epoch", "17"], "1 to 16 tokens"),
        (&["demo", "--prompt", ""], "the prompt is empty"),
        (&["demo", "--prompt", &long], "do not fit into a context of 256"),
        (&["demo", "--prompt", "na\u{ef}ve"], "printable ASCII"),
        (&["demo", "--base-port", "65534"], "choose a lower --base-port"),
        (&["demo", "--firmware", "3"], "at most 2 of 4 nodes can be firmware, not 3"),
        (&["demo", "--firmware", "1", "--nodes", "7"], "at most 0 of 7 nodes"),
        (&["demo", "--firmware", "1", "--fault", "3:lie"], "node 3 is firmware"),
        (&["demo", "--firmware", "1", "--trace", "trace"], "cannot be used with"),
        (&["demo", "--sulk"], "unexpected argument"),
        (&["reference", "--tokens", "4", "--prompt", ""], "the prompt is empty"),
        (&["reference", "--tokens", "4", "--prompt", "tab\t"], "printable ASCII"),
        (&["reference", "--tokens", "400", "--prompt", "x"], "do not fit"),
        (&["reference", "--tokens", "4"], "--prompt"),
        (&["verify"], "<FILE>"),
        (&["verify", "/dev/null", "--cluster", "xyz"], "64 hexadecimal digits"),
        (&["dance"], "unrecognized subcommand"),
        (&[], "Usage"),
    ];
    for (arguments, expected) in cases {
        let (code, message) = refused(arguments);
        assert_eq!(code, 2, "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn help_errors_and_readme_name_every_kind_of_fault() {
    let help = String::from_utf8(butterfly(&["demo", "--help"]).stdout).unwrap();
    let (_, error) = refused(&["demo", "--fault", "1:sulk"]);
    let readme = include_str!("../../README.md");
    for kind in FaultKind::ALL {
        let line = help.lines().find(|line| line.trim().starts_with(kind.name()));
        assert!(line.is_some_and(|line| line.ends_with(kind.about())), "{kind}: {help}");
        assert!(error.contains(kind.name()), "{kind}: {error}");
        let counts = if kind.severity().counts() { "yes" } else { "no" };
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
        assert!(row.is_some_and(|row| row.contains(&format!("| {counts} |"))), "{kind}: {row:?}");
    }
}

#[test]
fn a_file_that_proves_nothing_is_refused_with_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missing = folder.path().join("missing").to_str().unwrap().to_owned();
    for (path, expected) in [
        (file("empty", b""), "not a proof or evidence"),
        (file("text", b"once upon a time"), "not a proof or evidence"),
        (file("version", b"BFLYDOC\0\x03rest"), "a version that this program does not know"),
        (file("cut", b"BFLYDOC\0\x01"), "damaged or was altered"),
        (file("long", &vec![0; 3 * 1024 * 1024]), "has more than"),
        (missing, "cannot read"),
    ] {
        let (code, message) = refused(&["verify", &path]);
        assert_eq!(code, 1, "{message}");
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_trace_that_cannot_be_written_is_refused_before_anything_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("missing").join("trace");
    for path in [folder.path(), &inside] {
        let (code, message) = refused(&["demo", "--trace", path.to_str().unwrap()]);
        assert_eq!(code, 1, "{message}");
        assert!(message.contains(&format!("cannot write the trace to {}", path.display())), "{message}");
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, message) = refused(&["demo", "--nodes", "1", "--base-port", &port]);
    assert_eq!(code, 1);
    assert!(message.contains(&port) && message.contains("choose another with --base-port"), "{message}");
}
