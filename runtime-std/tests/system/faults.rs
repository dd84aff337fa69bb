//! Every kind of fault on every node, at the first epoch and in the middle.

use std::thread;

use crate::harness::{demo, reference, verify};

const TOKENS: usize = 16;
const EPOCHS: [u64; 2] = [1, 3];
const NODES: [u64; 4] = [0, 1, 2, 3];

/// Runs `kind` on every node in every epoch, several at once, and checks what
/// must always hold. `blamed` says of what the faulty node must be convicted.
fn on_every_node(kind: &str, blamed: bool) {
    let expected = reference(TOKENS);
    thread::scope(|scope| {
        for epoch in EPOCHS {
            for node in NODES {
                let expected = &expected;
                scope.spawn(move || check(kind, node, epoch, blamed, expected));
            }
        }
    });
}

fn check(kind: &str, node: u64, epoch: u64, must_be_blamed: bool, expected: &str) {
    let name = format!("{node}:{kind}@{epoch}");
    let folder = tempfile::tempdir().unwrap();
    let (proof, evidence) = (folder.path().join("proof"), folder.path().join("evidence"));
    let files = format!("--proof {} --evidence {}", proof.display(), evidence.display());
    let outcome = demo(&format!("--tokens {TOKENS} --view-timeout-ms 300 --fault {name} {files}"));
    let report = &outcome.report;
    assert_eq!(outcome.code, Some(0), "{name}: {report} {}", outcome.errors);
    assert_eq!(report["text"], expected, "{name}");
    assert_eq!(report["matches_reference"], true, "{name}");
    assert_eq!(report["stalled"], serde_json::Value::Null, "{name}");
    let cluster = report["cluster"].as_str().unwrap();
    let proven = verify(&proof, &["--cluster", cluster]).unwrap();
    assert_eq!(proven["text"], expected, "{name}");
    assert_eq!(proven["complete"], true, "{name}");

    let blamed = report["blamed"].as_array().unwrap();
    assert!(blamed.iter().all(|blame| blame["node"] == node), "{name}: an honest node is blamed: {blamed:?}");
    assert_eq!(!blamed.is_empty(), must_be_blamed, "{name}: {report}");
    for blame in blamed {
        let file = evidence.join(format!("node-{node}-{}.evidence", blame["kind"].as_str().unwrap()));
        let proven = verify(&file, &["--cluster", cluster]).unwrap();
        assert_eq!((&proven["accused"], &proven["kind"]), (&blame["node"], &blame["kind"]), "{name}");
    }
}

#[test]
fn a_crash_is_survived() {
    on_every_node("crash", false);
}

#[test]
fn a_restart_is_survived() {
    on_every_node("restart", false);
}

#[test]
fn silence_is_survived() {
    on_every_node("silent", false);
}

#[test]
fn a_liar_is_blamed() {
    on_every_node("lie", true);
}

#[test]
fn an_equivocator_is_blamed() {
    on_every_node("equivocate", true);
}

#[test]
fn two_liars_that_do_not_collude_make_nothing_wrong() {
    let expected = reference(TOKENS);
    let outcome = demo(&format!("--tokens {TOKENS} --view-timeout-ms 300 --fault 0:lie@2 --fault 3:lie@2"));
    let text = outcome.report["text"].as_str().unwrap();
    assert!(expected.starts_with(text), "{text:?}");
    assert_eq!(outcome.report["matches_reference"], true);
}

#[test]
fn seven_nodes_survive_two_faults_of_different_kinds() {
    let outcome = demo("--nodes 7 --tokens 16 --view-timeout-ms 1000 --fault 2:lie --fault 5:crash@2");
    assert_eq!(outcome.code, Some(0), "{} {}", outcome.report, outcome.errors);
    assert_eq!(outcome.report["blamed"][0]["node"], 2);
}
