//! What an operator and a newcomer do: `init`, `start`, `submit`, `status`.

use serde_json::Value;

use crate::harness::{butterfly, progress, reference, verify};
use crate::operated::{Operated, signal, wait_until};

fn last_epochs(status: &Value) -> Vec<Option<u64>> {
    status["members"].as_array().unwrap().iter().map(|member| member["last_epoch"].as_u64()).collect()
}

fn all_are_level(status: &Value) -> bool {
    let last = last_epochs(status);
    status["state"] == "whole" && last.iter().all(|epoch| epoch.is_some() && *epoch == last[0])
}

/// The way that the README shows. Node 0 is one of those that the request was
/// handed to; node 3 is not.
#[test]
fn a_newcomer_asks_kills_a_node_reads_on_and_starts_it_again() {
    let mut cluster = Operated::start(4);
    let status = cluster.wait_for_status("every node answers", all_are_level);
    assert_eq!((&status["epoch"], &status["view"], &status["leader"]), (&1.into(), &0.into(), &1.into()));
    let text = reference(200);
    let mut restarted = Vec::new();
    for (round, victim) in [0, 3].into_iter().enumerate() {
        let mut asking = cluster.spawn("submit", &["--tokens", "200"]);
        let mut shown = asking.read(20);
        cluster.kill(victim);
        shown += &asking.read_to_end();
        assert_eq!(asking.code(), Some(0));
        assert_eq!(shown, format!("{text}\n"), "without node {victim}");
        cluster.wait_for_line(&format!("node {victim} has ended"));
        let status = cluster.wait_for_status("one is missed", |status| status["state"] == "degraded");
        assert_eq!(status["members"][victim]["state"], "unreachable");
        assert_eq!(status["members"][victim]["last_epoch"], Value::Null);

        let number = victim.to_string();
        cluster.ids.remove(&victim);
        restarted.push(cluster.spawn("start", &["--node", &number]));
        let status = cluster.wait_for_status("it catches up", all_are_level);
        progress(&format!("round {round}: every node has epoch {:?}", last_epochs(&status)[0]));
        assert_eq!(status["members"][victim]["state"], "replica");
    }
    // All four take part again.
    assert_eq!(cluster.submit(&["--tokens", "8"])["text"], text[..8]);
    for mut node in restarted {
        node.terminate();
        assert_eq!(node.code(), Some(0));
    }
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn an_answer_comes_with_a_proof_of_this_cluster() {
    let cluster = Operated::start(4);
    let file = cluster.dir.join("proof");
    let first = cluster.submit(&["--tokens", "12", "--proof", file.to_str().unwrap()]);
    assert_eq!(first["text"], reference(12));
    assert!(first["latency_ms"].as_f64().unwrap() > 0.0);
    let id = first["cluster"].as_str().unwrap();
    let proven = verify(&file, &["--cluster", id]).unwrap();
    assert_eq!((&proven["text"], &proven["complete"]), (&first["text"], &true.into()));
    assert_eq!(hex::decode(first["proof"].as_str().unwrap()).unwrap(), std::fs::read(&file).unwrap());
    // A later request has a proof of its own, which begins where it does.
    let second = cluster.submit(&["--tokens", "6", "--prompt", "if x == ", "--proof", file.to_str().unwrap()]);
    let proven = verify(&file, &["--cluster", id]).unwrap();
    assert_eq!((&proven["text"], &proven["prompt"]), (&second["text"], &"if x == ".into()));
    assert_eq!(
        (&proven["complete"], &proven["first_epoch"], &proven["last_epoch"]),
        (&true.into(), &4.into(), &5.into())
    );
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn what_was_not_finished_is_finished_first() {
    let cluster = Operated::start(4);
    let text = reference(200);
    let begin = || {
        let mut asking = cluster.spawn("submit", &["--tokens", "200"]);
        asking.read(8);
        asking
    };
    let asking = begin();
    let refused = cluster.run("submit", &["--tokens", "4"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("another request of this client is under way"));
    // The same again goes on with it.
    asking.kill();
    assert_eq!(cluster.submit(&["--tokens", "200"])["text"], text);
    // Another comes after it.
    begin().kill();
    assert_eq!(cluster.submit(&["--tokens", "4"])["text"], text[..4]);
    let status = cluster.status();
    assert_eq!(status["working"], false);
    assert_eq!(cluster.end(), Some(0));
}

/// The other client's request is under way when this one is handed in: its
/// epochs are no part of the proof.
#[test]
fn two_clients_are_served_in_turn_and_each_gets_a_proof_of_its_own() {
    let cluster = Operated::start(4);
    let mut first = cluster.spawn("submit", &["--tokens", "200"]);
    let begun = first.read(8);
    let file = cluster.dir.join("proof");
    let second = cluster.submit(&["--client", "1", "--tokens", "12", "--proof", file.to_str().unwrap()]);
    assert_eq!(second["text"], reference(12));
    assert_eq!(begun + &first.read_to_end(), format!("{}\n", reference(200)));
    let proven = verify(&file, &["--cluster", second["cluster"].as_str().unwrap()]).unwrap();
    assert_eq!((&proven["client"], &proven["complete"], &proven["text"]), (&1.into(), &true.into(), &second["text"]));
    assert_eq!((&proven["first_epoch"], &proven["last_epoch"]), (&51.into(), &53.into()));
    assert_eq!(cluster.end(), Some(0));
}

#[test]
fn too_few_nodes_are_told_from_enough() {
    let mut cluster = Operated::start(4);
    for node in [1, 2] {
        cluster.kill(node);
        cluster.wait_for_line(&format!("node {node} has ended"));
    }
    let output = cluster.run("status", &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["state"], "stopped");
    // Two of four take a request, and can decide nothing.
    let output = cluster.run("submit", &["--tokens", "4", "--patience", "2"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no epoch was decided for 2 s"));
    cluster.kill(3);
    cluster.wait_for_line("node 3 has ended");
    let output = cluster.run("submit", &["--tokens", "4"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 of 4 nodes answer, and 2 are needed"));
}

#[test]
fn a_node_ends_with_code_0_when_told_and_does_not_run_twice() {
    let cluster = Operated::start(1);
    let twice = cluster.run("start", &["--node", "0", "--listen", "127.0.0.1:0"]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(String::from_utf8(twice.stderr).unwrap().contains("a node must not run twice"));
    assert_eq!(cluster.submit(&["--tokens", "4"])["text"], reference(4));
    let id = cluster.ids[&0];
    signal(id, "TERM");
    wait_until("it has ended", || !std::path::Path::new(&format!("/proc/{id}")).exists());
    let mut alone = cluster.spawn("start", &["--node", "0", "--json"]);
    let shown = alone.read(16);
    assert!(shown.starts_with("{\"event\":\"ready\""), "{shown}");
    alone.terminate();
    assert!(alone.read_to_end().contains("\"event\":\"sent\""), "it says what it sent, and ends");
    assert_eq!(alone.code(), Some(0));
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("c");
    let dir = dir.to_str().unwrap();
    assert!(butterfly(&["init", "--dir", dir]).status.success());
    for name in ["key", "exchange-key"] {
        let path = format!("{dir}/node-1/{name}");
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        mode(0o640);
        let refused = butterfly(&["config", "check", "--dir", dir]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(String::from_utf8(refused.stderr).unwrap().contains("others may read the key"));
        mode(0o600);
        assert!(butterfly(&["config", "check", "--dir", dir]).status.success());
    }
}
